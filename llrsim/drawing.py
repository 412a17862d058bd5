"""Drawing samples of a group mixture: standard normals from a keyed stream, then scale and shift by group.

The random numbers depend on (root, role, replicate, group) only; the law enters through `SampleLaw` afterwards. So
two laws at equal noise dimension see the same Gaussians, and a group with more rows extends one with fewer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ._jit import kernel
from .stream import Role, fill_normal, key, root_key

if TYPE_CHECKING:
    from .mixture import Array, GroupMixture


class SampleLaw(NamedTuple):
    """A group mixture as kernels need it; `factors` (G, k, k) satisfy F F' = S_g."""

    labels: Array
    means: Array
    factors: Array
    noise_scale: Array  # (G,) sigma_g
    spectrum_root: Array  # (d,) sqrt(e_j)


def sample_law(mixture: GroupMixture) -> SampleLaw:
    """The kernel form of a mixture.

    The factor is the symmetric square root: unlike Cholesky's it exists for singular S_g (full collapse), and it
    varies continuously with S_g, so that paired cells stay paired.
    """
    values, vectors = np.linalg.eigh(mixture.covariances)
    roots = np.sqrt(np.maximum(values, 0.0))
    factors = np.einsum("gij,gj,gkj->gik", vectors, roots, vectors)
    return SampleLaw(
        mixture.labels,
        np.ascontiguousarray(mixture.means),
        np.ascontiguousarray(factors),
        np.ascontiguousarray(mixture.noise_std),
        np.sqrt(mixture.spectrum),
    )


@kernel
def draw(state, root, role, replicate, law, counts, X, y):
    """Fill the design X (n, k + d + 1), columns signal, noise, ones, and the labels y (n,); rows ordered by group."""
    groups, k = law.means.shape
    d = law.spectrum_root.shape[0]
    signal = np.empty(k)
    row = 0
    for g in range(groups):
        key(state, root, role, replicate, g)
        last = row + counts[g]
        fill_normal(state, X[row:last, : k + d])
        for i in range(row, last):
            for j in range(k):
                signal[j] = law.means[g, j]
                for h in range(k):
                    signal[j] += law.factors[g, j, h] * X[i, h]
            for j in range(k):
                X[i, j] = signal[j]
            for j in range(d):
                X[i, k + j] *= law.noise_scale[g] * law.spectrum_root[j]
            X[i, k + d] = 1.0
            y[i] = law.labels[g]
        row = last


def draw_sample(mixture: GroupMixture, counts: np.ndarray, seed: int) -> tuple[Array, Array, Array]:
    """Features (n, k + d), labels (n,) and attributes (n,) of one sample, rows ordered by group."""
    n, p = int(counts.sum()), mixture.signal_dim + mixture.noise_dim
    design, labels = np.empty((n, p + 1)), np.empty(n)
    draw(np.empty(4, np.uint64), root_key(seed), int(Role.SAMPLE), 0, sample_law(mixture), counts, design, labels)
    return design[:, :p].copy(), labels, np.repeat(mixture.attributes, counts)
