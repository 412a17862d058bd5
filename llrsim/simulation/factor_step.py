"""Newton steps by a factor of the Hessian in double precision, for fits that truncated Newton cannot finish.

Half the squared Newton decrement, -1/2 grad.step, is what the objective exceeds its minimum by, once a whole step
changes no curvature. It sees the curvature in all directions, so it certifies where there is no ridge, and where there
is a tiny one it need not divide by it.
"""

from math import sqrt

from .._jit import private
from ..losses import LOGISTIC, curvature_from_slope
from .passes import inner
from .ridge import complete, factorise_hessian, solve_hessian

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
