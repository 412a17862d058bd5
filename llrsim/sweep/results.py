"""A results folder, opened to be read: outcomes, rows and tables, also while a sweep still writes to it."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..experiment.grid import Grid
from ..experiment.identity import canonical_json
from ..outcome import Outcome
from ..planning import plan
from .encoding import rebuilt
from .reader import Reader
from .rows import CellOutcome, method_row

if TYPE_CHECKING:
    import pandas
    import xarray

    from ..experiment import Experiment
    from ..planning import Plan


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
        self.folder = Path(folder)
        with Reader(self.folder) as reader:
            self.experiment: Experiment = reader.experiment
        self.grid = Grid(self.experiment)

    def outcomes(self) -> Iterator[CellOutcome]:
        """The cells in grid order, rebuilt from the stored heads; cells without any row are left out."""
        with Reader(self.folder) as reader:
            for index in range(self.grid.size):
                cell = self._cell(reader, index)
                if cell is not None:
                    yield cell

    def rows(self) -> list[dict[str, Any]]:
        """One flat dict for each cell and method: see `method_row`."""
        return [
            method_row(cell, method.label)
            for cell in self.outcomes()
            for method in (cell.simulation or cell.prediction or ())
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
        try:
            import pandas
        except ImportError as error:
            raise ImportError("to_pandas needs pandas: pip install 'llrsim[table]'") from error
        return pandas.DataFrame(self.rows())

    def to_xarray(self) -> xarray.Dataset:
        """`rows` as a Dataset with a dimension for each axis, and `method`; keys that move together share the first's.

        ImportError, naming the extra to install, without xarray.
        """
        try:
            import xarray
        except ImportError as error:
            raise ImportError("to_xarray needs xarray: pip install 'llrsim[table]'") from error
        frame = self.to_pandas()
        leading = [group[0].key for group in self.experiment.sweep.zip]
        following = [axis.key for group in self.experiment.sweep.zip for axis in group[1:]]
        dimensions = [axis.key for axis in self.experiment.sweep.grid] + leading + ["method"]
        data = xarray.Dataset.from_dataframe(frame.drop(columns=following).set_index(dimensions))
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

    def _cell(self, reader: Reader, index: int) -> CellOutcome | None:
        axes = self.grid.cell(index)
        known = reader.cell(canonical_json(axes))
        if known is None:
            return None
        law, methods = known
        resolved = plan(self.grid.experiment(index))
        simulation = self._simulation(reader, resolved, axes, law, methods)
        prediction = self._prediction(reader, resolved, axes, law, methods)
        return CellOutcome(axes, simulation, prediction) if simulation or prediction else None

    def _simulation(
        self, reader: Reader, resolved: Plan, axes: dict[str, Any], law: str, methods: dict[str, str]
    ) -> Outcome | None:
        replicates = self.experiment.sweep.replicates
        stored = {label: reader.simulated(law, method, replicates) for label, method in methods.items()}
        # In a sweep that was stopped, a method that another cell shares may be ahead of the others.
        common = set.intersection(*({row[0] for row in rows} for rows in stored.values()))
        if not common:
            return None
        outcomes = {
            stage.label: rebuilt(
                [row[1:] for row in stored[stage.label] if row[0] in common],
                stage=stage,
                test=resolved.test,
                limit="finite",
            )
            for stage in resolved.stages
        }
        return Outcome(self.experiment.name, outcomes, "simulation", simulator="dense", axes=axes)

    def _prediction(
        self, reader: Reader, resolved: Plan, axes: dict[str, Any], law: str, methods: dict[str, str]
    ) -> Outcome | None:
        outcomes = {}
        for stage in resolved.stages:
            row = reader.predicted(law, methods[stage.label])
            if row is None:
                return None
            outcomes[stage.label] = rebuilt([row[1:]], stage=stage, test=resolved.test, limit=row[0])
        return Outcome(self.experiment.name, outcomes, "prediction", axes=axes)


def _same(stored: Any, wanted: Any) -> bool:
    if isinstance(stored, float) and isinstance(wanted, int | float):
        return math.isclose(stored, wanted, rel_tol=1e-9)
    return bool(stored == wanted)
