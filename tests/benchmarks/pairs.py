"""Time two ways of doing the same by turns: each pair gives a ratio.

What slows a machine for longer than a pair takes slows both sides of it, and leaves the ratio alone.
"""

from collections.abc import Callable
from time import perf_counter
from typing import NamedTuple

import numpy as np


class Sides(NamedTuple):
    """llrsim and its reference, and how many calls of each make one timing (for calls too short to be timed alone)."""

    ours: Callable[[], object]
    theirs: Callable[[], object]
    calls: tuple[int, int] = (1, 1)


class Quartiles(NamedTuple):
    """A median with the quartiles around it."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3g}x [{self.low:.3g}, {self.high:.3g}]"


def quartiles(values) -> Quartiles:
    """Return the median of some values and their quartiles."""
    low, median, high = np.percentile(values, [25, 50, 75]).tolist()
    return Quartiles(median, low, high)


class Clock:
    """A timer for pytest-benchmark that reads llrsim's time in units of its reference's: records of two machines, or
    of two commits on a busy one, can then be compared by `--benchmark-compare`."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


CLOCK = Clock()


class Pairs:
    """Time one pair of calls at each call, the sides taking turns at going first."""

    def __init__(self, sides: Sides) -> None:
        self.sides = sides
        self.seconds: list[tuple[float, float]] = []

    def __call__(self) -> None:
        pair = [0.0, 0.0]
        for side in (0, 1) if len(self.seconds) % 2 else (1, 0):
            began = perf_counter()
            for _ in range(self.sides.calls[side]):
                self.sides[side]()
            pair[side] = (perf_counter() - began) / self.sides.calls[side]
        self.seconds.append((pair[0], pair[1]))
        CLOCK.now += pair[0] / pair[1]

    @property
    def times(self) -> np.ndarray:
        """(pairs, 2) seconds; the first pair, which compiles and loads, is left out."""
        return np.array(self.seconds[1:])

    @property
    def ratio(self) -> Quartiles:
        """How many times faster llrsim is: the reference's time over llrsim's, pair by pair."""
        return quartiles(self.times[:, 1] / self.times[:, 0])


def rate(run: Callable[[], object], amount: float, *, seconds: float = 0.0, least: int = 5) -> float:
    """Return the median amount a second over at least `least` calls after one that is not counted."""
    run()
    taken: list[float] = []
    end = perf_counter() + seconds
    while len(taken) < least or perf_counter() < end:
        began = perf_counter()
        run()
        taken.append(perf_counter() - began)
    return float(np.median(amount / np.array(taken)))
