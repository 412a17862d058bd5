"""Reading a results folder's database, also while a sweep writes to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ..experiment.identity import canonical_json
from .checksums import checksum, is_whole, tolerant
from .folder import StoreError, sqlite_errors
from .format import CHECKED, FIELDS, FILE, NOMINAL, check_versions, json_list, read_axes, stored_experiment

if TYPE_CHECKING:
    from ..experiment import Experiment
    from ..experiment.grid import Grid
    from ..planning import Shares

DAMAGED = "is damaged; `llrsim verify --mend` takes out all that is; its sweep, run again, computes the numbers anew"

DAMAGED_EXPERIMENT = (
    "its stored experiment is damaged; `llrsim sweep FILE --out {folder}`, with the experiment's own FILE (and its "
    "--shard), writes it again and keeps the rows; `llrsim verify {folder}` says what else is whole"
)

Keys = tuple[str, dict[str, str]]
"""What the rows of a cell are stored by: the hash of its law, and that of each method by label."""


def keys_of(connection: sqlite3.Connection, path: Path, axes: Sequence[str], *, sealed: bool = True) -> dict[int, Keys]:
    """Position in `axes` of every registered cell -> what its rows are stored by; StoreError if that is damaged."""
    found: dict[int, Keys] = {}
    for at, named, law, label, method, *seals in connection.execute(
        f"SELECT chosen.key, cells.axes, cells.law, m.label, m.method{', cells.checksum, m.checksum' * sealed} "
        f"FROM {_CHOSEN}",
        (json_list(axes),),
    ):
        if sealed and seals != [checksum((named, law)), checksum((named, label, method))]:
            raise StoreError(f"{path}: what cell {named}, method {label} is {DAMAGED}")
        found.setdefault(at, (law, {}))[1][label] = method
    return found


_CHOSEN = """
    json_each(?) AS chosen JOIN cells ON cells.axes = chosen.value JOIN cell_methods AS m ON m.cell = cells.cell"""


class Reader:
    """Read-only access, a context manager; StoreError where there is no results file.

    What is read through it must be what was written; without `checked`, which is for those who look for damage, texts
    that are no text any more can be read too. With `older`, for those who only show numbers, these may be of an older
    version.

    Attributes:
        damaged: the stored experiment is not what was written, and is not read.
        shard: the share of it that is here, None for all of it.
    """

    def __init__(self, folder: Path, *, checked: bool = True, older: bool = False) -> None:
        self.path = folder / FILE
        if not self.path.exists():
            raise StoreError(f"{folder}: no results here (there is no {FILE})")
        with sqlite_errors(self.path):
            self._connection = sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=ro", uri=True, timeout=30.0)
            try:
                self._open(folder, checked, older)
            except BaseException:
                self._connection.close()
                raise

    def _open(self, folder: Path, checked: bool, older: bool) -> None:
        self._connection.text_factory = tolerant
        held = self._connection.execute("SELECT * FROM sweep").fetchone()
        if held is None:
            raise StoreError(f"{folder}: no sweep was begun here")
        self._sealed = len(held) == len(CHECKED["sweep"]) + 1  # the last is the checksum, in folders that have them
        self._numerics = held[1]
        self.damaged = self._sealed and not is_whole(held[:-1], held[-1])
        self._experiment: Experiment | None = None
        self.shard: str | None = None
        if not self.damaged:
            check_versions(self.path, *held[:2], older=older)
            self._experiment = stored_experiment(self.path, held[2])
            self.shard = held[3] if self._sealed else None
        if checked:
            self._connection.text_factory = str

    @property
    def experiment(self) -> Experiment:
        """The experiment that was last asked for; StoreError where it is damaged."""
        if self._experiment is None:
            raise StoreError(f"{self.path}: {DAMAGED_EXPERIMENT.format(folder=self.path.parent)}")
        return self._experiment

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def keys(self, axes: Sequence[str]) -> dict[int, Keys]:
        """As `Store.keys`."""
        with sqlite_errors(self.path):
            return keys_of(self._connection, self.path, axes, sealed=self._sealed)

    def has_simulations(self) -> bool:
        """Whether anything was simulated into this folder."""
        return bool(self._rows("SELECT EXISTS (SELECT 1 FROM rows)", ())[0][0])

    def shares(self) -> Shares:
        """Of the predictions that the folder shows: nominal where some are and nothing was simulated."""
        query = "SELECT EXISTS (SELECT 1 FROM cells WHERE axes LIKE ?)"
        nominal = not self.has_simulations() and self._rows(query, (f"%{canonical_json(NOMINAL)[1:-1]}%",))[0][0]
        return "nominal" if nominal else "realised"

    def simulated(self, law: str, method: str, replicates: int) -> list[tuple[Any, ...]]:
        """(replicate, simulator, *FIELDS) of the first so many replicates, in their order; StoreError if damaged."""
        key = law, method, self.experiment.sweep.seed, self._numerics
        rows = self._rows(
            f"SELECT replicate, simulator, {', '.join(FIELDS)}{self._seal('rows')} FROM rows "
            "WHERE law = ? AND method = ? AND seed = ? AND numerics = ? AND replicate < ? ORDER BY replicate",
            (*key, replicates),
        )
        return [self._opened("rows", key, row) for row in rows]

    def networks(self, law: str, replicates: Sequence[int]) -> list[str]:
        """The records of the networks of these replicates, rising, of a law; StoreError if one is damaged."""
        key = law, self.experiment.sweep.seed, self._numerics
        rows = self._rows(
            f"SELECT replicate, record{self._seal('networks')} FROM networks WHERE law = ? AND seed = ? "
            "AND numerics = ? AND replicate IN (SELECT value FROM json_each(?)) ORDER BY replicate",
            (*key, msgspec.json.encode(replicates).decode()),
        )
        return [record for _, record in (self._opened("networks", key, row) for row in rows)]

    def predicted(self, axes: Sequence[str]) -> dict[tuple[str, str], tuple[Any, ...]]:
        """(limit, *FIELDS) of the predictions of cells, given by their axes, by hashes of law and method.

        StoreError if one is damaged.
        """
        columns = ", ".join(f"p.{name}" for name in FIELDS)
        rows = self._rows(
            f"SELECT p.law, p.method, outcome_limit, {columns}{self._seal('p')} FROM {_CHOSEN} "
            "JOIN predictions AS p ON p.law = cells.law AND p.method = m.method WHERE p.numerics = ?",
            (json_list(axes), self._numerics),
        )
        return {
            (law, method): self._opened("predictions", (law, method, self._numerics), told)
            for law, method, *told in rows
        }

    def masses(self, axes: Sequence[str]) -> dict[tuple[str, str], dict[str, float]]:
        """Effective mass of each group by its name, by hashes of law and method, where it was computed.

        StoreError if one is damaged.
        """
        rows = self._rows(
            f"SELECT p.law, p.method, mass{self._seal('p')} FROM {_CHOSEN} "
            "JOIN masses AS p ON p.law = cells.law AND p.method = m.method",
            (json_list(axes),),
        )
        return {
            (law, method): msgspec.json.decode(*self._opened("masses", (law, method), told))
            for law, method, *told in rows
        }

    def row_count(self, axes: Sequence[str], replicates: int) -> int:
        """Simulated rows of the cells, given by their axes, among the first so many replicates of each method."""
        query = """
            SELECT count(*) FROM json_each(?) AS chosen JOIN cells ON cells.axes = chosen.value
            JOIN cell_methods AS m ON m.cell = cells.cell
            JOIN rows AS r ON r.law = cells.law AND r.method = m.method
            WHERE r.seed = ? AND r.numerics = ? AND r.replicate < ?"""
        values = (json_list(axes), self.experiment.sweep.seed, self._numerics, replicates)
        return int(self._rows(query, values)[0][0])

    def runs(self) -> Iterator[dict[str, Any]]:
        """Provenance of every run, oldest first; StoreError if it is damaged."""
        columns = ", ".join(CHECKED["runs"])
        for run, finished, *told in self._rows(
            f"SELECT run, finished, {columns}{self._seal('runs')} FROM runs ORDER BY run", ()
        ):
            started, command, jobs, environment = self._opened("runs", (), told)
            yield {
                "run": run,
                "started": started,
                "finished": finished,
                "command": command,
                "jobs": jobs,
                "environment": msgspec.json.decode(environment),
            }

    def stored_runs(self) -> list[tuple[Any, ...]]:
        """(started, command, jobs, environment, checksum, finished) of every run, oldest first."""
        columns = ", ".join(CHECKED["runs"])
        return self._rows(f"SELECT {columns}, checksum, finished FROM runs ORDER BY run", ())

    def integrity(self, most: int) -> list[str]:
        """What SQLite's own check of the file finds, at most so many lines; none where all is well."""
        lines = [line for (line,) in self._rows(f"PRAGMA integrity_check({most})", ())]
        return [] if lines == ["ok"] else lines

    def sealed(self, table: str, where: str = "", values: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        """Rows of the columns in `CHECKED`, with the checksums that they were written with.

        StoreError in a folder from before there were checksums.
        """
        if not self._sealed:
            raise StoreError(
                f"{self.path}: written before rows had checksums; run its sweep again, which adds their columns"
            )
        source = "cell_methods LEFT JOIN cells USING (cell)" if table == "cell_methods" else table
        columns = ", ".join((*CHECKED[table], f"{table}.checksum"))
        with sqlite_errors(self.path):
            before, self._connection.text_factory = self._connection.text_factory, tolerant
            try:
                yield from self._connection.execute(f"SELECT {columns} FROM {source} {where}", values)
            finally:
                self._connection.text_factory = before

    def found(self, query: str) -> list[tuple[Any, ...]]:
        """What a query for damage finds."""
        return self._rows(query, ())

    def place(self, law: str, method: str) -> tuple[str, str] | None:
        """(axes, label) of the first cell with rows of such keys."""
        rows = self._rows(
            "SELECT axes, label FROM cells JOIN cell_methods USING (cell) WHERE law = ? AND method = ? LIMIT 1",
            (law, method),
        )
        return rows[0] if rows else None

    def other_cells(self, grid: Grid) -> int:
        """How many cells are here that a grid does not have; damaged ones do not count."""
        known = set()
        for key, law, seal in self.sealed("cells"):
            if is_whole((key, law), seal):
                known.add(canonical_json(read_axes(key)[0]))
        return len(known.difference(canonical_json(grid.cell(cell)) for cell in range(grid.size)))

    def count(self, table: str) -> int:
        """Rows of a table."""
        return int(self._rows(f"SELECT count(*) FROM {table}", ())[0][0])

    def _seal(self, table: str) -> str:
        """The column of a table's checksums, where there is one."""
        return f", {table}.checksum" if self._sealed else ""

    def _opened(self, table: str, key: tuple[Any, ...], row: Sequence[Any]) -> tuple[Any, ...]:
        """A row of a table and these keys without its checksum, which it must have."""
        if not self._sealed:
            return tuple(row)
        *told, seal = row
        if checksum((*key, *told)) != seal:
            raise StoreError(f"{self.path}: {' '.join(map(str, ('a row of', table, *key)))} {DAMAGED}")
        return tuple(told)

    def _rows(self, query: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with sqlite_errors(self.path):
            return self._connection.execute(query, values).fetchall()
