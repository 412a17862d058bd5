"""What the tables of studies are made of: numbers over replicates with their errors, as flat rows.

A quantity `x` takes the columns `x`, its mean over replicates, `x_se`, its standard error, `x_count`, the replicates
it rests on, and `x_low` and `x_high`, its 95 % interval by itself (Student's t). `predicted_x` is theory's. None
stands for what is not there.

`wga` is the least of the groups' mean accuracies, with the error of the group that attains it and the interval of
`interval_of_least`; `wga_per_run` is the mean over replicates of the least accuracy. A gain is the difference of two
`wga`: its values in replicates are those of the two worst groups, so that common random numbers cancel in its error.
`of_least_mean` says what ties do to its interval.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..mixture import Array
from ..outcome import MethodOutcome, half_width_of, of_least_mean, plain

if TYPE_CHECKING:
    from ..outcome import Outcome
    from ..sweep.results import CellOutcome, Results

Row = dict[str, Any]
Where = Callable[[Mapping[str, Any]], Row]
"""The values of a cell's axes in flat columns with the study's own names."""


def columns(name: str, mean: float | None, error: float | None, count: int) -> Row:
    """The columns of a quantity, from its mean, its standard error (None: not known) and its replicates."""
    low = high = None
    if mean is not None and error is not None and count > 1:
        half = float(half_width_of(error, count - 1))
        low, high = mean - half, mean + half
    return {name: mean, f"{name}_se": error, f"{name}_count": count, f"{name}_low": low, f"{name}_high": high}


def estimate(name: str, values: Array) -> Row:
    """The columns of a quantity from its values (R,) in replicates, of which nan are left out.

    >>> [round(number, 3) for number in estimate("gain", np.array([0.1, 0.2, np.nan, 0.3])).values()]
    [0.2, 0.058, 3, -0.048, 0.448]
    """
    kept = values[np.isfinite(values)]
    count = len(kept)
    error = float(kept.std(ddof=1) / np.sqrt(count)) if count > 1 else None
    return columns(name, float(kept.mean()) if count else None, error, count)


def correlation(name: str, first: Array, second: Array) -> Row:
    """Pearson correlation over cells of the means over replicates of two quantities (C, R); error by the jackknife.

    Replicates that lack a value are left out of all cells. Source: Efron & Stein (1981).
    """
    kept = np.isfinite(first).all(axis=0) & np.isfinite(second).all(axis=0)
    pair = np.stack([first[:, kept], second[:, kept]])
    count = pair.shape[-1]
    if count < 2:
        return columns(name, None, None, count)
    left_out = (pair.sum(axis=-1, keepdims=True) - pair) / (count - 1)
    varied = np.array([np.corrcoef(left_out[..., r])[0, 1] for r in range(count)])
    error = float(np.sqrt((count - 1) / count * ((varied - varied.mean()) ** 2).sum()))
    return columns(name, float(np.corrcoef(pair.mean(axis=-1))[0, 1]), error, count)


def worst(method: MethodOutcome, replicates: slice = slice(None)) -> Array:
    """(R,) accuracy, in each of these replicates, of the group whose mean over them is least; nan without a head."""
    accuracy, kept = method.readout.group_accuracy[replicates], method.kept[replicates]
    if not kept.any():
        return np.full(len(kept), np.nan)
    return np.where(kept, accuracy[:, int(accuracy[kept].mean(axis=0).argmin())], np.nan)


def wga_columns(name: str, values: Array, ends: tuple[float, float] | None) -> Row:
    """`estimate` of a worst group's accuracies (R,), with the ends of `interval_of_least` for its interval."""
    low, high = ends or (None, None)
    return estimate(name, values) | {f"{name}_low": low, f"{name}_high": high}


def gain_in_replicates(method: MethodOutcome, against: MethodOutcome) -> Array:
    """(R,) difference of the accuracies of two methods' worst groups, both chosen over the replicates with both heads.

    Its mean is the difference of two `wga` over those replicates; nan where either has no head.
    """
    both = method.kept & against.kept
    gain = np.full(len(both), np.nan)
    if both.any():
        ends = [of_least_mean(one.readout.group_accuracy[both]) for one in (method, against)]
        gain[both] = ends[0] - ends[1]
    return gain


def at_best_bias(method: MethodOutcome) -> Array:
    """(R,) worst-group accuracy at the best bias for the head's direction; nan without a head."""
    return np.where(method.kept, method.readout.direction_wga, np.nan)


def predicted(outcome: Outcome | None, label: str, quantity: Callable[[MethodOutcome], Array] = worst) -> float | None:
    """A quantity of the predicted head; None where there is no prediction."""
    return None if outcome is None else plain(quantity(outcome[label])[0])


def measured(cell: CellOutcome, label: str, *, against: str | None = None) -> Row:
    """Worst-group accuracy of a method, its direction part, and its gain over the method `against`, both sides.

    `wga`, `direction` (at the best bias) and, with `against`, `gain`, `gain_direction` and `gain_bias`, which add up.
    """
    simulation, prediction = cell.simulation, cell.prediction
    if simulation is None:
        raise ValueError(f"{label}: a study needs the simulation of every cell, and {cell.axes} has none")
    method = simulation[label]
    row: Row = {"method": label, **wga_columns("wga", worst(method), method.wga_interval)}
    row |= estimate("direction", at_best_bias(method))
    row["predicted_wga"] = predicted(prediction, label)
    row["predicted_direction"] = predicted(prediction, label, at_best_bias)
    if against is None:
        return row
    gain = gain_in_replicates(method, simulation[against])
    direction = at_best_bias(method) - at_best_bias(simulation[against])
    row |= {"against": against, **estimate("gain", gain), **estimate("gain_direction", direction)}
    row |= estimate("gain_bias", gain - direction)
    ends = [predicted(prediction, one) for one in (label, against)]
    return row | {"predicted_gain": None if None in ends else ends[0] - ends[1]}  # type: ignore[operator]


def measured_cells(results: Results, where: Where, *, against: Mapping[str, str] | None = None) -> Iterator[Row]:
    """`measured`, for every cell and method, with the cell's columns before; `against` says over what each gains."""
    pairs = against or {}
    for cell in results.outcomes():
        for label in results.experiment.method_labels:
            yield {"part": "cell", **where(cell.axes), **measured(cell, label, against=pairs.get(label))}


def of_part(rows: Sequence[Mapping[str, Any]], part: str, **wanted: Any) -> list[Mapping[str, Any]]:
    """The rows of one part of a table, with these values."""
    return [row for row in rows if row["part"] == part and all(row[key] == value for key, value in wanted.items())]
