"""How far the sweep in a folder is, and what it ran on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..experiment.grid import Grid
from .folder import is_held
from .provenance import processor_of, versions_of
from .reader import Reader
from .units import grid_keys


@dataclass(frozen=True)
class SweepStatus:
    """Rows done of those asked, and the provenance of every run.

    Attributes:
        running: a process is writing now; None where that cannot be seen, as on another host.
    """

    folder: Path
    name: str
    cells: int
    rows_asked: int
    rows_done: int
    running: bool | None
    runs: tuple[dict[str, Any], ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return vars(self) | {"folder": str(self.folder), "runs": list(self.runs)}

    def __str__(self) -> str:
        lines = [f"{self.folder}: {self.name}, {self.cells} cells, {self.rows_done} of {self.rows_asked} rows"]
        for run in self.runs:
            machine = run["environment"]
            blas = ", ".join(f"{pool['internal_api']} {pool['version']}" for pool in machine["blas"])
            lines += [
                f"run {run['run']}: {run['started']} to {run['finished'] or self._without_end(run)}, "
                f"{run['jobs']} workers",
                f"  {run['command'] or '(from Python)'}",
                f"  {versions_of(machine)}",
                f"  {processor_of(machine)}; {blas}",
            ]
        return "\n".join(lines)

    def _without_end(self, run: dict[str, Any]) -> str:
        if self.running is None:
            return "(not finished)"
        return "now" if self.running and run is self.runs[-1] else "(stopped before its end)"


def status_of(folder: Path) -> SweepStatus:
    """The status of a results folder, also while a sweep writes to it; StoreError where there is none."""
    with Reader(folder, older=True) as reader:
        experiment = reader.experiment
        grid, replicates = Grid(experiment), experiment.sweep.replicates
        return SweepStatus(
            folder=folder,
            name=experiment.name,
            cells=grid.size,
            rows_asked=grid.size * len(experiment.method) * replicates,
            rows_done=sum(reader.row_count(axes, replicates) for _, axes in grid_keys(grid)),
            running=is_held(folder),
            runs=tuple(reader.runs()),
        )
