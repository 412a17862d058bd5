"""Predict heads in the population limit, n -> infinity at fixed d (T1-T3, T5, T7, and T14 at delta = 0)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linprog

from .._jit import kernel
from ..model.descent import ceiling, clipping, move, stability
from ..model.head import Head
from ..model.losses import Loss, Status, top_curvature
from ..model.mixture import Array, GroupMixture
from ..model.plan import Plan, Stage
from ..outcome import MethodOutcome, Path, bias_intervals
from .formulas import ROUNDING, least_squares
from .free_bias import BENT, nearest_to_zero, optimal_biases
from .objective import PopulationObjective, expand

if TYPE_CHECKING:
    from ..experiment.schema import Descent


# Exact population heads: closed form for the squared loss, safeguarded Newton for the others (T2).


TOLERANCE = 1e-11  # of the gradient, relative to `gradient_scale`
STEP_TOLERANCE = 1e-10  # of a Newton step, relative to the head: convergence is quadratic, so what follows is rounding
MAX_ITERATIONS = 60
UNDERFLOW = 1e-12  # an unpenalised expected loss below it is separation, to working precision
SHORTEST = 1e-30  # part of a Newton step that is given up on; steps from where F is nearly linear are far too long
TINY = 1e-300
SPREADS = 40.0  # standard deviations beyond which a margin has no mass
CONTINUATION = 4.0  # factor by which the smoothing falls from solve to solve where a direct solve fails


class Minimum(NamedTuple):
    """A population head (k + 1,), bias last; its gradient relative to `gradient_scale`; Newton steps; status.

    The head of a status that has none (`Status.ok`) is nan, or where Newton stopped. `bias_interval` holds the least
    and the largest optimal bias where the status is BIAS_NOT_UNIQUE; else None.
    """

    theta: Array
    certificate: float
    iterations: int
    status: Status
    bias_interval: tuple[float, float] | None = None


def minimise(objective: PopulationObjective) -> Minimum:
    """The minimiser of F, or the named reason why there is none.

    EMPTY: no group has mass. NO_PREDICTION: max margin; Gaussian tails overlap, so that a hard margin exists in the
    proportional limit but never as n -> infinity at fixed d. ONE_CLASS: logistic or hinge loss with one label and a
    bias nothing holds. SEPARABLE: nothing is penalised and collapsed groups can be separated, or separation is perfect
    to working precision. NOT_CONVERGED: Newton stopped early. BIAS_NOT_UNIQUE, with a head: the hinge's slope in the
    bias is rounding over an interval, of which the point nearest to 0 is taken. The squared loss always has its head,
    of least norm where several are optimal.
    """
    nowhere = np.full(len(objective.centre), np.nan)
    obstacle = _obstacle(objective)
    if obstacle is not Status.CONVERGED:
        return Minimum(nowhere, np.nan, 0, obstacle)
    start = least_squares(objective)
    reference = objective.gradient_scale
    if objective.loss == Loss.SQUARED:
        size = float(np.linalg.norm(objective.gradient(start)))
        return Minimum(start, size / reference, 1, Status.CONVERGED)
    with np.errstate(over="ignore", invalid="ignore"):  # a step that ran off lowers nothing and is cut
        found = _newton(objective, start, reference, TOLERANCE)
        if found.status is Status.NOT_CONVERGED and objective.smoothing > 0.0:
            found = _continue(objective, start, reference)
    if not objective.penalised and objective.value(found.theta) < UNDERFLOW:
        return found._replace(theta=nowhere, status=Status.SEPARABLE)
    return _settled(objective, found)


def _settled(objective: PopulationObjective, found: Minimum) -> Minimum:
    """The minimum with its bias nearest to 0 where an interval of biases is optimal."""
    if objective.loss != Loss.HINGE or objective.anchor > 0.0 or found.status is not Status.CONVERGED:
        return found
    theta = found.theta.copy()
    positive = objective._replace(mass=np.where(objective.labels > 0, objective.mass, 0.0))
    pulls = 2.0 * abs(float(positive.gradient(theta)[-1]))
    if not objective.expand(theta)[2][-1, -1] <= BENT * pulls:
        return found

    def slope(bias: float) -> float:
        theta[-1] = bias
        return float(objective.gradient(theta)[-1])

    u = theta[:-1]
    sizes = np.abs(objective.margins[:, :-1] @ u) + SPREADS * np.sqrt(u @ objective.covariances[:, :-1, :-1] @ u)
    interval = optimal_biases(slope, pulls, 1.0 + float(sizes.max()))
    if interval is None:
        return found
    theta[-1] = nearest_to_zero(interval)
    return found._replace(theta=theta, status=Status.BIAS_NOT_UNIQUE, bias_interval=interval)


def _obstacle(objective: PopulationObjective) -> Status:
    """CONVERGED, or why there is nothing to minimise."""
    if objective.mass.size == 0:
        return Status.EMPTY
    if objective.loss == Loss.MAX_MARGIN:
        return Status.NO_PREDICTION
    if objective.loss == Loss.SQUARED:
        return Status.CONVERGED
    one_class = np.ptp(objective.labels) == 0.0
    if one_class and objective.anchor == 0.0 and objective.loss != Loss.SQUARED_HINGE:
        return Status.ONE_CLASS
    if not objective.penalised and _recedes(objective):
        return Status.SEPARABLE
    return Status.CONVERGED


def _recedes(objective: PopulationObjective) -> bool:
    """Whether some direction raises mean margins, lowers none and adds no spread: then no minimum is unique.

    Such directions lie in the common null space of the covariances, which always holds the bias and, where features
    are fully collapsed, more. A linear program looks for one.
    """
    eigenvalues, vectors = np.linalg.eigh(objective.within)
    flat = vectors[:, eigenvalues <= ROUNDING * eigenvalues[-1]]
    if flat.shape[1] == 1:  # the bias alone, which raises one class and lowers the other
        return False
    rise = objective.margins @ flat
    groups = len(rise)
    # Variables: the direction, then capped rises 0 <= r_g <= (rise @ direction)_g, of which the sum is largest.
    outcome = linprog(
        np.append(np.zeros(flat.shape[1]), -np.ones(groups)),
        A_ub=np.column_stack([-rise, np.eye(groups)]),
        b_ub=np.zeros(groups),
        bounds=[(None, None)] * flat.shape[1] + [(0.0, 1.0)] * groups,
    )
    return bool(-outcome.fun > 0.5)


def _newton(objective: PopulationObjective, start: Array, reference: float, tolerance: float) -> Minimum:
    """Newton's method from `start` until gradient and step are small, steps quartered until they lower F (Armijo)."""
    theta = start
    value, gradient, hessian = objective.expand(theta)
    for iteration in range(MAX_ITERATIONS + 1):
        size = sqrt(gradient @ gradient) / reference
        # Directions in which nothing varies have zero gradient and curvature: this keeps them where they are.
        hessian.flat[:: len(theta) + 1] += ROUNDING * hessian.trace() + TINY
        step = -np.linalg.solve(hessian, gradient)
        if size <= tolerance and step @ step <= STEP_TOLERANCE**2 * (theta @ theta):
            return Minimum(theta, size, iteration, Status.CONVERGED)
        length, decrease, rounding = 1.0, gradient @ step, 1e-13 * abs(value)
        while length >= SHORTEST:
            ahead = objective.expand(theta + length * step)
            if ahead[0] <= value + 1e-4 * length * decrease + rounding:
                break
            length *= 0.25
        else:
            break
        theta = theta + length * step
        value, gradient, hessian = ahead
    return Minimum(theta, size, iteration, Status.NOT_CONVERGED)


