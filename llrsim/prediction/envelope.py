"""Moments of the Moreau envelope's slope under a Gaussian argument: what the fixed point T8 is made of.

    M(a) = min_p  om l(p) + (p - a)^2 / (2 t),    a = mean + s G,  G ~ N(0, 1),

with t = sigma^2 V. Its slope M' = om l'(P) and curvature M'' = om l''(P) / (1 + t om l''(P)) are taken at the prox P.
As dM/dt = -M'^2 / 2, Stein's lemma gives every derivative of E M', E M'' and E M'^2 in (mean, s, t) from the eight
moments below, so that the Jacobian of the fixed point needs no further expectation.
"""

from math import asinh, exp, inf, log, log1p, pi, sqrt
from typing import NamedTuple

import numpy as np

from .._jit import kernel, private
from ..model.gaussian import cumulative, density
from ..model.losses import HINGE, LOGISTIC, MAX_MARGIN, SQUARED

REACH = 8.5  # |G| beyond it has probability 2e-17
BULK = 6.0  # |G| up to which the step must resolve the integrand
NARROW = 0.8  # step of the trapezoid rule in G: exp(-2 pi^2 / 0.64) = 4e-14
TIGHT = 0.01  # s below which G cannot be read off P
THIN = 0.5  # width, in G, of a piece of M' below which differences of Phi cancel
NODES, NODE_WEIGHTS = np.polynomial.legendre.leggauss(8)
STEP = 0.16  # of the trapezoid rule in x, P = sinh x; see `logistic_moments`


class Moments(NamedTuple):
    """E of: M', M'', M'' G, M'' (G^2 - 1), M'^2, M' M'', M' M'' G, M'^2 M''."""

    slope: float
    curvature: float
    curvature_x: float
    curvature_xx: float
    square: float
    product: float
    product_x: float
    cubic: float


@kernel
def logistic_prox(a, t):
    """P with P - a = t / (1 + e^P), the prox of the logistic loss at t >= 0.

    Plain Newton cycles at large t, where the equation is straight on either side of a bend. Here the root is first
    mirrored to P >= 0, where the miss P - a - t / (1 + e^P) is concave, and Newton starts left of it, so that every
    step is a step towards the root: a tangent lies above a concave curve.

    >>> round(logistic_prox(0.0, 1.0), 6)
    0.401058
    """
    mirrored = a < -0.5 * t
    if mirrored:
        a = -(a + t)
    # Left of the root, as P - a >= (t/2) e^-P for P >= 0 and log D >= 0.
    p = max(0.0, a)
    if t > 2.0:
        p = max(p, log(0.5 * t / max(1.0, log1p(0.5 * t) - a)))
    for _ in range(60):
        e = exp(-p)
        right = e / (1.0 + e)
        step = (a + t * right - p) / (1.0 + t * right * (1.0 - right))
        p += step
        if step <= 1e-15 * (1.0 + p):
            break
    return -p if mirrored else p


@private
def _with(total, x, weight, first, second):
    """The moments with those of a node at G = x added: its weight, -M' there, and the weight times M''."""
    return Moments(
        total.slope - weight * first,
        total.curvature + second,
        total.curvature_x + second * x,
        total.curvature_xx + second * (x * x - 1.0),
        total.square + weight * first * first,
        total.product - second * first,
        total.product_x - second * first * x,
        total.cubic + second * first * first,
    )


