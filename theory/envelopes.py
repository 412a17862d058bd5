"""Moreau envelopes of margin losses, and the calculus of their moments under a Gaussian argument (T8, T9).

M(a) = min_p om l(p) + (p - a)^2 / (2t) at the prox P. Its stationarity a = P + t om l'(P) is explicit in P, so that
(P, t) are coordinates in which every loss is treated at once, without solving for the prox.
"""

from __future__ import annotations

from sympy import Function, Poly, S, Symbol, diff, solve, symbols

from .derivation import Derivation, NotEqual
from .gaussian import X, by_parts

P = symbols("P", real=True)
T, WEIGHT = symbols("t omega", positive=True)
MEAN = symbols("mean", real=True)
SPREAD = symbols("s", positive=True)

# E of: M; and of M', M'', M'' G, M'' (G^2 - 1), M'^2, M' M'', M' M'' G, M'^2 M''.
NOTATION = {  # for print, with the place of a group's index
    "envelope": r"\mathbb{{E}}[M{}]",
    "slope": r"\mathbb{{E}}[M{}']",
    "curvature": r"\mathbb{{E}}[M{}'']",
    "curvature_x": r"\mathbb{{E}}[M{}'' G]",
    "curvature_xx": r"\mathbb{{E}}[M{}'' (G^2 - 1)]",
    "square": r"\mathbb{{E}}[M{}'^2]",
    "product": r"\mathbb{{E}}[M{0}' M{0}'']",
    "product_x": r"\mathbb{{E}}[M{0}' M{0}'' G]",
    "cubic": r"\mathbb{{E}}[M{0}'^2 M{0}'']",
}
MOMENTS = tuple(NOTATION)


def functionals(slope, curvature):
    """What the moments are expectations of, M' and M'' being functions of the standard normal `X`."""
    values = (
        slope,
        curvature,
        curvature * X,
        curvature * (X**2 - 1),
        slope**2,
        slope * curvature,
        slope * curvature * X,
        slope**2 * curvature,
    )
    return dict(zip(MOMENTS[1:], values, strict=True))


def rules(e, s):
    """Derivatives of E M, E M', E M'' and E M'^2 in (mean, s, t); `e` holds the moments by name."""
    return {
        "envelope": (e["slope"], s * e["curvature"], -e["square"] / 2),
        "slope": (e["curvature"], e["curvature_x"], -e["product"]),
        "curvature": (e["curvature_x"] / s, e["curvature_xx"] / s, -e["product_x"] / s),
        "square": (2 * e["product"], 2 * e["product_x"], -2 * e["cubic"]),
    }


class Expected(Function):
    """Expected(i, g, mean, s, t): moment `MOMENTS[i]` of group g's envelope, differentiated by `rules`."""

    nargs = 5

    def fdiff(self, argindex=1):
        """The rule for mean, s or t, the last three arguments."""
        index, _, _, s, _ = self.args
        return rules({name: expected(name, *self.args[1:]) for name in MOMENTS}, s)[MOMENTS[index]][argindex - 3]

    def _latex(self, printer):
        """Without what it depends on."""
        index, group, *_ = self.args
        return NOTATION[MOMENTS[index]].format(f"_{{{group}}}")


def expected(name, group, mean, s, t):
    """The moment `name` of a group."""
    return Expected(S(MOMENTS.index(name)), S(group), mean, s, t)


def named(expression):
    """The expression with every moment as a symbol: slope_1 for E M' of group 1."""
    return expression.replace(Expected, lambda index, group, *_: Symbol(f"{MOMENTS[index]}_{group}", real=True))


def along(expression, argument):
    """Derivatives in a at fixed t, and in t at fixed a, of an expression in the coordinates (P, t) of `argument` a."""
    in_a = diff(expression, P) / diff(argument, P)
    return in_a, diff(expression, T) - in_a * diff(argument, T)


