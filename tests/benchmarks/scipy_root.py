"""The fixed point T8 as one would write it with SciPy: expectations on fixed nodes, a generic root finder.

Squared and logistic loss, isotropic noise and no anchor: the reference that predictions are timed against, and no part
of how they are made.
"""

import numpy as np
from scipy.optimize import root
from scipy.special import expit

from llrsim.model.losses import Loss
from llrsim.model.mixture import Array
from llrsim.prediction.problem import ProportionalProblem

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(96)
WEIGHTS /= WEIGHTS.sum()


def solve(problem: ProportionalProblem, start: Array | None = None) -> Array:
    """(k + 3,) x = (u, b, log q, log V), from `start`, or down from ridge 10 by half decades.

    Raises ArithmeticError where a root is not found.
    """
    path = np.array([problem.ridge])
    if start is None:
        decades = np.log10(10.0 / problem.ridge)
        path = np.geomspace(10.0, problem.ridge, int(np.ceil(2 * decades)) + 1)
        scale = [np.log(np.sqrt(problem.ratio) / path[0]), np.log(problem.ratio / path[0])]
        start = np.concatenate([np.zeros(problem.means.shape[1] + 1), scale])
    for ridge in path:
        found = root(lambda x, ridge=ridge: residual(problem._replace(ridge=ridge), x), start, options={"xtol": 1e-10})
        if np.abs(found.fun).max() > 1e-7:
            raise ArithmeticError(f"no root at ridge {ridge:g}: {found.message}")
        start = found.x
    return np.asarray(start)


def residual(problem: ProportionalProblem, x: Array) -> Array:
    """(k + 3,) what is left of T8's equations: u's and b's as they are, q^2's and V's as relative errors."""
    y, share, sigma = problem.labels, problem.shares, problem.noise_std
    u, b, (q, V) = x[:-3], x[-3], np.exp(x[-2:])
    along = problem.covariances @ u
    spread = np.sqrt(along @ u + (sigma * q) ** 2)
    a = (y * (problem.means @ u + b))[:, None] + spread[:, None] * NODES
    weight = problem.weights[:, None]
    slope, curvature = _envelope(problem.loss, a, (sigma**2 * V)[:, None] * weight)
    first, second, square = (h @ WEIGHTS for h in (weight * slope, weight * curvature, (weight * slope) ** 2))
    signal = problem.ridge * u + (share * first * y) @ problem.means + (share * second) @ along
    total = problem.ridge + share @ (sigma**2 * second)
    q2 = problem.ratio * (share @ (sigma**2 * square)) / total**2
    return np.concatenate([signal, [share @ (y * first), q**2 / q2 - 1, V * total / problem.ratio - 1]])


def _envelope(loss: int, a: Array, step: Array) -> tuple[Array, Array]:
    """First and second derivative of min_p l(p) + (p - a)^2 / (2 step), elementwise."""
    if loss == Loss.SQUARED:
        return (a - 1) / (1 + step), np.ones_like(a) / (1 + step)
    # Stationarity in p is concave above 0 and convex below, so Newton from here never passes its root.
    p = np.maximum(a, 0.0)
    for _ in range(50):
        tail = expit(-p)
        move = (p - a - step * tail) / (1 + step * tail * (1 - tail))
        p = p - move
        if np.abs(move).max() < 1e-12:
            break
    tail = expit(-p)
    curvature = tail * (1 - tail)
    return -tail, curvature / (1 + step * curvature)
