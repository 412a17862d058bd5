"""Pass over the rows of a lazy sample: columns, slopes and their sums, in chunks that run in parallel."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from types import FunctionType
from typing import Any

import numpy as np
from numba import float64, int64, typeof, types, void
from numba.core.dispatcher import Dispatcher

from ..._jit import kernel, private, reduction
from ...model.draws import Role, fill_normal, key
from ...model.losses import HINGE, curvature_from_slope, rough_value, slope, slopes
from ..address import call_by_address
from .noise import (
    ALONG,
    ALONG_LEFT,
    BENDING,
    CHUNK,
    CORRECTION,
    CURVATURES,
    DIMS,
    DRAWN,
    FINISHED,
    IMAGE,
    LEFT,
    MARGINS,
    MOMENT,
    MULTIPLIER,
    OBJECTIVE,
    PROJECTION,
    RIGHT,
    SCALARS,
    SCALE,
    SLOPES,
    SQUARE,
    TOTALS,
    USED,
    WEIGHT,
    WRONG,
    Revealed,
    SectionLaw,
    nothing_revealed,
)

# Combinations of columns and inner products with them, over a block of rows: where a lazy fit spends its time.


# Rows are counted by unsigned integers: numba checks others for being negative, which keeps loops from being
# vectorised.
@reduction
def _add_four(columns, j, begin, end, along, out):
    a, b, c, d = along[j], along[j + 1], along[j + 2], along[j + 3]
    for i in range(begin, end):
        out[i - begin] += a * columns[j, i] + b * columns[j + 1, i] + c * columns[j + 2, i] + d * columns[j + 3, i]


@reduction
def _add_one(columns, j, begin, end, along, out):
    a = along[j]
    for i in range(begin, end):
        out[i - begin] += a * columns[j, i]


@private
def add(columns, count, begin, end, along, out):
    """out (rows,) += sum_j along[j] columns[j, begin:end] for j < count, four columns at a time."""
    start, stop, j = np.uint64(begin), np.uint64(end), 0
    while j + 4 <= count:
        if along[j] != 0.0 or along[j + 1] != 0.0 or along[j + 2] != 0.0 or along[j + 3] != 0.0:
            _add_four(columns, j, start, stop, along, out)
        j += 4
    while j < count:
        if along[j] != 0.0:
            _add_one(columns, j, start, stop, along, out)
        j += 1


@reduction
def _add_four_twice(columns, j, begin, end, along, out, other_along, other):
    a, b, c, d = along[j], along[j + 1], along[j + 2], along[j + 3]
    e, f, g, h = other_along[j], other_along[j + 1], other_along[j + 2], other_along[j + 3]
    for i in range(begin, end):
        one, two, three, four = columns[j, i], columns[j + 1, i], columns[j + 2, i], columns[j + 3, i]
        out[i - begin] += a * one + b * two + c * three + d * four
        other[i - begin] += e * one + f * two + g * three + h * four


@private
def add_twice(columns, count, begin, end, along, out, other_along, other):
    """`add` of two combinations, which reads the columns once."""
    start, stop, j = np.uint64(begin), np.uint64(end), 0
    while j + 4 <= count:
        _add_four_twice(columns, j, start, stop, along, out, other_along, other)
        j += 4
    while j < count:
        _add_one(columns, j, start, stop, along, out)
        _add_one(columns, j, start, stop, other_along, other)
        j += 1


@reduction
def _multiply_four(columns, j, begin, end, x, out):
    a = b = c = d = 0.0
    for i in range(begin, end):
        value = x[i - begin]
        a += columns[j, i] * value
        b += columns[j + 1, i] * value
        c += columns[j + 2, i] * value
        d += columns[j + 3, i] * value
    out[j] += a
    out[j + 1] += b
    out[j + 2] += c
    out[j + 3] += d


@reduction
def _multiply_one(columns, j, begin, end, x, out):
    a = 0.0
    for i in range(begin, end):
        a += columns[j, i] * x[i - begin]
    out[j] += a


@private
def multiply(columns, count, begin, end, x, out):
    """out[j] += columns[j, begin:end] . x for j < count, four columns at a time."""
    start, stop, j = np.uint64(begin), np.uint64(end), 0
    while j + 4 <= count:
        _multiply_four(columns, j, start, stop, x, out)
        j += 4
    while j < count:
        _multiply_one(columns, j, start, stop, x, out)
        j += 1


@reduction
def _multiply_four_twice(columns, j, begin, end, x, out, other, other_out):
    a = b = c = d = 0.0
    e = f = g = h = 0.0
    for i in range(begin, end):
        one, two, three, four = columns[j, i], columns[j + 1, i], columns[j + 2, i], columns[j + 3, i]
        value, beside = x[i - begin], other[i - begin]
        a += one * value
        b += two * value
        c += three * value
        d += four * value
        e += one * beside
        f += two * beside
        g += three * beside
        h += four * beside
    out[j] += a
    out[j + 1] += b
    out[j + 2] += c
    out[j + 3] += d
    other_out[j] += e
    other_out[j + 1] += f
    other_out[j + 2] += g
    other_out[j + 3] += h


@private
def multiply_twice(columns, count, begin, end, x, out, other, other_out):
    """`multiply` with two vectors, which reads the columns once."""
    start, stop, j = np.uint64(begin), np.uint64(end), 0
    while j + 4 <= count:
        _multiply_four_twice(columns, j, start, stop, x, out, other, other_out)
        j += 4
    while j < count:
        _multiply_one(columns, j, start, stop, x, out)
        _multiply_one(columns, j, start, stop, other, other_out)
        j += 1


# What sweeps do with the rows of a block beside their columns: slopes, curvatures, residuals, and their sums.


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
def look_at(loss, softness, rows, begin, end, combined, sums):
    """Keep what columns @ along gives as the margins, and the slopes there."""
    margins, pulls, multiplier = rows[MARGINS, begin:end], rows[SLOPES, begin:end], rows[MULTIPLIER, begin:end]
    for i in range(combined.size):  # an assignment of arrays takes long to compile
        margins[i] = combined[i]
    _slopes(loss, softness, margins, multiplier, pulls)
    _objective(loss, rows[WEIGHT, begin:end], margins, sums)


@private
def look_ahead(loss, softness, length, rows, begin, end, combined, sums):
    """The slopes at margins + length * image, for which `combined` is scratch, and the moments along the image."""
    margins, pulls, image = rows[MARGINS, begin:end], rows[SLOPES, begin:end], rows[IMAGE, begin:end]
    for i in range(combined.size):
        combined[i] = margins[i] + length * image[i]
    _slopes(loss, softness, combined, rows[MULTIPLIER, begin:end], pulls)
    _moments(loss, softness, rows[WEIGHT, begin:end], combined, pulls, image, sums)


@private
def keep_image(rows, begin, end, combined):
    """Keep what columns @ along gives as the image of a step."""
    image = rows[IMAGE, begin:end]
    for i in range(combined.size):
        image[i] = combined[i]


@reduction
def residual(rows, begin, end, residual, noise, sums):
    """The block's c l' and sigma c l'."""
    weight, pulls, scale = rows[WEIGHT, begin:end], rows[SLOPES, begin:end], rows[SCALE, begin:end]
    square = 0.0
    for i in range(weight.size):
        residual[i] = weight[i] * pulls[i]
        noise[i] = scale[i] * residual[i]
        square += noise[i] * noise[i]
    sums[SQUARE] += square


