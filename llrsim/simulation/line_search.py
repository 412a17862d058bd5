"""The exact line search of Newton steps on rows: only the step's image is needed."""

from math import inf

from .._jit import private, reduction
from ..losses import curvature_from_slope, slopes
from .passes import inner

FLATNESS = 0.02  # the line search stops at this fraction of the slope it started from


@reduction
def moment(c, pulls, image):
    """sum_i c_i l'_i image_i."""
    total = 0.0
    for i in range(c.size):
        total += c[i] * pulls[i] * image[i]
    return total


@reduction
def bending(loss, c, pulls, image):
    """sum_i c_i l''_i image_i^2."""
    total = 0.0
    for i in range(c.size):
        total += c[i] * curvature_from_slope(loss, pulls[i]) * image[i] * image[i]
    return total


@private
def exact_length(loss, c, penalty, grad, step, margins, pulls, image, ahead):
    """The t > 0 at which the objective along the step is least: safeguarded Newton on its monotone derivative.

    The derivative is its value at 0, from the true gradient, plus the change of what is computed here: the image is in
    single precision, and only so its error stays relative to the step. `ahead` (n,) is scratch; `pulls` is overwritten
    by the slopes at t.
    """
    start = inner(grad, step)
    offset, ridge = start - moment(c, pulls, image), 0.0
    for q in range(step.size):
        ridge += penalty[q] * step[q] * step[q]
    low, high, t = 0.0, inf, 1.0
    for _ in range(60):
        for i in range(c.size):
            ahead[i] = margins[i] + t * image[i]
        slopes(loss, ahead, 0, c.size, pulls)
        first = offset + t * ridge + moment(c, pulls, image)
        if abs(first) <= -FLATNESS * start:
            break
        if first > 0.0:
            high = t
        else:
            low = t
        t = min(t - first / (ridge + bending(loss, c, pulls, image)), 8.0 * t)
        if not low < t < high:
            t = 0.5 * (low + high) if high < inf else 2.0 * low
    return t
