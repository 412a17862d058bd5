"""Passes over the rows of a lazy sample, a chunk at a time: each chunk writes its own sums, so chunks run in parallel.

A chunk is walked in blocks of BLOCK rows, which with all columns stay in the cache: a query, its projection and the
next query together read every left direction twice and every g once, 20 bytes a row and direction.

| task    | what it does with each row                                                                        |
|---------|---------------------------------------------------------------------------------------------------|
| LOOK    | margins = columns @ along, slopes there, and the inner products of all columns with the residual   |
| STEP    | image = columns @ along, slopes at margins + length * image, inner products, moments along image   |
| SEARCH  | slopes at margins + length * image and the moments: no column is read                             |
| MOVE    | margins += length * image                                                                         |
| PROJECT | the residual less its projection into the next place of `left`, fresh g, inner products with both |
| ENTER   | a fresh g for a right direction that enters by itself, and its inner products with `left`         |
| BEND    | curvatures = c l'' at the slopes: no column is read                                               |
| CURVE   | inner products of all columns with curvatures * (columns @ along): a product of the Hessian       |

The residual is sigma_i c_i l'_i for the noise and c_i l'_i for the signal.
"""

import numpy as np

from ..._jit import kernel, private, reduction
from ...losses import HINGE, curvature_from_slope, rough_value, slope, slopes
from ...stream import Role, fill_normal, key
from .columns import add, multiply
from .revealed import (
    BENDING,
    CHUNK,
    DRAWN,
    LEFT,
    MOMENT,
    OBJECTIVE,
    PENDING,
    RIGHT,
    SCALARS,
    SQUARE,
    WRONG,
)

BLOCK = 512

LOOK, STEP, SEARCH, MOVE, PROJECT, ENTER, BEND, CURVE = range(8)
_NOISE = np.int64(Role.LAZY_NOISE)


@private
def _finish(state, begin, end):
    """Take off what a pending left direction, the last one, still has along the others, and scale it to length one."""
    last = state.known[LEFT] - 1
    pending, length = state.left[last][begin:end], state.correction[last]
    add(state.left, last, begin, end, state.correction, pending)
    for i in range(pending.size):
        pending[i] *= length


@private
def _combine(state, begin, end, noise, out):
    """out (rows,) = the block's rows @ along; `noise` (rows,) is scratch."""
    k, room = state.signal.shape[0], state.left.shape[0]
    scale = state.scale[begin:end]
    for i in range(out.size):
        noise[i] = out[i] = 0.0
    add(state.left, state.known[LEFT], begin, end, state.along[k + room :], noise)
    add(state.fresh, state.known[RIGHT], begin, end, state.along[k:], noise)
    add(state.signal, k, begin, end, state.along, out)
    for i in range(out.size):
        out[i] += scale[i] * noise[i]


@private
def _slope(loss, softness, m, multiplier):
    """Slope of the loss at margin m; with positive softness, that of its proximal form in the method of multipliers.

    The latter is minus the multiplier, in units of the row's weight, after a step of 1 / softness, at most 1 for the
    hinge.
    """
    if softness > 0.0:
        stepped = max(0.0, multiplier + (1.0 - m) / softness)
        return -min(stepped, 1.0) if loss == HINGE else -stepped
    return slope(loss, m)


@private
def _curvature(loss, softness, s):
    """Second derivative where the slope is s."""
    if softness > 0.0:
        return 1.0 / softness if s < 0.0 and (s > -1.0 or loss != HINGE) else 0.0
    return curvature_from_slope(loss, s)


@private
def _slopes(loss, softness, margins, multiplier, out):
    """The slopes at some margins."""
    if softness > 0.0:
        for i in range(out.size):
            out[i] = _slope(loss, softness, margins[i], multiplier[i])
    else:
        slopes(loss, margins, 0, out.size, out)


@reduction
def _moments(loss, softness, weight, margins, pulls, image, sums):
    """Moments of the slopes and curvatures along the image, and the rows of weight on the wrong side of zero."""
    moment = bending = wrong = 0.0
    for i in range(weight.size):
        moment += weight[i] * pulls[i] * image[i]
        wrong += 1.0 if weight[i] > 0.0 and not margins[i] > 0.0 else 0.0
    for i in range(weight.size):
        bending += weight[i] * _curvature(loss, softness, pulls[i]) * image[i] * image[i]
    sums[MOMENT] += moment
    sums[BENDING] += bending
    sums[WRONG] += wrong


@reduction
def _objective(loss, weight, margins, sums):
    """The loss, roughly, and the rows of weight on the wrong side of zero."""
    objective = wrong = 0.0
    for i in range(weight.size):
        objective += weight[i] * rough_value(loss, margins[i])
        wrong += 1.0 if weight[i] > 0.0 and not margins[i] > 0.0 else 0.0
    sums[OBJECTIVE] += objective
    sums[WRONG] += wrong


@private
def _residual(state, begin, end, residual, noise, sums):
    """The block's c l' and sigma c l'."""
    weight, pulls, scale = state.weight[begin:end], state.slopes[begin:end], state.scale[begin:end]
    square = 0.0
    for i in range(weight.size):
        residual[i] = weight[i] * pulls[i]
        noise[i] = scale[i] * residual[i]
        square += noise[i] * noise[i]
    sums[SQUARE] += square


