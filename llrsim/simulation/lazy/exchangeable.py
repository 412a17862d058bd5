"""Fit the squared loss on a lazy sample, at a cost that depends on neither n nor d, exactly in law (T18)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, nan, sqrt
from typing import NamedTuple

import numpy as np
from numpy.linalg import eigh, norm
from numpy.typing import ArrayLike

from ..._jit import kernel
from ...experiment import FitOptions
from ...experiment.schema import Descent
from ...model.descent import ceiling, clipping, move, stability
from ...model.draws import Role, key
from ...model.losses import Status
from ...model.mixture import Array
from ..solvers import recipe
from ..solvers.semidefinite import PIVOT
from .noise import LazyFit, LazyHead, SectionLaw, Visitors

# The rows of a sample in abstract coordinates: the design in the directions asked so far, and how it grows (T18).
#
# A vector over the rows has N = A B coordinates: on A axes in each of B sections, axis by axis. A section of n rows has
# min(n, A) axes; its other coordinates are zero.


NEW_DIRECTION = 1e-12
"""A query's component outside of the left directions that is smaller than this fraction of it is not new: dropped."""


class ExchangeableRows:
    """The design X of a sample: rows y (s, 1, z), so that X w are margins; y Z has the law of Z.

    Attributes:
        ones: (B,) the vector with a one in every row: its coordinates on the first axes, the others are zero.
        spaces: eigenspace of each noise column, in the order of the columns.
    """

    def __init__(self, law: SectionLaw, root: np.uint64, replicate: int) -> None:
        self._law, self._normals = law, _generator(root, replicate)
        self._counts, self._axes = law.rows.tolist(), 1
        self._fewest, self._most = min(self._counts, default=0), max(self._counts, default=0)
        self._columns, self._asked = GrowingMatrix(), GrowingMatrix()
        self._unseen = law.multiplicities.tolist()
        self.ones = np.sqrt(law.rows.astype(np.float64))
        self.spaces: list[int] = []
        self._roots = np.sqrt(law.eigenvalues).tolist()
        sections, k = law.means.shape
        standard = self._gaussians(k).reshape(k, self._axes, sections)
        design = np.zeros((k + 1, self._axes, sections))
        design[:k] = np.einsum("bjh,hab->jab", law.factors, standard)
        design[:k, 0] += law.means.T * self.ones
        design[k, 0] = self.ones
        for column in (design * law.labels).reshape(k + 1, -1):
            self._columns.append(column)

    @property
    def columns(self) -> Array:
        """(M, N) columns of X: k of the signal, the bias, then the noise along each right direction. A view."""
        return self._columns.known

    @property
    def open_spaces(self) -> list[int]:
        """Eigenspaces in which a query may find something new."""
        return [space for space, root in enumerate(self._roots) if root > 0.0 and self._unseen[space] > 0]

    def times(self, vector: Array, factors: Array) -> Array:
        """A vector (N,) over the rows times one factor for each section (B,)."""
        product: Array = (vector.reshape(-1, len(factors)) * factors).ravel()
        return product

    def ask(self, residual: Array) -> float:
        """Reveal what X'residual takes, so that it is `columns` times the residual, plus what is returned.

        That is the size of what was dropped: 0, unless the residual has a part outside of the directions asked before
        that is below `TOLERANCE`.
        """
        spaces = self.open_spaces
        if not spaces:
            return 0.0
        rest = self.times(residual, self._law.noise_scale)
        whole = sqrt(rest @ rest)
        asked = self._asked.known
        size, before = self._taken_off(rest, asked), whole
        while (
            NEW_DIRECTION * whole < size < 0.5 * before
        ):  # rounding of the last projection is not small beside the rest
            before, size = size, self._taken_off(rest, asked)
        if not size > NEW_DIRECTION * whole:
            return size * sqrt(sum(self._roots[space] ** 2 * self._unseen[space] for space in spaces))
        rest /= size
        for space, image in zip(spaces, self._images(len(spaces)), strict=True):
            along = image[: len(rest)]
            along += (self._chi(self._unseen[space]) - along @ rest) * rest
            self._reveal(image, space)
        self._asked.append(rest)
        return 0.0

    def enter(self, space: int, apart: Sequence[Array]) -> Array:
        """(M,) a random unit vector of an eigenspace, orthogonal to those of `apart`, as a combination of columns.

        That is the noise direction of a head that knows nothing of this sample. Its part outside of the right
        directions known is a right direction that costs no left one.
        """
        inside = len(self._columns.known) - len(self.spaces) + np.flatnonzero(np.array(self.spaces) == space)
        direction = np.zeros(len(self._columns.known))
        direction[inside] = self._normals.standard_normal(len(inside))
        for other in apart:
            direction[: len(other)] -= (direction[: len(other)] @ other) * other
        if self._unseen[space] > 0:
            direction = np.append(direction, self._chi(self._unseen[space]))
            self._reveal(self._images(1)[0], space)
        return direction / np.linalg.norm(direction)

    def _taken_off(self, vector: Array, asked: Array) -> float:
        """Project a vector off the left directions, in place; returns the size of the rest."""
        known = vector[: asked.shape[1]]
        known -= (asked @ known) @ asked
        return sqrt(vector @ vector)

    def _images(self, count: int) -> Array:
        """(count, N) standard normal n-vectors off the left directions."""
        images, asked = self._gaussians(count), self._asked.known
        for image in images:
            self._taken_off(image, asked)
        return images

    def _reveal(self, image: Array, space: int) -> None:
        self._columns.append(self.times(image, self._roots[space] * self._law.noise_scale))
        self._unseen[space] -= 1
        self.spaces.append(space)

    def _chi(self, degrees: int) -> float:
        """The length of a standard normal vector in so many dimensions."""
        return sqrt(self._normals.chisquare(degrees)) if degrees > 0 else 0.0

    def _gaussians(self, count: int) -> Array:
        """(count, N) independent standard normal n-vectors; each adds an axis to the sections that have one left.

        On the axes known before, it has independent normal coordinates. What is left of it in a section is as long as a
        chi variable with the section's remaining degrees of freedom, along a direction that becomes the next axis.
        """
        counts, known = self._counts, self._axes
        added = min(count, max(self._most - known, 0))
        self._axes += added
        out = self._normals.standard_normal((count, self._axes, len(counts)))
        if self._axes > self._fewest:
            out *= np.arange(self._axes)[:, None] < self._law.rows
        for j in range(added):
            out[j, known + j] = [self._chi(n - known - j) for n in counts]
            out[j, known + j + 1 :] = 0.0
        return out.reshape(count, -1)


