"""The one rule for 95 % intervals."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv, stdtrit

from ..mixture import Array

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
    """Return the ends of the 95 % interval of the least of G expectations, from the means of `count` replicates.

    Args:
        means: (G,) of the replicates.
        standard_errors: (G,) of those means.
        count: at least 2.

    The G intervals by Student's t that hold together with 95 % (Bonferroni) have lower ends L_g and upper ends U_g.
    Where they hold, min L_g <= min mu_g <= min U_g: so the interval is [min L_g, min U_g]. It covers at ties too, and
    where the group whose mean is least is not the one whose expectation is.

    >>> [round(end, 3) for end in interval_of_least([0.7, 0.72], [0.01, 0.02], 30)]
    [0.673, 0.724]
    """
    middle = np.asarray(means, dtype=np.float64)
    half = half_width_of(standard_errors, count - 1, comparisons=middle.size)
    return float((middle - half).min()), float((middle + half).min())


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