def _continue(objective: PopulationObjective, start: Array, reference: float) -> Minimum:
    """Follow the minimiser from a smoothing of one down to the objective's own.

    Where groups are points, the hinge problem is piecewise linear and the minimiser moves linearly in a small
    smoothing: each start is on the line through the last two solutions. Margins are known to rounding only, so at a
    kink of the hinge, of width `smoothing`, the gradient is too; the head is right to the smoothing all the same.
    """
    theta, velocity = start, np.zeros_like(start)
    smoothing, iterations = 1.0, 0
    while True:
        smoothing = max(smoothing, objective.smoothing)
        smoothed = objective._replace(smoothing=smoothing)
        known = ROUNDING / smoothing if objective.loss == Loss.HINGE else 0.0
        found = _newton(smoothed, theta + velocity, reference, max(TOLERANCE, known))
        iterations += found.iterations
        if smoothing == objective.smoothing:
            return found._replace(iterations=iterations)
        # From s to s/4 the line goes on for a quarter of the way it came, from 4s to s.
        theta, velocity = found.theta, (found.theta - theta) / CONTINUATION
        smoothing /= CONTINUATION


# Gradient descent in the population limit: a deterministic recursion on (u, b) (T14 at delta = 0).
#
# From a head without noise weights none appear, so the recursion lives in k + 1 dimensions. Its steps are those of
# `llrsim.model.descent`, which samples are descended by too. On least squares it is linear, theta_T = theta_0 +
# phi_T(H) g_0 with H the Hessian and g_0 minus the first gradient, which is evaluated without iterating.


