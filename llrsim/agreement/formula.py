"""Judge a user's formula over an experiment's grid, by draws until its verdict is decided or the budget is spent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import gcd, inf, lcm
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np

from .._arguments import checked_number, checked_seed, checked_whole, require_choice
from .._io import within
from ..experiment import ExperimentError, Grid
from ..experiment.schema import Collapse
from ..model.mixture import Array
from ..model.plan import Plan, features, plan, require_experiment
from ..outcome import Limit, plain
from ..prediction import predict_plan
from ..simulation import require_memory, simulate_plan
from ..statistics import intercept_weights, interval, remainder
from .claim import Claim, Formula, FormulaError
from .size_study import growth_towards, seed_of_cell, spread_evenly

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._arguments import Seed
    from ..experiment import Experiment


# Independent draws of a cell's accuracies in a limit: one simulation at each size, extrapolated to infinite size.
#
# A draw is sum_i a_i acc(size_i), with one replicate of each size and the weights of the least-variance polynomial
# extrapolation (`intercept_weights`); sizes are independent, so the draws are independent rows of one law, whose mean
# is the extrapolated accuracy and whose spread carries the extrapolation's variance. With the limit "finite" nothing
# grows: a draw is one replicate of the cell as it is.


SCORES = 4.0
"""Relative difference of a head over that of its accuracies, which have slopes up to .4 in scores of one to two."""


def plan_of(experiment: Experiment, label: str) -> Plan:
    """The plan with one method and those that it needs; the method is the last stage."""
    resolved = plan(experiment)
    return resolved.restricted([next(i for i, stage in enumerate(resolved.stages) if stage.label == label)])


@dataclass(frozen=True)
class Sizes:
    """The experiments of one cell that are simulated, and how their accuracies are combined.

    Attributes:
        experiments: one a size.
        sizes: d, n/d, or nan for the experiment's own.
        weights: (N,) of the sizes in the extrapolation.
        degree: of the polynomial that is extrapolated.
    """

    experiments: tuple[Experiment, ...]
    sizes: tuple[float, ...]
    weights: Array
    degree: int = 0

    @classmethod
    def of(
        cls,
        cell: Experiment,
        label: str,
        limit: Limit,
        *,
        ratios: Sequence[float] | None = None,
        dims: Sequence[int] | None = None,
    ) -> Sizes:
        """The sizes at which a method of a cell is simulated towards a limit; ValueError where it cannot grow so."""
        if limit == "finite":
            if ratios is not None or dims is not None:
                raise ValueError("limit: 'finite'; nothing grows, so there are no sizes to give")
            return cls((cell,), (np.nan,), np.ones(1))
        growth = growth_towards(limit, ratios, dims)
        sizes = growth.sizes(cell)
        if ratios is None and dims is None:
            sizes = _in_proportion(sizes, cell, label, limit)
        x = 1.0 / np.array(sizes)
        degree = min(growth.degree, len(x) - 1)
        return cls(tuple(growth.resized(cell, size) for size in sizes), sizes, intercept_weights(x, degree), degree)

    def uneven(self, cell: Experiment, label: str) -> list[tuple[float, tuple[int, ...]]]:
        """Sizes at which a sample cannot have the shares that it has in the cell, with its group counts there."""
        found = []
        for sized, size in zip(self.experiments, self.sizes, strict=True):
            for now, before in zip(_counts(sized, label), _counts(cell, label), strict=True):
                if not np.allclose(np.array(now) * sum(before), np.array(before) * sum(now), rtol=1e-12):
                    found.append((size, now))
        return found

    def claim(self, formula: Formula, label: str, cell: str) -> Claim:
        """The formula at every size, extrapolated as the simulations are: for a limit it is the same at all sizes."""
        claims = [
            formula.claim(sized, label, cell if np.isnan(size) else f"{cell}, at size {size:g}")
            for sized, size in zip(self.experiments, self.sizes, strict=True)
        ]
        accuracy = sum(a * claim.accuracy for a, claim in zip(self.weights, claims, strict=True))
        return Claim(np.asarray(accuracy), claims[0].of_groups)


class SimulatedDraws:
    """A sampler of a method's extrapolated group accuracies, by whichever simulator the experiment asks for."""

    def __init__(self, sizes: Sizes, label: str, *, seed: int, jobs: int = 1) -> None:
        self._weights, self._seed, self._jobs = sizes.weights, seed, jobs
        self._degree, self._least = sizes.degree, int(np.argmin(sizes.sizes))
        self._at_least: list[Array] = []
        self._simulators = [experiment.sweep.simulator for experiment in sizes.experiments]
        self._laws = [experiment.cell_law_hash for experiment in sizes.experiments]
        self._plans = [plan_of(experiment, label) for experiment in sizes.experiments]

    def __call__(self, first: int, count: int) -> Array:
        """Draws first, ..., first + count - 1: (count, G); nan where a simulation has no head."""
        total: Array = np.zeros((count, self._plans[0].test.group_count))
        parts = zip(self._plans, self._laws, self._simulators, self._weights, strict=True)
        for place, (sized, law, simulator, weight) in enumerate(parts):
            outcome = simulate_plan(
                sized,
                replicates=count,
                first=first,
                seed=self._seed,
                law=law,
                jobs=self._jobs,
                simulator=simulator,
            )
            method = outcome[sized.stages[-1].label]
            accuracy = np.where(method.kept[:, None], method.readout.group_accuracy, np.nan)
            if place == self._least:
                self._at_least.append(accuracy)
            total += weight * accuracy
        return total

    def remainder(self, claim: Claim) -> float:
        """Return the largest difference to a right claim that the extrapolation may leave, by the draws so far.

        Accuracies at the least size say how far from the limit it is: heads differ by about SCORES times as much.
        """
        seen = np.concatenate(self._at_least).mean(axis=0)
        away = np.abs((seen if claim.of_groups else seen.min()) - claim.accuracy).max()
        return remainder(min(1.0, SCORES * float(away)), self._degree) / SCORES if self._degree else 0.0