def slope_and_curvature() -> Derivation:
    """M' = (a - P)/t = om l'(P), M'' = om l''/(1 + t om l''), dM/dt = -M'^2/2, dM'/dt = -M' M''."""
    proof = Derivation(
        "`l` convex and twice differentiable, `t > 0`; the prox `P` minimises `omega l(p) + (p - a)^2/(2 t)`, and "
        "`(P, t)` are coordinates in which everything is explicit."
    )
    loss = Function("l")(P)
    first, second = diff(loss, P), diff(loss, P, 2)
    p, a = symbols("p a", real=True)
    parabola = (p - a) ** 2 / (2 * T)
    argument = proof.equal(
        "Where the slopes of loss and parabola cancel, the argument is",
        solve(WEIGHT * first + diff(parabola, p).subs(p, P), a)[0],
        P + T * WEIGHT * first,
    )
    value = proof.say("The envelope in these coordinates", WEIGHT * loss + parabola.subs({p: P, a: argument}))
    slope = proof.equal("Its slope is that of the loss at the prox", along(value, argument)[0], WEIGHT * first)
    moved = proof.equal("and how far the prox moves, over `t`", (argument - P) / T, slope)
    curvature = proof.equal("Its curvature", along(moved, argument)[0], WEIGHT * second / (1 + T * WEIGHT * second))
    proof.control("The prox moves less than its argument", along(P, argument)[0], 1 - T * curvature)
    proof.control("Hamilton-Jacobi: `dM/dt = -M'^2/2`", along(value, argument)[1], -(slope**2) / 2)
    proof.control("so that `dM'/dt = -M' M''`", along(slope, argument)[1], -slope * curvature)
    proof.control(
        "and `dM''/dt` is the derivative of `-M' M''`",
        along(curvature, argument)[1],
        -along(slope * curvature, argument)[0].together(),
    )
    bend = symbols("c", nonnegative=True)
    proof.control(
        "The loss's own curvature at the prox, from the envelope's: `omega l'' = M''/(1 - t M'')`",
        (curvature / (1 - T * curvature)).subs(second, bend),
        WEIGHT * bend,
    )
    proof.result = {"slope_over_loss_slope": slope / first, "curvature": curvature.subs(second, bend)}
    return proof


def in_moments(integrand, value):
    """The expectation of an integrand that is linear in the `functionals` of the envelope, in symbols for moments."""
    first, second = symbols("first second")
    at = [(diff(value, X, 2), SPREAD**2 * second), (diff(value, X), SPREAD * first)]
    poly = Poly(integrand.subs(at), first, second, X)
    total = S.Zero
    for name, monomial in reversed(functionals(first, second).items()):  # G^2 - 1 before 1
        leading = Poly(monomial, first, second, X).monoms()[0]
        coefficient = poly.coeff_monomial(leading)
        total += coefficient * Symbol(name, real=True)
        poly -= Poly(coefficient * monomial, first, second, X)
    if not poly.is_zero:
        raise NotEqual(f"{poly.as_expr()} is none of the moments")
    return total


def gaussian_derivatives() -> Derivation:
    """Every derivative of E M, E M', E M'' and E M'^2 in (mean, s, t), in eight moments."""
    proof = Derivation(
        "`a = mean + s G`; `M` any envelope, its slope of polynomial growth. Expectations are over a standard "
        "normal `x`; `d/d mean` of a function of `a` is its derivative, `d/ds` that times `x`, and what differs from "
        "the right side is a derivative of `phi` times a function: Stein's lemma."
    )
    value = proof.say("As a function of the normal `x` the envelope is", Function("M")(X))
    slope = proof.say("with the slope", diff(value, X) / SPREAD)
    curvature = proof.say("and the curvature", diff(slope, X) / SPREAD)
    flow = proof.say("By its own calculus (Hamilton-Jacobi) it moves with `t` by", -(slope**2) / 2)
    in_t = diff(flow, X) / SPREAD
    third = diff(curvature, X) / SPREAD
    table = rules(functionals(slope, curvature), SPREAD)
    zero = S.Zero
    # In (mean, s, t): what is under the expectation, and the function whose boundary terms vanish.
    found = {
        "envelope": ((slope, zero), (X * slope, -slope), (flow, zero)),
        "slope": ((curvature, zero), (X * curvature, zero), (in_t, zero)),
        "curvature": (
            (third, curvature / SPREAD),
            (X * third, X * curvature / SPREAD),
            (diff(in_t, X) / SPREAD, -slope * curvature / SPREAD),
        ),
        "square": ((2 * slope * curvature, zero), (2 * X * slope * curvature, zero), (2 * slope * in_t, zero)),
    }
    written = {"envelope": "M", "slope": "M'", "curvature": "M''", "square": "M'^2"}
    for name, derivatives in found.items():
        for variable, (left, boundary), right in zip(("mean", "s", "t"), derivatives, table[name], strict=True):
            shown = by_parts(proof, f"`E {written[name]}` differentiated in `{variable}`", left, right, boundary)
            proof.result[f"{name}_in_{variable}"] = in_moments(shown, value)
    return proof
