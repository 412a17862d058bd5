"""Fit heads on a lazy sample: descent, Newton steps in the revealed span, the method of multipliers."""

from math import inf, isfinite, isnan, nan, sqrt

import numpy as np

from ..._jit import kernel, private
from ...model.descent import DIVERGENCE, clipping, move
from ...model.losses import (
    BIAS_NOT_UNIQUE,
    CONVERGED,
    DIVERGED,
    FINISHED,
    HINGE,
    NOT_CONVERGED,
    NOT_SEPARABLE,
    SEPARABLE,
)
from ..solvers.certificate import free_bias_bound, least_loss, relative_excess
from ..solvers.free_bias import nearest_to_zero, optimal_biases
from ..solvers.semidefinite import factorise, solve
from .noise import (
    BENDING,
    CENTRE,
    DIMS,
    FACTOR,
    GRADIENT,
    HEAD,
    HESSIAN,
    MARGINS,
    MOMENT,
    MULTIPLIER,
    PATH,
    PENALTY,
    RIGHT,
    ROOT,
    SCALE,
    SLOPES,
    TOLD_OBJECTIVE,
    TOLD_WRONG,
    TOTALS,
    VELOCITY,
    WEIGHT,
)
from .query import (
    CEILING,
    DONE,
    HIGH_BIAS,
    LOW_BIAS,
    RECORDED,
    REFERENCE,
    ROOM,
    SOFTNESS,
    aim,
    answer,
    ask,
    look,
    penalty,
)
from .rows import BEND, CURVE, SEARCH, STEP

# Full-batch gradient descent on a lazy sample: the steps of `solvers.descent` on what has been revealed.


@kernel
def descend(sweep, how, state, path, progress):
    """Descend from HEAD to `how.steps` steps; returns (status, relative gradient).

    `sweep` does a task over all rows. `path` (S,) lists sorted steps; the state's vectors from PATH on receive the
    heads after them, nan for those not reached. Statuses, the relative gradient and the mark of divergence are those of
    `solvers.descent`; ROOM asks for larger arrays, and `progress` remembers where to go on.
    """
    while True:
        done = int(progress[DONE])
        while progress[RECORDED] < path.size and path[int(progress[RECORDED])] == done:
            for q in range(state.vectors.shape[1]):
                state.vectors[PATH + int(progress[RECORDED]), q] = state.vectors[HEAD, q]
            progress[RECORDED] += 1
        size = look(sweep, how.loss, 0.0, state)
        if size < 0.0:
            return ROOM, nan
        objective = state.numbers[TOLD_OBJECTIVE] + penalty(state)
        if isnan(progress[REFERENCE]):
            progress[REFERENCE] = size if size > 0.0 else 1.0
        if isnan(progress[CEILING]):
            progress[CEILING] = DIVERGENCE * (1.0 + objective)
        diverged = not objective <= progress[CEILING] < inf
        if diverged or done == how.steps:
            break
        _move(state, size, how)
        progress[DONE] += 1
    for s in range(int(progress[RECORDED]), path.size):
        state.vectors[PATH + s] = nan
    return DIVERGED if diverged else FINISHED, size / progress[REFERENCE]


@kernel
def _move(state, size, how):
    """One step of the head along its gradient, which has this size."""
    known = state.signal.shape[0] + state.known[RIGHT]
    rate = how.step_size * clipping(size, how.clip)
    head, velocity, gradient = state.vectors[HEAD], state.vectors[VELOCITY], state.vectors[GRADIENT]
    move(head[:known], velocity, gradient, rate, how.momentum, how.nesterov)


# Exact fits on a lazy sample: Newton steps in the span of what has been revealed, which grows by each gradient.
#
# Every iteration reveals the gradient's new direction and takes one Newton step in all known coordinates, with a line
# search; for the squared loss that is conjugate gradients with full orthogonalisation. The gradient is that of the
# whole problem, so its length, and the duality gap that it leaves (`simulation.certificate`), certify the head in all
# dimensions, revealed or not.


FLATNESS = 0.1
"""The line search stops at this fraction of the slope it started from."""

EARLY, STALE = (1, 3), 0.5
"""The Hessian is computed anew in two early iterations, while it is small, and where a step left this share of the next
gradient in the coordinates it was in. Else it keeps its curvatures and gains a column for each new direction."""


