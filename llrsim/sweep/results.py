"""A results folder, opened to be read: outcomes, rows and tables, also while a sweep still writes to it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..arguments import shown
from ..experiment.grid import Grid
from ..experiment.identity import canonical_json
from ..extras import table_package
from ..outcome import Outcome
from ..planning import plan
from .format import decode, decode_networks
from .reader import Reader
from .rows import method_row, paired_by, simulators_of
from .units import CHUNK

if TYPE_CHECKING:
    import pandas
    import xarray

    from ..experiment import Experiment


class CellOutcome(NamedTuple):
    """A cell: the values of its axes, and each side's outcome; None for a side that is not there yet."""

    axes: dict[str, Any]
    simulation: Outcome | None
    prediction: Outcome | None


class _StoredCell(NamedTuple):
    """What the folder has of a cell, by method; a side is empty unless it has every method."""

    number: int
    axes: dict[str, Any]
    simulated: dict[str, list[tuple[Any, ...]]]  # rows of (replicate, simulator, *FIELDS), the same replicates for all
    predicted: dict[str, tuple[Any, ...]]  # (limit, *FIELDS)
    networks: list[str]  # records of the simulated replicates' networks; empty without networks
    masses: dict[str, dict[str, float]]  # of each group, by its name; empty where nothing was computed


def open_results(folder: str | os.PathLike[str]) -> Results:
    """The results that a sweep left, or is leaving, in `folder`; StoreError where there are none."""
    return Results(folder)


