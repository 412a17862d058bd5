"""T6: NC1 (Papyan, Han & Donoho 2020), CDNV (Galanti, Gyorgy & Hutter 2022) and VCI (Xu & Liu 2023) in closed form."""

from __future__ import annotations

from sympy import Matrix, diag, symbols

from .derivation import Derivation
from .least_squares import GROUPS, RHO, balanced_masses

M = Matrix(symbols("m1 m2 m3", real=True))
WITHIN = symbols("w1 w2 w3", positive=True)


def moments() -> Derivation:
    """Sigma_W = tau_n^2 S + tau_a^2 (1 - rho^2) mu_a mu_a' and Sigma_B = m m', m = mu_y + rho mu_a."""
    proof = Derivation(
        "Two balanced classes, `E a = 0`, `m_g = y mu_y + a mu_a`, common `S` over all coordinates.",
        sizes="two coordinates",
    )
    tau_n, tau_a = symbols("tau_n tau_a", nonnegative=True)
    mu_y, mu_a = Matrix(symbols("y1 y2", real=True)), Matrix(symbols("a1 a2", real=True))
    s11, s12, s22 = symbols("s11 s12 s22", real=True)
    covariance = Matrix([[s11, s12], [s12, s22]])
    masses = list(zip(balanced_masses(), GROUPS, strict=True))
    half = proof.equal(
        "The mean of class `+1` is `m = mu_y + rho mu_a`, and of class `-1` its opposite",
        sum((2 * p * (mu_y + a * mu_a) for p, (y, a) in masses if y == 1), Matrix.zeros(2, 1)),
        mu_y + RHO * mu_a,
    )
    offsets = [tau_a * (y * mu_y + a * mu_a - y * half) for _, (y, a) in masses]
    shift = proof.equal(
        "Collapse moves groups along the line to it, and their mean not at all",
        sum(
            (2 * p * offset for (p, (y, _)), offset in zip(masses, offsets, strict=True) if y == 1), Matrix.zeros(2, 1)
        ),
        Matrix.zeros(2, 1),
    )
    within = proof.equal(
        "Within classes: `tau_n^2 S + tau_a^2 (1 - rho^2) mu_a mu_a'`",
        sum(
            (
                p * (tau_n**2 * covariance + (o - y * shift) * (o - y * shift).T)
                for (p, (y, _)), o in zip(masses, offsets, strict=True)
            ),
            Matrix.zeros(2, 2),
        ),
        tau_n**2 * covariance + tau_a**2 * (1 - RHO**2) * mu_a * mu_a.T,
    )
    proof.result = {"within_11": within[0, 0], "within_12": within[0, 1], "within_22": within[1, 1]}
    return proof


def nc1_and_cdnv() -> Derivation:
    """NC1 = m'Sigma_W m / (2 |m|^4), CDNV = tr Sigma_W / (4 |m|^2); class collapse multiplies both by tau^2."""
    proof = Derivation(
        "Two classes of equal weight with means `+-m`; any within-class covariances, `Sigma_W` their mean.",
        sizes="three coordinates",
    )
    tau, length2 = symbols("tau", positive=True), M.dot(M)
    between = proof.equal(
        "Between classes, about their centre, `Sigma_B = m m'`", (M * M.T + (-M) * (-M).T) / 2, M * M.T
    )
    projection = proof.equal("`m m'/|m|^2` is a projection", (between / length2) ** 2, between / length2)
    inverse = proof.say(
        "so the only eigenvalue of `Sigma_B` but zero is `|m|^2`, and its pseudo-inverse is", projection / length2
    )
    proof.control("With `B = Sigma_B`, `B B^+ B = B`", between * inverse * between, between)
    proof.control("`B^+ B B^+ = B^+`", inverse * between * inverse, inverse)
    within = Matrix(3, 3, lambda i, j: symbols(f"c{min(i, j)}{max(i, j)}", real=True))
    nc1 = proof.equal(
        "`NC1 = tr(Sigma_W Sigma_B^+)/2`", (within * inverse).trace() / 2, (M.T * within * M)[0] / (2 * length2**2)
    )
    lower = Matrix(3, 3, lambda i, j: symbols(f"l{min(i, j)}{max(i, j)}", real=True))
    upper = 2 * within - lower
    trace = proof.equal(
        "`tr Cov_+ + tr Cov_-` is twice that of their mean", upper.trace() + lower.trace(), 2 * within.trace()
    )
    distance2 = proof.equal(
        "The squared distance of the class means is `4 |m|^2`", (M - (-M)).dot(M - (-M)), 4 * length2
    )
    cdnv = proof.equal(
        "`CDNV = (tr Cov_+ + tr Cov_-)/(2 |mu_+ - mu_-|^2)`", trace / (2 * distance2), within.trace() / (4 * length2)
    )
    collapsed = {entry: tau**2 * entry for entry in within.free_symbols}
    proof.control("Class collapse scales `Sigma_W` by `tau^2`, so `NC1` by `tau^2`", nc1.subs(collapsed), tau**2 * nc1)
    proof.control("and `CDNV` by `tau^2`", cdnv.subs(collapsed), tau**2 * cdnv)
    proof.result = {"nc1": nc1, "cdnv": cdnv}
    return proof


def vci() -> Derivation:
    """VCI = 1 / (1 + m'Sigma_W^-1 m); tau^2 / (tau^2 + m'Sigma_W^-1 m) under class collapse."""
    proof = Derivation(
        "Two classes of equal weight with means `+-m`; `Sigma_W > 0`, in its eigenbasis.", sizes="three coordinates"
    )
    tau = symbols("tau", positive=True)
    within, between = diag(*WITHIN), M * M.T
    separation = (M.T * within.inv() * M)[0]
    inverse = proof.equal(
        "Sherman-Morrison inverts `Sigma_T = Sigma_W + m m'`",
        (within + between).inv(),
        within.inv() - within.inv() * between * within.inv() / (1 + separation),
    )
    index = proof.equal(
        "`VCI` is one less `tr(Sigma_T^-1 Sigma_B)`, over the rank of `Sigma_B`, which is one",
        1 - (inverse * between).trace(),
        1 / (1 + separation),
    )
    collapsed = proof.equal(
        "Class collapse scales `Sigma_W` by `tau^2`",
        index.subs({w: tau**2 * w for w in WITHIN}, simultaneous=True),
        tau**2 / (tau**2 + separation),
    )
    proof.result = {"vci": collapsed}
    return proof
