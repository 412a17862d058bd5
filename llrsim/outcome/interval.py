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
