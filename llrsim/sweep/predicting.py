"""The predictions along a run of cells: each solution is where the next search starts, and all are read out at once.

What a cell's numbers are depends on the cells before it in the run, by no more than their certificates; so a run is
the unit that is computed whole. A method that nothing changes for from one cell to the next is solved once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from itertools import groupby
from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np

from ..experiment.grid import Grid
from ..head import Head
from ..outcome import MethodOutcome
from ..planning import Plan, Stage, plan
from .block import Block, Place
from .checksums import sealed
from .folder import NUMERICS
from .format import encode, encode_mass

if TYPE_CHECKING:
    from ..prediction.proportional.stage import Guesses


def predict_run(grid: Grid, places: Sequence[Place], block: Block) -> None:
    """Add the predictions of cells that follow one another to a block; one that fails is recorded in it."""
    chain = Chain()
    found: list[tuple[Place, MethodOutcome]] = []
    for place in places:
        with block.failing(grid, place.cell):
            found += [(place, method) for method in chain.predict(plan(grid.experiment(place.cell)))]
    for label in dict.fromkeys(method.label for _, method in found):
        own = [(place, method) for place, method in found if method.label == label]
        for (place, method), record in zip(own, _records([method for _, method in own]), strict=True):
            key = place.law, place.methods[label]
            block.predicted.append(sealed(*key, NUMERICS, method.limit, *record))
            block.masses.append(sealed(*key, encode_mass(method)))


class Chain:
    """Predicts plans one after the other, each from what the one before has found."""

    def __init__(self) -> None:
        self._guesses: Guesses = {}
        self._plan: Plan | None = None
        self._found: dict[str, MethodOutcome] = {}

    def predict(self, resolved: Plan) -> list[MethodOutcome]:
        """The outcome of every stage of a plan, in its order."""
        from ..prediction import predict_plan

        changed = self._changed(resolved)
        if changed.stages:
            self._found |= predict_plan(changed, guesses=self._guesses).methods
        self._plan = resolved
        outcomes = [self._found[stage.label] for stage in resolved.stages]
        # A solution that stays is read out anew only where the test law is another.
        outcomes = [found if found.test is resolved.test else replace(found, test=resolved.test) for found in outcomes]
        self._found = {outcome.label: outcome for outcome in outcomes}
        return outcomes

    def _changed(self, resolved: Plan) -> Plan:
        """The plan without the stages that are those of the plan before; those that others start from stay."""
        before = {stage.label: stage for stage in self._plan.stages} if self._plan else {}
        solve: set[int] = set()
        for place, stage in enumerate(resolved.stages):
            earlier = before.get(stage.label)
            if earlier is None or solve.intersection(stage.needs) or not self._is_same(resolved, stage, earlier):
                solve.add(place)
        return resolved.restricted(solve)

    def _is_same(self, resolved: Plan, stage: Stage, earlier: Stage) -> bool:
        """Whether two stages fit the same rows of the same law in the same way."""
        assert self._plan is not None
        return (
            (stage.head, stage.anchor, stage.average, stage.sample, stage.start, stage.reweighting)
            == (earlier.head, earlier.anchor, earlier.average, earlier.sample, earlier.start, earlier.reweighting)
            and _are_equal(stage.adjustment, earlier.adjustment)
            and _are_equal(stage.selection, earlier.selection)
            and _are_equal(resolved.samples[stage.sample].mixture, self._plan.samples[earlier.sample].mixture)
        )


def _are_equal(first: Any, second: Any) -> bool:
    """Whether two dataclasses of arrays hold the same numbers, or neither is there."""
    if first is None or second is None:
        return first is second
    return first is second or all(
        np.array_equal(getattr(first, field.name), getattr(second, field.name)) for field in fields(first)
    )


def _records(outcomes: Sequence[MethodOutcome]) -> Iterator[tuple[Any, ...]]:
    """`encode` of outcomes with one head each; neighbours on one test law are read out together."""

    def read_out_by(outcome: MethodOutcome) -> int:
        alone = outcome.path is not None or not isnan(outcome.largest_stable_step)
        return id(outcome if alone else outcome.test)

    for _, alike in groupby(outcomes, read_out_by):
        yield from encode(_stacked(list(alike)))


def _stacked(outcomes: Sequence[MethodOutcome]) -> MethodOutcome:
    """Outcomes of one method on one test law as if they were replicates."""
    if len(outcomes) == 1:
        return outcomes[0]
    return replace(
        outcomes[0],
        heads=stacked([outcome.heads for outcome in outcomes]),
        status=np.concatenate([outcome.status for outcome in outcomes]),
        certificate=np.concatenate([outcome.certificate for outcome in outcomes]),
        iterations=np.concatenate([outcome.iterations for outcome in outcomes]),
        **{name: _joined(outcomes, name) for name in ("masses", "shares", "cosine")},
    )


def _joined(outcomes: Sequence[MethodOutcome], name: str) -> Any:
    """What outcomes of one method have beside their heads, one after the other; None where they have it not."""
    values = [getattr(outcome, name) for outcome in outcomes]
    return None if values[0] is None else np.concatenate(values)


def stacked(heads: Sequence[Head]) -> Head:
    """Heads with one leading axis each, one after the other."""
    return Head(
        np.concatenate([head.signal for head in heads]),
        np.concatenate([head.bias for head in heads]),
        np.concatenate([head.noise_norm for head in heads]),
        np.concatenate([head.noise_spread for head in heads]),
    )
