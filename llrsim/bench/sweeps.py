"""What a sweep costs beside its kernels: running it, sharing it out, storing its rows, finding that it is finished."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ..experiment import Experiment
from ..planning import plan
from ..simulation import simulate_plan
from ..sweep.checksums import sealed
from ..sweep.folder import NUMERICS
from ..sweep.format import CHECKED, FILE
from ..sweep.runner import run_sweep
from ..sweep.store import Store
from ..sweep.units import REPLICATES
from .instance import experiment
from .pairs import Sides
from .rows import Row

BLOCK = 10_000
"""Rows of a transaction."""


def overhead(n: int, d: int, units: int, folder: Path) -> Sides:
    """A sweep of one cell by one worker, and the simulation alone of the same units.

    At n = 4000 and d = 200 a unit takes about a second, which is how long blocks are meant to take.
    """
    described = _swept(n, d, units)
    planned = plan(described)

    def bare() -> None:
        for unit in range(units):
            simulate_plan(planned, first=unit * REPLICATES, replicates=REPLICATES)

    return Sides(_sweep(described, folder, jobs=1), bare)


def two_workers(n: int, d: int, units: int, folder: Path) -> Sides:
    """A sweep by two workers, and by one."""
    described = _swept(n, d, units)
    return Sides(_sweep(described, folder, jobs=2), _sweep(described, folder, jobs=1))


def writing(blocks: int, folder: Path) -> Sides:
    """Blocks of rows into a new store, and into a table of SQLite without a key, both with write-ahead logging."""
    described = experiment(500, 50, 0.01)
    head = np.arange(9.0).tobytes()
    record = (0, 0.5, 0.6, 0.7, 12, 1e-9, None, None, head, None, None)
    rows = [
        [sealed("law", "method", 0, NUMERICS, block * BLOCK + row, "dense", *record) for row in range(BLOCK)]
        for block in range(blocks)
    ]

    def ours() -> None:
        with TemporaryDirectory(dir=folder) as place, Store(Path(place), described) as store:
            for block in rows:
                store.write(block, ())

    def theirs() -> None:
        columns = [*CHECKED["rows"], "checksum"]
        with TemporaryDirectory(dir=folder) as place:
            connection = sqlite3.connect(Path(place) / FILE)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"CREATE TABLE rows ({', '.join(columns)})")
            for block in rows:
                connection.executemany(f"INSERT INTO rows VALUES ({', '.join('?' * len(columns))})", block)
                connection.commit()
            connection.close()

    return Sides(ours, theirs, amount=blocks * BLOCK, unit="rows/s")


def resuming(cells: int, units: int, folder: Path) -> Sides:
    """The same sweep once more when it is finished, and the least that this has to ask: rows of each law and method."""
    described = _swept(200, 3, units).with_values({"sweep.grid": {"train.n": list(range(200, 200 + cells))}})
    place = folder / "finished"
    run_sweep(described, out=place, jobs=1)

    def count() -> None:
        connection = sqlite3.connect(place / FILE)
        connection.execute("SELECT law, method, count(*) FROM rows GROUP BY law, method").fetchall()
        connection.close()

    rows = cells * units * REPLICATES
    return Sides(lambda: run_sweep(described, out=place, jobs=1), count, amount=rows, unit="rows/s")


def _swept(n: int, d: int, units: int) -> Experiment:
    return experiment(n, d, 0.01).replace(sweep={"replicates": units * REPLICATES, "simulator": "dense"})


def _sweep(described: Experiment, folder: Path, *, jobs: int) -> Callable[[], None]:
    def run() -> None:
        with TemporaryDirectory(dir=folder) as place:
            run_sweep(described, out=place, jobs=jobs)

    return run


def rows() -> tuple[Row, ...]:
    """The table's rows."""
    return (
        Row("sweep, 2 units, n = 4000, d = 200", "simulation alone", lambda folder: overhead(4000, 200, 2, folder)),
        Row("sweep, 12 units, two workers", "one worker", lambda folder: two_workers(500, 50, 12, folder)),
        Row("store, blocks of 10000 rows", "bare SQLite table", lambda folder: writing(2, folder)),
        Row("finished sweep, 10240 rows, run again", "SQLite counts its rows", lambda folder: resuming(80, 2, folder)),
    )
