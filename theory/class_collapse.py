"""T5: population least squares on collapsed features.

Class collapse moves the groups of a class to its centre and shrinks them by one factor tau; `reliance` has the size and
sign of what unequal factors or a ridge change, `other_losses` what other losses do.
"""

from __future__ import annotations

from sympy import Matrix, Rational, S, Symbol, diag, diff, eye, simplify, solve, sqrt, symbols

from .derivation import Derivation
from .least_squares import GROUPS, RHO, balanced_masses, stationary_head
from .readout import normal_cdf


def collapsed_classes():
    """Class-collapsed groups (mass, label, mean, covariance), Sigma_W and Delta at tau = 1, and the symbols.

    Class y has mass P_y, its groups shares that made its centre; coordinates with Delta along the first axis and the
    origin at the plain average of the two centres lose nothing.
    """
    tau, share, plus, minus = symbols("tau P pi_plus pi_minus", positive=True)
    gap = symbols("Delta", positive=True)
    groups, within = [], Matrix.zeros(2, 2)
    for y, mass, inside in ((1, share, plus), (-1, 1 - share, minus)):
        side = "+" if y == 1 else "-"
        centre = Matrix([y * gap / 2, 0])
        offset = Matrix([Symbol(f"o_{{{side}{i}}}", real=True) for i in (1, 2)])
        # Offsets weighted by their shares cancel, so that the centre is the class mean.
        for a, inner, shift in ((1, inside, offset * (1 - inside)), (-1, 1 - inside, -offset * inside)):
            group = side + ("+" if a == 1 else "-")
            c11, c12, c22 = (Symbol(f"C_{{{group},{ij}}}", real=True) for ij in (11, 12, 22))
            covariance = Matrix([[c11, c12], [c12, c22]])
            groups.append((mass * inner, y, centre + tau * shift, tau**2 * covariance))
            within += mass * inner * (covariance + shift * shift.T)
    return groups, within, gap, tau, share


def class_collapse() -> Derivation:
    """T5: tau_a = tau_n = tau leaves the unregularised direction where it was, any S_g and class sizes."""
    proof = Derivation(
        "Fit masses keep the attribute shares that made the class centres; `lambda = 0`; `Sigma_W > 0`. Class `+1` has "
        "mass `P`, the centres are `Delta` apart. In classes `+1` and `-1` the groups with `a = 1` have shares `pi_+` "
        "and `pi_-`; a class's groups are `o_+` or `o_-` apart, and have covariances `C`.",
        sizes="two coordinates",
    )
    groups, within, gap, tau, share = collapsed_classes()
    within = proof.say(
        "Class collapse scales what surrounds a class centre by `tau`; `Sigma_W` at `tau = 1` is", within
    )
    mean = sum((p * m for p, _, m, _ in groups), Matrix.zeros(2, 1))
    total = sum((p * (cov + m * m.T) for p, _, m, cov in groups), Matrix.zeros(2, 2)) - mean * mean.T
    delta, product = Matrix([gap, 0]), share * (1 - share)
    spread = proof.equal(
        "Law of total covariance: `tau^2 Sigma_W + P (1 - P) Delta Delta'`",
        total.applyfunc(lambda x: x.expand()),
        tau**2 * within + product * delta * delta.T,
    )
    label = 2 * share - 1
    with_label = proof.equal(
        "Covariance of features and label: `2 P (1 - P) Delta`",
        sum((p * (y - label) * m for p, y, m, _ in groups), Matrix.zeros(2, 1)),
        2 * product * delta,
    )
    w11, w12, w22 = symbols("w11 w12 w22", real=True)
    sigma = Matrix([[w11, w12], [w12, w22]])  # Sigma_W may be any such matrix
    w11, w12, w22 = symbols("w11 w12 w22", real=True)
    sigma = Matrix([[w11, w12], [w12, w22]])  # Sigma_W may be any such matrix
    normal = spread - tau**2 * within + tau**2 * sigma
    untouched = sigma.LUsolve(delta)
    scale = proof.equal(
        "Sherman-Morrison: the normal equations' solution is `Sigma_W^-1 Delta` times one factor in both coordinates, "
        "a direction free of `tau`",
        Matrix([solved / free for solved, free in zip(normal.LUsolve(with_label), untouched, strict=True)]),
        Matrix([2 * product / (tau**2 + product * delta.dot(untouched))] * 2),
    )
    proof.result = {"scale": scale[0]}
    return proof


def collapse_and_bias() -> Derivation:
    """T5: the bias relative to the head moves with tau unless the classes have equal mass."""
    proof = Derivation("As for the direction; class `+1` has mass `P`, `D = Delta' Sigma_W^-1 Delta`.")
    tau, share, separation, factor = symbols("tau P D k", positive=True)
    along = symbols("mbar", real=True)
    product = share * (1 - share)
    equation = proof.say(
        "At `u = k Sigma_W^-1 Delta` both sides of the normal equations are multiples of `Delta`; their difference is",
        factor * (tau**2 + product * separation) - 2 * product,
    )
    scale = proof.equal("which vanishes at", solve(equation, factor)[0], 2 * product / (tau**2 + product * separation))
    label = proof.equal("The mean label", share * 1 + (1 - share) * (-1), 2 * share - 1)
    bias = proof.say("`b = E y - u.E m`, with `mbar = Delta' Sigma_W^-1 E m`", label - scale * along)
    relative = proof.equal(
        "In units of the head's scale",
        bias / scale,
        label * (tau**2 + product * separation) / (2 * product) - along,
    )
    proof.control("It moves with `tau` at the rate", diff(relative, tau), (2 * share - 1) * tau / product)
    proof.control("which vanishes at `P = 1/2` only", diff(relative, tau).subs(share, Rational(1, 2)), S.Zero)
    proof.result = {"relative_bias": relative}
    return proof