@kernel
def minimise(sweep, how, state, softness, progress):
    """Minimise from HEAD; returns (status, certificate).

    `softness` is 0 for a smooth loss, whose certificate is that of `simulation.smooth`. `multipliers` has the others,
    for which it is the relative gradient alone. Statuses are those of `simulation.smooth`; ROOM
    asks for larger arrays, with which the same call goes on from the head reached and from `progress`.
    """
    free = True
    for q in range(state.signal.shape[0] + state.known[RIGHT]):
        free &= state.vectors[PENALTY, q] == 0.0
    size = look(sweep, how.loss, softness, state)
    softest = inf  # inverse curvature along the last step's gradient
    none = np.int64(0)  # kernels are compiled once more for a literal zero
    known, fresh = none, True
    while True:
        if size < 0.0:
            return ROOM, nan
        if isnan(progress[REFERENCE]):
            progress[REFERENCE] = size if size != 0.0 else 1.0
        reference, iteration = progress[REFERENCE], progress[DONE]
        if free and state.numbers[TOLD_WRONG] == 0.0:
            return SEPARABLE, size / reference
        if size <= how.tolerance * reference < inf:
            excess = 0.0 if softness > 0.0 else _relative_excess(how.loss, state, size, softest)
            if excess <= how.tolerance:
                return CONVERGED, max(size / reference, excess)
        if iteration >= how.iterations or not isfinite(size + reference):
            return NOT_CONVERGED, size / reference
        known = none if fresh else known
        _update_hessian(sweep, how.loss, softness, state, known)
        start = _newton_step(state, known)
        softest = -start / (size * size)
        aim(state, state.vectors[VELOCITY])
        length = 1.0
        sweep(STEP, how.loss, softness, length, state)
        if not abs(_slope_along(state, length)) <= -FLATNESS * start:
            length = search(sweep, how.loss, softness, state, -FLATNESS * start)
            sweep(STEP, how.loss, softness, length, state)
        for q in range(state.signal.shape[0] + state.known[RIGHT]):
            state.vectors[HEAD, q] += length * state.vectors[VELOCITY, q]
        known = state.signal.shape[0] + state.known[RIGHT]
        size = ask(sweep, state, length)
        progress[DONE] += 1
        fresh = progress[DONE] in EARLY or length != 1.0 or _gradient_in(state, known) > STALE * size


@kernel
def _relative_excess(loss, state, size, softest):
    """An upper bound of F - min F over F at HEAD, given the gradient's length; a row's noise has its expected length.

    Without a penalty it is an estimate: the gradient meets the curvature that the last one met.
    """
    b, noise, spread = state.signal.shape[0] - 1, 0.0, 0.0
    weight, pulls, penalty = state.rows[WEIGHT], state.rows[SLOPES], state.vectors[PENALTY]
    for e in range(state.spaces.shape[1]):
        noise += state.spaces[DIMS, e] * state.spaces[ROOT, e] ** 2
    for i in range(weight.size):
        square = noise * state.rows[SCALE, i] ** 2
        for q in range(b):
            square += state.signal[q, i] ** 2
        spread += weight[i] * square
    objective = least_loss(loss, weight, pulls)
    for q in range(b + 1 + state.known[RIGHT]):
        objective += 0.5 * penalty[q] * (state.vectors[HEAD, q] - state.vectors[CENTRE, q]) ** 2
    # All coordinates but the bias have one penalty, those not revealed among them.
    pull, ridge = state.vectors[GRADIENT, b], penalty[-1]
    if ridge == 0.0:
        gap = softest * size * size
    elif penalty[b] > 0.0:
        gap = 0.5 * ((size * size - pull * pull) / ridge + pull * pull / penalty[b])
    else:
        square = max(size * size - pull * pull, 0.0) / ridge
        gap = free_bias_bound(loss, state.signal[b], weight, pulls, square, pull, spread / ridge)
    return relative_excess(gap, objective, penalty, state.vectors[CENTRE], state.vectors[HEAD])


@kernel
def _gradient_in(state, size):
    """The length of the gradient in its first coordinates."""
    square = 0.0
    for q in range(size):
        square += state.vectors[GRADIENT, q] ** 2
    return sqrt(square)


