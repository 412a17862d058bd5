"""Effects of on/off switches: Shapley values, main effects and interactions of a table of cells, and their intervals.

`shapley`, `interaction` and `joint_interaction` take `values` of shape (2,) * m + (...): entry [b_1, ..., b_m, ...] is
the outcome with switch i at setting b_i, and the trailing axes (replicates, say) are carried along. All are linear in
`values`. An `Effect` is such a contrast of worst-group accuracies, in replicates the accuracies of the worst groups.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import factorial, isinf
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..mixture import Array
from ..outcome import half_width


def shapley(values: ArrayLike, switches: int | None = None) -> Array:
    """Shapley value of each of the m switches, (m, ...): its effect averaged over all orders of switching on.

    phi_i = sum over sets S without i of |S|! (m - |S| - 1)! / m! (v(S and i) - v(S)), exactly, by subsets. They sum
    to v(all) - v(none). `switches` is m, when axes beside the switches trail; default all axes.

    Source: Shapley (1953), A value for n-person games; T21.

    >>> shapley([[0.649, 0.624], [0.716, 0.773]]).round(4).tolist()
    [0.108, 0.016]
    """
    table = np.asarray(values, dtype=np.float64)
    m = table.ndim if switches is None else switches
    if m == 0:
        return np.zeros((0, *table.shape))
    others_on = np.indices((2,) * (m - 1)).sum(axis=0) if m > 1 else np.array(0)
    by_size = np.array([factorial(size) * factorial(m - size - 1) / factorial(m) for size in range(m)])
    weights = by_size[others_on]
    return np.stack([np.tensordot(weights, np.diff(table, axis=i).squeeze(i), axes=m - 1) for i in range(m)])


def interaction(values: ArrayLike, switches: int, among: Iterable[int]) -> Array:
    """Interaction of the switches `among`, (...): their alternating difference, averaged over all other switches.

    Of one switch this is its main effect, on minus off; of two, the difference of differences
    v(both) - v(first) - v(second) + v(neither), without the factor 1/2 of some textbooks.

    >>> round(float(interaction([[0.649, 0.624], [0.716, 0.773]], 2, (0, 1))), 3)
    0.082
    """
    return joint_interaction(values, switches, [[i] for i in among])


def joint_interaction(values: ArrayLike, switches: int, blocks: Iterable[Iterable[int]]) -> Array:
    """As `interaction`, of blocks of switches that are turned on and off together.

    A block without switches changes nothing, so an interaction with it is zero.
    """
    table = np.asarray(values, dtype=np.float64)
    left = list(range(switches))
    for block in map(list, blocks):
        inside = [i in block for i in left]
        table = table[_face(inside, 1)] - table[_face(inside, 0)]
        left = [i for i in left if i not in block]
    return np.asarray(table.mean(axis=tuple(range(len(left)))))


def _face(inside: list[bool], setting: int) -> tuple[int | slice, ...]:
    """Index of the cells in which the switches marked in `inside` have this setting."""
    return tuple(setting if marked else slice(None) for marked in inside)


def interval(values: Array, exact: bool) -> tuple[float, float]:
    """95 % interval of the mean of `values` (R,) over replicates (`half_width`).

    A number that is exact is its own interval; one replicate of a simulation leaves the whole line.
    """
    mean = float(values.mean())
    half = 0.0 if exact else float(half_width(values))
    return mean - half, mean + half


@dataclass(frozen=True, eq=False)
class Effect:
    """A difference of worst-group accuracies over R replicates (R = 1 for a prediction).

    Attributes:
        values: (R,) effect in each replicate on the accuracy of the cells' worst groups (`of_least_mean`).
        direction: (R,) the part through the head's direction: the effect on WGA at the best bias for each direction.
        exact: whether the numbers are a prediction's, without sampling error.
    """

    values: Array
    direction: Array
    exact: bool

    def __add__(self, other: Effect) -> Effect:
        return Effect(self.values + other.values, self.direction + other.direction, self.exact)

    @property
    def mean(self) -> float:
        """The effect on worst-group accuracy, the least of the groups' mean accuracies."""
        return float(self.values.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the mean, with the worst groups as given; degenerate for a prediction."""
        return interval(self.values, self.exact)

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
        }

    def __str__(self) -> str:
        low, high = self.interval
        spread = "" if self.exact else " [one replicate: no interval]" if isinf(high) else f" [{low:+.3f}, {high:+.3f}]"
        return f"{self.mean:+.3f}{spread}"
