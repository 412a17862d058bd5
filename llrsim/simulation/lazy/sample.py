"""A lazy sample: rows whose noise is drawn as fits ask for it, exactly in law at finite n and d.

Why the law is exact (T17; Yue M. Lu, arXiv 2101.07464, calls it Householder dice; conditioning of this kind goes back
to Bolthausen). Let Z be n by d with independent standard normal entries, and let a method ask, one after the other and
as it likes, for Z'r and Zv with v in the span of earlier answers. Given all answers so far, Z is known on the left
directions asked, U, and on the right directions that the answers span; on the orthogonal complements it is a fresh
Gaussian matrix, independent of everything that the next query depends on. So Z'r for a new r is what is known of it
plus |r_perp| times a vector of independent normals in the unexplored right directions: its length is |r_perp| times a
chi variable with d - R degrees of freedom, its direction uniform and independent of the length. The law of Z does not
change under rotations of the unexplored right directions, and nothing else looks at single coordinates of z, so the new
direction can be *called* the next vector of a basis that is never written down. Its image is then chi u_new + (I -
UU')g with g a fresh normal n-vector. Queries may depend on all answers before them, so this holds for any method of
first order.

Cost with K directions revealed and k signal coordinates: 12 K n bytes, and (20 K + 8 k + 84) n bytes moved by a step
of descent, whatever d is: columns are read for 20 K (`rows`), the rest are the rows' own vectors and the new columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.linalg import norm

from ...model.descent import stability
from ...model.draws import Role
from ...model.losses import Loss, Status, top_curvature
from ...model.mixture import Array
from ..memory import lazy_shortage
from ..solvers import DESCENT, INTERIOR_POINT, RIDGE, Recipe, descent_path, recipe
from .exchangeable import padded, top_eigenvalue
from .fits import STEPS, descend, margins, minimise
from .noise import (
    CENTRE,
    FIRST_ROOM,
    GRADIENT,
    HEAD,
    IMAGE,
    MULTIPLIER,
    PATH,
    PENALTY,
    RIGHT,
    SPACE,
    USED,
    VELOCITY,
    WEIGHT,
    LazyFit,
    LazyHead,
    SectionLaw,
    Visitors,
    nothing_revealed,
    with_more_room,
    with_path,
)
from .query import DONE, HIGH_BIAS, LOW_BIAS, REFERENCE, ROOM, admit, aim, draw_signal, look_once
from .rows import ENTER, STEP, drive, sweeping
from .support import INSTEAD

if TYPE_CHECKING:
    from ...experiment import FitOptions


class LazySample:
    """Rows of a `SectionLaw` whose noise is revealed as heads are fitted on them.

    All fits on one sample see the same rows: what one has revealed is known to the next. `root` and `replicate` key the
    random numbers, as they do those of dense samples. A pool shares rows out over its threads; no number depends on it.
    """

    def __init__(
        self, law: SectionLaw, root: np.uint64, replicate: int = 0, *, pool: ThreadPoolExecutor | None = None
    ) -> None:
        self._law, self._pool = law, pool
        self._state = nothing_revealed(law, root, replicate, FIRST_ROOM)
        self._visitors = Visitors()
        self._words = [int(root), replicate, Role.LAZY_LENGTH << 32]
        self._identity = object()  # heads name their sample by this, not to keep its arrays alive
        draw_signal(np.cumsum(law.rows), law.labels, law.means, law.factors, self._state)

    def fit(self, head: FitOptions, weight: Array, *, anchor: float = 0.0, start: LazyHead | None = None) -> LazyFit:
        """Fit a head with these weights (B,) of each row of a section, or (n,) of each row, that sum to one over rows.

        `start` is what a descent starts from and `anchor` pulls to: a head of this sample, or one that is independent
        of it, whose noise direction then is a right direction of its own.
        """
        how, path = recipe(head), descent_path(head)
        rows = np.repeat(weight, self._law.rows) if len(weight) == len(self._law.rows) else np.asarray(weight)
        self._state.rows[WEIGHT] = rows
        origin = self._coordinates(start)
        ridge = head.ridge
        if how.loss == Loss.HINGE and how.solver == INTERIOR_POINT and not ridge + anchor > 0:
            raise ValueError(f"head.ridge: 0 with the exact hinge loss and no anchor; {INSTEAD}")
        if how.loss == Loss.MAX_MARGIN:
            # Its head depends neither on the weights nor on the penalty's size.
            self._state.rows[WEIGHT] = np.where(rows > 0, 1.0, 0.0) / max(1, np.count_nonzero(rows))
            ridge, anchor = (ridge / (ridge + anchor), anchor / (ridge + anchor)) if anchor else (1.0, 0.0)
        self._penalise(ridge, anchor, origin)
        status = self._obstacle(how)
        if status is not None:
            return LazyFit(self._head(np.full(self._state.vectors.shape[1], nan)), status, nan, 0, self.directions)
        self._state = with_path(self._state, len(path))
        progress = np.array([0.0, 0.0, nan, nan, nan, nan, nan])
        if origin.any() and how.solver != INTERIOR_POINT:
            self._state.vectors[HEAD] = 0.0
            progress[REFERENCE] = self._drive(look_once, how, 0.0) or 1.0
        self._state.vectors[VELOCITY] = self._state.vectors[HEAD] = 0.0
        self._state.vectors[HEAD, : len(origin)] = origin
        if how.solver == DESCENT:
            code, certificate = self._drive(descend, how, path, progress)
        elif how.solver == INTERIOR_POINT:
            self._state.rows[MULTIPLIER] = 0.0
            code, certificate = self._drive(margins, how._replace(iterations=STEPS), progress)
        else:
            code, certificate = self._drive(minimise, how, 0.0, progress)
        vectors = self._state.vectors
        return LazyFit(
            self._head(vectors[HEAD]),
            Status(code),
            certificate,
            int(progress[DONE]),
            self.directions,
            tuple(map(self._head, vectors[PATH:])),
            bias_interval=(progress[LOW_BIAS], progress[HIGH_BIAS]) if code == Status.BIAS_NOT_UNIQUE else None,
        )

    def largest_stable_step(self, head: FitOptions) -> float:
        """The step size at which descent starts to leave the minimum, for the last fit, which took these options.

        As of dense samples: for the largest curvature of the loss; nan for the hinge.
        """
        how = recipe(head)
        if how.loss == Loss.HINGE:
            return nan
        vectors, curvature = self._state.vectors, top_curvature(how.loss)
        vectors[CENTRE], vectors[PENALTY] = 0.0, vectors[PENALTY] / curvature

        def gradient(w: Array) -> Array:
            self._state.vectors[HEAD] = padded(w, self._state.vectors.shape[1])
            self._drive(look_once, how._replace(loss=int(Loss.SQUARED)), 0.0)
            found: Array = self._state.vectors[GRADIENT, : len(self._state.signal) + self.directions].copy()
            return found

        return float(stability(how.momentum, how.nesterov > 0) / (curvature * top_eigenvalue(gradient)))

    def average(self, fits: Sequence[LazyFit]) -> LazyFit:
        """The mean of heads fitted on this sample; the first that has no head stands for all."""
        failed = [fit for fit in fits if not fit.status.ok]
        if failed or len(fits) == 1:
            return (failed or fits)[0]
        status = Status.of_all(fit.status for fit in fits)
        ends = np.mean([fit.bias_interval or (fit.head.bias, fit.head.bias) for fit in fits], axis=0)
        return LazyFit(
            self._mean([fit.head for fit in fits]),
            status,
            max(fit.certificate for fit in fits),
            sum(fit.iterations for fit in fits),
            self.directions,
            tuple(self._mean(heads) for heads in zip(*(fit.path for fit in fits), strict=True)),
            bias_interval=tuple(ends) if status is Status.BIAS_NOT_UNIQUE else None,
        )

    def _mean(self, heads: Sequence[LazyHead]) -> LazyHead:
        total = np.zeros(self._state.vectors.shape[1])
        for head in heads:
            known = self._coordinates(head)
            total[: len(known)] += known / len(heads)
        return self._head(total)

    @property
    def sections(self) -> np.ndarray:
        """(B,) rows of each section."""
        return self._law.rows

    @property
    def directions(self) -> int:
        """Right directions revealed so far, over all eigenspaces."""
        return int(self._state.known[RIGHT])

    @property
    def _spaces(self) -> np.ndarray:
        """(R,) eigenspace of each direction."""
        return self._state.known[SPACE : SPACE + self.directions]

    def score(self, head: LazyHead) -> Array:
        """(n,) logit f of a head at every row, bias included: of this sample's, or of one that is independent of it."""
        vector = np.zeros(self._state.vectors.shape[1])
        known = self._coordinates(head)
        vector[: len(known)] = known
        aim(self._state, vector)
        self._sweep(STEP)
        return np.repeat(self._law.labels, self._law.rows) * self._state.rows[IMAGE]

    def _drive(self, driver: Any, how: Recipe, *arguments: Any) -> Any:
        """Run a driver to its end, with larger arrays whenever it asks for them."""
        while True:
            found = drive(driver, how, self._state, *arguments, pool=self._pool)
            if (found if isinstance(found, float) else found[0]) != ROOM:
                return found
            self._grow()

    def _grow(self) -> None:
        room = 2 * len(self._state.fresh)
        if (lacking := lazy_shortage(self._state.rows.shape[1], room, 1)) is not None:
            raise MemoryError(lacking)
        self._state = with_more_room(self._state)

    def _sweep(self, task: int) -> None:
        sweeping(self._pool)(task, int(Loss.SQUARED), 0.0, 0.0, self._state)

    def _coordinates(self, head: LazyHead | None) -> Array:
        """(k + 1 + R,) a head in the directions of this sample; none for None."""
        if head is None:
            return np.zeros(0)
        if head.sample is self._identity and head.coordinates is not None:
            return head.coordinates
        return self._visitors.coordinates(head, len(self._state.signal) + self.directions, self._enter)

    @cached_property
    def _normals(self) -> np.random.Generator:
        return np.random.Generator(np.random.SFC64(self._words))

    def _enter(self, space: int, apart: list[Array]) -> Array:
        """(k + 1 + R,) a random unit vector of an eigenspace, orthogonal to those of `apart`.

        Its part outside of the right directions known is a right direction that enters by itself.
        """
        R, k = self.directions, len(self._state.signal)
        direction = np.zeros(k + R)
        inside = k + np.flatnonzero(self._spaces == space)
        direction[inside] = self._normals.standard_normal(len(inside))
        for other in apart:
            direction[: len(other)] -= (direction[: len(other)] @ other) * other
        unseen = self._law.multiplicities[space] - self._state.spaces[USED, space]
        if unseen > 0:
            if len(self._state.fresh) == R:
                self._grow()
            self._sweep(ENTER)
            admit(self._state, space)
            direction = np.append(direction, np.sqrt(self._normals.chisquare(unseen)))
        unit: Array = direction / norm(direction)
        return unit

    def _penalise(self, ridge: float, anchor: float, origin: Array) -> None:
        penalty, centre = self._state.vectors[PENALTY], self._state.vectors[CENTRE]
        penalty[:] = ridge + anchor
        penalty[len(self._state.signal) - 1] = anchor
        centre[:] = 0.0
        if anchor > 0.0:
            centre[: len(origin)] = anchor * origin / penalty[: len(origin)]

    def _obstacle(self, how: Recipe) -> Status | None:
        """Why there is nothing to fit, in the words of the dense solvers."""
        state = self._state
        counted, penalty = state.rows[WEIGHT] > 0.0, state.vectors[PENALTY]
        labels = state.signal[-1, counted]
        if not labels.size:
            return Status.EMPTY
        free = not penalty.any()
        columns = len(state.signal) + int(self._law.multiplicities.sum())
        if how.solver == RIDGE and free and labels.size < columns:
            return Status.SEPARABLE
        one = (labels == labels[0]).all()
        diverges = how.loss == Loss.LOGISTIC or how.solver == INTERIOR_POINT
        return Status.ONE_CLASS if one and diverges and penalty[len(state.signal) - 1] == 0 else None

    def _head(self, coordinates: Array) -> LazyHead:
        k, R, spaces = len(self._state.signal) - 1, self.directions, self._spaces
        noise = np.bincount(spaces, coordinates[k + 1 : k + 1 + R] ** 2, self._state.spaces.shape[1])
        known = coordinates[: k + 1 + R].copy()
        return LazyHead(known[:k], float(known[k]), np.sqrt(noise), self._identity, known, spaces.copy())
