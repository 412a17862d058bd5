"""What a sweep costs beside its kernels: storing its rows, and finding that it is finished."""

import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from benchmarks.instance import experiment
from benchmarks.pairs import Sides

from llrsim.experiment import Experiment
from llrsim.sweep.folder import NUMERICS
from llrsim.sweep.format import CHECKED, FILE, sealed
from llrsim.sweep.run import run_sweep
from llrsim.sweep.store import Store
from llrsim.sweep.units import REPLICATES

BLOCK = 10_000
"""Rows of a transaction."""


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

    return Sides(ours, theirs)


def resuming(cells: int, units: int, folder: Path) -> Sides:
    """The same sweep once more when it is finished, and the least that this has to ask: rows of each law and method."""
    described = _swept(200, 3, units).with_values({"sweep.grid": {"train.n": list(range(200, 200 + cells))}})
    place = folder / "finished"
    run_sweep(described, out=place, jobs=1)

    def count() -> None:
        connection = sqlite3.connect(place / FILE)
        connection.execute("SELECT law, method, count(*) FROM rows GROUP BY law, method").fetchall()
        connection.close()

    return Sides(lambda: run_sweep(described, out=place, jobs=1), count)


def _swept(n: int, d: int, units: int) -> Experiment:
    return experiment(n, d, 0.01).replace(sweep={"replicates": units * REPLICATES, "simulator": "dense"})
