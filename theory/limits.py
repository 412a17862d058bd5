"""Limits of the fixed point T8: many rows (T2), a large ridge and margins by class (T13)."""

from __future__ import annotations

from sympy import Function, Matrix, Rational, S, diff, limit, series, solve, sqrt, symbols

from .derivation import Derivation
from .envelopes import WEIGHT, P, T, along, named
from .proportional import ANCHOR, BIAS, GROUPS, RATIO, RIDGE, Q, U, head_equations, response


def population() -> Derivation:
    """delta -> 0: V and q vanish, envelopes become losses, and (u, b) minimises the population objective."""
    proof = Derivation(
        "Any convex loss, `n -> infinity` at fixed `d` or `delta -> 0`; no anchor, `lambda > 0`.",
        sizes="two groups, two signal coordinates",
    )
    nu, loss = symbols("nu", nonnegative=True), Function("l")(P)
    none = proof.equal("`V = delta sum_j s_j e_j/D_j` vanishes with `delta`", limit(response(nu), RATIO, 0), S.Zero)
    argument = P + T * WEIGHT * diff(loss, P)
    proof.control("At parameter zero the prox is its argument", argument.subs(T, none), P)
    proof.control(
        "so that `M'` and `M''` are those of the loss",
        Matrix([(argument - P) / T, along(WEIGHT * diff(loss, P), argument)[0]]).subs(T, none),
        Matrix([diff(WEIGHT * loss, P, order) for order in (1, 2)]),
    )
    objective = proof.say(
        "In envelopes of parameter zero, that is in losses, the population objective is",
        sum(g.share * g.moment("envelope", Q**2, none) for g in GROUPS) + RIDGE * (U.dot(U) + Q**2) / 2,
    )
    noise = sum(g.share * g.noise**2 * g.moment("curvature", Q**2, none) for g in GROUPS)
    pull = proof.equal("Noise weights only raise its value", named(diff(objective, Q)), named(Q * (RIDGE + noise)))
    spread = symbols("q", real=True)
    none_left = solve(pull.subs(Q, spread), spread)[0]
    gradient = proof.equal(
        "so `q = 0`, and in `u` and `b` its gradient is the left side of the fixed point's equations at `V = q = 0`",
        Matrix([diff(objective, x) for x in (*U, BIAS)]).subs(Q, none_left),
        head_equations(S.Zero, S.Zero).subs(ANCHOR, 0),
    )
    proof.result = {f"gradient_{i + 1}": entry for i, entry in enumerate(named(gradient))}
    return proof


def large_ridge() -> Derivation:
    """lambda -> infinity: u ∝ v = sum p_g y_g m_g, b = -[sum p_g m_g.v + delta sum p_g om_g sigma_g^2 y_g]."""
    proof = Derivation(
        "Balanced weighted labels, `sum_g p_g y_g = 0`; three groups, one signal; `l(p) = l(0) + l_1 p + l_2 p^2/2` "
        "near `0`, `l_1 < 0`.",
        sizes="three groups, one signal coordinate",
    )
    p, small = symbols("p epsilon", positive=True)
    first, second = symbols("l1 l2", real=True)
    masses, labels = (p, Rational(1, 2) - p, Rational(1, 2)), (-1, -1, 1)
    means = symbols("m1:4", real=True)
    weights, noises = symbols("omega1:4", positive=True), symbols("sigma1:4", positive=True)
    signal, bias = symbols("U B", real=True)
    proof.cite(
        "The head is of order `1/lambda`: `u = epsilon U`, `b = epsilon B`, `V = epsilon delta + O(epsilon^2)` at "
        "`epsilon = 1/lambda`. What the noise and the signal's spread add to the margin has mean zero and enters "
        "linearly at this order",
        source="elementary (implicit function theorem)",
        conditions="`l` is twice continuously differentiable near `0`, so that T8's solution is smooth in `epsilon`",
    )
    groups = list(zip(masses, labels, means, weights, noises, strict=True))
    total_bias, total_signal, strength = S.Zero, S.Zero, S.Zero
    for mass, label, mean, weight, noise in groups:
        t = noise**2 * RATIO * small
        margin = small * label * (signal * mean + bias)
        prox = (margin - t * weight * first) / (1 + t * weight * second)
        slope = proof.equal(
            f"The slope `l_1 + l_2 P` at the prox, group of mean `{mean}`",
            series(first + second * prox, small, 0, 2).removeO(),
            first + second * small * (label * (signal * mean + bias) - RATIO * noise**2 * weight * first),
        )
        total_bias += mass * label * slope
        total_signal += mass * label * mean * slope.subs(small, 0)
        strength += mass * weight * noise**2 * slope.subs(small, 0) ** 2
    direction = proof.equal(
        "In units of `-l_1`, the equation of `u` at order one gives the mean difference",
        solve(total_signal + signal, signal)[0] / -first,
        sum(mass * label * mean for mass, label, mean, _, _ in groups),
    )
    equation = proof.equal(
        "Labels balance, and that of `b` begins at the next order", total_bias, small * diff(total_bias, small)
    )
    own = sum(mass * weight * noise**2 * label for mass, label, _, weight, noise in groups)
    threshold = proof.equal(
        "It gives, in the same units, the bias: rows' effects on their own logits count",
        solve(equation / small, bias)[0].subs(signal, -first * direction) / -first,
        -(sum(mass * m for mass, _, m, _, _ in groups) * direction + RATIO * own),
    )
    squared = proof.equal(
        "and `q^2 = delta sum_g pi_g sigma_g^2 E M'^2/lambda^2`",
        RATIO * strength / first**2,
        RATIO * sum(mass * weight * noise**2 for mass, _, _, weight, noise in groups),
    )
    proof.result = {"signal": direction, "bias": threshold, "q2": squared}
    return proof


def margins_by_class() -> Derivation:
    """Hard margins kappa_y turn the head of kappa = 1 by a factor, and shift its bias alone."""
    proof = Derivation(
        "Hard margins that depend on the label alone; `w_1`, `b_1` the head at `kappa = 1`, `u.m` its mean `mu`; "
        "`lambda > 0`, or the margin program."
    )
    plus, minus, s = symbols("kappa_plus kappa_minus s", positive=True)
    mean, bias, noise = symbols("mu b1 G", real=True)
    factor, shift = symbols("k c", real=True)
    beyond = proof.say(
        "By how much the head `k w_1`, `k b_1 + c` meets the margins of the two classes",
        Matrix(
            [
                label * (factor * mean + factor * bias + shift) + factor * s * noise - kappa
                for label, kappa in ((1, plus), (-1, minus))
            ]
        ),
    )
    at_one = Matrix([label * (mean + bias) + s * noise - 1 for label in (1, -1)])
    rest = proof.equal(
        "This is `k` times what the first head does, but for",
        beyond - factor * at_one,
        Matrix([factor + shift - plus, factor - shift - minus]),
    )
    head = proof.equal(
        "which vanishes at these `k` and `c`: then `M' = -miss/t` has the factor too, and `M''`, `1/t` where a margin "
        "is missed, has none, so that every term of the equation of `u` has it",
        Matrix([solve(rest, [factor, shift])[x] for x in (factor, shift)]),
        Matrix([(plus + minus) / 2, (plus - minus) / 2]),
    )
    variance, old = symbols("S q", positive=True)
    proof.control(
        "The spread that the scaled head makes is the scaled one",
        sqrt((head[0] * mean) ** 2 * variance + (head[0] * old) ** 2),
        head[0] * sqrt(mean**2 * variance + old**2),
    )
    proof.result = {"factor": head[0], "shift": head[1]}
    return proof
