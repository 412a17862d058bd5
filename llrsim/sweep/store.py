"""The writer of a results folder's database.

What is missing is worked out by SQL over many cells at a time, never row by row here.
"""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..experiment.errors import ExperimentError
from ..experiment.identity import cell_law_hash
from .checksums import checksum, is_whole, sealed, tolerant
from .folder import NUMERICS, StoreError, check_inside, check_same_sweep, is_network, sqlite_errors
from .format import (
    BEFORE_CHECKSUMS,
    CHECKED,
    CREATE,
    FILE,
    SCHEMA,
    check_versions,
    json_list,
    read_axes,
    stored_experiment,
)
from .reader import Keys, keys_of

if TYPE_CHECKING:
    from ..experiment import Experiment


MOST_CELLS = 64  # that are looked at to know whose a folder is


class Cell(NamedTuple):
    """A grid cell by what it is: canonical JSON of its axes, the hash of its law, and its methods."""

    axes: str
    law: str
    methods: tuple[tuple[str, str, str], ...]  # label, hash, definition


class Store:
    """The one writer of a folder; a context manager. Open it under the folder's lock (`folder.locked`).

    `shard` names the share of the sweep that the folder takes, None for all of it.

    Raises StoreError for a folder that holds another sweep, or a file that cannot be read or written.
    """

    def __init__(self, folder: Path, experiment: Experiment, *, shard: str | None = None) -> None:
        self.path = folder / FILE
        self._experiment, self._shard = experiment, shard
        check_inside(self.path)
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
        damaged = held is not None and len(held) > len(CHECKED["sweep"]) and not is_whole(held[:-1], held[-1])
        if damaged:
            if not self._known_cells(folder):  # nothing says that the file is of these versions, but the row itself
                check_versions(self.path, *held[:2])
            warnings.warn(
                f"{self.path}: its stored experiment was damaged; it is written again as asked, and the rows are kept",
                stacklevel=5,
            )
        elif held is not None:
            check_versions(self.path, *held[:2])
            check_same_sweep(folder, stored_experiment(self.path, held[2]), asked)
            self._check_same_shard(folder, held[3])
        # Write-ahead logging needs memory shared between processes, which network file systems do not give.
        self.connection.execute(f"PRAGMA journal_mode = {'DELETE' if is_network(folder) else 'WAL'}")
        self.connection.execute("PRAGMA synchronous = NORMAL")
        with self._transaction():
            for statement in CREATE:
                self.connection.execute(statement)
            if held is not None and not damaged and held[0] == BEFORE_CHECKSUMS:
                self._add_checksums()
            self.connection.execute("DELETE FROM sweep")
            self._insert("sweep", [sealed(SCHEMA, NUMERICS, asked.to_json(), self._shard)])

    def _add_checksums(self) -> None:
        """Add them to a folder from before there were any, whose rows are taken to be as they were written."""
        self.connection.execute("ALTER TABLE sweep ADD COLUMN shard TEXT")
        self.connection.create_function("checksum", -1, lambda *values: checksum(values), deterministic=True)
        axes = "(SELECT axes FROM cells WHERE cells.cell = cell_methods.cell)"
        for table, columns in CHECKED.items():
            self.connection.execute(f"ALTER TABLE {table} ADD COLUMN checksum INTEGER")
            of = [axes if (table, name) == ("cell_methods", "axes") else name for name in columns]
            self.connection.execute(f"UPDATE {table} SET checksum = checksum({', '.join(of)})")

    def _held(self) -> Any:
        """Schema, numerics, experiment, shard and checksum of the folder; None for a new one."""
        if self.connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sweep'").fetchone() is None:
            return None
        self.connection.text_factory = tolerant
        held = self.connection.execute("SELECT * FROM sweep").fetchone()
        self.connection.text_factory = str
        return held and (held if len(held) > len(CHECKED["sweep"]) else (*held, None))

    def _known_cells(self, folder: Path) -> int:
        """How many methods of cells here, whose experiment is damaged, are known to be of the one that is asked for.

        They are where their laws and methods have the hashes that the experiment gives them; MOST_CELLS are looked at.
        StoreError where one is not.
        """
        asked, known = self._experiment, 0
        base = asked.replace(sweep={"seed": asked.sweep.seed, "simulator": asked.sweep.simulator})
        self.connection.text_factory = tolerant
        stored = self.connection.execute(
            "SELECT cells.axes, cells.law, m.label, m.method, cells.checksum, m.checksum FROM "
            "(SELECT * FROM cells ORDER BY cell LIMIT ?) AS cells JOIN cell_methods AS m ON m.cell = cells.cell",
            (MOST_CELLS,),
        ).fetchall()
        self.connection.text_factory = str
        for axes, law, label, method, *seals in stored:
            if not (is_whole((axes, law), seals[0]) and is_whole((axes, label, method), seals[1])):
                continue
            values, shares = read_axes(axes)
            try:
                cell = base.with_values(values)
                same = (cell_law_hash(cell, nominal=shares == "nominal"), cell.method_hash(label)) == (law, method)
            except ExperimentError:
                same = False
            if not same:
                raise StoreError(
                    f"{folder}: its stored experiment is damaged, and cell {axes}, method {label} is another one in "
                    "the experiment asked for; nothing was changed. Give the experiment's own FILE"
                )
            known += 1
        seed = self.connection.execute("SELECT seed FROM rows LIMIT 1").fetchone()
        if seed is not None and seed[0] != asked.sweep.seed:
            raise StoreError(
                f"{folder}: its stored experiment is damaged, and its rows are of sweep.seed = {seed[0]}, not "
                f"{asked.sweep.seed}; nothing was changed"
            )
        return known

    def _check_same_shard(self, folder: Path, held: str | None) -> None:
        if held != self._shard:
            holds, asked = (f"shard {shard}" if shard else "the whole" for shard in (held, self._shard))
            raise StoreError(
                f"{folder} holds {holds} of this sweep, and {asked} is asked for; nothing was changed. "
                "Choose another --out; `llrsim merge` joins shards"
            )

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
        """Those of the cells, given by their axes, that are not registered, or whose methods are not."""
        with sqlite_errors(self.path):
            found = self.connection.execute(
                "SELECT value FROM json_each(?) WHERE value NOT IN (SELECT axes FROM cells) OR value IN (SELECT axes "
                "FROM cells JOIN cell_methods USING (cell) WHERE method NOT IN (SELECT method FROM methods))",
                (json_list(axes),),
            )
            return {row[0] for row in found}

    def register(self, cells: Iterable[Cell]) -> None:
        """Store what cells are, so that later runs need not build their experiments to know what is there."""
        cells = list(cells)
        named = [(cell.axes, label, method) for cell in cells for label, method, _ in cell.methods]
        defined = {(method, label, definition) for cell in cells for label, method, definition in cell.methods}
        with self._transaction():
            self._insert("cells", [sealed(cell.axes, cell.law) for cell in cells])
            self.connection.executemany(
                "INSERT OR REPLACE INTO cell_methods (cell, label, method, checksum) "
                "SELECT cell, ?, ?, ? FROM cells WHERE axes = ?",
                [(label, method, checksum((axes, label, method)), axes) for axes, label, method in named],
            )
            self._insert("methods", [sealed(*row) for row in sorted(defined)])

    def keys(self, axes: Sequence[str]) -> dict[int, Keys]:
        """Position in `axes` of every registered cell -> hash of its law, and of each method by label."""
        with sqlite_errors(self.path):
            return keys_of(self.connection, self.path, axes)

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

    def has_simulations(self) -> bool:
        """Whether anything was simulated into this folder."""
        with sqlite_errors(self.path):
            return bool(self.connection.execute("SELECT EXISTS (SELECT 1 FROM rows)").fetchone()[0])

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
        masses: Iterable[Sequence[Any]] = (),
        networks: Iterable[Sequence[Any]] = (),
    ) -> None:
        """Commit whole units in one transaction.

        Rows are of the columns in `CHECKED`, `sealed`. A row that is there already stays: simulated anew by the same
        simulator it is the same, by another it has the same law, and predictions are the same within their
        certificates.
        """
        with self._transaction():
            self._insert("rows", simulated)
            self._insert("predictions", predicted)
            self._insert("masses", masses)
            self._insert("networks", networks)

    def _insert(self, table: str, rows: Iterable[Sequence[Any]]) -> None:
        """Sealed rows; one that is there already stays."""
        columns = CHECKED[table]
        self.connection.executemany(
            f"INSERT INTO {table} ({', '.join(columns)}, checksum) "
            f"VALUES ({', '.join('?' * len(columns))}, ?) ON CONFLICT DO NOTHING",
            rows,
        )

    def begin_run(self, command: str, jobs: int, environment: str) -> int:
        """Record that a run began; returns its number."""
        with self._transaction():
            self._insert("runs", [sealed(_now(), command, jobs, environment)])
            return int(self.connection.execute("SELECT last_insert_rowid()").fetchone()[0])

    def adopt_runs(self, runs: Iterable[Sequence[Any]]) -> None:
        """Record runs into another folder, (started, command, jobs, environment, checksum, finished), each once."""
        with self._transaction():
            self.connection.executemany(
                "INSERT INTO runs (started, command, jobs, environment, checksum, finished) "
                "SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE ?5 NOT IN (SELECT checksum FROM runs)",
                runs,
            )

    def end_run(self, run: int) -> None:
        """Record that a run came to its end."""
        with self._transaction():
            self.connection.execute("UPDATE runs SET finished = ? WHERE run = ?", (_now(), run))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
