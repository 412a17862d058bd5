"""What a sweep adds to its kernels, what a second worker and dask bring, and how many workers one writer keeps up with.

Alone: `python -m pytest -o addopts= tests/benchmarks/test_sweep_speed.py`.
"""

from collections import deque
from itertools import count
from threading import Event
from time import perf_counter, process_time

import numpy as np
import pytest
from benchmarks import sweeps
from benchmarks.conftest import ROUNDS
from benchmarks.instance import experiment
from benchmarks.pairs import Sides

import llrsim
from llrsim.experiment.grid import Grid
from llrsim.model.plan import plan
from llrsim.simulation import simulate_plan
from llrsim.sweep import run as runner
from llrsim.sweep import run_sweep, units
from llrsim.sweep.format import sealed
from llrsim.sweep.store import Store
from llrsim.sweep.units import Block
from llrsim.sweep.workers import ClusterWorkers, local_cluster

SECONDS = (
    24.0  # of one worker's work in a timed sweep: at its end workers wait for the last block, half of one on average
)
PAIRS = 5
EMPTY = 400  # blocks without work, through the scheduler
BLOCK = 6400  # rows


@pytest.fixture(autouse=True)
def blocks_of_a_second(monkeypatch):
    monkeypatch.setattr(runner, "TARGET", 1.0)


@pytest.fixture(scope="module")
def described():
    """One cell with as many replicates as make SECONDS of work for one worker."""
    one = experiment(500, 50, 0.01)
    planned = plan(one)
    simulate_plan(planned, replicates=200)
    began = perf_counter()
    simulate_plan(planned, replicates=1000)
    each = (perf_counter() - began) / 1000
    return one.with_values({"sweep.replicates": 64 * round(SECONDS / each / 64)})


@pytest.fixture(scope="module")
def address():
    """A scheduler with two processes."""
    with local_cluster(2) as local:
        yield local.scheduler_address


@pytest.fixture
def sweep(described, tmp_path):
    """`sweep(**how)` is a function that runs the sweep into a new folder each time."""
    folders = count()
    return lambda **how: lambda: run_sweep(described, out=tmp_path / str(next(folders)), **how)


def test_a_sweep_against_its_bare_kernels(compare, described, sweep):
    planned, replicates = plan(described), described.sweep.replicates
    bare = lambda: simulate_plan(planned, replicates=replicates)  # noqa: E731
    compare("a sweep, one worker, against its bare kernels", Sides(sweep(jobs=1), bare), ">= 0.95x", rounds=PAIRS)


def test_two_workers_against_one(compare, sweep):
    compare("a sweep, two workers against one", Sides(sweep(jobs=2), sweep(jobs=1)), ">= 1.8x", rounds=PAIRS)


def test_dask_against_threads(compare, sweep, address):
    sides = Sides(sweep(dask=address), sweep(jobs=2))
    compare("a sweep, two dask processes against two threads", sides, ">= 0.91x", rounds=PAIRS)


@pytest.mark.parametrize(
    ("what", "sides"),
    [
        ("blocks of 10000 rows, against a bare SQLite table", lambda folder: sweeps.writing(2, folder)),
        ("finished sweep of 10240 rows, against SQLite's count", lambda folder: sweeps.resuming(80, 2, folder)),
    ],
)
def test_the_store_against_sqlite(compare, tmp_path, what, sides):
    compare(what, sides(tmp_path))


def nothing(stop):
    return Block()


def test_empty_blocks_through_the_scheduler(report, address):
    with ClusterWorkers(address, 2) as workers:
        workers.submit(nothing).result()
        running = deque(workers.submit(nothing) for _ in range(4))
        began, worked = perf_counter(), process_time()
        for _ in range(EMPTY):
            running.append(workers.submit(nothing))
            workers.awaited(running.popleft(), 60)
        each, own = ((now - before) / EMPTY for now, before in ((perf_counter(), began), (process_time(), worked)))
    told = f"{1e3 * each:.1f} ms, {1e3 * own:.1f} ms of processor for client and scheduler"
    report("dask, a block without work", told, "<= 10 ms")


@pytest.mark.parametrize(("preset", "simulated"), [("quick", True), ("waterbirds", True), ("phase", False)])
def test_the_writer_against_one_worker(report, tmp_path, preset, simulated):
    """How many workers one writer keeps up with: rows that it stores in a second over rows that a worker makes."""
    described = llrsim.load(preset)
    grid, rate = Grid(described), []
    with Store(tmp_path, described) as store:
        missing = units.missing_units(store, grid, 64, present=lambda _: None, failed=pytest.fail)
        unit = next(unit for unit in missing if bool(unit.replicates) == simulated)
        units.compute_units(grid, [unit], Event())
        block = units.compute_units(grid, [unit], Event())
        made = block.simulated or block.predicted
        for turn in range(ROUNDS):
            rows = [row for copy in range(BLOCK // len(made)) for row in elsewhere(made, f"{turn} {copy}")]
            began = perf_counter()
            store.write(*((rows, ()) if simulated else ((), rows)))
            rate.append(len(rows) / (perf_counter() - began))
    stored, one = float(np.median(rate)), len(made) / block.seconds
    what = "rows" if simulated else "predictions"
    report(f"{preset}: {what} a second into the store, blocks of {BLOCK}", f"{stored:.0f}", ">= 50000")
    report("  of one worker; workers to one writer", f"{one:.0f}; {stored / one:.0f}", "-")


def elsewhere(rows, law):
    """The rows under another law."""
    return [sealed(law, *row[1:-1]) for row in rows]
