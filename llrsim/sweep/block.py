"""What a unit is, and what comes of a block of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from ..experiment import ExperimentError
from ..experiment.grid import Grid

if TYPE_CHECKING:
    from ..planning import Shares


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
