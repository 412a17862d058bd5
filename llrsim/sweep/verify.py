"""Verify, repair, compare and merge results folders."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from .._arguments import checked_seed
from ..experiment.grid import Grid
from ..experiment.identity import cell_law_hash
from ..model.plan import Plan, plan
from .environment import environment
from .folder import StoreError, check_inside, differing_keys, locked, sqlite_errors
from .format import CHECKED, CREATE, FIELDS, FILE, as_read, encode, read_axes
from .run import compile_kernels, heads_of, simulators_of
from .store import Reader, Store
from .units import Block, Shard, Unit, missing_units

if TYPE_CHECKING:
    from ..experiment import Experiment


# What is damaged in a results folder's database: its structure by SQLite's own check, its rows by their checksums.


SHOWN = 10  # findings of SQLite's check that are told
LONGEST = 200  # characters of a value that are told
_GONE = {
    "masses": "SELECT law, method, NULL FROM predictions EXCEPT SELECT law, method, NULL FROM masses",
    "networks": "SELECT law, seed, numerics, replicate, NULL FROM rows "
    "EXCEPT SELECT law, seed, numerics, replicate, NULL FROM networks",
}
"""By table: keys of rows that are not there, though what is written with them is; None for the last of `CHECKED`."""
_NAMES = ("axes", "label", "law", "method", "replicate")


class Damage(NamedTuple):
    """What was found, in words, how many rows were looked at, and how many of them are what was written."""

    found: tuple[str, ...]
    rows: int
    whole: int


def damage_in(reader: Reader) -> Damage:
    """Look at the whole file, what SQLite's check finds first; StoreError where it cannot be read to its end."""
    found = [f"sqlite: {line}" for line in reader.integrity(SHOWN)]
    rows = sound = 0
    for table, values, whole in reader.all_rows():
        rows, sound = rows + 1, sound + whole
        if not whole:
            found.append(f"{place_in(reader, table, values)}: the row is not what was written")
    if not found:  # where keys are damaged, rows that belong together do not find each other
        found += [f"{place_in(reader, table, values)}: the row is gone" for table, values in gone_rows(reader)]
    return Damage(tuple(found), rows, sound)


def gone_rows(reader: Reader) -> Iterator[tuple[str, list[Any]]]:
    """(table, values of its keys in `CHECKED`, else None) of rows that somebody deleted.

    Deleted rows of other tables are not missed: to a sweep they are what it has not computed yet.
    """
    learned = reader.count("networks") if reader.damaged else reader.experiment.network is not None
    tables = ["masses", "networks"] if learned else ["masses"]
    for table in tables:
        for values in reader.found(_GONE[table]):
            yield table, list(values)


def place_in(reader: Reader, table: str, values: Sequence[Any]) -> str:
    """Where a row belongs, in words: its cell's axes, its method's label, its replicate, as far as it has them."""
    named = dict(zip(CHECKED[table], map(_readable, values), strict=True))
    if "law" in named and "method" in named and (known := reader.place(named["law"], named["method"])):
        named |= zip(("axes", "label"), known, strict=True)
        del named["law"], named["method"]
    return ", ".join([table, *(f"{name} {named[name]}" for name in _NAMES if name in named)])


def _readable(value: Any) -> Any:
    """A damaged text with its stray bytes replaced; what is too long for a line is cut."""
    if isinstance(value, str):
        value = value.encode(errors="surrogateescape").decode(errors="replace")
    return f"{str(value)[:LONGEST]}..." if len(str(value)) > LONGEST else value


# Whether a recomputed row is the stored one: bit for bit, or within what its certificate leaves open.


_NUMBERS = ("wga", "direction_wga", "average_accuracy", "largest_stable_step", "cosine")
_BLOBS = ("head", "path", "composition")

