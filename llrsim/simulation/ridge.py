"""Exact fit for the squared loss: one triangular factor, then refinement on the true gradient.

The Hessian is H = B'B + diag(P) with B the rows times sqrt(c). Where rows are at least as many as columns, H itself is
factorised (primal). Else (dual) the factorised matrix is

    [[I + B D B', B_U], [B_U', 0]]

of order n + |U|, with U the free columns (P = 0: the bias) and D = 1/P on the others, 0 on U: free columns are exact.
"""

from math import inf, isfinite, nan, sqrt

import numpy as np

from .._jit import kernel, private
from ..status import CONVERGED, EMPTY, NOT_CONVERGED, SEPARABLE
from .passes import gradient, inner
from .semidefinite import PANEL, add_gram, factorise, solve

TOLERANCE = 1e-10  # relative gradient at which refinement stops
REFINEMENTS = 20


@kernel
def ridge(how, X, y, c, shift, penalty, centre, w, single, stream, path, path_w):
    """Minimise the squared-loss objective of `passes` into w; returns (status, relative gradient, iterations).

    `how.loss` is SQUARED; w is only written, and what only others need is not read. The relative gradient is
    |grad F(w)| over |grad F(0)| (over 1 if that is 0). Statuses: CONVERGED: relative gradient <= 1e-10. NOT_CONVERGED:
    rounding stands in the way, or a NaN. EMPTY: no row has weight. SEPARABLE: nothing is penalised and the rows with
    weight are fewer than the columns, so that many heads interpolate.
    """
    n, p = X.shape
    root, free = np.empty(n), np.empty(p, np.intp)
    count, free_count = 0, 0
    for i in range(n):
        root[i] = sqrt(c[i])
        count += c[i] > 0.0
    for q in range(p):
        w[q] = 0.0
        if penalty[q] == 0.0:
            free[free_count] = q
            free_count += 1
    free = free[:free_count]
    if count == 0:
        return EMPTY, nan, 0
    if free_count == p and count < p:
        return SEPARABLE, nan, 0

    dual = p > n
    positive = n if dual else p
    order = n + free_count if dual else p
    factor, panel = np.empty((order, order)), np.empty((positive, PANEL))
    margins, pulls, grad, scratch = np.empty(n), np.empty(n), np.empty(p), np.empty(order)
    reference, iteration, status = 1.0, 0, CONVERGED
    while True:
        gradient(how.loss, X, y, c, shift, penalty, centre, w, margins, pulls, grad)
        size = sqrt(inner(grad, grad))
        if iteration == 0 and size > 0.0:
            reference = size
        if size <= TOLERANCE * reference < inf:
            break
        if iteration == REFINEMENTS or not isfinite(size):
            status = NOT_CONVERGED
            break
        if iteration == 0:
            _assemble(X, root, penalty, free, panel, factor)
            factorise(factor, positive)
        if dual:
            _solve_dual(X, root, penalty, free, factor, scratch, grad)
        else:
            solve(factor, positive, grad)
        for q in range(p):
            w[q] -= grad[q]
        iteration += 1
    return status, size / reference, iteration


@private
def _assemble(X, root, penalty, free, panel, A):
    """Write the matrix to factorise (module docstring) into A; `panel` (positive, PANEL) is scratch."""
    n, p = X.shape
    positive = panel.shape[0]
    dual = p > n
    for i in range(A.shape[0]):
        for j in range(i):
            A[i, j] = root[j] * X[j, free[i - n]] if dual and j < n <= i else 0.0
        if dual:
            A[i, i] = 1.0 if i < n else 0.0
        else:
            A[i, i] = penalty[i]
    for start in range(0, p if dual else n, PANEL):
        for k in range(start, start + PANEL):
            if dual:
                scale = 1.0 / sqrt(penalty[k]) if k < p and penalty[k] > 0.0 else 0.0
                for i in range(positive):
                    panel[i, k - start] = root[i] * X[i, k] * scale if scale > 0.0 else 0.0
            else:
                for q in range(positive):
                    panel[q, k - start] = root[k] * X[k, q] if k < n else 0.0
        add_gram(panel, A)


@private
def _solve_dual(X, root, penalty, free, factor, beta, g):
    """Overwrite g (p,) with H^-1 g; `beta` (n + |U|,) is scratch.

    With beta the image of the solution x: (I + B D B') beta - B_U x_U = B D g, B_U' beta = g_U, and
    x = D (g - B' beta) on the penalised columns.
    """
    n, p = X.shape
    for u in range(free.size):
        beta[n + u] = g[free[u]]
    for i in range(n):
        beta[i] = 0.0
        for q in range(p):
            if penalty[q] > 0.0:
                beta[i] += root[i] * X[i, q] * g[q] / penalty[q]
    solve(factor, n, beta)
    for i in range(n):
        for q in range(p):
            g[q] -= root[i] * X[i, q] * beta[i]
    for q in range(p):
        g[q] = g[q] / penalty[q] if penalty[q] > 0.0 else 0.0
    for u in range(free.size):
        g[free[u]] = -beta[n + u]
