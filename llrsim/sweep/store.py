"""Read and write a results folder's database."""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from .._io import escaped
from ..experiment.errors import ExperimentError
from ..experiment.identity import canonical_json, cell_law_hash
from .folder import NUMERICS, StoreError, check_inside, check_same_sweep, is_network, sqlite_errors
from .format import (
    BEFORE_CHECKSUMS,
    CHECKED,
    CREATE,
    FIELDS,
    FILE,
    NOMINAL,
    SCHEMA,
    check_versions,
    checksum,
    is_whole,
    json_list,
    read_axes,
    sealed,
    stored_experiment,
    tolerant,
)

if TYPE_CHECKING:
    from ..experiment import Experiment
    from ..experiment.grid import Grid
    from ..model.plan import Shares


# Reading a results folder's database, also while a sweep writes to it.


DAMAGED = "is damaged; `llrsim verify --mend` removes all that is; its sweep, run again, recomputes the numbers"

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

    def has_simulations(self, first: int = 0) -> bool:
        """Whether replicates, from `first` on, were simulated into this folder."""
        return bool(self._rows("SELECT EXISTS (SELECT 1 FROM rows WHERE replicate >= ?)", (first,))[0][0])

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

    def check_whole(self) -> None:
        """Raise StoreError where the file's structure, or any row of it, is not what was written.

        Whoever shows numbers asks: rows whose keys are damaged are not found, and would be missing without a word.
        """
        where = f"(`llrsim verify {self.path.parent}` names all damage)"
        if found := self.integrity(1):
            raise StoreError(f"{self.path}: its structure {DAMAGED} {where}: {found[0]}")
        for table, _, whole in self.all_rows() if self._sealed else ():
            if not whole:
                raise StoreError(f"{self.path}: a row of {table} {DAMAGED} {where}")

    def all_rows(self) -> Iterator[tuple[str, list[Any], bool]]:
        """(table, values of its columns in `CHECKED`, whether they are what was written) of every row of the file."""
        for table in CHECKED:
            for *values, stored in self.sealed(table):
                yield table, values, is_whole(values, stored)

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


# The writer of a results folder's database.
#
# What is missing is worked out by SQL over many cells at a time, never row by row here.


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
                f"{self.path}: its stored experiment was damaged; it is written again as asked, and the rows are kept. "
                f"Its former name, study, replicates and grid are lost; the name is now {asked.name!r}",
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
        """Record that a run began; returns its number. Bytes of a command that are no text are stored as escapes."""
        with self._transaction():
            self._insert("runs", [sealed(_now(), escaped(command), jobs, environment)])
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
