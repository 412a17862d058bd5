"""A standard Gaussian matrix that is revealed only where it is asked, for first-order methods of one's own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from math import frexp
from operator import index
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ..._arguments import checked_seed
from ...model.draws import root_key
from ...model.losses import Loss
from ...model.mixture import Array
from ..memory import free_bytes
from .noise import GRADIENT, LEFT, MARGINS, RIGHT, TOLERANCE, WEIGHT, SectionLaw, nothing_revealed, with_more_room
from .query import absorb, admit, aim, query, room_left
from .rows import ENTER, LOOK, PROJECT, sweeping

if TYPE_CHECKING:
    from ..._arguments import Seed

FIRST_ROOM = 32
"""Directions there is room for at first."""

LARGEST_DIMENSION = 10**12
"""Of R^d: the rejection step for chi variables then still has four digits, and hardly ever rejects."""

SMALLEST_TOLERANCE = 1e-14
"""Below it, rounding of the query would pass for new directions."""


class LazyGaussian:
    """An n by d matrix Z of independent N(0, 1) entries, exact in law, at a cost that does not depend on d.

    What it does is that of `scipy.sparse.linalg.LinearOperator`, except that vectors of R^d are given by coefficients
    in an abstract orthonormal basis e_1, e_2, .. which grows as `rmatvec` reveals new directions. Coefficients stay
    valid for good; shorter vectors go on with zeros.

    Why the law is exact (Yue M. Lu, *Householder Dice*, arXiv 2101.07464; `sample` has the argument): off the vectors
    asked of it so far, from the left and from the right, Z is a fresh Gaussian matrix whatever the answers were. What
    a query r newly finds is therefore |r_perp| times a chi variable with d - R degrees of freedom, along a direction
    that may be *called* e_(R+1), for the law of Z does not change under rotations of R^d. The queries may depend on all
    earlier answers in any way. They may not depend on coordinates of R^d, which have no meaning here: no L1 penalty on
    v, no clipping of its entries, no spectrum inside Z (one operator for each eigenvalue does that).

    Cost with R = `directions`: 12 R n bytes (twice that for a moment when the arrays grow) beside 40 n, and O(R n)
    operations a product.

    Args:
        shape: (n, d) with n >= 1 and 1 <= d <= 10^12.
        seed: a whole number in [0, 2^64), or a NumPy Generator or SeedSequence to draw one from; the answers are a
            function of it and of the queries.
        tolerance: the part of a query r that is orthogonal to all before it is dropped where it is smaller than
            `tolerance` |r|, which changes Z'r by about `tolerance` times its length. At least 1e-14.
        pool: threads that share the rows out, to be kept open meanwhile. No number depends on it.

    Attributes:
        shape: (n, d).
        dtype: float64. Fresh normals have the 24 bits of single precision, without bias.

    Raises ValueError or TypeError where an argument is not as said, and MemoryError before a direction is drawn that
    does not fit in what is free.

    Least squares at d = 10^9 by gradient descent, with step size 1/d: each step takes about sqrt(n/d) of the residual.

    >>> import numpy as np
    >>> Z, y, v = LazyGaussian((1000, 10**9)), np.ones(1000), np.zeros(3)
    >>> for _ in range(3):
    ...     gradient = Z.rmatvec(Z.matvec(v[: Z.directions]) - y)
    ...     v[: len(gradient)] -= gradient / Z.shape[1]
    >>> print(f"{np.linalg.norm(Z.matvec(v) - y) / np.linalg.norm(y):.0e}")
    2e-09
    """

    dtype = np.dtype(np.float64)

    def __init__(
        self,
        shape: tuple[int, int],
        *,
        seed: Seed = 0,
        tolerance: float = TOLERANCE,
        pool: ThreadPoolExecutor | None = None,
    ) -> None:
        n, d = self.shape = _checked_shape(shape)
        if not SMALLEST_TOLERANCE <= tolerance < 1.0:
            raise ValueError(f"tolerance: {tolerance}; expected {SMALLEST_TOLERANCE} <= tolerance < 1")
        _check_memory(52 * n, f"Z with {n} rows and its first direction")
        one, none = np.ones(1), np.empty((1, 0))
        law = SectionLaw(np.array([n]), one, none, np.empty((1, 0, 0)), one, one, np.array([d]))
        self._state = nothing_revealed(law, root_key(checked_seed(seed), "LazyGaussian"), 0, FIRST_ROOM, tolerance)
        self._state.signal[:] = 0.0
        self._sweep = sweeping(pool)

    def __repr__(self) -> str:
        return f"LazyGaussian({self.shape}: {self.directions} directions known, {self.asked} asked)"

    @property
    def directions(self) -> int:
        """R, the known directions of R^d: e_1 .. e_R."""
        return int(self._state.known[RIGHT])

    @property
    def asked(self) -> int:
        """L, the dimension of what was asked of R^n: Z'r is known for all r in it."""
        return int(self._state.known[LEFT])

    @property
    def images(self) -> Array:
        """(n, R) columns Z e_j: what is known of Z. Once R = d it is all of it. Takes R products."""
        _check_memory(8 * self.shape[0] * self.directions, "images")
        found = np.empty((self.shape[0], self.directions))
        for j, unit in enumerate(np.eye(self.directions)):
            found[:, j] = self.matvec(unit)
        return found

    def matvec(self, v: ArrayLike) -> Array:
        """Z v (n,) for the coefficients v (at most R,) of a vector of R^d."""
        coefficients = _checked_vector("v", v)
        if len(coefficients) > self.directions:
            raise ValueError(
                f"v: {len(coefficients)} coefficients, but {self.directions} directions of R^d are known; "
                "`rmatvec` and `direction` reveal others, and only then have these coefficients a meaning"
            )
        self._look(coefficients)
        return self._state.rows[MARGINS].copy()

    def rmatvec(self, r: ArrayLike) -> Array:
        """The coefficients (R,) of Z'r for r (n,), in the directions known afterwards: r may reveal one."""
        rows = _checked_vector("r", r)
        n, d = self.shape
        if len(rows) != n:
            raise ValueError(f"r: {len(rows)} entries; expected n = {n}")
        # A power of two changes no digit, and keeps the squares of tiny and huge entries in range.
        scale = 2.0 ** max(-1000, min(frexp(np.abs(rows).max())[1], 1000))
        # The squared loss has slope -1 where all margins are zero: the residual is then r.
        np.multiply(rows, -1.0 / scale, out=self._state.rows[WEIGHT])
        self._look(np.empty(0))
        length = query(self._state)
        if length > 0.0 and self.asked < n and self.directions < d:
            self._make_room()
            self._sweep(PROJECT, int(Loss.SQUARED), 0.0, 0.0, self._state)
            absorb(self._state, length)
        bias = len(self._state.signal)
        return scale * self._state.vectors[GRADIENT, bias : bias + self.directions]

    def direction(self) -> Array:
        """The coefficients (R,) of a unit vector of R^d that is new: independent of Z and of all that was asked.

        It is uniform on the unit vectors orthogonal to e_1 .. e_R, for the R before this call; a uniform direction, or
        a Gaussian vector, of all R^d is made of it by drawing its coefficients on these too.
        """
        if self.directions == self.shape[1]:
            raise ValueError(f"direction: all d = {self.shape[1]} directions of R^d are known, so none is new")
        self._make_room()
        self._sweep(ENTER, int(Loss.SQUARED), 0.0, 0.0, self._state)
        admit(self._state, 0)
        return np.eye(1, self.directions, self.directions - 1)[0]

    def _look(self, coefficients: Array) -> None:
        """One pass: Z times the coefficients into `margins`, and the known part of Z'r for r = -`weight`."""
        bias, vector = len(self._state.signal), np.zeros(self._state.vectors.shape[1])
        vector[bias : bias + len(coefficients)] = coefficients
        aim(self._state, vector)
        self._sweep(LOOK, int(Loss.SQUARED), 0.0, 0.0, self._state)

    def _make_room(self) -> None:
        """Before a direction is drawn: larger arrays where they are full, and an error where memory is."""
        full = not room_left(self._state)
        copied = self.directions if full else 0
        _check_memory(12 * self.shape[0] * (copied + 1), f"direction {self.directions + 1} of Z")
        if full:
            self._state = with_more_room(self._state)


def _checked_shape(shape: tuple[int, int]) -> tuple[int, int]:
    try:
        n, d = map(index, shape)
    except (TypeError, ValueError) as error:
        raise type(error)(f"shape: {shape!r}; expected two integers (n, d)") from None
    if n < 1 or not 1 <= d <= LARGEST_DIMENSION:
        raise ValueError(f"shape: ({n}, {d}); expected n >= 1 and 1 <= d <= 10^12")
    return n, d


def _checked_vector(name: str, values: ArrayLike) -> Array:
    vector = np.asarray(values)
    if vector.ndim != 1:
        raise ValueError(f"{name}: shape {vector.shape}; expected a vector of one axis")
    if vector.dtype.kind not in "biuf":
        raise TypeError(f"{name}: entries of type {vector.dtype}; expected real numbers")
    vector = vector.astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(vector))
    if bad.size:
        raise ValueError(f"{name}: entry {bad[0]} is {vector[bad[0]]}; expected finite numbers")
    return vector


def _check_memory(needed: int, what: str) -> None:
    free = free_bytes()
    if free is not None and needed > free:
        raise MemoryError(f"{what}: needs {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free; lower n")
