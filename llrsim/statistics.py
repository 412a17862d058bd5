"""Give the intervals and tests that every comparison uses: fixed samples, size studies, confidence sequences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import exp, inf, log, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, stats
from scipy.special import betaincinv, stdtrit

from .model.mixture import Array

# The one rule for 95 % intervals.


LEVEL = 0.95


def half_width(values: ArrayLike) -> Array:
    """Half width of the 95 % interval of the mean over the leading axis (R, ...), by Student's t (Student 1908).

    t has R - 1 degrees of freedom; replicates are independent and their mean is near normal. inf where R < 2, for one
    replicate says nothing about its own error.

    >>> half_width([1.0, 2.0, 3.0]).round(4).tolist(), half_width([[0.5, 0.7]]).tolist()
    (2.4841, [inf, inf])
    """
    rows = np.asarray(values, dtype=np.float64)
    count = len(rows)
    if count < 2:
        return np.full(rows.shape[1:], np.inf)
    return half_width_of(rows.std(axis=0, ddof=1) / np.sqrt(count), count - 1)


def half_width_of(standard_error: ArrayLike, freedom: ArrayLike = np.inf, *, comparisons: int = 1) -> Array:
    """The same from a standard error with its degrees of freedom; infinitely many for an error that is known.

    With `comparisons` above one, so many intervals hold all together with 95 % (Bonferroni).

    >>> half_width_of(1.0).round(4).tolist(), half_width_of([1.0, 2.0], [2, 4]).round(4).tolist()
    (1.96, [4.3027, 5.5529])
    >>> half_width_of(1.0, comparisons=5).round(4).tolist()
    2.5758
    """
    level = 1 - (1 - LEVEL) / comparisons
    return np.asarray(stdtrit(freedom, 0.5 + level / 2) * np.asarray(standard_error, dtype=np.float64))


def interval_of_least(means: ArrayLike, standard_errors: ArrayLike, count: int) -> tuple[float, float]:
    """Return the ends of the 95 % interval of the least of G expected accuracies, from means of `count` replicates.

    Args:
        means: (G,) accuracies, in [0, 1], over the replicates.
        standard_errors: (G,) of those means.
        count: at least 2.

    The G intervals by Student's t that hold together with 95 % (Bonferroni) have lower ends L_g and upper ends U_g.
    Where they hold, min L_g <= min mu_g <= min U_g: so the interval is [min L_g, min U_g]. It covers at ties too, and
    where the group whose mean is least is not the one whose expectation is. No accuracy lies outside [0, 1], so no end
    does.

    >>> [round(end, 3) for end in interval_of_least([0.7, 0.72], [0.01, 0.02], 30)]
    [0.673, 0.724]
    >>> [round(end, 3) for end in interval_of_least([0.9, 0.95], [0.05, 0.02], 2)]
    [0.0, 1.0]
    """
    middle = np.asarray(means, dtype=np.float64)
    half = half_width_of(standard_errors, count - 1, comparisons=middle.size)
    return max(float((middle - half).min()), 0.0), min(float((middle + half).min()), 1.0)


def of_least_mean(accuracy: Array) -> Array:
    """Return (..., R) the accuracy, in each replicate, of the group whose mean over replicates is least.

    Args:
        accuracy: (..., R, G) of groups in replicates, without nan.

    Its mean over R is worst-group accuracy: the least of the groups' mean accuracies. Differences of such values,
    replicate by replicate, have the difference of two worst-group accuracies as their mean, and an error in which what
    paired replicates share cancels. That error takes the groups as given. Where G independent groups tie, the least
    mean is low by order of its error: t intervals of 95 % then cover 95.0, 92.7 and 90.4 % for G = 2, 3 and 4, and
    nearly all misses are too low. `interval_of_least` has no such loss.

    >>> of_least_mean(np.array([[0.9, 0.7], [0.5, 0.9]])).tolist()
    [0.9, 0.5]
    """
    worst = accuracy.mean(axis=-2, keepdims=True).argmin(axis=-1, keepdims=True)
    return np.take_along_axis(accuracy, worst, axis=-1)[..., 0]


def binomial_interval(share: ArrayLike, rows: int) -> tuple[Array, Array]:
    """Ends of the 95 % interval of a probability from the share of `rows` independent trials (Clopper & Pearson 1934).

    It covers with probability 95 % at least, whatever the probability; nan where the share is.

    >>> [end.round(4).tolist() for end in binomial_interval([0.0, 0.5], 100)]
    [[0.0, 0.3983], [0.0362, 0.6017]]
    """
    hits = np.asarray(share, dtype=np.float64) * rows
    tail = (1 - LEVEL) / 2
    low = np.where(hits > 0, betaincinv(np.maximum(hits, 1e-300), rows - hits + 1, tail), 0.0)
    high = np.where(hits < rows, betaincinv(hits + 1, np.maximum(rows - hits, 1e-300), 1 - tail), 1.0)
    return np.where(np.isnan(hits), np.nan, low), np.where(np.isnan(hits), np.nan, high)


# The statistics of a size study: extrapolation over sizes, how fast differences shrink, tests and their correction.


ROUNDING = 1e-6
"""A deterministic difference up to this is none: heads are solved to relative gradients of 1e-9."""


def intercept_weights(x: Array, degree: int) -> Array:
    """Weights a with sum_i a_i f(x_i) = f(0) for every polynomial f up to `degree` < len(x), of least variance.

    The variance of what is weighted is taken to be proportional to x, as that of a head fitted to n rows is to 1/n.

    >>> intercept_weights(np.array([1.0, 2.0]), 1).round(4).tolist()
    [2.0, -1.0]
    >>> intercept_weights(np.array([1.0, 2.0, 4.0]), 1).round(4).tolist()
    [1.2308, 0.1538, -0.3846]
    """
    powers = np.vander(x / x.max(), degree + 1, increasing=True)
    weighted = powers / x[:, None]
    return np.asarray(weighted @ np.linalg.solve(powers.T @ weighted, np.eye(degree + 1)[0]))


def extrapolate(rows: Sequence[Array], weights: Array) -> tuple[Array, Array]:
    """Extrapolated mean (p,) and its covariance (p, p) from independent sizes, rows (R, p) each."""
    mean = sum(a * r.mean(axis=0) for a, r in zip(weights, rows, strict=True))
    covariance = sum(a**2 * np.cov(r, rowvar=False) / len(r) for a, r in zip(weights, rows, strict=True))
    return np.asarray(mean), np.atleast_2d(covariance)


def freedom(rows: Sequence[Array], weights: Array) -> Array:
    """(p,) degrees of freedom of each extrapolated mean's variance (Welch-Satterthwaite)."""
    parts = np.array([a**2 * r.var(axis=0, ddof=1) / len(r) for a, r in zip(weights, rows, strict=True)])
    fewest = min(len(r) for r in rows) - 1
    squares = sum(part**2 / (len(r) - 1) for part, r in zip(parts, rows, strict=True))
    total = parts.sum(axis=0) ** 2
    return np.divide(total, squares, out=np.full(total.shape, float(fewest)), where=squares > 0)


