"""The statistic of every measurement: two ways of doing the same are timed by turns, and each pair gives a ratio.

What slows a machine for longer than a pair takes slows both sides of it, and leaves the ratio alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Annotated, NamedTuple

import msgspec
import numpy as np

from ..mixture import Array

Positive = Annotated[float, msgspec.Meta(gt=0)]


class Sides(NamedTuple):
    """What a measurement times.

    Attributes:
        ours, theirs: llrsim, and the reference.
        calls: how many calls of each make one timing, for calls too short to be timed alone.
        amount: what a call of either handles, in the unit without its "/s"; 0 where a time says more than a rate.
        unit: of the rate, such as "B/s" or "rows/s".
    """

    ours: Callable[[], object]
    theirs: Callable[[], object]
    calls: tuple[int, int] = (1, 1)
    amount: float = 0.0
    unit: str = ""


class Quartiles(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The median of some timings, rates or ratios, and the quartiles around it."""

    median: Positive
    low: Positive
    high: Positive

    def __post_init__(self) -> None:
        if not self.low <= self.median <= self.high:
            raise ValueError(f"must have low <= median <= high, not {self.low}, {self.median}, {self.high}")

    @classmethod
    def of(cls, values: Sequence[float] | Array) -> Quartiles:
        """Those of some values above 0.

        >>> Quartiles.of([4.0, 1.0, 2.0, 3.0, 5.0])
        Quartiles(median=3.0, low=2.0, high=4.0)
        """
        low, median, high = np.percentile(values, [25, 50, 75]).tolist()
        return cls(median, low, high)

    def overlaps(self, other: Quartiles) -> bool:
        """Whether the intervals between the quartiles have a point in common."""
        return self.low <= other.high and other.low <= self.high


def timed_pairs(sides: Sides, *, seconds: float = 0.0, least: int = 5, most: int = 41) -> Array:
    """(pairs, 2) seconds that a call of each side takes: `least` pairs, and up to `most` while `seconds` last.

    The sides take turns at going first. A pair before these, which compiles and loads, is not counted.
    """
    runs = (sides.ours, sides.theirs)
    times: list[list[float]] = []
    end = 0.0
    while len(times) <= least or (len(times) <= most and perf_counter() < end):
        pair = [0.0, 0.0]
        for side in (0, 1) if len(times) % 2 else (1, 0):
            began = perf_counter()
            for _ in range(sides.calls[side]):
                runs[side]()
            pair[side] = (perf_counter() - began) / sides.calls[side]
        if not times:
            end = perf_counter() + seconds
        times.append(pair)
    return np.array(times[1:])


def ratios(times: Array) -> Quartiles:
    """How many times faster llrsim is: the reference's time over llrsim's, pair by pair."""
    return Quartiles.of(times[:, 1] / times[:, 0])