@private
def _update_hessian(sweep, loss, softness, state, known):
    """Complete HESSIAN, which lacks the coordinates from `known` on; from zero on with the curvatures of now."""
    size, hessian = state.signal.shape[0] + state.known[RIGHT], state.matrices[HESSIAN]
    if known == 0:
        sweep(BEND, loss, softness, 0.0, state)
    for a in range(known, size):
        for b in range(size):
            state.vectors[VELOCITY, b] = 1.0 if b == a else 0.0
        aim(state, state.vectors[VELOCITY])
        sweep(CURVE, loss, softness, 0.0, state)
        answer(state, hessian[a])
        for b in range(a):
            hessian[b, a] = hessian[a, b]


@kernel
def _newton_step(state, known):
    """Minus the inverse Hessian times the gradient into VELOCITY, with `known` rows of its factor there already.

    Returns the step's product with the gradient.
    """
    size = state.signal.shape[0] + state.known[RIGHT]
    factor, hessian = state.matrices[FACTOR, :size, :size], state.matrices[HESSIAN]
    velocity, gradient = state.vectors[VELOCITY], state.vectors[GRADIENT]
    for a in range(known, size):
        for b in range(a):
            factor[a, b] = hessian[a, b]
        factor[a, a] = hessian[a, a] + state.vectors[PENALTY, a]
    for a in range(size):
        velocity[a] = -gradient[a]
    factorise(factor, size, known)
    solve(factor, size, velocity[:size])
    start = 0.0
    for a in range(size):
        start += velocity[a] * gradient[a]
    return start


@kernel
def _slope_along(state, length):
    """The objective's derivative along the step, where the last sweep looked."""
    total, velocity = state.sums[TOTALS, MOMENT], state.vectors[VELOCITY]
    for q in range(state.signal.shape[0] + state.known[RIGHT]):
        ahead = state.vectors[HEAD, q] + length * velocity[q] - state.vectors[CENTRE, q]
        total += state.vectors[PENALTY, q] * ahead * velocity[q]
    return total


@private
def search(sweep, loss, softness, state, flat):
    """The length at which the objective along the step is least: safeguarded Newton on its monotone derivative.

    The last sweep looked at length 1; ends once the derivative there is at most `flat`.
    """
    ridge, low, high, length = 0.0, 0.0, inf, 1.0
    for q in range(state.signal.shape[0] + state.known[RIGHT]):
        ridge += state.vectors[PENALTY, q] * state.vectors[VELOCITY, q] ** 2
    for _ in range(60):
        first = _slope_along(state, length)
        if abs(first) <= flat:
            break
        if first > 0.0:
            high = length
        else:
            low = length
        bend = ridge + state.sums[TOTALS, BENDING]
        length = min(length - first / bend, 8.0 * length) if bend > 0.0 else 8.0 * length
        if not low < length < high:
            length = 0.5 * (low + high) if high < inf else 2.0 * low
        sweep(SEARCH, loss, softness, length, state)
    return length


# Exact hinge loss and hard max margin on a lazy sample: the method of multipliers, with a duality gap.
#
# Both are of margins m_i = z_i.w with multipliers alpha_i in units of the row's weight c_i, as in `interior_point`:
#
#     hinge       min sum_i c_i (1 - m_i)_+ + 1/2 sum_j P_j (w_j - w0_j)^2          0 <= alpha_i <= 1
#     max margin  min 1/2 sum_j P_j (w_j - w0_j)^2  subject to  m_i >= 1            0 <= alpha_i
#
# A round minimises a smooth problem with Newton steps in the revealed span (`newton.minimise`): row i's slope there is
# -a_i, with a_i = alpha_i + (1 - m_i) / softness clipped to the multiplier's bounds. The a_i are the next multipliers
# (Rockafellar 1976; with Newton inside, Li, Sun and Toh 2018). With g = Z'(c a), which the gradient's own query reveals
# in all dimensions, they bound the objective from below by
#
#     sum_i c_i a_i - g.w0 - 1/2 sum_j g_j^2 / P_j,
#
# if g_j = 0 where P_j = 0, at the bias: before it is asked, the bias moves to where that holds to rounding. What is
# left, rho, is made up for by scaling the a_i of its class y down by its share of their sum, |rho| / A, A = sum_y c a.
# With r = P (w - w0) - g, the gradient at the head w, that costs
#
#     |rho| [sum_y c_i a_i (1 - m_i) / A + y b + |z| |r| / P] + (rho |z|)^2 / (2 P)   at most,
#
# of which the first two terms are exact. A smaller softness turns more of a margin's rounding into rho, so it stays
# where rho is what the gap consists of.


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