def descent_filter(eigenvalues: ArrayLike, steps: int, step_size: float, momentum: float = 0.0) -> Array:
    """phi_T(z) of T14 for each eigenvalue z: what T steps make of a unit gradient that falls by z a unit of way.

    Without momentum it is (1 - (1 - eta z)^T) / z, and eta T at z = 0. Computed as a power of the 3 x 3 matrix that
    carries (position, last position, 1), so that neither z = 0 nor momentum needs a case of its own.

    >>> descent_filter([0.0, 0.5, 1.0], steps=2, step_size=1.0).tolist()
    [2.0, 1.5, 1.0]
    """
    z = np.asarray(eigenvalues, dtype=np.float64)
    once = np.zeros((len(z), 3, 3))
    once[:, 0, 0] = 1.0 + momentum - step_size * z
    once[:, 0, 1] = -momentum
    once[:, 0, 2] = step_size
    once[:, 1, 0] = once[:, 2, 2] = 1.0
    with np.errstate(over="ignore", invalid="ignore"):  # an unstable step runs off, and the caller sees it
        return np.linalg.matrix_power(once, steps)[:, 0, 2]


def flow_filter(eigenvalues: ArrayLike, time: float) -> Array:
    """(1 - e^{-tz}) / z of gradient flow (T14), the limit of `descent_filter` at steps = t / step_size; t at z = 0.

    >>> flow_filter([0.0, 1.0], 2.0).round(6).tolist()
    [2.0, 0.864665]
    """
    z = np.asarray(eigenvalues, dtype=np.float64)
    return np.divide(-np.expm1(-time * z), z, out=np.full_like(z, time), where=z > 0)


def gradient_flow(objective: PopulationObjective, time: float, start: ArrayLike | None = None) -> Array:
    """(k + 1,) head (u, b) of gradient flow d theta/dt = -grad F on least squares at `time` >= 0 (T14 at delta = 0).

        theta(t) = theta_0 - (1 - e^{-tH}) H^-1 grad F(theta_0),

    with H the Hessian, whatever loss `objective` has; t in place of (1 - e^{-tz})/z where an eigenvalue z is 0. `start`
    (k + 1,) is theta_0, by default zero. Elementary; as t -> infinity it is `least_squares`.

    >>> from llrsim.model.mixture import GroupMixture
    >>> toy = GroupMixture.of(means=[[-1.0], [-1.0], [1.0], [1.0]], covariances=[[1.0]], noise_dim=9)
    >>> squared = PopulationObjective.of(toy, toy.proportions, Loss.SQUARED)
    >>> [gradient_flow(squared, time)[0].round(6).tolist() for time in (0.0, 0.5, 100.0)]
    [0.0, 0.31606, 0.5]
    """
    theta = np.zeros_like(objective.centre) if start is None else np.asarray(start, dtype=np.float64)
    eigenvalues, vectors = np.linalg.eigh(objective.curvature(1.0))
    return theta - vectors @ (flow_filter(eigenvalues, time) * (vectors.T @ objective.gradient(theta)))


