"""Choose the solver of a head, and fit one head on given rows: the public entry to the array solvers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import float32, float64, int64, typeof, types, uint64
from numpy.typing import ArrayLike

from ..._arguments import (
    checked_array,
    checked_number,
    checked_seed,
    require_entries,
    require_flag,
    require_type,
    shown,
)
from ..._jit import kernel
from ...experiment import FitOptions, check_anchor, checked_head
from ...model.draws import Role, key, root_key
from ...model.losses import Loss, Status
from ...model.mixture import Array
from ..address import call_by_address
from .descent import descend
from .free_bias import optimal_biases_of
from .interior_point import interior_point
from .newton import minimise
from .ridge import ridge

if TYPE_CHECKING:
    from ..._arguments import Seed
    from ...experiment.schema import FitOptions


# Which solver fits which head, and how the engine reaches it: by address.
#
# An engine that called the solvers outright would take longer to compile than all of them, whichever a plan needs.
# Instead all have one signature, and kernels receive them as first-class functions of it (`address`).


TOLERANCE = 1e-9  # of the relative gradient, or the relative duality gap
ITERATIONS = 500

SOLVERS = (ridge, minimise, interior_point, descend)
RIDGE, NEWTON, INTERIOR_POINT, DESCENT = range(len(SOLVERS))
_EXACT = {
    Loss.SQUARED: RIDGE,
    Loss.LOGISTIC: NEWTON,
    Loss.SQUARED_HINGE: NEWTON,
    Loss.HINGE: INTERIOR_POINT,
    Loss.MAX_MARGIN: INTERIOR_POINT,
}


class Recipe(NamedTuple):
    """A loss and its solver as numbers: five integers, five floats.

    `solver` indexes SOLVERS. Descent reads `steps`, `batch` (0: full batch), `step_size`, `momentum`, `clip` (0: none)
    and `nesterov` (0 or 1); the exact solvers stop at `tolerance` or after `iterations`.
    """

    solver: int
    loss: int
    steps: int = 0
    batch: int = 0
    iterations: int = ITERATIONS
    step_size: float = 0.0
    momentum: float = 0.0
    clip: float = 0.0
    tolerance: float = TOLERANCE
    nesterov: float = 0.0


def recipe(head: FitOptions) -> Recipe:
    """The kernel form of the fitting options."""
    loss = Loss[head.loss.upper()]
    solver = head.solver
    if isinstance(solver, str):
        return Recipe(_EXACT[loss], int(loss))
    return Recipe(
        DESCENT,
        int(loss),
        steps=solver.steps,
        batch=solver.batch or 0,
        step_size=float(solver.step_size),
        momentum=float(solver.momentum),
        nesterov=float(solver.nesterov),
        clip=float(solver.clip or 0.0),
    )


def only(needed: Iterable[int]) -> tuple[Any, ...]:
    """SOLVERS, where one that is needed stands in for those that are not, so that these are never compiled."""
    wanted = set(needed)
    return tuple(SOLVERS[code if code in wanted else min(wanted)] for code in range(len(SOLVERS)))


_VECTOR, _MATRIX = types.Array(float64, 1, "C"), types.Array(float64, 2, "C")
_SOLVER = types.FunctionType(
    types.Tuple((int64, float64, int64))(
        typeof(Recipe(0, 0)),
        _MATRIX,
        *6 * (_VECTOR,),
        types.Array(float32, 2, "C"),
        types.Array(uint64, 1, "C"),
        types.Array(int64, 1, "C"),
        _MATRIX,
    )
)


# That of `robust.fit_worst_case`: a solver, the ascent's step size and the rows' units more than the others.
_WORST_CASE = types.FunctionType(
    types.Tuple((int64, float64, int64))(
        _SOLVER,
        typeof(Recipe(0, 0)),
        float64,
        _MATRIX,
        *2 * (_VECTOR,),
        types.Array(int64, 1, "C"),
        *4 * (_VECTOR,),
        types.Array(float32, 2, "C"),
        types.Array(uint64, 1, "C"),
        types.Array(int64, 1, "C"),
        _MATRIX,
    )
)


def call_with_solvers(kernel: Any, solvers: tuple[Any, ...], worst_case: Any, *arguments: Any) -> None:
    """Run `kernel(*solvers, worst_case, *arguments)` with the solvers as first-class functions."""
    call_by_address(kernel, (*[_SOLVER] * len(solvers), _WORST_CASE), (*solvers, worst_case), *arguments)


# One fit: the public door to the array solvers.
#
# The solvers know nothing of mixtures: a design, labels, weights that sum to one, a penalty and a centre for each
# coordinate. Learned or real features go through the same door.


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
    start: Fit | Sequence[Any] | None = None,
    anchor: float = 0.0,
    seed: Seed = 0,
    raising: bool = True,
) -> Fit:
    """Fit a last layer with a free, unpenalised bias on features (n, p), p >= 1, and labels (n,) of -1 or +1.

    Minimises sum_i c_i l(y_i f(x_i)) + ridge |w|^2 / 2 + anchor |(w, b) - start|^2 / 2 with c = sample_weight
    normalised to sum to one (default equal), by the exact solver of the loss or the descent that `head.solver` asks
    for (T0). In scikit-learn's terms, with mean-one weights: LogisticRegression and LinearSVC at C = 1/(n ridge).

    `start` is the head that a descent starts from and that `anchor` pulls to: a `Fit`, or [weights, bias] with weights
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
    require_entries("labels", y, np.isin(y, (-1.0, 1.0)), "-1 or 1")
    c = np.ones(len(y)) if sample_weight is None else checked_array("sample_weight", sample_weight, y.shape)
    require_entries("sample_weight", c, c >= 0, "at least 0")
    if len(c) and not c.any():
        raise ValueError("sample_weight: all zero; expected a row of positive weight")
    pull = checked_number("anchor", anchor)
    check_anchor("anchor", pull, "`start`, the head to pull to" if start is None else None, head)
    origin = np.zeros(x.shape[1] + 1) if start is None else _origin(start, x.shape[1])
    drawn = checked_seed(seed)
    found = fit_rows(x, y, c, head=head, origin=origin, anchor=pull, seed=drawn)
    if raising and not found.status.ok:
        raise FitError(found.status)
    return found


def _origin(start: Fit | Sequence[Any], p: int) -> Array:
    """(p + 1,) weights and bias of a head given to `fit`."""
    if not isinstance(start, Fit) and not (isinstance(start, list | tuple) and len(start) == 2):
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
