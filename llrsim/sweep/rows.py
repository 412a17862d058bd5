"""A method of a cell as one flat row of the stored numbers: what tables, CSV files and the terminal show."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from ..status import Status
from .format import FIELDS, head_table

_KEPT = frozenset(int(status) for status in Status if status.ok)
_READ_OUT = slice(FIELDS.index("wga"), FIELDS.index("average_accuracy") + 1)


def method_row(
    axes: Mapping[str, Any],
    label: str,
    *,
    simulated: Sequence[tuple[Any, ...]],
    predicted: tuple[Any, ...] | None,
    mass: Mapping[str, float],
) -> dict[str, Any]:
    """Axes; method, status and replicates; simulated means and standard errors; the prediction; the mass.

    Keys are the same for every cell and method of a sweep: `wga`, `wga_of_means`, `direction_wga`, `average_accuracy`
    and `accuracy(y,a)`, signal weights, bias and noise norm of the mean head, each with `_se`, then the same numbers
    with `predicted_` before them and without `_se`, and `mass(y,a)`. None stands for what is not there.

    Args:
        simulated: rows of (replicate, simulator, *FIELDS), none before a simulation.
        predicted: (limit, *FIELDS), None before a prediction.
        mass: effective mass of each group, by its name.
    """
    groups = tuple(mass)
    rows = [row[2:] for row in simulated]
    there = [predicted[1:]] if predicted else []
    numbers = _numbers(rows, groups) if rows else dict.fromkeys(_numbers(there, groups))
    expected = _numbers(there, groups) if there else dict.fromkeys(numbers)
    return {
        **axes,
        "method": label,
        "status": _status(rows),
        "replicates": sum(row[0] in _KEPT for row in rows),
        "simulator": simulators_of(simulated),
        **numbers,
        **{f"predicted_{name}": value for name, value in expected.items() if not name.endswith("_se")},
        "predicted_status": _status(there),
        "limit": predicted[0] if predicted else None,
        **{f"mass{group}": share for group, share in mass.items()},
    }


def simulators_of(simulated: Iterable[tuple[Any, ...]]) -> str | None:
    """What simulated the rows of (replicate, simulator, *FIELDS); None without rows."""
    return ", ".join(sorted({row[1] for row in simulated})) or None


def _numbers(rows: Sequence[tuple[Any, ...]], groups: tuple[str, ...]) -> dict[str, float | None]:
    """Means over the replicates that have a head, and their standard errors; at least one row of FIELDS."""
    heads = head_table(rows)
    k = heads.shape[1] - 3 - len(groups)
    read_out = np.array([row[_READ_OUT] for row in rows], dtype=np.float64)
    kept = np.array([row[0] in _KEPT for row in rows])
    # One contiguous row for each quantity, in the order of `_names`.
    values = np.ascontiguousarray(np.concatenate([read_out, heads[:, k + 3 :], heads[:, : k + 2]], axis=1)[kept].T)
    size, count = values.shape
    means = values.mean(axis=1).tolist() if count else [math.nan] * size
    errors = (values.std(axis=1, ddof=1) / math.sqrt(count)).tolist() if count > 1 else [math.nan] * size
    first = read_out.shape[1]
    worst = min(range(first, first + len(groups)), key=means.__getitem__)
    pairs = zip((*means, means[worst]), (*errors, errors[worst]), strict=True)
    numbers = [None if math.isnan(value) else value for pair in pairs for value in pair]
    return dict(zip(_names(groups, k), numbers, strict=True))


@cache
def _names(groups: tuple[str, ...], k: int) -> tuple[str, ...]:
    """Keys of `_numbers`, every quantity before its standard error."""
    quantities = (
        *FIELDS[_READ_OUT],
        *(f"accuracy{group}" for group in groups),
        *(f"signal{j + 1}" for j in range(k)),
        "bias",
        "noise_norm",
        "wga_of_means",
    )
    return tuple(name for quantity in quantities for name in (quantity, f"{quantity}_se"))


def _status(rows: Sequence[tuple[Any, ...]]) -> str | None:
    """The first status without a head, else that of the first replicate."""
    codes = [row[0] for row in rows]
    return Status(next((code for code in codes if code not in _KEPT), codes[0])).label if codes else None
