"""Online SGD on weighted least squares: one fresh row a step, in the limit d -> infinity at time t = steps / d (T15).

A step is w += (eta/d) [om_g (y - f) x - ridge w - anchor (w - centre)], the bias without ridge. With p_g = pi_g om_g,
r_g = y_g - u.m_g - b and Q_j the part of |v|^2 in the eigenspace of e_j, so that q^2 = sum_j e_j Q_j:

    du/dt   = eta [ sum_g p_g (r_g m_g - S_g u) - ridge u - anchor (u - u0) ]
    db/dt   = eta [ sum_g p_g r_g - anchor (b - b0) ]
    dQ_j/dt = -2 eta (e_j sum_g p_g sigma_g^2 + ridge + anchor) Q_j
              + eta^2 s_j e_j sum_g P_g sigma_g^2 (r_g^2 + u'S_g u + sigma_g^2 q^2),     P_g = p_g om_g.

Linear in (u, b), and in Q given those: solved in eigenvectors, with no step in time. A run is O(1/sqrt d) away. The
setting is that of Jain et al. (2405.18296), who take a teacher for the labels.
"""

from __future__ import annotations

from math import inf, nan
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ...head import Head
from ...mixture import Array
from ...status import Status
from .hessian import design, normal_matrix
from .least_squares import ROUNDING
from .problem import ProportionalProblem


class OnlinePath(NamedTuple):
    """Heads along online SGD.

    Attributes:
        heads: `Head` with leading axis (S,), one a time; nan where DIVERGED.
        largest_stable_step: the eta above which the noise norm grows without bound; inf without noise.
        status: FINISHED, or DIVERGED from the largest stable step on.
    """

    heads: Head
    largest_stable_step: float
    status: Status


def online_path(
    problem: ProportionalProblem,
    times: ArrayLike,
    step_size: float,
    *,
    draw: Literal["weights", "mass"] = "weights",
    start: ArrayLike | None = None,
    noise_norm: float = 0.0,
) -> OnlinePath:
    """Heads after times t = steps / d, `times` (S,) >= 0, at step eta/d, eta = `step_size`, on the squared loss (T15).

    `draw`: "weights" draws a row's group with probability pi_g and weights it by om_g; "mass" draws it with probability
    p_g = pi_g om_g and does not weight it (but by sum p_g, if that is not one). Both have the same drift; "mass" has
    less noise, P_g = p_g. `start` (k + 1,) is the first head (u, b), by default zero, and `noise_norm` the length of
    its noise weights, in a direction drawn uniformly. Steps of size s on batches of B rows, B much less than d, are
    eta = s d / B at t = steps B / d. The problem's ratio d/n is not used: there is no sample.

    >>> from llrsim.losses import Loss
    >>> from llrsim.mixture import GroupMixture
    >>> toy = GroupMixture.of(means=[[-1.0], [-1.0], [1.0], [1.0]], covariances=[[1.0]], noise_dim=50)
    >>> problem = ProportionalProblem.of(toy, Loss.SQUARED, counts=[40, 10, 10, 40])
    >>> path = online_path(problem, [0.0, 1.0, 1000.0], step_size=0.5)
    >>> path.heads.signal[:, 0].round(6).tolist(), path.heads.noise_spread.round(6).tolist()
    ([0.0, 0.31606, 0.5], [0.0, 0.348772, 0.408248])
    """
    t = np.asarray(times, dtype=np.float64)
    shares, k = problem.shares, problem.means.shape[1]
    mass = shares * problem.weights
    noise_mass = mass * (problem.weights if draw == "weights" else mass.sum())
    variances, e, parts = problem.noise_std**2, problem.eigenvalues, problem.eigenvalue_shares
    decay = e * (mass @ variances) + problem.ridge + problem.anchor
    feedback = float(noise_mass @ variances**2)
    active = e > 0.0
    total = feedback * float(parts[active] @ (e[active] ** 2 / decay[active]))
    stable = 2.0 / total if total > 0.0 else inf
    if step_size >= stable:
        nowhere = np.full(len(t), nan)
        return OnlinePath(Head(np.full((len(t), k), nan), nowhere, nowhere, nowhere), stable, Status.DIVERGED)

    points, moments = design(problem)
    curvature = normal_matrix(problem, mass, 0.0)
    target = mass @ (problem.labels[:, None] * points) + problem.anchor * problem.centre
    origin = np.zeros(k + 1) if start is None else np.asarray(start, dtype=np.float64)
    eigenvalues, vectors = np.linalg.eigh(curvature)
    eigenvalues, vectors = (part[..., eigenvalues > ROUNDING * eigenvalues[-1]] for part in (eigenvalues, vectors))
    rates = step_size * eigenvalues
    way = vectors * ((vectors.T @ (curvature @ origin - target)) / eigenvalues)
    end = origin - way.sum(axis=1)
    theta = end + np.exp(-np.multiply.outer(t, rates)) @ way.T

    # sum_g P_g sigma_g^2 (r_g^2 + u'S_g u) is quadratic in the head, so a double sum over the modes of its motion, of
    # which the first is where it ends.
    weight, rates, way = noise_mass * variances, np.append(0.0, rates), np.column_stack([end, way])
    force = way.T @ np.tensordot(weight, moments, axes=1) @ way
    linear = way.T @ ((weight * problem.labels) @ points)
    force[0] -= linear
    force[:, 0] -= linear
    force[0, 0] += weight.sum()
    # In x_j = Q_j / sqrt(s_j) the feedback is symmetric and has orthogonal modes.
    root = np.sqrt(parts)
    decays, modes = np.linalg.eigh(
        2.0 * step_size * np.diag(decay) - step_size**2 * feedback * np.outer(root * e, root * e)
    )
    response = _convolution(decays[:, None, None], np.add.outer(rates, rates), t[:, None, None, None])
    driven = (response * force).sum(axis=(-2, -1)) * (step_size**2 * (modes.T @ (root * e)))
    free = np.exp(-np.multiply.outer(t, decays)) * (noise_norm**2 * (modes.T @ root))
    noise = (driven + free) @ modes.T * root
    norm, spread = (np.sqrt(np.maximum(noise @ scale, 0.0)) for scale in (np.ones_like(e), e))
    return OnlinePath(Head(theta[:, :k], theta[:, k], norm, spread), stable, Status.FINISHED)


def _convolution(first: Array, second: Array, t: Array) -> Array:
    """(e^(-at) - e^(-bt)) / (b - a), the convolution of the two exponentials; t e^(-at) where a = b."""
    gap = np.abs(first - second)
    rise = np.divide(
        -np.expm1(-gap * t),
        gap,
        out=np.broadcast_to(t, np.broadcast_shapes(t.shape, gap.shape)).copy(),
        where=gap > 0.0,
    )
    return np.exp(-np.minimum(first, second) * t) * rise
