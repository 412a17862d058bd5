"""T2: expected losses of a Gaussian margin, and the gradient and Hessian of the population objective in them."""

from __future__ import annotations

from sympy import Matrix, S, Symbol, diff, exp, log, oo, symbols

from .derivation import Derivation
from .envelopes import MEAN, SPREAD, expected, named
from .gaussian import Cdf, Density, X, in_numbers, truncated_expectation
from .proportional import ANCHOR, BIAS, CENTRE, GROUPS, RIDGE, U

NAMES = ("value", "slope", "curvature", "curvature_x", "curvature_xx")  # E l, E l', E l'', E l'' G, E l'' G^2
MARGIN = MEAN + SPREAD * X


def closed_forms() -> Derivation:
    """(E l, E l', E l'', E l'' G, E l'' G^2) at m = mean + s G: the squared loss and both hinges in Phi and phi."""
    proof = Derivation("`s > 0`, `G` a standard normal; the hinge's `l''` is a point mass at its kink.")
    end = (1 - MEAN) / SPREAD
    below, at = Cdf(end), Density(end)
    parabola = (1 - MARGIN) ** 2 / 2
    printed = {
        "squared": (parabola, oo, ((1 - MEAN) ** 2 + SPREAD**2) / 2, MEAN - 1, S.One, S.Zero, S.One),
        "hinge": (
            1 - MARGIN,
            end,
            (1 - MEAN) * below + SPREAD * at,
            -below,
            at / SPREAD,
            at / SPREAD * end,
            at / SPREAD * end**2,
        ),
        "squared_hinge": (
            parabola,
            end,
            (((1 - MEAN) ** 2 + SPREAD**2) * below + (1 - MEAN) * SPREAD * at) / 2,
            -((1 - MEAN) * below + SPREAD * at),
            below,
            -at,
            below - end * at,
        ),
    }
    for name, (loss, kink, value, slope, curvature, with_x, with_xx) in printed.items():
        total = proof.equal(f"{name}: E l over the margins that count", truncated_expectation(loss, -oo, kink), value)
        first = proof.equal("The mean moves the margin: `E l'`", diff(total, MEAN), slope)
        second = proof.equal("and once more: `E l''`", diff(first, MEAN), curvature)
        proof.control(
            "Stein's lemma, `E l' G = s E l''`, as `d/ds` moves it by `G`", diff(total, SPREAD), SPREAD * second
        )
        third = proof.equal("of `E l'` the same makes `E l'' G`", diff(first, SPREAD), with_x)
        fourth = proof.equal("and of `E l' G`, `E l'' G^2`", diff(SPREAD * second, SPREAD), with_xx)
        moments = (total, first, second, third, fourth)
        proof.result |= {f"{name}_{key}": in_numbers(moment) for key, moment in zip(NAMES, moments, strict=True)}
    m = symbols("m", real=True)
    logistic = proof.say("The logistic loss has no closed form; under the expectation stand `l`,", log(1 + exp(-m)))
    falls = proof.equal("its slope", diff(logistic, m), -1 / (1 + exp(m)))
    bends = proof.equal("and its curvature", diff(falls, m), exp(m) / (1 + exp(m)) ** 2)
    proof.result |= {"logistic_value": logistic, "logistic_slope": falls, "logistic_curvature": bends}
    return proof


def expansion() -> Derivation:
    """A group's part of the Hessian: E l'' (AA' + S) + E l'' G (A u'S + S u A')/s + E l'' (G^2 - 1) S u u'S/s^2."""
    proof = Derivation(
        "Any loss; `A = y (m, 1)`, `s^2 = u'S u`; derivatives of moments by the envelope's calculus at `t = 0`.",
        sizes="one group, two signal coordinates",
    )
    theta = U.col_join(Matrix([BIAS]))
    away = theta - CENTRE
    group = GROUPS[0]
    mean, spread = group.margin(S.Zero)
    value = expected("envelope", group.index, mean, spread, S.Zero)
    gradient = Matrix([diff(value, x) for x in theta])
    A, image = group.label * group.mean.col_join(Matrix([1])), (group.covariance * U).col_join(Matrix([0]))
    slope, curvature, with_x, with_xx = (
        Symbol(f"{name}_{group.index}", real=True) for name in ("slope", "curvature", "curvature_x", "curvature_xx")
    )
    printed = proof.equal("A group's gradient in `(u, b)`", named(gradient), slope * A + curvature * image)
    s = Symbol(f"s_{group.index}", positive=True)
    covariance = Matrix(3, 3, lambda i, j: group.covariance[i, j] if max(i, j) < 2 else 0)
    hessian = proof.equal(
        "and its Hessian",
        named(Matrix(3, 3, lambda i, j: diff(gradient[i], theta[j], simplify=False))).subs(spread, s),
        curvature * (A * A.T + covariance)
        + with_x * (A * image.T + image * A.T) / s
        + with_xx * image * image.T / s**2,
    )
    penalty = RIDGE * U.dot(U) / 2 + ANCHOR * away.dot(away) / 2
    pull = proof.equal(
        "The penalties'",
        Matrix([diff(penalty, x) for x in theta]),
        RIDGE * U.col_join(Matrix([0])) + ANCHOR * away,
    )
    proof.result = {f"gradient_{i + 1}": entry for i, entry in enumerate(printed)}
    proof.result |= {f"hessian_{i + 1}{j + 1}": hessian[i, j] for i in range(3) for j in range(3)}
    proof.result |= {f"penalty_{i + 1}": entry for i, entry in enumerate(pull)}
    return proof
