"""Exact hinge loss and hard max margin: a primal-dual interior point with a duality gap as its certificate.

With rows z_i = y_i x_i that count (c_i > 0), v = w - w0 and e_i = 1 - z_i.w0, both problems are quadratic programs:

    hinge       min sum_i c_i (e_i - z_i.v)_+ + 1/2 v'Pv     dual box 0 <= alpha_i <= c_i
    max margin  min 1/2 v'Pv  subject to  z_i.v >= e_i       dual cone 0 <= alpha_i
    dual        max sum_i alpha_i e_i - 1/2 sum_j (Z'alpha)_j^2 / P_j   with (Z'alpha)_j = 0 wherever P_j = 0

Each iteration solves two systems (P + Z'WZ) dv = r, W diagonal, with one factor (`advance`). With more
penalised coordinates than rows these are first rotated onto the span of the rows, so that the systems have about
min(n, p) unknowns.

Columns far from zero are centred, where the bias is free to take up the shift, and rows are divided by a power of two
near their entries' size; the ridge is multiplied by its square. So neither units nor origin of the features matter to
the steps. The head that is returned is one of the rows as given: its bias takes up the shift and is rounded, which
moves margins by up to 1e-16 of the bias. So the gap that certifies is that of the returned head, from margins in twice
double precision.
"""

from math import floor, inf, log2, sqrt

import numpy as np

from ..._jit import kernel, private
from ...model.losses import (
    BIAS_NOT_UNIQUE,
    CONVERGED,
    EMPTY,
    HINGE,
    IMPRECISE,
    NOT_CONVERGED,
    NOT_SEPARABLE,
    ONE_CLASS,
    SEPARABLE,
)
from .certificate import FAR
from .free_bias import nearest_to_zero, optimal_biases
from .passes import inner
from .semidefinite import PANEL, add_gram, factorise, solve

_ROUNDING = 1e-13  # how well an equality of the dual must hold, relative to the sum of its absolute terms
_NEARLY_RAY = 1e-4  # a dual point this close to a Farkas ray is worth the attempt to make it one exactly
_SHORTEST_STEP = 1e-10
_FLOOR = 1e-12  # of the objective without any margin: what the gap is relative to where the minimum is zero
_PATIENCE = 60  # iterations: twice what problems take
_MINOR = 0.1  # part of the tolerance: where the solver's own gap is less, rounding has the rest
_SPLIT = 134217729.0  # 2^27 + 1: parts a double in two halves


@private
def _annihilate(A, scale, boxed, mass, alpha):
    """Move alpha (n,) by little, in units of sqrt(scale) a row, to A'alpha = 0 inside its bounds; whether it is there.

    That is, |A'alpha| is rounding beside the sum of alpha_i |A_i|, after alpha is clipped to its bounds: at least 0
    and, where boxed, at most mass.
    """
    n, k = A.shape
    residual = np.zeros(k)
    L = weighted_factor(A, scale, residual)
    for _ in range(2):  # the second time for the rounding of the first
        transposed_times(A, alpha, residual)
        solve(L, residual.size, residual)
        for i in range(n):
            alpha[i] = max(0.0, alpha[i] - scale[i] * inner(A[i], residual))
            if boxed:
                alpha[i] = min(alpha[i], mass[i])
    return _relative_pull(A, alpha) <= _ROUNDING


@private
def _relative_pull(A, alpha):
    """|A'alpha| over sum_i alpha_i |A_i|, for alpha (n,) >= 0; 0 where A = 0."""
    residual = np.empty(A.shape[1])
    transposed_times(A, alpha, residual)
    square, total = 0.0, 0.0
    for j in range(residual.size):
        square += residual[j] * residual[j]
    for i in range(alpha.size):
        total += alpha[i] * sqrt(inner(A[i], A[i]))
    return sqrt(square) / total if square != 0.0 else 0.0


@private
def _dual_value(boxed, Z, A, P, e, mass, state):
    """Dual objective at the state's alpha made feasible: A'alpha = 0 for A = Z[:, P == 0]; -inf where that fails."""
    n, p = Z.shape
    alpha = np.empty(n)
    scale = np.empty(n)
    for i in range(n):
        alpha[i] = mass[i] * state[0, i]
        scale[i] = alpha[i] * state[1, i]
    if A.shape[1] > 0 and not _annihilate(A, scale, boxed, mass, alpha):
        return -inf
    total = 0.0
    for i in range(n):
        total += alpha[i] * e[i]
    pull = np.empty(p)
    transposed_times(Z, alpha, pull)
    for j in range(p):
        if P[j] > 0.0:
            total -= 0.5 * pull[j] * pull[j] / P[j]
    return total


