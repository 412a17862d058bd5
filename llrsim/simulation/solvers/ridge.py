"""Exact fit for the squared loss: one triangular factor, then refinement on the true gradient.

The Hessian is H = B'B + diag(P) with B the rows times sqrt(c). Where rows are at least as many as columns, H itself is
factorised (primal). Else (dual) the factorised matrix is

    [[I + B D B', B_U], [B_U', 0]]

of order n + |U|, with U the free columns (P = 0: the bias) and D = 1/P on the others, 0 on U: free columns are exact.
Columns far from zero are centred in it (`certificate`): the bias takes up what that does to the solution. With rows
times the root of any curvature these are the factor and the step of `factor_step` too.
"""

from math import inf, isfinite, nan, sqrt

import numpy as np

from ..._jit import kernel, private
from ...model.losses import CONVERGED, EMPTY, IMPRECISE, NOT_CONVERGED, NOT_UNIQUE, SEPARABLE
from .certificate import (
    bias_rounding,
    excess_bound,
    find_offset,
    least_objective,
    plain_size,
    recentre,
    relative_excess,
)
from .passes import gradient, inner
from .semidefinite import PANEL, add_gram, factorise, solve

TOLERANCE, ROUNDED = 1e-10, 1e-9  # the certificate at which refinement stops, and what is enough after all of it
REFINEMENTS = 20


@kernel
def ridge(how, X, y, c, shift, penalty, centre, w, single, stream, path, path_w):
    """Minimise the squared-loss objective of `passes` into w; returns (status, certificate, iterations).

    `how.loss` is SQUARED; w is only written, and what only others need is not read. The certificate is the larger of
    |grad F(w)| over |grad F(0)| (over 1 if that is 0; as given and around the offset of `certificate`) and an upper
    bound of F(w) - min F over F(w). Statuses: CONVERGED: certificate <= 1e-10, or 1e-9 where rounding lets refinement
    do no better. NOT_UNIQUE: so too, but columns depend on each other and have no penalty; w is the head of least norm.
    IMPRECISE: rounding stands in the way. NOT_CONVERGED: a NaN. EMPTY: no row has weight. SEPARABLE: nothing is
    penalised and the rows with weight are fewer than the columns, so that many heads interpolate.
    """
    n, p = X.shape
    root = np.empty(n)
    count, free_count = 0, 0
    for i in range(n):
        root[i] = sqrt(c[i])
        count += c[i] > 0.0
    for q in range(p):
        w[q] = 0.0
        free_count += penalty[q] == 0.0
    if count == 0:
        return EMPTY, nan, 0
    if free_count == p and count < p:
        return SEPARABLE, nan, 0

    factor, panel, free, scratch = hessian_room(n, penalty)
    margins, pulls, grad, step, offset = np.empty(n), np.empty(n), np.empty(p), np.empty(p), np.empty(p)
    find_offset(X, c, penalty, offset)
    reference, iteration, status, spread = 1.0, 0, CONVERGED, 0.0
    plain_reference, relative, excess = 1.0, inf, inf
    while True:
        gradient(how.loss, X, y, c, shift, penalty, centre, w, margins, pulls, grad)
        recentre(offset, grad)
        size = sqrt(inner(grad, grad))
        if iteration == 0 and size > 0.0:
            reference, plain_reference = size, plain_size(offset, grad)
        size = max(size, (plain_size(offset, grad) - bias_rounding(offset, w)) / plain_reference * reference)
        relative = size / reference
        if not isfinite(size + reference):
            return NOT_CONVERGED if iteration == 0 else IMPRECISE, relative, iteration
        if iteration == 0:
            spread = factorise_hessian(X, offset, root, penalty, free, panel, factor)
        limit = TOLERANCE if iteration < REFINEMENTS else ROUNDED
        judged = iteration > 0 and relative <= limit
        objective = least_objective(how.loss, c, penalty, centre, w, pulls) if judged else 0.0
        if judged and (p > n or not complete(factor, free_count == p)):
            bound = excess_bound(how.loss, X[:, p - 1], c, penalty, spread, pulls, grad)
            excess = relative_excess(bound, objective, penalty, centre, w)
            if excess <= limit:
                break
        for q in range(p):
            step[q] = grad[q]
        solve_hessian(X, offset, root, penalty, free, factor, scratch, step)
        if judged and complete(factor, free_count == p):
            excess = relative_excess(0.5 * abs(inner(grad, step)), objective, penalty, centre, w)
            if excess <= limit:
                break
        if iteration == REFINEMENTS:
            status = IMPRECISE
            break
        for q in range(p):
            w[q] -= step[q]
        w[p - 1] += inner(offset, step)
        iteration += 1
    if status == CONVERGED and free_count == p and shorten(factor, offset, w):
        status = NOT_UNIQUE
    return status, max(relative, excess), iteration


