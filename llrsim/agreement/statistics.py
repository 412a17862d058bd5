"""The statistics of a size study: extrapolation over sizes, the joint test, and the correction over many tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from ..mixture import Array


def intercept_weights(x: Array) -> Array:
    """Weights a with sum_i a_i f(x_i) = f(0) for every polynomial f of degree below len(x) (Lagrange).

    >>> intercept_weights(np.array([1.0, 2.0])).tolist()
    [2.0, -1.0]
    """
    return np.array([np.prod(np.delete(x, i) / (np.delete(x, i) - x[i])) for i in range(len(x))])


ROUNDING = 1e-6  # a deterministic difference up to this is none: heads are solved to relative gradients of 1e-9


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
