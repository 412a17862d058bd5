"""Methods whose weights are made by a rule, in the proportional limit: their problem and their masses (T20).

AFR and SELF by slices of equal score; controls by the masses predicted for the other method; group DRO at the saddle
point of head and masses.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple

import numpy as np

from ...head import Head
from ...losses import value
from ...methods import Counts
from ...mixture import Array
from ...outcome import MethodOutcome
from ...planning import Stage
from ...reweighting import Reweighting, Rule
from ...simplex import advance, begin
from ...status import Status
from .earlier_head import ScoreWeighted, afr_weight, hardest_weight, lowest_margins, weighted_by_score
from .fixed_point import FixedPoint, fixed_point
from .problem import ProportionalProblem
from .training import training

GAP = 1e-9
"""Largest relative duality gap of a saddle point."""

ROUNDS = 200

LEAST_ROWS = 0.5
"""Expected rows of a class among those that a rule chooses, below which most samples have none, and so no head."""


class Refused(NamedTuple):
    """Why a rule has no problem, and the reason where the status alone does not say it."""

    status: Status
    reason: str = ""


class Reweighted(NamedTuple):
    """A problem with the weights of a rule.

    Attributes:
        problem: its groups are sections of the sample, or slices of them.
        group: (S,) true group of each.
        mass, share: (G,) effective mass of each group, and its share of the rows of positive weight.
        found: the solution, where finding the weights took it.
        gap: relative duality gap of the masses.
    """

    problem: ProportionalProblem
    group: Counts
    mass: Array
    share: Array
    found: FixedPoint | None = None
    gap: float = 0.0


def reweighted(
    problem: ProportionalProblem, stage: Stage, earlier: Sequence[MethodOutcome], guess: Array | None
) -> Reweighted | Refused:
    """The problem of a stage with a rule, from that of its selection, or why there is no prediction.

    ONE_CLASS where the rule chooses fewer than LEAST_ROWS rows of a class in expectation.

    `earlier` are the outcomes of the stages before, which have heads.
    """
    rule, kept = stage.reweighting, stage.selection.used > 0
    assert rule is not None
    group, groups = stage.selection.group[kept], len(stage.selection.labels)
    if rule.rule is Rule.WORST:
        return _worst_case(problem, group, stage.selection.annotated[kept], groups, guess)
    if rule.rule is Rule.MASS:
        mass = earlier[_first(rule)].mass[group]
        rows = np.bincount(group, problem.shares)[group]
        return _of(problem._replace(weights=mass / rows / (mass * problem.shares / rows).sum()), group, groups)
    # With a spectrum the score and the rest of the noise are correlated; two scores need slices in two dimensions.
    if rule.rule is Rule.DISAGREEMENT or len(problem.eigenvalues) > 1:
        return Refused(Status.NO_PREDICTION)
    available = int(stage.selection.used.sum())
    sliced = _by_score(problem, earlier[_first(rule)].heads[0], rule, available)
    chosen = available * sliced.problem.shares * (sliced.problem.weights > 0)
    for label in (-1, 1):
        expected = float(chosen[sliced.problem.labels == label].sum())
        if expected < LEAST_ROWS:
            few = f"{stage.kind} chooses {expected:.2g} rows of class {label:+d} in expectation"
            return Refused(Status.ONE_CLASS, f"{few}, so that most samples have one class: set a larger k")
    return _of(sliced.problem, group[sliced.group], groups)


def _first(rule: Reweighting) -> int:
    assert rule.first is not None
    return rule.first


def _of(problem: ProportionalProblem, group: Counts, groups: int) -> Reweighted:
    mass = np.bincount(group, problem.shares * problem.weights, groups)
    share = np.bincount(group, problem.shares * (problem.weights > 0), groups)
    return Reweighted(problem, group, mass / mass.sum(), share / share.sum())


def _by_score(problem: ProportionalProblem, first: Head, rule: Reweighting, rows: int) -> ScoreWeighted:
    if rule.rule is Rule.CONFIDENCE:
        return weighted_by_score(problem, first, afr_weight(rule.strength, problem.labels, problem.shares))
    margin = lowest_margins(problem, first, rule.strength / rows)
    cuts = np.array([-margin, margin]) if isfinite(margin) else np.zeros(1)
    return weighted_by_score(problem, first, hardest_weight(margin, problem, first), cuts=np.sort(cuts))


def _worst_case(
    problem: ProportionalProblem, group: Counts, unit: Counts, groups: int, guess: Array | None
) -> Reweighted | Refused:
    """The problem at the unit masses that maximise its minimum, which has the units' losses for its gradient."""
    units, place = np.unique(unit, return_inverse=True)
    rows = np.bincount(place, problem.shares)
    ascent = begin(len(units))
    for _ in range(ROUNDS):
        weighted = problem._replace(weights=(ascent.trial / rows)[place])
        found = fixed_point(weighted, guess)
        if not found.status.ok:
            return Refused(found.status)
        guess = found.unknowns
        seen = training(weighted, found)
        losses = np.bincount(place, problem.shares * seen.loss) / rows
        height = float(ascent.trial @ losses) + _penalty(weighted, found)
        gap = (losses.max() - float(ascent.trial @ losses)) / value(problem.loss, 0.0)
        if gap <= GAP:
            return _of(weighted, group, groups)._replace(found=found, gap=gap)
        advance(ascent, losses, height)
    return Refused(Status.NOT_CONVERGED)


def _penalty(problem: ProportionalProblem, found: FixedPoint) -> float:
    """The ridge, and the pull to the centre."""
    u, noise = found.signal, found.noise_norm**2
    away = np.append(u, found.bias) - problem.centre
    return 0.5 * problem.ridge * (float(u @ u) + noise) + 0.5 * problem.anchor * (float(away @ away) + noise)
