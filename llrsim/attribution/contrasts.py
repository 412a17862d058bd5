"""Splitting a table of on/off switches: Shapley values, main effects and interactions.

Every function takes `values` of shape (2,) * m + (...): entry [b_1, ..., b_m, ...] is the outcome with switch i at
setting b_i, and the trailing axes (replicates, say) are carried along. All are linear in `values`.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import factorial

import numpy as np
from numpy.typing import ArrayLike

from ..mixture import Array


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
