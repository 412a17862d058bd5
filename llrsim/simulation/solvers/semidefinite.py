"""Gram matrices, and triangular factors that take singular and bordered matrices.

Written out rather than taken from LAPACK because that raises on a zero pivot. Here a pivot lost to rounding drops its
coordinate, so that a consistent singular system gets a solution, with that coordinate zero. Only lower triangles are
read and written.
"""

from math import sqrt

import numpy as np

from ..._jit import private, reduction
from .passes import ABREAST, dots

PANEL = 128  # columns of a panel: a few hundred rows of it stay in the second-level cache
PIVOT = 1e-13  # a pivot below this fraction of what it is the difference of is rounding


@private
def add_gram(panel, A):
    """A[:m, :m] += panel panel' with panel (m, PANEL); lower triangle only."""
    at, block = np.empty(ABREAST, np.intp), np.empty(ABREAST)
    for i in range(panel.shape[0]):
        for j in range(0, i + 1, ABREAST):
            for r in range(ABREAST):
                at[r] = min(j + r, i)
            dots(panel, at, panel[i], block, 0)
            for r in range(min(ABREAST, i + 1 - j)):
                A[i, j + r] += block[r]


@reduction
def _row_product(A, i, j, start, stop):
    """The sum of A[i, k] A[j, k] over start <= k < stop."""
    total = 0.0
    for k in range(start, stop):
        total += A[i, k] * A[j, k]
    return total


@private
def factorise(A, positive, first=0):
    """Overwrite A (m, m) with L, where A = L S L' and S is +1 on the first `positive` coordinates, -1 on the rest.

    A is [[M, N'], [N, -Q]] with M (positive, positive) and Q positive semidefinite, which needs no pivoting; with
    positive = m this is Cholesky's factor. A dropped coordinate has a zero column in L. Rows before the `first` are
    rows of L already.
    """
    for i in range(first, A.shape[0]):
        for j in range(i + 1):
            lead = j if j < positive else positive
            plus, minus = A[i, j] + _row_product(A, i, j, lead, j), _row_product(A, i, j, 0, lead)
            if j >= positive:
                plus, minus = minus, plus
            if j == i:
                A[i, i] = sqrt(plus - minus) if plus - minus > PIVOT * plus else 0.0
            else:
                A[i, j] = (plus - minus) / A[j, j] if A[j, j] > 0.0 else 0.0


@private
def solve(L, positive, b):
    """Overwrite b (m,) with a solution of A x = b, 0 at dropped coordinates, given the factor of A."""
    m = b.size
    for i in range(m):
        for j in range(i):
            b[i] -= L[i, j] * b[j]
        b[i] = b[i] / L[i, i] if L[i, i] > 0.0 else 0.0
    for i in range(positive, m):
        b[i] = -b[i]
    for i in range(m - 1, -1, -1):
        b[i] = b[i] / L[i, i] if L[i, i] > 0.0 else 0.0
        for j in range(i):
            b[j] -= L[i, j] * b[i]
