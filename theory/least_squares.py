"""T1, T3: population least squares on a group mixture, and wrong annotations.

Everything starts from the population objective sum_g p_g [(y_g - u.m_g - b)^2 + u'S_g u] / 2 + lam |u|^2 / 2, the
expectation over a group being that of a Gaussian logit. Prior theory of Gaussian last-layer retraining: Stromberg et
al. (2402.11039); Welfert, Stromberg & Sankar (2405.05934).
"""

from __future__ import annotations

from sympy import Matrix, Rational, S, diag, diff, eye, simplify, solve, sqrt, symbols

from .derivation import Derivation
from .readout import normal_cdf

GROUPS = ((-1, -1), (-1, 1), (1, -1), (1, 1))
RHO = symbols("rho", real=True)


def objective(u, bias, groups):
    """The population objective without ridge; `groups` holds (mass, label, mean, covariance)."""
    return sum(p * ((y - u.dot(m) - bias) ** 2 + (u.T * cov * u)[0]) for p, y, m, cov in groups) / 2


def balanced_masses():
    """p_g = (1 + y a rho) / 4: balanced classes, E ya = rho, E a = 0."""
    return [(1 + y * a * RHO) / 4 for y, a in GROUPS]


def stationary_head(proof, groups, spread, with_label):
    """The head (u, b) of balanced groups, whose gradient is `spread` u less `with_label`, and b."""
    unknown = Matrix(symbols("u1 u2 b", real=True))
    u, bias = unknown[:2, :], unknown[2]
    gradient = proof.say(
        "The gradient of the population objective in `u` and `b` is", objective(u, bias, groups).diff(unknown)
    )
    system = proof.equal(
        "which these moments make linear, with `b` apart since labels and means are centred",
        gradient,
        (spread * u - with_label).col_join(Matrix([bias])),
    )
    return system.jacobian(unknown).LUsolve(-system.subs(dict.fromkeys(unknown, 0))).applyfunc(simplify)


def normal_equations() -> Derivation:
    """b = E y - u.E m and (sum p_g S_g + Cov_p(m) + lam I) u = Cov_p(m, y), moments over groups under the masses."""
    proof = Derivation(
        "Any groups (three here, `k = 2`), any masses `p_g` that sum to one, ridge `lambda` on `u` alone.",
        sizes="three groups, two signal coordinates",
    )
    u, bias, lam = Matrix(symbols("u1 u2", real=True)), symbols("b", real=True), symbols("lambda", nonnegative=True)
    p1, p2 = symbols("p1 p2", positive=True)
    groups = []
    for g, p in enumerate((p1, p2, 1 - p1 - p2), start=1):
        label, *mean = symbols(f"y{g} m{g}1 m{g}2", real=True)
        s11, s12, s22 = symbols(f"s{g}11 s{g}12 s{g}22", real=True)
        groups.append((p, label, Matrix(mean), Matrix([[s11, s12], [s12, s22]])))
    value = proof.say(
        "The objective: the expectation of `(y - f)^2/2` over Gaussian logits, and ridge",
        objective(u, bias, groups) + lam * u.dot(u) / 2,
    )
    label = sum(p * y for p, y, _, _ in groups)
    mean = sum((p * m for p, _, m, _ in groups), Matrix.zeros(2, 1))
    best = proof.equal(
        "The bias is free, so its derivative vanishes: `b = E y - u.E m`",
        solve(diff(value, bias), bias)[0],
        label - u.dot(mean),
    )
    spread, with_label = lam * eye(2), Matrix.zeros(2, 1)
    for p, y, m, covariance in groups:
        spread += p * (covariance + (m - mean) * (m - mean).T)
        with_label += p * (y - label) * (m - mean)
    residual = proof.equal(
        "At that bias the gradient in `u` is linear, and zero at the normal equations",
        Matrix([diff(value, weight) for weight in u]).subs(bias, best),
        spread * u - with_label,
    )
    proof.result = {"bias": best, "residual_1": residual[0], "residual_2": residual[1]}
    return proof


