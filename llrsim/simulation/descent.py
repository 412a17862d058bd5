"""Gradient descent with heavy-ball momentum on the objective of `passes`: full batch or minibatches, path recorded.

One step is

    step <- momentum * step - step_size * gradient        w <- w + step

with the gradient first scaled down to norm `clip` if it is longer and clip > 0 (PyTorch's `clip_grad_norm_`, whose
1e-6 in the denominator is kept). A minibatch B stands for all n rows: its gradient is
(n / |B|) sum_{i in B} c_i l'(y_i x_i.w) y_i x_i plus that of the penalty, unbiased for the whole.

References: Polyak (1964), heavy ball and its stability limit 2 (1 + momentum) / L on a quadratic.
"""

from math import inf, nan, sqrt

import numpy as np

from .._jit import kernel
from ..losses import HINGE, curvature, slope, value
from ..status import DIVERGED, EMPTY, FINISHED
from ..stream import shuffle
from .passes import curvature_product, gradient, inner

DIVERGENCE = 1e6  # an objective this many times one plus the first is not coming back
CLIP_SHIFT = 1e-6
EIGENVALUE_TOLERANCE = 1e-6
EIGENVALUE_ITERATIONS = 20_000


@kernel
def _move(w, step, grad, step_size, momentum, clip):
    """One heavy-ball step of w and `step` (p,), in place."""
    scale = step_size
    if clip > 0.0:
        scale *= min(1.0, clip / (sqrt(inner(grad, grad)) + CLIP_SHIFT))
    for q in range(w.size):
        step[q] = momentum * step[q] - scale * grad[q]
        w[q] += step[q]


@kernel
def _record(done, w, path, path_w, recorded):
    """Copy w into the rows of path_w whose step is `done`; the number of rows filled so far."""
    while recorded < path.size and path[recorded] == done:
        for q in range(w.size):
            path_w[recorded, q] = w[q]
        recorded += 1
    return recorded


@kernel
def _gradient_at_zero(loss, X, y, c, penalty, centre):
    """|grad F(0)|, or 1 where that is 0: the unit of relative gradients."""
    n, p = X.shape
    grad = np.empty(p)
    gradient(loss, X, y, c, penalty, centre, np.zeros(p), np.empty(n), grad)
    size = sqrt(inner(grad, grad))
    return size if size != 0.0 else 1.0


@kernel
def descend(loss, X, y, c, penalty, centre, w, steps, step_size, momentum, clip, path, path_w):
    """Full-batch descent from w (p,), in place; returns (status, relative gradient, steps done).

    `path` (S,) lists sorted steps in [0, steps] and `path_w` (S, p) receives the weights after them, nan for those not
    reached. For every loss but MAX_MARGIN; HINGE takes a subgradient. The relative gradient is |grad F(w)| over
    |grad F(0)| (over 1 if that is 0). FINISHED: all steps done. DIVERGED: the objective or w is not finite, or the
    objective passed 1e6 (1 + its first value); a NaN in X ends here too. EMPTY: no row has weight.
    """
    if not c.max() > 0.0:
        return EMPTY, nan, 0
    n, p = X.shape
    margins, grad, step = np.empty(n), np.empty(p), np.zeros(p)
    ceiling = nan
    diverged = False
    recorded = 0
    done = 0
    while True:
        recorded = _record(done, w, path, path_w, recorded)
        objective = gradient(loss, X, y, c, penalty, centre, w, margins, grad)
        if done == 0:
            ceiling = DIVERGENCE * (1.0 + objective)
        # An infinite or nan w shows in the objective, through the penalty term, even where P is 0.
        diverged = not objective <= ceiling < inf
        if diverged or done == steps:
            break
        _move(w, step, grad, step_size, momentum, clip)
        done += 1
    path_w[recorded:] = nan
    relative = sqrt(inner(grad, grad)) / _gradient_at_zero(loss, X, y, c, penalty, centre)
    return DIVERGED if diverged else FINISHED, relative, done


@kernel
def _batch_gradient(loss, X, y, c, penalty, centre, w, rows, grad):
    """The objective and, in `grad` (p,), the gradient as the batch `rows` (B,) of the n rows estimates them."""
    n, p = X.shape
    objective = 0.0
    for q in range(p):
        shift = w[q] - centre[q]
        grad[q] = penalty[q] * shift
        objective += 0.5 * grad[q] * shift
    scale = n / rows.size
    for i in rows:
        m = y[i] * inner(X[i], w)
        objective += scale * c[i] * value(loss, m)
        pull = scale * c[i] * slope(loss, m) * y[i]
        for q in range(p):
            grad[q] += pull * X[i, q]
    return objective


@kernel
def descend_minibatch(
    loss, X, y, c, penalty, centre, w, steps, step_size, momentum, clip, batch, stream, path, path_w
):  # fmt: skip
    """Minibatch descent from w (p,), in place; arguments and result as for `descend`.

    Each epoch takes all n rows in a fresh random order, `batch` (at least 1) at a time, the last batch with what is
    left. `stream` (uint64[4]) is advanced. Divergence is judged on the batch's estimate of the objective and, after
    the last step, on the objective.
    """
    if not c.max() > 0.0:
        return EMPTY, nan, 0
    n, p = X.shape
    margins, grad, step = np.empty(n), np.empty(p), np.zeros(p)
    order = np.arange(n)
    used = n
    ceiling = DIVERGENCE * (1.0 + gradient(loss, X, y, c, penalty, centre, w, margins, grad))
    diverged = False
    recorded = 0
    done = 0
    while True:
        recorded = _record(done, w, path, path_w, recorded)
        if done == steps:
            break
        if used == n:
            shuffle(stream, order)
            used = 0
        rows = order[used : min(used + batch, n)]
        used += rows.size
        diverged = not _batch_gradient(loss, X, y, c, penalty, centre, w, rows, grad) <= ceiling < inf
        if diverged:
            break
        _move(w, step, grad, step_size, momentum, clip)
        done += 1
    path_w[recorded:] = nan
    diverged |= not gradient(loss, X, y, c, penalty, centre, w, margins, grad) <= ceiling < inf
    relative = sqrt(inner(grad, grad)) / _gradient_at_zero(loss, X, y, c, penalty, centre)
    return DIVERGED if diverged else FINISHED, relative, done


@kernel
def largest_stable_step(loss, X, c, penalty, momentum):
    """2 (1 + momentum) / L: full-batch descent at a larger step size leaves the minimum of a quadratic.

    L is the top eigenvalue of l''(0) sum_i c_i x_i x_i' + diag(penalty), by power iteration until the residual is
    below 1e-6 of it. l''(0) is each smooth loss's largest curvature (1/4 logistic, else 1), so the bound is exact for
    the squared loss and safe for the others. nan for HINGE, whose subgradient does not shrink at the minimum, and for
    data with a NaN.
    """
    if loss == HINGE:
        return nan
    n, p = X.shape
    weights = c * curvature(loss, 0.0)
    rows = np.arange(n)
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
    return 2.0 * (1.0 + momentum) / top
