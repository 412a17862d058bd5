"""Passes over the rows of a lazy sample, a chunk at a time: each chunk writes its own sums, so chunks run in parallel.

A chunk is walked in blocks of rows that with all columns stay in a core's share of the cache: a query, its projection
and the next query together read every left direction twice from memory and every g once, 20 bytes a row and direction.
A block is long, for memory is read fastest in long streams, and inner loops take plain vectors, so that what is paid
for each call is little beside the arithmetic.

| task    | what it does with each row                                                                        |
|---------|---------------------------------------------------------------------------------------------------|
| LOOK    | margins = columns @ along, slopes there, and the inner products of all columns with the residual   |
| STEP    | image = columns @ along, slopes at margins + length * image, inner products, moments along image   |
| SEARCH  | slopes at margins + length * image and the moments: no column is read                             |
| MOVE    | margins += length * image                                                                         |
| PROJECT | MOVE; the residual less its projection into the next place of `left`, fresh g, products with both  |
| ENTER   | a fresh g for a right direction that enters by itself, and its inner products with `left`         |
| BEND    | curvatures = c l'' at the slopes: no column is read                                               |
| CURVE   | inner products of all columns with curvatures * (columns @ along): a product of the Hessian       |

The residual is sigma_i c_i l'_i for the noise and c_i l'_i for the signal.
"""

import numpy as np

from ..._jit import kernel, private
from ...stream import Role, fill_normal, key
from .blocks import bend, curve, keep_image, look_ahead, look_at, move, residual
from .columns import add, add_twice, multiply, multiply_twice
from .revealed import (
    ALONG,
    ALONG_LEFT,
    CHUNK,
    CORRECTION,
    DIMS,
    DRAWN,
    FINISHED,
    LEFT,
    PROJECTION,
    RIGHT,
    SCALARS,
    SCALE,
    TOTALS,
    USED,
)

CACHE, LONGEST, SHORTEST = 1 << 21, 4096, 1024
"""Bytes of the columns of a block of rows, as far as it has no more or fewer rows than these."""

LOOK, STEP, SEARCH, MOVE, PROJECT, ENTER, BEND, CURVE = range(8)
_NOISE = np.int64(Role.LAZY_NOISE)


@private
def _combine_left(left, count, begin, end, along, out, correction):
    """Add to `out` what `along` takes of the left directions, of which the last one is finished first.

    What it still has along the others is taken off, and it is scaled to length one.
    """
    last = count - 1
    direction, length, share = left[last, begin:end], correction[last], along[last]
    add_twice(left, last, begin, end, along, out, correction, direction)
    for i in range(direction.size):
        direction[i] *= length
        out[i] += share * direction[i]


@private
def _draw_fresh(state, column, chunk, first, last):
    """A new g, the rows of this chunk."""
    stream = np.empty(4, np.uint64)
    replicate = state.key_words[1] | (np.uint64(chunk) << np.uint64(32))
    key(stream, state.key_words[0], _NOISE, replicate, column)
    fill_normal(stream, state.fresh[column : column + 1, first:last])


@kernel
def sweep_chunk(task, loss, softness, length, state, chunk):
    """Do `task` with the rows of one chunk, and leave the sums over them in `state.sums[chunk]`."""
    rows, signal, left, fresh, sums = state.rows, state.signal, state.left, state.fresh, state.sums[chunk]
    along, along_left = state.vectors[ALONG], state.vectors[ALONG_LEFT]
    k, room, L, R = signal.shape[0], left.shape[0], state.known[LEFT], state.known[RIGHT]
    first, last = chunk * CHUNK, min((chunk + 1) * CHUNK, rows.shape[1])
    reading = task not in (SEARCH, MOVE, BEND)
    entering = 0
    if task in (PROJECT, ENTER):
        entering = 1 if task == ENTER else open_spaces(state)
        for j in range(max(R, state.known[DRAWN]), R + entering):
            _draw_fresh(state, j, chunk, first, last)
    finished = sums[FINISHED]
    if task not in (MOVE, BEND):
        sums[:] = 0.0
    sums[FINISHED] = L if reading else finished
    of_left, of_right, of_entering = sums[SCALARS + k :], sums[SCALARS + k + room :], sums[SCALARS + k + 2 * room :]
    block = max(SHORTEST, min(LONGEST, CACHE // (8 * (k + L) + 4 * R)))
    scratch = np.empty((2, block))
    for begin in range(first, last, block):
        end = min(begin + block, last)
        one, two = scratch[0, : end - begin], scratch[1, : end - begin]
        if reading:
            one[:] = 0.0
            two[:] = 0.0
        if reading and finished < L:
            _combine_left(left, L, begin, end, along_left, two, state.vectors[CORRECTION])
        elif task in (LOOK, STEP, CURVE):
            add(left, L, begin, end, along_left, two)
        if task in (LOOK, STEP, CURVE):
            add(fresh, R, begin, end, along[k:], two)
            add(signal, k, begin, end, along, one)
            scale = rows[SCALE, begin:end]
            for i in range(one.size):
                one[i] += scale[i] * two[i]
        if task == STEP:
            keep_image(rows, begin, end, one)
        if task == LOOK:
            look_at(loss, softness, rows, begin, end, one, sums)
        elif task in (STEP, SEARCH):
            look_ahead(loss, softness, length, rows, begin, end, one, sums)
        elif task == CURVE:
            curve(rows, begin, end, one, two)
        elif task == BEND:
            bend(loss, softness, rows, begin, end)
        elif task in (MOVE, PROJECT) and length != 0.0:
            move(rows, begin, end, length)
        if task in (LOOK, STEP):
            residual(rows, begin, end, one, two, sums)
        if task in (LOOK, STEP, CURVE):
            multiply(signal, k, begin, end, one, sums[SCALARS:])
            multiply(left, L, begin, end, two, of_left)
            multiply(fresh, R, begin, end, two, of_right)
        elif task == PROJECT:
            new = left[L, begin:end]
            residual(rows, begin, end, one, new, sums)
            add(left, L, begin, end, state.vectors[PROJECTION], new)
            if entering > 0:
                multiply_twice(left, L + 1, begin, end, new, of_left, fresh[R, begin:end], of_entering)
            else:
                multiply(left, L + 1, begin, end, new, of_left)
        for f in range(1 if task == PROJECT else 0, entering):
            known = L + 1 if task == PROJECT else L
            multiply(left, known, begin, end, fresh[R + f, begin:end], of_entering[f * (room + 1) :])


@kernel
def open_spaces(state):
    """Eigenspaces in which right directions are left to reveal."""
    count = 0
    for e in range(state.spaces.shape[1]):
        count += 1 if state.spaces[USED, e] < state.spaces[DIMS, e] else 0
    return count


@kernel
def conclude(task, state):
    """Sum up over the chunks, in their order, what `task` left."""
    if task in (MOVE, BEND):
        return
    if task in (PROJECT, ENTER):
        reach = state.known[RIGHT] + (1 if task == ENTER else open_spaces(state))
        state.known[DRAWN] = max(state.known[DRAWN], reach)
    totals = state.sums[TOTALS]
    totals[:] = 0.0
    for chunk in range(state.sums.shape[0] - 1):
        for j in range(totals.size):
            totals[j] += state.sums[chunk, j]


@kernel
def sweep(task, loss, softness, length, state):
    """`task` over all rows, in this thread."""
    for chunk in range(state.sums.shape[0] - 1):
        sweep_chunk(task, loss, softness, length, state, chunk)
    conclude(task, state)
