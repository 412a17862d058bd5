"""The statistics of a size study: extrapolation over sizes, how fast differences shrink, tests and their correction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import optimize, stats

from ..mixture import Array
from ..outcome import half_width_of

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
