"""Between a method's outcome and the rows of the store.

Everything follows from the heads (T0), so a row keeps the head and the few numbers that people query for. Blobs are
little-endian float64 arrays:

- `head`: signal u (k), bias b, noise norm |v|, noise spread q, then the accuracy of each group (G);
- `path`: for each recorded step of a descent, u (k), b, |v|, q; NULL without a path.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..head import Head
from ..outcome import Limit, MethodOutcome, Path

if TYPE_CHECKING:
    from ..mixture import Array, GroupMixture
    from ..planning import Stage

FIELDS = (
    "status",
    "wga",
    "direction_wga",
    "average_accuracy",
    "iterations",
    "certificate",
    "largest_stable_step",
    "head",
    "path",
)
"""Columns that a simulated replicate and a prediction share, in the order of `records`."""

_BLOB = np.dtype("<f8")


def records(outcome: MethodOutcome) -> Iterator[tuple[Any, ...]]:
    """One tuple of FIELDS for each replicate; SQLite stores nan as NULL."""
    readout = outcome.readout
    heads = _table(outcome.heads, readout.group_accuracy)
    paths = None if outcome.path is None else _table(outcome.path.heads)
    columns = zip(
        outcome.status.tolist(),
        readout.wga.tolist(),
        readout.direction_wga.tolist(),
        readout.average_accuracy.tolist(),
        outcome.iterations.tolist(),
        outcome.certificate.tolist(),
        strict=True,
    )
    for r, numbers in enumerate(columns):
        yield (
            *numbers,
            outcome.largest_stable_step,
            heads[r].tobytes(),
            None if paths is None else paths[r].tobytes(),
        )


def rebuilt(rows: Sequence[Sequence[Any]], *, stage: Stage, test: GroupMixture, limit: Limit) -> MethodOutcome:
    """The outcome that rows of FIELDS, in the order of their replicates, were made from."""
    columns = dict(zip(FIELDS, zip(*rows, strict=True), strict=True))
    k = test.signal_dim
    steps = () if isinstance(stage.head.solver, str) else stage.head.solver.path
    path = None
    if steps and columns["path"][0] is not None:
        recorded = np.frombuffer(b"".join(columns["path"]), _BLOB).reshape(len(rows), len(steps), k + 3)
        path = Path(np.asarray(steps), _head(recorded, k))
    stable = next((step for step in columns["largest_stable_step"] if step is not None), float("nan"))
    return MethodOutcome(
        stage=stage,
        test=test,
        heads=_head(np.frombuffer(b"".join(columns["head"]), _BLOB).reshape(len(rows), -1), k),
        status=np.asarray(columns["status"], dtype=np.int64),
        certificate=np.asarray(columns["certificate"], dtype=np.float64),
        iterations=np.asarray(columns["iterations"], dtype=np.int64),
        limit=limit,
        path=path,
        largest_stable_step=stable,
    )


def _table(heads: Head, *more: Array) -> np.ndarray:
    columns = [heads.signal, heads.bias[..., None], heads.noise_norm[..., None], heads.noise_spread[..., None], *more]
    return np.ascontiguousarray(np.concatenate(columns, axis=-1), dtype=_BLOB)


def _head(table: np.ndarray, k: int) -> Head:
    return Head(table[..., :k], table[..., k], table[..., k + 1], table[..., k + 2])
