"""T8, T9 from the scalar saddle function: Gordon's comparison, stationarity, the Jacobian.

The reduction of a Gaussian min-max problem to a scalar one is Gordon's theorem in the convex form of Thrampoulidis,
Oymak & Hassibi (1408.4837); what is checked here is that this problem meets its hypotheses and what follows from it.
"""

from __future__ import annotations

from typing import NamedTuple

from sympy import Expr, Function, Matrix, S, Symbol, diff, log, solve, sqrt, symbols

from .derivation import Derivation
from .envelopes import expected, named

U = Matrix(symbols("u1 u2", real=True))
BIAS = symbols("b", real=True)
W = symbols("w1 w2", positive=True)  # spreads of the noise weights: |v_j| sqrt(e_j) in the eigenspace of e_j
BETA, TAU = symbols("beta tau", positive=True)
Q, V = symbols("q V", positive=True)
RATIO = symbols("delta", positive=True)
RIDGE, ANCHOR = symbols("lambda lambda0", positive=True)
CENTRE = Matrix(symbols("u01 u02 b0", real=True))
EIGENVALUES, PARTS = symbols("e1 e2", positive=True), symbols("s1 s2", positive=True)


class Group(NamedTuple):
    """pi_g, y_g, m_g, S_g and sigma_g of a group; its loss and weight enter by its envelope alone."""

    index: int
    share: Expr
    label: Expr
    mean: Matrix
    covariance: Matrix
    noise: Expr

    @classmethod
    def of(cls, g: int) -> Group:
        """The symbols of group g, on two signal coordinates."""
        s11, s12, s22 = symbols(f"s{g}11 s{g}12 s{g}22", real=True)
        mean = Matrix(symbols(f"m{g}1 m{g}2", real=True))
        covariance = Matrix([[s11, s12], [s12, s22]])
        share, noise = symbols(f"pi{g} sigma{g}", positive=True)
        return cls(g, share, symbols(f"y{g}", real=True), mean, covariance, noise)

    def margin(self, noise_spread2: Expr) -> tuple[Expr, Expr]:
        """Mean and standard deviation of the margin y f of a head with v' diag(e) v = `noise_spread2`."""
        variance = (U.T * self.covariance * U)[0] + self.noise**2 * noise_spread2
        return self.label * (U.dot(self.mean) + BIAS), sqrt(variance)

    def moment(self, name: str, noise_spread2: Expr, envelope: Expr) -> Expr:
        """The moment `name` of the envelope at that margin and parameter sigma_g^2 `envelope`."""
        return expected(name, self.index, *self.margin(noise_spread2), self.noise**2 * envelope)


GROUPS = (Group.of(1), Group.of(2))


def saddle_function() -> Expr:
    """What is minimised over (u, b, w, tau) and maximised over beta."""
    spread2 = sum(w**2 for w in W)
    norm2 = sum(w**2 / e for w, e in zip(W, EIGENVALUES, strict=True))
    fit = sum(group.share * group.moment("envelope", spread2, TAU / BETA) for group in GROUPS)
    noise = sum(w * sqrt(RATIO * part) for w, part in zip(W, PARTS, strict=True))
    moved = U.col_join(Matrix([BIAS])) - CENTRE
    penalty = RIDGE * (U.dot(U) + norm2) / 2 + ANCHOR * (moved.dot(moved) + norm2) / 2
    return BETA * TAU / 2 + fit - BETA * noise + penalty