@private
def _rotate(Z, P, A):
    """Rows in the coordinates of their own span: features F (n, n + k), penalty (n + k,) and the factor L (n, n).

    For more than n penalised coordinates; F = [L, A] with A = Z[:, P == 0] (n, k) and L L' = sum_j z_j z_j' / P_j.
    """
    n, p = Z.shape
    m = n + A.shape[1]
    transposed = np.empty((p, n))
    inverse = np.empty(p)
    F = np.empty((n, m))
    penalty = np.empty(m)
    for j in range(m):
        penalty[j] = 0.0
    for j in range(p):
        inverse[j] = 1.0 / P[j] if P[j] > 0.0 else 0.0
        for i in range(n):
            transposed[j, i] = Z[i, j]
    L = weighted_factor(transposed, inverse, penalty)
    for i in range(n):
        penalty[i] = 1.0
        for j in range(m):
            F[i, j] = A[i, j - n] if j >= n else (L[i, j] if j <= i else 0.0)
    return F, penalty, L


@private
def _rotate_back(Z, P, F, L, rotated, v):
    """The head v (p,) with the margins and the penalty of `rotated` (n + k,).

    v_j = (Z' a)_j / P_j where P_j > 0, with L L' a the margins that the penalised part of `rotated` makes.
    """
    n = Z.shape[0]
    a = np.empty(n)
    for i in range(n):
        a[i] = inner(F[i, :n], rotated[:n])
    solve(L, n, a)
    transposed_times(Z, a, v)
    k = n
    for j in range(v.size):
        if P[j] > 0.0:
            v[j] /= P[j]
        else:
            v[j] = rotated[k]
            k += 1


@private
def _is_ray(boxed, F, mass, state):
    """Whether the dual point is, after a small move, a Farkas ray: alpha >= 0, not 0, F'alpha = 0 to rounding."""
    n = mass.size
    alpha = np.empty(n)
    scale = np.empty(n)
    for i in range(n):
        alpha[i] = mass[i] * state[0, i]
        scale[i] = alpha[i] / state[2, i]
    if not (_relative_pull(F, alpha) <= _NEARLY_RAY and _annihilate(F, scale, boxed, mass, alpha)):
        return False
    total = 0.0
    for i in range(n):
        total += alpha[i]
    return total > 0.0  # if all are clipped to zero they pull nothing and prove nothing


@private
def _primal_value(boxed, mass, penalty, centre, v, surplus, w):
    """Write the feasible head into w (p,) and return its objective; inf where there is none yet.

    For the max margin w0 + v is scaled up until its smallest margin is 1.
    """
    total = 0.0
    smallest = 1.0
    for i in range(mass.size):
        if boxed:
            total += mass[i] * max(0.0, -surplus[i])
        else:
            smallest = min(smallest, 1.0 + surplus[i])
    if not smallest > 0.0:
        return inf
    for j in range(w.size):
        w[j] = (centre[j] + v[j]) / smallest
        total += 0.5 * penalty[j] * (w[j] - centre[j]) ** 2
    return total


@private
def _origin_and_unit(X, c, centred):
    """Mean (p,) of the columns that lie far from zero, zero for others and unless `centred`; the size of rows about it.

    Far is beyond FAR standard deviations: else a few long rows would move all others away from zero. The size is the
    geometric mean over rows of their largest entry, for the same reason, as a power of two; 1 where all are equal.
    """
    n, p = X.shape
    mean, square = np.zeros(p), np.zeros(p)
    total, size, count = 0.0, 0.0, 0
    for i in range(n):
        total += c[i]
    if centred and total > 0.0:
        for i in range(n):
            for j in range(p - 1):
                mean[j] += c[i] / total * X[i, j]
        for i in range(n):
            for j in range(p - 1):
                square[j] += c[i] / total * (X[i, j] - mean[j]) ** 2
        for j in range(p - 1):
            if mean[j] * mean[j] <= FAR * FAR * square[j]:
                mean[j] = 0.0
    for i in range(n):
        largest = 0.0
        for j in range(p - 1):
            largest = max(largest, abs(X[i, j] - mean[j]))
        if c[i] != 0.0 and largest > 0.0:
            size += log2(largest)
            count += 1
    return mean, 2.0 ** floor(size / count + 0.5) if count else 1.0


