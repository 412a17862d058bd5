"""How a head agrees with the class means of its features: NC3 and NC4 (Papyan, Han & Donoho 2020), exactly.

A binary head is one logit f(x) = w.x + b, the difference of two softmax rows +-w/2: each unit of class y gets the row
y w / 2. At group level every group is given the row of its class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import owens_t

from .._arguments import checked_array, checked_number, require_type
from .head import Head, logit_law, score
from .mixture import Array, GroupMixture
from .neural_collapse import Level, Units, units_of_data, units_of_mixture


@dataclass(frozen=True, eq=False)
class Duality:
    """Alignment of heads with class means; arrays carry the head's leading axes.

    Attributes:
        nc3: |W/|W| - M/|M|| in Frobenius norms, W (C, p) the head's rows and M (C, p) the unit means about their plain
            average; from 0 (dual) to 2 (opposite). Invariant to the scale of head and features.
        nc4: rate, in [0, 1], at which the sign of f and the nearest *class* mean disagree, over the rows of the data or
            the law of the mixture (its own proportions).
    """

    nc3: Array
    nc4: Array


def from_mixture(head: Head, mixture: GroupMixture, level: Level = "class") -> Duality:
    """NC3 and NC4 of heads on a mixture, exact: NC4 sums orthant probabilities of two correlated normals per group.

    `level` chooses the means of NC3; NC4 is always against class means, for a head decides between classes. Raises
    ValueError for a head without weights, and as `units_of_mixture` does.

    >>> toy = GroupMixture.of(means=[[-1.0], [-1.0], [1.0], [1.0]], covariances=[[1.0]], noise_dim=9)
    >>> found = from_mixture(Head.of([[3.0], [1.0]], [0.0, 0.0], [0.0, 1.0]), toy)
    >>> found.nc3.round(6).tolist(), found.nc4.round(6).tolist()
    ([0.0, 0.765367], [0.0, 0.18227])
    """
    require_type("head", head, Head)
    require_type("mixture", mixture, GroupMixture)
    if head.signal.shape[-1] != mixture.signal_dim:
        raise ValueError(f"head: {head.signal.shape[-1]} signal coordinates; expected {mixture.signal_dim}")
    norm = head.weight_norm[..., None]
    _require_weights(norm)
    gap = _row_gap(head.signal / norm, units_of_mixture(mixture, level))
    # The noise part of every row is v / |w|, the means have none there.
    nc3 = np.sqrt((gap**2).sum(axis=(-2, -1)) + (head.noise_norm / norm[..., 0]) ** 2)
    return Duality(nc3=nc3, nc4=_disagreement(head, mixture) @ mixture.proportions)


def from_data(
    features: ArrayLike, labels: ArrayLike, weights: ArrayLike, bias: float, *, units: ArrayLike | None = None
) -> Duality:
    """NC3 and NC4 of one head (weights (p,), bias) on features (n, p) with labels (n,) of -1 and +1; NC4 is counted.

    `units` (n,), by default the labels, chooses the means of NC3; every unit must lie inside one class. Raises
    ValueError for a head without weights, a unit across classes, and as `units_of_data` does.

    >>> found = from_data([[-2.0, 1.0], [-2.0, -1.0], [2.0, 1.0], [2.0, -1.0]], [-1, -1, 1, 1], [1.0, 1.0], 1.5)
    >>> found.nc3.round(6).tolist(), found.nc4.tolist()
    (0.765367, 0.25)
    """
    x = checked_array("features", features, ("n", "p"))
    y = checked_array("labels", labels, x.shape[:1])
    w, bias = checked_array("weights", weights, x.shape[1:]), checked_number("bias", bias)
    classes = units_of_data(x, y, expected=(-1.0, 1.0))
    if len(classes.labels) > 2:
        raise ValueError(f"labels: {classes.labels.tolist()}; expected -1 or +1")
    chosen = classes if units is None else units_of_data(x, units, labels=y)
    if units is not None:
        for name, label in zip(chosen.names, chosen.labels, strict=True):
            if (y[np.asarray(units).astype(str) == name] != label).any():
                raise ValueError(f"unit {name}: rows of both classes; every unit must lie inside one")
    norm = np.linalg.norm(w)
    _require_weights(norm)
    gap = _row_gap(w / norm, chosen)
    direction, middle = _nearest_mean_rule(classes)
    disagree = (x @ w + bias > 0) != (x @ direction > middle)
    return Duality(nc3=np.sqrt((gap**2).sum()), nc4=disagree.mean())


def _require_weights(norm: ArrayLike) -> None:
    if not np.all(np.asarray(norm) > 0):
        raise ValueError("head: all weights are zero; NC3 needs a direction")


def _row_gap(direction: Array, units: Units) -> Array:
    """(..., C, p) normalised head rows minus normalised means, for unit `direction` (..., p)."""
    rows = direction[..., None, :] * units.labels[:, None] / np.sqrt(len(units.labels))
    return rows - units.centred / np.linalg.norm(units.centred)


def _nearest_mean_rule(classes: Units) -> tuple[Array, float]:
    """The rule `direction.x > middle` that picks class +1 when its mean is nearer."""
    lower, upper = classes.means
    return upper - lower, float((upper @ upper - lower @ lower) / 2)


def _disagreement(head: Head, mixture: GroupMixture) -> Array:
    """(..., G) probability that f and the nearest-class-mean logit h = direction.s - middle differ in sign.

    With standardised means a of f and c of h, correlation r and t = sqrt(1 - r^2), Owen's T function (Owen 1956) gives
    P(f > 0) + P(h > 0) - 2 P(f > 0, h > 0) = 2 T(a, (c/a - r)/t) + 2 T(c, (a/c - r)/t) + [a c < 0], the normal
    distribution functions cancelling.
    """
    direction, middle = _nearest_mean_rule(units_of_mixture(mixture, "class"))
    u, covariances = head.signal, mixture.covariances
    mean_f, deviation_f = logit_law(head, mixture)
    variance_h = np.einsum("i,gij,j->g", direction, covariances, direction)
    shared = np.einsum("...i,gij,j->...g", u, covariances, direction)
    slope = np.divide(shared, variance_h, out=np.zeros_like(shared), where=variance_h > 0)
    rest = u[..., None, :] - slope[..., None] * direction
    # 1 - r^2 from the residual of f on h: subtracting would leave 1e-8 of noise in the rate of a nearly dual head.
    residual = np.maximum(np.einsum("...gi,gij,...gj->...g", rest, covariances, rest), 0.0)
    residual += head.noise_scale(mixture) ** 2
    deviation_h = np.sqrt(variance_h)
    a = score(mean_f + head.bias[..., None], deviation_f)
    c = score(mixture.means @ direction - middle, deviation_h)
    scale = deviation_f * deviation_h
    r = np.divide(shared, scale, out=np.zeros_like(shared), where=scale > 0)
    t = np.divide(np.sqrt(residual), deviation_f, out=np.ones_like(shared), where=deviation_f > 0)
    sign_a, sign_c = np.sign(a), np.sign(c)
    opposite = (sign_a * sign_c < 0) | ((sign_a * sign_c == 0) & (sign_a + sign_c < 0))
    return 2 * (_owen(a, c, r, t) + _owen(c, a, r, t)) + opposite


def _owen(a: Array, c: Array, r: Array, t: Array) -> Array:
    """T(a, (c/a - r)/t); c/a is read as 1 at 0/0, which makes the disagreement arccos(r)/pi there."""
    side = np.where(r < 0, -1.0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        # c/a - r around r = +-1: both calls then round alike, and their terms cancel for a dual head.
        ratio = np.where((a == 0) & (c == 0), 1 - side, (c - side * a) / a)
        argument = (ratio + side * t**2 / (1 + np.abs(r))) / t
    # What is still undefined multiplies a vanishing T (a infinite) or cancels between the two calls (t = 0).
    return owens_t(a, np.nan_to_num(argument))
