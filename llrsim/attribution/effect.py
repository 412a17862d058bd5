"""One effect on worst-group accuracy, with its direction and bias parts and its interval over replicates."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isinf, sqrt
from typing import Any

from scipy.special import stdtrit

from ..mixture import Array

LEVEL = 0.95


def interval(values: Array, exact: bool) -> tuple[float, float]:
    """95 % t interval of the mean of `values` (R,) over replicates.

    A number that is exact is its own interval; one replicate of a simulation leaves the whole line.
    """
    mean, count = float(values.mean()), len(values)
    if exact:
        return mean, mean
    if count < 2:
        return -inf, inf
    half = float(stdtrit(count - 1, 0.5 + LEVEL / 2)) * float(values.std(ddof=1)) / sqrt(count)
    return mean - half, mean + half


@dataclass(frozen=True, eq=False)
class Effect:
    """A difference of worst-group accuracies over R replicates (R = 1 for a prediction).

    Attributes:
        wga: (R,) effect on the worst-group accuracy of each replicate.
        direction: (R,) the part through the head's direction: the effect on WGA at the best bias for each direction.
        of_means: the effect on the least of the mean group accuracies, which is what theory predicts.
        exact: whether the numbers are a prediction's, without sampling error.
    """

    wga: Array
    direction: Array
    of_means: float
    exact: bool

    def __add__(self, other: Effect) -> Effect:
        return Effect(
            self.wga + other.wga, self.direction + other.direction, self.of_means + other.of_means, self.exact
        )

    @property
    def mean(self) -> float:
        """Mean effect over the replicates."""
        return float(self.wga.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the mean; degenerate for a prediction."""
        return interval(self.wga, self.exact)

    @property
    def direction_part(self) -> float:
        """Mean effect through the direction; with `bias_part` it sums to `mean`."""
        return float(self.direction.mean())

    @property
    def bias_part(self) -> float:
        """Mean effect through the threshold."""
        return self.mean - self.direction_part

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; the interval is null for a single replicate."""
        low, high = self.interval
        return {
            "mean": self.mean,
            "interval": None if isinf(high) else [low, high],
            "direction_part": self.direction_part,
            "bias_part": self.bias_part,
            "of_means": self.of_means,
        }

    def __str__(self) -> str:
        low, high = self.interval
        spread = "" if self.exact else " [one replicate: no interval]" if isinf(high) else f" [{low:+.3f}, {high:+.3f}]"
        return f"{self.mean:+.3f}{spread}"
