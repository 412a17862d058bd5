"""E3, the separation: balance or uncollapsed features, by kind of collapse, balance, n/d, head and ridge?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

from ..experiment.grid import Grid
from ..neural_collapse import from_mixture
from ..planning import plan
from ..sweep.folder import NUMERICS
from ..sweep.workers import Workers
from .ledger import Ledger
from .measuring import Row, of_part
from .separation import by_kind, counted, predicted_splits, simulated_cells
from .separation_figure import figure
from .shares import Shares
from .verdict import Verdict, concluded, settled_in_parts

if TYPE_CHECKING:
    from ..experiment import Experiment
    from ..sweep.interruption import Flag
    from ..sweep.results import Results

MATERIAL = 0.02
TAU = 0.25
RATIOS = (0.3, 1.0)
LARGEST = 8.0
"""Of the cells, those at this tau, these ratios and up to this n/d are simulated."""

__all__ = ["figure", "table", "verdict"]


def table(results: Results, *, jobs: int = 1) -> list[Row]:
    """Rows `map` (predicted shares), `simulated` (shares with intervals) and `equal` (tau at which they are equal)."""
    ledger = Ledger(results.folder / "shares.jsonl")
    cells = range(results.grid.size)
    _predict(results.grid, ledger, jobs)
    rows: list[Row] = []
    for cell in cells:
        at = where(results.grid.cell(cell))
        rows += [{"part": "map", **at, **row} for row in ledger.rows[_key(results.grid.experiment(cell))]]
    replicates = results.experiment.sweep.replicates
    for cell in cells:
        at = where(results.grid.cell(cell))
        if at["tau"] == TAU and at["heldout_ratio"] in RATIOS and at["rows_per_dim"] <= LARGEST:
            experiment = results.grid.experiment(cell)
            key = _key(experiment, replicates)
            if key not in ledger.rows:
                ledger.add(key, Shares().simulate(experiment, replicates, jobs=jobs))
            rows += [{"part": "simulated", **at, **row} for row in ledger.rows[key]]
    return rows + list(_equal(results, rows))


def verdict(rows: Sequence[Mapping[str, Any]]) -> Verdict:
    """Whether balance dominates, by kind of collapse, head and cell, at every ridge; and what the map says."""
    cells = simulated_cells(rows)
    told = [f"{kind} collapse: {counted(own)}" for kind, own in by_kind(cells)]
    for head in dict.fromkeys(case.head for case in cells):
        states = [case.state for case in cells if case.head == head and case.state != "no gain"]
        told.append(f"{head} in {states.count('dominates')} of {len(states)}")
    words = {
        "confirmed": "balance dominates in every simulated cell and head with a gain",
        "refuted": "balance dominates in no simulated cell and head with a gain",
        "complicated": "balance dominates in some cells and heads and not in others",
    }
    gained = [case.finding for case in cells if case.state != "no gain"]
    findings = [case.finding for case in cells]
    decided = settled_in_parts(gained)
    return concluded("e03", findings, words, outcome=decided, told=[*told, *_map_told(rows)])


def where(axes: Mapping[str, Any]) -> Row:
    """Kind of collapse and tau, held-out ratio and n/d of a cell."""
    noise, attribute = axes["train.collapse.noise"], axes["train.collapse.attribute"]
    if isinstance(noise, tuple | list):
        kind, tau = ("minority", noise[1]) if isinstance(attribute, tuple | list) else ("group", noise[1])
    else:
        kind, tau = ("group" if attribute == 1.0 else "class"), noise
    ratio, size = axes["heldout.minority_ratio"], axes["train.n_per_dim"]
    return {"kind": kind, "tau": tau, "heldout_ratio": ratio, "rows_per_dim": size}


def predict_run(grid: Grid, cells: Sequence[int], stop: Flag) -> list[tuple[str, list[Row]]]:
    """Predicted shares of cells that follow one another, by their keys; fewer where it is stopped."""
    shares = Shares()
    found = []
    for cell in cells:
        if stop.is_set():
            break
        experiment = grid.experiment(cell)
        found.append((_key(experiment), shares.predict(experiment)))
    return found


def crossing(along: Sequence[Mapping[str, Any]]) -> float | None:
    """The largest tau at which the difference of the shares is zero, by lines between rows of rising tau.

    >>> crossing([{"tau": tau, "difference": value} for tau, value in ((0.1, -0.1), (0.3, 0.1), (0.5, 0.3))])
    0.2
    """
    for low, high in reversed(list(pairwise(along))):
        first, last = low["difference"], high["difference"]
        if first * last <= 0 and first != last:
            return round(low["tau"] + (high["tau"] - low["tau"]) * first / (first - last), 12)
    return None


def _predict(grid: Grid, ledger: Ledger, jobs: int) -> None:
    """Have the predicted shares of every cell in the ledger."""
    missing = [cell for cell in range(grid.size) if _key(grid.experiment(cell)) not in ledger.rows]
    runs = [list(run) for _, run in groupby(missing, lambda cell: cell // grid.shape[-1])]
    if not runs:
        return
    with Workers(jobs, processes=len(runs) > 1) as workers:
        for future in [workers.submit(predict_run, grid, run) for run in runs]:
            for key, rows in future.result():
                ledger.add(key, rows)


def _key(experiment: Experiment, replicates: int = 0) -> str:
    """What a cell's shares depend on; without replicates, its predicted ones."""
    parts = [experiment.cell_law_hash, *(experiment.method_hash(label) for label in experiment.method_labels)]
    drawn = f"-{experiment.sweep.seed}-{replicates}" if replicates else ""
    return "-".join([*parts, f"v{NUMERICS}"]) + drawn


