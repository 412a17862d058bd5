"""The exact line search of Newton steps on rows: only the step's image is needed."""

from math import inf, isfinite, nan, sqrt

import numpy as np

from ..._jit import kernel, private, reduction
from ...model.losses import (
    CONVERGED,
    EMPTY,
    IMPRECISE,
    LOGISTIC,
    NOT_CONVERGED,
    NOT_UNIQUE,
    ONE_CLASS,
    SEPARABLE,
    SQUARED_HINGE,
    curvature_from_slope,
    slope,
    slopes,
    value,
)
from .certificate import (
    bias_rounding,
    excess_bound,
    excess_by_rows,
    find_offset,
    least_objective,
    plain_size,
    recentre,
    relative_excess,
)
from .passes import curvature_product, gradient, inner
from .ridge import complete, factorise_hessian, hessian_room, shorten, solve_hessian
from .semidefinite import PANEL

FLATNESS = 0.02  # the line search stops at this fraction of the slope it started from


@reduction
def moment(c, pulls, image):
    """sum_i c_i l'_i image_i."""
    total = 0.0
    for i in range(c.size):
        total += c[i] * pulls[i] * image[i]
    return total


@reduction
def bending(loss, c, pulls, image):
    """sum_i c_i l''_i image_i^2."""
    total = 0.0
    for i in range(c.size):
        total += c[i] * curvature_from_slope(loss, pulls[i]) * image[i] * image[i]
    return total


@private
def exact_length(loss, c, penalty, grad, step, margins, pulls, image, ahead):
    """The t > 0 at which the objective along the step is least: safeguarded Newton on its monotone derivative.

    The derivative is its value at 0, from the true gradient, plus the change of what is computed here: the image is in
    single precision, and only so its error stays relative to the step. `ahead` (n,) is scratch; `pulls` is overwritten
    by the slopes at t.
    """
    start = inner(grad, step)
    offset, ridge = start - moment(c, pulls, image), 0.0
    for q in range(step.size):
        ridge += penalty[q] * step[q] * step[q]
    low, high, t = 0.0, inf, 1.0
    for _ in range(60):
        for i in range(c.size):
            ahead[i] = margins[i] + t * image[i]
        slopes(loss, ahead, 0, c.size, pulls)
        first = offset + t * ridge + moment(c, pulls, image)
        if abs(first) <= -FLATNESS * start:
            break
        if first > 0.0:
            high = t
        else:
            low = t
        t = min(t - first / (ridge + bending(loss, c, pulls, image)), 8.0 * t)
        if not low < t < high:
            t = 0.5 * (low + high) if high < inf else 2.0 * low
    return t


# Newton steps by a factor of the Hessian in double precision, for fits that truncated Newton cannot finish.
#
# Half the squared Newton decrement, -1/2 grad.step, is what the objective exceeds its minimum by, once a whole step
# changes no curvature. It sees the curvature in all directions, so it certifies where there is no ridge, and where
# there is a tiny one it need not divide by it.


SMALL = 1e-3  # move of a margin over which the logistic loss's curvature is constant


@private
def factor_step(loss, X, y, c, offset, penalty, free, margins, pulls, grad, panel, factor, scratch, step, image):
    """Write minus the Hessian's inverse times `grad` into `step`, both around the offset, and its image y_i x_i.step.

    Returns the squared Newton decrement and whether it bounds the excess. `image` holds the roots of the curvatures
    meanwhile; `panel`, `factor`, `free` and `scratch` are those of `ridge.hessian_room`.
    """
    n, p = X.shape
    for i in range(n):
        image[i] = sqrt(c[i] * curvature_from_slope(loss, pulls[i]))
    factorise_hessian(X, offset, image, penalty, free, panel, factor)
    for q in range(p):
        step[q] = -grad[q]
    solve_hessian(X, offset, image, penalty, free, factor, scratch, step)
    along = 0.0
    for q in range(p):
        along += offset[q] * step[q]
    widest, changed = 0.0, 0
    for i in range(n):
        image[i] = y[i] * (inner(X[i], step) - along * X[i, p - 1])
        if c[i] > 0.0:
            widest = max(widest, abs(image[i]))
            changed += (margins[i] < 1.0) != (margins[i] + image[i] < 1.0)
    whole = widest <= SMALL if loss == LOGISTIC else changed == 0
    return -inner(grad, step), whole and complete(factor, free.size == p)


