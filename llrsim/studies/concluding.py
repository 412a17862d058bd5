"""The end of a study's sweep: its table, its figure and its verdict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from .._io import write_rows
from ..experiment.identity import study_hash
from ..plots import save
from ..plots.style import drawing, settings
from . import study
from .evidence import Row, Verdict

if TYPE_CHECKING:
    from ..sweep.results import Results


TABLE = 2
"""Version of what the columns of a study's table mean, which every row names; 2: `wga` with `wga_per_run` beside it."""


def record(results: Results, *, jobs: int = 1) -> list[Row]:
    """The study's table; every row names experiment and rule by hash, the llrsim that made it, and `TABLE`."""
    asked = results.experiment.study
    if asked is None:
        raise ValueError(f"{results.experiment.name}: no [study] section, so there is nothing to decide")
    origin = {"experiment": results.experiment.hash, "rule": study_hash(asked), "llrsim": __version__, "table": TABLE}
    return [row | origin for row in study(asked.id).table(results, jobs=jobs)]


def conclude(results: Results, *, command: str, jobs: int = 1) -> tuple[Verdict, list[Path]]:
    """Write DIR/study.csv and DIR/study.png; the verdict, and the path of the figure if it could be drawn."""
    rows = record(results, jobs=jobs)
    module = study(results.experiment.study.id)  # type: ignore[union-attr]  # `record` refuses None
    path, drawn = results.folder / "study.png", []
    write_rows(rows, path.with_suffix(".csv"))
    with drawing(path), settings():
        figure = module.figure(rows)
        drawn.append(save(figure, path, experiment=results.experiment, command=command, table=rows))
    return module.verdict(rows), drawn
