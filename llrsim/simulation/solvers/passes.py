"""Fused passes over the rows: all that a smooth solver asks of the data, reading the design from memory once.

A pass takes a stretch of rows at a time: their dots with the head, eight rows abreast, then one scalar a row, then the
rows times those scalars, while the rows are still in the cache. The plain pair `X @ w`, `X.T @ r` reads the design
twice.

The objective, here and in every solver of this folder, is

    F(w) = sum_i c_i l(y_i x_i.w - shift_i) + 1/2 sum_j P_j (w_j - w0_j)^2

with design X (n, p) C-contiguous, labels y (n,) of ±1, weights c (n,) >= 0, penalty P (p,) >= 0, centre w0 (p,). The
shifts (n,) are zero but for adjusted logits.
"""

import numpy as np

from ..._jit import kernel, reduction
from ...model.losses import slopes

ABREAST = 8  # rows whose dots are summed side by side: as many as there are registers for
STRETCH = 32  # rows at most between the two uses of a row: their slopes make one vectorised loop
NEAR = 3300  # numbers that the first-level cache holds


@reduction
def inner(a, b):
    """a.b, vectorised; in the precision of a."""
    total = a.dtype.type(0)
    for q in range(a.size):
        total += a[q] * b[q]
    return total


@reduction
def dots(X, at, v, out, k):
    """out[k : k + 8] = dots of the rows at[k : k + 8] of X with v."""
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = X.dtype.type(0)
    i0, i1, i2, i3, i4, i5, i6, i7 = at[k], at[k + 1], at[k + 2], at[k + 3], at[k + 4], at[k + 5], at[k + 6], at[k + 7]
    for q in range(v.size):
        t = v[q]
        s0 += X[i0, q] * t
        s1 += X[i1, q] * t
        s2 += X[i2, q] * t
        s3 += X[i3, q] * t
        s4 += X[i4, q] * t
        s5 += X[i5, q] * t
        s6 += X[i6, q] * t
        s7 += X[i7, q] * t
    out[k], out[k + 1], out[k + 2], out[k + 3] = s0, s1, s2, s3
    out[k + 4], out[k + 5], out[k + 6], out[k + 7] = s4, s5, s6, s7


@reduction
def add_rows(X, at, scales, k, out):
    """Add the rows at[k : k + 8] of X times scales[k : k + 8] to out (p,)."""
    i0, i1, i2, i3, i4, i5, i6, i7 = at[k], at[k + 1], at[k + 2], at[k + 3], at[k + 4], at[k + 5], at[k + 6], at[k + 7]
    s0, s1, s2, s3, s4 = scales[k], scales[k + 1], scales[k + 2], scales[k + 3], scales[k + 4]
    s5, s6, s7 = scales[k + 5], scales[k + 6], scales[k + 7]
    for q in range(out.size):
        low = s0 * X[i0, q] + s1 * X[i1, q] + s2 * X[i2, q] + s3 * X[i3, q]
        out[q] += low + s4 * X[i4, q] + s5 * X[i5, q] + s6 * X[i6, q] + s7 * X[i7, q]


@kernel
def gradient(loss, X, y, c, shift, penalty, centre, w, margins, pulls, grad):
    """Write the objective's gradient at w into `grad` (p,), the margins m_i = y_i x_i.w - shift_i into `margins` (n,)
    and their slopes l'(m_i) into `pulls` (n,).

    Any loss code with a slope will do (HINGE gives the subgradient with slope 0 at the kink). A NaN in a row of X,
    even in one of weight zero, reaches the gradient. The objective itself is not computed: few need it, and its
    logarithm costs as much as all the rest of a short row.
    """
    n, p = X.shape
    for q in range(p):
        grad[q] = penalty[q] * (w[q] - centre[q])
    at, block = np.empty(STRETCH, np.intp), np.empty(STRETCH)
    stretch = STRETCH
    while stretch > ABREAST and stretch * p > NEAR:
        stretch //= 2
    for first in range(0, n, stretch):
        last = min(first + stretch, n)
        # Rows beyond the last repeat it with scale zero instead of having code of their own.
        for r in range(STRETCH):
            at[r] = min(first + r, n - 1)
        for k in range(0, last - first, ABREAST):
            dots(X, at, w, block, k)
        for i in range(first, last):
            margins[i] = y[i] * block[i - first] - shift[i]
        slopes(loss, margins, first, last, pulls)
        for r in range(STRETCH):
            block[r] = 0.0
        for i in range(first, last):
            block[i - first] = c[i] * pulls[i] * y[i]
        for k in range(0, last - first, ABREAST):
            add_rows(X, at, block, k, grad)


@kernel
def curvature_product(X, rows, weights, v, penalty, out):
    """out = sum_k weights[k] x_r (x_r.v) + penalty * v over the rows r = rows[k]; all arrays of X's dtype.

    With `rows` (k,) those that bend and `weights` (k,) their c_i l''(m_i), this is the Hessian of the objective times
    v (p,).
    """
    count = rows.size
    for q in range(v.size):
        out[q] = penalty[q] * v[q]
    at, block = np.empty(ABREAST, np.intp), np.empty(ABREAST, X.dtype)
    for first in range(0, count, ABREAST):
        for r in range(ABREAST):
            at[r] = rows[min(first + r, count - 1)]
        dots(X, at, v, block, 0)
        for r in range(ABREAST):
            block[r] = block[r] * weights[first + r] if first + r < count else X.dtype.type(0)
        add_rows(X, at, block, 0, out)
