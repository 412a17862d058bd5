"""Exact population heads: closed form for the squared loss, safeguarded Newton for the others (T2)."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np
from scipy.optimize import linprog

from ...losses import Loss
from ...mixture import Array
from ...status import Status
from ..free_bias import BENT, nearest_to_zero, optimal_biases
from .least_squares import ROUNDING, least_squares
from .objective import PopulationObjective

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
