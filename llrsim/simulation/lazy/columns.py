"""Combinations of columns and inner products with them, over a block of rows: where a lazy fit spends its time."""

import numpy as np

from ..._jit import private, reduction


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
