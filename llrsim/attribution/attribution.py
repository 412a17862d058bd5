"""One method's gain over ERM, split over the switches, from the readouts of its factorial's cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Any, Literal, NamedTuple

import numpy as np

from ..mixture import Array
from ..outcome import Limit, Outcome
from . import contrasts, records, telling
from .effect import Effect
from .factorial import Factorial
from .verdict import Verdict, judge

Side = Literal["simulation", "prediction"]

_BALANCE = ("composition", "weighting")


class Accuracies(NamedTuple):
    """Readouts of cells, with any leading axes, over R replicates and G groups."""

    wga: Array  # (..., R)
    direction_wga: Array  # (..., R), at the best bias for each direction
    group_accuracy: Array  # (..., R, G)


@dataclass(frozen=True, eq=False)
class Attribution:
    """Why the worst-group accuracy of `label` differs from that of `baseline` (T21), on one side.

    The switches are on at the retraining method's value and off at the baseline's; m of them differ. WGA is the
    least group accuracy in each replicate, so that effects add up to the gain in every replicate; theory has one
    "replicate", the least of the limits. `of_means` in an effect compares with theory where groups tie.

    Attributes:
        label, baseline: names of the two methods.
        side, limit: where the numbers come from.
        switches: the m switches that differ.
        cells: leading axes (2,) * m, over the replicates in which every cell has a head.
        left_out: reason, for each switch whose two values coincide; its effect is zero by construction.
        averaged: the method itself where it averages heads over subsets; the last cell has one head.
        failed: number of replicates left out because a cell has no head there.
        failure: what happened there; empty if nothing did.
        notes: what to know about particular cells.
    """

    label: str
    baseline: str
    side: Side
    limit: Limit
    switches: tuple[str, ...]
    cells: Accuracies
    left_out: Mapping[str, str] = field(default_factory=dict)
    averaged: Accuracies | None = None
    failed: int = 0
    failure: str = ""
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, factorial: Factorial, outcome: Outcome) -> Attribution:
        """Read the cells of `factorial` from the outcome of its plan."""
        labels = [*factorial.cells.ravel(), *([factorial.averaged] if factorial.averaged else [])]
        heads = [outcome[label] for label in labels]
        kept = np.logical_and.reduce([head.kept for head in heads])
        broken = next((head for head in heads if not head.kept.all()), None)
        values = Accuracies(
            *(np.stack([getattr(head.readout, name)[kept] for head in heads]) for name in Accuracies._fields)
        )
        shape, size = factorial.cells.shape, factorial.cells.size
        return cls(
            label=factorial.method.label,
            baseline=factorial.baseline.label,
            side=outcome.side,
            limit=heads[0].limit,
            switches=factorial.switches,
            cells=Accuracies(*(value[:size].reshape(*shape, *value.shape[1:]) for value in values)),
            left_out=factorial.left_out,
            averaged=Accuracies(*(value[-1] for value in values)) if factorial.averaged else None,
            failed=int((~kept).sum()),
            failure="" if broken is None else f"{broken.outcome.label}: {broken.outcome.message}",
            notes=factorial.notes,
        )

    @property
    def replicates(self) -> int:
        """R, the replicates that enter: those in which every cell has a head. Without any there is no split."""
        return self.cells.wga.shape[-1]

    @cached_property
    def effects(self) -> dict[str, Effect]:
        """Shapley value of each switch that differs, then of averaging after all of them; they sum to the gain."""
        m = len(self.switches)
        split = {name: self._shapley(i) for i, name in enumerate(self.switches)}
        if self.averaged is not None:
            single = self._effect(lambda values: values[(1,) * m])
            split["averaging"] = Effect(
                self.averaged.wga - single.wga,
                self.averaged.direction_wga - single.direction,
                float(self.averaged.group_accuracy.mean(axis=0).min()) - single.of_means,
                single.exact,
            )
        return split

    @cached_property
    def gain(self) -> Effect:
        """WGA of the method minus WGA of the baseline."""
        return self._sum(self.effects)

    @cached_property
    def balance(self) -> Effect:
        """Composition plus weighting."""
        return self._sum(_BALANCE)

    @cached_property
    def collapse(self) -> Effect:
        """What features of the retraining sample's law bring, in place of the training sample's."""
        return self._sum(("collapse",))

    @cached_property
    def rest(self) -> Effect:
        """Size, solver and averaging."""
        return self._sum(name for name in self.effects if name not in (*_BALANCE, "collapse"))

    @cached_property
    def main_effects(self) -> dict[str, Effect]:
        """On minus off of each switch, averaged over all settings of the others."""
        return {name: self._interaction((i,)) for i, name in enumerate(self.switches)}

    @cached_property
    def interactions(self) -> dict[tuple[str, ...], Effect]:
        """Alternating difference of every two or more switches, averaged over the others (see `contrasts`)."""
        m = len(self.switches)
        return {
            tuple(self.switches[i] for i in among): self._interaction(among)
            for order in range(2, m + 1)
            for among in combinations(range(m), order)
        }

    @property
    def largest_interaction(self) -> tuple[tuple[str, ...], Effect] | None:
        """The interaction largest in absolute mean; None with fewer than two switches."""
        return max(self.interactions.items(), key=lambda item: abs(item[1].mean), default=None)

    @cached_property
    def balance_by_collapse(self) -> Effect:
        """Interaction of collapse with composition and weighting turned on together."""
        groups = (_BALANCE, ("collapse",))
        blocks = [[i for i, name in enumerate(self.switches) if name in group] for group in groups]
        return self._effect(lambda values: contrasts.joint_interaction(values, len(self.switches), blocks))

    @cached_property
    def verdict(self) -> Verdict:
        """What carries the gain, by the rule in the docstring of `verdict.judge`."""
        if self.replicates == 0:
            return "undecided"
        return judge(
            gain=self.gain,
            balance=self.balance,
            collapse=self.collapse,
            rest=self.rest,
            interaction=self.balance_by_collapse,
        )

    @property
    def sentence(self) -> str:
        """Gain, parts with intervals, and the verdict (`verdict.judge`) in words."""
        return telling.sentence(self)

    def table(self) -> str:
        """Plain text: every effect with its interval, its direction and bias parts, and interactions."""
        return telling.table(self)

    def to_dict(self) -> dict[str, Any]:
        """One JSON-ready object: the split, the interactions and the table of cells."""
        return records.as_dict(self)

    def rows(self) -> list[dict[str, Any]]:
        """One flat dict an effect: `effect` is a switch, `averaging`, `balance` or `gain`."""
        return records.rows(self)

    def __str__(self) -> str:
        return f"{self.table()}\n  {self.sentence}"

    def _sum(self, names: Iterable[str]) -> Effect:
        nothing = self._effect(lambda values: 0 * values[(0,) * len(self.switches)])
        return sum((self.effects[name] for name in names if name in self.effects), start=nothing)

    def _shapley(self, i: int) -> Effect:
        return self._effect(lambda values: contrasts.shapley(values, len(self.switches))[i])

    def _interaction(self, among: tuple[int, ...]) -> Effect:
        return self._effect(lambda values: contrasts.interaction(values, len(self.switches), among))

    def _effect(self, contrast: Callable[[Array], Array]) -> Effect:
        """The effect that a linear function of the table of cells gives."""
        least_of_means = self.cells.group_accuracy.mean(axis=-2).min(axis=-1)
        return Effect(
            contrast(self.cells.wga),
            contrast(self.cells.direction_wga),
            float(contrast(least_of_means)),
            self.side == "prediction",
        )
