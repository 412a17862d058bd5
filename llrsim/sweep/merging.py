"""One results folder from several of the same sweep, as its shards are.

Merging goes through the grid as a sweep does, and looks its units up rather than computing them. Where folders hold
predictions of the same key, which agree only within their certificates, the one stays that one uninterrupted run would
have stored: that of the shard whose unit comes first in the grid.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..experiment.grid import Grid
from .block import Block, Unit
from .comparing import difference
from .damage import damage_in, place_in
from .folder import StoreError, differing_keys, locked, sqlite_errors
from .format import CHECKED, FIELDS, FILE
from .reader import Reader
from .shards import Shard
from .store import Store
from .units import missing_units

if TYPE_CHECKING:
    from ..experiment import Experiment

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
