"""Run a sweep: find what is missing, compile, have it computed by workers, commit it in the parent."""

from __future__ import annotations

import os
import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain, islice
from pathlib import Path
from threading import Timer
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from .._arguments import checked_whole, require_flag
from ..experiment.errors import EmptyGroupWarning, ExperimentError
from ..experiment.grid import Grid
from ..model.plan import plan
from .environment import environment_json
from .folder import StoreError, folder_name, locked
from .results import Results, open_results
from .stop import finishing, interruptible
from .store import Store
from .units import Block, Failure, Unit, compute_units, missing_units, simulate_unit, units_per_cell
from .workers import ClusterWorkers, Workers

if TYPE_CHECKING:
    from ..experiment import Experiment, FitOptions, Grid
    from ..simulation.choice import Chosen
    from .units import Shard


# Compiling before the work starts, with a word to the person who waits.


PATIENCE = 1.0  # seconds of waiting that need no explanation


def heads_of(grid: Grid) -> list[FitOptions] | None:
    """How the methods of a grid's cells are fitted, which decides the solvers they need; None for any way at all.

    Where heads are swept nothing short of the whole grid would tell.
    """
    if any("head" in key.split(".") for key in grid.axes):
        return None
    experiment = grid.experiment(0)
    return [experiment.head_of(method) for method in experiment.method]


def simulators_of(grid: Grid) -> tuple[Chosen, ...]:
    """The simulators of a grid's first and last cells, where sizes are least and largest.

    A cell between them with another one, or one of these that cannot be simulated, is met when it is computed.
    """
    simulators: set[Chosen] = set()
    for cell in {0, grid.size - 1}:
        with suppress(ExperimentError):
            simulators.add(simulator_of(grid.experiment(cell)))
    return tuple(simulators)


def simulator_of(experiment: Experiment) -> Chosen:
    """The simulator of an experiment; ExperimentError where the one it asks for cannot simulate it."""
    from ..model.plan import plan
    from ..simulation.choice import chosen

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EmptyGroupWarning)  # it is told where the experiment is simulated
        return chosen(plan(experiment), experiment.sweep.simulator)


def compile_kernels(
    heads: Iterable[FitOptions] | None, say: Callable[[str], None], *, simulators: tuple[Chosen, ...] = ()
) -> None:
    """Compile what predicting these heads (None: all), and simulating them, takes, or load it; tell a person who waits.

    `simulators` are those that are going to run, none where nothing is simulated.
    """
    needed = None if heads is None else list(heads)
    with compiling(say):
        from .. import prediction

        prediction.warm_up(needed)
        if simulators:
            from .. import simulation

            simulation.warm_up(needed, simulators)


@contextmanager
def compiling(say: Callable[[str], None]) -> Iterator[None]:
    """Says what a person waits for, if it takes long."""
    began = perf_counter()
    notice = Timer(PATIENCE, say, ["compiling the kernels; later runs only load them ..."])
    notice.start()
    try:
        yield
    finally:
        notice.cancel()
    if (took := perf_counter() - began) > PATIENCE:
        say(f"kernels ready after {took:.0f} s")


# How far a sweep is: a bar where standard error is a terminal, a plain line every few seconds elsewhere.


EVERY = 5.0  # seconds between plain lines


