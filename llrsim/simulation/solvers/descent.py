"""Gradient descent with momentum on the objective of `passes`: full batch or minibatches, path recorded.

Steps, clipping and the mark of divergence are those of `descent_rule`. A minibatch B stands for all n rows: its
gradient is (n / |B|) sum_{i in B} c_i l'(y_i x_i.w) y_i x_i plus that of the penalty, unbiased for the whole.
"""

from math import inf, nan, sqrt

import numpy as np

from ..._jit import kernel, private
from ...model.descent import DIVERGENCE, clipping, move
from ...model.draws import shuffle
from ...model.losses import DIVERGED, EMPTY, FINISHED, HINGE, rough_value, slope, top_curvature
from .passes import curvature_product, gradient, inner

EIGENVALUE_TOLERANCE = 1e-6
EIGENVALUE_ITERATIONS = 20_000


@private
def _rough_objective(loss, c, penalty, centre, w, margins):
    """The objective at w, from the margins there, with the losses' rough values."""
    total = 0.0
    for q in range(w.size):
        total += 0.5 * penalty[q] * (w[q] - centre[q]) ** 2
    for i in range(c.size):
        total += c[i] * rough_value(loss, margins[i])
    return total


@private
def _batch_gradient(loss, X, y, c, shift, penalty, centre, w, rows, grad):
    """The rough objective and, in `grad` (p,), the gradient as the batch `rows` (B,) of the n rows estimates them."""
    n, p = X.shape
    objective = 0.0
    for q in range(p):
        away = w[q] - centre[q]
        grad[q] = penalty[q] * away
        objective += 0.5 * grad[q] * away
    scale = n / rows.size
    for k in range(rows.size):
        i = rows[k]
        m = y[i] * inner(X[i], w) - shift[i]
        objective += scale * c[i] * rough_value(loss, m)
        pull = scale * c[i] * slope(loss, m) * y[i]
        for q in range(p):
            grad[q] += pull * X[i, q]
    return objective


@kernel
def descend(how, X, y, c, shift, penalty, centre, w, single, stream, path, path_w):
    """Descend `how.steps` steps from w (p,), in place; returns (status, relative gradient, steps done).

    Full batch where `how.batch` is 0 or at least n. Else each epoch takes all n rows in a fresh random order, `batch`
    at a time, the last batch with what is left; `stream` (uint64[4]) is advanced. `path` (S,) lists sorted steps in
    [0, steps] and `path_w` (S, p) receives the weights after them, nan for those not reached. For every loss but
    MAX_MARGIN; HINGE takes a subgradient.

    The relative gradient is |grad F(w)| over |grad F(0)| (over 1 if that is 0). FINISHED: all steps done. DIVERGED: the
    objective or w is not finite, or the objective passed 1e6 (1 + its first value), in every step of full batch
    descent; between the first and last step of minibatches, the batch's estimate of it. A NaN in X ends here too, and
    the logistic loss counts as max(0, -m). EMPTY: no row has weight.
    """
    n, p = X.shape
    heaviest = 0.0
    for i in range(n):
        heaviest = max(heaviest, c[i])
    if not heaviest > 0.0:
        return EMPTY, nan, 0
    loss, whole = how.loss, not 0 < how.batch < n
    margins, pulls, grad, step = np.empty(n), np.empty(n), np.empty(p), np.zeros(p)
    gradient(loss, X, y, c, shift, penalty, centre, step, margins, pulls, grad)
    reference = sqrt(inner(grad, grad))
    order = np.empty(n, np.int64)
    for i in range(n):
        order[i] = i
    used = n
    ceiling = nan
    diverged = False
    recorded = done = 0
    while True:
        while recorded < path.size and path[recorded] == done:
            for q in range(p):
                path_w[recorded, q] = w[q]
            recorded += 1
        if whole or done == 0 or done == how.steps:
            gradient(loss, X, y, c, shift, penalty, centre, w, margins, pulls, grad)
            objective = _rough_objective(loss, c, penalty, centre, w, margins)
            if done == 0:
                ceiling = DIVERGENCE * (1.0 + objective)
            # An infinite or nan w shows in the objective, through the penalty term, even where P is 0.
            diverged = not objective <= ceiling < inf
        if diverged or done == how.steps:
            break
        if not whole:
            if used == n:
                shuffle(stream, order)
                used = 0
            rows = order[used : min(used + how.batch, n)]
            used += rows.size
            diverged = not _batch_gradient(loss, X, y, c, shift, penalty, centre, w, rows, grad) <= ceiling
            if diverged:
                break
        rate = how.step_size * clipping(sqrt(inner(grad, grad)), how.clip)
        move(w, step, grad, rate, how.momentum, how.nesterov)
        done += 1
    for s in range(recorded, path.size):
        for q in range(p):
            path_w[s, q] = nan
    relative = sqrt(inner(grad, grad)) / (reference if reference != 0.0 else 1.0)
    return DIVERGED if diverged else FINISHED, relative, done


@kernel
def largest_stable_step(loss, X, c, penalty, limit):
    """`limit` / L, with `descent_rule.stability`: a larger full-batch step size leaves the minimum of a quadratic.

    L is the top eigenvalue of l''(0) sum_i c_i x_i x_i' + diag(penalty), by power iteration until the residual is
    below 1e-6 of it. l''(0) is each smooth loss's largest curvature (1/4 logistic, else 1), so the bound is exact for
    the squared loss and safe for the others. nan for HINGE, whose subgradient does not shrink at the minimum, and for
    data with a NaN.
    """
    if loss == HINGE:
        return nan
    n, p = X.shape
    rows, weights = np.empty(n, np.intp), np.empty(n)
    for i in range(n):
        rows[i], weights[i] = i, c[i] * top_curvature(loss)
    v, image = np.empty(p), np.empty(p)
    for q in range(p):
        v[q] = 1.0 + (0.6180339887498949 * q) % 1.0  # generic: no eigenvector of a symmetric design is orthogonal to it
    top = 0.0
    for _ in range(EIGENVALUE_ITERATIONS):
        size = sqrt(inner(v, v))
        for q in range(p):
            v[q] /= size
        curvature_product(X, rows, weights, v, penalty, image)
        top = inner(v, image)
        residual = 0.0
        for q in range(p):
            residual += (image[q] - top * v[q]) ** 2
            v[q] = image[q]
        if not sqrt(residual) > EIGENVALUE_TOLERANCE * top:
            break
    return limit / top