@private
def _rows_that_count(X, y, c, mean, unit):
    """Signed rows z_i = y_i (x_i - mean) / unit (m, p) and weights (m,) of the rows with c_i > 0, and the share of
    positive labels. The bias keeps its column.
    """
    n, p = X.shape
    count = 0
    for i in range(n):
        if c[i] != 0.0:
            count += 1
    Z = np.empty((count, p))
    mass = np.empty(count)
    k = 0
    positive, total = 0.0, 0.0
    for i in range(n):
        if c[i] != 0.0:
            mass[k] = c[i]
            total += c[i]
            positive += c[i] if y[i] > 0.0 else 0.0
            for j in range(p - 1):
                Z[k, j] = y[i] * (X[i, j] - mean[j]) / unit
            Z[k, p - 1] = y[i] * X[i, p - 1]
            k += 1
    return Z, mass, positive / total if count > 0 else 0.0


@private
def _columns_without_penalty(Z, P):
    """Z[:, P == 0]."""
    n, p = Z.shape
    count = 0
    for j in range(p):
        if P[j] == 0.0:
            count += 1
    A = np.empty((n, count))
    for i in range(n):
        k = 0
        for j in range(p):
            if P[j] == 0.0:
                A[i, k] = Z[i, j]
                k += 1
    return A


@private
def _separates_alone(Z, P, w):
    """Whether the unpenalised coordinates of w by themselves give every row a positive margin."""
    for i in range(Z.shape[0]):
        margin = 0.0
        for j in range(P.size):
            if P[j] == 0.0:
                margin += Z[i, j] * w[j]
        if not margin > 0.0:
            return False
    return True


@private
def _free_bias(Z, mass, P, surplus, w, excess):
    """Ends of the interval of biases that are optimal beside the weights of w (p,); its bias twice where it is one.

    `excess` is primal - dual: margins at the optimum are within |z_i| sqrt(2 excess / P) of those of w. An interval is
    one only where it is longer than twice that, so that the optimum has one too.
    """
    n, p = Z.shape
    labels, margins = np.empty(n), np.empty(n)
    longest, least = 0.0, inf
    for j in range(p - 1):
        least = min(least, P[j])
    for i in range(n):
        labels[i] = Z[i, p - 1]
        margins[i] = 1.0 + surplus[i]
        longest = max(longest, inner(Z[i, : p - 1], Z[i, : p - 1]))
    low, high = optimal_biases(labels, margins, mass, w[p - 1])
    if least > 0.0 and high - low > 2.0 * sqrt(2.0 * longest * max(excess, 0.0) / least) + _ROUNDING * (1.0 + abs(low)):
        return low, high
    return w[p - 1], w[p - 1]


@private
def _halves(a):
    """Return two numbers of 26 bits whose sum is a."""
    large = _SPLIT * a
    high = large - (large - a)
    return high, a - high


@private
def _accurate_dot(start, x, scale, w, high, low):
    """Return start + scale x.w over all but the last coordinate, in two numbers that add to it.

    `high` and `low` (p,) are the halves of w, scale is a power of two. As accurate as in twice double precision (Ogita,
    Rump and Oishi 2005, "Accurate sum and dot product").
    """
    total, rest = start, 0.0
    for j in range(w.size - 1):
        a = scale * x[j]
        a_high, a_low = _halves(a)
        product = a * w[j]
        missed = a_low * low[j] - (((product - a_high * high[j]) - a_low * high[j]) - a_high * low[j])
        ahead = total + product
        part = ahead - total
        rest += missed + ((total - (ahead - part)) + (product - part))
        total = ahead
    return total, rest