class Results:
    """The cells of the grid that was last asked for in this folder.

    Attributes:
        folder: where they are.
        experiment: the experiment that was swept, with its grid.
        grid: its cells.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        if not isinstance(folder, str | os.PathLike):
            raise TypeError(f"folder: {shown(folder)}; expected a path")
        self.folder = Path(folder)
        with Reader(self.folder) as reader:
            self.experiment: Experiment = reader.experiment
        self.grid = Grid(self.experiment)

    def outcomes(self, keep: Callable[[Mapping[str, Any]], bool] | None = None) -> Iterator[CellOutcome]:
        """The cells in grid order, rebuilt from the stored heads; cells without any row are left out.

        `keep` chooses cells by the values of their axes, before anything is rebuilt.
        """
        with Reader(self.folder) as reader:
            for cell in self._stored(reader, keep):
                yield self._outcome(cell)

    def rows(self) -> list[dict[str, Any]]:
        """One flat dict for each cell and method, from the stored numbers: see `rows.method_row`."""
        with Reader(self.folder) as reader:
            return [
                method_row(
                    cell.axes,
                    label,
                    simulated=cell.simulated.get(label, ()),
                    predicted=cell.predicted.get(label),
                    mass=cell.masses[label],
                )
                for cell in self._stored(reader)
                for label in self.experiment.method_labels
            ]

    def select(self, method: str | None = None, **axes: Any) -> list[dict[str, Any]]:
        """Rows of one method, or of one value of some axes.

        An axis is named by its dotted key, or by the last part of it where that is unambiguous:
        `results.select(method="llr", minority_ratio=0.5)`. Raises KeyError for a name that no axis has.
        """
        if method is not None:
            self.experiment.method_of(method)
        wanted = {self._axis(name): value for name, value in axes.items()}
        return [
            row
            for row in self.rows()
            if method in (None, row["method"]) and all(_same(row[key], value) for key, value in wanted.items())
        ]

    def to_pandas(self) -> pandas.DataFrame:
        """`rows` as a DataFrame; ImportError, naming the extra to install, without pandas."""
        return table_package("pandas", "to_pandas").DataFrame(self.rows())

    def to_xarray(self) -> xarray.Dataset:
        """`rows` as a Dataset with a dimension for each axis, and `method`; keys that move together share the first's.

        ImportError, naming the extra to install, without xarray.
        """
        package = table_package("xarray", "to_xarray")
        frame = self.to_pandas()
        leading = [group[0].key for group in self.experiment.sweep.zip]
        following = [axis.key for group in self.experiment.sweep.zip for axis in group[1:]]
        dimensions = [axis.key for axis in self.experiment.sweep.grid] + leading + ["method"]
        data = package.Dataset.from_dataframe(frame.drop(columns=following).set_index(dimensions))
        for group in self.experiment.sweep.zip:
            for axis in group[1:]:
                together = dict(zip(self.grid.axes[group[0].key], self.grid.axes[axis.key], strict=True))
                values = [together[value] for value in data[group[0].key].values.tolist()]
                data = data.assign_coords({axis.key: (group[0].key, values)})
        return data.assign_attrs(experiment=self.experiment.to_json())

    def __repr__(self) -> str:
        axes = [f"  {key}: {', '.join(map(str, values[:8]))}{' ...' * (len(values) > 8)}"
                for key, values in self.grid.axes.items()]  # fmt: skip
        methods = ", ".join(self.experiment.method_labels)
        head = f"Results in {self.folder}: {self.grid.size} cells of {self.experiment.name}"
        return "\n".join([head, *axes, f"  methods: {methods}", f"  replicates: {self.experiment.sweep.replicates}"])

    def _axis(self, name: str) -> str:
        keys = list(self.grid.axes)
        found = [name] if name in keys else [key for key in keys if key.rpartition(".")[2] == name]
        if len(found) != 1:
            which = "is ambiguous" if found else "is not an axis"
            raise KeyError(f"{name!r} {which} of this sweep; axes: {', '.join(keys) or 'none'}")
        return found[0]

    def _stored(self, reader: Reader, keep: Callable[[Mapping[str, Any]], bool] | None = None) -> Iterator[_StoredCell]:
        replicates = self.experiment.sweep.replicates if reader.has_simulations() else 0
        cells = ((number, self.grid.cell(number)) for number in range(self.grid.size))
        chosen = (cell for cell in cells if keep is None or keep(cell[1]))
        while chunk := list(islice(chosen, CHUNK)):
            keys = [canonical_json(axes) for _, axes in chunk]
            predictions, masses = reader.predicted(keys), reader.masses(keys)
            for at, (law, methods) in sorted(reader.keys(keys).items()):
                simulated = {}
                if replicates:
                    simulated = {label: reader.simulated(law, method, replicates) for label, method in methods.items()}
                    # In a sweep that was stopped, a method that another cell shares may be ahead of the others.
                    common = set.intersection(*({row[0] for row in rows} for rows in simulated.values()))
                    simulated = {
                        label: [row for row in rows if row[0] in common] for label, rows in simulated.items() if common
                    }
                predicted = {
                    label: predictions[law, method] for label, method in methods.items() if (law, method) in predictions
                }
                if len(predicted) < len(methods):
                    predicted = {}
                if simulated or predicted:
                    mass = {label: masses.get((law, method), {}) for label, method in methods.items()}
                    networks = []
                    if simulated and self.experiment.network is not None:
                        networks = reader.networks(law, [row[0] for row in next(iter(simulated.values()))])
                    yield _StoredCell(*chunk[at], simulated, predicted, networks, mass)

    def _outcome(self, cell: _StoredCell) -> CellOutcome:
        resolved = plan(self.grid.experiment(cell.number))
        name, test = self.experiment.name, resolved.test
        test_rows = None if resolved.network is None else resolved.network.test_rows
        simulation = prediction = None
        if cell.simulated:
            stored = {label: [numbers for _, _, *numbers in rows] for label, rows in cell.simulated.items()}
            simulator = simulators_of(row for rows in cell.simulated.values() for row in rows)
            simulation = Outcome(
                name,
                {
                    stage.label: decode(
                        stored[stage.label], stage=stage, test=test, limit="finite", test_rows=test_rows
                    )
                    for stage in resolved.stages
                },
                "simulation",
                simulator=simulator,
                axes=cell.axes,
                paired=paired_by(simulator),
                seed=self.experiment.sweep.seed,
                features=decode_networks(cell.networks) if cell.networks else None,
            )
        if cell.predicted:
            prediction = Outcome(
                name,
                {
                    stage.label: decode([numbers], stage=stage, test=test, limit=limit)
                    for stage in resolved.stages
                    for limit, *numbers in [cell.predicted[stage.label]]
                },
                "prediction",
                axes=cell.axes,
            )
        return CellOutcome(cell.axes, simulation, prediction)


def _same(stored: Any, wanted: Any) -> bool:
    if isinstance(stored, float) and isinstance(wanted, int | float):
        return math.isclose(stored, wanted, rel_tol=1e-9)
    return bool(stored == wanted)
