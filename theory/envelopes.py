"""Moreau envelopes of margin losses, and the calculus of their moments under a Gaussian argument (T8, T9).

M(a) = min_p om l(p) + (p - a)^2 / (2t) at the prox P. Its stationarity a = P + t om l'(P) is explicit in P, so that
(P, t) are coordinates in which every loss is treated at once, without solving for the prox.
"""

from __future__ import annotations

from sympy import Function, S, Symbol, diff, symbols

from .derivation import Derivation
from .gaussian import X, by_parts

P = symbols("P", real=True)
T, WEIGHT = symbols("t omega", positive=True)
MEAN = symbols("mean", real=True)
SPREAD = symbols("s", positive=True)

# E of: M; and of M', M'', M'' G, M'' (G^2 - 1), M'^2, M' M'', M' M'' G, M'^2 M''.
MOMENTS = (
    "envelope",
    "slope",
    "curvature",
    "curvature_x",
    "curvature_xx",
    "square",
    "product",
    "product_x",
    "cubic",
)


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


def expected(name, group, mean, s, t):
    """The moment `name` of a group."""
    return Expected(S(MOMENTS.index(name)), S(group), mean, s, t)


def named(expression):
    """The expression with every moment as a symbol: slope_1 for E M' of group 1."""
    return expression.replace(Expected, lambda index, group, *_: Symbol(f"{MOMENTS[index]}_{group}", real=True))


def along(expression, loss):
    """Derivatives in a at fixed t, and in t at fixed a, of an expression in the coordinates (P, t)."""
    argument = P + T * WEIGHT * diff(loss, P)
    in_a = diff(expression, P) / diff(argument, P)
    return in_a, diff(expression, T) - in_a * diff(argument, T)


def slope_and_curvature() -> Derivation:
    """M' = (a - P)/t = om l'(P), M'' = om l''/(1 + t om l''), dM/dt = -M'^2/2, dM'/dt = -M' M''."""
    proof = Derivation("l convex and twice differentiable, t > 0; (P, t) are coordinates, a = P + t om l'(P).")
    loss = Function("l")(P)
    first, second = diff(loss, P), diff(loss, P, 2)
    argument = P + T * WEIGHT * first
    p, a = symbols("p a", real=True)
    parabola = (p - a) ** 2 / (2 * T)
    proof.equal(
        "P minimises: there the slopes of loss and parabola cancel",
        WEIGHT * first,
        -diff(parabola, p).subs({p: P, a: argument}),
    )
    value = WEIGHT * loss + parabola.subs({p: P, a: argument})
    proof.say("The envelope in these coordinates", value)
    slope, in_t = along(value, loss)
    proof.equal("Its slope is that of the loss at the prox", slope, WEIGHT * first)
    proof.equal("and how far the prox moves, over t", slope, (argument - P) / T)
    curvature = WEIGHT * second / (1 + T * WEIGHT * second)
    proof.equal("Its curvature", along(slope, loss)[0], curvature)
    proof.equal("The prox moves less than its argument", along(P, loss)[0], 1 - T * curvature)
    proof.equal("Hamilton-Jacobi: dM/dt = -M'^2 / 2", in_t, -(slope**2) / 2)
    proof.equal("so that dM'/dt = -M' M''", along(slope, loss)[1], -slope * curvature)
    proof.equal("and dM''/dt = -(M' M'')'", along(curvature, loss)[1], -along(slope * curvature, loss)[0].together())
    bend = symbols("c", nonnegative=True)
    proof.equal(
        "The loss's own curvature at the prox, from the envelope's: om l'' = M''/(1 - t M'')",
        (curvature / (1 - T * curvature)).subs(second, bend),
        WEIGHT * bend,
    )
    proof.result = {"slope_over_loss_slope": WEIGHT, "curvature": curvature.subs(second, bend)}
    return proof


def gaussian_derivatives() -> Derivation:
    """Every derivative of E M, E M', E M'' and E M'^2 in (mean, s, t), in eight moments."""
    proof = Derivation("a = mean + s G; M any envelope, its slope F(x) = M'(mean + s x) of polynomial growth.")
    slope = Function("F")(X)
    curvature = diff(slope, X) / SPREAD
    proof.say("As a function of the normal x the slope is F and the curvature F'/s", curvature)
    integrand = functionals(slope, curvature)
    table = rules(integrand, SPREAD)
    mean, spread, parameter = table["envelope"]
    proof.equal("d/dmean is d/da, under the expectation", mean, slope)
    by_parts(proof, "d/ds is x d/da, and E x M' = s E M''", X * slope, spread, -slope)
    proof.equal("d/dt by Hamilton-Jacobi", parameter, -(slope**2) / 2)
    mean, spread, parameter = table["slope"]
    proof.equal("E M' in the mean", mean, diff(slope, X) / SPREAD)
    proof.equal("in s", spread, X * diff(slope, X) / SPREAD)
    proof.equal("and in t, dM'/dt = -M' M''", parameter, -slope * curvature)
    mean, spread, parameter = table["curvature"]
    third = diff(curvature, X) / SPREAD
    by_parts(proof, "E M'' in the mean is E M''', by parts E M'' G / s", third, mean, curvature / SPREAD)
    by_parts(proof, "in s, E M''' G, by parts E M'' (G^2 - 1) / s", X * third, spread, X * curvature / SPREAD)
    in_t = -diff(slope * curvature, X) / SPREAD
    by_parts(proof, "and in t, -E (M' M'')', by parts", in_t, parameter, -slope * curvature / SPREAD)
    mean, spread, parameter = table["square"]
    proof.equal("E M'^2 in the mean", mean, diff(slope**2, X) / SPREAD)
    proof.equal("in s", spread, X * diff(slope**2, X) / SPREAD)
    proof.equal("and in t", parameter, 2 * slope * (-slope * curvature))
    moments = {name: Symbol(name, real=True) for name in MOMENTS}
    for name, derivatives in rules(moments, SPREAD).items():
        for variable, value in zip(("mean", "s", "t"), derivatives, strict=True):
            proof.result[f"{name}_in_{variable}"] = value
    return proof
