"""One fit: the public door to the array solvers.

The solvers know nothing of mixtures: a design, labels, weights that sum to one, a penalty and a centre for each
coordinate. Learned or real features go through the same door.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from .._jit import kernel
from ..arguments import checked_array, checked_number, checked_seed, require_flag, require_type, shown
from ..experiment import FitOptions, check_anchor, checked_head
from ..mixture import Array
from ..status import Status
from ..stream import Role, key, root_key
from .free_bias import optimal_biases_of
from .solvers import SOLVERS, recipe

if TYPE_CHECKING:
    from ..arguments import Seed


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
        bias_interval: the least and the largest optimal bias where the status is BIAS_NOT_UNIQUE, else None.
        seed: that minibatches were drawn by, in [0, 2^64).
    """

    weights: Array
    bias: float
    certificate: float
    iterations: int
    status: Status
    path: Array
    bias_interval: tuple[float, float] | None = None
    seed: int = 0


class FitError(RuntimeError):
    """A fit that has no head to give; `status` says which named outcome it is."""

    def __init__(self, status: Status) -> None:
        super().__init__(status)
        self.status = status

    def __str__(self) -> str:
        argument = _ARGUMENTS.get(self.status)
        return f"{self.status.label}: {argument + ': ' if argument else ''}{self.status.message}"


# The argument of `fit` that is to blame, where it is one.
_ARGUMENTS = {Status.ONE_CLASS: "labels", Status.EMPTY: "features"}


def fit(
    features: ArrayLike,
    labels: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    head: FitOptions,
    start: Fit | tuple[ArrayLike, float] | None = None,
    anchor: float = 0.0,
    seed: Seed = 0,
    raising: bool = True,
) -> Fit:
    """Fit a last layer with a free, unpenalised bias on features (n, p), p >= 1, and labels (n,) of -1 or +1.

    Minimises sum_i c_i l(y_i f(x_i)) + ridge |w|^2 / 2 + anchor |(w, b) - start|^2 / 2 with c = sample_weight
    normalised to sum to one (default equal), by the exact solver of the loss or the descent that `head.solver` asks
    for (T0). In scikit-learn's terms, with mean-one weights: LogisticRegression and LinearSVC at C = 1/(n ridge).

    `start` is the head that a descent starts from and that `anchor` pulls to: a `Fit`, or (weights, bias) with weights
    (p,). `seed` orders minibatches: a whole number in [0, 2^64), or a NumPy Generator or SeedSequence to draw one from.

    Raises:
        FitError: a named outcome without a head, such as rows of one class only; unless `raising` is False.
        ExperimentError: `head` or `anchor` that a file is refused for.
        ValueError: arrays of other shapes, or with entries that are not finite, all weights zero, another seed.
        TypeError: entries that are no real numbers, another type of `head`, `start` or `seed`.

    >>> from llrsim import FitOptions
    >>> found = fit([[2.0], [1.0], [-1.0], [-2.0]], [1, 1, -1, -1], head=FitOptions(loss="squared", ridge=0.0))
    >>> found.weights.round(6).tolist(), round(abs(found.bias), 6), found.status.label
    ([0.6], 0.0, 'converged')
    """
    require_type("head", head, FitOptions, "(loss=..., ridge=..., solver=...)")
    require_flag("raising", raising)
    head = checked_head("head", head)
    x = checked_array("features", features, ("n", "p"))
    if not x.shape[1]:
        raise ValueError(f"features: shape {x.shape}; expected at least one column")
    y = checked_array("labels", labels, x.shape[:1])
    if not np.isin(y, (-1.0, 1.0)).all():
        raise ValueError("labels: expected -1 or +1 in every row")
    c = np.ones(len(y)) if sample_weight is None else checked_array("sample_weight", sample_weight, y.shape)
    if not (c >= 0).all() or not (len(c) == 0 or c.sum() > 0):
        raise ValueError("sample_weight: expected (n,) nonnegative numbers, not all zero")
    pull = checked_number("anchor", anchor)
    check_anchor("anchor", pull, "`start`, the head to pull to" if start is None else None)
    origin = np.zeros(x.shape[1] + 1) if start is None else _origin(start, x.shape[1])
    drawn = checked_seed(seed)
    found = fit_rows(x, y, c, head=head, origin=origin, anchor=pull, seed=drawn)
    if raising and not found.status.ok:
        raise FitError(found.status)
    return found


def _origin(start: Fit | tuple[ArrayLike, float], p: int) -> Array:
    """(p + 1,) weights and bias of a head given to `fit`."""
    if not isinstance(start, Fit) and not (isinstance(start, tuple) and len(start) == 2):
        raise TypeError(f"start: {shown(start)}; expected a Fit or (weights, bias)")
    weights, bias = (start.weights, start.bias) if isinstance(start, Fit) else start
    return np.append(checked_array("start: weights", weights, (p,)), checked_number("start: bias", bias))


def fit_rows(
    features: Array, labels: Array, weight: Array, *, head: FitOptions, origin: Array, anchor: float, seed: int
) -> Fit:
    """Fit a head on arrays that are known to be what `fit` says, from and pulled to `origin` (p + 1,), bias last."""
    design = np.ones((len(labels), features.shape[1] + 1))
    design[:, :-1] = features
    penalty, centre = penalties(head.ridge, anchor, origin)
    w, path = origin.copy(), descent_path(head)
    path_w = np.empty((len(path), len(w)))
    state = np.empty(4, np.uint64)
    key(state, root_key(seed), int(Role.ORDER), 0, 0)
    how = recipe(head)
    single = np.empty(design.shape, np.float32)
    y = np.array(labels, dtype=np.float64, order="C")
    # A view of every other entry has the values and not the layout that kernels read.
    c = np.array(weight, order="C")
    c = c / c.sum() if len(c) else c
    status, certificate, iterations = SOLVERS[how.solver](
        how, design, y, c, np.zeros_like(c), penalty, centre, w, single, state, path, path_w
    )
    interval = optimal_biases_of(design, y, c, w) if status == Status.BIAS_NOT_UNIQUE else None
    return Fit(w[:-1], float(w[-1]), float(certificate), int(iterations), Status(status), path_w, interval, seed)


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
