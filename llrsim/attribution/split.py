"""One method's gain over ERM, split over the switches from the readouts of its factorial's cells, and the verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from math import copysign
from typing import Literal, NamedTuple, Self

import numpy as np

from ..mixture import Array
from ..outcome import Limit, Outcome, of_least_mean
from .dominance import DOMINANCE, dominates, has_gain
from .effects import Effect, interaction, interval, joint_interaction, shapley
from .factorial import Factorial

Side = Literal["simulation", "prediction"]

Verdict = Literal[
    "balance",
    "collapse",
    "both",
    "balance more than collapse",
    "collapse more than balance",
    "neither",
    "interaction larger than either",
    "no gain to split",
    "undecided",
]

_BALANCE = ("composition", "weighting")


def verdict_of(*, gain: Effect, balance: Effect, collapse: Effect, rest: Effect, interaction: Effect) -> Verdict:
    """The verdict on a gain = balance + collapse + rest (Shapley values), in this order:

    1. "no gain to split": the gain is at most `SMALLEST_GAIN` (a loss is no gain).
       "undecided": the gain's interval reaches below zero, but also above `SMALLEST_GAIN`.
    2. "neither": the rest (size, solver, averaging) is larger than balance, collapse, and the two together.
    3. "interaction larger than either": the interaction of balance (composition and weighting turned on together)
       with collapse exceeds both in absolute value. Then neither does alone what they do together (or they undo each
       other), and halving the interaction between them says little.
    4. "balance": balance is positive and more than `DOMINANCE` times collapse; "collapse" the other way round.
    5. "both": both are positive and neither is more than `DOMINANCE` times the other.
    6. "balance more than collapse", "collapse more than balance": the first is positive and the larger, but whether
       by more than `DOMINANCE` times is undecided.
    7. "undecided": none of these.

    "Is larger" means that the 95 % interval of the difference, taken replicate by replicate, lies above zero; for a
    prediction, that the difference is positive. Several comparisons enter a verdict, each at that level.
    """

    def positive(values: Array) -> bool:
        return interval(values, gain.exact)[0] > 0

    def absolute(effect: Effect) -> Array:
        return copysign(1.0, effect.mean) * effect.values

    def carries(share: Array, other: Array) -> bool:
        return dominates(interval(share, gain.exact), interval(share - DOMINANCE * other, gain.exact)) is True

    found = has_gain(gain.interval)
    if not found:
        return "undecided" if found is None else "no gain to split"
    b, c, r, i = balance.values, collapse.values, rest.values, absolute(interaction)
    if all(positive(r - other) for other in (0 * r, b, c, b + c)):
        return "neither"
    if positive(i - absolute(balance)) and positive(i - absolute(collapse)):
        return "interaction larger than either"
    if carries(b, c):
        return "balance"
    if carries(c, b):
        return "collapse"
    if positive(b) and positive(c) and positive(DOMINANCE * c - b) and positive(DOMINANCE * b - c):
        return "both"
    if positive(b) and positive(b - c):
        return "balance more than collapse"
    if positive(c) and positive(c - b):
        return "collapse more than balance"
    return "undecided"


class CellAccuracies(NamedTuple):
    """Readouts of cells, with any leading axes, over R replicates and G groups."""

    direction_wga: Array  # (..., R), at the best bias for each direction
    group_accuracy: Array  # (..., R, G)

    @property
    def worst_accuracy(self) -> Array:
        """(..., R) accuracy of each cell's worst group, the one whose mean is least; its mean is the cell's WGA."""
        return of_least_mean(self.group_accuracy)


@dataclass(frozen=True, eq=False)
class Split:
    """Why the worst-group accuracy of `label` differs from that of `baseline` (T21), on one side.

    The switches are on at the retraining method's value and off at the baseline's; m of them differ. WGA is the least
    of the groups' mean accuracies, on both sides. With each cell's worst group fixed by those means, effects are
    contrasts of its accuracies, replicate by replicate: they add up to the gain in every replicate, and their errors
    are those of paired differences. `of_least_mean` says what ties do to their intervals.

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
        paired: whether the cells of a replicate share random numbers; None for a prediction.
    """

    label: str
    baseline: str
    side: Side
    limit: Limit
    switches: tuple[str, ...]
    cells: CellAccuracies
    left_out: Mapping[str, str] = field(default_factory=dict)
    averaged: CellAccuracies | None = None
    failed: int = 0
    failure: str = ""
    notes: tuple[str, ...] = ()
    paired: bool | None = None

    @classmethod
    def of(cls, factorial: Factorial, outcome: Outcome) -> Self:
        """Read the cells of `factorial` from the outcome of its plan."""
        labels = [*factorial.cells.ravel(), *([factorial.averaged] if factorial.averaged else [])]
        heads = [outcome[label] for label in labels]
        kept = np.logical_and.reduce([head.kept for head in heads])
        broken = next((head for head in heads if not head.kept.all()), None)
        values = CellAccuracies(
            *(np.stack([getattr(head.readout, name)[kept] for head in heads]) for name in CellAccuracies._fields)
        )
        shape, size = factorial.cells.shape, factorial.cells.size
        return cls(
            label=factorial.method.label,
            baseline=factorial.baseline.label,
            side=outcome.side,
            limit=heads[0].limit,
            switches=factorial.switches,
            cells=CellAccuracies(*(value[:size].reshape(*shape, *value.shape[1:]) for value in values)),
            left_out=factorial.left_out,
            averaged=CellAccuracies(*(value[-1] for value in values)) if factorial.averaged else None,
            failed=int((~kept).sum()),
            failure="" if broken is None else f"{broken.outcome.label}: {broken.message}",
            notes=factorial.notes,
            paired=outcome.paired,
        )

    @property
    def replicates(self) -> int:
        """R, the replicates that enter: those in which every cell has a head. Without any there is no split."""
        return self.cells.direction_wga.shape[-1]

    @cached_property
    def effects(self) -> dict[str, Effect]:
        """Shapley value of each switch that differs, then of averaging after all of them; they sum to the gain."""
        m = len(self.switches)
        split = {name: self._shapley(i) for i, name in enumerate(self.switches)}
        if self.averaged is not None:
            single = self._effect(lambda values: values[(1,) * m])
            split["averaging"] = Effect(
                self.averaged.worst_accuracy - single.values,
                self.averaged.direction_wga - single.direction,
                single.exact,
            )
        return split

    @cached_property
    def gain(self) -> Effect:
        """WGA of the method minus WGA of the baseline."""
        return self._sum(self.effects)

    @cached_property
    def balance(self) -> Effect:
        """Shapley values of composition and weighting together."""
        return self._sum(_BALANCE)

    @cached_property
    def collapse(self) -> Effect:
        """Shapley value of the collapse switch: held-out features in place of collapsed training features."""
        return self._sum(("collapse",))

    @cached_property
    def rest(self) -> Effect:
        """Shapley values of size and solver, and the effect of averaging, together."""
        return self._sum(name for name in self.effects if name not in (*_BALANCE, "collapse"))

    @cached_property
    def main_effects(self) -> dict[str, Effect]:
        """On minus off of each switch, averaged over all settings of the others."""
        return {name: self._interaction((i,)) for i, name in enumerate(self.switches)}

    @cached_property
    def interactions(self) -> dict[tuple[str, ...], Effect]:
        """Alternating difference of every two or more switches, averaged over the others (see `effects`)."""
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
        return self._effect(lambda values: joint_interaction(values, len(self.switches), blocks))

    @cached_property
    def verdict(self) -> Verdict:
        """What carries the gain, by the rule in the docstring of `verdict_of`."""
        if self.replicates == 0:
            return "undecided"
        return verdict_of(
            gain=self.gain,
            balance=self.balance,
            collapse=self.collapse,
            rest=self.rest,
            interaction=self.balance_by_collapse,
        )

    def _sum(self, names: Iterable[str]) -> Effect:
        nothing = self._effect(lambda values: 0 * values[(0,) * len(self.switches)])
        return sum((self.effects[name] for name in names if name in self.effects), start=nothing)

    def _shapley(self, i: int) -> Effect:
        return self._effect(lambda values: shapley(values, len(self.switches))[i])

    def _interaction(self, among: tuple[int, ...]) -> Effect:
        return self._effect(lambda values: interaction(values, len(self.switches), among))

    def _effect(self, contrast: Callable[[Array], Array]) -> Effect:
        """The effect that a linear function of the table of cells gives."""
        return Effect(
            contrast(self.cells.worst_accuracy), contrast(self.cells.direction_wga), self.side == "prediction"
        )
