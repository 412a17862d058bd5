"""Exact fits for the logistic and the squared hinge loss: truncated Newton, conjugate gradients, exact line search.

Every iterate is judged on its gradient in double precision; all else only steers. So Hessian products run on a copy of
the design in single precision and, once most rows have little curvature left (small ridge), over the others alone: the
rest enters through its mean square. Where columns outnumber rows a row of little curvature can still matter, so the
share left out is lowered whenever a step turns out too long. The line search needs only the image of the step under
the design. A convex smooth objective, descent directions and exact line searches: the method converges globally.

References: Dembo, Eisenstat, Steihaug (1982), "Inexact Newton methods"; Lin, Weng, Keerthi (2008), "Trust region Newton
method for logistic regression".
"""

from math import inf, isfinite, nan, sqrt

import numpy as np

from .._jit import kernel, private, reduction
from ..losses import LOGISTIC, curvature_from_slope, slope, slopes
from ..status import CONVERGED, EMPTY, NOT_CONVERGED, ONE_CLASS, SEPARABLE
from .passes import curvature_product, gradient, inner

FORCING = 0.1  # conjugate gradients reduce the gradient at least by this factor
THINNING = 0.1  # rows below this fraction of the mean curvature can be left out of Hessian products
FLOOR = 1e-10  # least curvature of a row: keeps the Newton step defined where every row is saturated
FLATNESS = 0.02  # the line search stops at this fraction of the slope it started from


@kernel
def minimise(how, X, y, c, shift, penalty, centre, w, single, stream, path, path_w):
    """Minimise the objective of `passes` from w, in place; returns (status, relative gradient, iterations).

    `how.loss` is LOGISTIC or SQUARED_HINGE; what only descents need is not read. `single` (n, p) receives the design in
    single precision. The relative gradient is |grad F(w)| over |grad F(0)| (over 1 if that is 0), of the w returned.
    The last column of X is taken for the bias. Statuses: CONVERGED: relative gradient <= `how.tolerance`.
    NOT_CONVERGED: `how.iterations` ran out, or a NaN. EMPTY: no row has weight. ONE_CLASS: logistic, free bias, one
    label. SEPARABLE: nothing is penalised and w separates the rows that have weight, so no minimum is attained
    (logistic) or it is not unique (squared hinge).
    """
    n, p = X.shape
    loss, tol = how.loss, how.tolerance
    status = obstacle(loss, y, c, penalty)
    if status != CONVERGED:
        return status, nan, 0
    by_column, by_row = np.empty((3, p)), np.empty((4, n))
    square, grad, step = by_column[0], by_column[1], by_column[2]
    margins, pulls, image, ahead = by_row[0], by_row[1], by_row[2], by_row[3]
    reference = _survey(loss, X, y, c, shift, penalty, centre, single, square, grad)
    at_zero, free = True, True
    for q in range(p):
        at_zero &= w[q] == 0.0
        free &= penalty[q] == 0.0
    for i in range(n):
        margins[i], pulls[i] = -shift[i], slope(loss, -shift[i])
    thinning = THINNING
    iteration = 0
    while True:
        # At zero the survey has just left the gradient.
        if iteration > 0 or not at_zero:
            gradient(loss, X, y, c, shift, penalty, centre, w, margins, pulls, grad)
        size = sqrt(inner(grad, grad))
        if free and _separates(margins, shift, c):
            status = SEPARABLE
            break
        if size <= tol * reference < inf:
            break
        if iteration == how.iterations or not isfinite(size + reference):
            status = NOT_CONVERGED
            break
        relative = size / reference
        forcing = max(min(FORCING, sqrt(relative)), 0.3 * tol / relative)
        _newton_step(loss, single, square, y, c, penalty, pulls, grad, forcing, thinning, step, image)
        length = _exact_length(loss, c, penalty, grad, step, margins, pulls, image, ahead)
        if length < 0.5:
            thinning *= 0.1
        for q in range(p):
            w[q] += length * step[q]
        iteration += 1
    return status, size / reference, iteration


@private
def obstacle(loss, y, c, penalty):
    """CONVERGED, or the status that says why there is nothing to solve: EMPTY or ONE_CLASS."""
    positive = negative = False
    for i in range(y.size):
        if c[i] > 0.0:
            positive |= y[i] > 0.0
            negative |= y[i] < 0.0
    if not (positive or negative):
        return EMPTY
    if loss == LOGISTIC and penalty[-1] == 0.0 and not (positive and negative):
        return ONE_CLASS
    return CONVERGED


@private
def _separates(margins, shift, c):
    """Whether every row with weight has a positive margin."""
    wrong = 0
    for i in range(c.size):
        wrong += c[i] > 0.0 and not margins[i] + shift[i] > 0.0
    return wrong == 0