class GrowingMatrix:
    """A matrix that rows and columns are added to; what was never written is zero."""

    def __init__(self) -> None:
        self._room = np.zeros((24, 120))
        self._shape = (0, 0)

    @property
    def known(self) -> Array:
        """A view of the matrix, good until it next grows."""
        return self._room[: self._shape[0], : self._shape[1]]

    def append(self, row: Array) -> None:
        """Add a row, which may be longer than those before, not shorter."""
        height, width = self._shape[0], len(row)
        room = self._room.shape
        if height == room[0] or width > room[1]:
            larger = np.zeros((max(room[0], 2 * height), max(room[1], 2 * width)))
            larger[:height, : self._shape[1]] = self.known
            self._room = larger
        self._room[height, :width] = row
        self._shape = (height + 1, width)


def padded(vector: Array, size: int) -> Array:
    """The vector with zeros after it, so many numbers in all."""
    longer = np.zeros(size)
    longer[: len(vector)] = vector
    return longer


def _generator(root: np.uint64, replicate: int) -> np.random.Generator:
    """NumPy's generator at the beginning of the stream of this key."""
    words = np.empty(4, np.uint64)
    key(words, root, int(Role.LAZY_NOISE), replicate, 0)
    bits = np.random.SFC64(0)
    bits.state = {**bits.state, "state": {"state": words}}
    return np.random.Generator(bits)


# Least squares and its descent on rows in abstract coordinates: small dense algebra that grows by each query (T18).


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
    """Full-batch descent from `start`; statuses and the relative gradient are those of `solvers.descent`."""
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


