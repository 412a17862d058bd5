"""Group DRO: the head that is best at the group masses that are worst for it (Sagawa et al., 1911.08731).

    min over w of max over p on the simplex of  F(w; p) = sum_u p_u L_u(w) + penalty,

with L_u the mean loss of the rows annotated as unit u. Units without rows have mass zero. For a fixed head the worst
masses sit on the largest losses; for fixed masses the head is a weighted fit. D(p) = min over w of F(w; p) is concave
with gradient L(w_p), so the saddle point is found by maximising D, or is followed by mirror ascent.
"""

from math import exp, inf, isfinite, nan, sqrt

import numpy as np

from ..._jit import kernel, private
from ...model.descent import clipping, move
from ...model.losses import CONVERGED, DIVERGED, EMPTY, FINISHED, IMPRECISE, NOT_CONVERGED, NOT_UNIQUE, value
from ...model.simplex import advance, begin
from . import DESCENT, Recipe
from .passes import gradient, inner

INNER_TOLERANCE = 1e-12
ROUNDS = 200


@kernel
def fit_worst_case(newton, how, ascent, X, y, c, unit, shift, penalty, centre, w, single, stream, path, path_w):
    """Fit w (p,) in place against the worst masses of the units; returns (status, certificate, iterations).

    `unit` (n,) numbers the annotated group of each row, and c (n,) receives the rows' weights at the masses found.
    With a descent, masses p_u grow by exp(ascent L_u) before every full-batch step; the certificate is the relative
    gradient at the last masses. Else `newton`, a solver of weighted fits, is called at masses that maximise D, and the
    certificate is the duality gap max L_u - sum p_u L_u relative to the loss at zero, plus that of the inner fit.
    """
    n, units = y.size, 0
    for i in range(n):
        units = max(units, unit[i] + 1)
    rows = np.zeros(units)
    for i in range(n):
        rows[unit[i]] += 1.0
    present = 0
    for u in range(units):
        present += rows[u] > 0.0
    if present == 0:
        return EMPTY, nan, 0
    masses = np.zeros(units)
    for u in range(units):
        masses[u] = 1.0 / present if rows[u] > 0.0 else 0.0
    if how.solver == DESCENT:
        return _mirror(how, ascent, X, y, c, unit, rows, masses, shift, penalty, centre, w, path, path_w)
    return _saddle(newton, how, X, y, c, unit, rows, masses, shift, penalty, centre, w, single, stream)


@kernel
def no_worst_case(newton, how, ascent, X, y, c, unit, shift, penalty, centre, w, single, stream, path, path_w):
    """Stands in for `fit_worst_case` in plans that have no use for it, so that it is not compiled."""
    return NOT_CONVERGED, nan, 0


@private
def _weigh(masses, rows, unit, c):
    for i in range(c.size):
        c[i] = masses[unit[i]] / rows[unit[i]]


@private
def _losses(loss, X, y, unit, rows, shift, w, out):
    """The mean loss of each unit into `out` (U,); -inf for units without rows."""
    for u in range(out.size):
        out[u] = 0.0 if rows[u] > 0.0 else -inf
    for i in range(y.size):
        out[unit[i]] += value(loss, y[i] * inner(X[i], w) - shift[i]) / rows[unit[i]]


@private
def _penalty(penalty, centre, w):
    total = 0.0
    for q in range(w.size):
        total += 0.5 * penalty[q] * (w[q] - centre[q]) ** 2
    return total


@private
def _saddle(newton, how, X, y, c, unit, rows, masses, shift, penalty, centre, w, single, stream):
    """Maximise D over the masses of the units that have rows."""
    kept, present = np.empty(rows.size, np.intp), 0
    for u in range(rows.size):
        if rows[u] > 0.0:
            kept[present] = u
            present += 1
    losses, here, ascent = np.empty(rows.size), np.empty(present), begin(present)
    no_path, no_heads = np.empty(0, np.int64), np.empty((0, w.size))
    inner_how = Recipe(
        how.solver, how.loss, 0, 0, how.iterations, 0.0, 0.0, 0.0, min(how.tolerance, INNER_TOLERANCE), 0.0
    )
    iterations = 0
    gap = certificate = nan
    for _ in range(ROUNDS):
        for k in range(present):
            masses[kept[k]] = ascent.trial[k]
        _weigh(masses, rows, unit, c)
        status, certificate, used = newton(
            inner_how, X, y, c, shift, penalty, centre, w, single, stream, no_path, no_heads
        )
        iterations += used
        rough = status in (NOT_CONVERGED, IMPRECISE) and certificate <= how.tolerance
        if status not in (CONVERGED, NOT_UNIQUE) and not rough:
            return status, certificate, iterations
        _losses(how.loss, X, y, unit, rows, shift, w, losses)
        mean, top = 0.0, -inf
        for k in range(present):
            here[k] = losses[kept[k]]
            mean += ascent.trial[k] * here[k]
            top = max(top, here[k])
        gap = (top - mean) / value(how.loss, 0.0)
        if gap + certificate <= how.tolerance:
            return NOT_UNIQUE if status == NOT_UNIQUE else CONVERGED, gap + certificate, iterations
        if not isfinite(mean):
            break
        advance(ascent, here, mean + _penalty(penalty, centre, w))
    return NOT_CONVERGED, gap + certificate, iterations


@private
def _mirror(how, ascent, X, y, c, unit, rows, masses, shift, penalty, centre, w, path, path_w):
    """Descend on the head while the masses ascend: exponentiated gradient, before every step of the head."""
    n, p = X.shape
    losses, grad, step = np.empty(rows.size), np.empty(p), np.zeros(p)
    margins, pulls = np.empty(n), np.empty(n)
    _weigh(masses, rows, unit, c)
    gradient(how.loss, X, y, c, shift, penalty, centre, step, margins, pulls, grad)
    reference = sqrt(inner(grad, grad))
    recorded = done = 0
    diverged = False
    while True:
        while recorded < path.size and path[recorded] == done:
            for q in range(p):
                path_w[recorded, q] = w[q]
            recorded += 1
        _losses(how.loss, X, y, unit, rows, shift, w, losses)
        top = -inf
        for u in range(rows.size):
            top = max(top, losses[u])
        diverged = not isfinite(top + _penalty(penalty, centre, w))
        if diverged:
            break
        if done < how.steps:
            total = 0.0
            for u in range(rows.size):
                masses[u] *= exp(ascent * (losses[u] - top)) if rows[u] > 0.0 else 0.0
                total += masses[u]
            for u in range(rows.size):
                masses[u] /= total
            _weigh(masses, rows, unit, c)
        gradient(how.loss, X, y, c, shift, penalty, centre, w, margins, pulls, grad)
        if done == how.steps:
            break
        rate = how.step_size * clipping(sqrt(inner(grad, grad)), how.clip)
        move(w, step, grad, rate, how.momentum, how.nesterov)
        done += 1
    for s in range(recorded, path.size):
        for q in range(p):
            path_w[s, q] = nan
    return DIVERGED if diverged else FINISHED, sqrt(inner(grad, grad)) / (reference or 1.0), done
