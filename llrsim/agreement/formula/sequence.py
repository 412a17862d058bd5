"""Confidence sequences: intervals for a mean that hold at all numbers of draws at once, so that looking is free.

For independent draws x_1, x_2, ... ~ N(mu, s^2), s unknown, with T the t statistic of mu after t of them,

    B_t(mu) = (1 + t g)^(-1/2) [ (1 + T^2/(t-1)) / (1 + T^2/((t-1)(1 + t g))) ]^(t/2)

is the Bayes factor of a difference N(0, g s^2) between the true mean and mu against none, under the right Haar prior on
s. At the true mean it is a nonnegative martingale of mean one, so by Ville's inequality it ever exceeds 1/level with
probability at most `level`. The mu with B_t(mu) < 1/level are an interval around the mean, and all of these, t = 2, 3,
..., hold together with probability 1 - level: stopping whenever one likes costs nothing. Lai (1976); Lindon, Ham,
Tingley & Bojinov (2210.08589); Wang & Ramdas (2310.03722). As t grows it is Robbins' normal mixture with s estimated,
the asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2103.06476), so draws that are not
normal are covered in the limit of a late first look.
"""

from __future__ import annotations

from math import exp, inf, log, sqrt

from ...mixture import Array

TUNED_FOR = 1000
"""Draws at which the interval is narrowest for its level; nearly so between a tenth and ten times as many."""


def half_width(count: int, level: float) -> float:
    """Half the interval after `count` draws, in units of their standard deviation (of divisor count - 1).

    inf as long as the draws are too few for any interval. A single interval of 95 % at a fixed count has 1.96
    standard errors, one of 99.9 % has 3.29, and one that holds at all counts with 99.9 % from 4.2 on.

    >>> [round(half_width(count, 0.001) * count**0.5, 2) for count in (30, 100, 1000, 10**6)]
    [inf, 5.3, 4.22, 4.85]
    """
    if count < 2:
        return inf
    odds = 2 * log(1 / level)
    spread = 1 + count * (odds + log(1 + odds)) / TUNED_FOR
    # B = 1/level, solved for T^2/(t-1).
    growth = 2 / count * (0.5 * log(spread) + log(1 / level))
    if growth >= log(spread):
        return inf
    factor = exp(growth)
    return sqrt((count - 1) * (factor - 1) * spread / (spread - factor) / count)


def interval(rows: Array, level: float) -> tuple[Array, Array]:
    """Ends (p,) of the intervals of the means of `rows` (t, p), each of which holds at all t with 1 - `level`."""
    mean, half = rows.mean(axis=0), rows.std(axis=0, ddof=1)
    half[half > 1e-12] *= half_width(len(rows), level)  # what does not vary is known, however few the draws
    return mean - half, mean + half