def descend(
    objective: PopulationObjective,
    start: ArrayLike,
    at: Sequence[int],
    *,
    step_size: float,
    momentum: float = 0.0,
    nesterov: bool = False,
    clip: float | None = None,
) -> Array:
    """(len(at), k + 1) heads after the sorted step counts `at` of descent from `start` (k + 1,), bias last.

    Any loss but MAX_MARGIN; the hinge's subgradient becomes a gradient under the expectation. Rows that overflow are
    inf or nan.
    """
    theta = np.array(start, dtype=np.float64)
    points = np.empty((len(at), len(theta)))
    if objective.loss != Loss.SQUARED or clip is not None or nesterov:
        room = np.empty_like(theta), np.empty((len(theta), len(theta)))
        steps_at, step = np.asarray(at, dtype=np.int64), np.zeros_like(theta)
        _iterate(objective, theta, step, steps_at, step_size, momentum, float(nesterov), clip or 0.0, points, *room)
        return points
    eigenvalues, vectors = np.linalg.eigh(objective.curvature(1.0))
    force = vectors.T @ objective.gradient(theta)
    with np.errstate(over="ignore", invalid="ignore"):  # an unstable step runs off, and the caller sees it
        for point, steps in zip(points, at, strict=True):
            point[:] = theta - vectors @ (descent_filter(eigenvalues, steps, step_size, momentum) * force)
    return points


def largest_stable_step(objective: PopulationObjective, momentum: float = 0.0, nesterov: bool = False) -> float:
    """`descent_rule.stability` / L with L a bound on the curvature of F, exact for the squared loss.

    L covers the noise coordinates too: their weights stay zero here, but from a finite sample an unstable step
    amplifies them. nan for HINGE, as in a sample, where its subgradient does not shrink at the minimum; inf where
    neither features nor penalties give F any curvature.

    >>> from llrsim.model.mixture import GroupMixture
    >>> toy = GroupMixture.of(means=[[-1.0], [-1.0], [1.0], [1.0]], covariances=[[1.0]], noise_dim=9)
    >>> round(largest_stable_step(PopulationObjective.of(toy, toy.proportions, Loss.SQUARED)), 6)
    1.0
    """
    if objective.loss == Loss.HINGE:
        return np.nan
    curvature = top_curvature(objective.loss)
    signal = float(np.linalg.eigvalsh(objective.curvature(curvature))[-1])
    top = max(signal, curvature * objective.noise + objective.penalty[0] + objective.anchor)
    return stability(momentum, nesterov) / top if top > 0 else np.inf


@kernel
def _iterate(objective, theta, step, at, step_size, momentum, nesterov, clip, points, gradient, hessian):
    """Write the heads after `at` (S,) sorted numbers of steps from `theta` (p,) into `points` (S, p).

    `clip` is 0 for none; `step` (p,) starts at zero; `gradient` and `hessian` are room to work in.
    """
    recorded = 0
    for done in range(at[at.size - 1] + 1):
        while recorded < at.size and at[recorded] == done:
            for i in range(theta.size):
                points[recorded, i] = theta[i]
            recorded += 1
        expand(objective, theta, gradient, hessian)
        square = 0.0
        for i in range(theta.size):
            square += gradient[i] * gradient[i]
        move(theta, step, gradient, step_size * clipping(sqrt(square), clip), momentum, nesterov)


# A stage's head in the population limit, n -> infinity at fixed d (T1-T3, T5, T7, and T14 at delta = 0).
#
# Methods enter by their masses p_g alone: weights, subsets, repeats, subset averages and wrong annotations (T3) change
# nothing else. The sample's law may be collapsed while heads are read out on another law (T7).


ON_NETWORK = "there is no closed-form prediction of features that a network makes; simulate the experiment"
"""Why heads on such features have none, in any limit."""


