"""Open a results folder: outcomes, rows, files for other programs, and how far its sweep is."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import islice, product
from math import isnan
from pathlib import Path
from struct import unpack
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .._arguments import shown
from .._io import data_frame, data_set, replace_file, table_package, write_rows
from ..experiment.errors import ExperimentError
from ..experiment.grid import Grid
from ..model.head import read_out
from ..model.losses import Status
from ..model.plan import Plan, Sample, Shares, plan, reported_plan
from ..outcome import Outcome, interval_of_least
from .environment import processor_of, versions_of
from .folder import StoreError, is_held
from .format import FIELDS, axes_key, composition_table, decode, decode_networks, head_table
from .store import Reader
from .units import CHUNK, Chain, grid_keys, stacked
from .workers import Workers

if TYPE_CHECKING:
    import pandas
    import xarray

    from ..experiment import Experiment
    from ..model.plan import Shares
    from .stop import Flag


# A method of a cell as one flat row of the stored numbers: what tables, CSV files and the terminal show.


_KEPT = frozenset(int(status) for status in Status if status.ok)
_HEAD = FIELDS.index("head")
_COSINE, _COMPOSITION = FIELDS.index("cosine"), FIELDS.index("composition")
_READ_OUT = slice(FIELDS.index("wga"), FIELDS.index("average_accuracy") + 1)


def method_row(
    axes: Mapping[str, Any],
    label: str,
    *,
    simulated: Sequence[tuple[Any, ...]],
    predicted: tuple[Any, ...] | None,
    shares: Shares = "realised",
    mass: Mapping[str, float],
) -> dict[str, Any]:
    """Axes; method, status, replicates and what simulated them; means and standard errors; the prediction; the mass.

    Keys are the same for every cell and method of a sweep: `wga` (the least of the groups' mean accuracies, whose
    interval is in `wga_low` and `wga_high`), `wga_per_run` (the mean over replicates of the least accuracy),
    `direction_wga`, `average_accuracy` and `accuracy(y,a)`, signal weights, bias and noise norm of the mean head, each
    with `_se`, then the same numbers but `wga_per_run` with `predicted_` before them and without `_se`, and
    `mass(y,a)`. Where a rule makes the weights, masses are means over the replicates (else the prediction's) and
    `share(y,a)` are the groups' shares of the rows of positive weight; `cosine` is that with the head that the method's
    `angle_to` names. None stands for what is not there.

    Args:
        simulated: rows of (replicate, simulator, *FIELDS), none before a simulation.
        predicted: (limit, *FIELDS), None before a prediction.
        shares: of the groups in the row: "realised" by whole rows, or "nominal" as the file states them.
        mass: effective mass of each group, by its name.
    """
    groups = tuple(mass)
    rows = [row[2:] for row in simulated]
    k = _signal_dim(rows[0] if rows else (predicted or ())[1:], groups)
    return {
        **axes,
        "method": label,
        "status": _status(rows),
        "replicates": sum(row[0] in _KEPT for row in rows),
        "simulator": (simulator := simulators_of(simulated)),
        "paired": paired_by(simulator),
        **(_numbers(rows, groups) if rows else dict.fromkeys(_names(groups, k))),
        **(_prediction(predicted[1:], groups) if predicted else dict.fromkeys(_predicted_names(groups, k))),
        "predicted_status": _status([predicted[1:]] if predicted else []),
        "limit": predicted[0] if predicted else None,
        "shares": shares,
        **_angle(rows),
        **_composition(rows or ([predicted[1:]] if predicted else []), mass),
    }


def _angle(rows: Sequence[tuple[Any, ...]]) -> dict[str, float | None]:
    """Mean cosine and its standard error."""
    found = np.array([row[_COSINE] for row in rows if row[0] in _KEPT and row[_COSINE] is not None])
    error = float(found.std(ddof=1) / math.sqrt(len(found))) if len(found) > 1 else None
    return {"cosine": float(found.mean()) if len(found) else None, "cosine_se": error}


def _composition(rows: Sequence[tuple[Any, ...]], mass: Mapping[str, float]) -> dict[str, float | None]:
    """Mean masses and shares of the groups; those of the selection, and no shares, where no rule makes them."""
    made = [row for row in rows if row[0] in _KEPT and row[_COMPOSITION] is not None]
    masses, shares = composition_table(made).mean(axis=0).tolist() if made else (mass.values(), [None] * len(mass))
    told = {f"mass{group}": share for group, share in zip(mass, masses, strict=True)}
    return told | {f"share{group}": share for group, share in zip(mass, shares, strict=True)}


def simulators_of(simulated: Iterable[tuple[Any, ...]]) -> str | None:
    """What simulated the rows of (replicate, simulator, *FIELDS); None without rows."""
    return ", ".join(sorted({row[1] for row in simulated})) or None


def paired_by(simulator: str | None) -> bool | None:
    """Whether rows by `simulators_of` share random numbers over cells, as all but lazy ones do; None without rows."""
    return None if simulator is None else "lazy" not in simulator


def _numbers(rows: Sequence[tuple[Any, ...]], groups: tuple[str, ...]) -> dict[str, float | None]:
    """Means over the replicates that have a head, and their standard errors; at least one row of FIELDS."""
    heads = head_table(rows)
    k = heads.shape[1] - 3 - len(groups)
    read_out = np.array([row[_READ_OUT] for row in rows], dtype=np.float64)
    kept = np.array([row[0] in _KEPT for row in rows])
    # One contiguous row for each quantity, in the order of `_names`.
    values = np.ascontiguousarray(np.concatenate([read_out, heads[:, k + 3 :], heads[:, : k + 2]], axis=1)[kept].T)
    size, count = values.shape
    means = values.mean(axis=1).tolist() if count else [math.nan] * size
    errors = (values.std(axis=1, ddof=1) / math.sqrt(count)).tolist() if count > 1 else [math.nan] * size
    of_groups = slice(read_out.shape[1], read_out.shape[1] + len(groups))
    accuracies, their_errors = means[of_groups], errors[of_groups]
    worst = min(range(len(groups)), key=accuracies.__getitem__)
    ends = interval_of_least(accuracies, their_errors, count) if count > 1 else (math.nan, math.nan)
    pairs = (number for pair in zip(means, errors, strict=True) for number in pair)
    numbers = (accuracies[worst], their_errors[worst], *ends, *pairs)
    told = (None if math.isnan(value) else value for value in numbers)
    return dict(zip(_names(groups, k), told, strict=True))


def _prediction(row: tuple[Any, ...], groups: tuple[str, ...]) -> dict[str, float | None]:
    """The numbers of one row of FIELDS; without arrays, as there are tens of thousands of predictions."""
    k = _signal_dim(row, groups)
    names = _predicted_names(groups, k)
    if row[0] not in _KEPT:
        return dict.fromkeys(names)
    head = unpack(f"<{len(row[_HEAD]) // 8}d", row[_HEAD])
    accuracies = head[k + 3 :]
    values = (min(accuracies), *row[_READ_OUT][1:], *accuracies, *head[: k + 2])
    return {name: None if value is None or isnan(value) else value for name, value in zip(names, values, strict=True)}


def _signal_dim(row: tuple[Any, ...], groups: tuple[str, ...]) -> int:
    return len(row[_HEAD]) // 8 - 3 - len(groups)


@cache
def _names(groups: tuple[str, ...], k: int) -> tuple[str, ...]:
    """Keys of `_numbers`, every quantity before its standard error; a replicate's `wga` is its least accuracy."""
    quantities = ("wga_per_run", *_quantities(groups, k))
    paired = (name for quantity in quantities for name in (quantity, f"{quantity}_se"))
    return ("wga", "wga_se", "wga_low", "wga_high", *paired)


def _quantities(groups: tuple[str, ...], k: int) -> tuple[str, ...]:
    """What follows worst-group accuracy in a row."""
    accuracies, signals = (f"accuracy{group}" for group in groups), (f"signal{j + 1}" for j in range(k))
    return (*FIELDS[_READ_OUT][1:], *accuracies, *signals, "bias", "noise_norm")


@cache
def _predicted_names(groups: tuple[str, ...], k: int) -> tuple[str, ...]:
    return tuple(f"predicted_{name}" for name in ("wga", *_quantities(groups, k)))


def _status(rows: Sequence[tuple[Any, ...]]) -> str | None:
    """One status for all replicates, by its name."""
    return Status.of_all(row[0] for row in rows).label if rows else None


# What a phase diagram needs beside the predictions of its cells: shares of the gain, and where rows are separable.
#
# Both vary slowly and cost several solves a cell, so a fine grid is surveyed at evenly thinned values of its axes.


FINEST = 25  # values of an axis that are surveyed at most

Row = dict[str, Any]


def survey(grid: Grid, *, jobs: int, sized: bool = True, shares: Shares = "realised") -> list[Row]:
    """A row for each retraining method (one without a method where there is no gain to split) of the cells surveyed.

    Beside the axes: of the gain over ERM in worst-group accuracy, the Shapley values `balance_share` (composition and
    weighting) and `collapse_share` (T21), None where some cell of the factorial has no head; and, for train and
    heldout, `_rows_per_dim` (n/d) and `_separable_below` (T12), None where there is no such sample or no noise.

    Args:
        grid: two axes or more, of any values.
        jobs: processes to share the runs.
        sized: False in the population limit, where sample sizes have no effect.
        shares: of the groups, as the predictions beside them have.
    """
    thinned = [_thinned(length) for length in grid.shape]
    strides = np.cumprod([1, *reversed(grid.shape[1:])])[::-1]
    runs = [[int(np.dot(strides, (*outer, last))) for last in thinned[-1]] for outer in product(*thinned[:-1])]
    with Workers(jobs, processes=len(runs) > 1) as workers:
        futures = [workers.submit(survey_run, grid, run, sized, shares) for run in runs]
        return [row for future in futures for row in future.result()]


def survey_run(grid: Grid, cells: Sequence[int], sized: bool, shares: Shares, stop: Flag) -> list[Row]:
    """The rows of cells that follow one another; cells whose values do not go together are left out."""
    chain = Chain()
    rows: list[Row] = []
    for cell in cells:
        if stop.is_set():
            break
        try:
            resolved = plan(grid.experiment(cell), shares)
        except ExperimentError:
            continue
        where = grid.cell(cell) | _thresholds(resolved)
        rows += [where | split for split in _split(resolved, chain, sized) or [{"method": None}]]
    return rows


def _thinned(length: int) -> list[int]:
    return np.unique(np.linspace(0, length - 1, min(length, FINEST)).round().astype(int)).tolist()


def _split(resolved: Plan, chain: Chain, sized: bool) -> list[Row]:
    from ..attribution import build, shapley

    baseline = next((stage for stage in resolved.stages if stage.kind == "erm"), None)
    split = [stage for place, stage in enumerate(resolved.stages) if resolved.splits(place)]
    retraining = [stage for stage in split if stage is not baseline]
    if baseline is None or not retraining or resolved.network is not None:
        return []
    cells, factorials = build(resolved, baseline, retraining, sized=sized)
    outcomes = chain.predict(cells)
    heads = stacked([outcome.heads for outcome in outcomes])
    wga = dict(zip((outcome.label for outcome in outcomes), read_out(heads, cells.test).wga, strict=True))
    rows = []
    for factorial in factorials:
        values = np.array([wga[label] for label in factorial.cells.ravel()]).reshape(factorial.cells.shape)
        effects = dict(zip(factorial.switches, shapley(values).tolist(), strict=True))
        shares = {
            "balance_share": effects.get("composition", 0.0) + effects.get("weighting", 0.0),
            "collapse_share": effects.get("collapse", 0.0),
        }
        whole = bool(np.isfinite(values).all())
        rows.append(
            {"method": factorial.method.label} | {name: share if whole else None for name, share in shares.items()}
        )
    return rows


def _thresholds(resolved: Plan) -> Row:
    samples = {sample.role: sample for sample in resolved.samples}
    told: Row = {}
    for role in ("train", "heldout"):
        ratio, below = _threshold(samples[role]) if role in samples else (None, None)
        told |= {f"{role}_rows_per_dim": ratio, f"{role}_separable_below": below}
    return told


def _threshold(sample: Sample) -> tuple[float | None, float | None]:
    from ..model.losses import Loss
    from ..prediction.problem import ProportionalProblem
    from ..prediction.separability import threshold

    law = sample.mixture
    if law.noise_dim == 0 or not law.noise_std.any():
        return None, None
    problem = ProportionalProblem.of(law, Loss.LOGISTIC, counts=sample.counts)
    return float(sample.counts.sum()) / law.noise_dim, threshold(problem).threshold


# A results folder, opened to be read: outcomes, rows and tables, also while a sweep still writes to it.


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
        self._checked: list[tuple[int, int]] | None = None

    def outcomes(self, keep: Callable[[Mapping[str, Any]], bool] | None = None) -> Iterator[CellOutcome]:
        """The cells in grid order, rebuilt from the stored heads; cells without any row are left out.

        `keep` chooses cells by the values of their axes, before anything is rebuilt. StoreError where the folder is
        damaged.
        """
        with self._reader() as reader:
            for cell in self._stored(reader, keep):
                yield self._outcome(cell)

    def rows(self) -> list[dict[str, Any]]:
        """One flat dict for each cell and method, from the stored numbers: see `method_row`; StoreError if damaged."""
        with self._reader() as reader:
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

    @contextmanager
    def _reader(self) -> Iterator[Reader]:
        """Read-only access to a folder that is whole: looked at once, and again when its files have changed."""
        with Reader(self.folder, older=True) as reader:
            files = [reader.path, reader.path.with_name(f"{reader.path.name}-wal")]
            state = [(stat.st_mtime_ns, stat.st_size) for file in files if file.exists() and (stat := file.stat())]
            if state != self._checked:
                reader.check_whole()
                self._checked = state
            yield reader

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


# Results as files for other programs: CSV always, Parquet and NetCDF where the `[table]` extra is installed.


def write_csv(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """`Results.rows` as CSV; see `files.write_rows`."""
    with _named(path):
        write_rows(rows, path)


def write_parquet(results: Results, path: Path) -> None:
    """Write `Results.to_pandas` as Parquet; ImportError, naming the package and the extra, without one it needs."""
    table_package("pyarrow", "Parquet")
    frame = results.to_pandas()
    _replace(path, lambda unfinished: frame.to_parquet(unfinished, index=False, engine="pyarrow"))


def write_netcdf(results: Results, path: Path) -> None:
    """Write `Results.to_xarray` as NetCDF; ImportError, naming the package and the extra, without one it needs."""
    for name in ("h5netcdf", "h5py"):  # h5netcdf reads and writes through h5py, which it does not install
        table_package(name, "NetCDF")
    data = results.to_xarray()
    _replace(path, lambda unfinished: data.to_netcdf(unfinished, engine="h5netcdf"))


WRITERS: dict[str, Callable[[Results, Path], None]] = {
    "csv": lambda results, path: write_csv(results.rows(), path),
    "parquet": write_parquet,
    "netcdf": write_netcdf,
}


def _replace(path: Path, write: Callable[[Path], None]) -> None:
    with _named(path):
        replace_file(path, write)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Errors of the file system as a StoreError that names the file."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror or error}") from error


# How far the sweep in a folder is, and what it ran on.


@dataclass(frozen=True)
class SweepStatus:
    """Rows done of those asked, and the provenance of every run.

    Attributes:
        running: a process is writing now; None where that cannot be seen, as on another host.
    """

    folder: Path
    name: str
    cells: int
    rows_asked: int
    rows_done: int
    running: bool | None
    runs: tuple[dict[str, Any], ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return vars(self) | {"folder": str(self.folder), "runs": list(self.runs)}

    def __str__(self) -> str:
        lines = [f"{self.folder}: {self.name}, {self.cells} cells, {self.rows_done} of {self.rows_asked} rows"]
        for run in self.runs:
            machine = run["environment"]
            blas = ", ".join(f"{pool['internal_api']} {pool['version']}" for pool in machine["blas"])
            lines += [
                f"run {run['run']}: {run['started']} to {run['finished'] or self._without_end(run)}, "
                f"{run['jobs']} workers",
                f"  {run['command'] or '(from Python)'}",
                f"  {versions_of(machine)}",
                f"  {processor_of(machine)}; {blas}",
            ]
        return "\n".join(lines)

    def _without_end(self, run: dict[str, Any]) -> str:
        if self.running is None:
            return "(not finished)"
        return "now" if self.running and run is self.runs[-1] else "(stopped before its end)"


def status_of(folder: Path) -> SweepStatus:
    """The status of a results folder, also while a sweep writes to it; StoreError where there is none."""
    with Reader(folder, older=True) as reader:
        experiment = reader.experiment
        grid, replicates = Grid(experiment), experiment.sweep.replicates
        return SweepStatus(
            folder=folder,
            name=experiment.name,
            cells=grid.size,
            rows_asked=grid.size * len(experiment.method) * replicates,
            rows_done=sum(reader.row_count(axes, replicates) for _, axes in grid_keys(grid)),
            running=is_held(folder),
            runs=tuple(reader.runs()),
        )
