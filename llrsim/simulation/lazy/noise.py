"""Describe a lazy sample: its law, what has been revealed of its noise, and heads that come from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.linalg import norm

from ...model.losses import Status
from ...model.mixture import Array

# What has been revealed of a lazy sample, as flat arrays that kernels share.
#
# The noise of a sample is an n by d Gaussian matrix per eigenspace, of which only products with given vectors are ever
# asked. It is known on `left` directions u_1 .. u_L (orthonormal n-vectors, those that were asked of it from the left)
# and on R abstract right directions e_1 .. e_R, each in one eigenspace: where it goes is never stored, only its image
#
#     Y_j = Z e_j = g_j + sum_l mixing[j, l] u_l,
#
# a fresh standard normal n-vector g_j corrected on the left directions (T17). Labels are absorbed: y_i Z_i has the law
# of Z_i, so rows are those of margins, and the bias's column is y.
#
# The g_j are drawn to the 24 bits of single precision, which rounds each by a relative 2^-25 without bias: moments stay
# those of the normal law to 2^-50. Everything else is double precision.


CHUNK = 16384
"""Rows whose sums are taken by one worker; a column's random numbers are keyed by chunk, so results depend on it."""

FIRST_ROOM = 48
"""Directions there is room for at first; most fits need fewer, and what is not written to takes no memory."""

TOLERANCE = 1e-10
"""A query's component outside of the left directions that is smaller than this fraction of it is not new: dropped."""

OBJECTIVE, SQUARE, MOMENT, BENDING, WRONG, FINISHED, SCALARS = range(7)
"""Places of a sweep's scalar sums: see `rows`. The inner products with columns follow them: see `Revealed.sums`.

FINISHED is no sum: how many left directions are finished in the rows of the chunk. A direction is finished where it is
next read, and each chunk says so itself, so that a sweep that was stopped between two chunks can be done again."""

TOTALS = -1
"""Place in `Revealed.sums` of the sums over all rows."""


class Revealed(NamedTuple):
    """What is known of a lazy sample with n rows, k signal coordinates and E eigenspaces, with room for R directions.

    A head is (u_1 .. u_k, b, v_1 .. v_R), P = k + 1 + R numbers; its noise part is in units of z. Every kernel that is
    called takes all arrays, and each costs it a few nanoseconds and a compiler's attention: so they are few.
    """

    rows: Array  # (7, n) SCALE, WEIGHT .. of each row
    signal: Array  # (k + 1, n) y_i s_i, then y_i
    left: Array  # (R, n) u_l
    fresh: np.ndarray  # (R, n) g_j, single precision
    vectors: Array  # (9 + S, P) HEAD, VELOCITY .. by coordinate, ALONG_LEFT .. by left direction, a path's S heads
    matrices: Array  # (3, P, P) MIXING, HESSIAN, FACTOR
    spaces: Array  # (3, E) ROOT, DIMS, USED of each eigenspace
    known: np.ndarray  # (3 + R,) LEFT, RIGHT, DRAWN, then the eigenspace of each right direction
    sums: Array  # (chunks + 1, W) over each chunk, then TOTALS: scalars, then the products with k + 1 + 2 R columns
    #              and of those to come, one of each eigenspace, with R left ones and the new one
    numbers: Array  # (3,) LEAST_NEW, TOLD_OBJECTIVE, TOLD_WRONG
    key_words: np.ndarray  # (2,) the streams' root and replicate


SCALE, WEIGHT, MARGINS, SLOPES, IMAGE, CURVATURES, MULTIPLIER = range(7)
"""Rows of `Revealed.rows`: sigma_i, c_i, y_i f_i at the current head, slopes of the loss there or ahead along a step,
the step's margins, c_i l''_i where they were last looked at, and multipliers of the margin constraints. The last ones
take no memory before a fit that needs them writes to them."""

HEAD, VELOCITY, PENALTY, CENTRE, GRADIENT, ALONG, ALONG_LEFT, PROJECTION, CORRECTION, PATH = range(10)
"""Rows of `Revealed.vectors`. By coordinate: the head, the last step, penalties and what they pull to, the gradient,
and what the next combination of columns takes of the signal and each g_j. By left direction: what it takes of each u_l,
the components of the last query, and what is still to be taken off the last left direction, then 1 / its length. From
PATH on: the heads after the steps of a descent's path."""