@private
def bend(loss, softness, rows, begin, end):
    """Freeze the curvatures c l'' at the current slopes."""
    weight, pulls, curvatures = rows[WEIGHT, begin:end], rows[SLOPES, begin:end], rows[CURVATURES, begin:end]
    for i in range(weight.size):
        curvatures[i] = weight[i] * _curvature(loss, softness, pulls[i])


@private
def curve(rows, begin, end, image, noise):
    """The image times the frozen curvatures, and sigma times that."""
    curvatures, scale = rows[CURVATURES, begin:end], rows[SCALE, begin:end]
    for i in range(image.size):
        image[i] *= curvatures[i]
        noise[i] = scale[i] * image[i]


@private
def move(rows, begin, end, length):
    """Take a step of this length along the image."""
    margins, image = rows[MARGINS, begin:end], rows[IMAGE, begin:end]
    for i in range(margins.size):
        margins[i] += length * image[i]


# Passes over the rows of a lazy sample, a chunk at a time: each chunk writes its own sums, so chunks run in parallel.
#
# A chunk is walked in blocks of rows that with all columns stay in a core's share of the cache: a query, its projection
# and the next query together read every left direction twice from memory and every g once, 20 bytes a row and
# direction. A block is long, for memory is read fastest in long streams, and inner loops take plain vectors, so that
# what is paid for each call is little beside the arithmetic.
#
# | task    | what it does with each row                                                                        |
# |---------|---------------------------------------------------------------------------------------------------|
# | LOOK    | margins = columns @ along, slopes there, and the inner products of all columns with the residual   |
# | STEP    | image = columns @ along, slopes at margins + length * image, inner products, moments along image   |
# | SEARCH  | slopes at margins + length * image and the moments: no column is read                             |
# | MOVE    | margins += length * image                                                                         |
# | PROJECT | MOVE; the residual less its projection into the next place of `left`, fresh g, products with both  |
# | ENTER   | a fresh g for a right direction that enters by itself, and its inner products with `left`         |
# | BEND    | curvatures = c l'' at the slopes: no column is read                                               |
# | CURVE   | inner products of all columns with curvatures * (columns @ along): a product of the Hessian       |
#
# The residual is sigma_i c_i l'_i for the noise and c_i l'_i for the signal.


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


