"""Read-only access to a results folder's database, also while a sweep writes to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from .encoding import FIELDS
from .errors import StoreError, reported
from .identity import NUMERICS
from .tables import FILE, check_versions, decoded, json_list


class Reader:
    """A context manager over the tables of `tables`; StoreError where there are none."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        if not self.path.exists():
            raise StoreError(f"{folder}: no results here (there is no {FILE})")
        with reported(self.path):
            self._connection = sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=ro", uri=True, timeout=30.0)
            try:
                held = self._connection.execute("SELECT schema, numerics, experiment FROM sweep").fetchone()
                if held is None:
                    raise StoreError(f"{folder}: no sweep was begun here")
                check_versions(self.path, *held[:2])
            except BaseException:
                self._connection.close()
                raise
        self.experiment = decoded(held[2])

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def cell(self, axes: str) -> tuple[str, dict[str, str]] | None:
        """Law hash, and label -> method hash, of a cell given by its axes; None where it was never met."""
        with reported(self.path):
            found = self._connection.execute("SELECT cell, law FROM cells WHERE axes = ?", (axes,)).fetchone()
            if found is None:
                return None
            methods = self._connection.execute("SELECT label, method FROM cell_methods WHERE cell = ?", found[:1])
            return found[1], dict(methods.fetchall())

    def simulated(self, law: str, method: str, replicates: int) -> list[tuple[Any, ...]]:
        """(replicate, *FIELDS) of the first so many replicates, in their order."""
        return self._rows(
            f"SELECT replicate, {', '.join(FIELDS)} FROM rows WHERE law = ? AND method = ? AND seed = ? "
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
        with reported(self.path):
            return self._connection.execute(query, values).fetchall()
