"""What a split of the gain says, by a fixed rule on 95 % intervals."""

from __future__ import annotations

from math import copysign
from typing import Literal

from ..mixture import Array
from .effect import Effect, interval

Verdict = Literal[
    "balance", "collapse", "both", "neither", "interaction larger than either", "no gain to split", "undecided"
]

SMALLEST_GAIN = 0.005
"""Gains in worst-group accuracy up to half a point are not split."""

DOMINANCE = 2.0
"""One of balance and collapse carries the gain when it is more than so many times the other."""


def judge(*, gain: Effect, balance: Effect, collapse: Effect, rest: Effect, interaction: Effect) -> Verdict:
    """The verdict on a gain = balance + collapse + rest (Shapley values), in this order:

    1. "no gain to split": the gain is at most `SMALLEST_GAIN` (a loss is no gain).
       "undecided": the gain's interval reaches below zero, but also above `SMALLEST_GAIN`.
    2. "neither": the rest (size, solver, averaging) is larger than balance, collapse, and the two together.
    3. "interaction larger than either": the interaction of balance (composition and weighting turned on together)
       with collapse exceeds both in absolute value. Then neither does alone what they do together (or they undo each
       other), and halving the interaction between them says little.
    4. "balance": balance is positive and more than `DOMINANCE` times collapse; "collapse" the other way round.
    5. "both": both are positive and neither is more than `DOMINANCE` times the other.
    6. "undecided": none of these.

    "Is larger" means that the 95 % interval of the difference, paired over replicates, lies above zero; for a
    prediction, that the difference is positive. Several comparisons enter a verdict, each at that level.
    """

    def positive(values: Array) -> bool:
        return interval(values, gain.exact)[0] > 0

    def absolute(effect: Effect) -> Array:
        return copysign(1.0, effect.mean) * effect.wga

    low, high = gain.interval
    if high <= SMALLEST_GAIN:
        return "no gain to split"
    if low <= 0:
        return "undecided"
    b, c, r, i = balance.wga, collapse.wga, rest.wga, absolute(interaction)
    if all(positive(r - other) for other in (0 * r, b, c, b + c)):
        return "neither"
    if positive(i - absolute(balance)) and positive(i - absolute(collapse)):
        return "interaction larger than either"
    if positive(b) and positive(b - DOMINANCE * c):
        return "balance"
    if positive(c) and positive(c - DOMINANCE * b):
        return "collapse"
    if positive(b) and positive(c) and positive(DOMINANCE * c - b) and positive(DOMINANCE * b - c):
        return "both"
    return "undecided"


MEANING: dict[Verdict, str] = {
    "balance": f"balance carries the gain: it is more than {DOMINANCE:g} times what un-collapsing brings",
    "collapse": f"un-collapsing carries the gain: it is more than {DOMINANCE:g} times what balance brings",
    "both": f"both carry the gain, neither more than {DOMINANCE:g} times the other",
    "neither": "neither: sample size or solver carry more than balance and collapse together",
    "interaction larger than either": (
        "the interaction of balance and collapse is larger than either, so the gain belongs to the pair"
    ),
    "no gain to split": f"no gain to split: it does not exceed {SMALLEST_GAIN:g}",
    "undecided": "undecided: the intervals do not single out a cause; more replicates may",
}
