"""T1, T3, T5: population least squares on a group mixture, wrong annotations, and collapsed features.

Everything starts from the population objective sum_g p_g [(y_g - u.m_g - b)^2 + u'S_g u] / 2 + lam |u|^2 / 2, the
expectation over a group being that of a Gaussian logit. Prior theory of Gaussian last-layer retraining: Stromberg et
al. (2402.11039); Welfert, Stromberg & Sankar (2405.05934).
"""

from __future__ import annotations

from sympy import Matrix, Rational, S, cancel, diff, eye, simplify, sqrt, symbols, together

from .derivation import Derivation
from .readout import normal_cdf

GROUPS = ((-1, -1), (-1, 1), (1, -1), (1, 1))
RHO = symbols("rho", real=True)


def objective(u, bias, groups):
    """The population objective without ridge; `groups` holds (mass, label, mean, covariance)."""
    return sum(p * ((y - u.dot(m) - bias) ** 2 + (u.T * cov * u)[0]) for p, y, m, cov in groups) / 2


def require_stationary(proof, sentence, value, at):
    """Check that the gradient of `value` vanishes at the values `at` of the variables."""
    gradient = Matrix([diff(value, variable) for variable in at])
    proof.say("The gradient of the population objective in u and b is", gradient)
    there = gradient.subs(at).applyfunc(lambda entry: cancel(together(entry)))
    proof.equal(sentence, there, gradient * 0)


def balanced_masses():
    """p_g = (1 + y a rho) / 4: balanced classes, E ya = rho, E a = 0."""
    return [(1 + y * a * RHO) / 4 for y, a in GROUPS]


def normal_equations() -> Derivation:
    """b = E y - u.E m and (sum p_g S_g + Cov_p(m) + lam I) u = Cov_p(m, y), moments over groups under the masses."""
    proof = Derivation("Any groups (three here, k = 2), any masses p_g that sum to one, ridge lam on u alone.")
    u, bias, lam = Matrix(symbols("u1 u2", real=True)), symbols("b", real=True), symbols("lambda", nonnegative=True)
    p1, p2 = symbols("p1 p2", positive=True)
    groups = []
    for g, p in enumerate((p1, p2, 1 - p1 - p2), start=1):
        label, *mean = symbols(f"y{g} m{g}1 m{g}2", real=True)
        s11, s12, s22 = symbols(f"s{g}11 s{g}12 s{g}22", real=True)
        groups.append((p, label, Matrix(mean), Matrix([[s11, s12], [s12, s22]])))
    value = objective(u, bias, groups) + lam * u.dot(u) / 2
    proof.say("The objective: the expectation of (y - f)^2 / 2 over Gaussian logits, and ridge", value)
    label = sum(p * y for p, y, _, _ in groups)
    mean = sum((p * m for p, _, m, _ in groups), Matrix.zeros(2, 1))
    best = label - u.dot(mean)
    proof.equal(
        "The bias is free, so its derivative vanishes: b = E y - u.E m", diff(value, bias).subs(bias, best), S.Zero
    )
    spread, with_label = lam * eye(2), Matrix.zeros(2, 1)
    for p, y, m, covariance in groups:
        spread += p * (covariance + (m - mean) * (m - mean).T)
        with_label += p * (y - label) * (m - mean)
    gradient = Matrix([diff(value, weight) for weight in u]).subs(bias, best)
    residual = spread * u - with_label
    proof.equal("At that bias the gradient in u is linear, and zero at the normal equations", gradient, residual)
    proof.result = {"bias": best, "residual_1": residual[0], "residual_2": residual[1]}
    return proof


