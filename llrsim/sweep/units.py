"""Work units: what is missing from a folder, and how one unit is computed.

A unit is fixed by its content, 64 consecutive replicates of a cell or the predictions along a run of cells, and is
computed and committed whole; how units are shared out over blocks, workers and runs changes no number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from time import perf_counter
from typing import Any

from ..experiment import Experiment, ExperimentError
from ..experiment.grid import Grid
from ..experiment.identity import canonical_json, cell_law_hash
from ..outcome import Outcome
from ..planning import Shares, plan
from .block import Block, Failure, Place, Unit
from .checksums import sealed
from .folder import NUMERICS
from .format import axes_key, encode, encode_mass, encode_networks
from .interruption import Flag
from .predicting import predict_run
from .store import Cell, Store

REPLICATES = 64
CHUNK = 256  # cells asked about in one query
RUN = 256  # cells of a unit of predictions at most


Described = dict[Any, tuple[tuple[str, str, str], ...]]
"""Methods of an experiment and its head -> label, hash and definition of each method."""


def units_per_cell(replicates: int) -> int:
    """Units of simulation, and one of prediction, that make a cell of so many replicates."""
    return -(-replicates // REPLICATES) + 1


def runs(grid: Grid) -> Iterator[range]:
    """The cells of the grid, cut where the last axis begins again, and after RUN cells."""
    length = grid.shape[-1] if grid.shape else 1
    for start in range(0, grid.size, length):
        for first in range(start, start + length, RUN):
            yield range(first, min(first + RUN, start + length))


def grid_keys(grid: Grid, shares: Shares = "realised") -> Iterator[tuple[list[range], list[str]]]:
    """Runs of cells, as many at a time as one query asks about, and the keys that their cells are stored by."""
    every = runs(grid)
    length = min(grid.shape[-1] if grid.shape else 1, RUN)
    while chunk := list(islice(every, max(1, CHUNK // length))):
        yield chunk, [axes_key(grid.cell(cell), shares) for run in chunk for cell in run]


def missing_units(
    store: Store, grid: Grid, replicates: int, *, present: Callable[[int], None], failed: Callable[[Failure], None]
) -> Iterator[Unit]:
    """Every unit of the grid that the store lacks, in grid order, looked up as they are asked for.

    `present` is told of how many cells a unit was found complete, `failed` of cells whose values do not go together.
    Where nothing is simulated, predictions have nominal shares; beside a simulation, those of the same whole rows.
    """
    methods: Described = {}
    shares: Shares = "realised" if replicates or store.has_simulations() else "nominal"
    for chunk, axes in grid_keys(grid, shares):
        unknown = store.unknown(axes)
        cells = [cell for run in chunk for cell in run]
        if unknown:
            described = (
                _describe(grid, cell, key, shares, methods, failed)
                for cell, key in zip(cells, axes, strict=True)
                if key in unknown
            )
            store.register([cell for cell in described if cell is not None])
        unpredicted = {cells[at] for at in store.missing_predictions(axes)}
        unsimulated = store.missing_units(axes, replicates=replicates, size=REPLICATES) if replicates else []
        found: list[Unit] = []
        if unpredicted or unsimulated:
            places = {cells[at]: Place(cells[at], *keys, shares) for at, keys in store.keys(axes).items()}
            for run in chunk:
                if unpredicted.intersection(run):
                    found.append(Unit(tuple(places[cell] for cell in run if cell in places), 0, 0))
            found += [Unit((places[cells[at]],), first, many) for at, first, many in unsimulated]
        present(len(cells) * units_per_cell(replicates) - sum(len(unit.places) for unit in found))
        yield from sorted(found, key=lambda unit: (unit.places[0].cell, unit.first, unit.replicates))


def compute_units(grid: Grid, units: list[Unit], stop: Flag) -> Block:
    """Compute units in order until `stop`; a cell that fails is recorded, and the others go on."""
    block, began = Block(), perf_counter()
    for unit in units:
        if stop.is_set():
            break
        if unit.replicates:
            _simulate(grid, unit, block)
        else:
            predict_run(grid, unit.places, block)
        block.units += 1
        block.cells += len(unit.places)
    block.seconds = perf_counter() - began
    return block


def simulate_unit(experiment: Experiment, first: int, replicates: int) -> Outcome:
    """The replicates of a cell by its simulator; dense ones are paired over all cells of the same root seed."""
    from ..simulation import simulate_plan

    return simulate_plan(
        plan(experiment),
        name=experiment.name,
        seed=experiment.sweep.seed,
        first=first,
        replicates=replicates,
        simulator=experiment.sweep.simulator,
    )


def _simulate(grid: Grid, unit: Unit, block: Block) -> None:
    place = unit.places[0]
    with block.failing(grid, place.cell):
        experiment = grid.experiment(place.cell)
        law, seed = place.law, experiment.sweep.seed
        outcome = simulate_unit(experiment, unit.first, unit.replicates)
        # Everything is encoded before the block is touched, so that a unit that fails leaves nothing in it.
        records = () if outcome.features is None else encode_networks(outcome.features)
        networks = [sealed(law, seed, NUMERICS, unit.first + r, record) for r, record in enumerate(records)]
        masses = [sealed(law, place.methods[method.label], encode_mass(method)) for method in outcome]
        block.simulated += [
            sealed(law, place.methods[method.label], seed, NUMERICS, unit.first + r, outcome.simulator, *record)
            for method in outcome
            for r, record in enumerate(encode(method))
        ]
        block.masses += masses
        block.networks += networks


def _describe(
    grid: Grid, cell: int, axes: str, shares: Shares, methods: Described, failed: Callable[[Failure], None]
) -> Cell | None:
    """What a cell is; `methods` carries what its methods are from the cell before, where those are the same."""
    try:
        experiment = grid.experiment(cell)
    except ExperimentError as error:
        failed(Failure(grid.cell(cell), str(error)))
        return None
    key = experiment.method, experiment.head
    if key not in methods:
        methods.clear()
        methods[key] = tuple(
            (
                method.label,
                experiment.method_hash(method.label),
                canonical_json({"method": method, "head": experiment.head_of(method)}),
            )
            for method in experiment.method
        )
    return Cell(axes, cell_law_hash(experiment, nominal=shares == "nominal"), methods[key])
