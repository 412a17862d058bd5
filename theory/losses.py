"""Proximal maps of the losses, and the Gaussian moments of their envelopes in closed form (T8)."""

from __future__ import annotations

from sympy import Function, Matrix, Rational, S, diff, exp, log, nsolve, oo, symbols

from .derivation import DIGITS, Derivation
from .envelopes import MEAN, MOMENTS, SPREAD, WEIGHT, P, T, along, functionals, rules
from .gaussian import Density, X, expectation, in_numbers, truncated_expectation, truncated_powers


def logistic() -> Derivation:
    """The logistic prox, its mirror image, and M', M'' on it; the vector-scaling loss is it in other units."""
    proof = Derivation("l(p) = log(1 + e^-p), and om log(1 + exp(iota - Delta p)) with Delta > 0.")
    loss = log(1 + exp(-P))
    argument = P - T * WEIGHT / (1 + exp(P))
    proof.equal("a - P = t om l'(P): the prox solves", P + T * WEIGHT * diff(loss, P), argument)
    proof.equal("Mirror: -P is the prox of -(a + t om)", argument.subs(P, -P), -(argument + T * WEIGHT).rewrite(exp))
    at = nsolve(P - 1 / (1 + exp(P)), P, Rational(1, 2), prec=DIGITS)
    proof.value("The prox of a = 0 at t om = 1", at, "0.401058137541547")
    slope = along(WEIGHT * loss + T * WEIGHT**2 * diff(loss, P) ** 2 / 2, loss)[0]
    proof.equal("M' = -om / (1 + e^P)", slope, -WEIGHT / (1 + exp(P)))
    curvature = along(slope, loss)[0]
    bend = exp(P) / (1 + exp(P)) ** 2
    proof.equal("M'' = om l''/(1 + t om l'')", curvature, WEIGHT * bend / (1 + T * WEIGHT * bend))
    scale, shift, p, a = symbols("Delta iota p a", real=True)
    general, margin = Function("l"), scale * p - shift
    cost = WEIGHT * general(margin) + (p - a) ** 2 / (2 * T)
    inner = WEIGHT * (general(margin) + (margin - (scale * a - shift)) ** 2 / (2 * scale**2 * T * WEIGHT))
    proof.equal(
        "In p' = Delta p - iota the cost is om times that of l at argument Delta a - iota and parameter Delta^2 t om",
        cost,
        inner,
    )
    envelope = Function("L")
    proof.equal(
        "so M' has the factor om Delta, and M'' another Delta",
        Matrix([diff(WEIGHT * envelope(scale * a - shift), a, order) for order in (1, 2)]),
        WEIGHT * Matrix([scale * diff(envelope(X), X), scale**2 * diff(envelope(X), X, 2)]).subs(X, scale * a - shift),
    )
    proof.result = {"argument": argument, "slope": slope, "curvature": curvature}
    return proof


def pieces(proof, sentence, parts, joints):
    """Check a piecewise envelope: `parts` are (loss, prox, slope) from left to right, meeting at `joints`, in a.

    On each piece the prox is stationary for the loss or stays at the kink, the value's derivative is the slope, and
    values and slopes meet at the joints.
    """
    a, p = symbols("a p", real=True)
    values = []
    for loss, prox, slope in parts:
        value = WEIGHT * loss.subs(p, prox) + (prox - a) ** 2 / (2 * T)
        if diff(prox, a) != 0:
            stationary = WEIGHT * diff(loss, p).subs(p, prox) + (prox - a) / T
            proof.equal(f"{sentence}: the prox is stationary", stationary, S.Zero)
        proof.equal(f"{sentence}: the derivative of the envelope", diff(value, a), slope)
        values.append((value, slope))
    for joint, left, right in zip(joints, values[:-1], values[1:], strict=True):
        proof.equal(f"{sentence}: pieces meet", Matrix(left).subs(a, joint), Matrix(right).subs(a, joint))


