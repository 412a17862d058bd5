"""Weights that are made while a sample is fitted, row by row: see `llrsim.reweighting` for the rules."""

from math import exp

import numpy as np

from .._jit import kernel, private
from ..losses import LOGISTIC, slope, value
from ..reweighting import Rule
from .passes import inner

# Plain integers for kernels.
CONFIDENCE, LOSS, DISAGREEMENT, MASS, WORST = (int(rule) for rule in Rule)


@kernel
def reweigh(rule, strength, y, first, second, weight):
    """Write the weights (n,), summing to one, of rows with labels y (n,) and scores f of the heads (n,) each.

    For the rules that score rows. Classes without a row selected leave their mass to the other.
    """
    n = y.size
    if n == 0:
        return
    if rule == CONFIDENCE:
        least = 1.0
        for i in range(n):
            # P(true class) = sigmoid(y f) = 1 + l'(y f) of the logistic loss.
            weight[i] = 1.0 + slope(LOGISTIC, y[i] * first[i])
            least = min(least, weight[i])
        for i in range(n):
            # Relative to the largest weight, so that a large gamma leaves some.
            weight[i] = exp(-strength * (weight[i] - least))
    else:
        for i in range(n):
            weight[i] = -y[i] * first[i] if rule == LOSS else _divergence(first[i], second[i])
        kept = _largest(weight.copy(), min(int(strength), n))
        for i in range(n):
            weight[i] = 1.0 if weight[i] >= kept else 0.0
    rows, total = np.zeros(2), 0.0
    for i in range(n):
        # Rows of AFR's class; those selected of SELF's.
        rows[int(y[i] > 0.0)] += 1.0 if rule == CONFIDENCE or weight[i] > 0.0 else 0.0
    for i in range(n):
        if weight[i] > 0.0:
            weight[i] /= rows[int(y[i] > 0.0)]
            total += weight[i]
    for i in range(n):
        weight[i] /= total


@private
def _largest(values, k):
    """The k-th largest of the values (n,), 1 <= k <= n, which are reordered: Hoare's selection."""
    target, low, high = values.size - k, 0, values.size - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if target <= j:
            high = j
        elif target >= i:
            low = i
        else:
            break
    return values[target]


@private
def _divergence(f, g):
    """Kullback-Leibler divergence of Bernoulli(sigmoid(g)) from Bernoulli(sigmoid(f)), in nats."""
    positive = 1.0 + slope(LOGISTIC, f)
    return positive * (value(LOGISTIC, g) - value(LOGISTIC, f)) + (1.0 - positive) * (
        value(LOGISTIC, -g) - value(LOGISTIC, -f)
    )


@private
def score(X, w, out):
    """The logits of a head at every row."""
    for i in range(out.size):
        out[i] = inner(X[i], w)


@private
def match(group, used, mass, c):
    """Weights that give each group this mass, the same for all of its rows; groups without rows leave theirs."""
    total, rows = 0.0, np.zeros(mass.size)
    for b in range(used.size):
        rows[group[b]] += used[b]
    for g in range(mass.size):
        total += mass[g] if rows[g] > 0.0 else 0.0
    i = 0
    for b in range(used.size):
        for _ in range(used[b]):
            c[i] = mass[group[b]] / (rows[group[b]] * total)
            i += 1


@private
def tell(group, used, c, mass, share):
    """The mass of each group under the weights c, and its share of the rows that have weight."""
    kept, i = 0, 0
    for g in range(mass.size):
        mass[g] = share[g] = 0.0
    for b in range(used.size):
        for _ in range(used[b]):
            mass[group[b]] += c[i]
            if c[i] > 0.0:
                share[group[b]] += 1.0
                kept += 1
            i += 1
    for g in range(share.size):
        share[g] /= max(1, kept)


@private
def by_rows(values, used, out):
    """The value of each row's section."""
    i = 0
    for b in range(used.size):
        for _ in range(used[b]):
            out[i] = values[b]
            i += 1
