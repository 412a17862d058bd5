"""What a report tells of one results folder, read from it and not yet written as HTML."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ..experiment import Experiment, Grid
from ..experiment.identity import study_hash
from ..files import read_rows
from ..plots.sweep import layouts_of, wga_figure
from ..plots.table import wga_table
from ..studies import Verdict, study
from ..studies.concluding import TABLE, record
from ..sweep.folder import STRANGE, foreign_content
from ..sweep.format import FILE
from ..sweep.reader import Reader
from ..sweep.results import Results, open_results
from ..sweep.units import grid_keys
from .columns import swept
from .figures import Picture, picture
from .folders import check_no_links
from .runs import Run, told

Row = dict[str, Any]


class Progress(NamedTuple):
    """How much of a sweep is there: cells in all, cells done, whether it was simulated, whether its last run ended."""

    cells: int
    done: int
    simulated: bool
    ended: bool

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return self.done == self.cells and self.ended


@dataclass(frozen=True)
class Chapter:
    """One folder.

    Attributes:
        name: a word that is its own in the report, for links and ids.
        folder: the folder's name.
        experiment: what was swept.
        progress: how far.
        runs: provenance of every run, oldest first.
        rows: the study's table, or the rows of the sweep.
        pictures: figures.
        verdict: of the study; None where there is no study, or where it cannot be decided.
        obstacle: why a study has no verdict.
        description: what the rows of a study's table are.
    """

    name: str
    folder: str
    experiment: Experiment
    progress: Progress
    runs: tuple[Run, ...]
    rows: list[Row]
    pictures: tuple[Picture, ...]
    verdict: Verdict | None = None
    obstacle: str = ""
    description: str = ""


def read_chapter(folder: Path, name: str, *, jobs: int = 1) -> Chapter:
    """What there is to tell of a results folder; StoreError where it cannot be read."""
    check_no_links(folder)
    with foreign_content(folder):
        results = open_results(folder)
        with Reader(folder, older=True) as reader:
            progress, runs = _progress(reader, results), tuple(map(told, reader.runs()))
        own = folder.resolve().name
        found = _concluded(results, progress, name, jobs)
        if not isinstance(found, str):
            rows, verdict, shown, description = found
            return Chapter(
                name, own, results.experiment, progress, runs, rows, (shown,), verdict, description=description
            )
        figures = tuple(_sweep_pictures(results, name))
        return Chapter(name, own, results.experiment, progress, runs, swept(results.rows()), figures, obstacle=found)


def _progress(reader: Reader, results: Results) -> Progress:
    """Cells count as done with every replicate of every method, or, in a sweep of predictions alone, predicted."""
    experiment, grid = results.experiment, Grid(results.experiment)
    runs = list(reader.runs())
    ended = bool(runs) and runs[-1]["finished"] is not None
    if not reader.has_simulations():
        rows, methods = results.rows(), len(experiment.method)
        cells = (rows[first : first + methods] for first in range(0, len(rows), methods))
        predicted = sum(all(row["predicted_status"] is not None for row in cell) for cell in cells)
        return Progress(grid.size, predicted, False, ended)
    replicates, rows_per_cell = experiment.sweep.replicates, len(experiment.method) * experiment.sweep.replicates
    done = 0
    for _, axes in grid_keys(grid):
        if reader.row_count(axes, replicates) == len(axes) * rows_per_cell:
            done += len(axes)
        else:
            done += sum(reader.row_count([one], replicates) == rows_per_cell for one in axes)
    return Progress(grid.size, done, True, ended)


def _concluded(
    results: Results, progress: Progress, name: str, jobs: int
) -> tuple[list[Row], Verdict, Picture, str] | str:
    """Table, verdict, figure and description of the study, or what stands in the way of them."""
    asked = results.experiment.study
    if asked is None:
        return ""
    if not progress.complete:
        return "the sweep is not finished, and the rule is for the whole of it"
    if not progress.simulated:
        return "this sweep was only predicted, and the rule judges simulations"
    try:
        module = study(asked.id)
    except (ImportError, ValueError):
        return f"this llrsim has no rule in code for {asked.id}"
    try:
        rows = _stored(results) or record(results, jobs=jobs)
        shown = picture(partial(module.figure, rows), f"{name}-figure")
        described = (module.table.__doc__ or "").partition("\n")[0]
        return rows, module.verdict(rows), shown, described
    except STRANGE as error:
        return f"the rule does not fit this sweep ({type(error).__name__}: {error})"


def _stored(results: Results) -> list[Row] | None:
    """The rows of study.csv; None where it is older than the results, or of another experiment or rule.

    None too where `wga` is of another meaning, as in files before `TABLE`.
    """
    path, database = results.folder / "study.csv", results.folder / FILE
    if not path.exists() or os.stat(path).st_mtime_ns < os.stat(database).st_mtime_ns:
        return None
    rows = read_rows(path)
    asked = results.experiment.study
    origin = {(results.experiment.hash, asked and study_hash(asked))}
    if {(row.get("experiment"), row.get("rule")) for row in rows} != origin:
        return None
    return rows if all(row.get("table") == TABLE or row.get("wga") is None for row in rows) else None


def _sweep_pictures(results: Results, name: str) -> Sequence[Picture]:
    """Worst-group accuracy along every axis, as a sweep draws it."""
    layouts = layouts_of(results.experiment)
    table = wga_table(results, lambda axes: any(layout.shows(axes) for layout in layouts))
    shown = ((layout, [row for row in table if layout.shows(row)]) for layout in layouts)
    return [
        picture(partial(wga_figure, rows, layout, title=results.experiment.name), f"{name}-figure-{place}")
        for place, (layout, rows) in enumerate(shown, start=1)
        if rows
    ]
