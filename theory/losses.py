"""Proximal maps of the losses, and the Gaussian moments of their envelopes in closed form (T8)."""

from __future__ import annotations

from sympy import Function, Matrix, Poly, Rational, S, diff, exp, log, nsolve, solve, symbols

from .derivation import DIGITS, Derivation
from .envelopes import MEAN, SPREAD, WEIGHT, P, T, along, functionals, rules
from .gaussian import Cdf, Density, X, expectation, in_numbers, integrated, truncated_powers


def logistic() -> Derivation:
    """The logistic prox, its mirror image, and M', M'' on it; the vector-scaling loss is it in other units."""
    proof = Derivation("`l(p) = log(1 + e^{-p})`, and `omega log(1 + exp(iota - Delta p))` with `Delta > 0`.")
    loss = proof.say("The loss at the prox is", log(1 + exp(-P)))
    argument = proof.equal(
        "The prox solves `a = P + t omega l'(P)`", P + T * WEIGHT * diff(loss, P), P - T * WEIGHT / (1 + exp(P))
    )
    proof.control(
        "Mirror: `-P` is the prox of `-(a + t omega)`", argument.subs(P, -P), -(argument + T * WEIGHT).rewrite(exp)
    )
    at = nsolve(argument.subs({T: 1, WEIGHT: 1}), P, Rational(1, 2), prec=DIGITS)
    proof.value("The prox of `a = 0` at `t omega = 1`", at, "0.401058137541547")
    value = proof.say("The envelope, `a` being explicit in `P`", WEIGHT * loss + (P - argument) ** 2 / (2 * T))
    slope = proof.equal("It has the slope `M'`", along(value, argument)[0], -WEIGHT / (1 + exp(P)))
    bend = exp(P) / (1 + exp(P)) ** 2
    curvature = proof.equal(
        "and, with `l'' = e^P/(1 + e^P)^2`, the curvature `M'' = omega l''/(1 + t omega l'')`",
        along(slope, argument)[0],
        WEIGHT * bend / (1 + T * WEIGHT * bend),
    )
    scale, shift, p, a = symbols("Delta iota p a", real=True)
    general, margin = Function("l"), scale * p - shift
    proof.control(
        "In `p' = Delta p - iota` the scaled loss's cost is `omega` times that of `l` at argument `Delta a - iota` "
        "and parameter `Delta^2 t omega`, so its `M'` is that of `l` there times `omega Delta`, and its `M''` has "
        "another `Delta`",
        WEIGHT * general(margin) + (p - a) ** 2 / (2 * T),
        WEIGHT * (general(margin) + (margin - (scale * a - shift)) ** 2 / (2 * scale**2 * T * WEIGHT)),
    )
    proof.result = {"argument": argument, "slope": slope, "curvature": curvature}
    return proof


def pieces(proof, kind, parts, joints):
    """Derive a piecewise envelope's slopes M': `parts` are (loss, prox, M') from left to right, meeting at `joints`.

    On each piece the prox is stationary for the loss or stays at the kink, the derivative of the value there is M',
    and values and slopes meet at the joints, in a.
    """
    a, p = symbols("a p", real=True)
    losses, proxes, slopes = zip(*parts, strict=True)
    stationary = [solve(WEIGHT * diff(loss, p) + (p - a) / T, p)[0] if prox.has(a) else prox for loss, prox, _ in parts]
    prox = proof.equal(
        f"{kind}: the prox, where the cost is stationary or at the kink, from left to right",
        Matrix(stationary),
        Matrix(proxes),
    )
    value = proof.say(
        f"{kind}: the envelope there",
        Matrix([WEIGHT * loss.subs(p, at) + (at - a) ** 2 / (2 * T) for loss, at in zip(losses, prox, strict=True)]),
    )
    slope = proof.equal(f"{kind}: its derivative", diff(value, a), Matrix(slopes))
    for i, joint in enumerate(joints):
        left, right = (Matrix([value[j], slope[j]]).subs(a, joint) for j in (i, i + 1))
        proof.control(f"{kind}: values and slopes of two pieces meet", left, right)
    return slope


