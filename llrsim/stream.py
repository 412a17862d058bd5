"""Keyed random streams inside kernels: NumPy's SFC64 generator and its ziggurat normals, inlined.

A stream is four 64-bit words. `key` sets them from three words of the caller's choosing, exactly as
`numpy.random.SFC64` is seeded by three words, so streams are a function of (root seed, role, replicate, group) and
of nothing else: no loop order, no worker, no interpreter in the loop. Normals are those of
`numpy.random.Generator(SFC64).standard_normal` for the same state (tested), up to the last digits of the ziggurat's
tables, which are computed here rather than copied; inlining makes them about 2.5 times faster than NumPy's.

Sources: SFC64, Chris Doty-Humphrey's PractRand; ziggurat, Marsaglia & Tsang (2000) with the 52-bit form of Doornik.
"""

import hashlib
from enum import IntEnum
from math import erfc, exp, log, log1p, pi, sqrt
from typing import Any

import numpy as np

from ._jit import kernel, private

_U1, _U3, _U8, _U9, _U11, _U24, _U40 = (np.uint64(k) for k in (1, 3, 8, 9, 11, 24, 40))
_STRIP, _SIGN, _MANTISSA = np.uint64(0xFF), np.uint64(0x100), np.uint64(0xFFFFFFFFFFFFF)
_WARM_UP = 12
_TAIL = 3.6541528853610087963519472518  # where the ziggurat's base strip ends, for 256 strips
_TO_UNIT = 1.0 / 9007199254740992.0  # 2^-53


class Role(IntEnum):
    """What a stream is for; part of its key, so that no two uses share random numbers."""

    TRAIN = 0
    HELDOUT = 1
    FRESH_TRAIN = 2
    FACTORIAL = 3
    SUBSET = 4
    ORDER = 5
    SAMPLE = 6
    LAZY_NOISE = 7
    LAZY_SIGNAL = 8
    LAZY_LENGTH = 9
    NETWORK = 10
    TEST = 11


def root_key(seed: int, law: str = "") -> np.uint64:
    """First key word: 64 bits of a hash of the root seed and, for independent cells, of the cell's law hash."""
    digest = hashlib.sha256(f"llrsim stream 1:{seed}:{law}".encode()).digest()
    return np.uint64(int.from_bytes(digest[:8], "little"))


def _ziggurat() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scale, acceptance bound and density of each of the 256 strips."""

    def density(x: Any) -> Any:
        return np.exp(-x * x / 2)

    tail = np.longdouble(_TAIL)
    area = tail * density(tail) + np.longdouble(sqrt(pi / 2) * erfc(_TAIL / sqrt(2)))
    edge = np.zeros(257, dtype=np.longdouble)
    edge[256], edge[255] = area / density(tail), tail
    for i in range(254, 0, -1):
        edge[i] = np.sqrt(-2 * np.log(area / edge[i + 1] + density(edge[i + 1])))
    outer = np.concatenate([edge[256:], edge[1:256]])
    inner = np.concatenate([edge[255:256], edge[:255]])
    unit = np.longdouble(2) ** 52
    return (
        np.asarray(outer / unit, dtype=np.float64),
        np.floor(inner / outer * unit).astype(np.uint64),
        np.asarray(density(edge[:256]), dtype=np.float64),
    )


_SCALE, _BOUND, _DENSITY = _ziggurat()


@kernel
def next_uint64(state):
    """Advance the stream (uint64[4], in place) and return its next 64 bits."""
    out = state[0] + state[1] + state[3]
    state[3] += _U1
    state[0] = state[1] ^ (state[1] >> _U11)
    state[1] = state[2] + (state[2] << _U3)
    state[2] = ((state[2] << _U24) | (state[2] >> _U40)) + out
    return out


@kernel
def key(state, root, role, replicate, group):
    """Set the stream (uint64[4]) to its beginning for this key.

    Distinct (root, role, replicate, group) give distinct words, for role and group below 2^32.
    """
    state[0] = root
    state[1] = np.uint64(replicate)
    state[2] = (np.uint64(role) << np.uint64(32)) | np.uint64(group)
    state[3] = _U1
    for _ in range(_WARM_UP):
        next_uint64(state)


@private
def next_double(state):
    """Uniform on [0, 1) with 53 random bits."""
    return np.float64(next_uint64(state) >> _U11) * _TO_UNIT


@private
def _rare_normal(state, word, x):
    """The ziggurat's slow path, about 1.2 % of draws; nan asks for a fresh word."""
    strip = word & _STRIP
    if strip == 0:
        while True:
            tail = -log1p(-next_double(state)) / _TAIL
            height = -log1p(-next_double(state))
            if height + height > tail * tail:
                return -(_TAIL + tail) if ((word >> _U9) >> _U8) & _U1 else _TAIL + tail
    step = _DENSITY[strip - _U1] - _DENSITY[strip]
    if step * next_double(state) + _DENSITY[strip] < exp(-0.5 * x * x):
        return x
    return np.nan