LEAST, MOST, FACTOR = 1e-9, 1e-6, 1e3
"""Numbers may differ by FACTOR times the sum of two certificates, relative to the largest; limited on both sides.

This is the tolerance between machines and between builds of BLAS: exact fits are known to their certificates times the
conditioning of the fit, for which FACTOR allows; descents to rounding. It is far from used up: between OpenBLAS's
kernels for Nehalem and Haswell, dense rows and predictions of small sweeps were the same to the bit, and lazy rows
within 6e-14.
"""


def difference(stored: Sequence[Any], computed: Sequence[Any], *, exact: bool) -> str | None:
    """The first of FIELDS in which two rows of them differ, with both values; None where the rows agree.

    Unless `exact`, numbers agree within a tolerance; iterations and certificates are not compared.
    """
    first, second = (dict(zip(FIELDS, as_read(row), strict=True)) for row in (stored, computed))
    if exact:
        names = [name for name in FIELDS if first[name] != second[name]]
    else:
        tolerance = min(MOST, LEAST + FACTOR * sum(one["certificate"] or 0.0 for one in (first, second)))
        names = [name for name in _NUMBERS + _BLOBS if not _near(first[name], second[name], tolerance)]
        if first["status"] != second["status"]:
            names.insert(0, "status")
    if not names:
        return None
    before, after = (_shown(one[names[0]]) for one in (first, second))
    return f"{names[0]} is stored as {before}, and comes out as {after}"


def _near(first: Any, second: Any, tolerance: float) -> bool:
    if first is None or second is None:
        return first is second
    a, b = (np.frombuffer(one) if isinstance(one, bytes) else np.array(one) for one in (first, second))
    if a.shape != b.shape:
        return False
    scale = max(1.0, float(np.nanmax(np.abs(a), initial=0.0)))
    return np.allclose(a, b, rtol=0.0, atol=tolerance * scale, equal_nan=True)


def _shown(value: Any) -> str:
    return str(np.frombuffer(value).tolist() if isinstance(value, bytes) and len(value) % 8 == 0 else value)


# One results folder from several of the same sweep, as its shards are.
#
# Merging goes through the grid as a sweep does, and looks its units up rather than computing them. Where folders hold
# predictions of the same key, which agree only within their certificates, the one stays that one uninterrupted run
# would have stored: that of the shard whose unit comes first in the grid.


ENOUGH = 4096  # rows for a transaction


@dataclass(frozen=True)
class Merged:
    """A merged folder, the simulated rows and predictions copied into it, and the units that no folder had whole."""

    folder: Path
    rows: int
    predictions: int
    missing: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return vars(self) | {"folder": str(self.folder)}

    def __str__(self) -> str:
        told = f"{self.folder}: {self.rows} simulated rows and {self.predictions} predictions"
        if not self.missing:
            return f"{told}; the sweep is complete"
        return f"{told}; {self.missing} units are in none of the folders: run the sweep with --out {self.folder}"


def merge_results(out: Path, folders: Sequence[Path]) -> Merged:
    """Copy the rows of the folders into `out`, which is new or holds some of the same sweep.

    Raises StoreError, before anything is written, where folders hold different sweeps, grids or versions, a row is
    damaged, or one key has different numbers in two folders; predictions may differ within their certificates.
    """
    if out.resolve() in [folder.resolve() for folder in folders]:
        raise StoreError(f"{out}: is among the folders to merge; choose a new one")
    if (out / FILE).exists():
        folders = [out, *folders]
    with ExitStack() as stack:
        sources = [stack.enter_context(Reader(folder)) for folder in folders]
        experiment = _experiment_of(sources)
        for source in sources:
            if found := damage_in(source).found:
                raise StoreError(f"{source.path}: is damaged, nothing was merged: {found[0]}")
        for first, second in combinations(sources, 2):
            _check_equal(first, second)
        out.mkdir(parents=True, exist_ok=True)
        stack.enter_context(locked(out))
        store = stack.enter_context(Store(out, experiment))
        replicates = experiment.sweep.replicates if any(source.has_simulations() for source in sources) else 0
        return _copy(store, sources, Grid(experiment), replicates, out)


