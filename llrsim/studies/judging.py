"""Comparisons of a row's quantity with a threshold, by intervals that hold together over a family of comparisons.

A comparison holds or fails only where the whole interval says so; else, and where there is no interval, it is open.
"No difference" is an interval inside an equivalence margin, never one that merely covers zero (Schuirmann 1987).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import inf
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
    return _found(
        text,
        row,
        name,
        comparisons,
        lambda low, high: (low > threshold, high < threshold),
        lambda mean: mean - threshold,
    )


def below(text: str, row: Row, name: str, threshold: float = 0.0, *, comparisons: int = 1) -> Finding:
    """The finding that the quantity is less than the threshold; it fails where the interval lies above."""
    return _found(
        text,
        row,
        name,
        comparisons,
        lambda low, high: (high < threshold, low > threshold),
        lambda mean: threshold - mean,
    )


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
        lambda mean: margin - abs(mean),
    )


def foremost(text: str, findings: Sequence[Finding]) -> Finding:
    """A family of findings as one, which holds if all do and fails if one does; the number is the worst one's.

    The worst is one that fails, else is open, else holds; of several the one with the least slack, that is the farthest
    beyond its threshold, or the nearest to it if all hold.

    >>> rows = [{"gain": gain, "gain_se": 0.001, "gain_count": 40} for gain in (0.04, 0.02, 0.3)]
    >>> foremost("least", [above("gain", row, "gain", 0.01) for row in rows]).estimate
    0.02
    >>> foremost("largest", [below("gain", row, "gain", 0.1) for row in rows]).told
    'largest (of 3: gain): +0.300 [+0.298, +0.302]'
    """
    rank = {False: 0, None: 1, True: 2}
    one = min(findings, key=lambda finding: (rank[finding.holds], -inf if finding.slack is None else finding.slack))
    return replace(one, text=f"{text} (of {len(findings)}: {one.text})")


def _found(
    text: str,
    row: Row,
    name: str,
    comparisons: int,
    decide: Callable[[float, float], tuple[bool, bool]],
    slack: Callable[[float], float],
) -> Finding:
    """The finding on a quantity: `decide` tells of an interval whether it holds and whether it fails."""
    mean, ends = row[name], interval(row, name, comparisons)
    left = None if mean is None else slack(mean)
    if ends is None:
        return Finding(text, mean, None, None, None, left)
    holds, fails = decide(*ends)
    return Finding(text, mean, *ends, True if holds else False if fails else None, left)