class Allowance(NamedTuple):
    """C in gap = C x, fitted by weighted least squares over the sizes, for each of p differences.

    Attributes:
        coefficient: (p,) C.
        half_width: (p,) of the 95 % interval of C.
        z: (p,) what is left of the gap at the least x, over its standard deviation.
    """

    coefficient: Array
    half_width: Array
    z: Array


def allowance(gaps: Array, errors: Array, x: Array) -> Allowance:
    """The leading finite-size term of `gaps` (N, p) with standard `errors` (N, p) at the sizes' parameters x (N,)."""
    spread = np.maximum(errors, ROUNDING)
    information = (x[:, None] ** 2 / spread**2).sum(axis=0)
    coefficient = (x[:, None] * gaps / spread**2).sum(axis=0) / information
    last = int(x.argmin())
    left = gaps[last] - coefficient * x[last]
    return Allowance(
        coefficient=coefficient,
        half_width=half_width_of(1 / np.sqrt(information)),
        z=left / np.sqrt(spread[last] ** 2 - x[last] ** 2 / information),
    )


class Exponent(NamedTuple):
    """The power of the size that gaps follow, with the ends of its 95 % interval; None for an end beyond the range."""

    value: float
    low: float | None
    high: float | None


EXPONENTS = np.linspace(-4.0, 1.0, 501).round(2)
"""Powers of the size that are tried."""


