"""Exact hinge loss and hard max margin on a lazy sample: the method of multipliers, with a duality gap.

Both are of margins m_i = z_i.w with multipliers alpha_i in units of the row's weight c_i, as in `interior_point`:

    hinge       min sum_i c_i (1 - m_i)_+ + 1/2 sum_j P_j (w_j - w0_j)^2          0 <= alpha_i <= 1
    max margin  min 1/2 sum_j P_j (w_j - w0_j)^2  subject to  m_i >= 1            0 <= alpha_i

A round minimises a smooth problem with Newton steps in the revealed span (`newton.minimise`): row i's slope there is
-a_i, with a_i = alpha_i + (1 - m_i) / softness clipped to the multiplier's bounds. The a_i are the next multipliers
(Rockafellar 1976; with Newton inside, Li, Sun and Toh 2018). With g = Z'(c a), which the gradient's own query reveals
in all dimensions, they bound the objective from below by

    sum_i c_i a_i - g.w0 - 1/2 sum_j g_j^2 / P_j,

if g_j = 0 where P_j = 0, at the bias: before it is asked, the bias moves to where that holds to rounding. What is left,
rho, is made up for by scaling the a_i of its class y down by its share of their sum, |rho| / A, A = sum_y c a. With
r = P (w - w0) - g, the gradient at the head w, that costs

    |rho| [sum_y c_i a_i (1 - m_i) / A + y b + |z| |r| / P] + (rho |z|)^2 / (2 P)   at most,

of which the first two terms are exact. A smaller softness turns more of a margin's rounding into rho, so it stays where
rho is what the gap consists of.
"""

from math import inf, isnan, nan, sqrt

from ..._jit import kernel, private
from ...losses import HINGE
from ...status import BIAS_NOT_UNIQUE, CONVERGED, NOT_CONVERGED, NOT_SEPARABLE
from ..free_bias import nearest_to_zero, optimal_biases
from .newton import minimise, search
from .query import HIGH_BIAS, LOW_BIAS, REFERENCE, ROOM, SOFTNESS, ask, look
from .reveal import aim
from .revealed import (
    CENTRE,
    DIMS,
    GRADIENT,
    HEAD,
    HESSIAN,
    MARGINS,
    MULTIPLIER,
    PENALTY,
    RIGHT,
    ROOT,
    SCALE,
    SLOPES,
    VELOCITY,
    WEIGHT,
)
from .sweeps import STEP

START, FASTER = 0.1, 0.5
"""The first softness, beside what a row's own multiplier does to its margin, and its factor from round to round."""

SHARE = 0.01
"""Of the last duality gap, what the next smooth problem is solved to: looser, more rounds reveal more directions."""

STEPS = 2000
"""Newton steps at most, over all rounds; each reveals a direction, and a few hundred are common."""

HALF = 0.5
"""Of the duality gap, what the classes' inequality may make up before the softness stays where it is."""

ROUNDS = 100
"""Rounds at most: where rounding keeps the gap open they may pass without a Newton step; 20 to 40 are common."""

ROUNDING = 1e-14
"""How far the bias's sum_i c_i a_i y_i may be from zero."""

FLOOR = 1e-12
"""Of the objective without any margin: what the gap is relative to where the minimum is zero, as of dense fits."""


