"""Comparisons of a row's quantity with a threshold, by intervals that hold together over a family of comparisons.

A comparison holds or fails only where the whole interval says so; else, and where there is no interval, it is open.
"No difference" is an interval inside an equivalence margin, never one that merely covers zero (Schuirmann 1987).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..outcome import half_width_of
from .verdict import Finding

Row = Mapping[str, Any]


def interval(row: Row, name: str, comparisons: int = 1) -> tuple[float, float] | None:
    """Interval of the quantity `name`, one of `comparisons` that hold together with 95 %; None without an error."""
    mean, error = row[name], row[f"{name}_se"]
    if mean is None or error is None:
        return None
    half = float(half_width_of(error, row[f"{name}_count"] - 1, comparisons=comparisons))
    return mean - half, mean + half


def above(text: str, row: Row, name: str, threshold: float = 0.0, *, comparisons: int = 1) -> Finding:
    """The finding that the quantity exceeds the threshold; it fails where the interval lies below.

    >>> row = {"gain": 0.04, "gain_se": 0.01, "gain_count": 40}
    >>> [above("gain", row, "gain", threshold).holds for threshold in (0.0, 0.03, 0.1)]
    [True, None, False]
    """
    return _found(text, row, name, comparisons, lambda low, high: (low > threshold, high < threshold))


def below(text: str, row: Row, name: str, threshold: float = 0.0, *, comparisons: int = 1) -> Finding:
    """The finding that the quantity is less than the threshold; it fails where the interval lies above."""
    return _found(text, row, name, comparisons, lambda low, high: (high < threshold, low > threshold))


def within(text: str, row: Row, name: str, margin: float, *, comparisons: int = 1) -> Finding:
    """The finding that the quantity is zero but for `margin`; it fails where the interval lies outside of that.

    >>> row = {"gain": 0.004, "gain_se": 0.0025, "gain_count": 40}
    >>> [within("gain", row, "gain", 0.01, comparisons=count).holds for count in (1, 1000)]
    [True, None]
    >>> [within("gain", row | {"gain_se": error}, "gain", 0.01).holds for error in (0.005, None)]
    [None, None]
    """
    return _found(
        text,
        row,
        name,
        comparisons,
        lambda low, high: (-margin <= low and high <= margin, low > margin or high < -margin),
    )


def foremost(text: str, findings: Sequence[Finding]) -> Finding:
    """A family of findings as one, which holds if all do and fails if one does; the number is the worst one's.

    The worst is the one that fails, else is open, else is largest, and of several the one largest in absolute value.
    """
    rank = {False: 2, None: 1, True: 0}
    one = max(findings, key=lambda finding: (rank[finding.holds], abs(finding.estimate or 0.0)))
    return Finding(f"{text} (of {len(findings)}: {one.text})", one.estimate, one.low, one.high, one.holds)


def _found(text: str, row: Row, name: str, comparisons: int, decide: Any) -> Finding:
    ends = interval(row, name, comparisons)
    if ends is None:
        return Finding(text, row[name], None, None, None)
    holds, fails = decide(*ends)
    return Finding(text, row[name], *ends, True if holds else False if fails else None)
