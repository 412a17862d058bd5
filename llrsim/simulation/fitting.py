"""One fit: the public door to the array solvers.

The solvers know nothing of mixtures: a design, labels, weights that sum to one, a penalty and a centre for each
coordinate. Learned or real features go through the same door.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .._jit import kernel
from ..experiment import FitOptions
from ..mixture import Array
from ..status import Status
from ..stream import Role, key, root_key
from .solvers import SOLVERS, recipe


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted head.

    Attributes:
        weights: (p,) w of the logit x.w + b.
        bias: b.
        certificate: exact fits of smooth losses: the larger of |grad F| / |grad F(0)| and an upper bound of the part of
            the objective F above its minimum (weights are known to the root of it, at least); hinge and max margin: the
            relative duality gap; descents: the relative gradient norm.
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
    head: FitOptions,
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

    >>> from llrsim import FitOptions
    >>> found = fit([[2.0], [1.0], [-1.0], [-2.0]], [1, 1, -1, -1], head=FitOptions(loss="squared", ridge=0.0))
    >>> found.weights.round(6).tolist(), round(abs(found.bias), 6), found.status.label
    ([0.6], 0.0, 'converged')
    """
    if not isinstance(head, FitOptions):
        raise TypeError(f"head: {type(head).__name__}; expected FitOptions(loss=..., ridge=..., solver=...)")
    x = np.asarray(features, dtype=np.float64)
    y = np.array(labels, dtype=np.float64)
    if x.ndim != 2 or y.shape != x.shape[:1]:
        raise ValueError(f"features {x.shape} and labels {y.shape}: expected (n, p) and (n,)")
    if not np.isin(y, (-1.0, 1.0)).all():
        raise ValueError("labels: expected -1 or +1 in every row")
    c = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    if c.shape != y.shape or not (c >= 0).all() or not (len(c) == 0 or c.sum() > 0):
        raise ValueError("sample_weight: expected (n,) nonnegative numbers, not all zero")
    if anchor > 0 and start is None:
        raise ValueError("anchor: needs `start`, the head to pull to")
    design = np.ones((len(y), x.shape[1] + 1))
    design[:, :-1] = x
    origin = np.zeros(design.shape[1]) if start is None else np.append(start.weights, start.bias)
    penalty, centre = penalties(head.ridge, anchor, origin)
    w, path = origin.copy(), descent_path(head)
    path_w = np.empty((len(path), len(w)))
    state = np.empty(4, np.uint64)
    key(state, root_key(seed), int(Role.ORDER), 0, 0)
    how = recipe(head)
    single = np.empty(design.shape, np.float32)
    c = c / c.sum() if len(c) else c.copy()
    status, certificate, iterations = SOLVERS[how.solver](
        how, design, y, c, np.zeros_like(c), penalty, centre, w, single, state, path, path_w
    )
    if raising and not Status(status).ok:
        raise FitError(Status(status))
    return Fit(w[:-1], float(w[-1]), float(certificate), int(iterations), Status(status), path_w)


@kernel
def penalties(ridge_strength, anchor, origin):
    """Penalty and centre of each coordinate, bias last: the ridge and the pull to `origin` as one quadratic.

    lam |w|^2 + lam0 |w - w0|^2 is (lam + lam0) |w - lam0 w0 / (lam + lam0)|^2 up to a constant; the bias has no lam.
    """
    p = origin.shape[0]
    penalty, centre = np.empty(p), np.empty(p)
    for j in range(p):
        penalty[j] = anchor if j == p - 1 else ridge_strength + anchor
        centre[j] = anchor * origin[j] / penalty[j] if anchor > 0.0 else 0.0
    return penalty, centre


def descent_path(head: FitOptions) -> np.ndarray:
    """(S,) steps at which a descent records its head; empty for exact solvers."""
    return np.asarray([] if isinstance(head.solver, str) else head.solver.path, dtype=np.int64)
