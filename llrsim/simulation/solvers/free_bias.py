"""The biases that minimise a weighted hinge loss at given weights: one, or all of an interval.

As a function of the bias t alone, sum_i c_i (1 - m_i - y_i (t - b))_+ is convex and piecewise linear, with a kink where
a row's margin is 1. It is flat between two kinks where the rows inside the margin have equal weight in both classes: so
where the ridge is so large that no margin reaches 1 and classes are balanced.
"""

from math import inf

from ..._jit import kernel

ROUNDING = 1e-12  # slope, of the total weight, that is none


@kernel
def optimal_biases(labels, margins, c, bias):
    """Return the least and the largest optimal bias, given labels (n,), the margins (n,) at `bias` and weights c (n,).

    The two are neighbouring numbers where the optimum is unique. Both classes must have weight.
    """
    low, high, total = inf, -inf, 0.0
    for i in range(labels.size):
        if c[i] > 0.0:
            kink = bias + labels[i] * (1.0 - margins[i])
            low, high = min(low, kink), max(high, kink)
            total += c[i]
    level = ROUNDING * total
    below = low - 1.0 - abs(low)
    return _rise(labels, margins, c, bias, below, high, -level), _rise(labels, margins, c, bias, below, high, level)


@kernel
def optimal_biases_of(X, y, c, w):
    """Return `optimal_biases` of the head w (p,), bias last, on the design X (n, p)."""
    p = w.size
    margins = y.copy()
    for i in range(y.size):
        margins[i] = 0.0
        for j in range(p):
            margins[i] += y[i] * X[i, j] * w[j]
    return optimal_biases(y, margins, c, w[p - 1])


@kernel
def nearest_to_zero(low, high):
    """Return the number of least size in [low, high]."""
    return min(max(0.0, low), high)


@kernel
def _rise(labels, margins, c, bias, low, high, level):
    """Return the least t in (low, high] from where on the slope is above `level`, by bisection to neighbouring numbers.

    The slope must be at most `level` at `low`, and above it beyond `high`.
    """
    while True:
        middle = 0.5 * (low + high)
        if not low < middle < high:
            return high
        slope = 0.0
        for i in range(labels.size):
            if margins[i] + labels[i] * (middle - bias) < 1.0:
                slope -= c[i] * labels[i]
        if slope > level:
            high = middle
        else:
            low = middle
