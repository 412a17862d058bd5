"""How far a head is from the minimum: an upper bound of the objective's excess, from the gradient the solver has.

Minus the slopes, a_i = -l'(m_i), are a point of the dual. With g the gradient at the head, and every coordinate
penalised, the duality gap there is exactly

    F(w) - D(a) = 1/2 sum_j g_j^2 / P_j.

A free bias asks of a dual point that its own gradient g_b be zero. So the a_i move by a_i <- a_i + t y_i x_ib v_i with
t = g_b / B, B = sum_i c_i x_ib^2 v_i and v_i = a_i (1 - a_i), a_i or 1 for the logistic, the squared hinge and the
squared loss: they stay in the loss's domain while |t x_ib| <= 1. That raises the loss's part of the gap by at most
t^2 sum_i c_i x_ib^2 v_i u_i, with u_i = 1, a_i / 2 or 1/2 (for the logistic loss a relative entropy, at most the
chi-square distance), and moves the g_j by h_j with sum_j h_j^2 / P_j <= t^2 B max(v) S, S = sum_ij c_i x_ij^2 / P_j
(Cauchy and Schwarz). Nothing here reads the design but the column of the bias.

Columns far from zero are a matter of the bias, which is free: with mu_j near the column's mean, x_ij - mu_j x_ib with
the bias b + mu.w is the same problem. There g_j - mu_j g_b is the gradient, and sums do not cancel.
"""

from math import inf, sqrt

import numpy as np

from ..._jit import private, reduction
from ...model.losses import LOGISTIC, SQUARED, SQUARED_HINGE, curvature_from_slope
from .semidefinite import PANEL, add_gram, factorise

PROBES = 8  # rows that the columns' centres are estimated from
FAR = 3.0  # standard deviations from zero beyond which a column is centred
NOTHING = 1e-24  # an objective this small, at the centre of its penalty, is zero to rounding
LEAST_BEND = 1e-7  # curvature beside the mean square of a column, below which columns may depend on each other
ROUNDING = 1e-15  # of a sum of numbers beside the largest
INSIDE = 1e-3  # how far from the squared hinge's kink a row surely stays where the excess is small


