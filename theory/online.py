"""T15: online SGD on least squares, from the moments of one step."""

from __future__ import annotations

from sympy import Matrix, S, diag, limit, oo, solve, sqrt, symbols

from .derivation import Derivation
from .gaussian import expectation

ETA, NOISE, WEIGHT = symbols("eta sigma omega", positive=True)
RIDGE = symbols("lambda", nonnegative=True)
LABEL, MEAN, HEAD, BIAS = symbols("y m u b", real=True)
ROOT = symbols("root", positive=True)  # S = root^2
D = symbols("d", positive=True)
PARTS, EIGENVALUES = symbols("s1 s2", positive=True), symbols("e1 e2", positive=True)
NORMS = symbols("Q1 Q2", positive=True)  # |v_j|^2 in the eigenspaces


def one_step() -> Derivation:
    """du, db and dQ_j from the mean of one step's change, times d, as d -> infinity."""
    proof = Derivation(
        "A fresh row of one group, weight `omega`: `w` moves by `(eta/d) (omega (y - f) x - lambda w)`, without "
        "`lambda` on `b`. One signal coordinate of variance `S`; noise `sigma^2 e_j` in `s_j d` coordinates, "
        "`j = 1, 2`; the expectation over groups is a sum over `pi_g`, in which `omega` becomes `p_g` and `omega^2` "
        "becomes `p_g omega_g`, or `p_g` for rows drawn by mass, with no weight.",
        sizes="one group, one signal coordinate, two eigenvalues",
    )
    x, *along = normals = symbols("x g1 g2", real=True)
    signal = MEAN + ROOT * x
    miss = proof.say(
        "The noise enters `f` by its components along `v_1` and `v_2`, standard normals `g_j`; a row is missed by",
        LABEL
        - HEAD * signal
        - BIAS
        - NOISE * sum(sqrt(e * q) * g for e, q, g in zip(EIGENVALUES, NORMS, along, strict=True)),
    )
    r, covariance = LABEL - HEAD * MEAN - BIAS, ROOT**2
    drift = proof.equal(
        "`d` times the mean change of `u`",
        ETA * (WEIGHT * expectation(miss * signal, normals) - RIDGE * HEAD),
        ETA * (WEIGHT * (r * MEAN - covariance * HEAD) - RIDGE * HEAD),
    )
    shift = proof.equal("and of `b`", ETA * WEIGHT * expectation(miss, normals), ETA * WEIGHT * r)
    square = proof.equal(
        "`E (y - f)^2 = r^2 + u'S u + sigma^2 q^2`",
        expectation(miss**2, normals),
        r**2 + covariance * HEAD**2 + NOISE**2 * sum(e * q for e, q in zip(EIGENVALUES, NORMS, strict=True)),
    )
    changes = []
    for j, (part, e, q, g) in enumerate(zip(PARTS, EIGENVALUES, NORMS, along, strict=True), start=1):
        inner = NOISE * sqrt(e * q) * g  # v_j . z
        # |z_j|^2: the component along v_j, and part d - 1 others of mean one that f does not see.
        length2 = NOISE**2 * e * (g**2 + part * D - 1)
        linear = 2 * ETA / D * (WEIGHT * expectation(miss * inner, normals) - RIDGE * q)
        quadratic = (
            WEIGHT**2 * expectation(miss**2 * length2, normals)
            - 2 * WEIGHT * RIDGE * expectation(miss * inner, normals)
            + RIDGE**2 * q
        )
        changes.append(
            proof.equal(
                f"`d` times the mean change of `Q_{j} = |v_{j}|^2`, as `d` grows: fourth moments are of order `1/d`",
                limit((D * linear + ETA**2 / D * quadratic).expand(), D, oo),
                -2 * ETA * (WEIGHT * NOISE**2 * e + RIDGE) * q + ETA**2 * part * e * WEIGHT**2 * NOISE**2 * square,
            )
        )
    proof.result = {"du": drift, "db": shift, "dQ1": changes[0], "dQ2": changes[1]}
    return proof


def stability() -> Derivation:
    """|v|^2 stays bounded iff eta sum P_g sigma_g^4 sum_j s_j e_j^2 / D_j < 2, D_j = e_j sum p_g sigma_g^2 + lambda."""
    proof = Derivation(
        "The linear system of `Q_1`, `Q_2`; `F = sum_g P_g sigma_g^4` its feedback, `D_j` the decay of `Q_j`.",
        sizes="two eigenvalues",
    )
    feedback = symbols("F", positive=True)
    decays = symbols("D1 D2", positive=True)
    coupling = Matrix([s * e for s, e in zip(PARTS, EIGENVALUES, strict=True)]) * Matrix([EIGENVALUES])
    matrix = proof.say(
        "`dQ/dt` is `-A Q` and terms free of `Q`, with `A`", 2 * ETA * diag(*decays) - ETA**2 * feedback * coupling
    )
    load = feedback * sum(s * e**2 / decay for s, e, decay in zip(PARTS, EIGENVALUES, decays, strict=True))
    determinant = proof.equal(
        "`det A` changes its sign with `2 - eta F sum_j s_j e_j^2/D_j`",
        matrix.det(),
        4 * ETA**2 * decays[0] * decays[1] * (1 - ETA * load / 2),
    )
    proof.control(
        "`A` is symmetric in `Q_j/sqrt(s_j)`, so its eigenvalues are real and cross zero there",
        matrix[0, 1] * sqrt(PARTS[1]) / sqrt(PARTS[0]),
        matrix[1, 0] * sqrt(PARTS[0]) / sqrt(PARTS[1]),
    )
    largest = proof.equal("that is, at the step", solve(determinant / ETA**2, ETA)[0], 2 / load)
    one = {EIGENVALUES[0]: 1, EIGENVALUES[1]: 1, decays[1]: decays[0], PARTS[1]: 1 - PARTS[0]}
    proof.control("Isotropic noise: `eta F < 2 D`", largest.subs(one), 2 * decays[0] / feedback)
    proof.control("Without noise any step is stable", (1 / largest).subs(feedback, 0), S.Zero)
    proof.result = {"largest_stable_step": largest}
    return proof