def exponent(studies: Iterable[tuple[Array, Array, Array]]) -> Exponent:
    """p in gap = A size^p over independent studies of (gaps (N, m), errors (N, m), x (N,)), with an A for each column.

    By least squares in the gaps themselves, not in their logarithms, so that a gap lost in noise counts as what it
    is; the interval is where chi^2 exceeds its least value by less than its 95 % point. The columns of one study may
    be correlated in any way, so their chi^2 are averaged, not added: the interval can only be too wide.

    >>> x = np.array([0.01, 0.005, 0.0025])
    >>> gaps = 3.0 * x[:, None] ** 1.5
    >>> tuple(round(end, 2) for end in exponent([(gaps, 0.01 * gaps, x)]))
    (-1.5, -1.51, -1.49)
    """
    chi_squared: Array = np.zeros_like(EXPONENTS)
    for gaps, errors, x in studies:
        y, spread = gaps[:, None, :], np.maximum(errors, ROUNDING)[:, None, :]
        shape = (x[:, None] / x.max()) ** -EXPONENTS
        basis = np.broadcast_to(shape[:, :, None], (*shape.shape, gaps.shape[1])) / spread
        fitted = (basis * y / spread).sum(axis=0) ** 2 / (basis**2).sum(axis=0)
        chi_squared += ((y / spread) ** 2).sum(axis=0).mean(axis=-1) - fitted.mean(axis=-1)
    inside = np.flatnonzero(chi_squared <= chi_squared.min() + stats.chi2.isf(0.05, 1))
    low, high = int(inside[0]), int(inside[-1])
    return Exponent(
        value=float(EXPONENTS[chi_squared.argmin()]),
        low=float(EXPONENTS[low]) if low > 0 else None,
        high=float(EXPONENTS[high]) if high < len(EXPONENTS) - 1 else None,
    )


def remainder(distance: float, degree: int) -> float:
    """Return the largest difference that an extrapolation may leave of a right prediction, relative as `distance`.

    The differences at the least size are of relative order `distance`, the leading term of their series; the first
    term that a polynomial of `degree` leaves out is of order distance^(degree + 1). Where noise scales of groups are a
    factor of 100 apart the coefficient is up to two; three is taken. No more is allowed than a line leaves at sizes
    1, 2 and 4 of differences that fall as size^(-1/4): a prediction that is wrong at all sizes leaves the whole.

    >>> [round(remainder(distance, 1), 4) for distance in (0.01, 0.1, 0.5)]
    [0.0003, 0.03, 0.3075]
    """
    return min(3.0 * distance**degree, 0.615) * distance


def beyond(mean: Array, covariance: Array, allowed: Array) -> Array:
    """Return the mean (p,) less the point of the box |r_k| <= `allowed` (p,) that leaves least of it.

    Least in the metric of the covariance (p, p): directions that hardly vary are met first.

    >>> beyond(np.array([0.5, -0.1]), np.eye(2), np.array([0.2, 0.2])).round(6).tolist()
    [0.3, 0.0]
    """
    variances, axes = np.linalg.eigh(covariance)
    floor = max(1e-12 * variances.max(), 1e-24)
    whitened = axes.T / np.sqrt(np.maximum(variances, floor))[:, None]
    nearest = optimize.lsq_linear(whitened * allowed, whitened @ mean, bounds=(-1.0, 1.0), method="bvls").x
    return np.asarray(mean - allowed * nearest)


