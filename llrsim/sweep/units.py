"""Work units: what is missing from a folder, and how one unit is computed.

A unit is fixed by its content, 64 consecutive replicates of a cell or a cell's prediction, and is computed and
committed whole; how units are shared out over blocks, workers and runs changes no number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from threading import Event
from time import perf_counter
from typing import Any, NamedTuple

from ..experiment import Experiment, ExperimentError
from ..experiment.grid import Grid
from ..experiment.identity import canonical_json
from ..outcome import Outcome
from ..planning import plan
from .format import encode, encode_mass
from .store import Cell, Store

REPLICATES = 64
CHUNK = 256  # cells asked about in one query


class Unit(NamedTuple):
    """Replicates first, ..., first + replicates - 1 of a cell; its prediction where `replicates` is 0."""

    cell: int
    first: int
    replicates: int


@dataclass(frozen=True)
class Failure:
    """A cell that could not be computed, and why."""

    axes: dict[str, Any]
    reason: str

    def __str__(self) -> str:
        where = ", ".join(f"{key} = {value}" for key, value in self.axes.items()) or "the only cell"
        return f"{where}: {self.reason}"


@dataclass
class Block:
    """What came of some units: rows to commit, and the cells that failed."""

    units: int = 0
    seconds: float = 0.0
    simulated: list[tuple[Any, ...]] = field(default_factory=list)
    predicted: list[tuple[Any, ...]] = field(default_factory=list)
    masses: list[tuple[str, str, str]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def units_per_cell(replicates: int) -> int:
    """Units of simulation, and one of prediction, that make a cell of so many replicates."""
    return -(-replicates // REPLICATES) + 1


def grid_keys(grid: Grid) -> Iterator[tuple[list[int], list[str]]]:
    """Cells of the grid, and the keys they are stored by, as many at a time as one query asks about."""
    cells = iter(range(grid.size))
    while chunk := list(islice(cells, CHUNK)):
        yield chunk, [canonical_json(grid.cell(cell)) for cell in chunk]


def missing_units(
    store: Store, grid: Grid, replicates: int, *, present: Callable[[int], None], failed: Callable[[Failure], None]
) -> Iterator[Unit]:
    """Every unit of the grid that the store lacks, in grid order, looked up as they are asked for.

    `present` is told the number of units found complete, `failed` of cells whose values do not go together.
    """
    for chunk, axes in grid_keys(grid):
        unknown = store.unknown(axes)
        if unknown:
            described = (
                _describe(grid, cell, key, failed) for cell, key in zip(chunk, axes, strict=True) if key in unknown
            )
            store.register(cell for cell in described if cell is not None)
        found = [Unit(chunk[at], 0, 0) for at in store.missing_predictions(axes)]
        found += [
            Unit(chunk[at], first, many)
            for at, first, many in store.missing_units(axes, replicates=replicates, size=REPLICATES)
        ]
        present(len(chunk) * units_per_cell(replicates) - len(found))
        yield from sorted(found)


def compute_units(grid: Grid, units: list[Unit], stop: Event) -> Block:
    """Compute units in order until `stop`; a unit that fails is recorded, and the others go on."""
    block, began = Block(), perf_counter()
    for unit in units:
        if stop.is_set():
            break
        try:
            _compute_one(grid, unit, block)
        except Exception as error:  # whatever happens in one cell must not take the others with it
            reason = (
                str(error) if isinstance(error, ExperimentError | MemoryError) else f"{type(error).__name__}: {error}"
            )
            block.failures.append(Failure(grid.cell(unit.cell), reason))
        block.units += 1
    block.seconds = perf_counter() - began
    return block


def simulate_unit(experiment: Experiment, first: int, replicates: int) -> Outcome:
    """The replicates of a cell, paired with those of all other cells of the same root seed."""
    from ..simulation import simulate_plan

    return simulate_plan(
        plan(experiment), name=experiment.name, seed=experiment.sweep.seed, first=first, replicates=replicates
    )


def _compute_one(grid: Grid, unit: Unit, block: Block) -> None:
    experiment = grid.experiment(unit.cell)
    if unit.replicates:
        outcome = simulate_unit(experiment, unit.first, unit.replicates)
    else:
        from ..prediction import predict

        outcome = predict(experiment)
    law = experiment.cell_law_hash
    keyed = [((law, experiment.method_hash(method.label)), method) for method in outcome]
    # Everything is encoded before the block is touched, so that a unit that fails leaves nothing in it.
    masses = [(*key, encode_mass(method)) for key, method in keyed]
    if unit.replicates:
        block.simulated += [
            (*key, unit.first + r, outcome.simulator, *record)
            for key, method in keyed
            for r, record in enumerate(encode(method))
        ]
    else:
        block.predicted += [(*key, method.limit, *record) for key, method in keyed for record in encode(method)]
    block.masses += masses


def _describe(grid: Grid, cell: int, axes: str, failed: Callable[[Failure], None]) -> Cell | None:
    try:
        experiment = grid.experiment(cell)
    except ExperimentError as error:
        failed(Failure(grid.cell(cell), str(error)))
        return None
    methods = tuple(
        (
            method.label,
            experiment.method_hash(method.label),
            canonical_json({"method": method, "head": experiment.head_of(method)}),
        )
        for method in experiment.method
    )
    return Cell(axes, experiment.cell_law_hash, methods)