@kernel
def margins(sweep, how, state, progress):
    """Fit HINGE or MAX_MARGIN from HEAD and MULTIPLIER; returns (status, relative duality gap).

    The noise's penalty must be positive, and both classes have weight unless the bias has a penalty too. CONVERGED once
    primal - dual <= `how.tolerance` primal, where the primal head is the state's, for the max margin scaled up to
    margins of at least 1. BIAS_NOT_UNIQUE: the same, and every bias of an interval, which is written into `progress`,
    is optimal; the one nearest to 0 is taken. NOT_SEPARABLE: the multipliers prove that no head of unit length has
    margins above `how.tolerance` of the rows' length. NOT_CONVERGED after STEPS Newton steps or ROUNDS rounds. ROOM
    asks for larger arrays, and the same call goes on from `progress`.
    """
    boxed = how.loss == HINGE
    length, count = row_length(state)
    if isnan(progress[SOFTNESS]):
        progress[SOFTNESS] = START * length * length / (count * state.vectors[PENALTY, -1])
    if isnan(progress[REFERENCE]):
        size = look(sweep, how.loss, progress[SOFTNESS], state)
        if size >= 0.0 and boxed and weights_are_weak(state, size):
            b = state.signal.shape[0] - 1
            state.matrices[HESSIAN, b, b] = 0.0  # nothing is known of it
            size = _balance(sweep, how, state, progress[SOFTNESS])
        if size < 0.0:
            return ROOM, nan
        progress[REFERENCE] = SHARE * size / how.tolerance
    gap = inf
    for _ in range(ROUNDS):
        # The length of the gradient that ends a round is `how.tolerance` times REFERENCE.
        status, _ = minimise(sweep, how, state, progress[SOFTNESS], progress)
        size = float(ROOM) if status == ROOM else _balance(sweep, how, state, progress[SOFTNESS])
        if size < 0.0:
            return ROOM, nan
        primal, dual, pull, total, smallest = bounds(boxed, state, size)
        cost = unbalanced(state, size, length)
        dual -= cost
        gap = (primal - dual) / (primal + FLOOR) if primal < inf else inf
        if gap <= how.tolerance or (status == NOT_CONVERGED and primal < inf):
            scale_up(state, smallest)
            if gap <= how.tolerance:
                return settle(boxed, state, length, primal - dual, progress), gap
            return NOT_CONVERGED, gap
        if not boxed and total > 0.0 and primal == inf and pull <= how.tolerance * length * total:
            return NOT_SEPARABLE, inf
        if status == NOT_CONVERGED:
            return NOT_CONVERGED, inf
        wanted = SHARE * pull
        if primal < inf:
            # A gradient adds |gradient|^2 / (2 P) to the gap.
            wanted = sqrt(2.0 * state.vectors[PENALTY, -1] * SHARE * max(primal - dual, how.tolerance * primal))
        progress[REFERENCE] = wanted / how.tolerance
        if abs(cost) <= HALF * (primal - dual):
            progress[SOFTNESS] *= FASTER
        advance(state)
    return NOT_CONVERGED, gap


@kernel
def weights_are_weak(state, size):
    """Whether weights alone bring margins to 1 on average not even with every multiplier at its bound.

    Given the gradient's length at the start. Then nothing bends until the bias has moved, which Newton steps do not do
    where nothing bends.
    """
    b = state.signal.shape[0] - 1
    pull = size * size - state.vectors[GRADIENT, b] ** 2
    return state.vectors[PENALTY, b] == 0.0 and pull < state.vectors[PENALTY, -1]


@private
def _balance(sweep, how, state, softness):
    """Move a bias without penalty to where its gradient is zero to rounding; the gradient's length there, or ROOM."""
    b = state.signal.shape[0] - 1
    velocity, bend = state.vectors[VELOCITY], state.matrices[HESSIAN, b, b]
    for q in range(b + 1 + state.known[RIGHT]):
        velocity[q] = 0.0
    if state.vectors[PENALTY, b] == 0.0:
        velocity[b] = -state.vectors[GRADIENT, b] / (bend if bend > 0.0 else 1.0)
    aim(state, velocity)
    length = 1.0
    sweep(STEP, how.loss, softness, length, state)
    if velocity[b] != 0.0:
        length = search(sweep, how.loss, softness, state, ROUNDING * abs(velocity[b]))
        sweep(STEP, how.loss, softness, length, state)
        state.vectors[HEAD, b] += length * velocity[b]
    return ask(sweep, state, length)