# Exact fits for the logistic and the squared hinge loss: truncated Newton, conjugate gradients, exact line search.
#
# Every iterate is judged on its gradient in double precision; all else only steers. So Hessian products run on a copy
# of the design in single precision and, once most rows have little curvature left (small ridge), over the others alone:
# the rest enters through its mean square. Where columns outnumber rows a row of little curvature can still matter, so
# the share left out is lowered whenever a step turns out too long. The line search needs only the image of the step
# under the design. A convex smooth objective, descent directions and exact line searches: the method converges
# globally.
#
# The certificate bounds the excess of the objective over its minimum (`certificate`). Where conjugate gradients in
# single precision do not reach it, because little but a tiny ridge curves the objective or columns nearly depend on
# each other, steps by a factor of the Hessian do (`factor_step`). A tiny ridge makes the squared hinge hard to descend:
# nearly all that is wrong is which rows bend, and a step goes only as far as the next row. So the penalty is then
# raised, and falls to its value by decades.
#
# References: Dembo, Eisenstat, Steihaug (1982), "Inexact Newton methods"; Lin, Weng, Keerthi (2008), "Trust region
# Newton method for logistic regression".


FORCING = 0.1  # conjugate gradients reduce the gradient at least by this factor
THINNING = 0.1  # rows below this fraction of the mean curvature can be left out of Hessian products
FLOOR = 1e-10  # least curvature of a row: keeps the Newton step defined where every row is saturated
SLOW = 0.25  # what an iteration must leave of the excess at most, once only that is too large
ENOUGH, FEW = 30, 32  # Hessian products for each of the fewer of rows and columns, and a few: then a factor costs less
HARD, DECADE = 1e-3, 10.0  # penalty beside the columns' mean square below which it is raised, and how it falls then
ROUGH = 1e-2  # relative excess that is small enough for a raised penalty
STUCK = 5  # steps by a factor that do not lower the objective, before rounding is blamed


