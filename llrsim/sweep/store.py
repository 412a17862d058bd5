"""The database of a results folder: one writer, and readers also while it writes.

What is missing is worked out by SQL over many cells at a time, never row by row here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from .folder import NUMERICS, StoreError, check_same_sweep, is_network, sqlite_errors
from .format import CREATE, FIELDS, FILE, SCHEMA, check_versions, experiment_from_json, json_list

if TYPE_CHECKING:
    from ..experiment import Experiment


class Cell(NamedTuple):
    """A grid cell by what it is: canonical JSON of its axes, the hash of its law, and its methods."""

    axes: str
    law: str
    methods: tuple[tuple[str, str, str], ...]  # label, hash, definition


class Store:
    """The one writer of a folder; a context manager. Open it under the folder's lock (`folder.locked`).

    Raises StoreError for a folder that holds another sweep, or a file that cannot be read or written.
    """

    def __init__(self, folder: Path, experiment: Experiment) -> None:
        self.path = folder / FILE
        self._experiment = experiment
        with sqlite_errors(self.path):
            self.connection = sqlite3.connect(self.path, isolation_level=None, timeout=30.0)
            try:
                self._prepare(folder)
            except BaseException:
                self.connection.close()
                raise

    def _prepare(self, folder: Path) -> None:
        asked = self._experiment
        # Looked at before anything is changed: a folder that is refused stays as it was, to the byte.
        held = self._held()
        if held is not None:
            check_versions(self.path, *held[:2])
            check_same_sweep(folder, experiment_from_json(held[2]), asked)
        # Write-ahead logging needs memory shared between processes, which network file systems do not give.
        self.connection.execute(f"PRAGMA journal_mode = {'DELETE' if is_network(folder) else 'WAL'}")
        self.connection.execute("PRAGMA synchronous = NORMAL")
        with self._transaction():
            for table in CREATE:
                self.connection.execute(table)
            self.connection.execute("DELETE FROM sweep")
            self.connection.execute("INSERT INTO sweep VALUES (?, ?, ?)", (SCHEMA, NUMERICS, asked.to_json()))

    def _held(self) -> Any:
        """Schema, numerics and experiment of the folder; None for a new one."""
        made = self.connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sweep'").fetchone()
        return made and self.connection.execute("SELECT schema, numerics, experiment FROM sweep").fetchone()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        # A closed folder is one plain file that can be read from read-only media; a reader may stand in the way.
        with suppress(sqlite3.Error):
            self.connection.execute("PRAGMA journal_mode = DELETE")
        self.connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with sqlite_errors(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # SQLite has rolled back by itself after some errors
                    self.connection.execute("ROLLBACK")
                raise

    def unknown(self, axes: Sequence[str]) -> set[str]:
        """Those of the cells, given by their axes, that are not registered."""
        with sqlite_errors(self.path):
            found = self.connection.execute(
                "SELECT value FROM json_each(?) WHERE value NOT IN (SELECT axes FROM cells)", (json_list(axes),)
            )
            return {row[0] for row in found}

    def register(self, cells: Iterable[Cell]) -> None:
        """Store what cells are, so that later runs need not build their experiments to know what is there."""
        with self._transaction():
            for cell in cells:
                self.connection.execute("INSERT OR IGNORE INTO cells (axes, law) VALUES (?, ?)", (cell.axes, cell.law))
                (number,) = self.connection.execute("SELECT cell FROM cells WHERE axes = ?", (cell.axes,)).fetchone()
                self.connection.executemany(
                    "INSERT OR REPLACE INTO cell_methods VALUES (?, ?, ?)",
                    [(number, label, method) for label, method, _ in cell.methods],
                )
                self.connection.executemany(
                    "INSERT OR IGNORE INTO methods VALUES (?, ?, ?)",
                    [(method, label, definition) for label, method, definition in cell.methods],
                )

    def missing_units(self, axes: Sequence[str], *, replicates: int, size: int) -> list[tuple[int, int, int]]:
        """(position in `axes`, first replicate, replicates) of every unit of `size` that is not complete."""
        with sqlite_errors(self.path):
            return self.connection.execute(
                """
                WITH RECURSIVE starts (first) AS (
                    SELECT 0 WHERE :replicates > 0
                    UNION ALL SELECT first + :size FROM starts WHERE first + :size < :replicates
                ), units AS (SELECT first, min(:size, :replicates - first) AS many FROM starts)
                SELECT chosen.key, first, many
                FROM json_each(:axes) AS chosen JOIN cells ON cells.axes = chosen.value CROSS JOIN units
                WHERE EXISTS (
                    SELECT 1 FROM cell_methods AS m WHERE m.cell = cells.cell AND many > (
                        SELECT count(*) FROM rows AS r
                        WHERE r.law = cells.law AND r.method = m.method AND r.seed = :seed AND r.numerics = :numerics
                        AND r.replicate >= first AND r.replicate < first + many))
                ORDER BY chosen.key, first
                """,
                {
                    "axes": json_list(axes),
                    "replicates": replicates,
                    "size": size,
                    "seed": self._experiment.sweep.seed,
                    "numerics": NUMERICS,
                },
            ).fetchall()

    def missing_predictions(self, axes: Sequence[str]) -> list[int]:
        """Position in `axes` of every cell without a prediction for one of its methods."""
        with sqlite_errors(self.path):
            found = self.connection.execute(
                """
                SELECT chosen.key FROM json_each(?) AS chosen JOIN cells ON cells.axes = chosen.value
                WHERE EXISTS (
                    SELECT 1 FROM cell_methods AS m WHERE m.cell = cells.cell AND NOT EXISTS (
                        SELECT 1 FROM predictions AS p
                        WHERE p.law = cells.law AND p.method = m.method AND p.numerics = ?))
                ORDER BY chosen.key
                """,
                (json_list(axes), NUMERICS),
            )
            return [row[0] for row in found]

    def write(
        self,
        simulated: Iterable[Sequence[Any]],
        predicted: Iterable[Sequence[Any]],
        masses: Iterable[tuple[str, str, str]] = (),
    ) -> None:
        """Commit whole units in one transaction.

        Simulated rows are (law, method, replicate, simulator, *FIELDS), predicted ones (law, method, limit, *FIELDS),
        masses (law, method, JSON). A row that is there already is replaced by the same numbers.
        """
        rest = ", ".join("?" * len(FIELDS))
        with self._transaction():
            self.connection.executemany(
                f"INSERT OR REPLACE INTO rows (seed, numerics, law, method, replicate, simulator, {', '.join(FIELDS)}) "
                f"VALUES ({self._experiment.sweep.seed}, {NUMERICS}, ?, ?, ?, ?, {rest})",
                simulated,
            )
            self.connection.executemany(
                f"INSERT OR REPLACE INTO predictions (numerics, law, method, outcome_limit, {', '.join(FIELDS)}) "
                f"VALUES ({NUMERICS}, ?, ?, ?, {rest})",
                predicted,
            )
            self.connection.executemany("INSERT OR REPLACE INTO masses VALUES (?, ?, ?)", masses)

    def begin_run(self, command: str, jobs: int, environment: str) -> int:
        """Record that a run began; returns its number."""
        with self._transaction():
            cursor = self.connection.execute(
                "INSERT INTO runs (started, command, jobs, environment) VALUES (?, ?, ?, ?)",
                (_now(), command, jobs, environment),
            )
            return int(cursor.lastrowid or 0)

    def end_run(self, run: int) -> None:
        """Record that a run came to its end."""
        with self._transaction():
            self.connection.execute("UPDATE runs SET finished = ? WHERE run = ?", (_now(), run))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


class Reader:
    """Read-only access, a context manager; StoreError where there is no results file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        if not self.path.exists():
            raise StoreError(f"{folder}: no results here (there is no {FILE})")
        with sqlite_errors(self.path):
            self._connection = sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=ro", uri=True, timeout=30.0)
            try:
                held = self._connection.execute("SELECT schema, numerics, experiment FROM sweep").fetchone()
                if held is None:
                    raise StoreError(f"{folder}: no sweep was begun here")
                check_versions(self.path, *held[:2])
            except BaseException:
                self._connection.close()
                raise
        self.experiment = experiment_from_json(held[2])

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def cell(self, axes: str) -> tuple[str, dict[str, str]] | None:
        """Law hash, and label -> method hash, of a cell given by its axes; None where it was never met."""
        with sqlite_errors(self.path):
            found = self._connection.execute("SELECT cell, law FROM cells WHERE axes = ?", (axes,)).fetchone()
            if found is None:
                return None
            methods = self._connection.execute("SELECT label, method FROM cell_methods WHERE cell = ?", found[:1])
            return found[1], dict(methods.fetchall())

    def simulated(self, law: str, method: str, replicates: int) -> list[tuple[Any, ...]]:
        """(replicate, simulator, *FIELDS) of the first so many replicates, in their order."""
        return self._rows(
            f"SELECT replicate, simulator, {', '.join(FIELDS)} FROM rows WHERE law = ? AND method = ? AND seed = ? "
            "AND numerics = ? AND replicate < ? ORDER BY replicate",
            (law, method, self.experiment.sweep.seed, NUMERICS, replicates),
        )

    def predicted(self, law: str, method: str) -> tuple[Any, ...] | None:
        """(limit, *FIELDS) of a prediction; None where there is none."""
        rows = self._rows(
            f"SELECT outcome_limit, {', '.join(FIELDS)} FROM predictions WHERE law = ? AND method = ? AND numerics = ?",
            (law, method, NUMERICS),
        )
        return rows[0] if rows else None

    def mass(self, law: str, method: str) -> dict[str, float]:
        """Effective mass of each group by its name; empty where the method was not computed on this law."""
        rows = self._rows("SELECT mass FROM masses WHERE law = ? AND method = ?", (law, method))
        return msgspec.json.decode(rows[0][0]) if rows else {}

    def row_count(self, axes: Sequence[str], replicates: int) -> int:
        """Simulated rows of the cells, given by their axes, among the first so many replicates of each method."""
        query = """
            SELECT count(*) FROM json_each(?) AS chosen JOIN cells ON cells.axes = chosen.value
            JOIN cell_methods AS m ON m.cell = cells.cell
            JOIN rows AS r ON r.law = cells.law AND r.method = m.method
            WHERE r.seed = ? AND r.numerics = ? AND r.replicate < ?"""
        values = (json_list(axes), self.experiment.sweep.seed, NUMERICS, replicates)
        return int(self._rows(query, values)[0][0])

    def runs(self) -> Iterator[dict[str, Any]]:
        """Provenance of every run, oldest first."""
        for run, started, finished, command, jobs, environment in self._rows(
            "SELECT run, started, finished, command, jobs, environment FROM runs ORDER BY run", ()
        ):
            yield {
                "run": run,
                "started": started,
                "finished": finished,
                "command": command,
                "jobs": jobs,
                "environment": msgspec.json.decode(environment),
            }

    def _rows(self, query: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with sqlite_errors(self.path):
            return self._connection.execute(query, values).fetchall()