@private
def _given_value(boxed, given, mass, penalty, centre, head, low, high, w):
    """Write the head of the rows as given into w (p,), and return its objective in that of the scaled problem.

    `given` are X, y, c and the mean and unit of the rows; `low` and `high` bound the biases that are as good as that of
    `head` (p,), the head around the mean in units. Where they are one, the bias is the best of the numbers beside it
    that can be. For the max margin the value is that of the head scaled up to a least margin of 1, inf where none is.
    """
    X, y, c, mean, unit = given
    p = head.size
    first, second = np.empty(p), np.empty(p)
    for j in range(p):
        first[j], second[j] = _halves(head[j])
        w[j] = head[j] / unit
    total, rest = _accurate_dot(-low, mean, 1.0 / unit, head, first, second)
    bias = -(total + rest)
    if low < high:
        total, rest = _accurate_dot(-high, mean, 1.0 / unit, head, first, second)
        bias = nearest_to_zero(bias, -(total + rest))
    surplus, labels = np.empty(mass.size), np.empty(mass.size)
    k = 0
    for i in range(y.size):
        if c[i] != 0.0:
            total, rest = _accurate_dot(bias, X[i], 1.0 / unit, head, first, second)
            surplus[k], labels[k] = y[i] * total - 1.0 + y[i] * rest, y[i]
            k += 1
    best, w[p - 1] = inf, bias
    for way in range(3 if low == high and penalty[p - 1] == 0.0 else 1):
        beside = bias if way == 0 else np.nextafter(bias, inf if way == 1 else -inf)
        value, smallest = 0.0, 1.0
        for i in range(mass.size):
            left = surplus[i] + labels[i] * (beside - bias)
            if boxed:
                value += mass[i] * max(0.0, -left)
            else:
                smallest = min(smallest, 1.0 + left)
        if smallest > 0.0:
            for j in range(p):
                value += 0.5 * penalty[j] * ((head[j] if j < p - 1 else beside) / smallest - centre[j]) ** 2
            if value < best:
                best, w[p - 1] = value, beside
    return best


@kernel
def interior_point(how, X, y, c, shift, penalty, centre, w, single, stream, path, path_w):
    """Minimise the objective of `passes` for HINGE or MAX_MARGIN; the head goes into w (p,), which is only written.

    Returns (status, relative gap, iterations): CONVERGED once primal - dual <= `how.tolerance` primal, where primal is
    the objective at w and dual that of a feasible dual point (near a zero minimum, relative to `_FLOOR` instead); for
    MAX_MARGIN primal is that of w scaled up to a least margin of 1. IMPRECISE: rounding of w stands in the way. The
    last column of X is the bias, all ones. The objective is taken relative to the largest penalty. MAX_MARGIN minimises
    the penalty term under y_i x_i.w >= 1 for c_i > 0, and reads zero penalties as their limit: equal but for the bias.

    Other statuses: BIAS_NOT_UNIQUE (hinge: converged, and every bias of an interval is optimal; that of least size is
    given, and `free_bias` has the ends), EMPTY (no c_i > 0), ONE_CLASS (one label among the rows that count, bias
    unpenalised), SEPARABLE (hinge: the unpenalised coordinates alone separate), NOT_SEPARABLE (max margin: a Farkas ray
    alpha >= 0, not 0, with Z'alpha = 0 was found), NOT_CONVERGED (tolerance not reached, or a NaN). Then w is the last
    iterate and the gap is inf where no feasible pair was found.
    """
    p = X.shape[1]
    mean, unit = _origin_and_unit(X, c, penalty[p - 1] == 0.0)
    Z, mass, share = _rows_that_count(X, y, c, mean, unit)
    if mass.size == 0:
        return EMPTY, inf, 0
    if (share == 0.0 or share == 1.0) and penalty[p - 1] == 0.0:
        return ONE_CLASS, inf, 0
    P, origin, head = penalty.copy(), centre.copy(), np.zeros(p)
    for j in range(p - 1):
        P[j] /= unit * unit
        origin[j] *= unit
    status, gap, iterations = _optimise(how, (X, y, c, mean, unit), Z, mass, share, P, origin, head, w)
    if status != CONVERGED and status != BIAS_NOT_UNIQUE and status != IMPRECISE:
        shifted = 0.0
        for j in range(p - 1):
            w[j] = head[j] / unit
            shifted += w[j] * mean[j]
        w[p - 1] = head[p - 1] - shifted
    return status, gap, iterations