MIXING, HESSIAN, FACTOR = range(3)
"""Places in `Revealed.matrices`; MIXING is (R, L)."""

ROOT, DIMS, USED = range(3)
"""Rows of `Revealed.spaces`: sqrt(e), dimension (0 where e = 0: nothing there can be seen), directions revealed."""

LEFT, RIGHT, DRAWN, SPACE = range(4)
"""Places in `Revealed.known`: directions revealed, columns g drawn, and from SPACE on the eigenspaces."""

LEAST_NEW, TOLD_OBJECTIVE, TOLD_WRONG = range(3)
"""Places in `Revealed.numbers`: what of a query is too small to be new, and where a sweep last looked the rough
objective's loss part and the rows on the wrong side."""


def nothing_revealed(
    law: SectionLaw, root: np.uint64, replicate: int, room: int, tolerance: float = TOLERANCE
) -> Revealed:
    """The arrays of a sample of which nothing is known yet, with room for so many directions, uninitialised.

    Memory that is not written to is not taken: a large room costs little until it is used.
    """
    n, k, spaces = int(law.rows.sum()), law.means.shape[1], len(law.eigenvalues)
    chunks, size = max(1, -(-n // CHUNK)), k + 1 + room
    rows = np.empty((MULTIPLIER + 1, n))
    rows[SCALE] = np.repeat(law.noise_scale, law.rows)
    rows[WEIGHT] = rows[MARGINS] = 0.0
    dims = np.where(law.eigenvalues > 0, law.multiplicities, 0)
    return Revealed(
        rows=rows,
        signal=np.empty((k + 1, n)),
        left=np.empty((room, n)),
        fresh=np.empty((room, n), np.float32),
        vectors=np.zeros((PATH, size)),
        matrices=np.zeros((FACTOR + 1, size, size)),
        spaces=np.array([np.sqrt(law.eigenvalues), dims, np.zeros(spaces)]),
        known=np.zeros(SPACE + room, np.int64),
        sums=np.zeros((chunks + 1, _width(k, room, spaces))),
        numbers=np.array([tolerance, 0.0, 0.0]),
        key_words=np.array([root, replicate], dtype=np.uint64),
    )


def with_more_room(state: Revealed) -> Revealed:
    """The same, with room for twice as many directions."""
    before, k = len(state.left), len(state.signal) - 1
    room = 2 * before
    known = slice(0, int(state.known[:SPACE].max()))
    left, fresh = (np.empty((room, old.shape[1]), old.dtype) for old in (state.left, state.fresh))
    left[known], fresh[known] = state.left[known], state.fresh[known]
    vectors = np.pad(state.vectors, ((0, 0), (0, before)))
    # The penalty of coordinates to come is that of all noise coordinates.
    vectors[PENALTY, -before:] = state.vectors[PENALTY, -1]
    sums = np.zeros((len(state.sums), _width(k, room, state.spaces.shape[1])))
    sums[:, FINISHED] = state.sums[:, FINISHED]
    return state._replace(
        left=left,
        fresh=fresh,
        vectors=vectors,
        matrices=np.pad(state.matrices, ((0, 0), (0, before), (0, before))),
        known=np.pad(state.known, (0, before)),
        sums=sums,
    )


def with_path(state: Revealed, steps: int) -> Revealed:
    """The same, with room for the heads after so many steps of a path."""
    if len(state.vectors) == PATH + steps:
        return state
    vectors = np.zeros((PATH + steps, state.vectors.shape[1]))
    vectors[:PATH] = state.vectors[:PATH]
    return state._replace(vectors=vectors)


def _width(k: int, room: int, spaces: int) -> int:
    """Sums of a sweep."""
    return SCALARS + k + 1 + 2 * room + spaces * (room + 1)


# What a lazy sample is made of, and what a fit on it gives.


class SectionLaw(NamedTuple):
    """B sections of exchangeable rows in k signal coordinates and E eigenspaces of the noise.

    A row of section b is y = labels[b], s ~ N(means[b], F F') with F = factors[b], and z = noise_scale[b] times
    independent N(0, e I) in the eigenspace of each eigenvalue e.
    """

    rows: np.ndarray  # (B,)
    labels: np.ndarray  # (B,) -1 or +1
    means: np.ndarray  # (B, k)
    factors: np.ndarray  # (B, k, k)
    noise_scale: np.ndarray  # (B,) sigma
    eigenvalues: np.ndarray  # (E,) e >= 0
    multiplicities: np.ndarray  # (E,) dimension of each eigenspace


@dataclass(frozen=True, eq=False)
class LazyHead:
    """A head up to rotations of the noise, which is all that a readout or an independent sample can see of it.

    Attributes:
        signal: (k,) u.
        bias: b.
        noise: (E,) norm of v in each eigenspace of the noise.
        sample: what it was fitted on, if its direction is to be known elsewhere.
        coordinates: (k + 1 + R,) the head in the directions that were revealed of that sample.
        spaces: (R,) eigenspace of each of these.
    """

    signal: Array
    bias: float
    noise: Array
    sample: object | None = None
    coordinates: Array | None = None
    spaces: np.ndarray | None = None

    def noise_in(self, space: int) -> Array:
        """The noise part in one eigenspace, in coordinates of its sample; its norm alone where there are none."""
        if self.coordinates is None or self.spaces is None:
            return self.noise[space : space + 1].copy()
        return np.where(self.spaces == space, self.coordinates[len(self.signal) + 1 :], 0.0)


@dataclass(frozen=True, eq=False)
class LazyFit:
    """A head fitted on a lazy sample.

    Attributes:
        head: the head.
        status: how the fit ended.
        certificate: as `Fit.certificate` of dense fits, with what lies outside of the revealed directions counted in.
        iterations: solver iterations, or descent steps.
        directions: right directions that were revealed, over all eigenspaces.
        path: the heads after the steps of `head.solver.path`.
        mass, share: (G,) effective mass of each group and its share of the rows of positive weight, where a rule made
            the weights; else None.
        bias_interval: the least and the largest optimal bias, where the status is BIAS_NOT_UNIQUE; else None.
    """

    head: LazyHead
    status: Status
    certificate: float
    iterations: int
    directions: int
    path: tuple[LazyHead, ...] = ()
    mass: Array | None = None
    share: Array | None = None
    bias_interval: tuple[float, float] | None = None


# Heads from elsewhere in the coordinates of a lazy sample.


NEW_HEAD = 1e-12
"""The part of a head that is new beside related ones is none if it is smaller than this fraction of the head."""


class _Visitor(NamedTuple):
    """A noise direction that entered from elsewhere: a unit vector in the coordinates there, and in those here."""

    origin: object
    space: int
    there: Array
    here: Array


class Visitors:
    """The heads of other samples that fits and scores have asked a sample about."""

    def __init__(self) -> None:
        self._known: list[_Visitor] = []

    def coordinates(self, head: LazyHead, size: int, enter: Callable[[int, list[Array]], Array]) -> Array:
        """(M,) the head in the coordinates of the sample, which knows `size` of them before.

        `enter(space, apart)` is the sample's: a uniformly random unit vector of an eigenspace in its coordinates (M,),
        M as many as it then knows, orthogonal to those of `apart`. That is what the noise direction of an independent
        head is to it, but for what lies along heads of the same origin: their angles are kept. Heads of different
        origins are taken to be independent of each other too.
        """
        origin = head if head.sample is None else head.sample
        found = np.zeros(size)
        found[: len(head.signal) + 1] = np.append(head.signal, head.bias)
        for space in np.flatnonzero(head.noise).tolist():
            rest = head.noise_in(space)
            whole = norm(rest)
            related = [known for known in self._known if known.origin is origin and known.space == space]
            for known in related:
                along = rest[: len(known.there)] @ known.there
                rest[: len(known.there)] -= along * known.there
                found[: len(known.here)] += along * known.here
            length = norm(rest)
            if length > NEW_HEAD * whole:
                here = enter(space, [known.here for known in related])
                self._known.append(_Visitor(origin, space, rest / length, here))
                found = np.pad(found, (0, len(here) - len(found)))
                found += length * here
        return found
