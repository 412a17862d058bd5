"""Least squares and its descent on rows in abstract coordinates: small dense algebra that grows by each query (T18)."""

from __future__ import annotations

from math import inf, nan, sqrt
from typing import NamedTuple

import numpy as np
from numpy.linalg import norm

from ..._jit import kernel
from ...descent_rule import ceiling, clipping, move
from ...experiment.schema import Descent
from ...mixture import Array
from ...status import Status
from ..semidefinite import PIVOT
from .exchangeable_rows import ExchangeableRows, GrowingMatrix, padded

TOLERANCE = 1e-9  # of the relative gradient
QUERIES = 2000  # at n = d, enough for a ridge of 1e-4 of the noise's variance
CHECKS = 20  # of the gradient in all coordinates, each followed by a refinement where it is too large


class Fitted(NamedTuple):
    """A head (M,) with its status, its relative gradient, the steps taken, and the heads after those of the path."""

    head: Array
    status: Status
    certificate: float
    steps: int
    path: list[Array]


class LeastSquares:
    """F(w) = sum_i c_i (1 - m_i)^2 / 2 + sum_j P_j (w_j - w0_j)^2 / 2 on what is known of the rows.

    `weight` (B,) is c in each section, `origin` the head that `anchor` pulls to, `bias` the coordinate without ridge.
    """

    def __init__(
        self, rows: ExchangeableRows, weight: Array, *, ridge: float, anchor: float, origin: Array, bias: int
    ) -> None:
        self.rows, self.weight = rows, weight
        self._strength, self._anchor, self._bias = ridge + anchor, anchor, bias
        penalty = self.penalty(len(origin))
        self._centre = np.divide(anchor * origin, penalty, out=np.zeros(len(origin)), where=penalty > 0.0)

    def penalty(self, size: int) -> Array:
        """P of so many coordinates."""
        penalty = np.full(size, self._strength)
        penalty[self._bias] = self._anchor
        return penalty

    def penalty_at(self, coordinate: int) -> float:
        """P of one coordinate."""
        return self._anchor if coordinate == self._bias else self._strength

    def error(self, head: Array) -> Array:
        """(N,) margins less one."""
        error = head @ self.rows.columns
        error[: len(self.rows.ones)] -= self.rows.ones
        return error

    def residual(self, error: Array) -> Array:
        """(N,) the loss's derivative in every margin, c (m - 1)."""
        return self.rows.times(error, self.weight)

    def pull(self, head: Array) -> Array:
        """The gradient of the penalty."""
        return self.penalty(len(head)) * (head - padded(self._centre, len(head)))

    def value(self, head: Array, error: Array) -> float:
        """F at a head."""
        shift = head - padded(self._centre, len(head))
        return 0.5 * float(error @ self.residual(error) + self.penalty(len(head)) @ shift**2)


def ridge(problem: LeastSquares) -> Fitted:
    """The minimiser in the revealed span, which grows by the gradient: conjugate gradients, orthogonal to rounding.

    Between checks the gradient vanishes in the coordinates that have been minimised over, and only the new ones are
    looked at; the certificate is that of a check, which takes all. CONVERGED: relative gradient <= 1e-9.
    NOT_CONVERGED: rounding stands in the way, or it takes more than 2000 queries.
    """
    rows = problem.rows
    head, residual = np.zeros(len(rows.columns)), problem.residual(-padded(rows.ones, rows.columns.shape[1]))
    conjugate, asked = _Conjugate(problem), residual
    reference, size, settled, checks = 1.0, nan, 0, 0
    for query in range(QUERIES):
        dropped = rows.ask(asked)
        columns = rows.columns
        head, residual = padded(head, len(columns)), padded(residual, columns.shape[1])
        gradient = columns[settled:] @ residual
        if settled == 0:
            gradient += problem.pull(head)
        size = sqrt(gradient @ gradient) + dropped
        if query == 0 and size > 0.0:
            reference = size
        if size <= TOLERANCE * reference:
            if settled == 0:
                return Fitted(head, Status.CONVERGED, size / reference, query, [])
            if checks == CHECKS:
                break
            checks, settled = checks + 1, 0
            residual = asked = problem.residual(problem.error(head))
            continue
        if not size < inf:
            break
        conjugate.extend()
        step, image = conjugate.step(gradient, settled)
        # The residual has been asked up to this step's change, so the change is all that is left to ask.
        asked = problem.residual(image)
        head += step
        residual += asked
        settled = len(head)
    return Fitted(head, Status.NOT_CONVERGED, size / reference, query, [])


