"""Exact fits on a lazy sample: Newton steps in the span of what has been revealed, which grows by each gradient.

Every iteration reveals the gradient's new direction and takes one Newton step in all known coordinates, with a line
search; for the squared loss that is conjugate gradients with full orthogonalisation. The gradient is that of the whole
problem, so its length certifies the head in all dimensions, revealed or not.
"""

from math import inf, isfinite, isnan, nan, sqrt

from ..._jit import kernel, private
from ...status import CONVERGED, NOT_CONVERGED, SEPARABLE
from ..semidefinite import factorise, solve
from .query import DONE, REFERENCE, ROOM, ask, look
from .reveal import aim, answer
from .revealed import BENDING, MOMENT, RIGHT, TOLD_WRONG
from .sweeps import BEND, CURVE, MOVE, SEARCH, STEP

FLATNESS = 0.1
"""The line search stops at this fraction of the slope it started from."""

EARLY, STALE = (1, 3), 0.5
"""The Hessian is computed anew in two early iterations, while it is small, and where a step left this share of the next
gradient in the coordinates it was in. Else it keeps its curvatures and gains a column for each new direction."""


@kernel
def minimise(sweep, how, state, softness, progress):
    """Minimise from `state.head`; returns (status, |grad F| / |grad F(0)|).

    `softness` is 0 for a smooth loss (`multipliers` has the others). Statuses are those of `simulation.smooth`; ROOM
    asks for larger arrays, with which the same call goes on from the head reached and from `progress`.
    """
    free = True
    for q in range(state.signal.shape[0] + state.known[RIGHT]):
        free &= state.penalty[q] == 0.0
    size = look(sweep, how.loss, softness, state)
    known, fresh = 0, True
    while True:
        if size < 0.0:
            return ROOM, nan
        if isnan(progress[REFERENCE]):
            progress[REFERENCE] = size if size != 0.0 else 1.0
        reference, iteration = progress[REFERENCE], progress[DONE]
        if free and state.told[TOLD_WRONG] == 0.0:
            return SEPARABLE, size / reference
        if size <= how.tolerance * reference < inf:
            return CONVERGED, size / reference
        if iteration == how.iterations or not isfinite(size + reference):
            return NOT_CONVERGED, size / reference
        known = 0 if fresh else known
        _update_hessian(sweep, how.loss, softness, state, known)
        start = _newton_step(state, known)
        aim(state, state.velocity)
        length = 1.0
        sweep(STEP, how.loss, softness, length, state)
        if not abs(_slope_along(state, length)) <= -FLATNESS * start:
            length = search(sweep, how.loss, softness, state, -FLATNESS * start)
            sweep(STEP, how.loss, softness, length, state)
        sweep(MOVE, how.loss, softness, length, state)
        for q in range(state.signal.shape[0] + state.known[RIGHT]):
            state.head[q] += length * state.velocity[q]
        known = state.signal.shape[0] + state.known[RIGHT]
        size = ask(sweep, state)
        progress[DONE] += 1
        fresh = progress[DONE] in EARLY or length != 1.0 or _gradient_in(state, known) > STALE * size


@kernel
def _gradient_in(state, size):
    """The length of the gradient in its first coordinates."""
    square = 0.0
    for q in range(size):
        square += state.gradient[q] * state.gradient[q]
    return sqrt(square)


@private
def _update_hessian(sweep, loss, softness, state, known):
    """Complete `hessian`, which lacks the coordinates from `known` on; from zero on with the curvatures of now."""
    size = state.signal.shape[0] + state.known[RIGHT]
    if known == 0:
        sweep(BEND, loss, softness, 0.0, state)
    for a in range(known, size):
        for b in range(size):
            state.velocity[b] = 1.0 if b == a else 0.0
        aim(state, state.velocity)
        sweep(CURVE, loss, softness, 0.0, state)
        answer(state, state.hessian[a])
        for b in range(a):
            state.hessian[b, a] = state.hessian[a, b]


@kernel
def _newton_step(state, known):
    """Minus the inverse Hessian times the gradient into `velocity`, with `known` rows of its factor there already.

    Returns the step's product with the gradient.
    """
    size = state.signal.shape[0] + state.known[RIGHT]
    factor = state.factor[:size, :size]
    for a in range(known, size):
        for b in range(a):
            factor[a, b] = state.hessian[a, b]
        factor[a, a] = state.hessian[a, a] + state.penalty[a]
    for a in range(size):
        state.velocity[a] = -state.gradient[a]
    factorise(factor, size, known)
    solve(factor, size, state.velocity[:size])
    start = 0.0
    for a in range(size):
        start += state.velocity[a] * state.gradient[a]
    return start


@kernel
def _slope_along(state, length):
    """The objective's derivative along the step, where the last sweep looked."""
    total = state.totals[MOMENT]
    for q in range(state.signal.shape[0] + state.known[RIGHT]):
        ahead = state.head[q] + length * state.velocity[q] - state.centre[q]
        total += state.penalty[q] * ahead * state.velocity[q]
    return total


@private
def search(sweep, loss, softness, state, flat):
    """The length at which the objective along the step is least: safeguarded Newton on its monotone derivative.

    The last sweep looked at length 1; ends once the derivative there is at most `flat`.
    """
    ridge, low, high, length = 0.0, 0.0, inf, 1.0
    for q in range(state.signal.shape[0] + state.known[RIGHT]):
        ridge += state.penalty[q] * state.velocity[q] * state.velocity[q]
    for _ in range(60):
        first = _slope_along(state, length)
        if abs(first) <= flat:
            break
        if first > 0.0:
            high = length
        else:
            low = length
        bend = ridge + state.totals[BENDING]
        length = min(length - first / bend, 8.0 * length) if bend > 0.0 else 8.0 * length
        if not low < length < high:
            length = 0.5 * (low + high) if high < inf else 2.0 * low
        sweep(SEARCH, loss, softness, length, state)
    return length