def gordon() -> Derivation:
    """The scalar saddle function, from the sample's objective: Gordon's hypothesis and the four scalar steps."""
    proof = Derivation(
        "Rows s_i, z_i = sigma_g sqrt(e) times standard normals, convex loss; n, d -> infinity at d/n = delta. With "
        "margins p_i and multipliers r_i the objective is min over w, p and max over r of (1/n) sum [om l(p_i) + "
        "r_i (y_i (u.s_i + b + v.z_i) - p_i)] + penalties, bilinear in (rho, v), rho_i = sigma_i r_i, through Z alone."
    )
    left, right, left_norms, right_norms = symbols("a b A B", real=True)
    proof.say(
        "For the process rho'Zv + |rho||v| g and Gordon's |rho| g.v + |v| h.rho at two points: a = rho.rho', "
        "A = |rho||rho'|, b = v.v', B = |v||v'|. The first has covariance",
        left * right + left_norms * right_norms,
    )
    gap = left * right + left_norms * right_norms - (left_norms * right + right_norms * left)
    proof.equal(
        "It exceeds the second's by a product of two that Cauchy-Schwarz makes non-negative",
        gap,
        (left_norms - left) * (right_norms - right),
    )
    proof.equal("Equal where either point is the same: Gordon's hypothesis", gap.subs(left_norms, left), S.Zero)
    x1, x2, y1, y2 = symbols("x1 x2 y1 y2", real=True)
    proof.equal(
        "Of rho only the norm beta sqrt(n) is left: x.y <= |x||y|, by the identity of Lagrange, equal if parallel",
        (x1**2 + x2**2) * (y1**2 + y2**2) - (x1 * y1 + x2 * y2) ** 2,
        (x1 * y2 - x2 * y1) ** 2,
    )
    proof.say(
        "It leaves beta X - beta sum_j w_j |g_j| / sqrt(n), X^2 = (1/n) sum_i (p_i - a_i)^2 / sigma_i^2 and "
        "a_i = y_i (u.s_i + b) + sigma_i q h_i; for the direction of v in the eigenspace of e_j, of dimension s_j d, "
        "is free and goes along g_j: |g_j|^2 / n -> delta s_j"
    )
    miss = symbols("X", positive=True)
    square = BETA * TAU / 2 + BETA * miss**2 / (2 * TAU)
    proof.equal(
        "The root is a minimum: beta X = min over tau > 0 of beta tau / 2 + beta X^2 / (2 tau)",
        square - BETA * miss,
        BETA * (TAU - miss) ** 2 / (2 * TAU),
    )
    p, a, noise, weight = symbols("p a sigma omega", real=True)
    loss = weight * Function("l")(p)
    t = noise**2 * TAU / BETA
    proof.equal(
        "A row's terms are then those of a Moreau envelope at parameter t = sigma_g^2 tau / beta",
        loss + BETA * (p - a) ** 2 / (2 * TAU * noise**2),
        loss + (p - a) ** 2 / (2 * t),
    )
    value = saddle_function()
    proof.say(
        "and averages over rows are expectations over groups and margins a = mean + s G, s^2 = u'S_g u + sigma_g^2 q^2",
        named(value),
    )
    proof.result = {"saddle": named(value)}
    return proof


def sums(q2: Expr, envelope: Expr) -> tuple[Expr, Expr, Expr, Expr]:
    """nu, sum_g pi_g sigma_g^2 E M'^2, and the traces sum_j s_j e_j^r / D_j^2 for r = 1, 2 (of |v|^2, of q^2)."""
    nu = sum(g.share * g.noise**2 * g.moment("curvature", q2, envelope) for g in GROUPS)
    square = sum(g.share * g.noise**2 * g.moment("square", q2, envelope) for g in GROUPS)
    first, second = (
        sum(part * e**power / (RIDGE + ANCHOR + nu * e) ** 2 for part, e in zip(PARTS, EIGENVALUES, strict=True))
        for power in (1, 2)
    )
    return nu, square, first, second


def response(nu: Expr) -> Expr:
    """delta sum_j s_j e_j / D_j."""
    return RATIO * sum(part * e / (RIDGE + ANCHOR + nu * e) for part, e in zip(PARTS, EIGENVALUES, strict=True))


def head_equations(q2: Expr, envelope: Expr) -> Matrix:
    """The left sides of the equations of u and b, as printed."""
    u = RIDGE * U + ANCHOR * (U - CENTRE[:2, :])
    b = ANCHOR * (BIAS - CENTRE[2])
    for g in GROUPS:
        slope, curvature = g.moment("slope", q2, envelope), g.moment("curvature", q2, envelope)
        u += g.share * (slope * g.label * g.mean + curvature * g.covariance * U)
        b += g.share * g.label * slope
    return u.col_join(Matrix([b]))


