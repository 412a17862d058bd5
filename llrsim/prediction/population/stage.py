"""A stage's head in the population limit, n -> infinity at fixed d (T1-T3, T5, T7, and T14 at delta = 0).

Methods enter by their masses p_g alone: weights, subsets, repeats, subset averages and wrong annotations (T3) change
nothing else. The sample's law may be collapsed while heads are read out on another law (T7).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ...descent_rule import ceiling
from ...head import Head
from ...losses import Loss
from ...mixture import Array, GroupMixture
from ...outcome import MethodOutcome, Path, bias_intervals
from ...planning import Plan, Stage
from ...status import Status
from .descent import descend, largest_stable_step
from .minimise import minimise
from .objective import PopulationObjective

if TYPE_CHECKING:
    from ...experiment.schema import Descent

ON_NETWORK = "there is no closed-form prediction of features that a network makes; simulate the experiment"
"""Why heads on such features have none, in any limit."""


def predict_stage(plan: Plan, stage: Stage, start: MethodOutcome | None) -> MethodOutcome:
    """The outcome of one stage, given that of the stage it starts from.

    A stage whose start has no head shares its status. Minibatch descent has no population limit (NO_PREDICTION):
    its noise stays as n grows. Weights made by a rule and adjusted logits are predicted in the proportional limit only,
    and heads on the features of a network not at all.
    """
    if plan.network is not None:
        return replace(_without_head(plan.test, stage, Status.NO_PREDICTION), reason=ON_NETWORK)
    if stage.reweighting is not None or stage.adjustment is not None:
        return _without_head(plan.test, stage, Status.NO_PREDICTION)
    if start is not None and not start.outcome.ok:
        return _without_head(plan.test, stage, start.outcome)
    centre = None if start is None else np.append(start.heads.signal[0], start.heads.bias[0])
    objective = PopulationObjective.of(
        plan.samples[stage.sample].mixture,
        stage.selection.mass,
        Loss[stage.head.loss.upper()],
        ridge=stage.head.ridge,
        anchor=stage.anchor,
        centre=centre,
    )
    if isinstance(stage.head.solver, str):
        found = minimise(objective)
        if not found.status.ok:
            return _without_head(plan.test, stage, found.status)
        outcome = _outcome(plan.test, stage, found.theta, found.status, found.certificate, found.iterations)
        return replace(outcome, bias_interval=bias_intervals([found.bias_interval]))
    if objective.mass.size == 0:
        return _without_head(plan.test, stage, Status.EMPTY)
    if objective.loss == Loss.MAX_MARGIN or stage.head.solver.batch is not None:
        return _without_head(plan.test, stage, Status.NO_PREDICTION)
    return _descended(plan.test, stage, objective, stage.head.solver)


def _descended(test: GroupMixture, stage: Stage, objective: PopulationObjective, solver: Descent) -> MethodOutcome:
    start = objective.centre
    points = descend(
        objective,
        start,
        (*solver.path, solver.steps),
        step_size=solver.step_size,
        momentum=solver.momentum,
        nesterov=solver.nesterov,
        clip=solver.clip,
    )
    theta = points[-1]
    with np.errstate(over="ignore", invalid="ignore"):
        if not objective.value(theta) <= ceiling(objective.value(start)):
            stable = largest_stable_step(objective, solver.momentum, solver.nesterov)
            return _without_head(test, stage, Status.DIVERGED, largest_stable_step=stable)
    certificate = float(np.linalg.norm(objective.gradient(theta))) / objective.gradient_scale
    path = Path(np.asarray(solver.path), _heads(points[None, :-1])) if solver.path else None
    return _outcome(test, stage, theta, Status.FINISHED, certificate, solver.steps, path)


def _heads(theta: Array) -> Head:
    """Heads (..., k + 1), bias last, without noise weights."""
    return Head.of(theta[..., :-1], theta[..., -1], np.zeros(theta.shape[:-1]))


def _outcome(
    test: GroupMixture,
    stage: Stage,
    theta: Array,
    status: Status,
    certificate: float,
    iterations: int,
    path: Path | None = None,
    largest_stable_step: float = np.nan,
) -> MethodOutcome:
    return MethodOutcome(
        stage=stage,
        test=test,
        heads=_heads(theta[None]),
        status=np.array([int(status)]),
        certificate=np.array([certificate]),
        iterations=np.array([iterations]),
        limit="population",
        path=path,
        largest_stable_step=largest_stable_step,
    )


def _without_head(
    test: GroupMixture, stage: Stage, status: Status, *, largest_stable_step: float = np.nan
) -> MethodOutcome:
    nowhere = np.full(test.signal_dim + 1, np.nan)
    return _outcome(test, stage, nowhere, status, np.nan, 0, largest_stable_step=largest_stable_step)
