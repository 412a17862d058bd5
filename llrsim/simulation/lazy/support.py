"""What the lazy simulator cannot do, read off a plan; it loads no kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...model.methods import Rule

if TYPE_CHECKING:
    from ...model.plan import Plan, Stage

MOST_EIGENSPACES = 8
"""Distinct noise eigenvalues at most: every query reveals a direction in each one's eigenspace."""

ONE_SCORE = (Rule.CONFIDENCE, Rule.LOSS)
"""Rules whose weights are a function of the scores of the head that the stage starts from."""

_OWN_ROWS = "and each head of the lazy simulator has rows of its own"
_WHY = {
    Rule.DISAGREEMENT: f"two earlier heads are compared, {_OWN_ROWS}",
    Rule.MASS: f"its masses are those of another method on the same rows, {_OWN_ROWS}",
    Rule.WORST: "the lazy simulator does not look for the worst masses",
}

INSTEAD = 'use simulator = "dense"'


def obstacle(plan: Plan) -> str | None:
    """Why a plan cannot be simulated lazily, in a sentence that names the method, its key and the value; else None.

    Minibatches ask for a few rows at a time, which reveals as many directions as there are rows; so does a spectrum
    without repeated eigenvalues. The exact hinge fit bounds its duality gap by the penalty. A network asks for all of
    its inputs.
    """
    if plan.network is not None:
        return (
            f"network.kind = {plan.network.kind!r}: a network's features need every coordinate of its inputs, which "
            f"the lazy simulator never draws; {INSTEAD}"
        )
    values, _ = plan.test.eigenspaces()
    if len(values) > MOST_EIGENSPACES:
        return (
            f"features.noise.spectrum: {len(values)} distinct eigenvalues, and the lazy simulator takes at most "
            f"{MOST_EIGENSPACES}; {INSTEAD}"
        )
    for m, stage in enumerate(plan.stages):
        if (found := _obstacle_of(stage) or _obstacle_of_start(plan, m)) is not None:
            return found
    return None


def _obstacle_of(stage: Stage) -> str | None:
    head, rows = stage.head, int(stage.selection.used.sum())
    if stage.adjustment is not None:
        return f"{stage.label}: kind = {stage.kind!r}: the lazy simulator does not adjust logits; {INSTEAD}"
    if stage.reweighting is not None and stage.reweighting.rule not in ONE_SCORE:
        return f"{stage.label}: kind = {stage.kind!r}: {_WHY[stage.reweighting.rule]}; {INSTEAD}"
    if isinstance(head.solver, str):
        if head.loss == "hinge" and head.ridge + stage.anchor == 0:
            return (
                f"{stage.label}: head.ridge = {head.ridge:g} with loss = 'hinge': the lazy simulator needs a ridge or "
                f"an anchor; {INSTEAD}"
            )
        return None
    if head.solver.batch is not None and head.solver.batch < rows:
        return (
            f"{stage.label}: head.solver.batch = {head.solver.batch}: the lazy simulator takes full batches only, here "
            f"of {rows} rows; {INSTEAD}"
        )
    return None


def sees_start(stage: Stage) -> bool:
    """Whether the head that a stage starts from matters: the minimum of a convex objective does not depend on it."""
    if stage.start is None:
        return False
    return stage.reweighting is not None or stage.anchor > 0 or not isinstance(stage.head.solver, str)


def by_sections(stage: Stage) -> bool:
    """Whether a stage's own sample is known by its sections alone (T18), without any row."""
    return stage.head.loss == "squared" and stage.average == 1 and stage.reweighting is None


def _obstacle_of_start(plan: Plan, m: int) -> str | None:
    """A head must start from one that its sample is independent of, or that was fitted on all rows of that sample."""
    stage = plan.stages[m]
    if stage.start is None or not sees_start(stage):
        return None
    begun = plan.stages[stage.start]
    if begun.sample != stage.sample:
        if any(plan.stages[a].sample == stage.sample for a in _ancestors(plan, stage.start)):
            return _of_start(stage, begun, "depends, through another sample, on the rows that this one is fitted on")
    elif begun.average > 1 or (begun.selection.distinct < begun.selection.available).any():
        return _of_start(stage, begun, "was fitted on a part of this one's sample")
    elif by_sections(begun) and not (by_sections(stage) and _same_sections(stage, begun)):
        return _of_start(
            stage, begun, "is a squared-loss head, whose sample is known by its sections alone, not by rows"
        )
    return None


def _of_start(stage: Stage, begun: Stage, why: str) -> str:
    return (
        f"{stage.label}: from = {begun.label!r}: that head {why}, which the lazy simulator does not follow; {INSTEAD}"
    )


def _same_sections(stage: Stage, begun: Stage) -> bool:
    mine, theirs = stage.selection, begun.selection
    return all(
        np.array_equal(getattr(mine, name), getattr(theirs, name)) for name in ("group", "available", "distinct")
    )


def _ancestors(plan: Plan, m: int) -> list[int]:
    found: list[int] = []
    start = plan.stages[m].start
    while start is not None:
        found.append(start)
        start = plan.stages[start].start
    return found
