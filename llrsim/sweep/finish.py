"""What a finished sweep leaves: a table in the terminal, DIR/results.csv, figures, and what explains the gain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.table import Table

from ..experiment.errors import shown
from ..experiment.experiment import ALTERNATIVES
from ..experiment.grid import Grid
from ..model.losses import Status
from ..model.plan import plan
from .folder import StoreError, fixed_keys
from .results import write_csv
from .store import Reader

if TYPE_CHECKING:
    from ..attribution import Explanation
    from ..experiment import Experiment
    from .results import CellOutcome, Results

EXPLAINED = 100  # paired draws of the attribution at most: enough for intervals of about half a percent
FEW = 60  # rows that still make a table to read; more are summed up by method

Row = dict[str, Any]


class Before(NamedTuple):
    """The experiment that a folder held, whose grid its table and figures are of; None where it was damaged."""

    experiment: Experiment | None


def held_before(folder: Path) -> Before | None:
    """What a folder holds before a sweep; None without a sweep to read."""
    try:
        with Reader(folder) as reader:
            return Before(None if reader.damaged else reader.experiment)
    except StoreError:
        return None


def replaced_text(before: Before | None, results: Results) -> str:
    """What the table and the figures show in place of what they showed before, and that nothing else is lost.

    Empty where they are of the same cells and replicates.
    """
    now = results.experiment.sweep
    if before is None:
        return ""
    was = before.experiment and before.experiment.sweep
    if was and (was.grid, was.zip, was.replicates) == (now.grid, now.zip, now.replicates):
        return ""
    with Reader(results.folder) as reader:
        others = reader.other_cells(results.grid)
        more = reader.has_simulations(now.replicates) or (was and was.replicates > now.replicates)
    text = f"results.csv and the figures now hold {_size(results.experiment)}, in place of "
    text += _size(before.experiment) if before.experiment else "those of the stored experiment that was damaged"
    if others:
        text += f"; {others} more cells, of other grids, are kept in {results.folder} and shown by their own"
    return f"{text}; replicates beyond these are kept too" if more else text


def _size(experiment: Experiment) -> str:
    return f"{Grid(experiment).size} cells x {experiment.sweep.replicates} replicates"


def write_table(results: Results, rows: list[Row]) -> Path:
    """Write DIR/results.csv; returns its path."""
    table = results.folder / "results.csv"
    write_csv(rows, table)
    return table


def write_figures(results: Results, explanation: Explanation | None, command: str) -> list[Path]:
    """Write the figures, with the command in their metadata; returns the paths."""
    from .. import plots

    return plots.sweep_figures(_Shown(results), results.folder, explanation, command=command)


def write_phase_diagram(results: Results, rows: list[Row], command: str, *, jobs: int) -> list[Path]:
    """Write the phase diagram of a sweep that was predicted over two axes; no path where it has not two such axes."""
    from ..plots import phase
    from ..plots.style import drawing
    from .results import survey

    experiment = results.experiment
    keys = phase.axes_of(experiment)
    if keys is None or not rows:
        return []
    sized = any(row["limit"] == "proportional" for row in rows)
    surveyed = survey(results.grid, jobs=jobs, sized=sized, shares=rows[0]["shares"])
    table = phase.phase_table(rows, surveyed, keys)
    with drawing(results.folder / "phase.png"):
        return [phase.save_phase_diagram(table, results.folder, experiment=experiment, command=command)]
    return []


class _Shown:
    """Results, as far as the figures of its axes show them: a large grid has many cells that none of them does."""

    def __init__(self, results: Results) -> None:
        self.experiment = results.experiment
        self._results = results

    def outcomes(self) -> Iterator[CellOutcome]:
        """The cells that some figure shows."""
        from ..plots.wga import layouts_of

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
    """What explains each method's gain, from the simulation where there is one, after the values that it is said of.

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
    "simulated, predicted: wga, the least of the groups' mean accuracies; "
    "per run: wga_per_run, the mean over replicates of the least accuracy; "
    "numbers are means over the replicates with a head"
)
"""What the columns of `terminal_table` mean, in a line."""


def columns_text(rows: list[Row]) -> str:
    """What the columns mean, and which group shares the predictions have."""
    from ..plots.style import SHARES

    shares = dict.fromkeys(row["shares"] for row in rows if row["predicted_status"] is not None)
    return "; predicted with ".join([COLUMNS, *(SHARES[name] for name in shares)])