def direction() -> Derivation:
    """u ∝ S^-1 [mu_y mu_a] (R^-1 + A)^-1 e_1, b = 0."""
    proof = Derivation("m_g = y mu_y + a mu_a, common S, balanced classes, E a = 0, lam = 0, |rho| < 1.")
    n11, n12, n22 = symbols("n11 n12 n22", real=True)
    effects = Matrix([[n11, n12], [0, n22]])
    proof.say(
        "Whiten and rotate: s -> S^{-1/2} s turns S into I, two means span a plane and the first may lie along an "
        "axis, so k = 2, S = I lose nothing. The columns are the whitened mu_y and mu_a",
        effects,
    )
    groups = [(p, y, effects * Matrix([y, a]), eye(2)) for p, (y, a) in zip(balanced_masses(), GROUPS, strict=True)]
    correlation, gram = Matrix([[1, RHO], [RHO, 1]]), effects.T * effects
    moment = sum((p * m * m.T for p, _, m, _ in groups), Matrix.zeros(2, 2))
    proof.equal("The group means have second moment N R N'", moment, effects * correlation * effects.T)
    with_label = sum((p * y * m for p, y, m, _ in groups), Matrix.zeros(2, 1))
    proof.equal("and moment N R e_1 with the label", with_label, effects * correlation[:, 0])
    coefficients = (correlation.inv() + gram).inv()[:, 0].applyfunc(simplify)
    proof.say("Push N through the normal equations: the head is N c with c = (R^-1 + A)^-1 e_1, A = N'N", coefficients)
    head = effects * coefficients
    u1, u2, bias = symbols("u1 u2 b", real=True)
    require_stationary(
        proof,
        "It vanishes at u = N c, b = 0",
        objective(Matrix([u1, u2]), bias, groups),
        {u1: head[0], u2: head[1], bias: 0},
    )
    proof.result = {"u1": head[0], "u2": head[1]}
    return proof


def accuracies() -> Derivation:
    """The two-parameter form for orthogonal means: c ∝ (1 + (1-rho^2) S_a, rho) and the accuracies."""
    proof = Derivation("As for the direction, and mu_y' S^-1 mu_a = 0; S_y, S_a the squared whitened lengths.")
    core, spurious = symbols("S_y S_a", positive=True)
    gram = Matrix([[core, 0], [0, spurious]])
    solved = (Matrix([[1, RHO], [RHO, 1]]).inv() + gram).inv()[:, 0]
    c_y, c_a = 1 + (1 - RHO**2) * spurious, RHO
    proof.equal("c = (R^-1 + A)^-1 e_1 is parallel to (c_y, c_a)", solved[0] * c_a, solved[1] * c_y)
    head = Matrix([c_y, c_a])
    variance, spread = head.dot(gram * head), sqrt(c_y**2 * core + c_a**2 * spurious)
    scores = {}
    for name, side in (("majority", 1), ("minority", -1)):
        signal = head.dot(gram * Matrix([1, side]))
        scores[name] = (c_y * core + side * c_a * spurious) / spread
        proof.equal(f"Score of a {name} group: u.m over the deviation", signal / sqrt(variance), scores[name])
    proof.equal("At rho = 0 it is sqrt(S_y) in every group", scores["minority"].subs(RHO, 0), sqrt(core))
    proof.result = {name: normal_cdf(score) for name, score in scores.items()}
    at = {core: Rational(196, 100), spurious: Rational(144, 100)}
    for rho, name, expected in (
        ("1/2", "minority", ".870557"),
        ("9/10", "minority", ".717614"),
        ("9/10", "majority", ".965557"),
        ("49/50", "minority", ".636631"),
        ("49/50", "majority", ".967309"),
    ):
        value = proof.result[name].subs(at).subs(RHO, Rational(rho))
        proof.value(f"S_y = 1.96, S_a = 1.44, rho = {rho}: {name} accuracy", value, expected)
    return proof


def effective_correlation() -> Derivation:
    """T3: what is left of rho after balancing groups whose attributes are flipped with probability e."""
    proof = Derivation("Balanced classes, flips independent of the features, annotated groups balanced by weights.")
    agree, flip = symbols("c e", positive=True)
    joint = {}
    for true, chance in ((1, agree), (-1, 1 - agree)):
        for said in (1, -1):
            joint[true, said] = chance * (1 - flip if said == true else flip)
    proof.say("The true y a is +1 with probability c = (1 + rho)/2 and annotated so unless flipped", joint[1, 1])
    annotated = {said: joint[1, said] + joint[-1, said] for said in (1, -1)}
    proof.equal("The annotated shares sum to one", annotated[1] + annotated[-1], S.One)
    balanced = {pair: share / (2 * annotated[pair[1]]) for pair, share in joint.items()}
    left = sum(true * share for (true, _), share in balanced.items())
    c, e = agree, flip
    formula = c * (1 - e) / (c * (1 - e) + (1 - c) * e) + c * e / (c * e + (1 - c) * (1 - e)) - 1
    proof.equal("Weights give each annotated value mass 1/2; the correlation left is E ya", left, formula)
    proof.equal("No flips leave nothing", formula.subs(e, 0), S.Zero)
    proof.equal("Coin tosses leave everything: rho = 2c - 1", formula.subs(e, Rational(1, 2)), 2 * c - 1)
    proof.result["correlation"] = formula.subs(agree, (1 + RHO) / 2)
    return proof


