"""A stage's head in the proportional limit, n and d -> infinity at fixed n/d (T7, T8, T10, T11, T14).

A method enters by the rows it uses and their weights: subsets by their own n/d and shares, repeated rows by their
weights, wrong annotations by the weights of the rows that bear them. Heads are read out on the test law (T7).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..model.head import Head, read_out
from ..model.losses import Loss, Status
from ..model.methods import Counts, Rule
from ..model.mixture import Array
from ..model.plan import Plan, Stage
from ..outcome import MethodOutcome, Path, bias_intervals
from .descent import best_step, descent_path
from .fixed_point import FixedPoint, fixed_point
from .population import ON_NETWORK
from .population import predict_stage as predict_in_population
from .problem import ProportionalProblem
from .ridge import ridge_head
from .scores import Refused, Reweighted, mean_norm, reweighted, subset_overlap, with_noise_direction
from .training import training

if TYPE_CHECKING:
    from ..experiment.schema import Descent


LOOKED_AT = 400  # numbers of steps among which the best is sought

Guesses = dict[str, Array]
"""Solutions by method label, each a starting point for the same method nearby."""


def predict_stage(
    plan: Plan, stage: Stage, earlier: Sequence[MethodOutcome], guesses: Guesses | None = None
) -> MethodOutcome:
    """The outcome of one stage, given those of the stages before it; reads and updates `guesses`.

    NO_PREDICTION for heads on the features of a network, minibatches, clipping, descent on other losses than the
    squared one or against the worst masses, and heads that start from, are pulled to or weigh rows by one that knows
    rows of the same sample. Without noise, or with noise that has collapsed to nothing, the head is that of the
    population limit.
    """
    if plan.network is not None:
        return replace(_without_head(plan, stage, Status.NO_PREDICTION), reason=ON_NETWORK)
    start = None if stage.start is None else earlier[stage.start]
    for needed in stage.needs:
        if not earlier[needed].outcome.ok:
            return _without_head(plan, stage, earlier[needed].outcome)
    mixture = plan.samples[stage.sample].mixture
    if stage.selection.counts.sum() == 0:
        return _without_head(plan, stage, Status.EMPTY)
    if mixture.noise_dim == 0 or not (mixture.noise_std[stage.selection.counts > 0] > 0).any():
        return predict_in_population(plan, stage, start)
    group = stage.selection.group[stage.selection.used > 0]
    problem = ProportionalProblem.of_selection(
        mixture,
        Loss[stage.head.loss.upper()],
        stage.selection,
        ridge=stage.head.ridge,
        anchor=stage.anchor,
    )
    if stage.adjustment is not None:
        problem = problem._replace(scales=stage.adjustment.scales[group], shifts=stage.adjustment.shifts[group])
    descending = not isinstance(stage.head.solver, str)
    scored = stage.reweighting is not None and stage.reweighting.rule.scored
    noise_norm = 0.0
    if start is not None and (descending or scored or stage.anchor > 0.0):
        if _knows_sample(plan, stage):
            return _without_head(plan, stage, Status.NO_PREDICTION)
        noise_norm = float(start.heads.noise_norm[0])
        problem = problem._replace(centre=np.append(start.heads.signal[0], start.heads.bias[0]))
        if noise_norm > 0.0 and not scored:
            if len(problem.eigenvalues) > 1:
                return _without_head(plan, stage, Status.NO_PREDICTION)
            problem = with_noise_direction(problem, noise_norm)
    guess = None if guesses is None else guesses.get(stage.label)
    made: Reweighted | None = None
    if stage.reweighting is not None:
        if descending and stage.reweighting.rule is Rule.WORST:
            return _without_head(plan, stage, Status.NO_PREDICTION)
        weighed = reweighted(problem, stage, earlier, guess)
        if isinstance(weighed, Refused):
            return replace(_without_head(plan, stage, weighed.status), reason=weighed.reason)
        made, problem, group = weighed, weighed.problem, weighed.group
    if descending:
        return _composed(_descended(plan, stage, problem), made)
    found = _solved(problem, guess) if made is None or made.found is None else made.found
    if not found.status.ok:
        return _without_head(plan, stage, found.status)
    if guesses is not None:
        guesses[stage.label] = found.unknowns
    if stage.average > 1:
        cosine = subset_overlap(problem, found, stage.selection.kept_share)
        norms = [mean_norm(norm, cosine, stage.average) for norm in (found.noise_norm, found.noise_spread)]
        found = found._replace(noise_norm=norms[0], noise_spread=norms[1])
    head = Head.of(found.signal, found.bias, found.noise_norm, found.noise_spread)
    outcome = _outcome(plan, stage, _folded(plan, problem, head), found.status, found.certificate, found.evaluations)
    outcome = replace(outcome, bias_interval=bias_intervals([found.bias_interval]))
    if stage.average > 1:
        return outcome
    return replace(_composed(outcome, made), details=partial(_training, problem, found, group, mixture.group_count))


def _composed(outcome: MethodOutcome, made: Reweighted | None) -> MethodOutcome:
    """The outcome with the masses and shares that a rule made."""
    if made is None:
        return outcome
    return replace(
        outcome,
        masses=made.mass[None],
        shares=made.share[None],
        evenness=made.evenness[None],
        certificate=np.maximum(outcome.certificate, made.gap),
    )


def _training(problem: ProportionalProblem, found: FixedPoint, group: Counts, groups: int) -> dict[str, Any]:
    return {"training": training(problem, found).to_dict(group, groups)}


def _early_stopping(plan: Plan, problem: ProportionalProblem, solver: Descent) -> dict[str, dict[str, float]]:
    """The number of steps of largest WGA, and that WGA: of all numbers, or of LOOKED_AT spread over very many."""
    steps = np.unique(np.round(np.geomspace(1, solver.steps, LOOKED_AT)).astype(int))
    if solver.steps <= LOOKED_AT:
        steps = np.arange(1, solver.steps + 1)
    found = descent_path(problem, steps.tolist(), solver.step_size, momentum=solver.momentum, start=problem.centre)
    best, wga = best_step(steps, _folded(plan, problem, found.heads), lambda heads: read_out(heads, plan.test).wga)
    return {"early_stopping": {"steps": best, "wga": wga}}


def _knows_sample(plan: Plan, stage: Stage) -> bool:
    """Whether the head that a stage starts from was fitted, or itself started, on rows of the stage's sample."""
    at = stage.start
    while at is not None:
        if plan.stages[at].sample == stage.sample:
            return True
        at = plan.stages[at].start
    return False


