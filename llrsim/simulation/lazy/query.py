"""Answer one query of a lazy sample, the gradient at a head, and reveal its directions (T17)."""

from math import sqrt

import numpy as np

from ..._jit import kernel, private
from ...model.draws import Role, chi, fill_normal, key
from .noise import (
    ALONG,
    ALONG_LEFT,
    CENTRE,
    CHUNK,
    CORRECTION,
    DIMS,
    GRADIENT,
    HEAD,
    LEAST_NEW,
    LEFT,
    MIXING,
    OBJECTIVE,
    PENALTY,
    PROJECTION,
    RIGHT,
    ROOT,
    SCALARS,
    SPACE,
    SQUARE,
    TOLD_OBJECTIVE,
    TOLD_WRONG,
    TOTALS,
    USED,
    WRONG,
)
from .rows import LOOK, MOVE, PROJECT, open_spaces

# One query of a lazy sample: the gradient of the objective at a head, and the directions that it reveals.


ROOM = -1
"""Instead of a status: the arrays are full; with larger ones the same call goes on."""

DONE, RECORDED, REFERENCE, CEILING, SOFTNESS, LOW_BIAS, HIGH_BIAS = range(7)
"""Places of a driver's progress: steps done, heads recorded, |grad F(0)|, a descent's limit, the softness of a round of
`multipliers` and the ends of the interval of optimal biases; nan: not known yet."""


@kernel
def look(sweep, loss, softness, state):
    """Margins, slopes and gradient at the state's HEAD; returns the gradient's length, or ROOM."""
    aim(state, state.vectors[HEAD])
    sweep(LOOK, loss, softness, 0.0, state)
    return ask(sweep, state, 0.0)


@kernel
def look_once(sweep, how, state, softness):
    """`look` as a driver of its own."""
    return look(sweep, how.loss, softness, state)


@kernel
def ask(sweep, state, moved):
    """The gradient at HEAD, of which a sweep has just left the residual's inner products; its length, or ROOM.

    That sweep looked ahead by the length `moved` of its image, by which the margins move in the same pass as it asks.
    Nothing is asked of the unknown part of the noise once all directions are revealed, or where no residual is left.
    """
    length, dropped = query(state), 0.0
    if open_spaces(state) > 0 and length > 0.0:
        if not room_left(state):
            return float(ROOM)
        sweep(PROJECT, 0, 0.0, moved, state)
        dropped = absorb(state, length)
    elif moved != 0.0:
        sweep(MOVE, 0, 0.0, moved, state)
    return penalise(state, dropped)


# Small algebra between the sweeps: what a query answers, and which new directions it reveals (T17).
#
# A query r has the known answer Z'r = sum_j (Y_j . r) e_j. What r has outside of the left directions asked before meets
# an independent part of Z, on the right directions not yet revealed: its answer there is a vector of dims - used
# independent normals times |r_perp|, that is |r_perp| times a chi variable along a direction which, by rotational
# invariance, may be called e_(R+1).


_SIGNAL, _LENGTH = np.int64(Role.LAZY_SIGNAL), np.int64(Role.LAZY_LENGTH)


@kernel
def aim(state, vector):
    """Set what the next combination of columns takes of each, for a head `vector` (P,)."""
    k, L, R, mixing = state.signal.shape[0], state.known[LEFT], state.known[RIGHT], state.matrices[MIXING]
    along, along_left = state.vectors[ALONG], state.vectors[ALONG_LEFT]
    for q in range(k):
        along[q] = vector[q]
    for q in range(L):
        along_left[q] = 0.0
    for j in range(R):
        along[k + j] = state.spaces[ROOT, state.known[SPACE + j]] * vector[k + j]
        for q in range(L):
            along_left[q] += along[k + j] * mixing[j, q]


@kernel
def answer(state, out):
    """X'r in all known coordinates into out (P,), from the totals of the sweep that had the inner products with r."""
    k, L, R, mixing = state.signal.shape[0], state.known[LEFT], state.known[RIGHT], state.matrices[MIXING]
    totals = state.sums[TOTALS, SCALARS:]
    left, right = totals[k:], totals[k + state.left.shape[0] :]
    for q in range(k):
        out[q] = totals[q]
    for j in range(R):
        total = right[j]
        for q in range(L):
            total += mixing[j, q] * left[q]
        out[k + j] = state.spaces[ROOT, state.known[SPACE + j]] * total


