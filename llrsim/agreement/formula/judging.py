"""The sequential judge: draws until a formula's verdict is decided, or the budget is spent.

The null is |difference| <= eps. "agrees" where the whole interval of every difference lies within [-eps, eps],
"disagrees" where one lies outside of it, else "undecided". The intervals are simultaneous over the G groups
(Bonferroni) and hold at all looks together (`sequence`), so any verdict but "undecided" is wrong with probability at
most `level`, however often one looks.

Where sizes are extrapolated, accuracies far from the claim at the least size leave a remainder that is no fault of the
claim (`size_study`): "disagrees" then takes an interval that lies outside of [-eps - remainder, eps + remainder].

A formula for WGA alone is compared with the least of the G means, whose interval is from the least lower end to the
least upper end: it covers wherever the groups' intervals do. No group is chosen as the worst, so ties cost nothing and
no draws are set aside for the choice, and the mean of minima, which ties bias, is never taken.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from time import monotonic
from typing import Literal, NamedTuple

import numpy as np

from ...mixture import Array
from .claim import Claim
from .sequence import interval

Verdict = Literal["agrees", "disagrees", "undecided"]

Sampler = Callable[[int, int], Array]
"""Draws first, ..., first + count - 1: (count, G), independent rows whose mean is what a formula claims; a row without
a head is NaN."""

FIRST_LOOK = 64
"""Draws before any verdict; intervals start at about forty.

Means of so many are near normal unless draws are very skewed, as accuracies near 1 are: at a level of .00025, that of
four groups, ndtr(2 + Z/2), of skewness -2.7, is missed at .00075 and ndtr(2.5 + Z/2), -4, at .0026 (40000 trials).
"""
GROWTH = 1.25
"""Every look has so many times the draws of the one before."""


class Budget(NamedTuple):
    """What may be spent on a cell: draws, and seconds."""

    draws: int = 10_000
    seconds: float = inf


class Judgement(NamedTuple):
    """What was found of a claim.

    Attributes:
        found: simulated accuracies, shaped as the claim's: (G,), or (1,) the least of their means.
        low, high: ends of the intervals of found - claimed.
        verdict: by these.
        draws: that were taken, and `looks` at them.
        reason: why there is no verdict where simulation has no head, or sizes are too small for one; else "".
    """

    found: Array
    low: Array
    high: Array
    verdict: Verdict
    draws: int
    looks: int
    reason: str = ""


def judge(
    draw: Sampler,
    claim: Claim,
    *,
    eps: float,
    level: float,
    budget: Budget,
    remainder: Callable[[Claim], float] = lambda claim: 0.0,
) -> Judgement:
    """Draw until the verdict on a claim is decided or the budget is spent.

    Args:
        draw: the sampler.
        claim: of the mean of its rows.
        eps: largest difference that is none.
        level: probability of a wrong verdict.
        budget: at least FIRST_LOOK draws are taken, whatever the seconds.
        remainder: what a difference may be, by the draws so far, for reasons other than a wrong claim.
    """
    began = monotonic()
    rows = draw(0, min(FIRST_LOOK, budget.draws))
    looks = 1
    while True:
        found = _judged(rows, claim, eps, level, looks, remainder)
        if found.verdict != "undecided" or found.reason or len(rows) >= budget.draws:
            return found
        count = min(int(len(rows) * GROWTH), budget.draws)
        spent = monotonic() - began
        if spent * count / len(rows) > budget.seconds:  # the next look would come too late: stop at what fits
            count = min(count, int(len(rows) * budget.seconds / spent))
            if count <= len(rows):
                return found
        rows = np.concatenate([rows, draw(len(rows), count - len(rows))])
        looks += 1


def decide(low: Array, high: Array, eps: float) -> Verdict:
    """The verdict of intervals [low, high] of differences, (p,) each.

    >>> [decide(np.array([low]), np.array([low + 0.002]), 0.002) for low in (-0.001, 0.001, 0.0021)]
    ['agrees', 'undecided', 'disagrees']
    """
    if ((low > eps) | (high < -eps)).any():
        return "disagrees"
    return "agrees" if ((low >= -eps) & (high <= eps)).all() else "undecided"


def _judged(
    rows: Array, claim: Claim, eps: float, level: float, looks: int, remainder: Callable[[Claim], float]
) -> Judgement:
    missing = int(np.isnan(rows).any(axis=1).sum())
    found = rows.mean(axis=0)
    low, high = interval(rows, level / rows.shape[1])
    if not claim.of_groups:
        found, low, high = (ends.min(keepdims=True) for ends in (found, low, high))
    low, high = low - claim.accuracy, high - claim.accuracy
    reason = f"{missing} of {len(rows)} simulations have no head" if missing else ""
    verdict: Verdict = "undecided" if missing else decide(low, high, eps)
    if verdict == "disagrees":
        most = eps + remainder(claim)
        verdict = "disagrees" if decide(low, high, most) == "disagrees" else "undecided"
        if verdict == "undecided" and (np.abs(found - claim.accuracy) <= most).all():  # more draws would not help
            reason = f"differences up to {most:.3g} may be what the sizes leave, and larger ones decide"
    return Judgement(found, low, high, verdict, len(rows), looks, reason)