@private
def _inner_products(state, begin, end, x, noise, sums):
    """Inner products of all columns with x for the signal and `noise`, sigma x, for the noise."""
    k, room = state.signal.shape[0], state.left.shape[0]
    multiply(state.signal, k, begin, end, x, sums[SCALARS:])
    multiply(state.left, state.known[LEFT], begin, end, noise, sums[SCALARS + k :])
    multiply(state.fresh, state.known[RIGHT], begin, end, noise, sums[SCALARS + k + room :])


@private
def _project(state, begin, end, fresh, residual, sums):
    """The residual less its projection into left[L], and its products and those of `fresh` new g with the left ones."""
    L, R, k, room = state.known[LEFT], state.known[RIGHT], state.signal.shape[0], state.left.shape[0]
    raw = state.left[L][begin:end]
    _residual(state, begin, end, residual, raw, sums)
    add(state.left, L, begin, end, state.projection, raw)
    multiply(state.left, L + 1, begin, end, raw, sums[SCALARS + k :])
    for f in range(fresh):
        at = SCALARS + k + 2 * room + f * (room + 1)
        multiply(state.left, L + 1, begin, end, state.fresh[R + f][begin:end], sums[at:])


@private
def _bend(loss, softness, weight, pulls, curvatures):
    """Freeze the curvatures c l'' at the current slopes."""
    for i in range(weight.size):
        curvatures[i] = weight[i] * _curvature(loss, softness, pulls[i])


@private
def _curve(state, begin, end, image, noise):
    """The image times the frozen curvatures, and sigma times that."""
    curvatures, scale = state.curvatures[begin:end], state.scale[begin:end]
    for i in range(image.size):
        image[i] *= curvatures[i]
        noise[i] = scale[i] * image[i]


@private
def _draw_fresh(state, column, chunk, first, last):
    """A new g, the rows of this chunk."""
    stream = np.empty(4, np.uint64)
    key(stream, state.root[0], _NOISE, state.replicate[0] | (chunk << 32), column)
    fill_normal(stream, state.fresh[column : column + 1, first:last])


@kernel
def sweep_chunk(task, loss, softness, length, state, chunk):
    """Do `task` with the rows of one chunk, and leave the sums over them in `state.partial[chunk]`."""
    n, sums = state.scale.shape[0], state.partial[chunk]
    first, last = chunk * CHUNK, min((chunk + 1) * CHUNK, n)
    if task != MOVE and task != BEND:
        sums[:] = 0.0
    pending = state.known[PENDING] > 0 and task != SEARCH and task != MOVE and task != BEND
    fresh = 0
    if task in (PROJECT, ENTER):
        fresh = 1 if task == ENTER else open_spaces(state)
        for f in range(fresh):
            if state.known[RIGHT] + f >= state.known[DRAWN]:
                _draw_fresh(state, state.known[RIGHT] + f, chunk, first, last)
    scratch = np.empty((2, BLOCK))
    soft = softness > 0.0
    for begin in range(first, last, BLOCK):
        end = min(begin + BLOCK, last)
        one, two = scratch[0][: end - begin], scratch[1][: end - begin]
        margins, pulls = state.margins[begin:end], state.slopes[begin:end]
        weight, image = state.weight[begin:end], state.image[begin:end]
        multiplier = state.multiplier[begin:end] if soft else image
        if pending:
            _finish(state, begin, end)
        if task == LOOK:
            _combine(state, begin, end, one, margins)
            _slopes(loss, softness, margins, multiplier, pulls)
            _objective(loss, weight, margins, sums)
        elif task == STEP:
            _combine(state, begin, end, one, image)
        elif task == CURVE:
            _combine(state, begin, end, two, one)
            _curve(state, begin, end, one, two)
        elif task == BEND:
            _bend(loss, softness, weight, pulls, state.curvatures[begin:end])
        elif task == MOVE:
            for i in range(image.size):
                margins[i] += length * image[i]
        if task in (STEP, SEARCH):
            for i in range(one.size):
                one[i] = margins[i] + length * image[i]
            _slopes(loss, softness, one, multiplier, pulls)
            _moments(loss, softness, weight, one, pulls, image, sums)
        if task in (LOOK, STEP):
            _residual(state, begin, end, one, two, sums)
        if task in (LOOK, STEP, CURVE):
            _inner_products(state, begin, end, one, two, sums)
        elif task == PROJECT:
            _project(state, begin, end, fresh, one, sums)
        elif task == ENTER:
            at = SCALARS + state.signal.shape[0] + 2 * state.left.shape[0]
            multiply(state.left, state.known[LEFT], begin, end, state.fresh[state.known[RIGHT]][begin:end], sums[at:])


@kernel
def open_spaces(state):
    """Eigenspaces in which right directions are left to reveal."""
    count = 0
    for e in range(state.dims.shape[0]):
        count += 1 if state.used[e] < state.dims[e] else 0
    return count


@kernel
def conclude(task, state):
    """Sum up over the chunks, in their order, what `task` left, into `totals`."""
    if task in (MOVE, BEND):
        return
    if task != SEARCH:
        state.known[PENDING] = 0
    if task in (PROJECT, ENTER):
        reach = state.known[RIGHT] + (1 if task == ENTER else open_spaces(state))
        state.known[DRAWN] = max(state.known[DRAWN], reach)
    for j in range(state.totals.shape[0]):
        total = 0.0
        for chunk in range(state.partial.shape[0]):
            total += state.partial[chunk, j]
        state.totals[j] = total


@kernel
def sweep(task, loss, softness, length, state):
    """`task` over all rows, in this thread."""
    for chunk in range(state.partial.shape[0]):
        sweep_chunk(task, loss, softness, length, state, chunk)
    conclude(task, state)