def collapse_and_ridge() -> Derivation:
    """T5: on class-collapsed features the ridge lam turns the direction as lam / tau^2 would on untouched ones."""
    proof = Derivation("As for the direction, with ridge `lambda > 0`; `p = P (1 - P)`.", sizes="two coordinates")
    tau, lam, product, gap = symbols("tau lambda p Delta", positive=True)
    w11, w12, w22 = symbols("w11 w12 w22", real=True)
    sigma, delta = Matrix([[w11, w12], [w12, w22]]), Matrix([gap, 0])
    spread = proof.say(
        "The matrix of the normal equations is `tau^2 Sigma_W + p Delta Delta' + lambda I`",
        tau**2 * sigma + product * delta * delta.T + lam * eye(2),
    )
    head = proof.say("They give the head, up to scale,", spread.LUsolve(delta).applyfunc(simplify))
    untouched = (sigma + lam / tau**2 * eye(2)).LUsolve(delta)
    slope = proof.equal(
        "It has the direction of `(Sigma_W + lambda/tau^2)^-1 Delta`", head[1] / head[0], untouched[1] / untouched[0]
    )
    proof.result = {"slope": simplify(slope)}
    return proof


def unequal_collapse() -> Derivation:
    """T5: u_spurious / u_core when tau_a != tau_n."""
    proof = Derivation("Balanced classes, `E a = 0`, one core and one spurious coordinate, uncorrelated; `lambda = 0`.")
    mu_c, mu_s, sigma_c, sigma_s, tau_n = symbols("mu_c mu_s sigma_c sigma_s tau_n", positive=True)
    tau_a = symbols("tau_a", nonnegative=True)
    covariance = tau_n**2 * Matrix([[sigma_c**2, 0], [0, sigma_s**2]])
    groups = []
    for p, (y, a) in zip(balanced_masses(), GROUPS, strict=True):
        centre = Matrix([y * mu_c, y * RHO * mu_s])
        groups.append((p, y, centre + tau_a * (Matrix([y * mu_c, a * mu_s]) - centre), covariance))
    with_label = proof.equal(
        "The class centres are `+-(mu_c, rho mu_s)`, and so is the label's moment",
        sum((p * y * m for p, y, m, _ in groups), Matrix.zeros(2, 1)),
        Matrix([mu_c, RHO * mu_s]),
    )
    spread = proof.equal(
        "Around them the spurious means keep `tau_a^2 (1 - rho^2) mu_s^2`",
        sum((p * (cov + m * m.T) for p, _, m, cov in groups), Matrix.zeros(2, 2)),
        covariance + with_label * with_label.T + diag(0, tau_a**2 * (1 - RHO**2) * mu_s**2),
    )
    head = stationary_head(proof, groups, spread, with_label)
    ratio = proof.equal(
        "Its zero has weights of the ratio `u_spurious/u_core`",
        head[1] / head[0],
        RHO * (mu_s / mu_c) * sigma_c**2 / (sigma_s**2 + (tau_a / tau_n) ** 2 * (1 - RHO**2) * mu_s**2),
    )
    proof.result = {"ratio": ratio}
    return proof


def full_collapse() -> Derivation:
    """T5 at tau = 0: the head is the difference of the class means, read out on untouched features."""
    proof = Derivation(
        "Balanced classes, training features at `tau = 0`, `lambda -> 0+`; tested on `S = I`, orthogonal means."
    )
    lam, core, spurious = symbols("lambda S_y S_a", positive=True)
    mu_y, mu_a = Matrix([sqrt(core), 0]), Matrix([0, sqrt(spurious)])
    half = proof.equal(
        "All points of a class sit at its mean `+-m`",
        sum(
            (2 * p * (mu_y + a * mu_a) for p, (y, a) in zip(balanced_masses(), GROUPS, strict=True) if y == 1),
            Matrix.zeros(2, 1),
        ),
        mu_y + RHO * mu_a,
    )
    head = proof.equal(
        "The ridge head is parallel to `m` for every `lambda`",
        (half * half.T + lam * eye(2)).LUsolve(half),
        half / (half.dot(half) + lam),
    )
    for name, side in (("majority", 1), ("minority", -1)):
        score = proof.equal(
            f"Score of a {name} group",
            head.dot(mu_y + side * mu_a) / sqrt(head.dot(head)),
            (core + side * RHO * spurious) / sqrt(core + RHO**2 * spurious),
        )
        proof.result[name] = normal_cdf(score)
    return proof
