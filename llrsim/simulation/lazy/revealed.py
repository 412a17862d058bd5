"""What has been revealed of a lazy sample, as flat arrays that kernels share.

The noise of a sample is an n by d Gaussian matrix per eigenspace, of which only products with given vectors are ever
asked. It is known on `left` directions u_1 .. u_L (orthonormal n-vectors, those that were asked of it from the left)
and on R abstract right directions e_1 .. e_R, each in one eigenspace: where it goes is never stored, only its image

    Y_j = Z e_j = g_j + sum_l mixing[j, l] u_l,

a fresh standard normal n-vector g_j corrected on the left directions (T17). Labels are absorbed: y_i Z_i has the law of
Z_i, so rows are those of margins, and the bias's column is y.

The g_j are drawn to the 24 bits of single precision, which rounds each by a relative 2^-25 without bias: moments stay
those of the normal law to 2^-50. Everything else is double precision.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...mixture import Array
from .law import SectionLaw

CHUNK = 16384
"""Rows whose sums are taken by one worker; a column's random numbers are keyed by chunk, so results depend on it."""

TOLERANCE = 1e-10
"""A query's component outside of the left directions that is smaller than this fraction of it is not new: dropped."""

OBJECTIVE, SQUARE, MOMENT, BENDING, WRONG, SCALARS = 0, 1, 2, 3, 4, 5
"""Places of a sweep's scalar sums in `totals`: see `sweeps`."""


class Revealed(NamedTuple):
    """Arrays of a lazy sample with n rows, k signal coordinates and E eigenspaces, with room for L and R directions.

    A head is (u_1 .. u_k, b, v_1 .. v_R), P = k + 1 + R numbers; its noise part is in units of z.
    """

    rows_first: np.ndarray  # (B + 1,) where each section's rows start
    scale: Array  # (n,) sigma_i
    weight: Array  # (n,) c_i
    signal: Array  # (k + 1, n) y_i s_i, then y_i
    margins: Array  # (n,) y_i f_i at the current head
    slopes: Array  # (n,) of the loss there, or ahead along a step
    image: Array  # (n,) the step's margins
    curvatures: Array  # (n,) c_i l''_i where they were last looked at
    multiplier: Array  # (n,) of the margin constraints; (0,) while no loss has had any
    left: Array  # (L, n) u_l
    fresh: np.ndarray  # (R, n) g_j, single precision
    mixing: Array  # (R, L)
    space: np.ndarray  # (R,) eigenspace of each right direction
    eigen_root: Array  # (E,) sqrt(e)
    dims: np.ndarray  # (E,) dimension of each eigenspace, 0 where e = 0: nothing there can be seen
    used: np.ndarray  # (E,) right directions revealed in it
    known: np.ndarray  # (4,) LEFT, RIGHT, DRAWN, PENDING
    along: Array  # (P + L,) what the next combination of columns takes of signal, bias, g_j and u_l
    projection: Array  # (L,) components of the last query on the left directions
    correction: Array  # (L + 1,) of a pending left direction: what is still to be taken off, then 1 / length
    head: Array  # (P,)
    path_heads: Array  # (S, P) after the steps of a descent's path
    velocity: Array  # (P,) last step, of descents with momentum
    penalty: Array  # (P,)
    centre: Array  # (P,)
    gradient: Array  # (P,)
    hessian: Array  # (P, P)
    factor: Array  # (P, P)
    told: Array  # (2,) the rough objective's loss part, and the rows on the wrong side, where a sweep last looked
    totals: Array  # (W,) sums over all rows
    partial: Array  # (chunks, W) sums over each chunk
    root: np.ndarray  # (1,) first key word of the streams
    replicate: np.ndarray  # (1,)
    tolerance: Array  # (1,) what of a query is too small to be new


TOLD_OBJECTIVE, TOLD_WRONG = range(2)
"""Places in `Revealed.told`."""

LEFT, RIGHT, DRAWN, PENDING = range(4)
"""Places in `Revealed.known`: directions revealed, columns g drawn, whether the last left direction is unfinished."""


def nothing_revealed(
    law: SectionLaw, root: np.uint64, replicate: int, room: int, tolerance: float = TOLERANCE
) -> Revealed:
    """The arrays of a sample of which nothing is known yet, with room for so many directions, uninitialised.

    Memory that is not written to is not taken: a large room costs little until it is used.
    """
    n, k, spaces = int(law.rows.sum()), law.means.shape[1], len(law.eigenvalues)
    chunks, size, width = max(1, -(-n // CHUNK)), k + 1 + room, SCALARS + k + 1 + 2 * room + spaces * (room + 1)
    return Revealed(
        rows_first=np.concatenate([[0], np.cumsum(law.rows)]).astype(np.int64),
        scale=np.repeat(law.noise_scale, law.rows),
        weight=np.zeros(n),
        signal=np.empty((k + 1, n)),
        margins=np.zeros(n),
        slopes=np.empty(n),
        image=np.empty(n),
        curvatures=np.empty(n),
        multiplier=np.zeros(0),
        left=np.empty((room, n)),
        fresh=np.empty((room, n), np.float32),
        mixing=np.zeros((room, room)),
        space=np.zeros(room, np.int64),
        eigen_root=np.sqrt(law.eigenvalues),
        dims=np.where(law.eigenvalues > 0, law.multiplicities, 0).astype(np.int64),
        used=np.zeros(spaces, np.int64),
        known=np.zeros(4, np.int64),
        along=np.zeros(size + room),
        projection=np.zeros(room),
        correction=np.zeros(room + 1),
        head=np.zeros(size),
        path_heads=np.zeros((0, size)),
        velocity=np.zeros(size),
        penalty=np.zeros(size),
        centre=np.zeros(size),
        gradient=np.zeros(size),
        hessian=np.zeros((size, size)),
        factor=np.zeros((size, size)),
        told=np.zeros(2),
        totals=np.zeros(width),
        partial=np.zeros((chunks, width)),
        root=np.array([root], dtype=np.uint64),
        replicate=np.array([replicate]),
        tolerance=np.array([tolerance]),
    )


def with_more_room(state: Revealed) -> Revealed:
    """The same, with room for twice as many directions."""
    k, before = len(state.signal), len(state.left)
    room, extra = 2 * before, before
    n, spaces = len(state.scale), len(state.dims)
    size, width = k + room, SCALARS + k + 2 * room + spaces * (room + 1)
    known = slice(0, int(max(state.known[LEFT], state.known[RIGHT], state.known[DRAWN])))
    left, fresh = np.empty((room, n)), np.empty((room, n), np.float32)
    left[known], fresh[known] = state.left[known], state.fresh[known]
    longer = {name: np.pad(getattr(state, name), (0, extra)) for name in _BY_COORDINATE}
    longer |= {name: np.pad(getattr(state, name), ((0, extra), (0, extra))) for name in ("mixing", "hessian", "factor")}
    longer["path_heads"] = np.pad(state.path_heads, ((0, 0), (0, extra)))
    # The penalty of coordinates to come is that of all noise coordinates.
    longer["penalty"][k + before :] = state.penalty[-1]
    return state._replace(
        left=left,
        fresh=fresh,
        along=np.zeros(size + room),
        totals=np.zeros(width),
        partial=np.zeros((len(state.partial), width)),
        **longer,
    )


_BY_COORDINATE = ("space", "projection", "correction", "head", "velocity", "penalty", "centre", "gradient")