def direction() -> Derivation:
    """u ∝ S^-1 [mu_y mu_a] (R^-1 + A)^-1 e_1, b = 0."""
    proof = Derivation(
        "`m_g = y mu_y + a mu_a`, common `S`, balanced classes, `E a = 0`, `lambda = 0`, `|rho| < 1`. "
        "`R` is the correlation matrix of `(y, a)`, and `A = N'N`.",
        sizes="two signal coordinates",
    )
    n11, n12, n22 = symbols("n11 n12 n22", real=True)
    effects = proof.say(
        "Whiten and rotate: `s -> S^{-1/2} s` turns `S` into the identity, two means span a plane and the first may "
        "lie along an axis, so `k = 2` and `S = I` lose nothing. The columns of `N` are the whitened `mu_y` and `mu_a`",
        Matrix([[n11, n12], [0, n22]]),
    )
    groups = [(p, y, effects * Matrix([y, a]), eye(2)) for p, (y, a) in zip(balanced_masses(), GROUPS, strict=True)]
    correlation = Matrix([[1, RHO], [RHO, 1]])
    moment = proof.equal(
        "The group means have second moment `N R N'`",
        sum((p * m * m.T for p, _, m, _ in groups), Matrix.zeros(2, 2)),
        effects * correlation * effects.T,
    )
    with_label = proof.equal(
        "and moment `N R e_1` with the label",
        sum((p * y * m for p, y, m, _ in groups), Matrix.zeros(2, 1)),
        effects * correlation[:, 0],
    )
    head = proof.equal(
        "Push `N` through its solution: the head is `u = N c`, `c = (R^-1 + A)^-1 e_1`, and `b = 0`",
        stationary_head(proof, groups, eye(2) + moment, with_label),
        (effects * (correlation.inv() + effects.T * effects).inv()[:, 0]).col_join(Matrix([0])),
    )
    proof.result = {"u1": simplify(head[0]), "u2": simplify(head[1])}
    return proof


def accuracies() -> Derivation:
    """The two-parameter form for orthogonal means: c ∝ (1 + (1-rho^2) S_a, rho) and the accuracies."""
    proof = Derivation("As for the direction, and `mu_y' S^-1 mu_a = 0`; `S_y`, `S_a` the squared whitened lengths.")
    core, spurious = symbols("S_y S_a", positive=True)
    gram = proof.say("The whitened means have the Gram matrix `A`", Matrix([[core, 0], [0, spurious]]))
    solved = (Matrix([[1, RHO], [RHO, 1]]).inv() + gram).inv()[:, 0]
    head = proof.equal(
        "`c = (R^-1 + A)^-1 e_1` is parallel to",
        solved * RHO / solved[1],
        Matrix([1 + (1 - RHO**2) * spurious, RHO]),
    )
    deviation = proof.equal(
        "The logit of `u = N c` has the deviation `sqrt(c'A c)`",
        sqrt(head.dot(gram * head)),
        sqrt(head[0] ** 2 * core + head[1] ** 2 * spurious),
    )
    for name, side in (("majority", 1), ("minority", -1)):
        score = proof.equal(
            f"Score of a {name} group: `u.m` over the deviation",
            head.dot(gram * Matrix([1, side])) / deviation,
            (head[0] * core + side * head[1] * spurious) / deviation,
        )
        proof.control("At `rho = 0` it is `sqrt(S_y)`", score.subs(RHO, 0), sqrt(core))
        proof.result[name] = normal_cdf(score)
    at = {core: Rational(196, 100), spurious: Rational(144, 100)}
    for rho, name, expected in (
        ("1/2", "minority", ".870557"),
        ("9/10", "minority", ".717614"),
        ("9/10", "majority", ".965557"),
        ("49/50", "minority", ".636631"),
        ("49/50", "majority", ".967309"),
    ):
        value = proof.result[name].subs(at).subs(RHO, Rational(rho))
        proof.value(f"`S_y = 1.96`, `S_a = 1.44`, `rho = {rho}`: {name} accuracy", value, expected)
    return proof


def effective_correlation() -> Derivation:
    """T3: what is left of rho after balancing groups whose attributes are flipped with probability e."""
    proof = Derivation("Balanced classes, flips independent of the features, annotated groups balanced by weights.")
    c, e = symbols("c e", positive=True)
    joint = proof.say(
        "The true `y a` is `+1` (first row) with probability `c = (1 + rho)/2`, and annotated so (first column) "
        "unless flipped",
        Matrix([[c * (1 - e), c * e], [(1 - c) * e, (1 - c) * (1 - e)]]),
    )
    annotated = proof.equal(
        "Annotated shares: the rest of the first is the second",
        Matrix([[1, 1]]) * joint,
        Matrix([[c * (1 - e) + (1 - c) * e, 1 - c * (1 - e) - (1 - c) * e]]),
    )
    weighted = joint * diag(*(1 / (2 * share) for share in annotated))
    correlation = proof.equal(
        "Weights give each annotated value mass `1/2`; the correlation left is `E y a`",
        (Matrix([[1, -1]]) * weighted * Matrix([1, 1]))[0],
        c * (1 - e) / (c * (1 - e) + (1 - c) * e) + c * e / (c * e + (1 - c) * (1 - e)) - 1,
    )
    proof.control("No flips leave nothing", correlation.subs(e, 0), S.Zero)
    proof.control("Coin tosses leave everything: `rho = 2 c - 1`", correlation.subs(e, Rational(1, 2)), 2 * c - 1)
    proof.result["correlation"] = correlation.subs(c, (1 + RHO) / 2)
    return proof
