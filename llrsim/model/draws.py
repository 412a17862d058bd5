"""Draw samples of a group mixture from keyed random streams, inside kernels."""

from __future__ import annotations

import hashlib
from enum import IntEnum
from math import erfc, exp, log, log1p, pi, sqrt
from typing import Any, NamedTuple

import numpy as np

from .._jit import kernel, private

# Keyed random streams inside kernels: NumPy's SFC64 generator and its ziggurat normals, inlined.
#
# A stream is four 64-bit words. `key` sets them from three words of the caller's choosing, exactly as
# `numpy.random.SFC64` is seeded by three words, so streams are a function of (root seed, role, replicate, group) and
# of nothing else: no loop order, no worker, no interpreter in the loop. Normals are those of
# `numpy.random.Generator(SFC64).standard_normal` for the same state (tested), up to the last digits of the ziggurat's
# tables, which are computed here rather than copied; drawn inline and four at a time, they cost a third of NumPy's.
#
# Sources: SFC64, Chris Doty-Humphrey's PractRand; ziggurat, Marsaglia & Tsang (2000) with the 52-bit form of Doornik.


_U1, _U3, _U8, _U9, _U11, _U24, _U40, _U55 = (np.uint64(k) for k in (1, 3, 8, 9, 11, 24, 40, 55))
_STRIP, _SIGN, _MANTISSA = np.uint64(0xFF), np.uint64(0x100), np.uint64(0xFFFFFFFFFFFFF)
_EXPONENT_52, _TWO_52 = np.uint64(0x433 << 52), 2.0**52
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


@private
def _advance(a, b, c, count):
    """The next 64 bits of a stream that is held in scalars, and the scalars after them."""
    word = a + b + count
    return word, b ^ (b >> _U11), c + (c << _U3), ((c << _U24) | (c >> _U40)) + word, count + _U1


@kernel
def next_uint64(state):
    """Advance the stream (uint64[4], in place) and return its next 64 bits."""
    word, state[0], state[1], state[2], state[3] = _advance(state[0], state[1], state[2], state[3])
    return word


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


@private
def _candidate(word):
    """The normal that a word stands for, and whether the ziggurat accepts it without looking further."""
    strip, mantissa = word & _STRIP, (word >> _U9) & _MANTISSA
    # A double of this exponent has the mantissa as its last bits; the sign is a bit too. No branch, no slow conversion.
    size = (np.uint64(mantissa | _EXPONENT_52).view(np.float64) - _TWO_52) * _SCALE[strip]
    x = np.uint64(np.float64(size).view(np.uint64) ^ ((word & _SIGN) << _U55)).view(np.float64)
    return x, mantissa < _BOUND[strip]


@private
def _normal(state):
    """The next standard normal."""
    while True:
        word = next_uint64(state)
        x, accepted = _candidate(word)
        if not accepted:
            x = _rare_normal(state, word, x)
        if not np.isnan(x):
            return x


@kernel
def fill_normal(state, out):
    """Fill `out` (n, p) row by row with standard normals, so that fewer rows are a prefix of more rows."""
    rows, columns = out.shape
    for i in range(rows):
        j = 0
        while j < columns:
            # Four at a time, for which the state lives in scalars: 19 times in 20 all are accepted, on one branch.
            a, b, c, count = state[0], state[1], state[2], state[3]
            while j + 4 <= columns:
                one, a1, b1, c1, count1 = _advance(a, b, c, count)
                two, a1, b1, c1, count1 = _advance(a1, b1, c1, count1)
                three, a1, b1, c1, count1 = _advance(a1, b1, c1, count1)
                four, a1, b1, c1, count1 = _advance(a1, b1, c1, count1)
                x1, accepted1 = _candidate(one)
                x2, accepted2 = _candidate(two)
                x3, accepted3 = _candidate(three)
                x4, accepted4 = _candidate(four)
                if not (accepted1 & accepted2 & accepted3 & accepted4):
                    break
                out[i, j], out[i, j + 1], out[i, j + 2], out[i, j + 3] = x1, x2, x3, x4
                a, b, c, count = a1, b1, c1, count1
                j += 4
            state[0], state[1], state[2], state[3] = a, b, c, count
            for _ in range(min(4, columns - j)):
                out[i, j] = _normal(state)
                j += 1


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


# Drawing samples of a group mixture: standard normals from a keyed stream, then scale and shift by group.
#
# The random numbers depend on (root, role, replicate, group) only; the law enters through `SampleLaw` afterwards. So
# two laws at equal noise dimension see the same Gaussians, and a group with more rows extends one with fewer.


class SampleLaw(NamedTuple):
    """A group mixture as kernels need it; `factors` (G, k, k) satisfy F F' = S_g."""

    labels: np.ndarray  # (G,)
    means: np.ndarray  # (G, k)
    factors: np.ndarray  # (G, k, k)
    noise_scale: np.ndarray  # (G,) sigma_g
    spectrum_root: np.ndarray  # (d,) sqrt(e_j)


def sample_law(
    *, labels: np.ndarray, means: np.ndarray, covariances: np.ndarray, noise_std: np.ndarray, spectrum: np.ndarray
) -> SampleLaw:
    """The kernel form of a mixture's arrays: (G,), (G, k), (G, k, k), (G,) and (d,)."""
    return SampleLaw(
        labels,
        np.ascontiguousarray(means),
        square_roots(covariances),
        np.ascontiguousarray(noise_std),
        np.sqrt(spectrum),
    )


def square_roots(covariances: np.ndarray) -> np.ndarray:
    """(G, k, k) symmetric square roots.

    Unlike Cholesky's factors they exist for singular S_g (full collapse), and they vary continuously with S_g, so that
    paired cells stay paired.
    """
    values, vectors = np.linalg.eigh(covariances)
    roots = np.sqrt(np.maximum(values, 0.0))
    return np.ascontiguousarray(np.einsum("gij,gj,gkj->gik", vectors, roots, vectors))


@kernel
def draw(state, root, role, replicate, law, counts, X, y):
    """Fill the design X (n, k + d + 1), columns signal, noise, ones, and the labels y (n,); rows ordered by group."""
    groups, k = law.means.shape
    d = law.spectrum_root.shape[0]
    signal = np.empty(k)
    row = 0
    for g in range(groups):
        key(state, root, role, replicate, g)
        last = row + counts[g]
        for i in range(row, last):
            # A row at a time: it is scaled while it is still in the cache.
            fill_normal(state, X[i : i + 1, : k + d])
            for j in range(k):
                signal[j] = law.means[g, j]
                for h in range(k):
                    signal[j] += law.factors[g, j, h] * X[i, h]
            for j in range(k):
                X[i, j] = signal[j]
            for j in range(d):
                X[i, k + j] *= law.noise_scale[g] * law.spectrum_root[j]
            X[i, k + d] = 1.0
            y[i] = law.labels[g]
        row = last


def draw_sample(law: SampleLaw, counts: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, k + d) and labels (n,) of one sample with `counts` (G,) rows, ordered by group."""
    n, p = int(counts.sum()), law.means.shape[1] + len(law.spectrum_root)
    design, labels = np.empty((n, p + 1)), np.empty(n)
    draw(np.empty(4, np.uint64), root_key(seed), int(Role.SAMPLE), 0, law, counts, design, labels)
    return design[:, :p].copy(), labels