@private
def hessian_room(n, penalty):
    """Arrays for a factor of the Hessian of n rows: (factor, panel, free columns, scratch)."""
    p = penalty.size
    free, count = np.empty(p, np.intp), 0
    for q in range(p):
        if penalty[q] == 0.0:
            free[count] = q
            count += 1
    order = n + count if p > n else p
    return np.empty((order, order)), np.empty((min(n, p), PANEL)), free[:count], np.empty(order)


@private
def factorise_hessian(X, offset, root, penalty, free, panel, A):
    """Write the factor of the matrix of the module's docstring into A; returns sum_ij root_i^2 x_ij^2 / P_j.

    `panel` (min(n, p), PANEL) is scratch.
    """
    n, p = X.shape
    positive = panel.shape[0]
    dual = p > n
    b = p - 1
    for i in range(A.shape[0]):
        for j in range(i):
            A[i, j] = 0.0
            if dual and j < n <= i:
                q = free[i - n]
                A[i, j] = root[j] * (X[j, q] - offset[q] * X[j, b])
        if dual:
            A[i, i] = 1.0 if i < n else 0.0
        else:
            A[i, i] = penalty[i]
    for start in range(0, p if dual else n, PANEL):
        for k in range(start, start + PANEL):
            if dual:
                scale = 1.0 / sqrt(penalty[k]) if k < p and penalty[k] > 0.0 else 0.0
                for i in range(positive):
                    x = X[i, k] - offset[k] * X[i, b] if scale > 0.0 else 0.0
                    panel[i, k - start] = root[i] * x * scale
            else:
                scale, bias = (root[k], X[k, b]) if k < n else (0.0, 0.0)
                for q in range(positive):
                    panel[q, k - start] = scale * (X[k, q] - offset[q] * bias) if k < n else 0.0
        add_gram(panel, A)
    spread = 0.0
    for i in range(positive):
        if dual:
            spread += A[i, i] - 1.0
        elif penalty[i] > 0.0:
            spread += (A[i, i] - penalty[i]) / penalty[i]
    factorise(A, positive)
    return spread


@private
def solve_hessian(X, offset, root, penalty, free, factor, beta, g):
    """Overwrite g (p,) with H^-1 g, both around the offset; `beta` (n + |U|,) is scratch.

    In the dual, with beta the image of the solution x: (I + B D B') beta - B_U x_U = B D g, B_U' beta = g_U, and
    x = D (g - B' beta) on the penalised columns.
    """
    n, p = X.shape
    b = p - 1
    if p <= n:
        solve(factor, p, g)
        return
    for u in range(free.size):
        beta[n + u] = g[free[u]]
    for i in range(n):
        beta[i] = 0.0
        for q in range(p):
            if penalty[q] > 0.0:
                beta[i] += root[i] * (X[i, q] - offset[q] * X[i, b]) * g[q] / penalty[q]
    solve(factor, n, beta)
    for i in range(n):
        for q in range(p):
            g[q] -= root[i] * (X[i, q] - offset[q] * X[i, b]) * beta[i]
    for q in range(p):
        g[q] = g[q] / penalty[q] if penalty[q] > 0.0 else 0.0
    for u in range(free.size):
        g[free[u]] = -beta[n + u]


@private
def complete(factor, free):
    """Whether the factor lost no coordinate to rounding, or only such along which nothing changes (`free`)."""
    lost = 0
    for q in range(factor.shape[0]):
        lost += not factor[q, q] > 0.0
    return free or lost == 0


@private
def shorten(factor, offset, w):
    """Take off w what lies in the null space of a Hessian without penalties; whether there was one.

    A coordinate k that the factor lost is a combination of those before it. So with the bias last and columns as in the
    factor, e_k less that combination is a null vector. The bias does not count to the norm.
    """
    p = w.size
    b = p - 1
    lost = 0
    for k in range(p):
        lost += not factor[k, k] > 0.0
    null, count = np.zeros((lost, p)), 0
    for k in range(p):
        if factor[k, k] > 0.0:
            continue
        v = null[count]
        v[k] = 1.0
        for i in range(k - 1, -1, -1):
            if factor[i, i] > 0.0:
                total = -factor[k, i]
                for j in range(i + 1, k):
                    total -= factor[j, i] * v[j]
                v[i] = total / factor[i, i]
        for q in range(b):
            v[b] -= offset[q] * v[q]
        for other in range(count):
            along = inner(null[other, :b], v[:b])
            for q in range(p):
                v[q] -= along * null[other, q]
        length = sqrt(inner(v[:b], v[:b]))
        if length > 0.0:
            for q in range(p):
                v[q] /= length
            along = inner(v[:b], w[:b])
            for q in range(p):
                w[q] -= along * v[q]
        count += 1
    return lost > 0