def terminal_table(results: Results, rows: list[Row]) -> Table:
    """Every cell and method where there are few, else a line for each method: means over the cells they share."""
    return _every_row(results, rows) if len(rows) <= FEW else _by_method(results, rows)


def _every_row(results: Results, rows: list[Row]) -> Table:
    keys = list(results.grid.axes)
    table = Table(title=f"{results.experiment.name}: worst-group accuracy")
    for name in (*map(_short(keys), keys), "method"):
        table.add_column(name)
    table.add_column("simulated, 95 %", no_wrap=True)
    for name in ("predicted", "per run", "at best bias", "average"):
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
            _simulated(row),
            _predicted(row),
            _text(row["wga_per_run"], ".4f"),
            _text(row["direction_wga"], ".4f"),
            _text(row["average_accuracy"], ".4f"),
        )
    return table


def _simulated(row: Row) -> str:
    """Worst-group accuracy, its interval where there are several replicates, and a status that says more.

    Of a method without a head in some replicates the number is that of the others, and says how many they are.
    """
    if row["wga"] is None:
        return row["status"] or ""
    low, high, status = row["wga_low"], row["wga_high"], Status.of_label(row["status"])
    number = _text(row["wga"], ".4f") + ("" if low is None else f" [{low:.3f}, {high:.3f}]")
    if status.plain:
        return number
    return f"{number}\n{status.label}" if status.ok else f"{number}\n{row['replicates']} with a head; {status.label}"


def _predicted(row: Row) -> str:
    """Worst-group accuracy, with a status that says more."""
    number, status = _text(row["predicted_wga"], ".4f"), row["predicted_status"]
    return number if not number or Status.of_label(status).plain else f"{number}\n{status}"


def _by_method(results: Results, rows: list[Row]) -> Table:
    """A line for each method: means over the cells in which every method has its number, and the number of those.

    Only where all replicates have a head does a cell have a number. A method without a number anywhere, or without any
    prediction, leaves its own places empty and the others' cells as they are.
    """
    labels = results.experiment.method_labels
    cells = [dict(zip(labels, rows[at : at + len(labels)], strict=True)) for at in range(0, len(rows), len(labels))]
    sides = [(label, side) for label in labels for side in ("", "predicted_")]
    held = {
        (label, side): {number for number, cell in enumerate(cells) if _has_number(cell[label], side)}
        for label, side in sides
    }
    common = set.intersection(*(numbers for numbers in held.values() if numbers)) if any(held.values()) else set()
    where = f"means over {len(common)} cells"
    if len(common) < results.grid.size:
        where = f"means over the {len(common)} of {results.grid.size} cells in which every method has a number"
    table = Table(title=f"{results.experiment.name}: worst-group accuracy, {where if common else NO_MEANS}")
    table.add_column("method")
    for name in ("simulated", "least", "largest", "predicted", "largest gap to prediction", "per run"):
        table.add_column(name, justify="right")
    for label in labels:
        mine = [cells[number][label] for number in sorted(common)]
        simulated = [row["wga"] for row in mine if held[label, ""]]
        predicted = [row["predicted_wga"] for row in mine if held[label, "predicted_"]]
        gaps = [abs(value - other) for value, other in zip(simulated, predicted, strict=False)]
        figures = (
            _mean(simulated),
            min(simulated, default=None),
            max(simulated, default=None),
            _mean(predicted),
            max(gaps, default=None),
            _mean([row["wga_per_run"] for row in mine if held[label, ""]]),
        )
        table.add_row(label, *(_text(figure, ".4f") for figure in figures))
    table.caption = "; ".join(_remarks(rows)) or None
    return table


def _remarks(rows: list[Row]) -> Iterator[str]:
    """In how many cells a method has heads whose status says more, on each side."""
    for key, side in (("status", "simulated"), ("predicted_status", "predicted")):
        stated = ((row["method"], Status.of_label(row[key])) for row in rows if row[key] is not None)
        for (label, status), count in Counter(one for one in stated if one[1].ok and not one[1].plain).items():
            of = sum(row["method"] == label for row in rows)
            yield f"{label}, {side}: {status.label} in {count} of {of} cells"


NO_MEANS = "no means: there is no cell in which every method has a number"


def _has_number(row: Row, side: str) -> bool:
    """Whether a side of a row has a number that rests on every replicate."""
    return row[f"{side}wga"] is not None and Status.of_label(row[f"{side}status"]).ok


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