@kernel
def bounds(boxed, state, size):
    """Bounds of the objective by the state's head and slopes, given the length of its gradient.

    The lower one holds less what `unbalanced` says. Returns (primal, dual, |Z'(c a)|, sum of c a, smallest margin or 1
    if that is less); primal is inf where a margin that must be positive is not. The smallest margin is 1 for the hinge.
    """
    loss, total, smallest = 0.0, 0.0, 1.0
    weight, slopes, margins = state.rows[WEIGHT], state.rows[SLOPES], state.rows[MARGINS]
    for i in range(weight.size):
        if weight[i] > 0.0:
            total -= weight[i] * slopes[i]
            if boxed:
                loss += weight[i] * max(0.0, 1.0 - margins[i])
            else:
                smallest = min(smallest, margins[i])
    primal, dual, square, dropped = loss, total, 0.0, size * size
    head, centre = state.vectors[HEAD], state.vectors[CENTRE]
    gradient, penalty = state.vectors[GRADIENT], state.vectors[PENALTY]
    for q in range(state.signal.shape[0] + state.known[RIGHT]):
        dropped -= gradient[q] * gradient[q]
        if penalty[q] > 0.0:
            pull = penalty[q] * (head[q] - centre[q]) - gradient[q]
            square += pull * pull
            dual -= pull * centre[q] + 0.5 * pull * pull / penalty[q]
            primal += 0.5 * penalty[q] * (head[q] / smallest - centre[q]) ** 2
    # What was dropped of the query is at right angles to all known coordinates.
    dual -= 0.5 * max(0.0, dropped) / penalty[-1]
    return primal if smallest > 0.0 else inf, dual, sqrt(square + max(0.0, dropped)), total, smallest


@kernel
def unbalanced(state, size, length):
    """What the lower bound loses, at most, as the classes are made equal, given the gradient's and a row's length."""
    b, ridge = state.signal.shape[0] - 1, state.vectors[PENALTY, -1]
    excess = -state.vectors[GRADIENT, b]
    if state.vectors[PENALTY, b] > 0.0 or excess == 0.0:
        return 0.0
    total, short, label = 0.0, 0.0, 1.0 if excess > 0.0 else -1.0
    for i in range(state.rows.shape[1]):
        if state.signal[b, i] == label:
            mass = -state.rows[WEIGHT, i] * state.rows[SLOPES, i]
            total += mass
            short += mass * (1.0 - state.rows[MARGINS, i])
    linear = short / total + label * state.vectors[HEAD, b] + length * size / ridge
    return abs(excess) * linear + (excess * length) ** 2 / (2.0 * ridge)


@kernel
def settle(boxed, state, length, excess, progress):
    """Take the optimal bias of least size and return the status, given a row's length and primal - dual.

    As `interior_point` does for rows of about that length: an interval of biases is longer than what `excess` leaves
    open of margins.
    """
    b = state.signal.shape[0] - 1
    if not boxed or state.vectors[PENALTY, b] > 0.0:
        return CONVERGED
    bias = state.vectors[HEAD, b]
    low, high = optimal_biases(state.signal[b], state.rows[MARGINS], state.rows[WEIGHT], bias)
    open_margin = length * sqrt(2.0 * max(excess, 0.0) / state.vectors[PENALTY, -1])
    if not high - low > 4.0 * open_margin + ROUNDING * (1.0 + abs(bias)):
        return CONVERGED
    progress[LOW_BIAS], progress[HIGH_BIAS] = low, high
    state.vectors[HEAD, b] = nearest_to_zero(low, high)
    return BIAS_NOT_UNIQUE


@kernel
def advance(state):
    """Minus the slopes become the multipliers."""
    for i in range(state.rows.shape[1]):
        state.rows[MULTIPLIER, i] = -state.rows[SLOPES, i]


@kernel
def scale_up(state, smallest):
    """Divide the head by its smallest margin."""
    for q in range(state.vectors.shape[1]):
        state.vectors[HEAD, q] /= smallest


@kernel
def row_length(state):
    """Root mean square length of the rows that count, of their noise in expectation, and their number."""
    noise, total, count = 0.0, 0.0, 0
    for e in range(state.spaces.shape[1]):
        noise += state.spaces[DIMS, e] * state.spaces[ROOT, e] ** 2
    for i in range(state.rows.shape[1]):
        if state.rows[WEIGHT, i] > 0.0:
            count += 1
            total += noise * state.rows[SCALE, i] ** 2
            for q in range(state.signal.shape[0]):
                total += state.signal[q, i] ** 2
    return sqrt(total / count), count
