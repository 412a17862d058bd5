"""Limits of the fixed point T8: many rows (T2), a large ridge and margins by class (T13)."""

from __future__ import annotations

from sympy import Function, Matrix, Rational, S, diff, limit, series, solve, sqrt, symbols

from .derivation import Derivation
from .envelopes import WEIGHT, P, T, along, named
from .proportional import ANCHOR, BIAS, GROUPS, RATIO, RIDGE, Q, U, head_equations, response


def population() -> Derivation:
    """delta -> 0: V and q vanish, envelopes become losses, and (u, b) minimises the population objective."""
    proof = Derivation("Any convex loss, n -> infinity at fixed d or delta -> 0; no anchor, lambda > 0.")
    loss = Function("l")(P)
    slope = WEIGHT * diff(loss, P)
    argument = P + T * slope
    proof.equal("At parameter zero the prox is its argument", argument.subs(T, 0), P)
    curvature = along(slope, loss)[0]
    proof.equal("so M', M'' are those of the loss", curvature.subs(T, 0), diff(slope, P))
    nu = symbols("nu", nonnegative=True)
    proof.equal("V = delta sum_j s_j e_j / D_j vanishes with delta", limit(response(nu), RATIO, 0), S.Zero)
    spread = S.Zero
    objective = sum(g.share * g.moment("envelope", Q**2, spread) for g in GROUPS) + RIDGE * (U.dot(U) + Q**2) / 2
    noise = sum(g.share * g.noise**2 * g.moment("curvature", Q**2, spread) for g in GROUPS)
    proof.equal(
        "Of the population objective, sum p_g E l + lambda |w|^2 / 2, noise weights only raise the value: v = 0",
        named(diff(objective, Q)),
        named(Q * (RIDGE + noise)),
    )
    gradient = named(Matrix([diff(objective, x) for x in (*U, BIAS)])).subs(Q, 0)
    proof.equal(
        "In u and b its gradient is the left side of T8's equations at V = q = 0",
        gradient,
        named(head_equations(S.Zero, S.Zero)).subs(ANCHOR, 0),
    )
    proof.result = {f"gradient_{i + 1}": entry for i, entry in enumerate(gradient)}
    return proof


def large_ridge() -> Derivation:
    """lambda -> infinity: u ∝ v = sum p_g y_g m_g, b = -[sum p_g m_g.v + delta sum p_g om_g sigma_g^2 y_g]."""
    proof = Derivation("Balanced weighted labels, sum p_g y_g = 0; three groups, one signal; l smooth at 0, l'(0) < 0.")
    p, small = symbols("p epsilon", positive=True)
    first, second = symbols("l1 l2", real=True)
    masses, labels = (p, Rational(1, 2) - p, Rational(1, 2)), (-1, -1, 1)
    means = symbols("m1:4", real=True)
    weights, noises = symbols("omega1:4", positive=True), symbols("sigma1:4", positive=True)
    signal, bias = symbols("U B", real=True)
    proof.say("The head is O(1/lambda): u = eps U, b = eps B, V = eps delta + O(eps^2), eps = 1/lambda", small * signal)
    groups = list(zip(masses, labels, means, weights, noises, strict=True))
    total_bias, total_signal, strength = S.Zero, S.Zero, S.Zero
    for mass, label, mean, weight, noise in groups:
        t = noise**2 * RATIO * small
        # What the noise and the signal's spread add to the margin has mean zero and enters linearly at this order.
        margin = small * label * (signal * mean + bias)
        prox = (margin - t * weight * first) / (1 + t * weight * second)
        slope = series(first + second * prox, small, 0, 2).removeO()
        proof.equal(
            f"Near 0, l' = l1 + l2 p. The slope at the prox, group of mean {mean}",
            slope,
            first + second * small * (label * (signal * mean + bias) - RATIO * noise**2 * weight * first),
        )
        total_bias += mass * label * slope
        total_signal += mass * label * mean * slope.subs(small, 0)
        strength += mass * weight * noise**2 * slope.subs(small, 0) ** 2
    direction = sum(mass * label * mean for mass, label, mean, _, _ in groups)
    proof.equal("The bias has no equation at order one: labels balance", total_bias.subs(small, 0), S.Zero)
    head = solve(total_signal + signal, signal)[0]
    proof.equal("The equation of u at order one: the mean difference", head, -first * direction)
    own = sum(mass * weight * noise**2 * label for mass, label, _, weight, noise in groups)
    mean = sum(mass * m for mass, _, m, _, _ in groups)
    expected = -(mean * direction + RATIO * own)
    found = solve(diff(total_bias, small), bias)[0].subs(signal, head)
    proof.equal(
        "That of b at the next order, in units of -l1: rows' effects on their own logits count",
        found,
        -first * expected,
    )
    squared = RATIO * sum(mass * weight * noise**2 for mass, _, _, weight, noise in groups)
    proof.equal(
        "q^2 = delta sum pi_g sigma_g^2 E M'^2 / lambda^2, in the same units", RATIO * strength, first**2 * squared
    )
    proof.result = {"signal": direction, "bias": expected, "q2": squared}
    return proof


def margins_by_class() -> Derivation:
    """Hard margins kappa_y turn the head of kappa = 1 by a factor, and shift its bias alone."""
    proof = Derivation(
        "Hard margins that depend on the label alone; w_1, b_1 the head at kappa = 1; lambda > 0 or T11."
    )
    plus, minus, s = symbols("kappa_plus kappa_minus s", positive=True)
    mean, bias, noise = symbols("mu b1 G", real=True)
    factor, shift = (plus + minus) / 2, (plus - minus) / 2
    for label, kappa in ((1, plus), (-1, minus)):
        at_one = label * (mean + bias) + s * noise - 1
        margin = label * (factor * mean + factor * bias + shift) + factor * s * noise
        proof.equal(f"By how much a margin is met, class {label:+d}", margin - kappa, factor * at_one)
    proof.say(
        "so M' = -miss/t has the factor too, and M'' = 1{miss > 0}/t none: with it every term of u's equation has it"
    )
    variance, old = symbols("S q", positive=True)
    proof.equal(
        "The spread that the scaled head makes is the scaled one",
        sqrt((factor * mean) ** 2 * variance + (factor * old) ** 2),
        factor * sqrt(mean**2 * variance + old**2),
    )
    proof.result = {"factor": factor, "shift": shift}
    return proof