def collapsed_classes(proof):
    """Class-collapsed groups (mass, label, mean, covariance), Sigma_W and Delta at tau = 1, and the symbols.

    Class y has mass P_y, its groups shares that made its centre; coordinates with Delta along the first axis and the
    origin at the plain average of the two centres lose nothing.
    """
    tau, share, plus, minus = symbols("tau P pi_plus pi_minus", positive=True)
    gap = symbols("Delta", positive=True)
    groups, within = [], Matrix.zeros(2, 2)
    for y, mass, inside in ((1, share, plus), (-1, 1 - share, minus)):
        name = "p" if y == 1 else "m"
        centre = Matrix([y * gap / 2, 0])
        offset = Matrix(symbols(f"o{name}1 o{name}2", real=True))
        # Offsets weighted by their shares cancel, so that the centre is the class mean.
        for a, inner, shift in ((1, inside, offset * (1 - inside)), (-1, 1 - inside, -offset * inside)):
            c11, c12, c22 = symbols(f"c{name}{'pm'[a < 0]}11 c{name}{'pm'[a < 0]}12 c{name}{'pm'[a < 0]}22", real=True)
            covariance = Matrix([[c11, c12], [c12, c22]])
            groups.append((mass * inner, y, centre + tau * shift, tau**2 * covariance))
            within += mass * inner * (covariance + shift * shift.T)
    proof.say("Class collapse scales what surrounds a class centre by tau; Sigma_W at tau = 1 is", within)
    return groups, within, gap, tau, share


def class_collapse() -> Derivation:
    """T5: tau_a = tau_n = tau leaves the unregularised direction where it was, any S_g and class sizes."""
    proof = Derivation("Fit masses keep the attribute shares that made the class centres; lam = 0; Sigma_W > 0.")
    groups, within, gap, tau, share = collapsed_classes(proof)
    mean = sum((p * m for p, _, m, _ in groups), Matrix.zeros(2, 1))
    total = sum((p * (cov + m * m.T) for p, _, m, cov in groups), Matrix.zeros(2, 2)) - mean * mean.T
    delta, product = Matrix([gap, 0]), share * (1 - share)
    proof.equal(
        "Law of total covariance", total.applyfunc(lambda x: x.expand()), tau**2 * within + product * delta * delta.T
    )
    label = 2 * share - 1
    with_label = sum((p * (y - label) * m for p, y, m, _ in groups), Matrix.zeros(2, 1))
    proof.equal("Covariance of features and label", with_label, 2 * product * delta)
    w11, w12, w22 = symbols("w11 w12 w22", real=True)
    sigma = Matrix([[w11, w12], [w12, w22]])
    separation = (delta.T * sigma.inv() * delta)[0]
    scale = 2 * product / (tau**2 + product * separation)
    proof.equal(
        "Sherman-Morrison: u = scale(tau) Sigma_W^-1 Delta, a direction free of tau, solves the normal equations",
        (tau**2 * sigma + product * delta * delta.T) * (scale * sigma.inv() * delta),
        2 * product * delta,
    )
    proof.result = {"scale": scale}
    return proof


def collapse_and_bias() -> Derivation:
    """T5: the bias relative to the head moves with tau unless the classes have equal mass."""
    proof = Derivation("As for the direction; class +1 has mass P, D = Delta' Sigma_W^-1 Delta.")
    tau, share, separation = symbols("tau P D", positive=True)
    along = symbols("mbar", real=True)
    product = share * (1 - share)
    scale = 2 * product / (tau**2 + product * separation)
    proof.say("The head is scale * Sigma_W^-1 Delta with", scale)
    bias = (2 * share - 1) - scale * along
    proof.say("The bias equation gives b = E y - u.E m, with mbar = Delta' Sigma_W^-1 E m", bias)
    relative = (2 * share - 1) * (tau**2 + product * separation) / (2 * product) - along
    proof.equal("In units of the head's scale", bias / scale, relative)
    proof.equal("It moves with tau at the rate", diff(relative, tau), (2 * share - 1) * tau / product)
    proof.equal("which vanishes at P = 1/2 only", diff(relative, tau).subs(share, Rational(1, 2)), S.Zero)
    proof.result = {"relative_bias": relative}
    return proof


