"""The lazy simulator's algorithm in plain NumPy, for logistic descent on all replicates at once; it imports nothing.

Its `mistake`, if any, is what the tests of laws have to see.
"""

import numpy as np

MISTAKES = ("a degree too few", "images that keep what was known", "answers along what was asked")


def descents(random, replicates, *, rows, labels, means, roots, sigma, dim, ridge, steps, step_size, mistake=None):
    """(replicates, steps, k + 2) u, b and |v| after each step of descent from zero with equal weights."""
    section = np.repeat(np.arange(len(rows)), rows)
    n, k, y = len(section), means.shape[1], labels[section]
    drawn = random.standard_normal((replicates, n, k))
    signal = y[:, None] * (means[section] + np.einsum("nij,rnj->rni", roots[section], drawn))
    signal = np.concatenate([signal, np.broadcast_to(y[:, None], (replicates, n, 1))], axis=2)
    asked, images = np.zeros((replicates, n, 0)), np.zeros((replicates, n, 0))
    u, v, heads = np.zeros((replicates, k + 1)), np.zeros((replicates, 0)), []
    free = np.append(np.full(k, ridge), 0.0)
    for _ in range(steps):
        margins = np.einsum("rnk,rk->rn", signal, u) + sigma[section] * np.einsum("rnj,rj->rn", images, v)
        residual = -1 / (1 + np.exp(margins)) / n
        query = sigma[section] * residual
        rest = query - project(asked, query)
        rest -= project(asked, rest)
        known = query - rest if mistake == MISTAKES[2] else query
        slope = np.einsum("rnj,rn->rj", images, known)
        revealed = images.shape[2]
        if revealed < dim and asked.shape[2] < n:
            length = np.linalg.norm(rest, axis=1)
            unit = rest / length[:, None]
            degrees = dim - revealed - (mistake == MISTAKES[0])
            chi = np.linalg.norm(random.standard_normal((replicates, degrees)), axis=1)
            fresh = random.standard_normal((replicates, n))
            asked = np.concatenate([asked, unit[:, :, None]], axis=2)
            cleared = 0.0 if mistake == MISTAKES[1] else project(asked, fresh)
            images = np.concatenate([images, (chi[:, None] * unit + fresh - cleared)[:, :, None]], axis=2)
            slope = np.column_stack([slope, length * chi])
            v = np.column_stack([v, np.zeros(replicates)])
        u = u - step_size * (np.einsum("rnk,rn->rk", signal, residual) + free * u)
        v = v - step_size * (slope + ridge * v)
        heads.append(np.column_stack([u, np.linalg.norm(v, axis=1)]))
    return np.stack(heads, axis=1)


def project(basis, vector):
    """The part of each replicate's vector (n,) in the span of its orthonormal columns (n, L)."""
    return np.einsum("rnl,rl->rn", basis, np.einsum("rnl,rn->rl", basis, vector))
