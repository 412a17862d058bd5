"""The cells of a sweep by index arithmetic: a grid of any size takes the memory of its axes."""

from functools import cached_property
from math import prod
from numbers import Integral
from typing import Any

from .._arguments import require_type
from .errors import ExperimentError, shown
from .experiment import Experiment
from .schema import Sweep
from .tables import axis_values

Values = tuple[Any, ...]


class Grid:
    """The product of the axes in `[sweep.grid]`, in file order, and of each `[[sweep.zip]]`; the last varies fastest.

    A sweep without axes has one cell. Cells are experiments without axes of their own.

    >>> from llrsim.experiment import load
    >>> axes = {"train.n": [400, 800], "head.ridge": [0.01, 0.1, 1]}
    >>> grid = Grid(load("quick").replace(sweep={"grid": axes}))
    >>> len(grid), grid.cell(4)
    (6, {'train.n': 800, 'head.ridge': 0.1})
    """

    def __init__(self, experiment: Experiment) -> None:
        require_type("experiment", experiment, Experiment, ", from llrsim.load")
        sweep = experiment.sweep
        self._base = experiment.replace(
            sweep=Sweep(replicates=sweep.replicates, seed=sweep.seed, simulator=sweep.simulator)
        )
        groups = [(axis,) for axis in sweep.grid] + list(sweep.zip)
        # Each factor of the product: keys that move together, and the tuples of values they take.
        self._factors: list[tuple[tuple[str, ...], tuple[Values, ...]]] = [
            (
                tuple(axis.key for axis in group),
                tuple(zip(*(axis_values(axis, Experiment, experiment.method_labels) for axis in group), strict=True)),
            )
            for group in groups
        ]

    def __len__(self) -> int:
        return self.size

    @cached_property
    def size(self) -> int:
        """Number of cells; unlike `len`, without the limit of 2^63 - 1."""
        return prod(len(points) for _, points in self._factors)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of points along each factor of the product, a zip counting once."""
        return tuple(len(points) for _, points in self._factors)

    @property
    def axes(self) -> dict[str, Values]:
        """The values of every swept key, in file order; keys of one zip have values of one length."""
        return {
            key: tuple(point[position] for point in points)
            for keys, points in self._factors
            for position, key in enumerate(keys)
        }

    def cell(self, index: int) -> dict[str, Any]:
        """The swept keys of a cell and their values; IndexError outside 0 ... size - 1."""
        if isinstance(index, bool) or not isinstance(index, Integral):
            raise TypeError(f"index: {shown(index)}; expected a whole number")
        index = int(index)
        if not 0 <= index < self.size:
            raise IndexError(f"cell {index} of a grid of {self.size}")
        values: list[dict[str, Any]] = []
        for keys, points in reversed(self._factors):
            index, position = divmod(index, len(points))
            values.append(dict(zip(keys, points[position], strict=True)))
        return {key: value for factor in reversed(values) for key, value in factor.items()}

    def experiment(self, index: int) -> Experiment:
        """The experiment of a cell.

        Raises:
            ExperimentError: the values of this cell, each valid by itself, do not go together.
        """
        return self._at(self.cell(index))

    def check(self) -> None:
        """Try every value of every axis, the other axes at their first: the sum of the axes' lengths, not the product.

        What it refuses is a cell of this grid. Values that fail only in other combinations are met in `experiment`.

        Raises:
            ExperimentError: naming the axis, the value and what is accepted.
        """
        first = self.cell(0)
        for keys, points in self._factors:
            for point in points:
                here = dict(zip(keys, point, strict=True))
                self._at(first | here, named=here)

    def _at(self, cell: dict[str, Any], named: dict[str, Any] | None = None) -> Experiment:
        try:
            return self._base.with_values(cell)
        except ExperimentError as error:
            where = ", ".join(f"{key} = {shown(value)}" for key, value in (named or cell).items())
            raise ExperimentError(f"sweep cell {where}: {error}") from None