# The largest stable step of descent on a lazy sample: a Hessian's top eigenvalue in the directions that it reveals.


EIGENVALUE_TOLERANCE = 1e-6
"""Of the eigenvalue: the residual that ends its iteration, as for dense samples."""

EIGENVALUE_QUERIES = 500
"""Hessian products at most; twenty are common."""


def top_eigenvalue(gradient: Callable[[Array], Array]) -> float:
    """The largest eigenvalue of a positive semidefinite Hessian, given the gradient of its quadratic.

    `gradient(w)` (M,) at w, of at most M entries and zero beyond, is in all coordinates known by then: each may reveal
    some. Lanczos' method with full orthogonalisation, started from the gradient at zero and all coordinates it has.
    """
    offset = gradient(np.zeros(0))
    size = len(offset)
    direction = offset / (norm(offset) or 1.0) + (1.0 + (0.6180339887498949 * np.arange(size)) % 1.0) / size
    direction /= norm(direction)
    directions: list[Array] = []
    images: list[Array] = []
    top = 0.0
    for _ in range(EIGENVALUE_QUERIES):
        image = gradient(direction)
        image -= padded(offset, len(image))
        directions.append(direction)
        images.append(image)
        basis, products = (np.array([padded(v, len(image)) for v in vectors]) for vectors in (directions, images))
        values, vectors = eigh(basis @ products.T)
        top = float(values[-1])
        residual = vectors[:, -1] @ products - top * (vectors[:, -1] @ basis)
        if not norm(residual) > EIGENVALUE_TOLERANCE * top:
            break
        for _ in range(2):  # the rounding of one projection is not small beside a small rest
            residual -= (basis @ residual) @ basis
        direction = residual / norm(residual)
    return top


# The squared loss on a lazy sample, at a cost that depends on neither n nor d, exactly in law.
#
# Why the law is exact (T17, T18). Fits with the squared loss touch the n by d noise Z only through Z'r and Zv. On the
# right, what a new residual r meets on the unexplored right directions is |r_perp| times a chi variable, along a
# direction that may be called the next vector of an abstract basis (Householder dice: Yue M. Lu, arXiv 2101.07464; the
# argument is in `sample`). On the left, our step: rows of a section are exchangeable not only under permutations but,
# as Gaussian vectors, under all rotations that fix the vector 1_b of ones in the section. With the squared loss, and
# one weight c for each section, a residual c (X w - 1) is a combination, section by section, of 1_b, the signal columns
# and the images of right directions. So given the vectors that have appeared, the law of all that follows is invariant
# under rotations, within each section, of the space off those known there, and a section's vectors need coordinates
# only on axes in the order in which they appear. The first axis is 1_b / sqrt(n_b). A standard normal n-vector (a
# signal column before its mean and factor, or the g of an image chi u + (I - UU')g) has independent N(0, 1) coordinates
# on a section's L_b known axes; the rest is as long as a chi variable with n_b - L_b degrees of freedom, in a uniform
# direction independent of the length, which becomes the next axis; there is none once L_b = n_b. Inner products of
# coordinates are those of the n-vectors, so all that T17 does with n-vectors is done with coordinates, its exhaustion
# included.
#
# A head of another sample has a noise direction that is uniform and independent of this sample's. If nothing is known
# yet it is the first right direction; else it has its random share of each known one, and only the rest is a new one.
#
# Cost with K directions revealed in B sections: about K axes a section, 24 B K^2 bytes, O(B K^2) operations a query.