@private
def _optimise(how, given, Z, mass, share, P, centre, head, w):
    """`interior_point` on signed rows Z (n, p) with both labels or a penalised bias; P and mass are overwritten.

    `given` is that of `_given_value`. The head of Z goes into `head` (p,), that of the rows as given into w (p,), which
    is written where the gap of `head` came to the tolerance.
    """
    boxed = how.loss == HINGE
    n, p = Z.shape
    largest = 0.0
    for j in range(p):
        largest = max(largest, P[j])
    for j in range(p):
        if largest > 0.0:
            P[j] /= largest
        elif not boxed and j < p - 1:
            P[j] = 1.0
    scale = largest if boxed and largest > 0.0 else 1.0
    for i in range(n):
        mass[i] /= scale
    if share == 0.0 or share == 1.0:
        share = 0.5

    A = _columns_without_penalty(Z, P)
    rotated = p - A.shape[1] > n
    F, P_F, L = _rotate(Z, P, A) if rotated else (Z, P, Z)
    v_F, v = np.zeros(P_F.size), np.zeros(p)
    e, surplus = np.empty(n), np.empty(n)
    state = np.empty((4, n))
    for i in range(n):
        # Strictly inside, with sum_i alpha_i y_i = 0, and for the hinge with s - t = z.v - e.
        e[i] = 1.0 - inner(Z[i], centre)
        a = 1.0 - share if Z[i, p - 1] > 0.0 else share
        state[0, i] = a
        state[1, i] = 1.0 - a if boxed else 1.0
        state[2, i] = 1.0 + max(0.0, -e[i])
        state[3, i] = 1.0 + max(0.0, e[i]) if boxed else 0.0
        if not boxed:
            mass[i] = 1.0 / n

    gap, certificate = inf, inf
    iteration = 0
    while True:
        if rotated:
            _rotate_back(Z, P, F, L, v_F, v)
        else:
            for j in range(p):
                v[j] = v_F[j]
        for i in range(n):
            surplus[i] = inner(Z[i], v) - e[i]
        primal = _primal_value(boxed, mass, P, centre, v, surplus, head)
        if primal < inf:
            dual, floor = _dual_value(boxed, Z, A, P, e, mass, state), _FLOOR / scale
            gap = (primal - dual) / (primal + floor)
            if gap <= how.tolerance:
                low = high = head[p - 1]
                if boxed and P[p - 1] == 0.0:
                    low, high = _free_bias(Z, mass, P, surplus, head, primal - dual)
                primal = _given_value(boxed, given, mass, P, centre, head, low, high, w)
                certificate = (primal - dual) / (primal + floor) if primal < inf else inf
                if certificate <= how.tolerance:
                    return BIAS_NOT_UNIQUE if low < high else CONVERGED, certificate, iteration
                if gap <= _MINOR * how.tolerance:
                    return IMPRECISE, certificate, iteration
            if boxed and A.shape[1] > 0 and _separates_alone(Z, P, head):
                return SEPARABLE, gap, iteration
        elif _is_ray(boxed, F, mass, state):
            return NOT_SEPARABLE, inf, iteration
        if iteration == how.iterations:
            break
        iteration += 1
        # Also ends a run with a nan in it, whose step length is nan.
        if not advance(boxed, F, P_F, mass, surplus, v_F, state, iteration > _PATIENCE) > _SHORTEST_STEP:
            break
    return (IMPRECISE, certificate, iteration) if certificate < inf else (NOT_CONVERGED, gap, iteration)


# Mehrotra's predictor-corrector step for the quadratic programs of `interior_point`, and the linear algebra of both.
#
# The state of n rows is (4, n): a, u = 1 - a, s, t > 0. The dual point is alpha = c a, u its distance to the upper
# bound, and s, t are the slacks of z_i.v - e_i = s_i - t_i. The step aims at c_i a_i s_i = c_i u_i t_i = mu, one mu for
# all rows. Without an upper bound (max margin, `boxed` False) u stays 1 and t stays 0.
#
# Sources: Mehrotra (1992); Ferris & Munson (2002), "Interior-point methods for massive support vector machines".


DAMPING = 0.995  # part of the way to the boundary that a step goes


@private
def transposed_times(Z, alpha, out):
    """out (p,) = Z' alpha."""
    out[:] = 0.0
    for i in range(alpha.size):
        for j in range(out.size):
            out[j] += alpha[i] * Z[i, j]


@private
def weighted_factor(A, weights, penalty):
    """Triangular factor of A' diag(weights) A + diag(penalty) for A (n, p), weights (n,) >= 0, penalty (p,)."""
    n, p = A.shape
    L = np.empty((p, p))
    panel = np.empty((p, PANEL))
    for i in range(p):
        for j in range(i):
            L[i, j] = 0.0
        L[i, i] = penalty[i]
    for start in range(0, n, PANEL):
        for k in range(PANEL):
            i = min(start + k, n - 1)
            root = sqrt(weights[i]) if start + k < n else 0.0
            for j in range(p):
                panel[j, k] = root * A[i, j]
        add_gram(panel, L)
    factorise(L, p)
    return L


