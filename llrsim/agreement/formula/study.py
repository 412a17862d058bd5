"""The study behind `check --formula`: a user's formula against simulation, or prediction, over an experiment's grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from ...arguments import checked_number, checked_seed, checked_whole, require_choice
from ...experiment import ExperimentError, Grid
from ...outcome import Limit
from ...planning import features, require_experiment
from ...prediction import predict_plan
from ...simulation import require_memory
from ...time_limit import within
from ..size_study import seed_of_cell, spread_evenly
from .claim import Claim, Formula
from .judging import FIRST_LOOK, Budget, Judgement, decide, judge
from .result import FormulaAgreement, FormulaCell
from .sampling import SimulatedDraws, Sizes, plan_of

if TYPE_CHECKING:
    from ...arguments import Seed
    from ...experiment import Experiment

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
