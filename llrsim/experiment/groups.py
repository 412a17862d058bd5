"""Groups in numbers: labels, attributes, means, covariances and fixed counts of a description (T0).

Plain Python tuples in group order, so that reading an experiment imports no numerical library. The functions assume a
description that passed its checks.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

from .schema import Coordinates, Features, Heldout, PerGroup, Train

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

STANDARD_LABELS = (-1, -1, 1, 1)
STANDARD_ATTRIBUTES = (-1.0, 1.0, -1.0, 1.0)

Vector = tuple[float, ...]


def group_labels(features: Features) -> tuple[int, ...]:
    """Label y_g = ±1 of every group."""
    return STANDARD_LABELS if features.labels is None else features.labels


def group_attributes(features: Features) -> Vector:
    """Attribute a_g of every group; zeros where labels are given without attributes."""
    if features.attributes is not None:
        return features.attributes
    return STANDARD_ATTRIBUTES if features.labels is None else (0.0,) * len(features.labels)


def per_group(value: PerGroup, groups: int) -> Vector:
    """The value of every group.

    >>> per_group(0.5, 3), per_group((0.1, 0.2), 2)
    ((0.5, 0.5, 0.5), (0.1, 0.2))
    """
    return value if isinstance(value, tuple) else (value,) * groups


def coordinate_values(coordinates: Coordinates | None) -> tuple[Vector, Vector]:
    """Means and standard deviations of signal coordinates, a number repeated to the length of the other's list."""
    if coordinates is None:
        return (), ()
    mean, std = coordinates.mean, coordinates.std
    size = max((len(value) for value in (mean, std) if isinstance(value, tuple)), default=1)
    return per_group(mean, size), per_group(std, size)


def group_means(features: Features) -> tuple[Vector, ...]:
    """Uncollapsed signal means m_g, (G, k): y_g times the core means, then a_g times the spurious ones."""
    if features.means is not None:
        return features.means
    core, _ = coordinate_values(features.core)
    spurious, _ = coordinate_values(features.spurious)
    return tuple(
        tuple(y * mean for mean in core) + tuple(a * mean for mean in spurious)
        for y, a in zip(group_labels(features), group_attributes(features), strict=True)
    )


def group_covariances(features: Features) -> tuple[tuple[Vector, ...], ...]:
    """Uncollapsed signal covariances S_g, (G, k, k)."""
    if features.covariances is not None:
        return features.covariances
    std = coordinate_values(features.core)[1] + coordinate_values(features.spurious)[1]
    diagonal = tuple(tuple(s * s if i == j else 0.0 for j in range(len(std))) for i, s in enumerate(std))
    return (diagonal,) * len(group_labels(features))


def normalised(amounts: Vector | tuple[int, ...]) -> Vector:
    """Shares in proportion to the amounts, summing to one: pi_g = n_g / n for counts."""
    total = math.fsum(amounts)
    return tuple(amount / total for amount in amounts)


def minority_proportions(features: Features, ratio: float, class_prior: float | None) -> Vector:
    """Shares with minority : majority = `ratio` inside each class; class +1 has share `class_prior`, default one half.

    The groups of one class on the same side (a = y, or a != y) share equally.

    >>> from llrsim.experiment import Noise
    >>> minority_proportions(Features(noise=Noise(dim=1)), 0.25, None)
    (0.4, 0.1, 0.1, 0.4)
    """
    prior = 0.5 if class_prior is None else class_prior
    sides = [(y, a == y) for y, a in zip(group_labels(features), group_attributes(features), strict=True)]
    return tuple(
        (prior if y == 1 else 1.0 - prior) * (1.0 if majority else ratio) / (1.0 + ratio) / sides.count((y, majority))
        for y, majority in sides
    )


def sample_size(sample: Train | Heldout, noise_dim: int) -> int:
    """Rows of a sample: the sum of its counts, or n, or n_per_dim times the noise dimension, rounded."""
    if sample.counts is not None:
        return sum(sample.counts)
    if sample.n is not None:
        return sample.n
    assert sample.n_per_dim is not None, "the checks ask for one of n, n_per_dim and counts"
    return round(sample.n_per_dim * noise_dim)


@lru_cache(maxsize=16)  # asked for several times a cell
def sample_counts(features: Features, sample: Train | Heldout) -> tuple[int, ...]:
    """Fixed group counts: `counts` as given, else size times shares by largest remainder."""
    if sample.counts is not None:
        return sample.counts
    return tuple(apportion(sample_size(sample, features.noise.size), stated_shares(features, sample)).tolist())


def stated_shares(features: Features, sample: Train | Heldout) -> Vector:
    """Share of every group as the file states it; whole rows have shares near these."""
    shares = sample.counts or sample.proportions
    if isinstance(sample, Heldout) and sample.minority_ratio is not None:
        shares = minority_proportions(features, sample.minority_ratio, sample.class_prior)
    assert shares is not None, "the checks ask for a composition"
    return normalised(shares)


def stated_counts(features: Features, sample: Train | Heldout) -> Vector:
    """Group counts as the file states them, fractions of rows included: size times shares."""
    if sample.counts is not None:
        return sample.counts
    size = sample.n if sample.n_per_dim is None else sample.n_per_dim * features.noise.size
    assert size is not None, "the checks ask for one of n, n_per_dim and counts"
    return tuple(size * share for share in stated_shares(features, sample))


def apportion(total: int, proportions: ArrayLike) -> NDArray[np.int64]:
    """Whole numbers that sum to `total`, in proportion, by largest remainder.

    Equal remainders go to the lower index, where their floats are equal too: those of 153.6 and 881.6 differ in the
    last digits, which decide.

    >>> apportion(10, [0.55, 0.25, 0.2]).tolist()
    [6, 2, 2]
    """
    import numpy as np

    # Rounding guards against 2.9999999999 being read as 2 with a large remainder. Plain floats: there are a few groups,
    # and a phase diagram asks tens of thousands of times.
    exact = [round(total * float(share) * 1e9) / 1e9 for share in np.asarray(proportions, dtype=np.float64)]
    counts = [int(share // 1) for share in exact]
    order = sorted(range(len(exact)), key=lambda group: counts[group] - exact[group])
    for group in order[: total - sum(counts)]:
        counts[group] += 1
    return np.array(counts, dtype=np.int64)
