"""T8, T9 from the scalar saddle function: Gordon's comparison, stationarity, the Jacobian.

The reduction of a Gaussian min-max problem to a scalar one is Gordon's theorem in the convex form of Thrampoulidis,
Oymak & Hassibi (1408.4837), cited with its conditions; its covariance inequality is checked for this problem, and what
follows from the scalar function is derived.
"""

from __future__ import annotations

from typing import NamedTuple

from sympy import Expr, Function, Matrix, S, Symbol, diag, diff, log, solve, sqrt, symbols

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
SIZES = "two groups, two signal coordinates, two eigenvalues"


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


def penalty(norm2: Expr) -> Expr:
    """Of a head with |v|^2 = `norm2`, for one whose noise part is anchored at zero."""
    moved = U.col_join(Matrix([BIAS])) - CENTRE
    return RIDGE * (U.dot(U) + norm2) / 2 + ANCHOR * (moved.dot(moved) + norm2) / 2


def saddle_function() -> Expr:
    """What is minimised over (u, b, w, tau) and maximised over beta."""
    spread2 = sum(w**2 for w in W)
    norm2 = sum(w**2 / e for w, e in zip(W, EIGENVALUES, strict=True))
    fit = sum(group.share * group.moment("envelope", spread2, TAU / BETA) for group in GROUPS)
    noise = sum(w * sqrt(RATIO * part) for w, part in zip(W, PARTS, strict=True))
    return BETA * TAU / 2 + fit - BETA * noise + penalty(norm2)