class SweepProgress:
    """Counts units and rows and shows cells done, rows a second and the time left; a context manager."""

    def __init__(self, cells: int, units_per_cell: int, *, shown: bool = True) -> None:
        self._cells = cells
        self._units_per_cell = units_per_cell
        self._shown = shown
        self._present = self._computed = self._rows = 0
        self._began = self._last_line = monotonic()
        self._bar: Progress | None = None
        if shown and sys.stderr.isatty():
            console = Console(stderr=True)
            self._bar = Progress(BarColumn(), TextColumn("{task.description}"), console=console, transient=True)
            self._task = self._bar.add_task("", total=cells * units_per_cell)

    def __enter__(self) -> SweepProgress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def start_clock(self) -> None:
        """The workers begin now: rates and times are counted from here."""
        self._began = self._last_line = monotonic()

    def present(self, units: int) -> None:
        """So many units were there already."""
        self._present += units

    def computed(self, units: int, rows: int) -> None:
        """So many units, of so many rows, were computed and committed."""
        self._computed += units
        self._rows += rows
        if self._bar is not None:
            self._bar.update(self._task, completed=self._present + self._computed, description=self.line())
        elif monotonic() - self._last_line >= EVERY:
            self._last_line = monotonic()
            self.say(self.line())

    def line(self) -> str:
        """For example `120 of 400 cells, 5300 rows/s, 0:01:32 left`."""
        done = self._present + self._computed
        total = self._cells * self._units_per_cell
        elapsed = max(monotonic() - self._began, 1e-9)
        left = timedelta(seconds=round(elapsed * (total - done) / self._computed)) if self._computed else "?"
        cells = min(done // self._units_per_cell, self._cells)
        return f"{cells} of {self._cells} cells, {self._rows / elapsed:.0f} rows/s, {left} left"

    def say(self, text: str) -> None:
        """A line of its own on standard error."""
        if not self._shown:
            return
        if self._bar is not None:
            self._bar.console.print(text, highlight=False, markup=False)
        else:
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()


# What a sweep would be: its cells, rows and methods, and about how long it takes.
#
# The time is that of a small unit of two cells; where that alone would keep a person waiting, it is estimated by sizes.


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


# Run a sweep: find what is missing, have it computed by workers, commit it in the parent.


TARGET = 1.5  # seconds a block is meant to take: long against a commit, short against a person's patience
LARGEST_BLOCK = 4096
MANY = 512  # cells from which predictions are worth the start of processes
MOST_JOBS = 10**4
WAKE = 0.25  # seconds after which a stop is noticed


class SweepFailed(RuntimeError):
    """Some cells could not be computed; all others are in the folder."""

    def __init__(self, folder: Path, failures: list[Failure]) -> None:
        super().__init__(folder, failures)
        self.folder = folder
        self.failures = failures

    def __str__(self) -> str:
        told = list(dict.fromkeys(f"  {failure}" for failure in self.failures))
        if len(told) > 10:
            told[10:] = [f"  and {len(told) - 10} more"]
        return "cells that could not be computed:\n" + "\n".join(told) + f"\nthe others are in {self.folder}"


def default_folder(experiment: Experiment, shard: Shard | None = None) -> Path:
    """results/<name>-<hash>, the same whatever the replicates and the grid, so that both can grow; one a shard."""
    share = f"-{shard.number}-of-{shard.of}" if shard else ""
    return Path("results") / f"{folder_name(experiment)}{share}"


def run_sweep(
    experiment: Experiment,
    *,
    out: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    predict_only: bool = False,
    progress: bool = False,
    command: str = "",
    shard: Shard | None = None,
    dask: str | None = None,
) -> Results:
    """Simulate and predict every cell of the experiment's grid into a folder, and open the results.

    What the folder has is kept: the same call again adds nothing, more replicates or axis values add what they need,
    and a stopped sweep resumes where it was. The numbers do not depend on `jobs` (default: one for each CPU), nor on
    how often the sweep was stopped.

    Args:
        out: the folder; default `default_folder(experiment, shard)`.
        predict_only: leave the simulation out.
        progress: show it on standard error.
        command: what to record as the command that was run.
        shard: compute this share of the units alone, into a folder of its own; `merge_results` joins them.
        dask: who computes: "local", `jobs` processes of this machine by dask, or the address of a dask scheduler that
            runs, for example "tcp://10.0.0.1:8786". Needs the extra `[dask]`; a script that says "local" must do so
            under `if __name__ == "__main__"`, as with all processes of Python.

    Raises:
        ExperimentError: an axis has an impossible value.
        StoreError: the folder holds another sweep, is being written by another process, or cannot be written.
        SweepFailed: some cells failed; all others are computed and kept.
        WorkerDied: a worker process did, or the scheduler; what was computed is kept.
        ClusterError: no scheduler answers there, or scheduler and workers are not of this llrsim.
        Interrupted: a signal stopped the sweep; what was computed is kept.

    >>> import tempfile, llrsim
    >>> experiment = llrsim.load("quick").replace(sweep={"replicates": 2, "grid": {"head.ridge": [0.01, 0.1]}})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     results = llrsim.run_sweep(experiment, out=folder)
    ...     [(row["head.ridge"], row["replicates"]) for row in results.select(method="dfr")]
    [(0.01, 2), (0.1, 2)]
    """
    grid = Grid(experiment)
    grid.check()
    for name, flag in (("predict_only", predict_only), ("progress", progress)):
        require_flag(name, flag)
    if out is not None and not isinstance(out, str | os.PathLike):
        raise TypeError(f"out: {type(out).__name__}; expected a path")
    count = (os.cpu_count() or 1) if jobs is None else checked_whole("jobs", jobs, 1, MOST_JOBS)
    workers: Workers | ClusterWorkers
    if dask is None:
        workers = Workers(count, processes=predict_only and grid.size >= MANY)
    else:
        workers = ClusterWorkers(dask, count)
    folder = Path(out) if out is not None else default_folder(experiment, shard)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be made: {error.strerror}") from error
    replicates = 0 if predict_only else experiment.sweep.replicates
    failures: list[Failure] = []
    with (
        interruptible(),
        SweepProgress(grid.size, units_per_cell(replicates), shown=progress) as shown,
        locked(folder),
        Store(folder, experiment, shard=str(shard) if shard else None) as store,
    ):
        units = missing_units(store, grid, replicates, present=shown.present, failed=failures.append)
        if shard is not None:
            units = _share(units, shard, present=shown.present)
        first = next(units, None)
        if first is not None:
            with workers:
                simulators = () if predict_only else simulators_of(grid)
                compile_kernels(heads_of(grid), shown.say, simulators=simulators)
                run = store.begin_run(command, workers.count, environment_json())
                _compute_all(store, grid, chain([first], units), workers=workers, shown=shown, failures=failures)
                store.end_run(run)
    if failures:
        raise SweepFailed(folder, failures)
    return open_results(folder)


def _share(units: Iterator[Unit], shard: Shard, *, present: Callable[[int], None]) -> Iterator[Unit]:
    """The units of a shard; those of others count as if they were there."""
    for unit in units:
        if shard.holds(unit):
            yield unit
        else:
            present(len(unit.places))


def _compute_all(
    store: Store,
    grid: Grid,
    units: Iterator[Unit],
    *,
    workers: Workers | ClusterWorkers,
    shown: SweepProgress,
    failures: list[Failure],
) -> None:
    from .._jit import single_blas_thread

    size, told = 1, False
    running: deque[Future[Block]] = deque()
    shown.start_clock()
    with single_blas_thread(), finishing(workers.stop):
        while True:
            stopping = workers.stop.is_set()
            while not stopping and len(running) < 2 * workers.count and (block := list(islice(units, size))):
                running.append(workers.submit(compute_units, grid, block))
            if not running:
                return
            if stopping and not told:
                told = True
                shown.say("stopping when the units at work are done; press again to stop at once")
            # In the order of the grid: where cells of two runs share a law, the first run's numbers stay.
            try:
                done = workers.awaited(running[0], WAKE)
            except TimeoutError:
                continue
            running.popleft()
            store.write(done.simulated, done.predicted, done.masses, done.networks)
            failures += done.failures
            shown.computed(done.cells, len(done.simulated) + len(done.predicted))
            size = _next_size(size, done)


def _next_size(size: int, done: Block) -> int:
    """Units for the next block, from the time that the last one took; at most four times as many as before."""
    if not done.units or not done.seconds:
        return size
    wanted = round(TARGET * done.units / done.seconds)
    return max(1, min(wanted, 4 * size, LARGEST_BLOCK))
