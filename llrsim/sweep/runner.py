"""Run a sweep: find what is missing, have it computed by workers, commit it in the parent."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from ..arguments import checked_whole, require_flag
from ..experiment.grid import Grid
from .block import Block, Failure, Unit
from .cluster import ClusterWorkers
from .compiling import compile_kernels, heads_of, simulators_of
from .folder import StoreError, folder_name, locked
from .interruption import finishing, interruptible
from .progress import SweepProgress
from .provenance import environment_json
from .results import Results, open_results
from .store import Store
from .units import compute_units, missing_units, units_per_cell
from .workers import Workers

if TYPE_CHECKING:
    from ..experiment import Experiment
    from .shards import Shard

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
    and a stopped sweep goes on where it was. The numbers do not depend on `jobs` (default: one for each CPU), nor on
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
    from .._jit import single_blas_thread  # late: it loads numba

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