def _equal(results: Results, rows: Sequence[Row]) -> Iterator[Row]:
    """For each kind, size, ratio, head and ridge the largest tau at which the shares are equal, and NC1 there."""

    def place(row: Mapping[str, Any]) -> tuple[Any, ...]:
        return row["kind"], row["rows_per_dim"], row["heldout_ratio"], row["head"], row["ridge"]

    series: dict[tuple[Any, ...], list[Row]] = {}
    for row in of_part(rows, "map"):
        if row["difference"] is not None:
            series.setdefault(place(row), []).append(dict(row))
    for found in series.values():
        along = sorted(found, key=lambda row: row["tau"])
        tau = crossing(along)
        at = {name: along[0][name] for name in ("kind", "rows_per_dim", "heldout_ratio", "head", "ridge")}
        mostly = "balance" if sum(row["difference"] for row in along) > 0 else "collapse"
        yield {"part": "equal", **at, "tau": tau, "nc1_ratio": tau and _nc1_ratio(results, at, tau), "mostly": mostly}


def _nc1_ratio(results: Results, at: Mapping[str, Any], tau: float) -> float:
    """NC1 of the training features over that of the held-out ones, at a collapse of this kind."""
    factors: Any = [1.0, tau, tau, 1.0] if at["kind"] == "minority" else tau
    cell = {
        "heldout.minority_ratio": at["heldout_ratio"],
        "train.collapse.noise": factors,
        "train.collapse.attribute": 1.0 if at["kind"] == "group" else factors,
    }
    train, heldout = plan(results.experiment.with_values(cell)).samples
    return from_mixture(train.mixture).nc1 / from_mixture(heldout.mixture).nc1


def _map_told(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """How much of the predicted map each of the regions takes, by kind of collapse."""
    told = []
    for kind, cases in by_kind(predicted_splits(rows)):
        known = [row for row in of_part(rows, "map", kind=kind) if row["gain"] is not None]
        regions = {
            "collapse the larger": sum(row["difference"] < 0 for row in known),
            f"collapse share above {MATERIAL:g}": sum(row["collapse"] > MATERIAL for row in known),
            f"below -{MATERIAL:g}": sum(row["collapse"] < -MATERIAL for row in known),
        }
        shares = ", ".join(f"{name} in {count}" for name, count in regions.items())
        told.append(f"of {len(known)} predicted splits under {kind} collapse {counted(cases)}; {shares}")
    return told or ["no predicted map"]
