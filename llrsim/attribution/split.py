"""Split one method's gain over ERM over on/off switches, with intervals and a verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from math import copysign, factorial, isinf
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike

from ..model.mixture import Array
from ..outcome import Limit, Outcome, half_width, of_least_mean
from .factorial import SWITCHES, Factorial

# Effects of on/off switches: Shapley values, main effects and interactions of a table of cells, and their intervals.
#
# `shapley`, `interaction` and `joint_interaction` take `values` of shape (2,) * m + (...): entry [b_1, ..., b_m, ...]
# is the outcome with switch i at setting b_i, and the trailing axes (replicates, say) are carried along. All are linear
# in `values`. An `Effect` is such a contrast of worst-group accuracies, in replicates the accuracies of the worst
# groups.


def shapley(values: ArrayLike, switches: int | None = None) -> Array:
    """Shapley value of each of the m switches, (m, ...): its effect averaged over all orders of switching on.

    phi_i = sum over sets S without i of |S|! (m - |S| - 1)! / m! (v(S and i) - v(S)), exactly, by subsets. They sum
    to v(all) - v(none). `switches` is m, when axes beside the switches trail; default all axes.

    Source: Shapley (1953), A value for n-person games; T21.

    >>> shapley([[0.649, 0.624], [0.716, 0.773]]).round(4).tolist()
    [0.108, 0.016]
    """
    table = np.asarray(values, dtype=np.float64)
    m = table.ndim if switches is None else switches
    if m == 0:
        return np.zeros((0, *table.shape))
    others_on = np.indices((2,) * (m - 1)).sum(axis=0) if m > 1 else np.array(0)
    by_size = np.array([factorial(size) * factorial(m - size - 1) / factorial(m) for size in range(m)])
    weights = by_size[others_on]
    return np.stack([np.tensordot(weights, np.diff(table, axis=i).squeeze(i), axes=m - 1) for i in range(m)])


def interaction(values: ArrayLike, switches: int, among: Iterable[int]) -> Array:
    """Interaction of the switches `among`, (...): their alternating difference, averaged over all other switches.

    Of one switch this is its main effect, on minus off; of two, the difference of differences
    v(both) - v(first) - v(second) + v(neither), without the factor 1/2 of some textbooks.

    >>> round(float(interaction([[0.649, 0.624], [0.716, 0.773]], 2, (0, 1))), 3)
    0.082
    """
    return joint_interaction(values, switches, [[i] for i in among])


def joint_interaction(values: ArrayLike, switches: int, blocks: Iterable[Iterable[int]]) -> Array:
    """As `interaction`, of blocks of switches that are turned on and off together.

    A block without switches changes nothing, so an interaction with it is zero.
    """
    table = np.asarray(values, dtype=np.float64)
    left = list(range(switches))
    for block in map(list, blocks):
        inside = [i in block for i in left]
        table = table[_face(inside, 1)] - table[_face(inside, 0)]
        left = [i for i in left if i not in block]
    return np.asarray(table.mean(axis=tuple(range(len(left)))))


def _face(inside: list[bool], setting: int) -> tuple[int | slice, ...]:
    """Index of the cells in which the switches marked in `inside` have this setting."""
    return tuple(setting if marked else slice(None) for marked in inside)


def interval(values: Array, exact: bool) -> tuple[float, float]:
    """95 % interval of the mean of `values` (R,) over replicates (`half_width`).

    A number that is exact is its own interval; one replicate of a simulation leaves the whole line.
    """
    mean = float(values.mean())
    half = 0.0 if exact else float(half_width(values))
    return mean - half, mean + half


@dataclass(frozen=True, eq=False)
class Effect:
    """A difference of worst-group accuracies over R replicates (R = 1 for a prediction).

    Attributes:
        values: (R,) effect in each replicate on the accuracy of the cells' worst groups (`of_least_mean`).
        direction: (R,) the part through the head's direction: the effect on WGA at the best bias for each direction.
        exact: whether the numbers are a prediction's, without sampling error.
    """

    values: Array
    direction: Array
    exact: bool

    def __add__(self, other: Effect) -> Effect:
        return Effect(self.values + other.values, self.direction + other.direction, self.exact)

    @property
    def mean(self) -> float:
        """The effect on worst-group accuracy, the least of the groups' mean accuracies."""
        return float(self.values.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the mean, with the worst groups as given; degenerate for a prediction."""
        return interval(self.values, self.exact)

    @property
    def direction_part(self) -> float:
        """Mean effect through the direction; with `bias_part` it sums to `mean`."""
        return float(self.direction.mean())

    @property
    def bias_part(self) -> float:
        """Mean effect through the threshold."""
        return self.mean - self.direction_part

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; the interval is null for a single replicate."""
        low, high = self.interval
        return {
            "mean": self.mean,
            "interval": None if isinf(high) else [low, high],
            "direction_part": self.direction_part,
            "bias_part": self.bias_part,
        }

    def __str__(self) -> str:
        low, high = self.interval
        spread = "" if self.exact else " [one replicate: no interval]" if isinf(high) else f" [{low:+.3f}, {high:+.3f}]"
        return f"{self.mean:+.3f}{spread}"


# When a gain is one to split, and when one of its parts carries it: decided by intervals, by one rule everywhere.
#
# An interval is (low, high); a number that is exact, such as a prediction's, is its own interval (x, x).


Interval = tuple[float, float]

SMALLEST_GAIN = 0.005
"""Gains in worst-group accuracy up to half a point are not split."""

DOMINANCE = 2.0
"""One of balance and collapse carries the gain when it is more than so many times the other."""


def has_gain(gain: Interval) -> bool | None:
    """Whether there is a gain to split: not where it is at most `SMALLEST_GAIN`, for a loss is no gain.

    None, not decided, where its interval reaches below zero, but also above `SMALLEST_GAIN`.

    >>> [has_gain(interval) for interval in ((0.01, 0.02), (-0.02, 0.004), (-0.01, 0.02))]
    [True, False, None]
    """
    low, high = gain
    if high <= SMALLEST_GAIN:
        return False
    return True if low > 0 else None


def dominates(share: Interval, excess: Interval) -> bool | None:
    """Whether a part carries a gain: its share is positive, and more than `DOMINANCE` times the other part's.

    `excess` is the share less `DOMINANCE` times the other. None where the intervals do not decide.

    >>> [dominates((0.01, 0.02), excess) for excess in ((0.01, 0.03), (-0.03, -0.01), (-0.01, 0.01))]
    [True, False, None]
    >>> dominates((-0.02, -0.01), (0.01, 0.03))
    False
    """
    if share[0] > 0 and excess[0] > 0:
        return True
    return False if share[1] <= 0 or excess[1] <= 0 else None


# One method's gain over ERM, split over the switches from the readouts of its factorial's cells, and the verdict.


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


# An attribution: a split gain told in words, as a table for a terminal, and as plain data.


MEANING: dict[Verdict, str] = {
    "balance": (
        f"balance carries the gain: it is more than {DOMINANCE:g} times what uncollapsed held-out features contribute"
    ),
    "collapse": (
        f"uncollapsed held-out features carry the gain: they contribute more than {DOMINANCE:g} times what balance does"
    ),
    "both": f"both carry the gain, neither more than {DOMINANCE:g} times the other",
    "balance more than collapse": (
        "balance contributes more than uncollapsed held-out features do; whether more than "
        f"{DOMINANCE:g} times as much is undecided"
    ),
    "collapse more than balance": (
        "uncollapsed held-out features contribute more than balance does; whether more than "
        f"{DOMINANCE:g} times as much is undecided"
    ),
    "neither": "neither: sample size or solver carry more than balance and collapse together",
    "interaction larger than either": (
        "the interaction of balance and collapse is larger than either, so the gain belongs to the pair"
    ),
    "no gain to split": f"no gain to split: it does not exceed {SMALLEST_GAIN:g}",
    "undecided": "undecided: the intervals do not single out a cause; more replicates may",
}

NOTHING = "0 by construction"


@dataclass(frozen=True, eq=False)
class Attribution(Split):
    """Why the worst-group accuracy of one method differs from ERM's: the numbers of a `Split`, and their telling."""

    @property
    def sentence(self) -> str:
        """Gain, parts with intervals, and the verdict, which `verdict_of` reads from the intervals."""
        where = self._replicates_told if self.side == "simulation" else f"{self.limit} limit"
        if self.replicates == 0:
            return f"{self.label} against {self.baseline}: no split, because a cell has no head ({self.failure})."
        if not self.effects:
            return f"{self.label} coincides with {self.baseline} in every switch ({where}): no gain to split."
        gain = self.gain
        verb = "gains" if gain.mean > 0 else "does not gain:"
        halves = {name: self.effects[name] for name in SWITCHES[:2] if name in self.effects}
        inside = ", ".join(f"{name} {effect.mean:+.3f}" for name, effect in halves.items())
        parts = [f"balance {self.balance} ({inside})" if halves else f"balance {NOTHING}"]
        parts += [f"{name} {self.effects.get(name, NOTHING)}" for name in SWITCHES[2:]]
        parts += [f"{name} {effect}" for name, effect in self.effects.items() if name not in SWITCHES]
        return (
            f"{self.label} {verb} {gain} worst-group accuracy over {self.baseline} "
            f"({where}; direction {gain.direction_part:+.3f}, bias {gain.bias_part:+.3f}): {', '.join(parts)}. "
            f"Verdict: {MEANING[self.verdict]}."
        )

    @property
    def _replicates_told(self) -> str:
        if self.paired is None:
            return f"{self.replicates} replicates"
        return f"{self.replicates} paired replicates" if self.paired else f"{self.replicates} replicates, not paired"

    def table(self) -> str:
        """Plain text: Shapley values with intervals, their direction and bias parts, main effects, interactions."""
        title = f"{self.label} against {self.baseline}: {self.side}, {self.limit}"
        if self.side == "simulation":
            title += f", {self._replicates_told}"
        lines = [title]
        if self.failure:
            lines.append(f"  {self.failed} replicates left out; {self.failure}")
        if self.replicates and self.effects:
            spread = "" if self.side == "prediction" else f"{'95 % interval':>20}"
            lines.append(f"  {'':<14}{'Shapley':>9}{spread}{'direction':>11}{'bias':>9}{'main':>9}")
            lines += [_line(name, effect, self.main_effects.get(name)) for name, effect in self.effects.items()]
            lines += [_line("gain", self.gain), _line("balance", self.balance)]
            if self.largest_interaction is not None:
                names, effect = self.largest_interaction
                lines.append(f"  balance x collapse interaction {self.balance_by_collapse}")
                lines.append(f"  largest interaction {effect}: {' x '.join(names)}")
        lines += [f"  {name} left out: {reason}" for name, reason in self.left_out.items()]
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """One JSON-ready object: the split, its interactions and its cells; only the reason where there is no split."""
        told: dict[str, Any] = {
            "method": self.label,
            "baseline": self.baseline,
            "side": self.side,
            "limit": self.limit,
            "replicates": self.replicates,
            "paired": self.paired,
            "failed": self.failed,
            "left_out": dict(self.left_out),
            "notes": list(self.notes),
            "verdict": self.verdict,
            "sentence": self.sentence,
        }
        if self.failure:
            told["failure"] = self.failure
        if self.replicates == 0:
            return told
        return told | {
            "gain": self.gain.to_dict(),
            "balance": self.balance.to_dict(),
            "shapley": {name: effect.to_dict() for name, effect in self.effects.items()},
            "main_effects": {name: effect.to_dict() for name, effect in self.main_effects.items()},
            "interactions": {" x ".join(names): effect.to_dict() for names, effect in self.interactions.items()},
            "balance_by_collapse": self.balance_by_collapse.to_dict(),
            "cells": self._cell_rows(),
        }

    def rows(self) -> list[dict[str, Any]]:
        """One flat dict an effect: a switch, `averaging`, `balance` or `gain`; without an interval `low` is None."""
        if self.replicates == 0:
            return []
        told = []
        for name, effect in {**self.effects, "balance": self.balance, "gain": self.gain}.items():
            low, high = effect.interval
            told.append(
                {
                    "method": self.label,
                    "baseline": self.baseline,
                    "side": self.side,
                    "limit": self.limit,
                    "replicates": self.replicates,
                    "effect": name,
                    "mean": effect.mean,
                    "low": None if isinf(low) else low,
                    "high": None if isinf(high) else high,
                    "direction_part": effect.direction_part,
                    "bias_part": effect.bias_part,
                }
            )
        return told

    def _cell_rows(self) -> list[dict[str, Any]]:
        """One dict a cell: the setting (0 or 1) of each switch that differs, and mean accuracies over replicates."""
        return [
            {
                "switches": dict(zip(self.switches, map(int, bits), strict=True)),
                "wga": float(self.cells.worst_accuracy[bits].mean()),
                "direction_wga": float(self.cells.direction_wga[bits].mean()),
                "group_accuracy": self.cells.group_accuracy[bits].mean(axis=0).tolist(),
            }
            for bits in np.ndindex(self.cells.direction_wga.shape[:-1])
        ]

    def __str__(self) -> str:
        return f"{self.table()}\n  {self.sentence}"


def _line(name: str, effect: Effect, main: Effect | None = None) -> str:
    low, high = effect.interval
    spread = "none" if isinf(low) else f"[{low:+.4f}, {high:+.4f}]"
    return (
        f"  {name:<14}{effect.mean:+9.4f}"
        + ("" if effect.exact else f"{spread:>20}")
        + f"{effect.direction_part:+11.4f}{effect.bias_part:+9.4f}"
        + (f"{main.mean:+9.4f}" if main is not None else "")
    )