@private
def find_offset(X, c, penalty, offset):
    """Write mu (p,) of the module's docstring; whether there is one.

    It is 0 for columns near zero, and for all where the bias has a penalty.
    """
    n, p = X.shape
    b = p - 1
    square, mean = np.zeros(p), np.zeros(p)
    for q in range(p):
        offset[q] = 0.0
    count, start, far = 0, 0, 0
    if penalty[b] > 0.0:
        return False
    for i in range(0, n, max(1, n // PROBES)):
        if c[i] > 0.0 and X[i, b] != 0.0:
            if count == 0:
                start = i
            # Around the first one, so that nothing cancels.
            scale, first = 1.0 / X[i, b], 1.0 / X[start, b]
            for q in range(b):
                x = X[i, q] * scale - X[start, q] * first
                mean[q] += x
                square[q] += x * x
            count += 1
    if count < 2:
        return False
    for q in range(b):
        x = mean[q] / count + X[start, q] / X[start, b]
        if x * x > FAR * FAR * (square[q] / count - (mean[q] / count) ** 2):
            offset[q] = x
            far += 1
    return far > 0


@private
def recentre(offset, grad):
    """Turn the gradient into that around the offset, in place."""
    for q in range(grad.size - 1):
        grad[q] -= offset[q] * grad[-1]


@private
def plain_size(offset, grad):
    """|grad F| in the coordinates as given, of a gradient around the offset."""
    total = grad[-1] * grad[-1]
    for q in range(grad.size - 1):
        total += (grad[q] + offset[q] * grad[-1]) ** 2
    return sqrt(total)


@private
def bias_rounding(offset, w):
    """What the rounding of the bias, which holds mu.w, leaves of that size."""
    length = held = 0.0
    for q in range(offset.size):
        length += offset[q] * offset[q]
        held += abs(offset[q] * w[q])
    return ROUNDING * sqrt(length) * held


@private
def excess_bound(loss, bias, c, penalty, spread, pulls, grad):
    """An upper bound of F(w) - min F, given slopes and gradient (around the offset) and S = `spread`; inf if none.

    There is none where a coordinate but the bias has no penalty, and where g_b is not small. `bias` (n,) is its column.
    """
    square = 0.0
    for q in range(grad.size - 1):
        if not penalty[q] > 0.0:
            return inf
        square += grad[q] * grad[q] / penalty[q]
    if penalty[-1] > 0.0:
        return 0.5 * (square + grad[-1] * grad[-1] / penalty[-1])
    return free_bias_bound(loss, bias, c, pulls, square, grad[-1], spread)


@private
def free_bias_bound(loss, bias, c, pulls, square, pull, spread):
    """The bound with a free bias, given sum_j g_j^2 / P_j of the other coordinates, g_b = `pull` and S = `spread`."""
    weight = loaded = top = wide = 0.0
    for i in range(c.size):
        a = -pulls[i]
        v, u = 1.0, 0.5
        if loss == LOGISTIC:
            v, u = a * (1.0 - a), 1.0
        elif loss == SQUARED_HINGE:
            v, u = a, 0.5 * a
        part = c[i] * bias[i] * bias[i] * v
        weight += part
        loaded += part * u
        if c[i] > 0.0:
            top, wide = max(top, v), max(wide, abs(bias[i]))
    if pull == 0.0:
        return 0.5 * square
    t = abs(pull) / weight
    if not (loss == SQUARED or t * wide <= 1.0):
        return inf
    return t * t * loaded + 0.5 * (sqrt(square) + t * sqrt(weight * top * spread)) ** 2


@reduction
def least_loss(loss, c, pulls):
    """A lower bound of the loss from its slopes, without a logarithm: log 1 / (1 - a) = a + a^2 / 2 + .."""
    total, linear = 0.0, 1.0 if loss == LOGISTIC else 0.0
    for i in range(c.size):
        total += c[i] * (0.5 * pulls[i] * pulls[i] - linear * pulls[i])
    return total


@private
def least_objective(loss, c, penalty, centre, w, pulls):
    """A lower bound of F(w) from its slopes: exact but for the logistic loss."""
    total = least_loss(loss, c, pulls)
    for q in range(w.size):
        total += 0.5 * penalty[q] * (w[q] - centre[q]) ** 2
    return total


@private
def relative_excess(gap, objective, penalty, centre, w):
    """`gap` relative to the objective, 0 where the minimum is zero to rounding."""
    if objective <= NOTHING:
        moved = 0.0
        for q in range(w.size):
            if penalty[q] > 0.0:
                moved += (w[q] - centre[q]) ** 2
        if moved <= NOTHING:
            return 0.0
    return gap / objective if objective > 0.0 else inf


@private
def excess_by_rows(loss, X, c, offset, square, pulls, grad):
    """As `excess_bound` where nothing is penalised: what a few more rows than columns prove; inf if they prove nothing.

    Where their part of the Hessian exceeds e diag(square), the minimum is unique and the excess 1/2 sum_q g_q^2 /
    (e square_q) at most, of which twice is returned. A tiny e will do. Rows of the squared hinge count that stay on
    their side of the kink.
    """
    n, p = X.shape
    b, bound, count, many = p - 1, 0.0, 0, p + p // 16 + 16
    for q in range(p):
        if not square[q] > 0.0:
            return inf
        bound += grad[q] * grad[q] / (LEAST_BEND * square[q])
    rows, weights, threshold = np.empty(n, np.intp), np.zeros(n), 0.0
    for i in range(n):
        if loss == LOGISTIC or -pulls[i] > INSIDE:
            weights[i] = c[i] * curvature_from_slope(loss, pulls[i])
            threshold += weights[i] / n
    # Rows that bend most, as long as they are enough.
    lowest = 1e-6 * threshold
    while count < many and threshold > lowest:
        count = 0
        for i in range(n):
            if weights[i] > threshold:
                rows[count] = i
                count += 1
        threshold *= 0.1
    if count < many:
        return inf
    width = min(PANEL, many)
    A, panel = np.zeros((p, p)), np.empty((p, width))
    for first in range(0, many, width):
        for k in range(width):
            if first + k < many:
                i = rows[(first + k) * count // many]
                root = sqrt(weights[i])
                for q in range(p):
                    panel[q, k] = root * (X[i, q] - offset[q] * X[i, b])
            else:
                for q in range(p):
                    panel[q, k] = 0.0
        add_gram(panel, A)
    for q in range(p):
        A[q, q] -= LEAST_BEND * square[q]
    factorise(A, p)
    kept = 0
    for q in range(p):
        kept += A[q, q] > 0.0
    return bound if kept == p else inf
