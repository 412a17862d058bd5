"""E3, the separation: balance or uncollapsed features, by kind of collapse, balance, n/d, head and ridge?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..attribution import build, shapley
from ..attribution.split import DOMINANCE, Interval, dominates, has_gain
from ..experiment import Descent, FitOptions, groups
from ..experiment.grid import Grid
from ..model.mixture import Array
from ..model.neural_collapse import from_mixture
from ..model.plan import Plan, Stage, plan
from ..outcome import MethodOutcome
from ..plots.style import look
from ..sweep.folder import NUMERICS
from ..sweep.units import Chain
from ..sweep.workers import Workers
from . import evidence
from .evidence import Finding, Row, Verdict, concluded, estimate, foremost, interval, of_part, settled_in_parts, worst

if TYPE_CHECKING:
    from ..experiment import Experiment
    from ..sweep.results import Results
    from ..sweep.stop import Flag


# Shapley shares of balance and collapse in LLR's gain (T21), for several heads and several ways to choose the ridge.
#
# Per cell of a sweep with methods `erm` and `llr` that differ in composition and collapse alone, the four cells of the
# 2 x 2 factorial are fitted once for each `Variant`. Three ways to choose the ridge:
#
# - `equal`: the same lam in all four cells;
# - `effective`: lam tau_n^2 on collapsed features, so that lam / tau_n^2, by which class collapse acts on a squared
#   loss
#   (T5), is the same; with tau_n of each group, the mean of tau_n^2 over the training rows;
# - `validated`: in each cell the lam, of a decade grid around the given one, whose predicted worst-group accuracy is
#   best: a validation set without end.


DECADES = (1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0)
"""Ridges that `validated` chooses among, as multiples of the given one."""

ERRORS = ("_se", "_count", "_low", "_high")
RIDGES = ("equal", "effective", "validated")
SWITCHES = ("composition", "collapse")


@dataclass(frozen=True)
class Variant:
    """A head, and how its ridge is chosen in the cells of the factorial."""

    name: str
    loss: str
    ridge: str = "equal"
    factor: float = 1.0  # of the experiment's own ridge
    steps: int = 0  # of a descent from zero without penalty; 0: the exact fit

    @property
    def label(self) -> str:
        """What tells it from the other variants."""
        return f"{self.name}, {self.ridge}"

    def head(self, ridge: float) -> FitOptions:
        """The head at a ridge."""
        if self.steps:
            return FitOptions(loss=self.loss, ridge=0.0, solver=Descent(steps=self.steps, step_size=0.2))
        return FitOptions(loss=self.loss, ridge=self.factor * ridge)


VARIANTS = (
    Variant("least squares", "squared", factor=1e-3),
    *(Variant("squared, ridge", "squared", ridge) for ridge in RIDGES),
    Variant("cross-entropy, 50 steps", "logistic", steps=50),
    *(Variant("cross-entropy, converged", "logistic", ridge) for ridge in RIDGES),
    Variant("max margin", "max_margin"),
)


class Shares:
    """The shares of one run of cells, predicted from one cell to the next, or simulated.

    `predict(experiment)` and `simulate(experiment, replicates)` return a row for each variant: `balance` and `collapse`
    (Shapley values), their sum, the `gain` in worst-group accuracy, their `difference`, `dominance` (balance less
    `DOMINANCE` times collapse), and the least and largest ridge of the four cells.
    """

    def __init__(self, variants: Sequence[Variant] = VARIANTS) -> None:
        self.variants = variants
        self._chain = Chain()

    def predict(self, experiment: Experiment) -> list[Row]:
        """Predicted shares; None where a cell of the factorial has no prediction."""
        cells, names = _factorial(experiment)
        ridges, found = self._solved(experiment, cells, names)
        rows = []
        for variant in self.variants:
            wga = np.array([worst(found[variant.label, name])[0] for name in names.ravel()]).reshape(2, 2)
            rows.append(
                _row(variant, wga[..., None], ridges) if np.isfinite(wga).all() else _row(variant, None, ridges)
            )
        return [{name: value for name, value in row.items() if not name.endswith(ERRORS)} for row in rows]

    def simulate(self, experiment: Experiment, replicates: int, *, jobs: int = 1) -> list[Row]:
        """Simulated shares with their errors, of the variants whose four cells all have heads, at predicted ridges."""
        from ..simulation import simulate_plan

        cells, names = _factorial(experiment)
        ridges, found = self._solved(experiment, cells, names)
        fitted = [
            variant
            for variant in self.variants
            if variant.steps or all(found[variant.label, name].kept.all() for name in names.ravel())
        ]
        stages = [
            _stage(cells, name, variant, ridges[variant.label, name]) for variant in fitted for name in names.ravel()
        ]
        outcome = simulate_plan(
            replace(cells, stages=tuple(stages)),
            name=experiment.name,
            seed=experiment.sweep.seed,
            replicates=replicates,
            jobs=jobs,
            simulator="dense",
        )
        return [
            _row(
                variant,
                np.array([worst(outcome[_label(variant, name)]) for name in names.ravel()]).reshape(2, 2, -1),
                ridges,
            )
            for variant in fitted
        ]

    def _solved(
        self, experiment: Experiment, cells: Plan, names: np.ndarray
    ) -> tuple[dict[tuple[str, str], float], dict[tuple[str, str], MethodOutcome]]:
        """Ridge and predicted head of every variant in every cell of the factorial."""
        given = experiment.head.ridge
        collapsed = {name: setting[1] == 0 for setting, name in np.ndenumerate(names)}
        tried: dict[tuple[str, str], tuple[float, ...]] = {}
        for variant in self.variants:
            for name in names.ravel():
                effective = variant.ridge == "effective" and collapsed[name]
                ridge = given * (_spread_left(experiment) if effective else 1.0)
                options = tuple(given * times for times in DECADES) if variant.ridge == "validated" else (ridge,)
                tried[variant.label, name] = options
        by_label = {variant.label: variant for variant in self.variants}
        stages = [
            replace(stage, label=f"{stage.label}, {ridge / given:.9g}")
            for (label, name), options in tried.items()
            for ridge in options
            for stage in [_stage(cells, name, by_label[label], ridge)]
        ]
        outcomes = iter(self._chain.predict(replace(cells, stages=tuple(stages))))
        ridges, found = {}, {}
        for place, options in tried.items():
            solved = [next(outcomes) for _ in options]
            accuracy = [float(worst(one)[0]) for one in solved]
            best = int(np.nanargmax(accuracy)) if np.isfinite(accuracy).any() else 0
            ridges[place], found[place] = options[best], solved[best]
        return ridges, found


def _factorial(experiment: Experiment) -> tuple[Plan, np.ndarray]:
    """The plan of the four cells and their labels [composition, collapse], 0 as the ERM stage has it."""
    resolved = plan(experiment)
    erm, llr = resolved.stages
    cells, (factorial,) = build(resolved, erm, [llr])
    if factorial.switches != SWITCHES:
        raise ValueError(f"shares: the stages differ in {factorial.switches}; expected {SWITCHES} alone")
    return cells, factorial.cells


def _label(variant: Variant, name: str) -> str:
    return f"{variant.label}: {name}"


def _stage(cells: Plan, name: str, variant: Variant, ridge: float) -> Stage:
    (stage,) = (stage for stage in cells.stages if stage.label == name)
    return replace(stage, label=_label(variant, name), head=variant.head(ridge))


def _spread_left(experiment: Experiment) -> float:
    """Mean over training rows of tau_n^2."""
    factors = np.asarray(groups.per_group(experiment.train.collapse.noise, experiment.group_count))
    return float(np.asarray(experiment.train_proportions) @ factors**2)


def _row(variant: Variant, wga: Array | None, ridges: Mapping[tuple[str, str], float]) -> Row:
    """The columns of a variant from the worst-group accuracies (2, 2, R) of its cells; None where one has no head."""
    row: dict[str, Any] = {"head": variant.name, "ridge": variant.ridge}
    chosen = [ridge for (label, _), ridge in ridges.items() if label == variant.label]
    values = np.full((2, 2, 1), np.nan) if wga is None else wga
    balance, collapse = shapley(values, 2)
    for name, numbers in (("balance", balance), ("collapse", collapse), ("gain", balance + collapse)):
        row |= estimate(name, numbers)
    row |= estimate("dominance", balance - DOMINANCE * collapse) | estimate("difference", balance - collapse)
    return row | {"least_ridge": min(chosen), "largest_ridge": max(chosen)}


# Lines of JSON that a long computation leaves as it goes, so that one that was stopped goes on where it was.


Rows = list[dict[str, Any]]


class Ledger:
    """Rows by key, a line each; a last line that was cut off in writing is dropped, and written anew.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "shares.jsonl"
    ...     Ledger(path).add("a", [{"x": 1}])
    ...     _ = path.write_text(path.read_text() + '{"key": "b", "ro')
    ...     Ledger(path).rows
    {'a': [{'x': 1}]}
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: dict[str, Rows] = {}
        whole = 0
        text = path.read_bytes() if path.exists() else b""
        for line in text.splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            whole += len(line)
            entry = json.loads(line)
            self.rows[entry["key"]] = entry["rows"]
        if whole < len(text):
            with path.open("r+b") as file:
                file.truncate(whole)

    def add(self, key: str, rows: Rows) -> None:
        """Keep the rows, and write them at once."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": key, "rows": rows}, allow_nan=False) + "\n")
        self.rows[key] = rows


# The cells of E3: whether balance carries LLR's gain in each, by the rule `explain` goes by, and counts by kind.
#
# A cell without a gain has nothing to be carried: it counts neither for the claim nor against it. Where uncollapsed
# features *cost*, their share being negative, balance need not be large to exceed a multiple of it: such cells are
# told.


State = Literal["dominates", "fails", "open", "no gain"]

JUDGED = ("gain", "balance", "collapse", "dominance")
"""Numbers of a row that are judged: the gain, both shares, and balance less `DOMINANCE` times the other."""

KINDS = ("class", "group", "minority")
_HOLDS: dict[State, bool | None] = {"dominates": True, "fails": False, "open": None, "no gain": None}


@dataclass(frozen=True)
class Case:
    """One split, or one cell over all its ridges.

    Attributes:
        kind: of collapse.
        head: name of the head.
        state: what balance does in it.
        costs: whether the share of uncollapsed features is negative (in a cell: at some ridge).
        finding: in words and numbers.
    """

    kind: str
    head: str
    state: State
    costs: bool
    finding: Finding


def simulated_cells(rows: Sequence[Mapping[str, Any]]) -> list[Case]:
    """The simulated cells, by kind of collapse and head; balance dominates in one if it does at every ridge."""
    simulated = of_part(rows, "simulated")
    comparisons = len(JUDGED) * len(simulated)
    cells: dict[tuple[str, str, float, float], list[Case]] = {}
    for row in sorted(simulated, key=lambda row: KINDS.index(row["kind"])):
        place = row["kind"], row["head"], row["heldout_ratio"], row["rows_per_dim"]
        case = _case(row, {name: interval(row, name, comparisons) for name in JUDGED})
        cells.setdefault(place, []).append(case)
    return [_over_ridges(*place, own) for place, own in cells.items()]


def predicted_splits(rows: Sequence[Mapping[str, Any]]) -> list[Case]:
    """The splits of the map that are predicted, each an exact number."""
    known = [row for row in of_part(rows, "map") if row["gain"] is not None]
    return [_case(row, {name: (row[name], row[name]) for name in JUDGED}) for row in known]


def counted(cases: Sequence[Case]) -> str:
    """How many of the cases with a gain are carried by balance, fail and are open, and how many have no gain.

    >>> found = Finding("a", 0.1, None, None, None)
    >>> counted([Case("class", "ridge", state, True, found) for state in ("dominates", "fails", "no gain")])
    'balance dominates in 1 of 2 (in 1 of them uncollapsed features cost), fails to in 1, 0 open; 1 without a gain'
    """
    states = [case.state for case in cases]
    costly = sum(case.costs for case in cases if case.state == "dominates")
    return (
        f"balance dominates in {states.count('dominates')} of {len(states) - states.count('no gain')} "
        f"(in {costly} of them uncollapsed features cost), fails to in {states.count('fails')}, "
        f"{states.count('open')} open; {states.count('no gain')} without a gain"
    )


def by_kind(cases: Sequence[Case]) -> list[tuple[str, list[Case]]]:
    """The cases of each kind of collapse that has some."""
    parts = [(kind, [case for case in cases if case.kind == kind]) for kind in KINDS]
    return [(kind, own) for kind, own in parts if own]


def _case(row: Mapping[str, Any], ends: Mapping[str, Interval | None]) -> Case:
    """What balance does in the split of a row, by the intervals of what is judged."""
    gain, balance, collapse, excess = (ends[name] for name in JUDGED)
    state: State = "open"
    if gain is not None and balance is not None and excess is not None:
        found, carried = has_gain(gain), dominates(balance, excess)
        if found is False:
            state = "no gain"
        elif found and carried is not None:
            state = "dominates" if carried else "fails"
    name, own = ("gain", gain) if state == "no gain" else ("dominance", excess)
    low, high = own or (None, None)
    return Case(
        row["kind"],
        row["head"],
        state,
        collapse is not None and collapse[1] < 0,
        Finding(f"{row['ridge']} ridge", row[name], low, high, _HOLDS[state], row[name]),
    )


def _over_ridges(kind: str, head: str, ratio: float, size: float, cases: Sequence[Case]) -> Case:
    """A cell: it fails if it does at one ridge, else has no gain if there is none at one, else dominates at all."""
    states = {case.state for case in cases}
    order: tuple[State, ...] = ("fails", "no gain", "open", "dominates")
    state = next(one for one in order if one in states)
    costs = any(case.costs for case in cases)
    what = "no gain to split" if state == "no gain" else f"balance less {DOMINANCE:g} times collapse"
    aside = ", where uncollapsed features cost" if costs else ""
    text = f"{kind} collapse, {head}, ratio {ratio:g}, n/d {size:g}{aside}: {what}"
    return Case(kind, head, state, costs, foremost(text, [case.finding for case in cases if case.state == state]))


# The figure of E3: shares of balance and of uncollapsed features, and where the two are equal.


DRAWN = "cross-entropy, converged"
STYLES = {"equal": "-", "effective": ":", "validated": "--"}
"""Line style of each way to choose the ridge."""


def figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """A column for each kind of collapse: shares along tau at balanced held-out groups; tau and NC1 at equal shares."""
    own = [row for row in rows if row["head"] == DRAWN]
    counts = _counts(rows)
    kinds = list(dict.fromkeys(row["kind"] for row in own))
    sizes = sorted({row["rows_per_dim"] for row in own})
    drawn, axes = evidence.panels(
        "Balance, or features that have not collapsed? LLR's gain with converged cross-entropy",
        len(kinds),
        3,
        height=8.2,
        sharey="row",
    )
    for column, kind in enumerate(kinds):
        shares, contour, ratio = axes[:, column]
        for place, size in enumerate(sizes):
            here = {"kind": kind, "rows_per_dim": size}
            _draw_shares(shares, own, here, place)
            for ridge, style in STYLES.items():
                along = sorted(of_part(own, "equal", **here, ridge=ridge), key=lambda row: row["heldout_ratio"])
                for ax, name in ((contour, "tau"), (ratio, "nc1_ratio")):
                    met = [(row["heldout_ratio"], row[name]) for row in along if row[name] is not None]
                    if met:
                        ax.plot(*zip(*met, strict=True), color=look(place)["color"], linestyle=style, marker=".")
        shares.set_title(f"{kind} collapse{counts.get(kind, '')}")
        shares.set_xlabel("tau (1: no collapse)")
        contour.set_ylim(0, 1)
        ratio.set_yscale("log")
        for ax in (contour, ratio):
            ax.set_xlim(0, 1.05)
            ax.set_xlabel("minority : majority, held out")
            if not ax.lines:
                ax.text(0.5, 0.5, "shares are\nnowhere equal", ha="center", va="center", transform=ax.transAxes)
    axes[0, 0].set_ylabel("share of the gain in WGA,\nheld-out groups balanced")
    axes[1, 0].set_ylabel("tau at which\nthe shares are equal")
    axes[2, 0].set_ylabel("NC1 there, training\nover held-out features")
    evidence.legend(
        drawn,
        [(f"n/d = {size:g}", place) for place, size in enumerate(sizes)],
        own,
        "lines: closed-form prediction, proportional limit",
        "first row: solid and filled are balance's share, dotted and open that of uncollapsed features",
        "below: equal ridge solid, equal effective ridge dotted, best on validation dashed; no line: no crossing",
        "titles: simulated cells with a gain, of all heads, in which balance dominates",
        columns=1,
        style="-",
    )
    return drawn


def _counts(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Of each kind of collapse, in how many simulated cells with a gain balance dominates, over all heads."""
    told = {}
    for kind, cases in by_kind(simulated_cells(rows)):
        states = [case.state for case in cases if case.state != "no gain"]
        told[kind] = f"\nbalance in {states.count('dominates')} of {len(states)}"
    return told


def _draw_shares(ax: Axes, rows: Sequence[Mapping[str, Any]], here: Mapping[str, Any], place: int) -> None:
    """Both shares along tau at the most balanced held-out groups and equal ridge."""
    known = of_part(rows, "map", **here, ridge="equal")
    at = {**here, "heldout_ratio": max(row["heldout_ratio"] for row in known), "ridge": "equal"}
    along = sorted(of_part(known, "map", **at), key=lambda row: row["tau"])
    colour = look(place)["color"]
    for name, style, face in (("balance", "-", colour), ("collapse", ":", "none")):
        ax.plot([row["tau"] for row in along], [row[name] for row in along], color=colour, linestyle=style)
        for row in of_part(rows, "simulated", **at):
            ends = [[row[name] - row[f"{name}_low"]], [row[f"{name}_high"] - row[name]]]
            how = look(place) | {"markerfacecolor": face}
            ax.errorbar([row["tau"]], [row[name]], yerr=ends, **how, capsize=2.0, linestyle="none")


# E3, the separation: balance or uncollapsed features, by kind of collapse, balance, n/d, head and ridge?


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