def _in_proportion(sizes: tuple[float, ...], cell: Experiment, label: str, limit: Limit) -> tuple[float, ...]:
    """The sizes moved to the nearest with exactly the cell's shares in all samples, if none moves by over a fifth.

    A formula for equal shares is else judged at shares that are off by up to half a row a group.
    """
    counted = _counts(cell, label)
    if limit == "population":
        rows = lcm(*(sum(counts) // gcd(*counts) for counts in counted))
        unit = rows / cell.noise_dim
    else:
        spectrum = cell.features.noise.spectrum
        dims = [cell.noise_dim] if spectrum is None else [multiplicity for _, multiplicity in spectrum]
        unit = cell.noise_dim // gcd(*dims, *(count for counts in counted for count in counts))
    return sizes if unit > 0.4 * min(sizes) else tuple(round(size / unit) * unit for size in sizes)


def _counts(experiment: Experiment, label: str) -> list[tuple[int, ...]]:
    """Group counts of the samples that a method's accuracy depends on: those fitted, and what features collapse to."""
    counts = [tuple(sample.counts.tolist()) for sample in plan_of(experiment, label).samples]
    heldout = Collapse() if experiment.heldout is None else experiment.heldout.collapse
    if {experiment.train.collapse, heldout, experiment.test_collapse} != {Collapse()}:
        counts.append(experiment.train_counts())
    return counts


# The sequential judge: draws until a formula's verdict is decided, or the budget is spent.
#
# The null is |difference| <= eps. "agrees" where the whole interval of every difference lies within [-eps, eps],
# "disagrees" where one lies outside of it, else "undecided". The intervals are simultaneous over the G groups
# (Bonferroni) and hold at all looks together (`sequence`), so any verdict but "undecided" is wrong with probability at
# most `level`, however often one looks.
#
# Where sizes are extrapolated, accuracies far from the claim at the least size leave a remainder that is no fault of
# the claim (`size_study`): "disagrees" then takes an interval that lies outside of [-eps - remainder, eps + remainder].
#
# A formula for WGA alone is compared with the least of the G means, whose interval is from the least lower end to the
# least upper end: it covers wherever the groups' intervals do. No group is chosen as the worst, so ties cost nothing
# and no draws are set aside for the choice, and the mean of minima, which ties bias, is never taken.


Verdict = Literal["agrees", "disagrees", "undecided"]

Sampler = Callable[[int, int], Array]
"""Draws first, ..., first + count - 1: (count, G), independent rows whose mean is what a formula claims; a row without
a head is NaN."""

FIRST_LOOK = 64
"""Draws before any verdict; intervals start at about forty.

Means of so many are near normal unless draws are very skewed, as accuracies near 1 are: at a level of .00025, that of
four groups, ndtr(2 + Z/2), of skewness -2.7, is missed at .00075 and ndtr(2.5 + Z/2), -4, at .0026 (40000 trials).
"""
GROWTH = 1.25
"""Every look has so many times the draws of the one before."""


class Budget(NamedTuple):
    """What may be spent on a cell: draws, and seconds."""

    draws: int = 10_000
    seconds: float = inf


class Judgement(NamedTuple):
    """What was found of a claim.

    Attributes:
        found: simulated accuracies, shaped as the claim's: (G,), or (1,) the least of their means.
        low, high: ends of the intervals of found - claimed.
        verdict: by these.
        draws: that were taken, and `looks` at them.
        reason: why there is no verdict where simulation has no head, or sizes are too small for one; else "".
    """

    found: Array
    low: Array
    high: Array
    verdict: Verdict
    draws: int
    looks: int
    reason: str = ""


def judge(
    draw: Sampler,
    claim: Claim,
    *,
    eps: float,
    level: float,
    budget: Budget,
    remainder: Callable[[Claim], float] = lambda claim: 0.0,
) -> Judgement:
    """Draw until the verdict on a claim is decided or the budget is spent.

    Args:
        draw: the sampler.
        claim: of the mean of its rows.
        eps: largest difference that is none.
        level: probability of a wrong verdict.
        budget: at least FIRST_LOOK draws are taken, whatever the seconds.
        remainder: what a difference may be, by the draws so far, for reasons other than a wrong claim.
    """
    began = monotonic()
    rows = draw(0, min(FIRST_LOOK, budget.draws))
    looks = 1
    while True:
        found = _judged(rows, claim, eps, level, looks, remainder)
        if found.verdict != "undecided" or found.reason or len(rows) >= budget.draws:
            return found
        count = min(int(len(rows) * GROWTH), budget.draws)
        spent = monotonic() - began
        if spent * count / len(rows) > budget.seconds:  # the next look would come too late: stop at what fits
            count = min(count, int(len(rows) * budget.seconds / spent))
            if count <= len(rows):
                return found
        rows = np.concatenate([rows, draw(len(rows), count - len(rows))])
        looks += 1


def decide(low: Array, high: Array, eps: float) -> Verdict:
    """The verdict of intervals [low, high] of differences, (p,) each.

    >>> [decide(np.array([low]), np.array([low + 0.002]), 0.002) for low in (-0.001, 0.001, 0.0021)]
    ['agrees', 'undecided', 'disagrees']
    """
    if ((low > eps) | (high < -eps)).any():
        return "disagrees"
    return "agrees" if ((low >= -eps) & (high <= eps)).all() else "undecided"


def _judged(
    rows: Array, claim: Claim, eps: float, level: float, looks: int, remainder: Callable[[Claim], float]
) -> Judgement:
    missing = int(np.isnan(rows).any(axis=1).sum())
    found = rows.mean(axis=0)
    low, high = interval(rows, level / rows.shape[1])
    if not claim.of_groups:
        found, low, high = (ends.min(keepdims=True) for ends in (found, low, high))
    low, high = low - claim.accuracy, high - claim.accuracy
    reason = f"{missing} of {len(rows)} simulations have no head" if missing else ""
    verdict: Verdict = "undecided" if missing else decide(low, high, eps)
    if verdict == "disagrees":
        most = eps + remainder(claim)
        verdict = "disagrees" if decide(low, high, most) == "disagrees" else "undecided"
        if verdict == "undecided" and (np.abs(found - claim.accuracy) <= most).all():  # more draws would not help
            reason = f"differences up to {most:.3g} may be what the sizes leave, and larger ones decide"
    return Judgement(found, low, high, verdict, len(rows), looks, reason)


# The result of judging a formula: a verdict for every cell, and the smallest cell in which it fails.


@dataclass(frozen=True, eq=False)
class FormulaCell:
    """One cell of the grid: its index, axes and experiment, what the formula claims, and what was found.

    `sizes` are those that were simulated: d, n/d, or nan for the cell as it is.
    """

    index: int
    axes: dict[str, Any]
    experiment: Experiment
    sizes: tuple[float, ...]
    claim: Claim
    judgement: Judgement

    @property
    def verdict(self) -> Verdict:
        """Whether the formula agrees here."""
        return self.judgement.verdict

    @property
    def gap(self) -> Array:
        """Found less claimed, shaped as the claim's accuracy."""
        return self.judgement.found - self.claim.accuracy

    @property
    def rows_by_columns(self) -> int:
        """Numbers in its designs, by which cells are small or large."""
        resolved = plan(self.experiment)
        return sum(int(sample.counts.sum()) for sample in resolved.samples) * (1 + self.experiment.noise_dim)


@dataclass(frozen=True, eq=False)
class FormulaAgreement:
    """The verdicts over a grid.

    Attributes:
        name: the experiment.
        formula: the formula's name, `method` whose accuracies it is for.
        against: "simulation" or "predict".
        limit: that it was judged in.
        eps: largest difference that is none.
        false_alarm: probability of any wrong verdict over all cells.
        group_names: of the groups.
        grid: of the experiment, and the `cells` of it that were judged.
        seed: of the simulations; None against "predict".
    """

    name: str
    formula: str
    method: str
    against: str
    limit: Limit
    eps: float
    false_alarm: float
    group_names: tuple[str, ...]
    grid: Grid
    cells: tuple[FormulaCell, ...]
    seed: int | None

    @property
    def verdict(self) -> Verdict:
        """Agrees everywhere, disagrees somewhere, or undecided."""
        verdicts = {cell.verdict for cell in self.cells}
        if "disagrees" in verdicts:
            return "disagrees"
        return "undecided" if "undecided" in verdicts else "agrees"

    @property
    def agrees(self) -> bool:
        """Whether it agrees in all cells."""
        return self.verdict == "agrees"

    @property
    def failing(self) -> Experiment | None:
        """The smallest experiment in which the formula disagrees, with no other methods than it needs; None without.

        Smallest is the one with the fewest numbers in its samples, then the one of the largest difference.
        """
        wrong = [cell for cell in self.cells if cell.verdict == "disagrees"]
        if not wrong:
            return None
        least = min(wrong, key=lambda cell: (cell.rows_by_columns, -float(abs(cell.gap).max())))
        return _with_only(least.experiment, self.method)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: the verdict, every cell's with its intervals, and the smallest failing experiment as TOML."""
        failing = self.failing
        return {
            "name": self.name,
            "formula": self.formula,
            "method": self.method,
            "against": self.against,
            "limit": self.limit,
            "verdict": self.verdict,
            "eps": self.eps,
            "false_alarm": self.false_alarm,
            "seed": self.seed,
            "cells": [self._cell(cell) for cell in self.cells],
            "failing": failing and failing.to_toml(),
        }

    def _cell(self, cell: FormulaCell) -> dict[str, Any]:
        found = cell.judgement
        columns = {"claimed": cell.claim.accuracy, "found": found.found, "low": found.low, "high": found.high}
        of = self.group_names if cell.claim.of_groups else ("wga",)
        return {
            "axes": cell.axes,
            "sizes": plain(cell.sizes),
            "verdict": cell.verdict,
            "reason": found.reason or None,
            "draws": found.draws,
            "looks": found.looks,
            "accuracies": {
                name: {column: plain(values[g]) for column, values in columns.items()} for g, name in enumerate(of)
            },
        }

    def __repr__(self) -> str:
        return told(self)


def _with_only(experiment: Experiment, label: str) -> Experiment:
    """The experiment with one method and those that it refers to."""
    needed = {label}
    for method in reversed(experiment.method):
        if method.label in needed:
            control = method.control.of if method.control else None
            needed |= {other for other in (method.start, method.against, method.angle_to, control) if other}
    return experiment.replace(method=tuple(method for method in experiment.method if method.label in needed))


# A judged formula in words: a table of the cells, a map of where it fails, and the smallest failing experiment.


MARKS = {"agrees": "+", "disagrees": "x", "undecided": "?"}
NOT_JUDGED = "."
UNITS = {"proportional": "d", "population": "n/d"}


def told(agreement: FormulaAgreement) -> str:
    """What a terminal shows; the failing experiment comes last, so that it can be cut off and saved."""
    lines = [_title(agreement), ""]
    for cell in agreement.cells:
        lines += _cell(agreement, cell)
    if len(agreement.cells) > 1:
        lines += ["", *_map(agreement)]
    count = sum(cell.verdict == "agrees" for cell in agreement.cells)
    lines += ["", f"{agreement.formula}: {_verdict(agreement)} ({count} of {_cells_judged(agreement)} agree)"]
    failing = agreement.failing
    if failing is not None:
        lines += ["", "# The smallest failing experiment, ready to rerun:", failing.to_toml().rstrip()]
    return "\n".join(lines)


def _title(agreement: FormulaAgreement) -> str:
    title = f"{agreement.name}: {agreement.formula} for {agreement.method} against "
    if agreement.against == "predict":
        return f"{title}llrsim's prediction, {agreement.limit} limit; eps = {agreement.eps:g}"
    where = "at its own size" if agreement.limit == "finite" else f"{agreement.limit} limit"
    return f"{title}simulation, {where}; eps = {agreement.eps:g}, false alarm {agreement.false_alarm:g}"


def _cell(agreement: FormulaAgreement, cell: FormulaCell) -> list[str]:
    found = cell.judgement
    draws = f" after {found.draws} draws" if found.draws else ""
    sizes = ", ".join(f"{size:.3g}" for size in cell.sizes if np.isfinite(size))
    if sizes:
        draws += f" at {UNITS[agreement.limit]} = {sizes}"
    reason = f": {found.reason}" if found.reason else ""
    lines = [f"{_axes(cell.axes)}: {cell.verdict}{draws}{reason}"]
    simulated = agreement.against == "simulation"
    lines.append(f"  {'group':<8}{'formula':>9}{'found':>9}{'difference':>12}" + ("   interval" if simulated else ""))
    for g, name in enumerate(agreement.group_names if cell.claim.of_groups else ("worst",)):
        line = f"  {name:<8}{cell.claim.accuracy[g]:9.4f}{found.found[g]:9.4f}{cell.gap[g]:+12.4f}"
        lines.append(line + (f"   [{found.low[g]:+.4f}, {found.high[g]:+.4f}]" if simulated else ""))
    return lines


def _map(agreement: FormulaAgreement) -> list[str]:
    """A row for every point of the axes but the last, and a column for every value of the last."""
    grid = agreement.grid
    columns = grid.shape[-1]
    marks = {cell.index: MARKS[cell.verdict] for cell in agreement.cells}
    rows = sorted({index // columns for index in marks})
    last = list(grid.cell(0))[-1]
    ends = [_value(grid.cell(index)[last]) for index in (0, columns - 1)]
    heading = f"map ({', '.join(f'{mark} {verdict}' for verdict, mark in MARKS.items())}, {NOT_JUDGED} not judged)"
    lines = [f"{heading}; from left to right {last} = {ends[0]} ... {ends[1]}"]
    # Axes of one zip move together, so a row's name is what all of its cells share.
    for row in rows:
        first, final = grid.cell(row * columns), grid.cell(row * columns + columns - 1)
        shared = {key: value for key, value in first.items() if key != last and final[key] == value}
        line = "".join(marks.get(row * columns + column, NOT_JUDGED) for column in range(columns))
        lines.append(f"  {line}  {_axes(shared) if shared else ''}".rstrip())
    return lines


def _verdict(agreement: FormulaAgreement) -> str:
    """The verdict of all cells that were judged, which "everywhere" would hide where they are not the whole grid."""
    whole = len(agreement.cells) == agreement.grid.size
    return "agrees everywhere" if agreement.verdict == "agrees" and whole else agreement.verdict


def _cells_judged(agreement: FormulaAgreement) -> str:
    judged, cells = len(agreement.cells), agreement.grid.size
    return f"{judged} cells" if judged == cells else f"the {judged} of {cells} cells judged"


def _axes(axes: dict[str, Any]) -> str:
    return ", ".join(f"{key} = {_value(value)}" for key, value in axes.items()) or "as given"


def _value(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


# The study behind `check --formula`: a user's formula against simulation, or prediction, over an experiment's grid.


LEAST_SECONDS, MOST_SECONDS = 5.0, 300.0
"""That a formula has for all its values under a smaller budget, and for one value without a budget in seconds."""

Against = Literal["simulation", "predict"]


def check_formula(
    experiment: Experiment,
    formula: Any,
    *,
    method: str | None = None,
    limit: Limit = "proportional",
    against: Against = "simulation",
    eps: float = 0.002,
    budget: int = 10_000,
    seconds: float = inf,
    ratios: Sequence[float] | None = None,
    dims: Sequence[int] | None = None,
    seed: Seed | None = None,
    false_alarm: float = 1e-3,
    cells: int | None = None,
    jobs: int = 1,
    name: str | None = None,
    say: Callable[[str], None] = lambda line: None,
    prepare: Callable[[], None] = lambda: None,
) -> FormulaAgreement:
    """Judge a formula for the group accuracies, or the WGA, of one method, cell by cell.

    Every cell is simulated at growing sizes (those of the size study: d at fixed n/d, n/d at fixed d, or for the limit
    "finite" the cell as it is) until the extrapolated difference is decided to be at most `eps`, or above, or the
    budget is spent. Over all cells, groups and looks, any wrong verdict has probability `false_alarm` at most; it rests
    on draws being near normal and on the extrapolating polynomial's remainder being small against eps.

    Args:
        experiment: its grid's cells are judged.
        formula: a function of names (`names`), or a SymPy expression of them, or a dict or list of those by group. It
            returns WGA, (G,) group accuracies, a dict by group name, or a head: a `Head`, or a dict of u (k,), b and q.
        method: whose accuracies; default: the only one that retrains, or the only one at all.
        limit: that the formula is for. Against "predict", which simulates nothing: that of the prediction.
        against: "simulation" or "predict".
        eps: largest difference that is none.
        budget: draws a cell, each one simulation at every size; `seconds` for all cells, shared evenly. The formula
            has the seconds too for all its values, 5 at least; without them 300 for each.
        ratios, dims: sizes, as in the size study.
        seed: of the simulations, as in `simulate`; default: the experiment's.
        false_alarm: probability of any wrong verdict.
        cells: how many of the grid, spread evenly; default: all.
        jobs: threads.
        name: what the formula is called.
        say: told what is being simulated.
        prepare: called before anything is simulated, once nothing more can be refused.

    Raises:
        FormulaError: the formula fails, does not return in time, or returns no accuracy, in some cell; told before
            anything is simulated.
        MemoryError: the largest size does not fit; told then too.
        ExperimentError: no such method, or several that retrain and no `method`.
        ValueError: eps, budget, seconds or false_alarm out of range, or sizes that do not fit the limit.
    """
    require_choice("against", against, get_args(Against))
    require_choice("limit", limit, ("population", "proportional", "finite"))
    if seconds != inf:
        seconds = checked_number("seconds", seconds)
    eps, false_alarm = checked_number("eps", eps), checked_number("false_alarm", false_alarm)
    _require(0 < eps < 1, "eps", eps, "between 0 and 1")
    _require(0 < false_alarm < 1, "false_alarm", false_alarm, "between 0 and 1")
    _require(seconds > 0, "seconds", seconds, "positive")
    _require(limit != "finite" or against == "simulation", "limit", limit, "a limit that llrsim predicts")
    require_experiment(experiment)
    _require(budget >= FIRST_LOOK, "budget", checked_whole("budget", budget, 1), f"at least {FIRST_LOOK} draws")
    cells = None if cells is None else checked_whole("cells", cells, 1)
    jobs = checked_whole("jobs", jobs, 1)
    drawn = experiment.sweep.seed if seed is None else checked_seed(seed)
    judged = Formula.of(formula, name)
    timed = replace(judged, evaluate=_timed(judged.evaluate, seconds))
    label = method_of(experiment, method)
    grid = Grid(experiment)
    chosen = spread_evenly(grid, cells or grid.size)
    named = {i: ", ".join(f"{key} = {value}" for key, value in grid.cell(i).items()) or "as given" for i in chosen}
    sized = {}
    for i in chosen:
        cell = grid.experiment(i)
        at = Sizes.of(cell, label, "finite" if against == "predict" else limit, ratios=ratios, dims=dims)
        sized[i] = at, at.claim(timed, label, named[i])

    def simulated(i: int, left: float) -> Judgement:
        at, claim = sized[i]
        sizes = ", ".join(f"{size.noise_dim} x {sum(size.train_counts())}" for size in at.experiments)
        say(f"{named[i]}: d x training rows {sizes}")
        for size, counts in at.uneven(grid.experiment(i), label):
            say(f"  at size {size:g} groups have {list(counts)} rows, in other shares than the cell's")
        draws = SimulatedDraws(at, label, seed=seed_of_cell(drawn, i), jobs=jobs)
        level, spent = false_alarm / len(chosen), Budget(budget, left)
        return judge(draws, claim, eps=eps, level=level, budget=spent, remainder=draws.remainder)

    if against == "simulation":
        for at, _ in sized.values():
            for experiment_at in at.experiments:
                require_memory(experiment_at, FIRST_LOOK, jobs=jobs)
        prepare()
    began = monotonic()
    found = []
    for place, i in enumerate(chosen):
        cell, claim = grid.experiment(i), sized[i][1]
        if against == "predict":
            judgement = predicted(cell, label, claim, limit, eps)
        else:
            judgement = simulated(i, (seconds - (monotonic() - began)) / (len(chosen) - place))
        found.append(FormulaCell(i, grid.cell(i), cell, sized[i][0].sizes, claim, judgement))
    return FormulaAgreement(
        name=experiment.name,
        formula=judged.name,
        method=label,
        against=against,
        limit=limit,
        eps=eps,
        false_alarm=false_alarm,
        group_names=features(experiment).group_names,
        grid=grid,
        cells=tuple(found),
        seed=None if against == "predict" else drawn,
    )


def _timed(evaluate: Callable[..., Any], seconds: float) -> Callable[..., Any]:
    """A formula that raises TimeoutError when the time for all its values, LEAST_SECONDS at least, is over.

    Without a budget in seconds each value has MOST_SECONDS.
    """
    began = monotonic()

    def value(**arguments: Any) -> Any:
        left = MOST_SECONDS if seconds == inf else max(seconds, LEAST_SECONDS) - (monotonic() - began)
        return within(max(left, 0.0), lambda: evaluate(**arguments))

    return value


def method_of(experiment: Experiment, label: str | None) -> str:
    """The method asked for; without one, the only one that retrains, or the only one.

    Raises:
        ExperimentError: there is none of this label, or without a label not one alone.
    """
    if label is not None:
        return experiment.method_of(label).label
    labels = [method.label for method in experiment.method if method.kind != "erm"] or list(experiment.method_labels)
    if len(labels) > 1:
        raise ExperimentError(f"method: the formula is for one of {', '.join(labels)}; say which by --method LABEL")
    return labels[0]


def predicted(cell: Experiment, label: str, claim: Claim, limit: Limit, eps: float) -> Judgement:
    """A claim against llrsim's own prediction: nothing is drawn, so nothing is uncertain."""
    outcome = predict_plan(plan_of(cell, label), "population" if limit == "population" else "proportional")[label]
    accuracy = outcome.group_accuracy if claim.of_groups else np.array([outcome.wga])
    if not outcome.outcome.ok:
        return Judgement(accuracy, accuracy, accuracy, "undecided", 0, 0, f"no prediction: {outcome.outcome.label}")
    gap = accuracy - claim.accuracy
    return Judgement(accuracy, gap, gap, decide(gap, gap, eps), 0, 0)


def _require(holds: bool, key: str, value: Any, accepted: str) -> None:
    if not holds:
        raise ValueError(f"{key}: {value}; expected {accepted}")


# A user's own formula, judged against simulation, or compared with prediction, over an experiment's grid.


__all__ = ["Formula", "FormulaAgreement", "FormulaCell", "FormulaError", "check_formula"]