def _experiment_of(sources: Sequence[Reader]) -> Experiment:
    """What all sources are of, with the most replicates."""
    first, *others = sources
    for other in others:
        lines = differing_keys(first.experiment, other.experiment, words=("there", "here"))
        for axes in ("grid", "zip"):
            if getattr(first.experiment.sweep, axes) != getattr(other.experiment.sweep, axes):
                lines.append(f"  sweep.{axes}: another one there than here")
        if lines:
            where = f"{first.path.parent} (there) and {other.path.parent} (here)"
            raise StoreError(f"{where} are not of one sweep, nothing was merged:\n" + "\n".join(lines))
    return max((source.experiment for source in sources), key=lambda experiment: experiment.sweep.replicates)


_KEYS = {
    "rows": ("law", "method", "seed", "numerics", "replicate", "simulator"),
    "predictions": ("law", "method", "numerics"),
    "masses": ("law", "method"),
    "networks": ("law", "seed", "numerics", "replicate"),
}
"""What must have the same numbers. A row may be simulated otherwise in two folders, where its cells differ in size."""


def _check_equal(first: Reader, second: Reader) -> None:
    with closing(sqlite3.connect(":memory:", uri=True)) as connection, sqlite_errors(second.path):
        for name, reader in (("one", first), ("two", second)):
            connection.execute(f"ATTACH ? AS {name}", (f"{reader.path.resolve().as_uri()}?mode=ro",))
        for table, keys in _KEYS.items():
            rest = [name for name in CHECKED[table] if name not in keys]
            columns = [", ".join(f"{side}.{name}" for name in rest) for side in ("a", "b")]
            asked = ", ".join(f"a.{name}" for name in CHECKED[table])
            for row in connection.execute(
                f"SELECT {asked}, {columns[1]} FROM one.{table} AS a JOIN two.{table} AS b USING ({', '.join(keys)}) "
                f"WHERE ({columns[0]}) IS NOT ({columns[1]})"
            ):
                values, other = row[: len(CHECKED[table])], row[len(CHECKED[table]) :]
                if told := _told(table, values, other):
                    where = place_in(first, table, values)
                    raise StoreError(f"{first.path.parent} and {second.path.parent} differ: {where}: {told}")


def _told(table: str, values: Sequence[Any], other: Sequence[Any]) -> str | None:
    """How two rows of one key differ; None for predictions that agree."""
    if table in ("rows", "predictions"):
        pair = values[-len(FIELDS) :], other[-len(FIELDS) :]
        return difference(*pair, exact=table == "rows")
    return f"{values[-1]} in one, {other[-1]} in the other"


def _copy(store: Store, sources: Sequence[Reader], grid: Grid, replicates: int, out: Path) -> Merged:
    def missing() -> Iterator[Unit]:
        return missing_units(store, grid, replicates, present=lambda _: None, failed=lambda _: None)

    block, rows, predictions = Block(), 0, 0

    def commit() -> Block:
        nonlocal rows, predictions
        rows, predictions = rows + len(block.simulated), predictions + len(block.predicted)
        store.write(block.simulated, block.predicted, block.masses, block.networks)
        return Block()

    for source in sources:
        if source.path != store.path:
            store.adopt_runs(source.stored_runs())
    for unit in missing():
        _look_up(unit, sorted(sources, key=lambda source: not _is_owner(source, unit)), block)
        if len(block.simulated) + len(block.predicted) >= ENOUGH:
            block = commit()
    commit()
    return Merged(out, rows, predictions, sum(1 for _ in missing()))


def _is_owner(source: Reader, unit: Unit) -> bool:
    return source.shard is not None and Shard.parse(source.shard).holds(unit)


