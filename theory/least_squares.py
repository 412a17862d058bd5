"""T1, T3, T5: population least squares on a group mixture, wrong annotations, and collapsed features.

Everything starts from the population objective sum_g p_g [(y_g - u.m_g - b)^2 + u'S_g u] / 2 + lam |u|^2 / 2, the
expectation over a group being that of a Gaussian logit. Prior theory of Gaussian last-layer retraining: Stromberg et
al. (2402.11039); Welfert, Stromberg & Sankar (2405.05934).

One file, past the usual length, as every case of T5 takes its objective, masses and stationary head from T1.
"""

from __future__ import annotations

from sympy import Matrix, Rational, S, Symbol, diag, diff, eye, simplify, solve, sqrt, symbols

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
        "Any groups (three here, `k = 2`), any masses `p_g` that sum to one, ridge `lambda` on `u` alone."
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
        "`R` is the correlation matrix of `(y, a)`, and `A = N'N`."
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
        "and `pi_-`; a class's groups are `o_+` or `o_-` apart, and have covariances `C`."
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
    proof = Derivation("As for the direction, with ridge `lambda > 0`; `p = P (1 - P)`.")
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