@kernel
def query(state):
    """The known part of the residual's answer into `gradient` (P,), and what of it may be new is set up for PROJECT.

    Returns the length of the residual's noise part, sigma r.
    """
    totals = state.sums[TOTALS]
    state.numbers[TOLD_OBJECTIVE], state.numbers[TOLD_WRONG] = totals[OBJECTIVE], totals[WRONG]
    answer(state, state.vectors[GRADIENT])
    for q in range(state.known[LEFT]):
        state.vectors[PROJECTION, q] = -totals[SCALARS + state.signal.shape[0] + q]
    return sqrt(totals[SQUARE])


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
    L, R, spaces, mixing = state.known[LEFT], state.known[RIGHT], state.spaces, state.matrices[MIXING]
    k, room, correction = state.signal.shape[0], state.left.shape[0], state.vectors[CORRECTION]
    totals = state.sums[TOTALS, SCALARS + k :]
    square = totals[L]
    for q in range(L):
        # The second projection: the rounding of the first is not small beside a small rest.
        correction[q] = -totals[q]
        square -= correction[q] * correction[q]
    rest, unseen = sqrt(max(square, 0.0)), 0.0
    for e in range(spaces.shape[1]):
        unseen += (spaces[DIMS, e] - spaces[USED, e]) * spaces[ROOT, e] * spaces[ROOT, e]
    if state.rows.shape[1] == L or not rest > state.numbers[LEAST_NEW] * length_asked:
        return rest * sqrt(unseen)
    correction[L] = 1.0 / rest
    j = R
    for e in range(spaces.shape[1]):
        degrees = int(spaces[DIMS, e] - spaces[USED, e])
        if degrees == 0:
            continue
        products = totals[2 * room + (j - R) * (room + 1) :]
        along_new = products[L]
        for q in range(L):
            mixing[j, q] = -products[q]
            along_new += correction[q] * products[q]
        length = _length(state, j, degrees)
        mixing[j, L] = length - along_new / rest
        state.known[SPACE + j] = e
        spaces[USED, e] += 1
        state.vectors[GRADIENT, k + j] = spaces[ROOT, e] * rest * length
        j += 1
    state.known[RIGHT], state.known[LEFT] = j, L + 1
    return 0.0


@private
def _length(state, column, degrees):
    """The chi variable of a right direction's column."""
    stream = np.empty(4, np.uint64)
    key(stream, state.key_words[0], _LENGTH, state.key_words[1], column)
    return chi(stream, degrees)


@kernel
def admit(state, space):
    """A right direction of an eigenspace that enters by itself, an independent head's, after ENTER: no left one."""
    L, R, k, room = state.known[LEFT], state.known[RIGHT], state.signal.shape[0], state.left.shape[0]
    for q in range(L):
        state.matrices[MIXING, R, q] = -state.sums[TOTALS, SCALARS + k + 2 * room + q]
    state.known[SPACE + R] = space
    state.spaces[USED, space] += 1
    state.known[RIGHT] = R + 1


@kernel
def penalise(state, dropped):
    """Add the penalties' part to `gradient` (P,); returns the length of all, what was dropped counted in."""
    square, gradient, penalties = dropped * dropped, state.vectors[GRADIENT], state.vectors[PENALTY]
    for q in range(state.signal.shape[0] + state.known[RIGHT]):
        gradient[q] += penalties[q] * (state.vectors[HEAD, q] - state.vectors[CENTRE, q])
        square += gradient[q] * gradient[q]
    return sqrt(square)


@kernel
def penalty(state):
    """The penalties at the head: half the sum of penalty (head - centre)^2."""
    total = 0.0
    for q in range(state.signal.shape[0] + state.known[RIGHT]):
        total += 0.5 * state.vectors[PENALTY, q] * (state.vectors[HEAD, q] - state.vectors[CENTRE, q]) ** 2
    return total


@kernel
def draw_signal(ends, labels, means, factors, state):
    """Fill `signal` (k + 1, n): y_i s_i with s = mean + F xi of each row's section, then y_i.

    `ends` (B,) are the rows that sections end before.
    """
    k = state.signal.shape[0] - 1
    stream, normals, signal = np.empty(4, np.uint64), np.empty((k, CHUNK), np.float32), np.empty(k)
    section = 0
    for chunk in range(state.sums.shape[0] - 1):
        first, last = chunk * CHUNK, min((chunk + 1) * CHUNK, state.signal.shape[1])
        key(stream, state.key_words[0], _SIGNAL, state.key_words[1], chunk)
        fill_normal(stream, normals[:, : last - first])
        for i in range(first, last):
            while i >= ends[section]:
                section += 1
            for a in range(k):
                signal[a] = means[section, a]
                for b in range(k):
                    signal[a] += factors[section, a, b] * normals[b, i - first]
            for a in range(k):
                state.signal[a, i] = labels[section] * signal[a]
            state.signal[k, i] = labels[section]
