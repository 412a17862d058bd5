"""Expected losses of a Gaussian margin m = mu + t G, G ~ N(0, 1), and the moments that their derivatives need.

Squared, hinge and squared hinge are closed forms in Phi and phi; the logistic loss uses the trapezoid rule.
"""

from math import exp, log1p

from ..._jit import kernel
from ...gaussian import FINEST, REACH, cumulative, density, positive_part, squared_positive_part
from ...losses import HINGE, LOGISTIC, SQUARED


@kernel
def expected_loss(loss, mu, t, table):
    """(E l, E l', E l'', E l'' G, E l'' G^2) at m = mu + t G; any loss but MAX_MARGIN, t >= 0, hinges t > 0.

    By Stein's lemma E l' G = t E l''. For the hinge l'' is a point mass at m = 1, so E l'' is the margin's density
    there. `table` is `gaussian.DENSITY_TABLE`, an argument so that it is not compiled in.

    >>> from llrsim.gaussian import DENSITY_TABLE
    >>> from llrsim.losses import HINGE
    >>> [round(moment, 6) for moment in expected_loss(HINGE, 1.0, 1.0, DENSITY_TABLE)]
    [0.398942, -0.5, 0.398942, 0.0, 0.0]
    """
    if loss == SQUARED:
        return 0.5 * ((1.0 - mu) * (1.0 - mu) + t * t), mu - 1.0, 1.0, 0.0, 1.0
    if loss == LOGISTIC:
        return expected_logistic(mu, t, table, logistic_stride(t))
    c = 1.0 - mu
    z = c / t
    below, at = cumulative(z), density(z)
    if loss == HINGE:
        mass = at / t
        return positive_part(c, t), -below, mass, mass * z, mass * z * z
    return 0.5 * squared_positive_part(c, t), -(c * below + t * at), below, -at, below - z * at


@kernel
def logistic_stride(t):
    """Stride of the table for a step of at most 0.4/t and 1/2.

    In G the loss has its poles a = pi/t from the real line, so the trapezoid rule leaves exp(a^2/2 - 2 pi a / step),
    at most e^-41. Beyond t = 205, which no minimiser reaches (its t is about twice mu/t), the table ends and precision
    falls off.
    """
    stride = FINEST // 2
    while stride > 1 and stride * 2.5 * t > FINEST:
        stride //= 2
    return stride


@kernel
def expected_logistic(mu, t, table, stride):
    """`expected_loss` of the logistic loss at a given stride; halving it must change nothing."""
    value = slope = 0.0
    curvature = curvature_x = curvature_xx = 0.0  # E l'', E l'' G, E l'' G^2
    step = stride / FINEST
    for i in range(0, table.size, stride):
        x = i / FINEST - REACH
        m = mu + t * x
        e = exp(-abs(m))
        weight = step * table[i]
        right = 1.0 / (1.0 + e)
        second = weight * e * right * right
        value += weight * (log1p(e) + max(-m, 0.0))
        slope -= weight * (e * right if m > 0.0 else right)
        curvature += second
        curvature_x += second * x
        curvature_xx += second * x * x
    return value, slope, curvature, curvature_x, curvature_xx