def piecewise_linear() -> Derivation:
    """M' of the hinge, squared hinge, hard margin and their relaxation: max(slope (a - kink), -floor) below a kink."""
    proof = Derivation("Convex losses with one kink; `0` is in `omega dl(P) + (P - a)/t`, `dl` the subgradient.")
    a, p = symbols("a p", real=True)
    kappa, soft = symbols("kappa h", positive=True)
    loaded = T * WEIGHT
    hinge = pieces(
        proof,
        "Hinge",
        [(1 - p, a + loaded, -WEIGHT), (S.Zero, S.One, (a - 1) / T), (S.Zero, a, S.Zero)],
        [1 - loaded, 1],
    )
    proof.control(
        "At the kink the subgradient runs from `-omega`, where it takes over, to `0`",
        hinge[1].subs(a, 1 - loaded),
        -WEIGHT,
    )
    steep = WEIGHT / (1 + loaded)
    squared = pieces(
        proof,
        "Squared hinge",
        [((1 - p) ** 2 / 2, (a + loaded) / (1 + loaded), steep * (a - 1)), (S.Zero, a, S.Zero)],
        [1],
    )
    hard = pieces(
        proof,
        "Hard margin (the prox stays at `kappa`)",
        [(S.Zero, kappa, (a - kappa) / T), (S.Zero, a, S.Zero)],
        [kappa],
    )
    relaxed = pieces(
        proof,
        "Penalty `(kappa - p)^2/(2 h)`",
        [
            ((kappa - p) ** 2 / (2 * soft * WEIGHT), (T * kappa + soft * a) / (T + soft), (a - kappa) / (soft + T)),
            (S.Zero, a, S.Zero),
        ],
        [kappa],
    )
    rounded = pieces(
        proof,
        "Hinge with a rounded kink, this parabola going over into a line where its slope is `-omega`",
        [
            (1 - p - soft * WEIGHT / 2, a + loaded, -WEIGHT),
            ((1 - p) ** 2 / (2 * soft * WEIGHT), (T + soft * a) / (T + soft), (a - 1) / (soft + T)),
            (S.Zero, a, S.Zero),
        ],
        [1 - (soft + T) * WEIGHT, 1],
    )
    common = proof.equal("Both parabolas have one slope", diff(relaxed[0], a), diff(rounded[1], a))
    proof.result = {"hinge": diff(hinge[1], a), "squared_hinge": diff(squared[0], a), "hard": diff(hard[0], a)}
    proof.result["relaxed"] = common
    return proof


def clipped_moments() -> Derivation:
    """The eight moments of M' = max(slope (a - kink), -floor) below a kink, in Phi and phi; floor may be infinite."""
    proof = Derivation("`a = mean + s G`; `M'` is linear for `alpha < G < beta`, `-floor` below, `0` above.")
    slope, floor = symbols("slope floor", positive=True)
    kink = symbols("kink", real=True)
    low, high = symbols("alpha beta", real=True)
    powers = integrated(
        proof,
        "The integrals of `x^k phi(x)`, `E 1{alpha < G < beta} G^k` for `k = 0, 1, 2`",
        Matrix([Density(X) * X**k for k in range(3)]),
        lambda start, end: Matrix(truncated_powers(start, end)),
        (low, high),
    )
    linear = proof.say("In between the slope is", slope * (MEAN + SPREAD * X - kink))
    beta = proof.equal("The line ends, at `0`, where `G` is", solve(linear, X)[0], (kink - MEAN) / SPREAD)
    alpha = proof.equal(
        "and starts, at the floor, where `G` is", solve(linear + floor, X)[0], beta - floor / (slope * SPREAD)
    )
    inside = functionals(linear, slope)
    # Without a floor the line comes from -oo, where Phi and phi are zero.
    for name, start, below in (("clipped", {low: alpha}, floor), ("open", {Cdf(low): 0, Density(low): 0}, S.Zero)):
        between = powers.subs(start).subs(high, beta)
        moments = {
            key: sum(Poly(integrand, X).coeff_monomial(X**k) * between[k] for k in range(3))
            for key, integrand in inside.items()
        }
        mass = Cdf(low).subs(start)
        moments["slope"] -= below * mass
        moments["square"] += below**2 * mass
        for key, derivatives in rules(moments | {"envelope": S.Zero}, SPREAD).items():
            if key != "envelope":
                proof.control(
                    f"The closed forms ({name}) obey the envelope's calculus: the {key} in mean and `s`",
                    Matrix([diff(moments[key], variable) for variable in (MEAN, SPREAD)]),
                    Matrix(derivatives[:2]),
                )
        proof.result |= {f"{name}_{key}": in_numbers(value) for key, value in moments.items()}
    return proof


def squared_moments() -> Derivation:
    """Squared loss: M' = c (a - 1), M'' = c with c = om/(1 + t om); its moments are those of a Gaussian."""
    proof = Derivation("`l(p) = (1 - p)^2/2`, `a = mean + s G`.")
    loss = proof.say("The loss at the prox", (1 - P) ** 2 / 2)
    argument = proof.say("is that of the argument", P + T * WEIGHT * diff(loss, P))
    c = WEIGHT / (1 + T * WEIGHT)
    slope = proof.equal(
        "The slope is linear in the argument, `M' = c (a - 1)` with `c = omega/(1 + t omega)`",
        (WEIGHT * diff(loss, P)).subs(P, solve(argument - (MEAN + SPREAD * X), P)[0]),
        c * (MEAN + SPREAD * X - 1),
    )
    curvature = proof.equal("so the curvature is constant", diff(slope, X) / SPREAD, c)
    offset = MEAN - 1
    square = offset**2 + SPREAD**2
    values = (c * offset, c, S.Zero, S.Zero, c**2 * square, c**2 * offset, c**2 * SPREAD, c**3 * square)
    moments = {}
    for (name, integrand), value in zip(functionals(slope, curvature).items(), values, strict=True):
        moments[name] = proof.equal(f"The moment called {name.replace('_', ' ')}", expectation(integrand, [X]), value)
    for name, derivatives in rules(moments | {"envelope": S.Zero}, SPREAD).items():
        if name != "envelope":
            proof.control(
                f"It obeys the envelope's calculus: the {name} in `t`", diff(moments[name], T), derivatives[2]
            )
    proof.result = moments
    return proof
