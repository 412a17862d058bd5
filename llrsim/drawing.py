"""Drawing samples of a group mixture: standard normals from a keyed stream, then scale and shift by group.

The random numbers depend on (root, role, replicate, group) only; the law enters through `SampleLaw` afterwards. So
two laws at equal noise dimension see the same Gaussians, and a group with more rows extends one with fewer.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ._jit import kernel
from .stream import Role, fill_normal, key, root_key


class SampleLaw(NamedTuple):
    """A group mixture as kernels need it; `factors` (G, k, k) satisfy F F' = S_g."""

    labels: np.ndarray  # (G,)
    means: np.ndarray  # (G, k)
    factors: np.ndarray  # (G, k, k)
    noise_scale: np.ndarray  # (G,) sigma_g
    spectrum_root: np.ndarray  # (d,) sqrt(e_j)


def sample_law(
    *, labels: np.ndarray, means: np.ndarray, covariances: np.ndarray, noise_std: np.ndarray, spectrum: np.ndarray
) -> SampleLaw:
    """The kernel form of a mixture's arrays: (G,), (G, k), (G, k, k), (G,) and (d,)."""
    return SampleLaw(
        labels,
        np.ascontiguousarray(means),
        square_roots(covariances),
        np.ascontiguousarray(noise_std),
        np.sqrt(spectrum),
    )


def square_roots(covariances: np.ndarray) -> np.ndarray:
    """(G, k, k) symmetric square roots.

    Unlike Cholesky's factors they exist for singular S_g (full collapse), and they vary continuously with S_g, so that
    paired cells stay paired.
    """
    values, vectors = np.linalg.eigh(covariances)
    roots = np.sqrt(np.maximum(values, 0.0))
    return np.ascontiguousarray(np.einsum("gij,gj,gkj->gik", vectors, roots, vectors))


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
        for i in range(row, last):
            # A row at a time: it is scaled while it is still in the cache.
            fill_normal(state, X[i : i + 1, : k + d])
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


def draw_sample(law: SampleLaw, counts: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, k + d) and labels (n,) of one sample with `counts` (G,) rows, ordered by group."""
    n, p = int(counts.sum()), law.means.shape[1] + len(law.spectrum_root)
    design, labels = np.empty((n, p + 1)), np.empty(n)
    draw(np.empty(4, np.uint64), root_key(seed), int(Role.SAMPLE), 0, law, counts, design, labels)
    return design[:, :p].copy(), labels
