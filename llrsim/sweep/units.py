"""Define the units of a sweep, list those that a folder lacks, and compute one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from hashlib import sha256
from itertools import groupby, islice
from math import isnan
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..experiment import Experiment, ExperimentError
from ..experiment.grid import Grid
from ..experiment.identity import canonical_json, cell_law_hash
from ..model.head import Head
from ..model.plan import Plan, Shares, Stage, plan
from ..outcome import MethodOutcome, Outcome
from .folder import NUMERICS
from .format import axes_key, encode, encode_mass, encode_networks, sealed
from .stop import Flag
from .store import Cell, Store

if TYPE_CHECKING:
    from ..model.plan import Shares
    from ..prediction.stage import Guesses


# What a unit is, and what comes of a block of them.


class Place(NamedTuple):
    """A grid cell and what its rows are stored by: the hash of its law, and of each method by label."""

    cell: int
    law: str
    methods: Mapping[str, str]
    shares: Shares = "realised"


class Unit(NamedTuple):
    """Replicates first, ..., first + replicates - 1 of one cell; predictions of a run of cells if `replicates` is 0."""

    places: tuple[Place, ...]
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
    """What came of some units of so many cells in all: rows for `Store.write`, and the cells that failed."""

    units: int = 0
    cells: int = 0
    seconds: float = 0.0
    simulated: list[tuple[Any, ...]] = field(default_factory=list)
    predicted: list[tuple[Any, ...]] = field(default_factory=list)
    masses: list[tuple[Any, ...]] = field(default_factory=list)
    networks: list[tuple[Any, ...]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    @contextmanager
    def failing(self, grid: Grid, cell: int) -> Iterator[None]:
        """Record what goes wrong in a cell: whatever it is, it must not take the other cells with it."""
        try:
            yield
        except Exception as error:
            named = isinstance(error, ExperimentError | MemoryError)
            self.failures.append(Failure(grid.cell(cell), str(error) if named else f"{type(error).__name__}: {error}"))


# Shares of a sweep for machines that do not know of each other.


class Shard(NamedTuple):
    """The share `number` of so many, counted from one.

    >>> Shard.parse("1/3"), str(Shard(1, 3))
    (Shard(number=1, of=3), '1/3')
    """

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """The share that "K/N" names; ValueError unless 1 <= K <= N."""
        number, slash, of = text.partition("/")
        if not (slash and number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
            raise ValueError(f"{text!r}: must be K/N with 1 <= K <= N, for example 1/3")
        return cls(int(number), int(of))

    def holds(self, unit: Unit) -> bool:
        """Whether a unit is in this share; that depends on what the unit is, not on where in a grid it stands."""
        kind = "simulation" if unit.replicates else "prediction"
        what = [f"{place.law} {' '.join(sorted(place.methods.values()))}" for place in unit.places]
        digest = sha256(f"{kind} {unit.first} {what}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % self.of == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


# The predictions along a run of cells: each solution is where the next search starts, and all are read out at once.
#
# What a cell's numbers are depends on the cells before it in the run, by no more than their certificates; so a run is
# the unit that is computed whole. A method that nothing changes for from one cell to the next is solved once.


def predict_run(grid: Grid, places: Sequence[Place], block: Block) -> None:
    """Add the predictions of cells that follow one another to a block; one that fails is recorded in it."""
    chain = Chain()
    found: list[tuple[Place, MethodOutcome]] = []
    for place in places:
        with block.failing(grid, place.cell):
            resolved = plan(grid.experiment(place.cell), place.shares)
            found += [(place, method) for method in chain.predict(resolved)]
    for label in dict.fromkeys(method.label for _, method in found):
        own = [(place, method) for place, method in found if method.label == label]
        for (place, method), record in zip(own, _records([method for _, method in own]), strict=True):
            key = place.law, place.methods[label]
            block.predicted.append(sealed(*key, NUMERICS, method.limit, *record))
            block.masses.append(sealed(*key, encode_mass(method)))


class Chain:
    """Predicts plans one after the other, each from what the one before has found."""

    def __init__(self) -> None:
        self._guesses: Guesses = {}
        self._plan: Plan | None = None
        self._found: dict[str, MethodOutcome] = {}

    def predict(self, resolved: Plan) -> list[MethodOutcome]:
        """The outcome of every stage of a plan, in its order."""
        from ..prediction import predict_plan

        changed = self._changed(resolved)
        if changed.stages:
            self._found |= predict_plan(changed, guesses=self._guesses).methods
        self._plan = resolved
        outcomes = [self._found[stage.label] for stage in resolved.stages]
        # A solution that stays is read out anew only where the test law is another.
        outcomes = [found if found.test is resolved.test else replace(found, test=resolved.test) for found in outcomes]
        self._found = {outcome.label: outcome for outcome in outcomes}
        return outcomes

    def _changed(self, resolved: Plan) -> Plan:
        """The plan without the stages that are those of the plan before; those that others start from stay."""
        before = {stage.label: stage for stage in self._plan.stages} if self._plan else {}
        solve: set[int] = set()
        for place, stage in enumerate(resolved.stages):
            earlier = before.get(stage.label)
            if earlier is None or solve.intersection(stage.needs) or not self._is_same(resolved, stage, earlier):
                solve.add(place)
        return resolved.restricted(solve)

    def _is_same(self, resolved: Plan, stage: Stage, earlier: Stage) -> bool:
        """Whether two stages fit the same rows of the same law in the same way."""
        assert self._plan is not None
        return (
            (stage.head, stage.anchor, stage.average, stage.sample, stage.start, stage.reweighting)
            == (earlier.head, earlier.anchor, earlier.average, earlier.sample, earlier.start, earlier.reweighting)
            and _are_equal(stage.adjustment, earlier.adjustment)
            and _are_equal(stage.selection, earlier.selection)
            and _are_equal(resolved.samples[stage.sample].mixture, self._plan.samples[earlier.sample].mixture)
        )


def _are_equal(first: Any, second: Any) -> bool:
    """Whether two dataclasses of arrays hold the same numbers, or neither is there."""
    if first is None or second is None:
        return first is second
    return first is second or all(
        np.array_equal(getattr(first, field.name), getattr(second, field.name)) for field in fields(first)
    )


def _records(outcomes: Sequence[MethodOutcome]) -> Iterator[tuple[Any, ...]]:
    """`encode` of outcomes with one head each; neighbours on one test law are read out together."""

    def read_out_by(outcome: MethodOutcome) -> int:
        alone = outcome.path is not None or outcome.bias_interval is not None
        alone = alone or not isnan(outcome.largest_stable_step)
        return id(outcome if alone else outcome.test)

    for _, alike in groupby(outcomes, read_out_by):
        yield from encode(_stacked(list(alike)))


def _stacked(outcomes: Sequence[MethodOutcome]) -> MethodOutcome:
    """Outcomes of one method on one test law as if they were replicates."""
    if len(outcomes) == 1:
        return outcomes[0]
    return replace(
        outcomes[0],
        heads=stacked([outcome.heads for outcome in outcomes]),
        status=np.concatenate([outcome.status for outcome in outcomes]),
        certificate=np.concatenate([outcome.certificate for outcome in outcomes]),
        iterations=np.concatenate([outcome.iterations for outcome in outcomes]),
        **{name: _joined(outcomes, name) for name in ("masses", "shares", "evenness", "cosine")},
    )


def _joined(outcomes: Sequence[MethodOutcome], name: str) -> Any:
    """What outcomes of one method have beside their heads, one after the other; None where they have it not."""
    values = [getattr(outcome, name) for outcome in outcomes]
    return None if values[0] is None else np.concatenate(values)


def stacked(heads: Sequence[Head]) -> Head:
    """Heads with one leading axis each, one after the other."""
    return Head(
        np.concatenate([head.signal for head in heads]),
        np.concatenate([head.bias for head in heads]),
        np.concatenate([head.noise_norm for head in heads]),
        np.concatenate([head.noise_spread for head in heads]),
    )


# Work units: what is missing from a folder, and how one unit is computed.
#
# A unit is fixed by its content, 64 consecutive replicates of a cell or the predictions along a run of cells, and is
# computed and committed whole; how units are shared out over blocks, workers and runs changes no number.


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
