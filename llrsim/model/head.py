"""The head summary and the one readout that simulation and prediction share.

A head is the logit f(x) = u.s + v.z + b. On a group mixture its accuracies depend only on u, b and the noise scale of
each group, sigma_g q with q^2 = v' diag(e) v (q = |v| for isotropic noise), so they are exact numbers (T0):

    acc_g = Phi( y_g (u.m_g + b) / sqrt(u' S_g u + sigma_g^2 q^2) ).

All arrays may carry leading axes (replicates, steps, cells); the readout broadcasts over them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from .._arguments import checked_reals, require_type
from .mixture import Array, GroupMixture

_PARTS = ("signal", "bias", "noise_norm", "noise_spread")


@dataclass(frozen=True, eq=False)
class Head:
    """Summary of one or many heads, of arrays or what NumPy makes them of; nan marks heads that are not there.

    Attributes:
        signal: (..., k) weights u on the signal coordinates.
        bias: (...,) b.
        noise_norm: (...,) |v|, the norm of the weights on the noise coordinates, at least 0.
        noise_spread: (...,) q = sqrt(v' diag(e) v), at least 0; equals noise_norm when the noise is isotropic.

    Raises ValueError for leading axes that differ and norms below 0, TypeError for entries that are no real numbers.
    """

    signal: Array
    bias: Array
    noise_norm: Array
    noise_spread: Array

    def __post_init__(self) -> None:
        for name in _PARTS:
            object.__setattr__(self, name, checked_reals(name, getattr(self, name)))
        if not self.signal.ndim:
            raise ValueError("signal: a number; expected (..., k) weights on the signal coordinates")
        axes = self.signal.shape[:-1]
        for name in _PARTS[1:]:
            part = getattr(self, name)
            if part.shape != axes:
                raise ValueError(f"{name}: shape {part.shape}; expected {axes}, the leading axes of signal")
            if name != "bias" and (part < 0).any():
                raise ValueError(f"{name}: {np.nanmin(part)}; expected at least 0")

    @classmethod
    def of(cls, signal: ArrayLike, bias: ArrayLike, noise_norm: ArrayLike, noise_spread: ArrayLike | None = None):
        """Build from array-likes; `noise_spread` defaults to `noise_norm` (isotropic noise)."""
        spread = noise_norm if noise_spread is None else noise_spread
        return cls(signal, bias, noise_norm, spread)  # type: ignore[arg-type]

    def __getitem__(self, index) -> Head:
        """The heads at an index of the leading axes."""
        return Head(self.signal[index], self.bias[index], self.noise_norm[index], self.noise_spread[index])

    @property
    def weight_norm(self) -> Array:
        """(...,) |w| = sqrt(|u|^2 + |v|^2), bias excluded."""
        return np.sqrt((self.signal**2).sum(axis=-1) + self.noise_norm**2)

    def noise_scale(self, mixture: GroupMixture) -> Array:
        """(..., G) standard deviation sigma_g q of the logit's noise part in each group."""
        return self.noise_spread[..., None] * mixture.noise_std


def average(heads: Head, gram: ArrayLike, spread_gram: ArrayLike | None = None) -> Head:
    """The mean of A heads given along the last leading axis (..., A).

    The noise parts add as vectors, so their norms do not suffice: `gram` (..., A, A) holds v_i.v_j, and `spread_gram`
    v_i' diag(e) v_j (default `gram`, isotropic noise).
    """
    noise = np.asarray(gram, dtype=np.float64).mean(axis=(-2, -1))
    spread = noise if spread_gram is None else np.asarray(spread_gram, dtype=np.float64).mean(axis=(-2, -1))
    return Head(heads.signal.mean(axis=-2), heads.bias.mean(axis=-1), np.sqrt(noise), np.sqrt(spread))


@dataclass(frozen=True, eq=False)
class Readout:
    """What follows from a head on a test law; every array has the head's leading axes.

    Attributes:
        group_accuracy: (..., G).
        wga: (...,) worst-group accuracy, the least of the G accuracies.
        worst_group: (...,) index of the least accurate group (never the smallest group).
        worst_class_accuracy: (...,) the lesser of the two class accuracies, groups weighted by the test proportions.
        average_accuracy: (...,) mean accuracy under the test proportions.
        spurious_reliance: (...,) u.mu_a / u.mu_y, what the attribute moves the logit by, relative to the class.
        direction_wga: (...,) WGA at the best bias for this direction and noise.
        bias_part: (...,) wga - direction_wga, at most 0: what the threshold costs.
        class_cosine: (...,) cosine between w = (u, v) and the direction of the class, mu_y.
        attribute_cosine: (...,) cosine between w and the direction of the attribute, mu_a; nan where mu_a = 0.
    """

    group_accuracy: Array
    wga: Array
    worst_group: Array
    worst_class_accuracy: Array
    average_accuracy: Array
    spurious_reliance: Array
    direction_wga: Array
    bias_part: Array
    class_cosine: Array
    attribute_cosine: Array


def logit_law(head: Head, mixture: GroupMixture) -> tuple[Array, Array]:
    """Mean, without the bias, and standard deviation of the logit in each group, (..., G) each (T0).

    >>> toy = GroupMixture.of(means=[[-1.0], [-1.0], [1.0], [1.0]], covariances=[[1.0]], noise_dim=9)
    >>> [law.tolist() for law in logit_law(Head.of([3.0], 0.5, 4.0), toy)]
    [[-3.0, -3.0, 3.0, 3.0], [5.0, 5.0, 5.0, 5.0]]
    """
    u, k = head.signal, mixture.signal_dim
    pairs = ((i, j) for i in range(k) for j in range(k))
    variance = sum((u[..., i] * u[..., j])[..., None] * mixture.covariances[:, i, j] for i, j in pairs)
    variance = np.maximum(variance, 0.0) + head.noise_scale(mixture) ** 2
    return _along(u, mixture.means), np.sqrt(variance)


def score(mean: Array, deviation: Array) -> Array:
    """mean / deviation of a logit: Phi of it is the probability that the logit is positive. nan where either is.

    A constant logit (deviation 0) has score +-inf, or 0, a coin toss, at exactly zero.

    >>> score(np.array([1.0, 1.0, 0.0, -1.0]), np.array([2.0, 0.0, 0.0, 0.0])).tolist()
    [0.5, inf, 0.0, -inf]
    """
    constant = np.where(mean == 0, 0.0, np.copysign(np.inf, mean))
    with np.errstate(invalid="ignore"):  # inf / inf of a head that ran off is nan
        return np.divide(mean, deviation, out=constant, where=deviation != 0)


def group_accuracy(head: Head, mixture: GroupMixture) -> Array:
    """(..., G) exact accuracy of each group (T0). A head that is all zeros scores by its bias alone.

    Raises as `read_out`.

    >>> toy = GroupMixture.of(means=[[-1.0], [-1.0], [1.0], [1.0]], covariances=[[1.0]], noise_dim=9)
    >>> group_accuracy(Head.of([1.0], 0.0, 0.0), toy).round(6).tolist()
    [0.841345, 0.841345, 0.841345, 0.841345]
    """
    _require_signal(head, mixture)
    logit, deviation = logit_law(head, mixture)
    return ndtr(score(mixture.labels * (logit + head.bias[..., None]), deviation))


def read_out(head: Head, mixture: GroupMixture) -> Readout:
    """Everything `Readout` lists, on the test law `mixture` (its proportions weigh the averages).

    Raises TypeError for anything but a Head and a GroupMixture, ValueError for a head of other signal coordinates.
    """
    _require_signal(head, mixture)
    logit, deviation = logit_law(head, mixture)
    labels, proportions = mixture.labels, mixture.proportions
    accuracy = ndtr(score(labels * (logit + head.bias[..., None]), deviation))
    wga = accuracy.min(axis=-1)
    effects = np.stack(mixture.effects())
    class_shift, attribute_shift = np.moveaxis(_along(head.signal, effects), -1, 0)
    class_norm, attribute_norm = np.linalg.norm(effects, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        reliance = attribute_shift / class_shift
        class_cosine = class_shift / (head.weight_norm * class_norm)
        attribute_cosine = attribute_shift / (head.weight_norm * attribute_norm)
    direction = _wga_at_best_bias(logit, deviation, labels)
    return Readout(
        group_accuracy=accuracy,
        wga=wga,
        worst_group=accuracy.argmin(axis=-1),
        worst_class_accuracy=worst_class_accuracy(accuracy, mixture),
        average_accuracy=(accuracy * proportions).sum(axis=-1),
        spurious_reliance=reliance,
        direction_wga=direction,
        bias_part=wga - direction,
        class_cosine=class_cosine,
        attribute_cosine=attribute_cosine,
    )


def _require_signal(head: Head, mixture: GroupMixture) -> None:
    require_type("head", head, Head)
    require_type("mixture", mixture, GroupMixture)
    if head.signal.shape[-1] != mixture.signal_dim:
        raise ValueError(
            f"head: {head.signal.shape[-1]} signal coordinates; expected {mixture.signal_dim}, those of the mixture"
        )


def worst_class_accuracy(group_accuracy: Array, mixture: GroupMixture) -> Array:
    """(...,) the lesser of the accuracies of the classes that have a share, from those of the groups (..., G)."""
    share, labels = mixture.class_share(), mixture.labels
    present = [y for y in (-1.0, 1.0) if mixture.proportions[labels == y].sum() > 0]
    return np.minimum.reduce([(group_accuracy * np.where(labels == y, share, 0.0)).sum(axis=-1) for y in present])


def _along(signal: Array, vectors: Array) -> Array:
    """(..., G) inner products of u with each row of (G, k).

    Summed coordinate by coordinate, not by BLAS: a row's last digit must not depend on how many rows are beside it,
    or results would differ with the batch they were computed in.
    """
    return sum((signal[..., j, None] * vectors[:, j] for j in range(vectors.shape[1])), np.zeros(len(vectors)))


def _wga_at_best_bias(logit: Array, deviation: Array, labels: Array) -> Array:
    """Largest worst-group accuracy over the bias, in closed form.

    A group's score y (logit + b) / deviation is a line in b, rising for y = +1 and falling for y = -1. The maximin of
    such lines is the least, over pairs of one rising and one falling line, of the value where the two cross.
    """
    rise, fall = labels > 0, labels < 0
    if not (rise.any() and fall.any()):
        return np.ones(logit.shape[:-1])
    gap = logit[..., rise, None] - logit[..., None, fall]
    spread = deviation[..., rise, None] + deviation[..., None, fall]
    return ndtr(score(gap, spread)).min(axis=(-2, -1))
