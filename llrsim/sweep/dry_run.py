"""What a sweep would be: its cells, rows and methods, and about how long it takes.

The time is that of a small unit of two cells; where that alone would keep a person waiting, it is estimated by sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ..experiment.grid import Grid
from ..planning import plan
from .compiling import compile_kernels, heads_of, simulators_of
from .units import simulate_unit

if TYPE_CHECKING:
    from ..experiment import Experiment
    from .shards import Shard

REPLICATES = 2
BRIEF = 5.0  # expected seconds of a unit up to which it is run


@dataclass(frozen=True)
class DryRun:
    """The size of a sweep, and the seconds of work that it, or a share of it, asks of so many workers."""

    cells: int
    replicates: int
    methods: tuple[str, ...]
    jobs: int
    seconds: float
    shard: Shard | None = None

    @property
    def rows(self) -> int:
        """Simulated rows: one for each cell, method and replicate."""
        return self.cells * self.replicates * len(self.methods)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "cells": self.cells,
            "replicates": self.replicates,
            "methods": list(self.methods),
            "rows": self.rows,
            "jobs": self.jobs,
            "shard": None if self.shard is None else str(self.shard),
            "seconds": self.seconds,
        }


def dry_run(
    experiment: Experiment,
    *,
    jobs: int,
    predict_only: bool = False,
    shard: Shard | None = None,
    say: Callable[[str], None],
) -> DryRun:
    """Run or estimate a small unit of the first and of the last cell; nothing is stored, the grid is not expanded.

    The seconds of a shard are its part of the whole's; which units it holds is not counted out. `say` is told where
    kernels have to be compiled first. Raises MemoryError, with the numbers, where samples do not fit.
    """
    grid = Grid(experiment)
    grid.check()
    replicates = 0 if predict_only else experiment.sweep.replicates
    ends = [grid.experiment(cell) for cell in sorted({0, grid.size - 1})]
    seconds = sum(_seconds_to_predict(end) for end in ends)
    if not predict_only:
        compile_kernels(heads_of(grid), say, simulators=simulators_of(grid))
        seconds += sum(_seconds_to_simulate(end) for end in ends) * replicates / REPLICATES
    return DryRun(
        cells=grid.size,
        replicates=replicates,
        methods=experiment.method_labels,
        jobs=jobs,
        seconds=seconds / len(ends) * grid.size / jobs / (shard.of if shard else 1),
        shard=shard,
    )


def _seconds_to_simulate(experiment: Experiment) -> float:
    from ..simulation.choice import chosen, expected_seconds
    from ..simulation.memory import shortage

    resolved = plan(experiment)
    how = chosen(resolved, experiment.sweep.simulator)
    if (expected := REPLICATES * expected_seconds(resolved, how)) > BRIEF:
        if how == "dense" and (lacking := shortage(resolved, 1)) is not None:
            raise MemoryError(lacking)
        return expected
    began = perf_counter()
    simulate_unit(experiment, 0, REPLICATES)
    return perf_counter() - began


def _seconds_to_predict(experiment: Experiment) -> float:
    from ..prediction import predict

    predict(experiment)  # the first call also imports and builds tables
    began = perf_counter()
    predict(experiment)
    return perf_counter() - began
