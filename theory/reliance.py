"""T5: how much least squares relies on a spurious coordinate, u_s / u_c, as features collapse; the direction's signs.

T1's setting with one core and one spurious coordinate: balanced classes, E a = 0, so that b = 0. Centres are those of
the training law, with correlation rho; a fit may put other masses on the groups, with correlation rho'.
"""

from __future__ import annotations

from sympy import Matrix, S, diff, limit, oo, sqrt, symbols

from .derivation import Derivation
from .least_squares import GROUPS, RHO, objective

MU_C, MU_S, SIGMA_C, SIGMA_S = symbols("mu_c mu_s sigma_c sigma_s", positive=True)
TAU_N, TAU_A = symbols("tau_n tau_a", positive=True)
RIDGE = symbols("lambda", nonnegative=True)
FIT = symbols("rho_fit", real=True)  # rho', of the masses


def collapsed_reliance() -> Derivation:
    """u_s / u_c = (m/mu_c) (tau_n^2 sigma_c^2 + lam) / (tau_n^2 sigma_s^2 + tau_a^2 (1 - rho'^2) mu_s^2 + lam)."""
    proof = Derivation(
        "Balanced classes, `E a = 0`; centres of correlation `rho`, masses of correlation `rho'`; "
        "uncorrelated coordinates; ridge `lam >= 0`."
    )
    groups, spread = [], TAU_N**2 * Matrix([[SIGMA_C**2, 0], [0, SIGMA_S**2]])
    for y, a in GROUPS:
        centre = Matrix([y * MU_C, y * RHO * MU_S])
        mean = centre + TAU_A * (Matrix([y * MU_C, a * MU_S]) - centre)
        groups.append(((1 + y * a * FIT) / 4, y, mean, spread))
    inside = proof.equal(
        "Class +1 has its mean, under the masses, at `m = (rho + tau_a (rho' - rho)) mu_s` on the spurious coordinate",
        sum(2 * p * mean[1] for p, y, mean, _ in groups if y == 1),
        (RHO + TAU_A * (FIT - RHO)) * MU_S,
    )
    scatter = proof.equal(
        "and the groups lie about it with variance `tau_a^2 (1 - rho'^2) mu_s^2`",
        sum(2 * p * (mean[1] - inside) ** 2 for p, y, mean, _ in groups if y == 1),
        TAU_A**2 * (1 - FIT**2) * MU_S**2,
    )
    u1, u2, bias = symbols("u1 u2 b", real=True)
    u = Matrix([u1, u2])
    value = proof.say("The objective", objective(u, bias, groups) + RIDGE * u.dot(u) / 2)
    core, spurious = TAU_N**2 * SIGMA_C**2 + RIDGE, TAU_N**2 * SIGMA_S**2 + scatter + RIDGE
    slopes = proof.equal(
        "Its gradient in `(u, b)`: within-class variances and the class means `+-(mu_c, m)`",
        Matrix([diff(value, x) for x in (u1, u2, bias)]),
        Matrix(
            [
                core * u1 + MU_C * (MU_C * u1 + inside * u2 - 1),
                spurious * u2 + inside * (MU_C * u1 + inside * u2 - 1),
                bias,
            ]
        ),
    )
    curvature, nowhere = slopes.jacobian([u1, u2, bias]), {u1: 0, u2: 0, bias: 0}
    head = proof.equal(
        "It is linear, and vanishes, without a bias, at",
        -curvature.inv() * slopes.subs(nowhere),
        Matrix([MU_C * spurious, inside * core, 0]) / (core * spurious + MU_C**2 * spurious + inside**2 * core),
    )
    ratio = proof.equal("The reliance", head[1] / head[0], inside / MU_C * core / spurious)
    proof.result = {"ratio": ratio, "core_weight": head[0]}
    return proof