def _look_up(unit: Unit, sources: Sequence[Reader], block: Block) -> None:
    """Add what the sources have of a unit to a block; of one key, what the first source has."""
    end = unit.first + unit.replicates
    for place in unit.places:
        for method in place.methods.values():
            key = place.law, method
            if unit.replicates:
                where = "WHERE law = ? AND method = ? AND replicate >= ? AND replicate < ?"
                block.simulated += _first(sources, "rows", where, (*key, unit.first, end), unit.replicates)
            else:
                block.predicted += _first(sources, "predictions", "WHERE law = ? AND method = ?", key, 1)
            block.masses += _first(sources, "masses", "WHERE law = ? AND method = ?", key, 1)
        if unit.replicates:
            where = "WHERE law = ? AND replicate >= ? AND replicate < ?"
            block.networks += _first(sources, "networks", where, (place.law, unit.first, end), unit.replicates)


def _first(
    sources: Sequence[Reader], table: str, where: str, values: tuple[Any, ...], many: int
) -> Iterator[tuple[Any, ...]]:
    """Rows of the sources in turn, until one has so many; keys may come twice, and the first one is stored."""
    for source in sources:
        found = list(source.sealed(table, where, values))
        yield from found
        if len(found) == many:
            return


# Removing damaged rows from a results folder, so that its sweep computes them again.


_NETWORK = ("law", "seed", "numerics", "replicate")

# What goes with a damaged row, by its table: (table, the columns in which its rows are like the damaged one). A sweep
# computes a network with its rows and a mass with its prediction, and registers a cell with its methods.
_WITH: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "rows": (("rows", ("law", "method", "seed", "numerics", "replicate")),),
    "networks": (("networks", _NETWORK), ("rows", _NETWORK)),
    "predictions": (("predictions", ("law", "method", "numerics")),),
    "masses": (("masses", ("law", "method")), ("predictions", ("law", "method"))),
    "cells": (("cells", ("axes",)),),
    "cell_methods": (("cells", ("axes",)),),
    "methods": (("methods", ("method",)),),
    "runs": (("runs", CHECKED["runs"]),),
}
_ORPHANS = "DELETE FROM cell_methods WHERE cell NOT IN (SELECT cell FROM cells)"


def remove_damaged(folder: Path, *, say: Callable[[str], None] = lambda _: None) -> int:
    """Take the damaged rows out, and what is computed together with them; returns how many rows are gone.

    Where the file's structure is damaged, such as an index, it is first built again from the rows of its tables, which
    `say` is told.

    So is what lacks a row that is written with it. The experiment stays, which the next sweep writes again, and what a
    damaged run ran on is lost.

    Raises StoreError where the tables cannot be read to their ends, or a process is writing to the folder.
    """
    path = folder / FILE
    with locked(folder):
        with Reader(folder, checked=False) as reader:
            found = reader.integrity(1)
        if found:
            _build_again(path)
            say(f"{path}: its structure was damaged ({found[0]}); it is built again from the rows of its tables")
        with Reader(folder, checked=False) as reader:
            damaged = [(table, values) for table, values, whole in reader.all_rows() if not whole and table in _WITH]
        removed = _remove_all(path, damaged)
        with Reader(folder, checked=False) as reader:
            gone = list(gone_rows(reader))
        return removed + _remove_all(path, gone)


def _build_again(path: Path) -> None:
    """Put every row of the tables, damaged or not, into new tables, and these in place of the file's content.

    StoreError where a table cannot be read to its end; the file stays as it was.
    """
    check_inside(path)
    with sqlite_errors(path), closing(sqlite3.connect("", uri=True)) as built:  # a file without a name
        built.execute("ATTACH ? AS damaged", (f"{path.resolve().as_uri()}?mode=ro",))
        for statement in CREATE:
            built.execute(statement)
        for table in CHECKED:
            names = ", ".join(name for _, name, *_ in built.execute(f"PRAGMA main.table_info({table})"))
            # With names: without, SQLite copies whole tables in the order in which their rows are, sorted or not.
            built.execute(f"INSERT OR IGNORE INTO {table} ({names}) SELECT {names} FROM damaged.{table}")
        built.commit()
        built.execute("DETACH damaged")
        with closing(sqlite3.connect(path)) as connection:
            built.backup(connection)