def hotelling(mean: Array, covariance: Array, degrees: float) -> float:
    """p-value of mean = 0 by Hotelling's T^2, with `degrees` of freedom in the covariance of the mean.

    Directions without variance are deterministic: a difference along one beyond rounding is certain, p = 0, and the
    test is on the others (p = 1 where there are none).
    """
    variances, axes = np.linalg.eigh(covariance)
    along = axes.T @ mean
    # Rounding leaves eigenvalues of about 1e-16 of the largest, and of 1e-30 where nothing varies at all.
    random = variances > max(1e-12 * variances.max(), 1e-24)
    if (np.abs(along[~random]) > ROUNDING).any():
        return 0.0
    p = int(random.sum())
    if p == 0:
        return 1.0
    statistic = float((along[random] ** 2 / variances[random]).sum())
    return float(stats.f.sf(statistic * (degrees - p + 1) / (degrees * p), p, degrees - p + 1))


def smallest_t(mean: Array, error: Array, degrees: Array) -> float:
    """p-value of all means being zero by the least likely |t|, Bonferroni over the entries that vary.

    An entry without variance is deterministic: beyond rounding it is certainly not zero, p = 0, else it says nothing.
    """
    random = error > 1e-12
    if (np.abs(mean[~random]) > ROUNDING).any():
        return 0.0
    if not random.any():
        return 1.0
    tails = 2 * stats.t.sf(np.abs(mean[random] / error[random]), np.broadcast_to(degrees, mean.shape)[random])
    return min(1.0, float(tails.min() * random.sum()))


def rejected(p_values: Array, false_alarm: float) -> np.ndarray:
    """Which hypotheses Holm's step-down rejects at this family-wise false-alarm rate.

    >>> rejected(np.array([0.0001, 0.04, 0.02]), 0.05).tolist()
    [True, True, True]
    """
    order = np.argsort(p_values)
    passing = p_values[order] > false_alarm / np.arange(len(p_values), 0, -1)
    first = int(passing.argmax()) if passing.any() else len(p_values)
    out = np.zeros(len(p_values), dtype=bool)
    out[order[:first]] = True
    return out


# Confidence sequences: intervals for a mean that hold at all numbers of draws at once, so that looking is free.
#
# For independent draws x_1, x_2, ... ~ N(mu, s^2), s unknown, with T the t statistic of mu after t of them,
#
#     B_t(mu) = (1 + t g)^(-1/2) [ (1 + T^2/(t-1)) / (1 + T^2/((t-1)(1 + t g))) ]^(t/2)
#
# is the Bayes factor of a difference N(0, g s^2) between the true mean and mu against none, under the right Haar prior
# on s. At the true mean it is a nonnegative martingale of mean one, so by Ville's inequality it ever exceeds 1/level
# with probability at most `level`. The mu with B_t(mu) < 1/level are an interval around the mean, and all of these, t =
# 2, 3, ..., hold together with probability 1 - level: stopping whenever one likes costs nothing. Lai (1976); Lindon,
# Ham, Tingley & Bojinov (2210.08589); Wang & Ramdas (2310.03722). As t grows it is Robbins' normal mixture with s
# estimated, the asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2103.06476), so draws
# that are not normal are covered in the limit of a late first look.


TUNED_FOR = 1000
"""Draws at which the interval is narrowest for its level; nearly so between a tenth and ten times as many."""


def anytime_half_width(count: int, level: float) -> float:
    """Half the interval after `count` draws, in units of their standard deviation (of divisor count - 1).

    inf as long as the draws are too few for any interval. A single interval of 95 % at a fixed count has 1.96
    standard errors, one of 99.9 % has 3.29, and one that holds at all counts with 99.9 % from 4.2 on.

    >>> [round(anytime_half_width(count, 0.001) * count**0.5, 2) for count in (30, 100, 1000, 10**6)]
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
    half[half > 1e-12] *= anytime_half_width(len(rows), level)  # what does not vary is known, however few the draws
    return mean - half, mean + half
