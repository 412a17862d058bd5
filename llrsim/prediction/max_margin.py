"""The max-margin head as a convex program (T11): another route to the hard channel of T8."""

from __future__ import annotations

from operator import itemgetter
from typing import NamedTuple

import numpy as np

from ..model.losses import Status
from ..model.mixture import Array
from .problem import ProportionalProblem
from .separability import noisy, shortfall, threshold

ACCEPTED = 1e-7  # residual of the optimality conditions: rounding leaves 1e-14, or 1e-8 with groups that have no noise
STIFFEN = 30.0  # factor between the points of the central path
ACTIVE = 1e6  # stiffness, relative to one over the cost, at which the constraint counts as active
CENTRED = 0.1  # squared Newton decrement near enough to the central path
STIFFEST = 1e13
VANISHED = 1e-6  # part of the noise in a head below which it is on its way to zero, where q has a kink
PATIENCE = 2  # Newton steps that may worsen the residual
MOST = 100  # Newton steps
SHORTEST = 1e-10  # part of a Newton step that is given up on


class MarginProgram(NamedTuple):
    """The head of least norm whose margins are at least kappa_g in every group, or the reason that there is none.

    Attributes:
        signal: (k,) u.
        bias: b.
        noise_spread: q = sqrt(v' diag(e) v).
        noise_norm: |v|; q for isotropic noise.
        margin: 1 / |w|, |w|^2 = |u|^2 + |v|^2: where kappa = 1, the distance of the nearest rows to the boundary.
        certificate: largest residual of the optimality conditions, relative to |w|; nan without a head.
        status: CONVERGED, or NOT_SEPARABLE, ONE_CLASS, NOT_CONVERGED with nan for a head. NOT_CONVERGED is also the
            answer where the best v is zero: many rows, groups that are points in the signal, or no noise at all.
    """

    signal: Array
    bias: float
    noise_spread: float
    noise_norm: float
    margin: float
    certificate: float
    status: Status


def max_margin(problem: ProportionalProblem) -> MarginProgram:
    """Minimise |u|^2 + |v|^2 over heads with y f >= kappa_g on all rows, in the proportional limit (T11).

    The best v of a given spread lies, in each eigenspace j of the noise (share pi_j of the coordinates), along one
    direction that the rows' noise singles out. With w_j = sqrt(e_j) times its component there, |v|^2 = sum w_j^2/e_j,
    q = |w|, and the program is convex:

        minimise |u|^2 + sum_j w_j^2 / e_j   subject to   sqrt(alpha H(u, b, |w|)) <= sum_j sqrt(pi_j) w_j,

    H the shortfall of T12 at the margins kappa_g; for isotropic noise w is q alone. Montanari, Ruan, Sohn & Yan
    (1911.01544); Kini et al. (2103.01550). Reads shares, labels, means, covariances, noise, margins and ratio; groups
    of weight zero are left out.

    >>> from llrsim.model.losses import Loss
    >>> from llrsim.model.mixture import GroupMixture
    >>> toy = GroupMixture.of(means=[[-1.0], [-1.0], [1.0], [1.0]], covariances=[[1.0]], noise_dim=50)
    >>> found = max_margin(ProportionalProblem.of(toy, Loss.MAX_MARGIN, counts=[10] * 4))
    >>> round(float(found.signal[0]), 6), round(found.noise_norm, 6), round(found.margin, 6)
    (0.553255, 0.930683, 0.923608)
    """
    weighted = problem.labels[problem.weights > 0.0]
    if np.ptp(weighted) == 0.0:
        return _without_head(problem, Status.ONE_CLASS)
    edge = threshold(problem)
    if not edge.threshold * problem.ratio > 1.0:
        return _without_head(problem, Status.NOT_SEPARABLE)
    program = _Program(noisy(problem))
    if program.shares.size == 0:
        return _without_head(problem, Status.NOT_CONVERGED)
    x, demand = program.start(np.append(edge.signal, edge.bias))
    try:
        x, certificate = _minimise(program, x, demand)
    except np.linalg.LinAlgError:  # a curvature lost to rounding, on the way to v = 0
        return _without_head(problem, Status.NOT_CONVERGED)
    if not certificate <= ACCEPTED:
        return _without_head(problem, Status.NOT_CONVERGED)
    k = len(edge.signal)
    u, w = x[:k] / demand, x[k + 1 :] / demand
    norm = float(np.sqrt((w**2 / program.eigenvalues).sum()))
    return MarginProgram(
        signal=u,
        bias=float(x[k] / demand),
        noise_spread=float(np.linalg.norm(w)),
        noise_norm=norm,
        margin=float(1.0 / np.hypot(np.linalg.norm(u), norm)),
        certificate=certificate,
        status=Status.CONVERGED,
    )


