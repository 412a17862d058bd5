"""Hessian of weighted least squares in the proportional limit: its top eigenvalue and the largest stable step (T14)."""

from __future__ import annotations

from math import inf

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from ...mixture import Array
from .problem import ProportionalProblem

ROUNDING = 1e-12  # widens brackets whose ends may be roots


def largest_stable_step(problem: ProportionalProblem, momentum: float = 0.0) -> float:
    """2 (1 + momentum) / top eigenvalue of the sample's Hessian: a larger step size diverges (Polyak 1964)."""
    top = top_eigenvalue(problem)
    return 2.0 * (1.0 + momentum) / top if top > 0.0 else inf


def top_eigenvalue(problem: ProportionalProblem) -> float:
    """The largest eigenvalue of the Hessian H of the squared-loss objective, from a large sample.

    It is the upper edge of the bulk that the noise makes, or an eigenvalue above it that the signal does. Right of the
    bulk, z is an increasing function of V < 0; at the edge its derivative is zero (Silverstein & Choi 1995). There
    the resolvent on (u, b) is the inverse of a matrix M(z) that falls with z, so an eigenvalue lies where the largest
    one of M crosses zero.
    """
    strength = problem.ridge + problem.anchor
    scale = problem.weights * problem.noise_std**2
    kept = (problem.eigenvalues > 0.0) & (problem.eigenvalue_shares > 0.0)
    e, parts = problem.eigenvalues[kept], problem.eigenvalue_shares[kept] * problem.ratio
    heaviest = float(scale.max())
    if heaviest == 0.0 or not len(e):
        return max(strength, _largest(problem, 0.0, 0.0))

    ratios = e.max() / e

    def pulls(s: float) -> tuple[float, float, Array]:
        """V = -s / (largest om sigma^2), y = a V, and x_j = y / e_j + rho > 0, where rho = V nu < 0."""
        V = -s / heaviest
        rho = float(problem.shares @ (scale * V / (1.0 + scale * V)))

        def harmonic(x: float) -> Array:
            """All x_j from that of the largest eigenvalue, as sums of positive numbers."""
            return x * ratios - rho * (ratios - 1.0)

        # Between what the largest eigenvalue alone would give and what all would give if they were as large.
        low, high = float(parts[ratios == 1.0].sum()), float(parts.sum())
        low, high = low * (1.0 - ROUNDING), high * (1.0 + ROUNDING)
        x = brentq(lambda x: float(parts @ (1.0 / harmonic(x))) - 1.0, low, high, xtol=1e-300, rtol=1e-14)
        return V, float(e.max()) * (x - rho), harmonic(x)

    def steepness(s: float) -> float:
        """dz/dV, up to a factor that is negative for V < 0: it rises from -1 at V = 0 through its one zero."""
        V, _, x = pulls(s)
        share = scale * V / (1.0 + scale * V)
        return float(parts @ x**-2.0) * float(problem.shares @ share**2) - 1.0

    edge = brentq(steepness, 0.0, 1.0 - 1e-12, xtol=1e-14)
    V, y, _ = pulls(edge)
    bulk = strength - y / V

    def height(s: float) -> float:
        V, y, _ = pulls(s)
        return _largest(problem, V, strength - y / V)

    if height(edge) <= 0.0:
        return max(strength, bulk)
    low = edge
    while height(low) > 0.0:
        low *= 0.5
    V, y, _ = pulls(brentq(height, low, edge, xtol=1e-15, rtol=1e-14))
    return strength - y / V


def _largest(problem: ProportionalProblem, V: float, z: float) -> float:
    """The largest eigenvalue of M(z), whose inverse is the resolvent on (u, b)."""
    weights = problem.shares * problem.weights / (1.0 + problem.weights * problem.noise_std**2 * V)
    return float(np.linalg.eigvalsh(normal_matrix(problem, weights, z))[-1])


def design(problem: ProportionalProblem) -> tuple[Array, Array]:
    """Rows m~_g = (m_g, 1), (G, k + 1), and second moments m~_g m~_g' + S_g, (G, k + 1, k + 1), of a group's (s, 1)."""
    groups, k = problem.means.shape
    points = np.column_stack([problem.means, np.ones(groups)])
    moments = points[:, :, None] * points[:, None, :]
    moments[:, :k, :k] += problem.covariances
    return points, moments


def normal_matrix(problem: ProportionalProblem, weights: NDArray, z: ArrayLike) -> NDArray:
    """M(z) = sum_g c_g (m~_g m~_g' + S_g) + diag(a, .., a, anchor) - z, a = ridge + anchor; (..., k + 1, k + 1).

    `weights` are c_g (..., G) and z (...), both real or complex.
    """
    _, moments = design(problem)
    k = problem.means.shape[1]
    penalty = np.diag(np.append(np.full(k, problem.ridge), 0.0) + problem.anchor)
    return np.tensordot(weights, moments, axes=1) + penalty - np.multiply.outer(z, np.eye(k + 1))
