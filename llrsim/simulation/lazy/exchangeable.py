"""The squared loss on a lazy sample, at a cost that depends on neither n nor d, exactly in law.

Why the law is exact (T17, T18). Fits with the squared loss touch the n by d noise Z only through Z'r and Zv. On the
right, what a new residual r meets on the unexplored right directions is |r_perp| times a chi variable, along a
direction that may be called the next vector of an abstract basis (Householder dice: Yue M. Lu, arXiv 2101.07464; the
argument is in `sample`). On the left, our step: rows of a section are exchangeable not only under permutations but,
as Gaussian vectors, under all rotations that fix the vector 1_b of ones in the section. With the squared loss, and
one weight c for each section, a residual c (X w - 1) is a combination, section by section, of 1_b, the signal columns
and the images of right directions. So given the vectors that have appeared, the law of all that follows is invariant
under rotations, within each section, of the space off those known there, and a section's vectors need coordinates
only on axes in the order in which they appear. The first axis is 1_b / sqrt(n_b). A standard normal n-vector (a
signal column before its mean and factor, or the g of an image chi u + (I - UU')g) has independent N(0, 1) coordinates
on a section's L_b known axes; the rest is as long as a chi variable with n_b - L_b degrees of freedom, in a uniform
direction independent of the length, which becomes the next axis; there is none once L_b = n_b. Inner products of
coordinates are those of the n-vectors, so all that T17 does with n-vectors is done with coordinates, its exhaustion
included.

A head of another sample has a noise direction that is uniform and independent of this sample's. If nothing is known yet
it is the first right direction; else it has its random share of each known one, and only the rest is a new one.

Cost with K directions revealed in B sections: about K axes a section, 24 B K^2 bytes, O(B K^2) operations a query.
"""

from __future__ import annotations

from math import nan

import numpy as np
from numpy.linalg import norm
from numpy.typing import ArrayLike

from ...descent_rule import stability
from ...experiment import FitOptions
from ...mixture import Array
from ...status import Status
from ..solvers import recipe
from .exchangeable_fits import LeastSquares, descend, look, ridge
from .exchangeable_rows import ExchangeableRows, padded
from .law import LazyFit, LazyHead, SectionLaw
from .stability import top_eigenvalue
from .visitors import Visitors


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
        sample. Statuses and the certificate are those of `simulation.ridge` and `simulation.descent`, the former to a
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
        """Why there is no head, if there is none: the rules of `simulation.ridge` and `simulation.descent`."""
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