class ExchangeableSample:
    """Rows of a `SectionLaw` for heads of the squared loss whose weights are equal within each section.

    All fits on one sample see the same rows: what one has revealed is known to the next. `root` and `replicate` key the
    random numbers, as they do those of dense samples. Products are by BLAS, on matrices too small to share out: who
    makes many fits holds `single_blas_thread`.
    """

    def __init__(self, law: SectionLaw, root: np.uint64, replicate: int = 0) -> None:
        self._law = law
        self._rows = ExchangeableRows(law, root, replicate)
        self._visitors = Visitors()
        self._identity = object()  # heads name their sample by this, not to keep its arrays alive

    @property
    def directions(self) -> int:
        """Right directions revealed so far, over all eigenspaces."""
        return len(self._rows.spaces)

    def fit(
        self, head: FitOptions, weight: ArrayLike, *, anchor: float = 0.0, start: LazyHead | None = None
    ) -> LazyFit:
        """Fit a head with these weights (B,) of each row of a section; summed over all rows they are one.

        `start` is what a descent starts from and `anchor` pulls to: a head of this sample, or one of an independent
        sample. Statuses and the certificate are those of `solvers.ridge` and `solvers.descent`, the former to a
        relative gradient of 1e-9. Raises ValueError for what takes single rows: other losses, weights that differ
        within a section, minibatches.
        """
        c = np.asarray(weight, dtype=np.float64)
        self._check(head, c, anchor, start)
        status = self._obstacle(head, c, anchor)
        if status is not None:
            nowhere = np.full(len(self._rows.columns), nan)
            return LazyFit(self._head(nowhere), status, nan, 0, self.directions)
        origin = self._coordinates(start)
        bias = self._law.means.shape[1]
        problem = self._problem = LeastSquares(self._rows, c, ridge=head.ridge, anchor=anchor, origin=origin, bias=bias)
        found = ridge(problem) if isinstance(head.solver, str) else descend(problem, head.solver, origin)
        path = tuple(self._head(along) for along in found.path)
        return LazyFit(self._head(found.head), found.status, found.certificate, found.steps, self.directions, path)

    def largest_stable_step(self, head: FitOptions) -> float:
        """The step size at which descent starts to leave the minimum, for the last fit, which took these options."""
        how = recipe(head)
        top = top_eigenvalue(lambda w: look(self._problem, w)[1])
        return float(stability(how.momentum, how.nesterov > 0) / top)

    def _check(self, head: FitOptions, weight: Array, anchor: float, start: LazyHead | None) -> None:
        sections, rows = len(self._law.rows), int(self._law.rows.sum())
        if head.loss != "squared":
            raise ValueError(f"head.loss: {head.loss!r}; rows are exchangeable under rotations for 'squared' alone")
        if weight.shape != (sections,):
            raise ValueError(f"weight: shape {weight.shape}; expected ({sections},), one for all rows of a section")
        batch = None if isinstance(head.solver, str) else head.solver.batch
        if batch is not None and batch < rows:
            raise ValueError(
                f"head.solver.batch: {batch} of {rows} rows; only full batches are lazy, use simulator = 'dense'"
            )
        if anchor > 0.0 and start is None:
            raise ValueError("anchor: needs `start`, the head to pull to")

    def _obstacle(self, head: FitOptions, weight: Array, anchor: float) -> Status | None:
        """Why there is no head, if there is none: the rules of `solvers.ridge` and `solvers.descent`."""
        count = int(self._law.rows[weight > 0.0].sum())
        coordinates = self._law.means.shape[1] + 1 + int(self._law.multiplicities.sum())
        if count == 0:
            return Status.EMPTY
        free = isinstance(head.solver, str) and head.ridge == 0.0 and anchor == 0.0
        return Status.SEPARABLE if free and count < coordinates else None

    def _coordinates(self, head: LazyHead | None) -> Array:
        """(M,) a head in the coordinates of this sample, zero for None."""
        if head is None:
            return np.zeros(len(self._rows.columns))
        if head.sample is self._identity and head.coordinates is not None:
            return padded(head.coordinates, len(self._rows.columns))
        return self._visitors.coordinates(head, len(self._rows.columns), self._rows.enter)

    def _head(self, coordinates: Array) -> LazyHead:
        k = self._law.means.shape[1]
        spaces = np.array(self._rows.spaces[: len(coordinates) - k - 1], dtype=np.int64)
        with np.errstate(over="ignore"):  # of a descent that diverged
            norms = [norm(coordinates[k + 1 :][spaces == space]) for space in range(len(self._law.eigenvalues))]
        return LazyHead(coordinates[:k], float(coordinates[k]), np.array(norms), self._identity, coordinates, spaces)