def predict_stage(plan: Plan, stage: Stage, start: MethodOutcome | None) -> MethodOutcome:
    """The outcome of one stage, given that of the stage it starts from.

    A stage whose start has no head shares its status. Minibatch descent has no population limit (NO_PREDICTION):
    its noise stays as n grows. Weights made by a rule and adjusted logits are predicted in the proportional limit only,
    and heads on the features of a network not at all.
    """
    if plan.network is not None:
        return replace(_without_head(plan.test, stage, Status.NO_PREDICTION), reason=ON_NETWORK)
    if stage.reweighting is not None or stage.adjustment is not None:
        return _without_head(plan.test, stage, Status.NO_PREDICTION)
    if start is not None and not start.outcome.ok:
        return _without_head(plan.test, stage, start.outcome)
    centre = None if start is None else np.append(start.heads.signal[0], start.heads.bias[0])
    objective = PopulationObjective.of(
        plan.samples[stage.sample].mixture,
        stage.selection.mass,
        Loss[stage.head.loss.upper()],
        ridge=stage.head.ridge,
        anchor=stage.anchor,
        centre=centre,
    )
    if isinstance(stage.head.solver, str):
        found = minimise(objective)
        if not found.status.ok:
            return _without_head(plan.test, stage, found.status)
        outcome = _outcome(plan.test, stage, found.theta, found.status, found.certificate, found.iterations)
        return replace(outcome, bias_interval=bias_intervals([found.bias_interval]))
    if objective.mass.size == 0:
        return _without_head(plan.test, stage, Status.EMPTY)
    if objective.loss == Loss.MAX_MARGIN or stage.head.solver.batch is not None:
        return _without_head(plan.test, stage, Status.NO_PREDICTION)
    return _descended(plan.test, stage, objective, stage.head.solver)


def _descended(test: GroupMixture, stage: Stage, objective: PopulationObjective, solver: Descent) -> MethodOutcome:
    start = objective.centre
    points = descend(
        objective,
        start,
        (*solver.path, solver.steps),
        step_size=solver.step_size,
        momentum=solver.momentum,
        nesterov=solver.nesterov,
        clip=solver.clip,
    )
    theta = points[-1]
    with np.errstate(over="ignore", invalid="ignore"):
        if not objective.value(theta) <= ceiling(objective.value(start)):
            stable = largest_stable_step(objective, solver.momentum, solver.nesterov)
            return _without_head(test, stage, Status.DIVERGED, largest_stable_step=stable)
    certificate = float(np.linalg.norm(objective.gradient(theta))) / objective.gradient_scale
    path = Path(np.asarray(solver.path), _heads(points[None, :-1])) if solver.path else None
    return _outcome(test, stage, theta, Status.FINISHED, certificate, solver.steps, path)


def _heads(theta: Array) -> Head:
    """Heads (..., k + 1), bias last, without noise weights."""
    return Head.of(theta[..., :-1], theta[..., -1], np.zeros(theta.shape[:-1]))


def _outcome(
    test: GroupMixture,
    stage: Stage,
    theta: Array,
    status: Status,
    certificate: float,
    iterations: int,
    path: Path | None = None,
    largest_stable_step: float = np.nan,
) -> MethodOutcome:
    return MethodOutcome(
        stage=stage,
        test=test,
        heads=_heads(theta[None]),
        status=np.array([int(status)]),
        certificate=np.array([certificate]),
        iterations=np.array([iterations]),
        limit="population",
        path=path,
        largest_stable_step=largest_stable_step,
    )


def _without_head(
    test: GroupMixture, stage: Stage, status: Status, *, largest_stable_step: float = np.nan
) -> MethodOutcome:
    nowhere = np.full(test.signal_dim + 1, np.nan)
    return _outcome(test, stage, nowhere, status, np.nan, 0, largest_stable_step=largest_stable_step)


# The population limit, n -> infinity at fixed d (T1-T3, T5, T7, and T14 at delta = 0).


__all__ = ["predict_stage"]