def gordon() -> Derivation:
    """The scalar saddle function, from the sample's objective: Gordon's hypothesis and the four scalar steps."""
    proof = Derivation(
        "Rows `s_i`, `z_i = sigma_g sqrt(e)` times standard normals, convex loss; `n, d -> infinity` at `d/n = delta`. "
        "With margins `p_i` and multipliers `r_i` the objective is the minimum over `w`, `p` and the maximum over `r` "
        "of `(1/n) sum_i [omega l(p_i) + r_i (y_i (u.s_i + b + v.z_i) - p_i)]` and penalties, bilinear in `(xi, v)`, "
        "`xi_i = sigma_i r_i`, through the noise `Z` alone.",
        sizes=SIZES,
    )
    left, right, left_norms, right_norms = symbols("a b A B", real=True)
    proof.cite(
        "Gordon's theorem compares `xi'Z v + |xi||v| g` with `|xi| g.v + |v| h.xi`: minima over `v` of maxima over "
        "`xi` have the same limit, and so have their solutions",
        source="Thrampoulidis, Oymak and Hassibi 2015 (1408.4837)",
        conditions="the objective is convex in `(u, b, v, p)`, as convex losses make it, and concave in `r`, in which "
        "it is linear; solutions stay in a compact set as `n, d -> infinity`, and averages over rows converge "
        "uniformly on it; the scalar function has one solution",
    )
    gap = left * right + left_norms * right_norms - (left_norms * right + right_norms * left)
    proof.control(
        "Its inequality, with `a = xi.xi'`, `A = |xi||xi'|`, `b = v.v'`, `B = |v||v'|` at two points: the first "
        "covariance exceeds the second by a product of two that Cauchy-Schwarz makes non-negative,",
        gap,
        (left_norms - left) * (right_norms - right),
    )
    proof.control("and not at all where either point is the same", gap.subs(left_norms, left), S.Zero)
    x1, x2, y1, y2 = symbols("x1 x2 y1 y2", real=True)
    proof.control(
        "Of `xi` only the norm `beta sqrt(n)` is left: `x.y <= |x||y|`, equal if parallel, by the identity of Lagrange",
        (x1**2 + x2**2) * (y1**2 + y2**2) - (x1 * y1 + x2 * y2) ** 2,
        (x1 * y2 - x2 * y1) ** 2,
    )
    pulls = proof.say(
        "It leaves `beta X - beta sum_j w_j |g_j|/sqrt(n)`, `X^2 = (1/n) sum_i (p_i - a_i)^2/sigma_i^2` and "
        "`a_i = y_i (u.s_i + b) + sigma_i q h_i`; for the direction of `v` in the eigenspace of `e_j`, of dimension "
        "`s_j d`, is free and goes along `g_j`. With `|g_j|^2/n -> delta s_j` the sum is",
        sum(w * sqrt(RATIO * part) for w, part in zip(W, PARTS, strict=True)),
    )
    miss = symbols("X", positive=True)
    split = proof.equal(
        "The root is a minimum over `tau > 0`, of",
        BETA * miss + BETA * (TAU - miss) ** 2 / (2 * TAU),
        BETA * TAU / 2 + BETA * miss**2 / (2 * TAU),
    )
    p, a, noise, weight = symbols("p a sigma omega", real=True)
    loss = weight * Function("l")(p)
    row = proof.equal(
        "in which a row's terms are those of a Moreau envelope at parameter `t = sigma_g^2 tau/beta`",
        loss + split.coeff(miss, 2) * (p - a) ** 2 / noise**2,
        loss + (p - a) ** 2 / (2 * noise**2 * TAU / BETA),
    )
    parameter = 1 / (noise**2 * diff(row - loss, p, 2))
    spread2 = sum(w**2 for w in W)
    fit = sum(group.share * group.moment("envelope", spread2, parameter) for group in GROUPS)
    norm2 = sum(w**2 / e for w, e in zip(W, EIGENVALUES, strict=True))
    value = proof.equal(
        "Averages over rows are expectations over groups and margins `a = mean + s G`, `s^2 = u'S_g u + sigma_g^2 q^2`",
        split.subs(miss, 0) + fit - BETA * pulls + penalty(norm2),
        saddle_function(),
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
    proof = Derivation(
        "The saddle function; moments are differentiated by the rules of the envelope's calculus.", sizes=SIZES
    )
    value = proof.say("The saddle function is", saddle_function())
    spread2, envelope = sum(w**2 for w in W), TAU / BETA
    head = proof.equal(
        "In `u` and `b`: `E M'` along the mean, and `E M''` along `S_g u` after `E M' G = s E M''`",
        named(Matrix([diff(value, variable) for variable in (*U, BIAS)])),
        named(head_equations(spread2, envelope)),
    )
    nu, square, first, second = map(named, sums(spread2, envelope))
    strength = proof.equal(
        "In `tau`: `beta^2 = sum_g pi_g sigma_g^2 E M'^2`, as `t = sigma_g^2 tau/beta`",
        solve(named(diff(value, TAU)), BETA)[-1] ** 2,
        square,
    )
    total = RIDGE + ANCHOR
    slopes = Matrix([named(diff(value, w)) for w in W])
    spreads = proof.equal(
        "In `w_j`: `(lambda + lambda_0 + nu e_j) w_j = beta e_j sqrt(delta s_j)`",
        Matrix([-slope.subs(w, 0) / diff(slope, w) for w, slope in zip(W, slopes, strict=True)]),
        Matrix([BETA * e * sqrt(RATIO * part) / (total + nu * e) for e, part in zip(EIGENVALUES, PARTS, strict=True)]),
    )
    at_strength = {BETA: sqrt(strength)}
    q2 = proof.equal(
        "so `q^2 = delta beta^2 sum_j s_j e_j^2/D_j^2`",
        sum(w**2 for w in spreads).subs(at_strength),
        RATIO * square * second,
    )
    norm2 = proof.equal(
        "and `|v|^2 = delta beta^2 sum_j s_j e_j/D_j^2`",
        sum(w**2 / e for w, e in zip(spreads, EIGENVALUES, strict=True)).subs(at_strength),
        RATIO * square * first,
    )
    pulls = sum(w * sqrt(RATIO * part) for w, part in zip(W, PARTS, strict=True))
    in_beta = proof.equal(
        "In `beta`, given `beta^2`: `tau = sum_j w_j sqrt(delta s_j)`",
        named(diff(value, BETA)) - TAU / 2 * (strength / BETA**2 - 1),
        TAU - pulls,
    )
    found = proof.equal(
        "so that `V = tau/beta = delta sum_j s_j e_j/D_j`",
        solve(in_beta, TAU)[0].subs(dict(zip(W, spreads, strict=True))) / BETA,
        named(response(nu)),
    )
    one = {EIGENVALUES[0]: 1, EIGENVALUES[1]: 1, PARTS[1]: 1 - PARTS[0]}
    proof.control("Isotropic noise: `V = delta/(lambda + lambda_0 + nu)`", found.subs(one), RATIO / (total + nu))
    proof.control("and `q^2 = |v|^2`", q2.subs(one), norm2.subs(one))
    proof.result = {f"head_{i + 1}": entry for i, entry in enumerate(head)}
    proof.result |= {"norm_over_spread_2": norm2 / q2, "V": found, "q2": q2}
    return proof


def residuals() -> Matrix:
    """The equations in (u, b, log q, log V) that are solved."""
    nu, square, _, second = sums(Q**2, V)
    spread = 2 * log(Q) - log(RATIO * square * second)
    return head_equations(Q**2, V).col_join(Matrix([spread, log(V) - log(response(nu))]))


def short(expression: Expr) -> Expr:
    """The expression with a symbol for each group's standard deviation, a root that would slow the comparison down."""
    for g in GROUPS:
        variance, root = g.margin(Q**2)[1] ** 2, Symbol(f"s_{g.index}", positive=True)
        expression = expression.replace(
            lambda e, v=variance: e.is_Pow and e.base == v, lambda e, r=root: r ** (2 * e.exp)
        )
    return expression


def chain_rule(group: Group) -> Matrix:
    """A group's part of the derivative of the equations of (u, b) in (u, b), in its moments."""
    s = Symbol(f"s_{group.index}", positive=True)
    along = group.label * group.mean.col_join(Matrix([1]))
    lifted = diag(group.covariance, 0)
    across = lifted * U.col_join(Matrix([BIAS])) / s
    curvature, with_x, with_xx = (
        named(group.moment(name, Q**2, V)) for name in ("curvature", "curvature_x", "curvature_xx")
    )
    return group.share * (
        curvature * (along * along.T + lifted)
        + with_x * (along * across.T + across * along.T)
        + with_xx * across * across.T
    )


def jacobian() -> Derivation:
    """The derivative of the equations in (u, b, log q, log V): no moments but the eight."""
    proof = Derivation(
        "Moments are differentiated by the rules of the envelope's calculus; `q d/dq` for `log q`.", sizes=SIZES
    )
    equations = proof.say("The equations of `u`, `b`, `log q` and `log V`", residuals())
    steps = [(variable, S.One) for variable in (*U, BIAS)] + [(Q, Q), (V, V)]

    def rates(expressions):
        return Matrix([[short(named(step * diff(e, x, simplify=False))) for x, step in steps] for e in expressions])

    matrix = rates(equations)
    nu, square, _, second = sums(Q**2, V)
    nu_rates, square_rates = rates([nu]), rates([square])
    total = RIDGE + ANCHOR
    block = proof.equal(
        "In `u` and `b` the mean and `s` move: with the margin's mean along `y_g (m_g, 1)` and `s` along `S_g u/s`,",
        matrix[:3, :3],
        sum((chain_rule(group) for group in GROUPS), diag(total, total, ANCHOR)),
    )
    beside = proof.equal(
        "As `E M' G = s E M''`, and `-E M'^2/2` is the derivative of `E M` in `t`, the columns of `log q` and `log V` "
        "are the gradients of `nu` and of `sum_g pi_g sigma_g^2 E M'^2`",
        matrix[:3, 3:],
        (Q**2 * nu_rates[:, :3]).col_join(-V * square_rates[:, :3] / 2).T,
    )
    nu, square, second = (named(each) for each in (nu, square, second))
    cubes = sum(part * e**3 / (total + nu * e) ** 3 for part, e in zip(PARTS, EIGENVALUES, strict=True))
    below = proof.equal(
        "The equations of `log q` and `log V` see `u` and `b` by these two sums alone",
        matrix[3:, :],
        Matrix([[0, 0, 0, 2, 0], [0, 0, 0, 0, 1]])
        + (2 * cubes / second * nu_rates - square_rates / square).col_join(RATIO * second / response(nu) * nu_rates),
    )
    proof.control("The block is the Hessian of a function: symmetric", block, block.T)
    roots = {Symbol(f"s_{g.index}", positive=True): g.margin(Q**2)[1] for g in GROUPS}
    matrix = block.row_join(beside).col_join(below).subs(roots)
    proof.result = {f"residual_{i + 1}": named(entry) for i, entry in enumerate(equations)}
    proof.result |= {f"jacobian_{i + 1}{j + 1}": matrix[i, j] for i in range(5) for j in range(5)}
    return proof
