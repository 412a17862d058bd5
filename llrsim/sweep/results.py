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
from ..extras import data_frame, data_set
from ..outcome import Outcome
from ..planning import reported_plan
from .format import axes_key, decode, decode_networks
from .reader import Reader
from .rows import method_row, paired_by, simulators_of
from .units import CHUNK

if TYPE_CHECKING:
    import pandas
    import xarray

    from ..experiment import Experiment
    from ..planning import Shares


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
    shares: Shares  # of the predictions
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
        with Reader(self.folder, older=True) as reader:
            self.experiment: Experiment = reader.experiment
        self.grid = Grid(self.experiment)

    def outcomes(self, keep: Callable[[Mapping[str, Any]], bool] | None = None) -> Iterator[CellOutcome]:
        """The cells in grid order, rebuilt from the stored heads; cells without any row are left out.

        `keep` chooses cells by the values of their axes, before anything is rebuilt.
        """
        with Reader(self.folder, older=True) as reader:
            for cell in self._stored(reader, keep):
                yield self._outcome(cell)

    def rows(self) -> list[dict[str, Any]]:
        """One flat dict for each cell and method, from the stored numbers: see `rows.method_row`."""
        with Reader(self.folder, older=True) as reader:
            return [
                method_row(
                    cell.axes,
                    label,
                    simulated=cell.simulated.get(label, ()),
                    predicted=cell.predicted.get(label),
                    shares=cell.shares,
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
        """Return `rows` as a DataFrame, with NaN for None; ImportError, naming the extra to install, without pandas."""
        return data_frame(self.rows(), "to_pandas")

    def to_xarray(self) -> xarray.Dataset:
        """Return `rows` as a Dataset with a dimension for each axis, and `method_name`: `sel(method_name="llr")`.

        Keys that move together share the first's dimension. Settings that are lists or tables are their JSON text.
        ImportError, naming the extra to install, without xarray.
        """
        sweep = self.experiment.sweep
        axes = [[axis.key] for axis in sweep.grid] + [[axis.key for axis in group] for group in sweep.zip]
        return data_set(self.rows(), axes, "to_xarray").assign_attrs(experiment=self.experiment.to_json())

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
        shares = reader.shares()
        cells = ((number, self.grid.cell(number)) for number in range(self.grid.size))
        chosen = (cell for cell in cells if keep is None or keep(cell[1]))
        while chunk := list(islice(chosen, CHUNK)):
            keys = [axes_key(axes, shares) for _, axes in chunk]
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
                    yield _StoredCell(*chunk[at], simulated, predicted, shares, networks, mass)

    def _outcome(self, cell: _StoredCell) -> CellOutcome:
        resolved = reported_plan(self.grid.experiment(cell.number), cell.shares)
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