@private
def _survey(loss, X, y, c, shift, penalty, centre, design, square, grad):
    """One pass: grad F(0) into `grad`, X in single precision into `design`, weighted mean squares into `square`.

    Returns the norm of the gradient, 1 if that is 0.
    """
    n, p = X.shape
    total = 0.0
    for q in range(p):
        square[q] = 0.0
        grad[q] = -penalty[q] * centre[q]
    for i in range(n):
        total += c[i]
        pull = c[i] * slope(loss, -shift[i]) * y[i]
        for q in range(p):
            x = X[i, q]
            design[i, q] = x
            square[q] += c[i] * x * x
            grad[q] += pull * x
    for q in range(p):
        square[q] /= total
    size = sqrt(inner(grad, grad))
    return size if size != 0.0 else 1.0


@private
def _newton_step(loss, design, square, y, c, penalty, pulls, grad, forcing, thinning, step, image):
    """Write minus the Hessian's inverse times `grad` into `step`, and y_i x_i.step into `image`.

    Everything is divided by the total curvature, the right-hand side by its norm: saturated rows and a gradient near
    1e-9 must not meet the small end of single precision. Conjugate gradients are preconditioned by the Hessian's
    diagonal as it would be if curvature and features were independent.
    """
    n, p = design.shape
    rows, weights = np.empty(n, np.intp), np.empty((1, n), np.float32)[0]
    total = 0.0
    for i in range(n):
        weights[i] = c[i] * max(curvature_from_slope(loss, pulls[i]), FLOOR)
        total += weights[i]
    threshold = thinning * total / n
    count = 0
    for i in range(n):
        count += weights[i] > threshold
    if 2 * count > n:
        threshold = 0.0
    count, rest = 0, 0.0
    for i in range(n):
        if weights[i] > threshold:
            rows[count] = i
            weights[count] = weights[i] / total
            count += 1
        else:
            rest += weights[i] / total
    rows, weights = rows[:count], weights[:count]

    size = sqrt(inner(grad, grad))
    work = np.empty((7, p), np.float32)
    diagonal, scale, solution, direction, product = work[0], work[1], work[2], work[3], work[4]
    residual, conditioned = work[5], work[6]
    for q in range(p):
        diagonal[q] = penalty[q] / total + rest * square[q]
        bend = penalty[q] / total + square[q]
        scale[q] = 1.0 / bend if bend > 0.0 else 1.0
        solution[q] = direction[q] = 0.0
        residual[q] = -grad[q] / size
        conditioned[q] = scale[q] * residual[q]
    energy = inner(residual, conditioned)
    target, turn = np.float32(forcing * forcing) * energy, np.float32(0.0)
    for _ in range(2 * p + 10):
        for q in range(p):
            direction[q] = conditioned[q] + turn * direction[q]
        curvature_product(design, rows, weights, direction, diagonal, product)
        bend = inner(direction, product)
        if not bend > 0.0:
            break
        length = energy / bend
        for q in range(p):
            solution[q] += length * direction[q]
            residual[q] -= length * product[q]
            conditioned[q] = scale[q] * residual[q]
        previous, energy = energy, inner(residual, conditioned)
        if not energy > target:
            break
        turn = energy / previous
    for q in range(p):
        step[q] = size / total * solution[q]
    for i in range(n):
        image[i] = size / total * y[i] * inner(design[i], solution)


@reduction
def _moment(c, pulls, image):
    """sum_i c_i l'_i image_i."""
    total = 0.0
    for i in range(c.size):
        total += c[i] * pulls[i] * image[i]
    return total


@reduction
def _bending(loss, c, pulls, image):
    """sum_i c_i l''_i image_i^2."""
    total = 0.0
    for i in range(c.size):
        total += c[i] * curvature_from_slope(loss, pulls[i]) * image[i] * image[i]
    return total


@private
def _exact_length(loss, c, penalty, grad, step, margins, pulls, image, ahead):
    """The t > 0 at which the objective along the step is least: safeguarded Newton on its monotone derivative.

    The derivative is its value at 0, from the true gradient, plus the change of what is computed here: the image is in
    single precision, and only so its error stays relative to the step. `ahead` (n,) is scratch; `pulls` is overwritten
    by the slopes at t.
    """
    start = inner(grad, step)
    offset, ridge = start - _moment(c, pulls, image), 0.0
    for q in range(step.size):
        ridge += penalty[q] * step[q] * step[q]
    low, high, t = 0.0, inf, 1.0
    for _ in range(60):
        for i in range(c.size):
            ahead[i] = margins[i] + t * image[i]
        slopes(loss, ahead, 0, c.size, pulls)
        first = offset + t * ridge + _moment(c, pulls, image)
        if abs(first) <= -FLATNESS * start:
            break
        if first > 0.0:
            high = t
        else:
            low = t
        t = min(t - first / (ridge + _bending(loss, c, pulls, image)), 8.0 * t)
        if not low < t < high:
            t = 0.5 * (low + high) if high < inf else 2.0 * low
    return t
