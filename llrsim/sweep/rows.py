"""A method of a cell as one flat row of the stored numbers: what tables, CSV files and the terminal show."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from math import isnan
from struct import unpack
from typing import Any

import numpy as np

from ..outcome import interval_of_least
from ..planning import Shares
from ..status import Status
from .format import FIELDS, composition_table, head_table

_KEPT = frozenset(int(status) for status in Status if status.ok)
_HEAD = FIELDS.index("head")
_COSINE, _COMPOSITION = FIELDS.index("cosine"), FIELDS.index("composition")
_READ_OUT = slice(FIELDS.index("wga"), FIELDS.index("average_accuracy") + 1)


def method_row(
    axes: Mapping[str, Any],
    label: str,
    *,
    simulated: Sequence[tuple[Any, ...]],
    predicted: tuple[Any, ...] | None,
    shares: Shares = "realised",
    mass: Mapping[str, float],
) -> dict[str, Any]:
    """Axes; method, status, replicates and what simulated them; means and standard errors; the prediction; the mass.

    Keys are the same for every cell and method of a sweep: `wga` (the least of the groups' mean accuracies, whose
    interval is in `wga_low` and `wga_high`), `wga_per_run` (the mean over replicates of the least accuracy),
    `direction_wga`, `average_accuracy` and `accuracy(y,a)`, signal weights, bias and noise norm of the mean head, each
    with `_se`, then the same numbers but `wga_per_run` with `predicted_` before them and without `_se`, and
    `mass(y,a)`. Where a rule makes the weights, masses are means over the replicates (else the prediction's) and
    `share(y,a)` are the groups' shares of the rows of positive weight; `cosine` is that with the head that the method's
    `angle_to` names. None stands for what is not there.

    Args:
        simulated: rows of (replicate, simulator, *FIELDS), none before a simulation.
        predicted: (limit, *FIELDS), None before a prediction.
        shares: of the groups in the row: "realised" by whole rows, or "nominal" as the file states them.
        mass: effective mass of each group, by its name.
    """
    groups = tuple(mass)
    rows = [row[2:] for row in simulated]
    k = _signal_dim(rows[0] if rows else (predicted or ())[1:], groups)
    return {
        **axes,
        "method": label,
        "status": _status(rows),
        "replicates": sum(row[0] in _KEPT for row in rows),
        "simulator": (simulator := simulators_of(simulated)),
        "paired": paired_by(simulator),
        **(_numbers(rows, groups) if rows else dict.fromkeys(_names(groups, k))),
        **(_prediction(predicted[1:], groups) if predicted else dict.fromkeys(_predicted_names(groups, k))),
        "predicted_status": _status([predicted[1:]] if predicted else []),
        "limit": predicted[0] if predicted else None,
        "shares": shares,
        **_angle(rows),
        **_composition(rows or ([predicted[1:]] if predicted else []), mass),
    }


def _angle(rows: Sequence[tuple[Any, ...]]) -> dict[str, float | None]:
    """Mean cosine and its standard error."""
    found = np.array([row[_COSINE] for row in rows if row[0] in _KEPT and row[_COSINE] is not None])
    error = float(found.std(ddof=1) / math.sqrt(len(found))) if len(found) > 1 else None
    return {"cosine": float(found.mean()) if len(found) else None, "cosine_se": error}


def _composition(rows: Sequence[tuple[Any, ...]], mass: Mapping[str, float]) -> dict[str, float | None]:
    """Mean masses and shares of the groups; those of the selection, and no shares, where no rule makes them."""
    made = [row for row in rows if row[0] in _KEPT and row[_COMPOSITION] is not None]
    masses, shares = composition_table(made).mean(axis=0).tolist() if made else (mass.values(), [None] * len(mass))
    told = {f"mass{group}": share for group, share in zip(mass, masses, strict=True)}
    return told | {f"share{group}": share for group, share in zip(mass, shares, strict=True)}


def simulators_of(simulated: Iterable[tuple[Any, ...]]) -> str | None:
    """What simulated the rows of (replicate, simulator, *FIELDS); None without rows."""
    return ", ".join(sorted({row[1] for row in simulated})) or None


def paired_by(simulator: str | None) -> bool | None:
    """Whether rows by `simulators_of` share random numbers over cells, as all but lazy ones do; None without rows."""
    return None if simulator is None else "lazy" not in simulator


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
    of_groups = slice(read_out.shape[1], read_out.shape[1] + len(groups))
    accuracies, their_errors = means[of_groups], errors[of_groups]
    worst = min(range(len(groups)), key=accuracies.__getitem__)
    ends = interval_of_least(accuracies, their_errors, count) if count > 1 else (math.nan, math.nan)
    pairs = (number for pair in zip(means, errors, strict=True) for number in pair)
    numbers = (accuracies[worst], their_errors[worst], *ends, *pairs)
    told = (None if math.isnan(value) else value for value in numbers)
    return dict(zip(_names(groups, k), told, strict=True))


def _prediction(row: tuple[Any, ...], groups: tuple[str, ...]) -> dict[str, float | None]:
    """The numbers of one row of FIELDS; without arrays, as there are tens of thousands of predictions."""
    k = _signal_dim(row, groups)
    names = _predicted_names(groups, k)
    if row[0] not in _KEPT:
        return dict.fromkeys(names)
    head = unpack(f"<{len(row[_HEAD]) // 8}d", row[_HEAD])
    accuracies = head[k + 3 :]
    values = (min(accuracies), *row[_READ_OUT][1:], *accuracies, *head[: k + 2])
    return {name: None if value is None or isnan(value) else value for name, value in zip(names, values, strict=True)}


def _signal_dim(row: tuple[Any, ...], groups: tuple[str, ...]) -> int:
    return len(row[_HEAD]) // 8 - 3 - len(groups)


@cache
def _names(groups: tuple[str, ...], k: int) -> tuple[str, ...]:
    """Keys of `_numbers`, every quantity before its standard error; a replicate's `wga` is its least accuracy."""
    quantities = ("wga_per_run", *_quantities(groups, k))
    paired = (name for quantity in quantities for name in (quantity, f"{quantity}_se"))
    return ("wga", "wga_se", "wga_low", "wga_high", *paired)


def _quantities(groups: tuple[str, ...], k: int) -> tuple[str, ...]:
    """What follows worst-group accuracy in a row."""
    accuracies, signals = (f"accuracy{group}" for group in groups), (f"signal{j + 1}" for j in range(k))
    return (*FIELDS[_READ_OUT][1:], *accuracies, *signals, "bias", "noise_norm")


@cache
def _predicted_names(groups: tuple[str, ...], k: int) -> tuple[str, ...]:
    return tuple(f"predicted_{name}" for name in ("wga", *_quantities(groups, k)))


def _status(rows: Sequence[tuple[Any, ...]]) -> str | None:
    """One status for all replicates, by its name."""
    return Status.of_all(row[0] for row in rows).label if rows else None
