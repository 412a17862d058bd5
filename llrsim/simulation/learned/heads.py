"""A stage's head fitted on features, by the array solvers and on the rows that the dense simulator would use."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...mixture import Array
from ...planning import Stage
from ...status import Status
from ...stream import Role, key, shuffle
from ..fitting import fit_rows


class FittedHead(NamedTuple):
    """The logit x.w + b on features (m,), how its fit ended, and the optimal biases where there are several."""

    weights: Array
    bias: float
    status: Status
    certificate: float
    iterations: int
    bias_interval: tuple[float, float] | None = None

    @classmethod
    def without(cls, status: Status) -> FittedHead:
        """No head, for this reason."""
        return cls(np.empty(0), float("nan"), status, float("nan"), 0)

    def logit(self, features: Array) -> Array:
        """(n,) on features (n, m)."""
        return features @ self.weights + self.bias


def fit_stage(
    stage: Stage, features: Array, labels: Array, *, start: FittedHead | None, root: np.uint64, replicate: int
) -> FittedHead:
    """The head of a stage on its sample's features (n, m) and labels (n,), averaged where the stage says so.

    `start` is the head of the stage it starts from; without one there, there is none here.
    """
    if start is not None and not start.status.ok:
        return FittedHead.without(start.status)
    origin = np.zeros(features.shape[1] + 1) if start is None else np.append(start.weights, start.bias)
    weight = np.repeat(stage.selection.weight, stage.selection.used)
    fits = []
    for index in range(stage.average):
        rows = used_rows(stage, index, root=root, replicate=replicate)
        found = fit_rows(
            features[rows],
            labels[rows],
            weight,
            head=stage.head,
            origin=origin,
            anchor=stage.anchor,
            seed=(int(root) << 64) + (replicate << 32) + index,  # any whole number keys a stream
        )
        if not found.status.ok:
            return FittedHead.without(found.status)
        fits.append(found)
    status = Status.of_all(found.status for found in fits)
    low, high = np.mean([found.bias_interval or (found.bias, found.bias) for found in fits], axis=0)
    return FittedHead(
        np.mean([found.weights for found in fits], axis=0),
        float(np.mean([found.bias for found in fits])),
        status,
        max(found.certificate for found in fits),
        sum(found.iterations for found in fits),
        (low, high) if status is Status.BIAS_NOT_UNIQUE else None,
    )


def used_rows(stage: Stage, index: int, *, root: np.uint64, replicate: int) -> Array:
    """(rows used,) places in the sample, section by section: a prefix, in cycles where rows are used more than once.

    Where heads are averaged each takes random rows of every section, those that the dense simulator draws.
    """
    state, first, chosen = np.empty(4, np.uint64), 0, []
    if stage.average > 1:
        key(state, root, int(Role.SUBSET), replicate, index)
    for available, used in zip(stage.selection.available, stage.selection.used, strict=True):
        order = np.arange(available)
        if stage.average > 1:
            shuffle(state, order)
        chosen.append(first + np.resize(order, used))
        first += available
    return np.concatenate(chosen)
