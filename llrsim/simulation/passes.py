"""Fused passes over the rows: all that a smooth solver asks of the data, reading the design once.

A pass takes four rows at a time: their dots with the head, then one scalar a row, then the rows times those scalars,
while the rows are still in the first-level cache. The plain pair `X @ w`, `X.T @ r` reads the design twice.

The objective, here and in every solver of this folder, is

    F(w) = sum_i c_i l(y_i x_i.w) + 1/2 sum_j P_j (w_j - w0_j)^2

with design X (n, p) C-contiguous, labels y (n,) of ±1, weights c (n,) >= 0, penalty P (p,) >= 0, centre w0 (p,).
"""

import numpy as np

from .._jit import kernel, reduction
from ..losses import slope


@reduction
def inner(a, b):
    """a.b, vectorised; in the precision of a."""
    total = a.dtype.type(0)
    for q in range(a.size):
        total += a[q] * b[q]
    return total


@reduction
def dots(X, i, j, k, h, v, block):
    """Write the dots of rows i, j, k, h of X with v into block (4,)."""
    a = b = c = d = X.dtype.type(0)
    for q in range(v.size):
        t = v[q]
        a += X[i, q] * t
        b += X[j, q] * t
        c += X[k, q] * t
        d += X[h, q] * t
    block[0], block[1], block[2], block[3] = a, b, c, d


@reduction
def add_rows(X, i, j, k, h, block, out):
    """Add rows i, j, k, h of X times the four scalars in block to out."""
    a, b, c, d = block[0], block[1], block[2], block[3]
    for q in range(out.size):
        out[q] += a * X[i, q] + b * X[j, q] + c * X[k, q] + d * X[h, q]


@kernel
def gradient(loss, X, y, c, penalty, centre, w, margins, grad):
    """Write the objective's gradient at w into `grad` (p,) and the margins y_i x_i.w into `margins` (n,).

    Any loss code with a slope will do (HINGE gives the subgradient with slope 0 at the kink). A NaN in a row of X,
    even in one of weight zero, reaches the gradient. The objective itself is not computed: few need it, and its
    logarithm costs as much as all the rest of a short row.
    """
    n, p = X.shape
    for q in range(p):
        grad[q] = penalty[q] * (w[q] - centre[q])
    block = np.empty(4)
    for i in range(0, n, 4):
        # The last block repeats its first row with scale zero instead of having code of its own.
        j, k, h = i + 1 if i + 1 < n else i, i + 2 if i + 2 < n else i, i + 3 if i + 3 < n else i
        dots(X, i, j, k, h, w, block)
        for r in range(4):
            if i + r < n:
                m = y[i + r] * block[r]
                margins[i + r] = m
                block[r] = c[i + r] * slope(loss, m) * y[i + r]
            else:
                block[r] = 0.0
        add_rows(X, i, j, k, h, block, grad)


@kernel
def curvature_product(X, rows, weights, v, penalty, out):
    """out = sum_k weights[k] x_r (x_r.v) + penalty * v over the rows r = rows[k]; all arrays of X's dtype.

    With `rows` (k,) those that bend and `weights` (k,) their c_i l''(m_i), this is the Hessian of the objective times
    v (p,).
    """
    count = rows.size
    for q in range(v.size):
        out[q] = penalty[q] * v[q]
    block = np.empty(4, X.dtype)
    for s in range(0, count, 4):
        i = rows[s]
        j = rows[s + 1] if s + 1 < count else i
        k = rows[s + 2] if s + 2 < count else i
        h = rows[s + 3] if s + 3 < count else i
        dots(X, i, j, k, h, v, block)
        for r in range(4):
            block[r] = block[r] * weights[s + r] if s + r < count else X.dtype.type(0)
        add_rows(X, i, j, k, h, block, out)