@kernel
def minimise(how, X, y, c, shift, penalty, centre, w, single, stream, path, path_w):
    """Minimise the objective of `passes` from w, in place; returns (status, certificate, iterations).

    `how.loss` is LOGISTIC or SQUARED_HINGE; what only descents need is not read. `single` (n, p) receives the design in
    single precision. The certificate, of the w returned, is the larger of the relative gradient, |grad F(w)| over
    |grad F(0)| (over 1 if that is 0; as given and around the offset of `certificate`), and an upper bound of
    F(w) - min F over F(w). The last column of X is taken for the bias. Statuses: CONVERGED: certificate <=
    `how.tolerance`. NOT_UNIQUE: so too, but columns depend on each other and have no penalty; w is the head of least
    norm. IMPRECISE: rounding stands in the way. NOT_CONVERGED: `how.iterations` ran out, or a NaN. EMPTY: no row has
    weight. ONE_CLASS: logistic, free bias, one label. SEPARABLE: nothing is penalised and w separates the rows that
    have weight, so no minimum is attained (logistic) or it is not unique (squared hinge).
    """
    n, p = X.shape
    loss, tol = how.loss, how.tolerance
    status = obstacle(loss, y, c, penalty)
    if status != CONVERGED:
        return status, nan, 0
    by_column, by_row = np.empty((5, p)), np.empty((4, n))
    square, grad, step, offset, pressed = by_column[0], by_column[1], by_column[2], by_column[3], by_column[4]
    margins, pulls, image, ahead = by_row[0], by_row[1], by_row[2], by_row[3]
    far = find_offset(X, c, penalty, offset)
    reference = _survey(loss, X, y, c, shift, penalty, centre, far, offset, single, square, grad)
    plain_reference = plain_size(offset, grad)
    at_zero, free, spread, mean, most = True, True, 0.0, 0.0, 0.0
    for q in range(p):
        at_zero &= w[q] == 0.0
        free &= penalty[q] == 0.0
        pressed[q] = penalty[q]
        if penalty[q] > 0.0:
            spread += square[q] / penalty[q]
            mean += square[q] / p
            most = max(most, penalty[q])
    for i in range(n):
        margins[i], pulls[i] = -shift[i], slope(loss, -shift[i])
    thinning, products, goal, least, decrement = THINNING, 0, tol, inf, 0.0
    factoring, eased, times, stuck, before = False, loss == SQUARED_HINGE and not free, 1.0, 0, inf
    factor, panel, columns, scratch = np.empty((0, 0)), np.empty((0, PANEL)), np.empty(0, np.intp), np.empty(0)
    iteration = 0
    while True:
        # At zero the survey has just left the gradient.
        if iteration > 0 or not at_zero:
            gradient(loss, X, y, c, shift, pressed, centre, w, margins, pulls, grad)
            if far:
                recentre(offset, grad)
        size = sqrt(inner(grad, grad))
        if far:
            plain = plain_size(offset, grad)
            size = max(size, (plain - bias_rounding(offset, w)) / plain_reference * reference)
        relative, excess, objective = size / reference, inf, 0.0
        if free and _separates(margins, shift, c):
            return SEPARABLE, relative, iteration
        if size <= tol * reference < inf and times == 1.0:
            objective = least_objective(loss, c, penalty, centre, w, pulls)
            bound = excess_bound(loss, X[:, p - 1], c, penalty, spread, pulls, grad)
            if free and not factoring:
                bound = excess_by_rows(loss, X, c, offset, square, pulls, grad)
            excess = relative_excess(bound, objective, penalty, centre, w)
            if excess <= tol:
                return CONVERGED, max(relative, excess), iteration
            factoring |= excess > SLOW * least or free
            least, goal = excess, min(goal, 0.5 * relative * sqrt(tol / excess))
        if iteration == how.iterations or not isfinite(size + reference):
            return NOT_CONVERGED, relative, iteration
        if not factoring and products > ENOUGH * (min(n, p) + FEW):
            factoring = True
        if factoring:
            if not factor.size:
                factor, panel, columns, scratch = hessian_room(n, penalty)
            decrement, certified = factor_step(
                loss, X, y, c, offset, pressed, columns, margins, pulls, grad, panel, factor, scratch, step, image
            )
            objective = _objective(loss, c, pressed, centre, w, margins)
            if times == 1.0:
                if certified:
                    # The whole decrement, though half is the excess: for what the curvature changes after all.
                    excess = min(excess, relative_excess(abs(decrement), objective, penalty, centre, w))
                certificate = max(relative, excess)
                if certificate <= tol:
                    lost = free and shorten(factor, offset, w)
                    return NOT_UNIQUE if lost else CONVERGED, certificate, iteration
                if eased:
                    eased, at_zero = False, False
                    while times * most < HARD * mean:
                        times *= DECADE
                    if times > 1.0:
                        for q in range(p):
                            pressed[q] = times * penalty[q]
                        continue
            stuck += not objective < before
            if stuck == STUCK or not decrement > 0.0:
                return IMPRECISE, max(relative, excess), iteration
            before = objective
        else:
            forcing = max(min(FORCING, sqrt(relative)), 0.3 * goal / relative)
            products += _newton_step(loss, single, square, y, c, penalty, pulls, grad, forcing, thinning, step, image)
        length = exact_length(loss, c, pressed, grad, step, margins, pulls, image, ahead)
        if length < 0.5:
            thinning *= 0.1
        for q in range(p):
            w[q] += length * step[q]
        if far:
            w[p - 1] -= length * inner(offset, step)
        iteration += 1
        if times > 1.0 and decrement <= ROUGH * objective:
            times, before = times / DECADE, inf
            if times < 0.5 * DECADE:
                times = 1.0
            for q in range(p):
                pressed[q] = times * penalty[q]


@private
def _objective(loss, c, penalty, centre, w, margins):
    """F(w), given the margins."""
    total = 0.0
    for i in range(c.size):
        total += c[i] * value(loss, margins[i])
    for q in range(w.size):
        total += 0.5 * penalty[q] * (w[q] - centre[q]) ** 2
    return total


@private
def _separates(margins, shift, c):
    """Whether every row with weight has a positive margin."""
    wrong = 0
    for i in range(c.size):
        wrong += c[i] > 0.0 and not margins[i] + shift[i] > 0.0
    return wrong == 0


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
def _survey(loss, X, y, c, shift, penalty, centre, far, offset, design, square, grad):
    """One pass around the offset: grad F(0) into `grad`, X in single precision into `design`, and its weighted mean
    squares into `square`.

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
        if far:
            bias = X[i, p - 1]
            for q in range(p):
                x = X[i, q] - offset[q] * bias
                design[i, q] = x
                square[q] += c[i] * x * x
                grad[q] += pull * x
        else:
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
    diagonal as it would be if curvature and features were independent. Returns how many products were taken.
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
    target, turn, products = np.float32(forcing * forcing) * energy, np.float32(0.0), 0
    for _ in range(2 * p + 10):
        products += 1
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
    return products