def collapse_and_ridge() -> Derivation:
    """T5: on class-collapsed features the ridge lam turns the direction as lam / tau^2 would on untouched ones."""
    proof = Derivation("As for the direction, with ridge lam > 0.")
    tau, lam, product, gap = symbols("tau lambda p Delta", positive=True)
    w11, w12, w22 = symbols("w11 w12 w22", real=True)
    sigma, delta = Matrix([[w11, w12], [w12, w22]]), Matrix([gap, 0])
    solved = (tau**2 * sigma + product * delta * delta.T + lam * eye(2)).inv() * delta
    proof.say("The normal equations give the head, up to scale,", solved.applyfunc(simplify))
    untouched = (sigma + lam / tau**2 * eye(2)).inv() * delta
    proof.equal("It is parallel to (Sigma_W + lam/tau^2)^-1 Delta", solved[0] * untouched[1], solved[1] * untouched[0])
    proof.result = {"slope": simplify(untouched[1] / untouched[0])}
    return proof


def unequal_collapse() -> Derivation:
    """T5: u_spurious / u_core when tau_a != tau_n."""
    proof = Derivation("Balanced classes, E a = 0, one core and one spurious coordinate, uncorrelated; lam = 0.")
    mu_c, mu_s, sigma_c, sigma_s, tau_n = symbols("mu_c mu_s sigma_c sigma_s tau_n", positive=True)
    tau_a = symbols("tau_a", nonnegative=True)
    covariance = tau_n**2 * Matrix([[sigma_c**2, 0], [0, sigma_s**2]])
    groups = []
    for p, (y, a) in zip(balanced_masses(), GROUPS, strict=True):
        centre = Matrix([y * mu_c, y * RHO * mu_s])
        groups.append((p, y, centre + tau_a * (Matrix([y * mu_c, a * mu_s]) - centre), covariance))
    total = sum((p * (cov + m * m.T) for p, _, m, cov in groups), Matrix.zeros(2, 2))
    with_label = sum((p * y * m for p, y, m, _ in groups), Matrix.zeros(2, 1))
    proof.equal("The class centres are +-(mu_c, rho mu_s): the label's moment", with_label, Matrix([mu_c, RHO * mu_s]))
    head = (total.inv() * with_label).applyfunc(simplify)
    u1, u2, bias = symbols("u1 u2 b", real=True)
    require_stationary(
        proof,
        "It vanishes at the head that solves the normal equations, with b = 0",
        objective(Matrix([u1, u2]), bias, groups),
        {u1: head[0], u2: head[1], bias: 0},
    )
    ratio = RHO * (mu_s / mu_c) * sigma_c**2 / (sigma_s**2 + (tau_a / tau_n) ** 2 * (1 - RHO**2) * mu_s**2)
    proof.equal("Its weights have the ratio u_spurious / u_core", head[1] / head[0], ratio)
    proof.result = {"ratio": ratio}
    return proof


def full_collapse() -> Derivation:
    """T5 at tau = 0: the head is the difference of the class means, read out on untouched features."""
    proof = Derivation("Balanced classes, training features at tau = 0, lam -> 0+; tested on S = I, orthogonal means.")
    lam, core, spurious = symbols("lambda S_y S_a", positive=True)
    mu_y, mu_a = Matrix([sqrt(core), 0]), Matrix([0, sqrt(spurious)])
    half = mu_y + RHO * mu_a
    proof.say("All points sit at +-m, m = mu_y + rho mu_a", half)
    head = half / (half.dot(half) + lam)
    proof.equal("The ridge head is parallel to m for every lam", (half * half.T + lam * eye(2)) * head, half)
    for name, side in (("majority", 1), ("minority", -1)):
        score = half.dot(mu_y + side * mu_a) / sqrt(half.dot(half))
        expected = (core + side * RHO * spurious) / sqrt(core + RHO**2 * spurious)
        proof.equal(f"Score of a {name} group", score, expected)
        proof.result[name] = normal_cdf(expected)
    return proof
