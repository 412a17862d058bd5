"""When a gain is one to split, and when one of its parts carries it: decided by intervals, by one rule everywhere.

An interval is (low, high); a number that is exact, such as a prediction's, is its own interval (x, x).
"""

from __future__ import annotations

Interval = tuple[float, float]

SMALLEST_GAIN = 0.005
"""Gains in worst-group accuracy up to half a point are not split."""

DOMINANCE = 2.0
"""One of balance and collapse carries the gain when it is more than so many times the other."""


def has_gain(gain: Interval) -> bool | None:
    """Whether there is a gain to split: not where it is at most `SMALLEST_GAIN`, for a loss is no gain.

    None, not decided, where its interval reaches below zero, but also above `SMALLEST_GAIN`.

    >>> [has_gain(interval) for interval in ((0.01, 0.02), (-0.02, 0.004), (-0.01, 0.02))]
    [True, False, None]
    """
    low, high = gain
    if high <= SMALLEST_GAIN:
        return False
    return True if low > 0 else None


def dominates(share: Interval, excess: Interval) -> bool | None:
    """Whether a part carries a gain: its share is positive, and more than `DOMINANCE` times the other part's.

    `excess` is the share less `DOMINANCE` times the other. None where the intervals do not decide.

    >>> [dominates((0.01, 0.02), excess) for excess in ((0.01, 0.03), (-0.03, -0.01), (-0.01, 0.01))]
    [True, False, None]
    >>> dominates((-0.02, -0.01), (0.01, 0.03))
    False
    """
    if share[0] > 0 and excess[0] > 0:
        return True
    return False if share[1] <= 0 or excess[1] <= 0 else None