def piecewise_linear() -> Derivation:
    """M' of the hinge, squared hinge, hard margin and their relaxation: max(slope (a - kink), -floor) below a kink."""
    proof = Derivation("Convex losses with one kink; 0 is in om dl(P) + (P - a)/t.")
    a, p = symbols("a p", real=True)
    kappa, soft = symbols("kappa h", positive=True)
    loaded = T * WEIGHT
    pieces(
        proof,
        "Hinge",
        [(1 - p, a + loaded, -WEIGHT), (S.Zero, S.One, (a - 1) / T), (S.Zero, a, S.Zero)],
        [1 - loaded, 1],
    )
    at_kink = ((a - 1) / T).subs(a, 1 - loaded)
    proof.equal("At the kink the subgradient runs from -om, where it takes over, to 0", at_kink, -WEIGHT)
    steep = WEIGHT / (1 + loaded)
    pieces(
        proof,
        "Squared hinge",
        [((1 - p) ** 2 / 2, (a + loaded) / (1 + loaded), steep * (a - 1)), (S.Zero, a, S.Zero)],
        [1],
    )
    pieces(
        proof, "Hard margin: the prox stays at kappa", [(S.Zero, kappa, (a - kappa) / T), (S.Zero, a, S.Zero)], [kappa]
    )
    relaxed = (kappa - p) ** 2 / (2 * soft * WEIGHT)
    pieces(
        proof,
        "Penalty (kappa - p)^2 / (2h)",
        [(relaxed, (T * kappa + soft * a) / (T + soft), (a - kappa) / (soft + T)), (S.Zero, a, S.Zero)],
        [kappa],
    )
    proof.say(
        "The same parabola, going over into the hinge's line where its slope is -om, rounds the kink of the hinge"
    )
    rounded = (1 - p) ** 2 / (2 * soft * WEIGHT)
    pieces(
        proof,
        "Rounded hinge",
        [
            (1 - p - soft * WEIGHT / 2, a + loaded, -WEIGHT),
            (rounded, (T + soft * a) / (T + soft), (a - 1) / (soft + T)),
            (S.Zero, a, S.Zero),
        ],
        [1 - (soft + T) * WEIGHT, 1],
    )
    proof.result = {"hinge": 1 / T, "squared_hinge": steep, "hard": 1 / T, "relaxed": 1 / (soft + T)}
    return proof


def clipped_moments() -> Derivation:
    """The eight moments of M' = max(slope (a - kink), -floor) below a kink, in Phi and phi; floor may be infinite."""
    proof = Derivation("a = mean + s G; M' is linear for alpha < G < beta, -floor below, 0 above.")
    slope, floor = symbols("slope floor", positive=True)
    kink = symbols("kink", real=True)
    low, high = symbols("alpha beta", real=True)
    proof.equal(
        "E 1{alpha < G < beta} G^k for k = 0, 1, 2: their densities at the upper end",
        Matrix([diff(power, high) for power in truncated_powers(low, high)]),
        Matrix([high**k for k in range(3)]) * Density(high),
    )
    proof.equal("and nothing is left of an empty interval", Matrix(truncated_powers(low, low)), Matrix([0, 0, 0]))
    linear = slope * (MEAN + SPREAD * X - kink)
    beta = (kink - MEAN) / SPREAD
    alpha = beta - floor / (slope * SPREAD)
    proof.equal("The line meets the floor at alpha", linear.subs(X, alpha), -floor)
    proof.equal("and ends at beta", linear.subs(X, beta), S.Zero)
    inside = functionals(linear, slope)
    for name, end, below in (("clipped", alpha, floor), ("open", -oo, S.Zero)):
        moments = {key: truncated_expectation(integrand, end, beta) for key, integrand in inside.items()}
        mass = truncated_expectation(S.One, -oo, end)
        moments["slope"] -= below * mass
        moments["square"] += below**2 * mass
        for key, derivatives in rules(moments | {"envelope": S.Zero}, SPREAD).items():
            if key != "envelope":
                proof.equal(
                    f"Closed forms ({name}) obey the rules: E {key} in mean and s",
                    Matrix([diff(moments[key], variable) for variable in (MEAN, SPREAD)]),
                    Matrix(derivatives[:2]),
                )
        proof.result |= {f"{name}_{key}": in_numbers(value) for key, value in moments.items()}
    return proof


def squared_moments() -> Derivation:
    """Squared loss: M' = c (a - 1), M'' = c with c = om/(1 + t om); its moments are those of a Gaussian."""
    proof = Derivation("l(p) = (1 - p)^2 / 2, a = mean + s G.")
    loss = (1 - P) ** 2 / 2
    argument = P + T * WEIGHT * diff(loss, P)
    c = WEIGHT / (1 + T * WEIGHT)
    slope = WEIGHT * diff(loss, P)
    proof.equal("The slope is linear in the argument", slope, c * (argument - 1))
    proof.equal("so the curvature is constant", along(slope, loss)[0], c)
    offset = MEAN - 1
    square = offset**2 + SPREAD**2
    values = (c * offset, c, S.Zero, S.Zero, c**2 * square, c**2 * offset, c**2 * SPREAD, c**3 * square)
    moments = dict(zip(MOMENTS[1:], values, strict=True))
    for name, integrand in functionals(c * (offset + SPREAD * X), c).items():
        proof.equal(f"E {name}", expectation(integrand, [X]), moments[name])
    for name, derivatives in rules(moments | {"envelope": S.Zero}, SPREAD).items():
        if name != "envelope":
            proof.equal(f"The rules hold: E {name} in t", diff(moments[name], T), derivatives[2])
    proof.result = moments
    return proof