def stationarity() -> Derivation:
    """The fixed-point equations: the saddle function is stationary."""
    proof = Derivation("The saddle function; moments are differentiated by the rules of the envelope's calculus.")
    value = saddle_function()
    spread2, envelope = sum(w**2 for w in W), TAU / BETA
    proof.equal(
        "In u and b: E M' along the mean, and E M'' along S u after E M' G = s E M''",
        named(Matrix([diff(value, variable) for variable in (*U, BIAS)])),
        named(head_equations(spread2, envelope)),
    )
    nu, square, first, second = map(named, sums(spread2, envelope))
    found = solve(named(diff(value, TAU)), BETA)
    proof.equal("In tau: beta^2 = sum pi_g sigma_g^2 E M'^2, as t = sigma_g^2 tau / beta", found[-1] ** 2, square)
    total = RIDGE + ANCHOR
    for w, e, part in zip(W, EIGENVALUES, PARTS, strict=True):
        spread = BETA * e * sqrt(RATIO * part) / (total + nu * e)
        proof.equal(
            f"In {w}: (ridge + anchor + nu e) w = beta e sqrt(delta s)",
            named(diff(value, w)),
            (w - spread) * (total + nu * e) / e,
        )
    spreads = [BETA * e * sqrt(RATIO * part) / (total + nu * e) for e, part in zip(EIGENVALUES, PARTS, strict=True)]
    proof.equal("so q^2 = delta beta^2 sum_j s_j e_j^2 / D_j^2", sum(w**2 for w in spreads), RATIO * BETA**2 * second)
    norm2 = sum(w**2 / e for w, e in zip(spreads, EIGENVALUES, strict=True))
    proof.equal("and |v|^2 = delta beta^2 sum_j s_j e_j / D_j^2", norm2, RATIO * BETA**2 * first)
    pulls = sum(w * sqrt(RATIO * part) for w, part in zip(W, PARTS, strict=True))
    proof.equal(
        "In beta: tau = sum_j w_j sqrt(delta s_j), once sum pi_g sigma_g^2 E M'^2 = beta^2",
        named(diff(value, BETA)) - TAU / 2 * (square / BETA**2 - 1),
        TAU - pulls,
    )
    proof.equal(
        "so that V = tau / beta = delta sum_j s_j e_j / D_j",
        pulls.subs(dict(zip(W, spreads, strict=True))) / BETA,
        response(nu),
    )
    one = {EIGENVALUES[0]: 1, EIGENVALUES[1]: 1, PARTS[1]: 1 - PARTS[0]}
    proof.equal("Isotropic noise: V = delta / (lambda + nu)", response(nu).subs(one), RATIO / (total + nu))
    proof.equal(
        "and q^2 = |v|^2 = delta sum pi_g sigma_g^2 E M'^2 / (lambda + nu)^2", first.subs(one), second.subs(one)
    )
    proof.result = {"norm_over_spread_2": first / second, "V": response(nu), "q2": RATIO * square * second}
    return proof


def residuals() -> Matrix:
    """The equations in (u, b, log q, log V) that are solved."""
    nu, square, _, second = sums(Q**2, V)
    spread = 2 * log(Q) - log(RATIO * square * second)
    return head_equations(Q**2, V).col_join(Matrix([spread, log(V) - log(response(nu))]))


def short(matrix: Matrix) -> Matrix:
    """The matrix with a symbol for each group's standard deviation, a root that would slow the comparison down."""
    for g in GROUPS:
        variance, root = g.margin(Q**2)[1] ** 2, Symbol(f"s_{g.index}", positive=True)
        matrix = matrix.replace(lambda e, v=variance: e.is_Pow and e.base == v, lambda e, r=root: r ** (2 * e.exp))
    return matrix


def jacobian() -> Derivation:
    """The derivative of the equations in (u, b, log q, log V): no moments but the eight."""
    proof = Derivation("Moments are differentiated by the rules of the envelope's calculus; q d/dq for log q.")
    equations = residuals()
    proof.say("The equations", named(equations))
    steps = [(variable, S.One) for variable in (*U, BIAS)] + [(Q, Q), (V, V)]
    matrix = Matrix(5, 5, lambda i, j: named(steps[j][1] * diff(equations[i], steps[j][0], simplify=False)))
    block, beside = short(matrix[:3, :3]), short(matrix[:3, 3:])
    proof.equal("The block of (u, b) is the Hessian of a function: symmetric", block, block.T)
    nu, square, *_ = sums(Q**2, V)
    proof.equal(
        "As d/dt of E M is -E M'^2 / 2, the column of log V is that of a gradient",
        beside[:, 1],
        short(named(Matrix([-V * diff(square, variable, simplify=False) / 2 for variable in (*U, BIAS)]))),
    )
    proof.equal(
        "and, as E M' G = s E M'', the column of log q is too",
        beside[:, 0],
        short(named(Matrix([Q**2 * diff(nu, variable, simplify=False) for variable in (*U, BIAS)]))),
    )
    proof.result = {f"residual_{i + 1}": named(entry) for i, entry in enumerate(equations)}
    proof.result |= {f"jacobian_{i + 1}{j + 1}": matrix[i, j] for i in range(5) for j in range(5)}
    return proof