@kernel
def logistic_moments(mean, s, t, refinement):
    """The moments at weight one by the trapezoid rule on P itself, where a(P) = P - t / (1 + e^P) is explicit.

    No prox is solved but at the two ends. In P = sinh x the loss has its poles at height pi/2, and a wide Gaussian
    around zero decays in a strip of pi/4: STEP. A Gaussian that is narrow in x sets the step itself: NARROW. Where
    either alone would ask for about the same step, near t/s = 18, the Gaussian grows inside the strip and the smaller
    one is off by 1e-8; with their inverses added in squares all moments hold to 1e-11. `refinement` divides the step:
    1.0, or 2.0 to see that nothing changes; a float, because integer literals are compiled for each value.
    """
    if s < TIGHT:
        return _tight_moments(mean, s, t, refinement)
    low, high = logistic_prox(mean - BULK * s, t), logistic_prox(mean + BULK * s, t)
    steepest = max(_steepness(low, t), _steepness(high, t))
    if low < 1.0 and high > -1.0:
        # Between the two (1 + t l'') sqrt(1 + P^2) is largest near |P| = 1, where it is under 1.5 + 0.28 t.
        steepest = max(steepest, 1.5 + 0.28 * t)
    step = 1.0 / (refinement * sqrt(1.0 / (STEP * STEP) + (steepest / (NARROW * s)) ** 2))
    low, high = logistic_prox(mean - REACH * s, t), logistic_prox(mean + REACH * s, t)
    start, end = asinh(low), asinh(high)
    nodes = int((end - start) / step) + 1
    step = (end - start) / nodes
    ratio, e_x = exp(step), exp(start)
    scale = step / (s * sqrt(2.0 * pi))
    total = Moments(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    for _ in range(nodes + 1):
        inverse = 1.0 / e_x
        p = 0.5 * (e_x - inverse)
        e = exp(-abs(p))
        far = 1.0 / (1.0 + e)
        near = e * far
        first = near if p > 0.0 else far  # -l'(P)
        stretch = 1.0 + t * near * far  # da/dP
        x = (p - t * first - mean) / s
        weight = scale * exp(-0.5 * x * x) * 0.5 * (e_x + inverse)
        second = weight * near * far  # the weight times M'' da/dP
        weight *= stretch
        total = _with(total, x, weight, first, second)
        e_x *= ratio
    return total


@kernel
def _tight_moments(mean, s, t, refinement):
    """The moments for small s by the trapezoid rule in G, at proxes solved one by one.

    Reading G off P would lose as many digits as s has zeros; M' is analytic far beyond s from the real line.
    """
    total = Moments(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    half = int(REACH / NARROW * refinement)
    step = REACH / half
    for i in range(-half, half + 1):
        x = i * step
        weight = step * density(x)
        p = logistic_prox(mean + s * x, t)
        e = exp(-abs(p))
        far = 1.0 / (1.0 + e)
        first = e * far if p > 0.0 else far
        second = e * far * far
        second *= weight / (1.0 + t * second)
        total = _with(total, x, weight, first, second)
    return total


@kernel
def _steepness(p, t):
    """da/dx at P = sinh x."""
    e = exp(-abs(p))
    return (1.0 + t * e / ((1.0 + e) * (1.0 + e))) * sqrt(1.0 + p * p)


@kernel
def clipped_moments(mean, s, slope, kink, floor):
    """The moments of M'(a) = max(slope (a - kink), -floor) for a < kink, 0 above: truncated Gaussian moments.

    `floor` is inf for a slope that falls without bound.
    """
    m = mean - kink
    beta = -m / s
    if floor < THIN * slope * s:
        return _thin_moments(beta, s, slope, floor)
    alpha = -inf if floor == inf else beta - floor / (slope * s)
    at_alpha, below = (0.0, 0.0) if alpha == -inf else (density(alpha), cumulative(alpha))
    at_beta = density(beta)
    # E G^k 1{alpha < G < beta}; in the upper tail as a difference of upper tails.
    i0 = cumulative(-alpha) - cumulative(-beta) if alpha > 0.0 else cumulative(beta) - below
    i1 = at_alpha - at_beta
    alpha_at_alpha = 0.0 if alpha == -inf else alpha * at_alpha
    i2 = i0 + alpha_at_alpha - beta * at_beta
    linear = m * i0 + s * i1
    quadratic = m * linear + s * (m * i1 + s * i2)
    clipped = 0.0 if floor == inf else floor * below
    clipped_square = 0.0 if floor == inf else floor * floor * below
    return Moments(
        slope * linear - clipped,
        slope * i0,
        slope * i1,
        slope * (i2 - i0),
        slope * slope * quadratic + clipped_square,
        slope * slope * linear,
        slope * slope * (m * i1 + s * i2),
        slope * slope * slope * quadratic,
    )


@kernel
def _thin_moments(beta, s, slope, floor):
    """`clipped_moments` where the sloping piece is thin against s, so that differences of Phi would cancel.

    Gauss-Legendre over the piece: with its eight nodes the closed form to rounding.
    """
    width = floor / (slope * s)
    below = cumulative(beta - width)
    total = Moments(-floor * below, 0.0, 0.0, 0.0, floor * floor * below, 0.0, 0.0, 0.0)
    for i in range(NODES.size):
        left = 0.5 * width * (1.0 - NODES[i])  # distance to the kink, in G
        x = beta - left
        weight = 0.5 * width * NODE_WEIGHTS[i] * density(x)
        total = _with(total, x, weight, slope * s * left, slope * weight)
    return total


@kernel
def scaled(e, factor, power):
    """The moments of factor M'(power a) from those of M' at power a: M' by factor, M'' by factor power."""
    curvature = factor * power
    return Moments(
        factor * e.slope,
        curvature * e.curvature,
        curvature * e.curvature_x,
        curvature * e.curvature_xx,
        factor * factor * e.square,
        factor * curvature * e.product,
        factor * curvature * e.product_x,
        factor * factor * curvature * e.cubic,
    )


@kernel
def moments(problem, g, mean, s, t, softness, refinement):
    """`Moments` of group g of a `ProportionalProblem` at argument mean + s G and parameter t = sigma_g^2 V, s, t > 0.

    `softness` > 0 relaxes the constraint of MAX_MARGIN to the penalty (kappa - m)_+^2 / (2 softness) and rounds the
    kink of HINGE to that parabola; other losses do not use it. The vector-scaling loss, Delta m - iota in place of m,
    is the logistic loss at an argument and a parameter of its own.
    """
    loss, weight = problem.loss, problem.weights[g]
    if loss == LOGISTIC:
        scale = problem.scales[g]
        one = logistic_moments(scale * mean - problem.shifts[g], scale * s, scale * scale * t * weight, refinement)
        return scaled(one, scale * weight, scale)
    if loss == SQUARED:
        c, m = weight / (1.0 + t * weight), mean - 1.0
        square = c * c * (m * m + s * s)
        return Moments(c * m, c, 0.0, 0.0, square, c * c * m, c * c * s, c * square)
    if loss == HINGE:
        return clipped_moments(mean, s, 1.0 / (softness + t), 1.0, weight)
    if loss == MAX_MARGIN:
        return clipped_moments(mean, s, 1.0 / (softness + t), problem.margins[g], inf)
    return clipped_moments(mean, s, weight / (1.0 + t * weight), 1.0, inf)