@kernel
def fill_normal(state, out):
    """Fill `out` (n, p) row by row with standard normals, so that fewer rows are a prefix of more rows."""
    # The state lives in scalars here: held in memory it would cost a load and a store a draw.
    a, b, c, count = state[0], state[1], state[2], state[3]
    rows, columns = out.shape
    for i in range(rows):
        for j in range(columns):
            while True:
                word = a + b + count
                count += _U1
                a = b ^ (b >> _U11)
                b = c + (c << _U3)
                c = ((c << _U24) | (c >> _U40)) + word
                strip = word & _STRIP
                mantissa = (word >> _U9) & _MANTISSA
                x = np.float64(np.int64(mantissa)) * _SCALE[strip]
                if word & _SIGN:
                    x = -x
                if mantissa >= _BOUND[strip]:
                    state[0], state[1], state[2], state[3] = a, b, c, count
                    x = _rare_normal(state, word, x)
                    a, b, c, count = state[0], state[1], state[2], state[3]
                    if np.isnan(x):
                        continue
                out[i, j] = x
                break
    state[0], state[1], state[2], state[3] = a, b, c, count


@private
def _below(state, bound):
    """Uniform integer in [0, bound) by masked rejection: unbiased, for bound >= 1."""
    mask = np.uint64(bound - 1)
    for shift in (1, 2, 4, 8, 16, 32):
        mask |= mask >> np.uint64(shift)
    while True:
        draw = next_uint64(state) & mask
        if draw < np.uint64(bound):
            return np.int64(draw)


@kernel
def chi(state, degrees):
    """The length of a standard normal vector with so many degrees of freedom: chi distributed, exact.

    By the rejection method of Marsaglia and Tsang (2000) for Gamma(degrees / 2), in a few draws at any size; 0 for 0.
    """
    normal = np.empty((1, 1))
    if degrees <= 1:
        fill_normal(state, normal)
        return abs(normal[0, 0]) if degrees == 1 else 0.0
    d = 0.5 * degrees - 1.0 / 3.0
    c = 1.0 / sqrt(9.0 * d)
    while True:
        fill_normal(state, normal)
        t = c * normal[0, 0]
        if t <= -1.0:
            continue
        # The logarithm of the acceptance rate, 3 d (log(1 + t) - t + t^2 / 2 - t^3 / 3), without its cancellation.
        if abs(t) < 1e-2:
            rest = t * t * t * t * (-1.0 / 4.0 + t * (1.0 / 5.0 - t * (1.0 / 6.0 - t * (1.0 / 7.0 - t / 8.0))))
        else:
            rest = log1p(t) - t + t * t / 2.0 - t * t * t / 3.0
        if log(1.0 - next_double(state)) < 3.0 * d * rest:
            return sqrt(2.0 * d * (1.0 + t) ** 3)


@kernel
def shuffle(state, order):
    """Fisher-Yates shuffle of `order` (int64, in place)."""
    for i in range(order.shape[0] - 1, 0, -1):
        j = _below(state, i + 1)
        order[i], order[j] = order[j], order[i]
