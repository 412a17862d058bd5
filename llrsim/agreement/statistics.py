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


def extrapolate(rows: Sequence[Array], weights: Array) -> tuple[Array, Array]:
    """Extrapolated mean (p,) and its covariance (p, p) from independent sizes, rows (R, p) each."""
    mean = sum(a * r.mean(axis=0) for a, r in zip(weights, rows, strict=True))
    covariance = sum(a**2 * np.cov(r, rowvar=False) / len(r) for a, r in zip(weights, rows, strict=True))
    return np.asarray(mean), np.atleast_2d(covariance)


def hotelling(mean: Array, covariance: Array, freedom: int) -> float:
    """p-value of mean = 0 by Hotelling's T^2, with `freedom` degrees of freedom in the covariance of the mean."""
    p = len(mean)
    statistic = float(mean @ np.linalg.solve(covariance, mean))
    return float(stats.f.sf(statistic * (freedom - p + 1) / (freedom * p), p, freedom - p + 1))


def smallest_t(mean: Array, error: Array, freedom: int) -> float:
    """p-value of all means being zero by the largest |t|, Bonferroni over the entries."""
    return min(1.0, float(2 * stats.t.sf(np.abs(mean / error), freedom).min() * len(mean)))


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