def _remove_all(path: Path, damaged: Iterable[tuple[str, Sequence[Any]]]) -> int:
    check_inside(path)
    with sqlite_errors(path), closing(sqlite3.connect(path)) as connection, connection:
        removed = sum(_remove(connection, table, values) for table, values in damaged)
        return removed + connection.execute(_ORPHANS).rowcount


def _remove(connection: sqlite3.Connection, table: str, damaged: Sequence[Any]) -> int:
    named = dict(zip(CHECKED[table], damaged, strict=True))
    gone = 0
    for other, columns in _WITH[table]:
        values = [named[name] for name in columns]
        # A damaged text may hold bytes that no text does.
        stored = [value.encode(errors="surrogateescape") if isinstance(value, str) else value for value in values]
        read = ["CAST(? AS TEXT)" if isinstance(value, str) else "?" for value in values]
        same = " AND ".join(f"{name} IS {one}" for name, one in zip(columns, read, strict=True))
        gone += connection.execute(f"DELETE FROM {other} WHERE {same}", stored).rowcount
    return gone


# Is a results folder what its sweep computed? Damage is looked for in all of it, and some rows are recomputed.


ROWS = 20

_BUILD = ("internal_api", "version", "architecture")  # of a BLAS

Recomputed = Literal["rows", "predictions"]


@dataclass(frozen=True)
class Verification:
    """What a look at a results folder found.

    Attributes:
        rows: looked at for damage; `whole` of them are what was written.
        simulated, predicted: recomputed.
        exact: simulated rows had to come out bit for bit, as all were computed on a machine like this one.
        damage, differences: what is wrong, a line each.
    """

    folder: Path
    rows: int
    whole: int
    simulated: int
    predicted: int
    exact: bool
    damage: tuple[str, ...]
    differences: tuple[str, ...]

    @property
    def fine(self) -> bool:
        """Nothing is wrong."""
        return not self.damage and not self.differences

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        told = vars(self) | {"folder": str(self.folder), "fine": self.fine}
        return told | {"damage": list(self.damage), "differences": list(self.differences)}

    def __str__(self) -> str:
        near = f"within {FACTOR:.0f} times their certificates, {LEAST:g} to {MOST:g}"
        how = "bit for bit" if self.exact else f"{near}, as they are from another machine or other libraries"
        lines = [f"{self.folder}: {self.rows} rows read, {len(self.damage)} findings of damage"]
        lines += [f"  {line}" for line in self.damage]
        if self.damage:
            lines.append(f"the other {self.whole} rows are what was written")
            if any(line.startswith("sweep:") for line in self.damage):
                lines.append(
                    f"the stored experiment: `llrsim sweep FILE --out {self.folder}`, with the experiment's own FILE, "
                    "writes it again and keeps the rows"
                )
            if not all(line.startswith("sweep:") for line in self.damage):
                lines.append("`llrsim verify --mend` removes what a sweep can recompute")
        else:
            lines.append(
                f"recomputed: {self.simulated} simulated rows ({how}), {self.predicted} predictions ({near}); "
                f"{len(self.differences)} differ"
            )
        return "\n".join(lines + [f"  {line}" for line in self.differences])


