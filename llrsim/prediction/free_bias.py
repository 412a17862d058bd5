"""Biases that a hinge leaves open in a limit: those at which the objective's slope is rounding."""

from __future__ import annotations

from collections.abc import Callable

FLAT = 1e-12  # slope in the bias, beside the pulls of both classes that it is the sum of, that is rounding
BENT = 1e-6  # curvature in the bias beside those pulls, above which no interval of such slopes can be seen
WIDE = 1e-6  # least length of an interval, in units of the margin
ROUNDS = 100


def optimal_biases(slope: Callable[[float], float], pulls: float, reach: float) -> tuple[float, float] | None:
    """Return the ends of the interval of biases within `reach` of 0 at which the size of `slope` is at most FLAT pulls.

    `slope` rises in the bias; `pulls` > 0 is the sum of its terms' sizes. None where the interval is shorter than WIDE.
    """
    low, high = _crossing(slope, -reach, reach, -FLAT * pulls), _crossing(slope, -reach, reach, FLAT * pulls)
    return (low, high) if high - low > WIDE else None


def nearest_to_zero(interval: tuple[float, float]) -> float:
    """Return the number of least size in an interval."""
    return min(max(0.0, interval[0]), interval[1])


def _crossing(slope: Callable[[float], float], low: float, high: float, level: float) -> float:
    """Return where a rising slope crosses a level, by bisection; the end that is nearer where it does not."""
    for _ in range(ROUNDS):
        middle = 0.5 * (low + high)
        if not low < middle < high:
            break
        if slope(middle) > level:
            high = middle
        else:
            low = middle
    return 0.5 * (low + high)
