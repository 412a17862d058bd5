"""What a finished sweep leaves: a table in the terminal, DIR/results.csv, figures, and what carried the gain."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from rich.table import Table

from .export import write_csv

if TYPE_CHECKING:
    from ..attribution import Explanation
    from .results import Results

EXPLAINED = 100  # paired draws of the attribution at most: enough for intervals of about half a percent
FEW = 60  # rows that still make a table to read; more are summed up by method

Row = dict[str, Any]


def leave_files(results: Results, rows: list[Row], explanation: Explanation | None, command: str) -> list[Path]:
    """Write DIR/results.csv and the figures, which carry the command that made them; returns the paths."""
    from .. import plots

    table = results.folder / "results.csv"
    write_csv(rows, table)
    return [table, *plots.sweep_figures(results, results.folder, explanation, command=command)]


def explanation_of(results: Results, *, jobs: int, predict_only: bool) -> Explanation | None:
    """The attribution of the sweep's base experiment; None where it has no ERM, or nothing to compare with it."""
    from ..attribution import explain

    experiment = results.experiment
    kinds = [method.kind for method in experiment.method]
    if "erm" not in kinds or len(kinds) < 2:
        return None
    return explain(
        experiment,
        replicates=min(experiment.sweep.replicates, EXPLAINED),
        side="prediction" if predict_only else "both",
        jobs=jobs,
    )


def sentences(explanation: Explanation) -> list[str]:
    """What carried each method's gain, from the simulation where there is one; predictions are in the figure."""
    return [explanation.of(label).sentence for label in dict.fromkeys(split.label for split in explanation)]


def terminal_table(results: Results, rows: list[Row]) -> Table:
    """Every cell and method where there are few, else a line for each method."""
    return _every_row(results, rows) if len(rows) <= FEW else _by_method(results, rows)


def _every_row(results: Results, rows: list[Row]) -> Table:
    keys = list(results.grid.axes)
    table = Table(title=f"{results.experiment.name}: worst-group accuracy")
    for name in (*map(_short(keys), keys), "method"):
        table.add_column(name)
    for name in ("simulated", "± 95 %", "predicted", "at best bias", "average"):
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
            _text(row["wga"], ".4f") if row["status"] in (None, "converged", "finished") else row["status"],
            _text(None if row["wga_se"] is None else 1.96 * row["wga_se"], ".4f"),
            _text(row["predicted_wga"], ".4f"),
            _text(row["direction_wga"], ".4f"),
            _text(row["average_accuracy"], ".4f"),
        )
    return table


def _by_method(results: Results, rows: list[Row]) -> Table:
    table = Table(title=f"{results.experiment.name}: worst-group accuracy over {results.grid.size} cells")
    table.add_column("method")
    for name in ("mean", "least", "largest", "predicted mean", "largest gap to prediction"):
        table.add_column(name, justify="right")
    for label in results.experiment.method_labels:
        mine = [row for row in rows if row["method"] == label]
        simulated = [row["wga"] for row in mine if row["wga"] is not None]
        predicted = [row["predicted_wga"] for row in mine if row["predicted_wga"] is not None]
        # Means of group accuracies, not mean minima: that is what a prediction is of.
        gaps = [
            abs(row["wga_of_means"] - row["predicted_wga"])
            for row in mine
            if row["wga_of_means"] is not None and row["predicted_wga"] is not None
        ]
        figures = (
            fmean(simulated) if simulated else None,
            min(simulated, default=None),
            max(simulated, default=None),
            fmean(predicted) if predicted else None,
            max(gaps, default=None),
        )
        table.add_row(label, *(_text(figure, ".4f") for figure in figures))
    return table


def _short(keys: list[str]) -> Any:
    """The last part of a dotted key where that tells it from the other keys, else the whole key."""
    last = [key.rpartition(".")[2] for key in keys]
    return lambda key: name if last.count(name := key.rpartition(".")[2]) == 1 else key


def _text(value: Any, form: str) -> str:
    if value is None:
        return ""
    return format(value, form) if isinstance(value, float) else str(value)
