"""Gradient descent in the population limit: a deterministic recursion on (u, b) (T14 at delta = 0).

From a head without noise weights none appear, so the recursion lives in k + 1 dimensions. Its steps are those of
`llrsim.descent_rule`, which samples are descended by too. On least squares it is linear, theta_T = theta_0 +
phi_T(H) g_0 with H the Hessian and g_0 minus the first gradient, which is evaluated without iterating.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from ..._jit import kernel
from ...descent_rule import clipping, move, stability
from ...losses import Loss, top_curvature
from ...mixture import Array
from .objective import PopulationObjective, expand


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

    >>> from llrsim.mixture import GroupMixture
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

    >>> from llrsim.mixture import GroupMixture
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
