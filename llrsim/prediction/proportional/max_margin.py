"""The max-margin head as a convex program (T11): another route to the hard channel of T8."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...mixture import Array
from ...status import Status
from .problem import ProportionalProblem
from .separability import noisy, shortfall, threshold

ACCEPTED = 1e-9  # residual of the optimality conditions; about 1e-14 is reached away from the threshold
CENTRED = 1e-6  # complementarity at which the constraint is taken as active
SHRINK = 0.1  # of the complementarity, per step
MOST = 100  # Newton steps
BACK_OFF = 0.5  # of a step that does not help
SHORTEST = 1e-10


class MarginProgram(NamedTuple):
    """The head of least norm whose margins are at least kappa_g in every group, or the reason that there is none.

    Attributes:
        signal: (k,) u.
        bias: b.
        noise_spread: q = sqrt(v' diag(e) v).
        noise_norm: |v|; q for isotropic noise.
        margin: 1 / |w|, |w|^2 = |u|^2 + |v|^2: where kappa = 1, the distance of the nearest rows to the boundary.
        certificate: largest residual of the optimality conditions, relative to |w|; nan without a head.
        status: CONVERGED, or NOT_SEPARABLE, ONE_CLASS, NOT_CONVERGED with nan for a head.
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

    >>> from llrsim.losses import Loss
    >>> from llrsim.mixture import GroupMixture
    >>> toy = GroupMixture.of(means=[[-1.0], [-1.0], [1.0], [1.0]], covariances=[[1.0]], noise_dim=50)
    >>> found = max_margin(ProportionalProblem.of(toy, Loss.MAX_MARGIN, counts=[10] * 4))
    >>> round(float(found.signal[0]), 6), round(found.noise_norm, 6), round(found.margin, 6)
    (0.443895, 0.788259, 1.105387)
    """
    weighted = problem.labels[problem.weights > 0.0]
    if np.ptp(weighted) == 0.0:
        return _without_head(problem, Status.ONE_CLASS)
    edge = threshold(problem)
    if not edge.threshold * problem.ratio > 1.0:
        return _without_head(problem, Status.NOT_SEPARABLE)
    program = _Program(noisy(problem))
    if program.shares.size == 0:  # no noise, and the signal alone separates: the rows' law has no gap to speak of
        return _without_head(problem, Status.NOT_CONVERGED)
    x, demand = program.start(np.append(edge.signal, edge.bias))
    x, certificate = _interior_point(program, x, demand)
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
        """c(x) = sqrt(alpha H) - sum_j sqrt(pi_j) w_j, at most 0 inside; its gradient and Hessian."""
        h, w = self.head, x[self.head :]
        q = np.sqrt(w @ w)
        outer, inner = np.empty(h + 1), np.empty((h + 1, h + 1))
        H = shortfall(self.problem, np.append(x[:h], q), demand, outer, inner)
        root = np.sqrt(H)  # derivatives of sqrt(alpha H) in (u, b, q)
        scale = 0.5 / (np.sqrt(self.problem.ratio) * root)
        inner = scale * (inner - np.outer(outer, outer) / (2.0 * H))
        outer = scale * outer
        chain = np.zeros((h + 1, len(x)))  # d(u, b, q) / dx
        chain[:h, :h] = np.eye(h)
        chain[h, h:] = w / q
        hessian = chain.T @ inner @ chain
        hessian[h:, h:] += outer[h] * (np.eye(len(w)) - np.outer(w, w) / q**2) / q
        gradient = outer @ chain
        gradient[h:] -= np.sqrt(self.shares)
        return root / np.sqrt(self.problem.ratio) - np.sqrt(self.shares) @ w, gradient, hessian


def _interior_point(program: _Program, x: Array, demand: float) -> tuple[Array, float]:
    """Primal-dual steps on the optimality conditions from a point inside, then Newton with the constraint active.

    With a multiplier m > 0: cost * x + m c'(x) = 0 and -m c(x) = gap, gap -> 0. Returns the head and the residual.
    """
    p = len(x)
    c, gradient, hessian = program.constraint(x, demand)
    multiplier = float(program.cost @ x**2) / -c
    best, certificate = x, np.inf
    for _ in range(MOST):
        gap = -c * multiplier
        size = np.sqrt(program.cost @ x**2)
        stationarity = program.cost * x + multiplier * gradient
        miss = float(max(np.abs(stationarity).max(), abs(c)) / size)
        active = gap < CENTRED * size**2 and np.abs(stationarity).max() < CENTRED * size
        if active and miss >= certificate:
            break
        if active:
            best, certificate = x, miss
        target = 0.0 if active else SHRINK * max(gap, 0.0)
        matrix = np.zeros((p + 1, p + 1))
        matrix[:p, :p] = np.diag(program.cost) + multiplier * hessian
        matrix[:p, p] = matrix[p, :p] = gradient
        matrix[p, p] = c / multiplier
        step = -np.linalg.solve(matrix, np.append(stationarity, c + target / multiplier))
        length = 1.0
        if not active:
            merit = np.hypot(np.linalg.norm(stationarity), gap - target)
            length = _length(program, demand, x, multiplier, step, target, merit)
        x, multiplier = x + length * step[:p], multiplier + length * step[p]
        c, gradient, hessian = program.constraint(x, demand)
    return best, certificate


def _length(
    program: _Program, demand: float, x: Array, multiplier: float, step: Array, target: float, merit: float
) -> float:
    """How far to go along a primal-dual step: inside, with a positive multiplier and a smaller residual."""
    change, shift = step[:-1], float(step[-1])
    length = 1.0 if shift >= 0.0 else min(1.0, -0.99 * multiplier / shift)
    while length > SHORTEST:
        ahead, m = x + length * change, multiplier + length * shift
        c, gradient, _ = program.constraint(ahead, demand)
        if c < 0.0:
            residual = np.hypot(np.linalg.norm(program.cost * ahead + m * gradient), -m * c - target)
            if residual <= (1.0 - 0.01 * length) * merit:
                break
        length *= BACK_OFF
    return length


def _without_head(problem: ProportionalProblem, status: Status) -> MarginProgram:
    nowhere = np.full(problem.means.shape[1], np.nan)
    return MarginProgram(nowhere, np.nan, np.nan, np.nan, np.nan, np.nan, status)