class _Conjugate:
    """Directions that are orthonormal in the Hessian H, as many as known coordinates: H^-1 is their Gram matrix.

    The image of a new right direction is orthogonal to all that was asked before the query that revealed it. In one
    eigenspace, that are the weighted images of all directions but the first ones, of which only a combination was
    asked, and the last: only these have to be compared with it. In several, where a query stands for a combination of
    new directions, all have to be.
    """

    def __init__(self, problem: LeastSquares) -> None:
        self._problem = problem
        self._directions, self._images = GrowingMatrix(), GrowingMatrix()
        self._alone = len(problem.rows.open_spaces) == 1
        self._compared = np.arange(0)

    def extend(self) -> None:
        """Make a direction of every new coordinate; one lost to rounding is left out, as in `semidefinite`."""
        columns = self._problem.rows.columns
        known = len(self._directions.known)
        if known == 0:
            self._compared = np.arange(len(columns) + 1)
        for j in range(known, len(columns)):
            compared: slice | np.ndarray = slice(j)
            if self._alone and j >= len(self._compared):
                compared = self._compared
                compared[-1] = j - 1
            directions, images = self._directions.known[compared], self._images.known[compared]
            product = self._problem.residual(columns[j])
            along, whole = images @ product[: images.shape[1]], product @ columns[j] + self._problem.penalty_at(j)
            pivot = whole - along @ along
            direction, image = np.zeros(j + 1), np.zeros(len(product))
            if pivot > PIVOT * whole:
                direction[:j], direction[j] = -(along @ directions), 1.0
                image[:] = columns[j]
                image[: images.shape[1]] -= along @ images
                direction /= sqrt(pivot)
                image /= sqrt(pivot)
            self._directions.append(direction)
            self._images.append(image)

    def step(self, gradient: Array, first: int) -> tuple[Array, Array]:
        """(M,) to the minimum, and its image (N,), given the gradient from coordinate `first` on and zero before."""
        along = -(self._directions.known[first:, first:] @ gradient)
        return along @ self._directions.known[first:], along @ self._images.known[first:]


def descend(problem: LeastSquares, how: Descent, start: Array) -> Fitted:
    """Full-batch descent from `start`; statuses and the relative gradient are those of `simulation.descent`."""
    path: list[Array] = []
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows has diverged
        _, gradient, dropped, _ = look(problem, np.zeros(len(start)))
        reference = norm(gradient) + dropped or 1.0
        head, velocity, limit = start, np.zeros(len(start)), nan
        for done in range(how.steps + 1):
            if done in how.path:
                path.append(head.copy())
            head, gradient, dropped, value = look(problem, head)
            if done == 0:
                limit = ceiling(value)
            if not value <= limit < inf:
                status = Status.DIVERGED
                break
            if done == how.steps:
                status = Status.FINISHED
                break
            velocity = padded(velocity, len(head))
            _move(head, velocity, gradient, how.step_size, how.momentum, how.clip or 0.0, float(how.nesterov))
        path += [np.full(len(head), nan) for step in how.path if step > done]
        return Fitted(head, status, float((norm(gradient) + dropped) / reference), done, path)


def look(problem: LeastSquares, head: Array) -> tuple[Array, Array, float, float]:
    """Ask for the gradient at a head: the head in all coordinates now known, its gradient, what it lacks, and F."""
    error = problem.error(padded(head, len(problem.rows.columns)))
    residual = problem.residual(error)
    dropped = problem.rows.ask(residual)
    columns = problem.rows.columns
    head = padded(head, len(columns))
    gradient = columns[:, : len(residual)] @ residual + problem.pull(head)
    return head, gradient, dropped, problem.value(head, error)


@kernel
def _move(head, velocity, gradient, step_size, momentum, clip, nesterov):
    """One step of `descent_rule`, in place."""
    size = sqrt((gradient * gradient).sum())
    move(head, velocity, gradient, step_size * clipping(size, clip), momentum, nesterov)
