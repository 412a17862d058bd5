"""Expectations over G ~ N(0, 1) inside kernels: Phi and phi, truncated moments, and nodes for smooth integrands."""

from math import erfc, exp, pi, sqrt

import numpy as np

from .._jit import kernel

REACH = 9  # |G| beyond it has probability 2e-19
FINEST = 512  # nodes a unit in the table

_ROOT_HALF = sqrt(0.5)
_DENSITY_AT_ZERO = 1.0 / sqrt(2.0 * pi)


@kernel
def cumulative(z):
    """Phi(z) = P(G <= z), accurate in relative terms in the lower tail.

    >>> round(cumulative(1.0), 6), f"{cumulative(-20.0):.6e}"
    (0.841345, '2.753624e-89')
    """
    return 0.5 * erfc(-_ROOT_HALF * z)


@kernel
def density(z):
    """phi(z).

    >>> round(density(0.0), 6)
    0.398942
    """
    return _DENSITY_AT_ZERO * exp(-0.5 * z * z)


@kernel
def positive_part(c, t):
    """E (c + t G)_+ = c Phi(c/t) + t phi(c/t), for t > 0.

    >>> round(positive_part(0.0, 2.0), 6)
    0.797885
    """
    return c * cumulative(c / t) + t * density(c / t)


@kernel
def squared_positive_part(c, t):
    """E (c + t G)_+^2 = (t^2 + c^2) Phi(c/t) + c t phi(c/t), for t > 0 (T11).

    >>> round(squared_positive_part(0.0, 2.0), 6)
    2.0
    """
    return (t * t + c * c) * cumulative(c / t) + c * t * density(c / t)


# phi on the grid i / FINEST, i = -REACH FINEST .. REACH FINEST. The trapezoid rule
#     E h(G) = step * sum_i phi(i step) h(i step)
# reads it at a stride. For h analytic within a of the real line its error is about exp(-2 pi a / step), so a function
# that varies on a scale 1/t needs a step of order 1/t; the spacing of Gauss-Hermite nodes falls only as 1/sqrt(nodes).
DENSITY_TABLE = _DENSITY_AT_ZERO * np.exp(-0.5 * (np.arange(-REACH * FINEST, REACH * FINEST + 1) / FINEST) ** 2)
