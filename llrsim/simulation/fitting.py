"""One fit: the solver that belongs to a loss, and the public door to the array solvers.

The solvers know nothing of mixtures: a design, labels, weights that sum to one, a penalty and a centre for each
coordinate. Learned or real features go through the same door.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .._jit import kernel, single_blas_thread
from ..losses import LOGISTIC, SQUARED, SQUARED_HINGE, Loss
from ..mixture import Array
from ..status import EMPTY, Status
from ..stream import Role, key, root_key
from .descent import descend, descend_minibatch
from .interior_point import interior_point
from .ridge import ridge
from .smooth import minimise

if TYPE_CHECKING:
    from ..experiment.schema import Head

TOLERANCE = 1e-9  # of the relative gradient, or the relative duality gap
MAX_ITERATIONS = 500


class Recipe(NamedTuple):
    """A loss and a solver as numbers; `steps` = 0 asks for the exact minimum, `batch` = 0 for full-batch descent."""

    loss: int
    steps: int
    step_size: float
    momentum: float
    clip: float
    batch: int


def recipe(head: Head) -> Recipe:
    """The kernel form of the fitting options."""
    loss = int(Loss[head.loss.upper()])
    solver = head.solver
    if isinstance(solver, str):
        return Recipe(loss, 0, 0.0, 0.0, 0.0, 0)
    return Recipe(loss, solver.steps, solver.step_size, solver.momentum, solver.clip or 0.0, solver.batch or 0)


@kernel
def fit_kernel(recipe, X, y, c, penalty, centre, w, state, path, path_w):
    """Fit w (p,) in place from its start; returns (status, certificate, iterations).

    `state` (uint64[4]) orders minibatches; `path` (S,) and `path_w` (S, p) take the heads along a descent.
    """
    if X.shape[0] == 0:
        return EMPTY, np.nan, 0
    if recipe.steps > 0:
        if recipe.batch > 0:
            return descend_minibatch(
                recipe.loss, X, y, c, penalty, centre, w,
                recipe.steps, recipe.step_size, recipe.momentum, recipe.clip, recipe.batch, state, path, path_w,
            )  # fmt: skip
        return descend(
            recipe.loss, X, y, c, penalty, centre, w,
            recipe.steps, recipe.step_size, recipe.momentum, recipe.clip, path, path_w,
        )  # fmt: skip
    if recipe.loss == SQUARED:
        return ridge(X, y, c, penalty, centre, w)
    if recipe.loss == LOGISTIC or recipe.loss == SQUARED_HINGE:
        return minimise(recipe.loss, X, y, c, penalty, centre, w, TOLERANCE, MAX_ITERATIONS)
    return interior_point(recipe.loss, X, y, c, penalty, centre, w, TOLERANCE, MAX_ITERATIONS)


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted head.

    Attributes:
        weights: (p,) w of the logit x.w + b.
        bias: b.
        certificate: relative gradient norm (smooth losses, descent) or relative duality gap (hinge, max margin).
        iterations: solver iterations, or descent steps.
        status: how it ended.
        path: (S, p + 1) weights and bias after the steps of `head.solver.path`, bias last.
    """

    weights: Array
    bias: float
    certificate: float
    iterations: int
    status: Status
    path: Array


class FitError(RuntimeError):
    """A fit that has no head to give; `status` says which named outcome it is."""

    def __init__(self, status: Status) -> None:
        super().__init__(f"{status.label}: {status.message}")
        self.status = status


def fit(
    features: ArrayLike,
    labels: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    head: Head,
    start: Fit | None = None,
    anchor: float = 0.0,
    seed: int = 0,
    raising: bool = True,
) -> Fit:
    """Fit a last layer with a free, unpenalised bias on features (n, p) and labels (n,) of -1 or +1.

    Minimises sum_i c_i l(y_i f(x_i)) + ridge |w|^2 / 2 + anchor |(w, b) - start|^2 / 2 with c = sample_weight
    normalised to sum to one (default equal), by the exact solver of the loss or the descent that `head.solver` asks
    for (T0). In scikit-learn's terms, with mean-one weights: LogisticRegression and LinearSVC at C = 1/(n ridge).

    `start` is the head that a descent starts from and that `anchor` pulls to. `seed` orders minibatches. Raises
    FitError for a named outcome without a head, unless `raising` is False; ValueError for arrays that do not fit.

    >>> from llrsim.experiment import Head
    >>> found = fit([[2.0], [1.0], [-1.0], [-2.0]], [1, 1, -1, -1], head=Head(loss="squared", ridge=0.0))
    >>> found.weights.round(6).tolist(), round(abs(found.bias), 6), found.status.label
    ([0.6], 0.0, 'converged')
    """
    x = np.asarray(features, dtype=np.float64)
    y = np.asarray(labels, dtype=np.float64)
    if x.ndim != 2 or y.shape != x.shape[:1]:
        raise ValueError(f"features {x.shape} and labels {y.shape}: expected (n, p) and (n,)")
    if not np.isin(y, (-1.0, 1.0)).all():
        raise ValueError("labels: expected -1 or +1 in every row")
    c = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    if c.shape != y.shape or not (c >= 0).all() or not (len(c) == 0 or c.sum() > 0):
        raise ValueError("sample_weight: expected (n,) nonnegative numbers, not all zero")
    if anchor > 0 and start is None:
        raise ValueError("anchor: needs `start`, the head to pull to")
    design = np.column_stack([x, np.ones(len(y))])
    origin = np.zeros(design.shape[1]) if start is None else np.append(start.weights, start.bias)
    penalty, centre = penalties(head.ridge, anchor, origin)
    w, path = origin.copy(), descent_path(head)
    path_w = np.empty((len(path), len(w)))
    state = np.empty(4, np.uint64)
    key(state, root_key(seed), int(Role.ORDER), 0, 0)
    with single_blas_thread():
        status, certificate, iterations = fit_kernel(
            recipe(head), design, y, c / c.sum() if len(c) else c, penalty, centre, w, state, path, path_w
        )
    if raising and not Status(status).ok:
        raise FitError(Status(status))
    return Fit(w[:-1], float(w[-1]), float(certificate), int(iterations), Status(status), path_w)


@kernel
def penalties(ridge_strength, anchor, origin):
    """Penalty and centre of each coordinate, bias last: the ridge and the pull to `origin` as one quadratic.

    lam |w|^2 + lam0 |w - w0|^2 is (lam + lam0) |w - lam0 w0 / (lam + lam0)|^2 up to a constant; the bias has no lam.
    """
    penalty = np.full(origin.shape[0], ridge_strength + anchor)
    penalty[-1] = anchor
    centre = np.zeros(origin.shape[0])
    if anchor > 0.0:
        for j in range(origin.shape[0]):
            centre[j] = anchor * origin[j] / penalty[j]
    return penalty, centre


def descent_path(head: Head) -> np.ndarray:
    """(S,) steps at which a descent records its head; empty for exact solvers."""
    return np.asarray([] if isinstance(head.solver, str) else head.solver.path, dtype=np.int64)
