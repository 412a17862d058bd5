"""Experiments that the tests of the lazy simulator share, and tests that two simulators draw heads of one law."""

from itertools import combinations_with_replacement, pairwise

import numpy as np
from scipy import stats

import llrsim
from llrsim.model.plan import plan
from llrsim.simulation import simulate_plan

FEATURES = {
    "core": {"mean": 1.0, "std": 0.6},
    "spurious": {"mean": 1.5, "std": 0.3},
    "noise": {"dim": 20, "std": [1.0, 0.7, 1.2, 0.9]},
}
SHARES = [0.4, 0.1, 0.15, 0.35]
CONSTANT = 1e-6  # what exact fits may differ by where their solution is the same


def experiment(n, d, methods, **changes):
    """`methods` on n training rows in d noise coordinates, noise unequal over the groups."""
    described = {
        "features": FEATURES | {"noise": FEATURES["noise"] | {"dim": d}},
        "train": {"n": n, "proportions": SHARES},
        "head": {"ridge": 0.05},
        "method": methods,
    }
    return llrsim.load(described | changes)


def simulated(described, simulator, replicates, *, seed=0, **how):
    return simulate_plan(plan(described), replicates=replicates, simulator=simulator, seed=seed, jobs=2, **how)


def entries(outcome, *labels):
    """(R, 5 H) u_1, u_2, b, |v| and q of some methods' heads, those of a path before the last one; nan: no head."""
    heads = []
    for label in labels:
        method = outcome[label]
        heads += [method.path.heads[:, s] for s in range(len(method.path.steps))] if method.path else []
        heads.append(method.heads)
    columns = [(*head.signal.T, head.bias, head.noise_norm, head.noise_spread) for head in heads]
    return np.concatenate([np.column_stack(head) for head in columns], axis=1)


def p_value(first, second):
    """The least Bonferroni-corrected p-value of all tests that two sets of `entries` have one law.

    Of each entry by Kolmogorov and Smirnov, of all jointly by `joint_p_value`, and of the share of replicates that have
    a head by Fisher. Entries that are the same in all replicates, as the bias after one step is, have to be equal.
    """
    kept = [~np.isnan(runs).any(axis=1) for runs in (first, second)]
    shares = stats.fisher_exact([[has.sum(), (~has).sum()] for has in kept]).pvalue
    # Entries that take few values, as a bias after few steps, must tie in spite of their rounding.
    first, second = (runs[has].round(9) for runs, has in zip((first, second), kept, strict=True))
    varying = np.flatnonzero(np.ptp(np.concatenate([first, second]), axis=0) > CONSTANT)
    tests = [stats.ks_2samp(first[:, j], second[:, j], method="asymp").pvalue for j in varying]
    p = [shares, *tests]
    if varying.size:
        p.append(joint_p_value(first[:, varying], second[:, varying], varying // 5, varying % 5))
    return min(1.0, min(p) * len(p))


def joint_p_value(first, second, head, place):
    """Hotelling's test of equal first and second moments of normal scores: ranks, so that no tail spoils its law.

    The second moments are the squares and products of the entries of one `head` (C,), and the products of entries in
    the same `place` (C,) of two heads that follow each other.
    """
    scores = stats.norm.ppf(
        (stats.rankdata(np.concatenate([first, second]), axis=0) - 0.5) / (len(first) + len(second))
    )
    following = set(pairwise(np.unique(head)))
    pairs = [
        (i, j)
        for i, j in combinations_with_replacement(range(scores.shape[1]), 2)
        if head[i] == head[j] or (place[i] == place[j] and (head[i], head[j]) in following)
    ]
    moments = np.column_stack([scores, *(scores[:, i] * scores[:, j] for i, j in pairs)])
    a, b = moments[: len(first)], moments[len(first) :]
    freedom = len(a) + len(b) - 2
    pooled = ((len(a) - 1) * np.cov(a.T) + (len(b) - 1) * np.cov(b.T)) / freedom
    values, vectors = np.linalg.eigh(pooled)
    real = values > 1e-9 * values[-1]  # |v| and q have one rank where there is one eigenvalue
    gap = (a.mean(axis=0) - b.mean(axis=0)) @ vectors[:, real] / np.sqrt(values[real])
    square, size = len(a) * len(b) / (len(a) + len(b)) * (gap @ gap), np.count_nonzero(real)
    return stats.f.sf(square * (freedom - size + 1) / (freedom * size), size, freedom - size + 1)