# How a driver's sweeps run: inside the compiled driver on one thread, or with the chunks shared out over threads.
#
# A driver (`descend`, `minimise`) is written once. Compiled, it receives `sweep` by address and never enters the
# interpreter, which is what many small samples want; interpreted, it receives a function that hands chunks to a pool,
# and its own few lines between sweeps over millions of rows cost nothing. Sums are over chunks in their order either
# way. What a driver calls must be a `kernel`: `private` ones have no entry from Python.


Driver = Callable[..., Any]


@cache
def _kind() -> types.FunctionType:
    """The type of `sweep`; that of every state is the same."""
    one, number = np.ones(1), np.ones(1, np.int64)
    tiny = SectionLaw(number, one, np.ones((1, 1)), np.ones((1, 1, 1)), one, one, number)
    state = typeof(nothing_revealed(tiny, np.uint64(0), 0, 1))
    return types.FunctionType(void(int64, int64, float64, float64, state))


def drive(driver: Driver, how: Any, state: Revealed, *arguments: Any, pool: ThreadPoolExecutor | None = None) -> Any:
    """`driver(sweep, how, state, *arguments)`, with the sweeps on this thread or, given a pool, on all of its threads.

    Without a pool, or with one chunk only, the driver runs compiled.
    """
    if pool is None or len(state.sums) == 2:
        return call_by_address(driver, (_kind(),), (sweep,), how, state, *arguments)
    return _interpreted(driver)(sweeping(pool), how, state, *arguments)


@cache
def _interpreted(driver: Driver) -> Driver:
    """A compiled driver as Python, and so are all that it hands its `sweep` to: other kernels stay compiled."""
    if not isinstance(driver, Dispatcher):  # numba is switched off
        return driver
    function = driver.py_func
    known = dict(function.__globals__)
    for name in function.__code__.co_names:
        called = known.get(name)
        if isinstance(called, Dispatcher) and called.py_func.__code__.co_varnames[:1] == ("sweep",):
            known[name] = _interpreted(called)
    return FunctionType(function.__code__, known, function.__name__)


def sweeping(pool: ThreadPoolExecutor | None) -> Callable[[int, int, float, float, Revealed], None]:
    """`sweep`, or the same on all threads of a pool."""
    if pool is None:
        return sweep

    def shared(task: int, loss: int, softness: float, length: float, state: Revealed) -> None:
        chunks = range(len(state.sums) - 1)
        running = [pool.submit(sweep_chunk, task, loss, softness, length, state, chunk) for chunk in chunks]
        try:
            for chunk in running:
                chunk.result()
        finally:
            # Where this is stopped, no chunk may still be written to once the caller goes on.
            for chunk in running:
                chunk.cancel()
            wait(running)
        conclude(task, state)

    return shared
