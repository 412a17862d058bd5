"""The collapse map (T4): features pulled towards the training class means, as neural collapse does.

    x' = mbar_y + tau_a (m_g - mbar_y) + tau_n (x - m_g)

with mbar_y the class mean of the *training* law under the *training* proportions, whichever sample is collapsed.
tau_a scales what tells the attributes of a class apart, tau_n the spread inside a group: 1 leaves features untouched,
0 collapses them. Kinds: *class collapse* (tau_a = tau_n), *group collapse* (tau_a = 1), *minority collapse* (tau < 1
in the minority groups only). After Papyan, Han & Donoho (2020), as a family that keeps the features Gaussian.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from .._arguments import checked_array, checked_reals, require_type
from .mixture import Array, GroupMixture


def class_centres(training: GroupMixture) -> Array:
    """(G, k) mean of each group's class under the training law's own proportions.

    A class without training rows has no centre in the data; the plain average of its group means stands in.
    """
    require_type("training", training, GroupMixture)
    share = training.class_share()
    same_class = training.labels[:, None] == training.labels[None, :]
    weight = same_class * share[None, :]
    empty = weight.sum(axis=1) == 0
    weight[empty] = same_class[empty]
    return (weight / weight.sum(axis=1, keepdims=True)) @ training.means


def collapse(
    mixture: GroupMixture, centres: ArrayLike, *, noise: ArrayLike = 1.0, attribute: ArrayLike = 1.0
) -> GroupMixture:
    """The law of the collapsed features: again a group mixture (T4).

    `centres` (G, k) from `class_centres` of the training law; `noise` (tau_n) and `attribute` (tau_a) are numbers in
    [0, 1] or one per group. Means become mbar_y + tau_a (m_g - mbar_y), covariances tau_n^2 S_g, noise tau_n sigma_g.

    >>> toy = GroupMixture.of(means=[[-3.0], [-1.0], [1.0], [3.0]], covariances=[[1.0]], noise_dim=2)
    >>> squeezed = collapse(toy, class_centres(toy), noise=0.5, attribute=0.1)
    >>> squeezed.means.ravel().tolist(), float(squeezed.noise_std[0])
    ([-2.1, -1.9, 1.9, 2.1], 0.5)
    """
    require_type("mixture", mixture, GroupMixture)
    tau_n, tau_a = (_factors(name, given, mixture) for name, given in (("noise", noise), ("attribute", attribute)))
    centre = checked_array("centres", centres, mixture.means.shape)
    return replace(
        mixture,
        means=centre + tau_a[:, None] * (mixture.means - centre),
        covariances=tau_n[:, None, None] ** 2 * mixture.covariances,
        noise_std=tau_n * mixture.noise_std,
    )


def _factors(name: str, given: ArrayLike, mixture: GroupMixture) -> Array:
    """(G,) collapse factors from one number or one per group."""
    tau, groups = checked_reals(name, given), mixture.group_count
    if tau.shape not in ((), (1,), (groups,)) or not ((tau >= 0) & (tau <= 1)).all():
        raise ValueError(f"{name}: {tau.tolist()}; expected a collapse factor in [0, 1], or {groups} of them")
    return np.broadcast_to(tau, (groups,))
