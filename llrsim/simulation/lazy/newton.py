"""Exact fits on a lazy sample: Newton steps in the span of what has been revealed, which grows by each gradient.

Every iteration reveals the gradient's new direction and takes one Newton step in all known coordinates, with a line
search; for the squared loss that is conjugate gradients with full orthogonalisation. The gradient is that of the whole
problem, so its length, and the duality gap that it leaves (`simulation.certificate`), certify the head in all
dimensions, revealed or not.
"""

from math import inf, isfinite, isnan, nan, sqrt

import numpy as np

from ..._jit import kernel, private
from ...status import CONVERGED, NOT_CONVERGED, SEPARABLE
from ..certificate import free_bias_bound, least_loss, relative_excess
from ..semidefinite import factorise, solve
from .query import DONE, REFERENCE, ROOM, ask, look
from .reveal import aim, answer
from .revealed import (
    BENDING,
    CENTRE,
    DIMS,
    FACTOR,
    GRADIENT,
    HEAD,
    HESSIAN,
    MOMENT,
    PENALTY,
    RIGHT,
    ROOT,
    SCALE,
    SLOPES,
    TOLD_WRONG,
    TOTALS,
    VELOCITY,
    WEIGHT,
)
from .sweeps import BEND, CURVE, SEARCH, STEP

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
