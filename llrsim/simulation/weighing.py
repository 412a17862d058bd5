"""Weights that the dense engine makes while it runs, row by row: see `llrsim.reweighting` for the rules."""

import numpy as np

from .._jit import private
from .passes import inner


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
    mass[:] = 0.0
    share[:] = 0.0
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