def worst_group() -> Derivation:
    """The minority's score falls with the reliance r: by (mu_s sigma_c^2 + r mu_c sigma_s^2) / s^3 for r >= 0."""
    proof = Derivation("Head along `(1, r)`, `r >= 0`, no bias, read out on untouched features: T1's groups.")
    reliance = symbols("r", nonnegative=True)
    spread = proof.say("The logit's deviation in every group", sqrt(SIGMA_C**2 + reliance**2 * SIGMA_S**2))
    scores = {side: (MU_C + side * reliance * MU_S) / spread for side in (1, -1)}
    proof.control(
        "The minority is the worst group: its score is less by",
        scores[1] - scores[-1],
        2 * reliance * MU_S / spread,
    )
    slope = proof.equal(
        "and falls as the reliance grows",
        diff(scores[-1], reliance),
        -(MU_S * SIGMA_C**2 + reliance * MU_C * SIGMA_S**2) / spread**3,
    )
    proof.result = {"score": scores[-1], "slope": slope}
    return proof


def unequal_factors() -> Derivation:
    """|u_s / u_c| falls as tau_a / tau_n grows: attributes that collapse more than the noise raise the reliance."""
    proof = Derivation("As for the reliance, with the training masses, `rho' = rho`, and no ridge.")
    factor = symbols("kappa", positive=True)  # (tau_a / tau_n)^2
    ratio = collapsed_reliance().result["ratio"].subs({FIT: RHO, RIDGE: 0})
    ratio = proof.equal(
        "Only the ratio of the factors counts, by its square `kappa`",
        ratio.subs(TAU_A, sqrt(factor) * TAU_N),
        RHO * MU_S / MU_C * SIGMA_C**2 / (SIGMA_S**2 + factor * (1 - RHO**2) * MU_S**2),
    )
    slope = proof.equal(
        "Its derivative has the sign of `-rho`: minus a positive number times the ratio, for `|rho| < 1`",
        diff(ratio, factor),
        -ratio * (1 - RHO**2) * MU_S**2 / (SIGMA_S**2 + factor * (1 - RHO**2) * MU_S**2),
    )
    proof.control("At `rho = 0` and at `|rho| = 1` the factors do nothing", (slope / RHO).subs(RHO, 1), S.Zero)
    proof.control(
        "Attributes that collapse first leave the most reliance: `kappa -> 0`",
        limit(ratio, factor, 0),
        RHO * MU_S / MU_C * SIGMA_C**2 / SIGMA_S**2,
    )
    proof.control(
        "and noise that collapses first none: `kappa -> oo`", limit(ratio.subs(RHO, S.Half), factor, oo), S.Zero
    )
    proof.result = {"ratio": ratio, "slope": slope}
    return proof


def ridge() -> Derivation:
    """d(u_s/u_c)/d tau under ridge has the sign of rho (sigma_c^2 - sigma_s^2 - (1 - rho^2) mu_s^2)."""
    proof = Derivation("As for the reliance, with the training masses, `tau_a = tau_n = tau`, and ridge `lam > 0`.")
    tau, strength = symbols("tau lambda", positive=True)
    ratio = collapsed_reliance().result["ratio"].subs({FIT: RHO, TAU_A: tau, TAU_N: tau, RIDGE: strength})
    core = SIGMA_C**2
    spurious = proof.say("Within a class the spurious coordinate has the variance", SIGMA_S**2 + (1 - RHO**2) * MU_S**2)
    ratio = proof.equal(
        "The ridge acts as `lam / tau^2`",
        ratio,
        RHO * MU_S / MU_C * (core + strength / tau**2) / (spurious + strength / tau**2),
    )
    slope = proof.equal(
        "The derivative in `tau`: its sign is that of `rho` times the core's variance less that of the "
        "spurious coordinate",
        diff(ratio, tau),
        2 * RHO * (MU_S / MU_C) * strength * tau * (core - spurious) / (tau**2 * spurious + strength) ** 2,
    )
    proof.control("Collapse ends at the class-mean difference", limit(ratio, tau, 0), RHO * MU_S / MU_C)
    score = worst_group().result
    reliance = symbols("r", nonnegative=True)
    of_score = proof.equal(
        "So for `rho > 0` the minority's score rises with `tau`, and collapse harms, where the spurious "
        "coordinate is the wider of the two in a class; it helps where that is the narrower one",
        score["slope"].subs(reliance, ratio) * slope,
        diff(score["score"].subs(reliance, ratio), tau),
    )
    proof.result = {"ratio": ratio, "slope": slope, "score_slope": of_score}
    return proof
