"""The rows of a sample in abstract coordinates: the design in the directions asked so far, and how it grows (T18).

A vector over the rows has N = A B coordinates: on A axes in each of B sections, axis by axis. A section of n rows has
min(n, A) axes; its other coordinates are zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np

from ...mixture import Array
from ...stream import Role, key
from .law import SectionLaw

TOLERANCE = 1e-12
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
        while TOLERANCE * whole < size < 0.5 * before:  # rounding of the last projection is not small beside the rest
            before, size = size, self._taken_off(rest, asked)
        if not size > TOLERANCE * whole:
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
