"""Accuracies counted on test rows, group by group."""

from __future__ import annotations

import numpy as np

from ...mixture import Array


def group_shares(scores: Array, labels: Array) -> Array:
    """(..., G) shares of rows on their class's side, of scores (..., G, n) of G groups of labels (G,); 0 counts half.

    >>> group_shares(np.array([[-1.0, 2.0], [3.0, 0.0]]), np.array([-1.0, 1.0])).tolist()
    [0.5, 0.75]
    """
    return (0.5 + 0.5 * np.sign(labels[:, None] * scores)).mean(axis=-1)


def best_wga(scores: Array, labels: Array) -> float:
    """The largest worst-group accuracy over all biases added to scores (G, n).

    Taken on the rows that it is told of, so above what the same bias gets on others, by up to their sampling error.

    >>> best_wga(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([-1.0, 1.0]))
    1.0
    """
    ranked, every = np.sort(scores, axis=-1), np.sort(scores, axis=None)
    if not ((labels > 0).any() and (labels < 0).any()):
        return 1.0
    # Between neighbours nothing changes, so their midpoints stand for all thresholds but those that meet a row.
    thresholds = np.empty(2 * len(every) + 1)
    thresholds[1::2] = every
    thresholds[2:-1:2] = (every[1:] + every[:-1]) / 2
    thresholds[0], thresholds[-1] = every[0] - 1.0, every[-1] + 1.0

    def accuracies(place: int) -> tuple[float, float]:
        """The least accuracy of either class's groups at a threshold: falling in it for +1, rising for -1."""
        threshold = thresholds[place]
        below = [np.searchsorted(row, threshold, "left") + np.searchsorted(row, threshold, "right") for row in ranked]
        share = np.array(below) / (2 * scores.shape[-1])
        return float((1 - share)[labels > 0].min()), float(share[labels < 0].min())

    low, high = 0, len(thresholds) - 1
    while high - low > 1:
        middle = (low + high) // 2
        positive, negative = accuracies(middle)
        low, high = (middle, high) if positive >= negative else (low, middle)
    return max(min(accuracies(low)), min(accuracies(high)))