def verify_results(
    folder: Path, *, rows: int = ROWS, seed: int = 0, say: Callable[[str], None] = lambda _: None
) -> Verification:
    """Look for damage in the whole folder and, where there is none, recompute `rows` of its rows.

    These are drawn at random by `seed`, half of them predictions where there are enough. Simulated rows must come out
    bit for bit if every run into the folder was on this kind of processor with these numerical libraries. Predictions
    are searched from elsewhere than in the sweep, so that they agree within their certificates only. `say` is told
    where kernels have to be compiled first.

    Raises StoreError where the folder cannot be read to its end.
    """
    seed = checked_seed(seed)
    with Reader(folder, checked=False) as reader:
        damage = damage_in(reader)
        exact = not damage.found and _same_machine(reader)
        wrong: list[str] = []
        counts: dict[Recomputed, int] = {"rows": 0, "predictions": 0}
        if not damage.found and rows:
            grid = Grid(reader.experiment)
            compile_kernels(heads_of(grid), say, simulators=simulators_of(grid) if reader.has_simulations() else ())
            counts = _shares(reader, rows)
            random = Random(seed)
            for table, count in counts.items():
                for row in _drawn(reader, table, count, random):
                    wrong += _wrong(reader, table, row, exact=exact and table == "rows")
    return Verification(
        folder=folder,
        rows=damage.rows,
        whole=damage.whole,
        simulated=counts["rows"],
        predicted=counts["predictions"],
        exact=exact,
        damage=damage.found,
        differences=tuple(wrong),
    )


def _same_machine(reader: Reader) -> bool:
    here = _rounding(environment())
    return all(_rounding(run["environment"]) == here for run in reader.runs())


def _rounding(machine: dict[str, Any]) -> tuple[Any, ...]:
    """What the last digits of a row depend on; a process lists its BLAS builds in the order it happened to load them.

    How many threads they have by themselves does not matter: whoever computes rows holds them to one.
    """
    builds = sorted([str(pool.get(key)) for key in _BUILD] for pool in machine["blas"])
    return (*(machine.get(name) for name in ("numpy", "scipy", "numba", "cpu")), builds)


def _shares(reader: Reader, rows: int) -> dict[Recomputed, int]:
    """How many rows of each table are recomputed."""
    simulated, predicted = reader.count("rows"), reader.count("predictions")
    few = min(predicted, max(rows // 2, rows - simulated))
    return {"rows": min(simulated, rows - few), "predictions": few}


def _drawn(reader: Reader, table: Recomputed, count: int, random: Random) -> Iterator[tuple[Any, ...]]:
    for at in sorted(random.sample(range(reader.count(table)), count)):
        yield from reader.sealed(table, "LIMIT 1 OFFSET ?", (at,))


def _wrong(reader: Reader, table: Recomputed, row: tuple[Any, ...], *, exact: bool) -> Iterator[str]:
    """Where and how a row differs from what comes out now; nothing where it does not."""
    *values, _ = row
    where = place_in(reader, table, values)
    known = reader.place(values[0], values[1])
    if known is None:
        yield f"{where}: no cell has such rows"
        return
    key, label = known
    axes, shares = read_axes(key)
    experiment = _cell(reader.experiment, axes)
    if (cell_law_hash(experiment, nominal=shares == "nominal"), experiment.method_hash(label)) != (
        values[0],
        values[1],
    ):
        yield f"{where}: the cell is another one now"
        return
    fields = values[-len(FIELDS) :]
    resolved = plan(experiment, shares)
    alone = resolved.restricted({[stage.label for stage in resolved.stages].index(label)})
    computed = _predicted(alone, label) if table == "predictions" else _simulated(alone, label, experiment, values)
    if told := difference(fields, computed, exact=exact):
        yield f"{where}: {told}"


def _cell(experiment: Experiment, axes: dict[str, Any]) -> Experiment:
    """The experiment of a stored cell, which may be of a grid that was asked for earlier."""
    from ..experiment import Sweep

    sweep = Sweep(seed=experiment.sweep.seed, simulator=experiment.sweep.simulator)
    return experiment.replace(sweep=sweep).with_values(axes)


def _simulated(alone: Plan, label: str, experiment: Experiment, values: list[Any]) -> tuple[Any, ...]:
    from ..simulation import simulate_plan

    replicate, simulator = values[4:6]
    outcome = simulate_plan(
        alone,
        seed=experiment.sweep.seed,
        first=replicate,
        simulator="auto" if simulator == "learned" else simulator,
    )
    return next(encode(outcome[label]))


def _predicted(alone: Plan, label: str) -> tuple[Any, ...]:
    from ..prediction import predict_plan

    return next(encode(predict_plan(alone)[label]))
