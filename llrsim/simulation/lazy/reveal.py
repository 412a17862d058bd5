"""Small algebra between the sweeps: what a query answers, and which new directions it reveals (T17).

A query r has the known answer Z'r = sum_j (Y_j . r) e_j. What r has outside of the left directions asked before meets
an independent part of Z, on the right directions not yet revealed: its answer there is a vector of dims - used
independent normals times |r_perp|, that is |r_perp| times a chi variable along a direction which, by rotational
invariance, may be called e_(R+1).
"""

from math import sqrt

import numpy as np

from ..._jit import kernel, private
from ...stream import Role, chi, fill_normal, key
from .revealed import (
    CHUNK,
    LEFT,
    OBJECTIVE,
    PENDING,
    RIGHT,
    SCALARS,
    SQUARE,
    TOLD_OBJECTIVE,
    TOLD_WRONG,
    WRONG,
)
from .sweeps import open_spaces

_SIGNAL, _LENGTH = np.int64(Role.LAZY_SIGNAL), np.int64(Role.LAZY_LENGTH)


@kernel
def aim(state, vector):
    """Set what the next combination of columns takes of each, for a head `vector` (P,)."""
    k, room, L, R = state.signal.shape[0], state.left.shape[0], state.known[LEFT], state.known[RIGHT]
    for q in range(k):
        state.along[q] = vector[q]
    for q in range(L):
        state.along[k + room + q] = 0.0
    for j in range(R):
        amount = state.eigen_root[state.space[j]] * vector[k + j]
        state.along[k + j] = amount
        for q in range(L):
            state.along[k + room + q] += amount * state.mixing[j, q]


@kernel
def answer(state, out):
    """X'r in all known coordinates into out (P,), from the totals of the sweep that had the inner products with r."""
    k, room, L, R = state.signal.shape[0], state.left.shape[0], state.known[LEFT], state.known[RIGHT]
    left, right = state.totals[SCALARS + k :], state.totals[SCALARS + k + room :]
    for q in range(k):
        out[q] = state.totals[SCALARS + q]
    for j in range(R):
        total = right[j]
        for q in range(L):
            total += state.mixing[j, q] * left[q]
        out[k + j] = state.eigen_root[state.space[j]] * total


@kernel
def query(state):
    """The known part of the residual's answer into `gradient` (P,), and what of it may be new is set up for PROJECT.

    Returns the length of the residual's noise part, sigma r.
    """
    state.told[TOLD_OBJECTIVE], state.told[TOLD_WRONG] = state.totals[OBJECTIVE], state.totals[WRONG]
    answer(state, state.gradient)
    for q in range(state.known[LEFT]):
        state.projection[q] = -state.totals[SCALARS + state.signal.shape[0] + q]
    return sqrt(state.totals[SQUARE])


@kernel
def room_left(state):
    """Whether there is room for the directions that one more query may reveal."""
    fits = state.known[LEFT] + 1 <= state.left.shape[0]
    return fits and state.known[RIGHT] + open_spaces(state) <= state.fresh.shape[0]


@kernel
def absorb(state, length_asked):
    """Extend `gradient` (P,) by the answer to a query of this length along new directions, after PROJECT.

    Returns the length of what is dropped instead where the query is not new: 0 otherwise.
    """
    L, R = state.known[LEFT], state.known[RIGHT]
    k, room = state.signal.shape[0], state.left.shape[0]
    square = state.totals[SCALARS + k + L]
    for q in range(L):
        # The second projection: the rounding of the first is not small beside a small rest.
        state.correction[q] = -state.totals[SCALARS + k + q]
        square -= state.correction[q] * state.correction[q]
    rest, unseen = sqrt(max(square, 0.0)), 0.0
    for e in range(state.dims.shape[0]):
        unseen += (state.dims[e] - state.used[e]) * state.eigen_root[e] * state.eigen_root[e]
    if state.scale.shape[0] == L or not rest > state.tolerance[0] * length_asked:
        return rest * sqrt(unseen)
    state.correction[L] = 1.0 / rest
    j = R
    for e in range(state.dims.shape[0]):
        degrees = state.dims[e] - state.used[e]
        if degrees == 0:
            continue
        products = state.totals[SCALARS + k + 2 * room + (j - R) * (room + 1) :]
        along_new = products[L]
        for q in range(L):
            state.mixing[j, q] = -products[q]
            along_new += state.correction[q] * products[q]
        length = _length(state, j, degrees)
        state.mixing[j, L] = length - along_new / rest
        state.space[j] = e
        state.used[e] += 1
        state.gradient[k + j] = state.eigen_root[e] * rest * length
        j += 1
    state.known[RIGHT], state.known[LEFT], state.known[PENDING] = j, L + 1, 1
    return 0.0


@private
def _length(state, column, degrees):
    """The chi variable of a right direction's column."""
    stream = np.empty(4, np.uint64)
    key(stream, state.root[0], _LENGTH, state.replicate[0], column)
    return chi(stream, degrees)


@kernel
def admit(state, space):
    """A right direction of an eigenspace that enters by itself, an independent head's, after ENTER: no left one."""
    L, R, k, room = state.known[LEFT], state.known[RIGHT], state.signal.shape[0], state.left.shape[0]
    for q in range(L):
        state.mixing[R, q] = -state.totals[SCALARS + k + 2 * room + q]
    state.space[R] = space
    state.used[space] += 1
    state.known[RIGHT] = R + 1


@kernel
def penalise(state, dropped):
    """Add the penalties' part to `gradient` (P,); returns the length of all, what was dropped counted in."""
    square = dropped * dropped
    for q in range(state.signal.shape[0] + state.known[RIGHT]):
        state.gradient[q] += state.penalty[q] * (state.head[q] - state.centre[q])
        square += state.gradient[q] * state.gradient[q]
    return sqrt(square)


@kernel
def penalty(state):
    """The penalties at the head: half the sum of penalty (head - centre)^2."""
    total = 0.0
    for q in range(state.signal.shape[0] + state.known[RIGHT]):
        total += 0.5 * state.penalty[q] * (state.head[q] - state.centre[q]) ** 2
    return total


@kernel
def draw_signal(labels, means, factors, state):
    """Fill `signal` (k + 1, n): y_i s_i with s = mean + F xi of each row's section, then y_i."""
    k = state.signal.shape[0] - 1
    stream, normals, signal = np.empty(4, np.uint64), np.empty((k, CHUNK), np.float32), np.empty(k)
    section = 0
    for chunk in range(state.partial.shape[0]):
        first, last = chunk * CHUNK, min((chunk + 1) * CHUNK, state.scale.shape[0])
        key(stream, state.root[0], _SIGNAL, state.replicate[0], chunk)
        fill_normal(stream, normals[:, : last - first])
        for i in range(first, last):
            while i >= state.rows_first[section + 1]:
                section += 1
            for a in range(k):
                signal[a] = means[section, a]
                for b in range(k):
                    signal[a] += factors[section, a, b] * normals[b, i - first]
            for a in range(k):
                state.signal[a, i] = labels[section] * signal[a]
            state.signal[k, i] = labels[section]
