"""A cell of a sweep as flat rows, one a method: what tables, CSV files and figures are made of."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ..outcome import MethodOutcome, Outcome


class CellOutcome(NamedTuple):
    """A cell: the values of its axes, and each side's outcome; None for a side that is not there yet."""

    axes: dict[str, Any]
    simulation: Outcome | None
    prediction: Outcome | None


def method_row(cell: CellOutcome, label: str) -> dict[str, Any]:
    """Axes; method, status and replicates; simulated means and standard errors; the prediction; the mass.

    Keys are the same for every cell and method of a sweep: `wga`, `wga_se`, `wga_of_means`, `direction_wga`,
    `average_accuracy` and `accuracy(y,a)` with `_se`, signal weights, bias and noise norm of the mean head, then
    the same numbers with `predicted_` before them, and `mass(y,a)`. None stands for what is not there.
    """
    sides = {"": cell.simulation, "predicted_": cell.prediction}
    known = next(outcome for outcome in sides.values() if outcome is not None)[label]
    simulated = cell.simulation[label] if cell.simulation else None
    row: dict[str, Any] = cell.axes | {
        "method": label,
        "status": simulated.outcome.label if simulated else None,
        "replicates": int(simulated.kept.sum()) if simulated else 0,
    }
    for prefix, outcome in sides.items():
        method = outcome[label] if outcome else None
        row |= {f"{prefix}{name}": value for name, value in _numbers(method, known, errors=not prefix).items()}
        if prefix:
            row |= {
                "predicted_status": method.outcome.label if method else None,
                "limit": method.limit if method else None,
            }
    return row | {f"mass{g}": float(p) for g, p in zip(known.test.group_names, known.mass, strict=True)}


def _numbers(method: MethodOutcome | None, known: MethodOutcome, *, errors: bool) -> dict[str, float | None]:
    """Means over replicates, and their standard errors; all None without an outcome."""
    names = known.test.group_names
    source = known if method is None else method
    readout, heads = source.readout, source.heads
    columns = {
        "wga": readout.wga,
        "direction_wga": readout.direction_wga,
        "average_accuracy": readout.average_accuracy,
        **{f"accuracy{name}": readout.group_accuracy[:, g] for g, name in enumerate(names)},
        **{f"signal{j + 1}": heads.signal[:, j] for j in range(heads.signal.shape[-1])},
        "bias": heads.bias,
        "noise_norm": heads.noise_norm,
    }
    numbers: dict[str, float | None] = {}
    for name, values in columns.items():
        numbers[name] = _number(source.mean(values))
        if errors:
            numbers[f"{name}_se"] = _number(source.standard_error(values))
    numbers["wga_of_means"] = _number(source.wga_of_means)
    return numbers if method is not None else dict.fromkeys(numbers)


def _number(value: Any) -> float | None:
    return None if value is None or math.isnan(float(value)) else float(value)
