"""What a finished sweep leaves: a table in the terminal, DIR/results.csv, figures, and what carried the gain."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from rich.table import Table

from ..experiment.changes import ALTERNATIVES
from ..experiment.errors import shown
from ..outcome import half_width_of
from ..planning import plan
from .export import write_csv
from .folder import fixed_keys

if TYPE_CHECKING:
    from ..attribution import Explanation
    from ..experiment import Experiment
    from .results import CellOutcome, Results

EXPLAINED = 100  # paired draws of the attribution at most: enough for intervals of about half a percent
FEW = 60  # rows that still make a table to read; more are summed up by method

Row = dict[str, Any]


def write_files(results: Results, rows: list[Row], explanation: Explanation | None, command: str) -> list[Path]:
    """Write DIR/results.csv and the figures, which carry the command that made them; returns the paths."""
    from .. import plots

    table = results.folder / "results.csv"
    write_csv(rows, table)
    return [table, *plots.sweep_figures(_Shown(results), results.folder, explanation, command=command)]


def write_phase_diagram(results: Results, rows: list[Row], command: str, *, jobs: int) -> list[Path]:
    """Write the phase diagram of a sweep that was predicted over two axes; no path where it has not two such axes."""
    from ..plots import phase
    from .survey import survey

    experiment = results.experiment
    keys = phase.axes_of(experiment)
    if keys is None or not rows:
        return []
    sized = any(row["limit"] == "proportional" for row in rows)
    table = phase.phase_table(rows, survey(results.grid, jobs=jobs, sized=sized), keys)
    return [phase.save_phase_diagram(table, results.folder, experiment=experiment, command=command)]


class _Shown:
    """Results, as far as the figures of its axes show them: a large grid has many cells that none of them does."""

    def __init__(self, results: Results) -> None:
        self.experiment = results.experiment
        self._results = results

    def outcomes(self) -> Iterator[CellOutcome]:
        """The cells that some figure shows."""
        from ..plots.sweep import layouts_of

        layouts = layouts_of(self.experiment)
        return self._results.outcomes(lambda axes: any(layout.shows(axes) for layout in layouts))


def explain_base(results: Results, *, jobs: int, predict_only: bool) -> Explanation | None:
    """The attribution of the sweep's base experiment; None where it has no ERM, or nothing to compare with it.

    None with a network too: the switches of an attribution are laws of the features, and a network makes its own.
    """
    from ..attribution import explain

    experiment = results.experiment
    resolved = plan(experiment)
    kinds = [stage.kind for place, stage in enumerate(resolved.stages) if resolved.splits(place)]
    if "erm" not in kinds or len(kinds) < 2 or experiment.network is not None:
        return None
    return explain(
        experiment,
        replicates=min(experiment.sweep.replicates, EXPLAINED),
        side="prediction" if predict_only else "both",
        jobs=jobs,
    )


def attribution_text(results: Results, explanation: Explanation) -> str:
    """What carried each method's gain, from the simulation where there is one, after the values that it is said of.

    The attribution is of the base experiment, the file without its grid; predictions are in the figure.
    """
    experiment = results.experiment
    settings = ", ".join(dict.fromkeys(_base_setting(experiment, key) for key in results.grid.axes))
    where = [f"Attribution (also attribution.png), at the file's own values ({settings}):"] if settings else []
    labels = dict.fromkeys(split.label for split in explanation)
    return "\n\n".join([*where, *(explanation.of(label).sentence for label in labels)])


def _base_setting(experiment: Experiment, key: str) -> str:
    """A swept key and its value in the file; the key that the file gives in its place, or that the value is under."""
    known = fixed_keys(experiment)
    table, _, name = key.rpartition(".")
    others = [f"{table}.{other}" for other in ALTERNATIVES.get(name, ())]
    if known.get(key) is None:
        _, of_method, shared = key.partition(".head.")
        candidates = [*others, *([f"head.{shared}"] if of_method else []), table]
        key = next((other for other in candidates if known.get(other) is not None), key)
    value = known.get(key)
    return f"{key} = {'the default' if value is None else shown(value)}"


COLUMNS = (
    "simulated, predicted: the least of the groups' mean accuracies; "
    "mean worst: the mean over replicates of the least accuracy"
)
"""What the columns of `terminal_table` mean, in a line."""


def terminal_table(results: Results, rows: list[Row]) -> Table:
    """Every cell and method where there are few, else a line for each method: means over the cells."""
    return _every_row(results, rows) if len(rows) <= FEW else _by_method(results, rows)


def _every_row(results: Results, rows: list[Row]) -> Table:
    keys = list(results.grid.axes)
    table = Table(title=f"{results.experiment.name}: worst-group accuracy")
    for name in (*map(_short(keys), keys), "method"):
        table.add_column(name)
    for name in ("simulated", "± 95 %", "predicted", "mean worst", "at best bias", "average"):
        table.add_column(name, justify="right")
    cell: list[Any] | None = None
    for row in rows:
        here = [row[key] for key in keys]
        if cell is not None and here != cell:
            table.add_section()
        # Axis values are written once a cell, which sets the cells apart.
        shown = [""] * len(keys) if here == cell else [_text(value, ".4g") for value in here]
        cell = here
        table.add_row(
            *shown,
            row["method"],
            _text(row["wga_of_means"], ".4f") if row["wga_of_means"] is not None else row["status"],
            _text(_half_width(row), ".4f"),
            _text(row["predicted_wga_of_means"], ".4f"),
            _text(row["wga"], ".4f"),
            _text(row["direction_wga"], ".4f"),
            _text(row["average_accuracy"], ".4f"),
        )
    return table


def _half_width(row: Row) -> float | None:
    """Of the 95 % interval of the worst group's mean; None where there are not several replicates."""
    error = row["wga_of_means_se"]
    return None if error is None else float(half_width_of(error, row["replicates"] - 1))


def _by_method(results: Results, rows: list[Row]) -> Table:
    table = Table(title=f"{results.experiment.name}: worst-group accuracy, means over {results.grid.size} cells")
    table.add_column("method")
    for name in ("simulated", "least", "largest", "predicted", "largest gap to prediction", "mean worst"):
        table.add_column(name, justify="right")
    for label in results.experiment.method_labels:
        mine = [row for row in rows if row["method"] == label]
        sides = [(row["wga_of_means"], row["predicted_wga_of_means"]) for row in mine]
        simulated = [value for value, _ in sides if value is not None]
        gaps = [abs(value - other) for value, other in sides if value is not None and other is not None]
        figures = (
            _mean(simulated),
            min(simulated, default=None),
            max(simulated, default=None),
            _mean([value for _, value in sides if value is not None]),
            max(gaps, default=None),
            _mean([row["wga"] for row in mine if row["wga"] is not None]),
        )
        table.add_row(label, *(_text(figure, ".4f") for figure in figures))
    return table


def _mean(values: list[float]) -> float | None:
    return fmean(values) if values else None


def _short(keys: list[str]) -> Any:
    """The last part of a dotted key where that tells it from the other keys, else the whole key."""
    last = [key.rpartition(".")[2] for key in keys]
    return lambda key: name if last.count(name := key.rpartition(".")[2]) == 1 else key


def _text(value: Any, form: str) -> str:
    if value is None:
        return ""
    return format(value, form) if isinstance(value, float) else str(value)