def _solved(problem: ProportionalProblem, guess: Array | None) -> FixedPoint:
    if problem.loss != Loss.SQUARED:
        return fixed_point(problem, guess)
    found = ridge_head(problem)
    return FixedPoint(
        signal=found.signal,
        bias=float(found.bias),
        noise_spread=found.noise_spread,
        noise_norm=found.noise_norm,
        envelope=found.response,
        certificate=found.certificate,
        evaluations=0,
        status=found.status,
    )


def _descended(plan: Plan, stage: Stage, problem: ProportionalProblem) -> MethodOutcome:
    solver: Descent = stage.head.solver  # type: ignore[assignment]
    asked = solver.batch is not None or solver.clip is not None or solver.nesterov
    if problem.loss != Loss.SQUARED or asked or stage.average > 1:
        return _without_head(plan, stage, Status.NO_PREDICTION)
    found = descent_path(
        problem, (*solver.path, solver.steps), solver.step_size, momentum=solver.momentum, start=problem.centre
    )
    if not found.status.ok:
        stable = found.largest_stable_step if found.status == Status.DIVERGED else np.nan
        return _without_head(plan, stage, found.status, largest_stable_step=stable)
    heads = _folded(plan, problem, found.heads)
    path = Path(np.asarray(solver.path), heads[None, :-1]) if solver.path else None
    outcome = _outcome(plan, stage, heads[-1], found.status, found.certificate, solver.steps)
    return replace(outcome, path=path, details=partial(_early_stopping, plan, problem, solver))


def _folded(plan: Plan, problem: ProportionalProblem, heads: Head) -> Head:
    """Heads whose last signal weight is that along an earlier head's noise, if there is one, moved into the noise."""
    k = plan.test.signal_dim
    if heads.signal.shape[-1] == k:
        return heads
    along, deviation = heads.signal[..., k], np.sqrt(problem.eigenvalues[0])
    norm, spread = np.hypot(heads.noise_norm, along), np.hypot(heads.noise_spread, deviation * along)
    return Head.of(heads.signal[..., :k], heads.bias, norm, spread)


def _outcome(
    plan: Plan, stage: Stage, head: Head, status: Status, certificate: float, iterations: int
) -> MethodOutcome:
    return MethodOutcome(
        stage=stage,
        test=plan.test,
        heads=head[None],
        status=np.array([int(status)]),
        certificate=np.array([certificate]),
        iterations=np.array([iterations]),
        limit="proportional",
    )


def _without_head(plan: Plan, stage: Stage, status: Status, *, largest_stable_step: float = np.nan) -> MethodOutcome:
    nowhere = Head.of(np.full(plan.test.signal_dim, np.nan), np.nan, np.nan)
    outcome = _outcome(plan, stage, nowhere, status, np.nan, 0)
    return replace(outcome, largest_stable_step=largest_stable_step)


# The proportional limit, n and d -> infinity at fixed n/d (T8-T15, T20, T22).


__all__ = ["predict_stage"]