@private
def _direction(boxed, F, P, L, weights, state, targets, residual_rows, residual_v, dv, move):
    """Newton step for one choice of complementarity targets; writes dv (p,) and move (4, n).

    `targets` (2, n) are the wanted changes of a s and u t.
    """
    n, p = F.shape
    gain = np.empty(n)
    scaled = np.empty(n)
    wanted = np.empty(p)
    correction = np.empty(p)
    for i in range(n):
        gain[i] = targets[0, i] / state[0, i] - targets[1, i] / state[1, i] + residual_rows[i]
        scaled[i] = weights[i] * gain[i]
    transposed_times(F, scaled, wanted)
    for j in range(p):
        wanted[j] += residual_v[j]
        correction[j] = wanted[j]
        dv[j] = 0.0
    for refine in range(2):  # once more, because the system's condition grows like one over the gap
        if refine:
            for i in range(n):
                scaled[i] = weights[i] * inner(F[i], dv)
            transposed_times(F, scaled, correction)
            for j in range(p):
                correction[j] = wanted[j] - P[j] * dv[j] - correction[j]
        solve(L, correction.size, correction)
        for j in range(p):
            dv[j] += correction[j]
    for i in range(n):
        a, u, s, t = state[0, i], state[1, i], state[2, i], state[3, i]
        da = (gain[i] - inner(F[i], dv)) / (s / a + t / u)
        move[0, i] = da
        move[1, i] = -da if boxed else 0.0
        move[2, i] = (targets[0, i] - s * da) / a
        move[3, i] = (targets[1, i] + t * da) / u


@private
def _longest(state, move):
    """Largest step, at most 1 / damping, that keeps every entry of state (4, n) nonnegative."""
    length = 1.0 / DAMPING
    for k in range(4):
        for i in range(state.shape[1]):
            if move[k, i] < 0.0:
                length = min(length, -state[k, i] / move[k, i])
    return length


@private
def advance(boxed, F, P, mass, surplus, v, state, cautious):
    """One predictor-corrector step of v and state in place; its length.

    Steps as long as the bounds allow are fast and find Farkas rays, but once in thousands of problems they run in a
    cycle. If `cautious`, a step ends where the complementarity products' sum, a parabola along it, is least.
    """
    n, p = F.shape
    weights = np.empty(n)
    residual_rows = np.empty(n)
    alpha = np.empty(n)
    targets = np.empty((2, n))
    residual_v = np.empty(p)
    dv = np.empty(p)
    move = np.empty((4, n))
    now, barriers = 0.0, 0.0
    for i in range(n):
        a, u, s, t = state[0, i], state[1, i], state[2, i], state[3, i]
        weights[i] = mass[i] / (s / a + t / u)
        residual_rows[i] = s - t - surplus[i]
        alpha[i] = mass[i] * a
        targets[0, i] = -a * s
        targets[1, i] = -u * t
        now += mass[i] * (a * s + u * t)
        barriers += 2.0 if boxed else 1.0
    transposed_times(F, alpha, residual_v)
    for j in range(p):
        residual_v[j] -= P[j] * v[j]
    L = weighted_factor(F, weights, P)

    centring = 0.0
    for corrector in range(2):
        if corrector:
            length = min(1.0, _longest(state, move))
            ahead = 0.0
            for i in range(n):
                after_a, after_u = state[0, i] + length * move[0, i], state[1, i] + length * move[1, i]
                after_s, after_t = state[2, i] + length * move[2, i], state[3, i] + length * move[3, i]
                ahead += mass[i] * (after_a * after_s + after_u * after_t)
            centring = (ahead / now) ** 3 * now / barriers
            for i in range(n):
                targets[0, i] += centring / mass[i] - move[0, i] * move[2, i]
                if boxed:
                    targets[1, i] += centring / mass[i] - move[1, i] * move[3, i]
        _direction(boxed, F, P, L, weights, state, targets, residual_rows, residual_v, dv, move)
    length = DAMPING * _longest(state, move)
    if cautious:
        fall, bend = 0.0, 0.0
        for i in range(n):
            fall -= mass[i] * (state[0, i] * move[2, i] + state[2, i] * move[0, i])
            fall -= mass[i] * (state[1, i] * move[3, i] + state[3, i] * move[1, i])
            bend += mass[i] * (move[0, i] * move[2, i] + move[1, i] * move[3, i])
        if fall > 0.0 and bend > 0.0:
            length = min(length, 0.5 * fall / bend)
    for j in range(p):
        v[j] += length * dv[j]
    for k in range(4):
        for i in range(n):
            state[k, i] += length * move[k, i]
    return length