class _Program:
    """Cost and constraint over x = (u, b, w), (p,); margins are asked to be `demand` kappa_g."""

    def __init__(self, problem: ProportionalProblem) -> None:
        positive = problem.eigenvalues > 0.0
        self.problem = problem
        self.shares, self.eigenvalues = problem.eigenvalue_shares[positive], problem.eigenvalues[positive]
        self.head = problem.means.shape[1] + 1
        self.cost = np.concatenate([np.ones(self.head - 1), [0.0], 1.0 / self.eigenvalues])

    def start(self, head: Array) -> tuple[Array, float]:
        """A point inside, along (u, b, 1) of T12, and the demand at which it is: halved until it is well inside."""
        w = np.sqrt(self.shares / self.shares.sum())
        x = np.concatenate([head, w])
        room = -self.constraint(x, 0.0)[0]
        demand = 1.0 / self.problem.margins.max()
        while -self.constraint(x, demand)[0] < 0.5 * room:
            demand *= 0.5
        return x, demand

    def constraint(self, x: Array, demand: float) -> tuple[float, Array, Array]:
        """g(x) = alpha H - (sum_j sqrt(pi_j) w_j)^2, negative inside; its gradient and Hessian."""
        h, w, direction = self.head, x[self.head :], np.sqrt(self.shares)
        q, alpha = np.sqrt(w @ w), 1.0 / self.problem.ratio
        outer, inner = np.empty(h + 1), np.empty((h + 1, h + 1))  # derivatives of H in (u, b, q)
        H = shortfall(self.problem, np.append(x[:h], q), demand, outer, inner)
        chain = np.zeros((h + 1, len(x)))  # d(u, b, q) / dx
        chain[:h, :h] = np.eye(h)
        chain[h, h:] = w / q
        hessian = alpha * chain.T @ inner @ chain
        hessian[h:, h:] += alpha * outer[h] * (np.eye(len(w)) - np.outer(w, w) / q**2) / q
        hessian[h:, h:] -= 2.0 * np.outer(direction, direction)
        gradient = alpha * outer @ chain
        gradient[h:] -= 2.0 * (direction @ w) * direction
        return alpha * H - (direction @ w) ** 2, gradient, hessian


def _minimise(program: _Program, x: Array, demand: float) -> tuple[Array, float]:
    """The minimiser of the cost, from a point inside, and the residual of the optimality conditions there.

    Follows the minimisers of stiffness * cost / 2 - log(-g) until the constraint is active enough for `_polish`.
    """
    cost = float(program.cost @ x**2)
    stiffness = 1.0 / cost
    best, certificate = x, np.inf
    while certificate > ACCEPTED and stiffness * cost < STIFFEST:
        stiffness *= STIFFEN
        x = _centre(program, x, demand, stiffness)
        cost = float(program.cost @ x**2)
        if program.cost[program.head :] @ x[program.head :] ** 2 < VANISHED**2 * cost:
            break
        if stiffness * cost > ACTIVE:
            best, certificate = min((best, certificate), _polish(program, x, demand, stiffness), key=itemgetter(1))
    return best, certificate


def _polish(program: _Program, x: Array, demand: float, stiffness: float) -> tuple[Array, float]:
    """Newton on cost * x + m g'(x) = 0, g(x) = 0 from near the central path, as far as rounding allows."""
    p = len(x)
    g, gradient, hessian = program.constraint(x, demand)
    multiplier = -1.0 / (stiffness * g)
    best, certificate, worse = x, np.inf, 0
    while worse < PATIENCE:
        stationarity = program.cost * x + multiplier * gradient
        size, room = np.sqrt(program.cost @ x**2), (np.sqrt(program.shares) @ x[program.head :]) ** 2
        miss = float(max(np.abs(stationarity).max() / size, abs(g) / room))
        if miss < certificate:
            best, certificate, worse = x, miss, 0
        else:
            worse += 1
        matrix = np.zeros((p + 1, p + 1))
        matrix[:p, :p] = np.diag(program.cost) + multiplier * hessian
        matrix[:p, p] = matrix[p, :p] = gradient
        step = -np.linalg.solve(matrix, np.append(stationarity, g))
        x, multiplier = x + step[:p], multiplier + step[p]
        g, gradient, hessian = program.constraint(x, demand)
    return best, certificate


def _centre(program: _Program, x: Array, demand: float, stiffness: float) -> Array:
    """Damped Newton for the least stiffness * cost / 2 - log(-g), roughly."""
    for _ in range(MOST):
        g, gradient, hessian = program.constraint(x, demand)
        slope = stiffness * program.cost * x - gradient / g
        curvature = np.diag(stiffness * program.cost) - hessian / g + np.outer(gradient, gradient) / g**2
        step = -np.linalg.solve(curvature, slope)
        decrement = -(slope @ step)
        if not decrement > CENTRED:
            break
        value = 0.5 * stiffness * (program.cost @ x**2) - np.log(-g)
        length = 1.0
        while length > SHORTEST:
            ahead = x + length * step
            inside = -program.constraint(ahead, demand)[0]
            if inside > 0.0 and ahead[program.head :].min() > 0.0:
                found = 0.5 * stiffness * (program.cost @ ahead**2) - np.log(inside)
                if found <= value - 0.1 * length * decrement:
                    break
            length *= 0.5
        else:
            break
        x = ahead
    return x


def _without_head(problem: ProportionalProblem, status: Status) -> MarginProgram:
    nowhere = np.full(problem.means.shape[1], np.nan)
    return MarginProgram(nowhere, np.nan, np.nan, np.nan, np.nan, np.nan, status)
