"""Literal twins of the proportional limit: adaptive quadrature, bracketed proximal maps, a generic root finder.

T8 and T20 are copied as they are printed, group by group, with the equations' names for everything. Slow on purpose:
a solve takes from a tenth of a second (fixed nodes) to minutes (adaptive).
"""

from math import exp, log, pi, sqrt
from typing import Any, NamedTuple

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq, root
from scipy.special import expit

REACH = 12.0  # of the Gaussian, in adaptive quadrature


class Problem(NamedTuple):
    """G groups, k signal coordinates; lists or arrays."""

    loss: str  # squared, logistic, hinge, squared_hinge, vs_logistic, max_margin
    ratio: float  # delta = d/n
    shares: Any  # (G,) pi_g
    weights: Any  # (G,) om_g
    labels: Any  # (G,)
    means: Any  # (G, k)
    covariances: Any  # (G, k, k)
    noise_std: Any  # (G,) sigma_g
    ridge: float
    anchor: float = 0.0
    centre: Any = None  # (k + 1,) the anchor's u0, b0; zero by default
    eigenvalues: Any = (1.0,)
    eigenvalue_shares: Any = (1.0,)
    kappas: Any = 1.0  # max_margin: a number or (G,)
    iotas: Any = 0.0  # vs_logistic: log(1 + exp(iota - Delta m)), numbers or (G,)
    deltas: Any = 1.0


class Envelope(NamedTuple):
    """The Moreau envelope of one group, a function of a."""

    loss: str
    step: float  # sigma_g^2 V
    weight: float
    kappa: float
    iota: float
    delta: float

    def prox(self, a):
        """argmin_p om l(p) + (p - a)^2 / (2 step)."""
        t = self.step * self.weight
        if self.loss == "squared":
            return (a + t) / (1 + t)
        if self.loss == "squared_hinge":
            return (a + t) / (1 + t) if a < 1 else a
        if self.loss == "hinge":
            return min(a + t, max(a, 1.0))
        if self.loss == "max_margin":
            return max(a, self.kappa)
        top = a + t * self.delta

        def stationarity(p):
            return p - a - t * self.delta * expit(self.iota - self.delta * p)

        if stationarity(a) >= 0 or stationarity(top) <= 0:  # to rounding, at an end of the bracket
            return a if stationarity(a) >= 0 else top
        return brentq(stationarity, a, top, xtol=1e-14, rtol=1e-15)

    def derivatives(self, a):
        """M'(a), M''(a)."""
        p, t = self.prox(a), self.step * self.weight
        if self.loss == "max_margin":
            return (a - p) / self.step, (1 / self.step if a < self.kappa else 0.0)
        if self.loss == "hinge":
            if a <= 1 - t:
                return -self.weight, 0.0
            return ((a - 1) / self.step, 1 / self.step) if a <= 1 else (0.0, 0.0)
        if self.loss in ("squared", "squared_hinge"):
            slope, curvature = (p - 1, 1.0) if self.loss == "squared" or a < 1 else (0.0, 0.0)
        else:
            s = expit(self.iota - self.delta * p)
            slope = -self.delta * s
            curvature = self.delta**2 * s * expit(self.delta * p - self.iota)
        return self.weight * slope, self.weight * curvature / (1 + t * curvature)

    def breaks(self):
        """Values of a where M' bends."""
        t = self.step * self.weight
        if self.loss in ("logistic", "vs_logistic"):
            middle = self.iota / self.delta
            return middle - t * self.delta, middle - t * self.delta / 2, middle
        return {"squared": (), "hinge": (1 - t, 1.0), "squared_hinge": (1.0,), "max_margin": (self.kappa,)}[self.loss]


def expectation(function, mean, spread, breaks):
    """E h(mean + spread G) by adaptive quadrature, split at the breaks of h and at the middle."""
    cuts = sorted(min(max((at - mean) / spread, -REACH), REACH) for at in (mean, *breaks))
    pieces = zip([-REACH, *cuts], [*cuts, REACH], strict=True)

    def integrand(x):
        return exp(-x * x / 2) / sqrt(2 * pi) * function(mean + spread * x)

    return sum(
        quad(integrand, low, high, epsabs=1e-15, epsrel=1e-12, limit=200)[0] for low, high in pieces if high > low
    )


def moments(envelope, mean, spread, nodes=None):
    """E M', E M'', E M'^2 at a = mean + spread G, adaptively or on a number of Gauss-Hermite nodes."""
    if nodes is None:
        return tuple(
            expectation(lambda a, power=power: power(*envelope.derivatives(a)), mean, spread, envelope.breaks())
            for power in (lambda first, second: first, lambda first, second: second, lambda first, second: first**2)
        )
    x, w = np.polynomial.hermite_e.hermegauss(nodes)
    first, second = np.array([envelope.derivatives(a) for a in mean + spread * x]).T
    w = w / w.sum()
    return w @ first, w @ second, w @ first**2


def residual(problem, u, b, q, V, nodes=None):
    """(k + 3,) what is left of T8's equations at a point: u's and b's as printed, V's and q^2's as relative errors."""
    u = np.asarray(u, dtype=float)
    centre = np.zeros(len(u) + 1) if problem.centre is None else np.asarray(problem.centre)
    groups = len(problem.labels)
    kappas, iotas, deltas = (np.broadcast_to(x, groups) for x in (problem.kappas, problem.iotas, problem.deltas))
    signal = problem.ridge * u + problem.anchor * (u - centre[:-1])
    bias = problem.anchor * (b - centre[-1])
    nu = strength = 0.0
    for g in range(groups):
        pi_g, y, m = problem.shares[g], problem.labels[g], np.asarray(problem.means[g])
        S, sigma = np.asarray(problem.covariances[g]), problem.noise_std[g]
        envelope = Envelope(problem.loss, sigma**2 * V, problem.weights[g], kappas[g], iotas[g], deltas[g])
        first, second, square = moments(envelope, y * (u @ m + b), sqrt(u @ S @ u + sigma**2 * q**2), nodes)
        signal = signal + pi_g * (first * y * m + second * S @ u)
        bias += pi_g * y * first
        nu += pi_g * sigma**2 * second
        strength += pi_g * sigma**2 * square
    total = problem.ridge + problem.anchor
    e, share = np.asarray(problem.eigenvalues), np.asarray(problem.eigenvalue_shares)
    V_next = problem.ratio * (share @ (e / (total + nu * e)))
    q2_next = problem.ratio * strength * (share @ (e / (total + nu * e)) ** 2)
    return np.concatenate([signal, [bias, V / V_next - 1, q**2 / q2_next - 1]])


def follow(equations, start, path):
    """Root of equations(x, value) at the last value of a path, by hybr from root to root; (x, largest residual).

    A step that fails is halved (in the logarithm of the value), at most 20 times in all.
    """
    x, here, halvings = np.asarray(start, dtype=float), None, 0
    ahead = list(path)
    while ahead:
        found = root(equations, x, args=(ahead[0],), method="hybr", options={"xtol": 1e-13})
        size = np.max(np.abs(found.fun))
        if size < 1e-7 or here is None or halvings == 20:
            x, here = found.x, ahead.pop(0)
        else:
            ahead.insert(0, sqrt(here * ahead[0]))
            halvings += 1
    return x, size


def decades(first, last):
    """Values from `first` to `last`, at most a decade apart."""
    return np.geomspace(first, last, int(np.ceil(abs(log(first / last)) / log(10))) + 1)


def solve(problem, nodes=None):
    """T8's head as a dict of u, b, q, V and `residual`, the largest entry of `residual`.

    Continuation in the ridge from 10 (for the hinge, which is flat there, from 0.3); for max_margin, whose ridge has
    to be 1, in d/n, which makes the data easier to separate the larger it is. Fixed nodes are for smooth losses.
    """
    k = np.shape(problem.means)[1]
    hard = problem.loss == "max_margin"

    def equations(x, value):
        changed = problem._replace(ratio=value) if hard else problem._replace(ridge=value)
        with np.errstate(over="ignore"):
            q, V = np.exp(np.clip(x[k + 1 :], -100, 100))
            return residual(changed, x[:k], x[k], q, V, nodes)

    if hard:
        path = decades(max(20.0, problem.ratio), problem.ratio)
        strength = np.dot(problem.shares, np.ones(len(problem.labels)) * problem.kappas) / np.mean(problem.noise_std)
        start = np.concatenate([np.zeros(k + 1), [log(strength / sqrt(path[0])), log(path[0])]])
    else:
        path = decades(0.3 if problem.loss == "hinge" else 10.0, problem.ridge)
        total = path[0] + problem.anchor
        start = np.concatenate([np.zeros(k + 1), [log(sqrt(problem.ratio) / total), log(problem.ratio / total)]])
        if problem.anchor > 0 and problem.centre is not None:
            start[: k + 1] = problem.centre
    x, size = follow(equations, start, path)
    q, V = np.exp(x[k + 1 :])
    return {"u": x[:k], "b": x[k], "q": q, "V": V, "residual": size}


class FirstStage(NamedTuple):
    """T20: the head whose score weights the rows, om(x) = exp(-gamma sigmoid(y f0)) / (N share of the class)."""

    u: Any  # (k,) u0
    b: float
    q: float  # |v0|, positive
    gamma: float


def afr_weights(problem, first, nodes=(201, 141)):
    """Nodes x (X, 1) and z (1, Z), their weights (X, Z), and om_g(x) (G, X, 1)."""
    x, z = (np.linspace(-8.5, 8.5, count) for count in nodes)
    density = np.exp(-(x[:, None] ** 2 + z**2) / 2)
    density /= density.sum()
    labels, shares = np.asarray(problem.labels), np.asarray(problem.shares)
    weights = []
    for g in range(len(labels)):
        score = np.dot(first.u, problem.means[g]) + first.b + score_spread(problem, first, g) * x
        weights.append(np.exp(-first.gamma * expit(labels[g] * score)) / shares[labels == labels[g]].sum())
    weights = np.array(weights)[:, :, None]
    return x[:, None], z[None, :], density, weights / (shares @ (density * weights).sum(axis=(1, 2)))


def score_spread(problem, first, g):
    """t0 of group g."""
    return sqrt(first.u @ np.asarray(problem.covariances[g]) @ first.u + (problem.noise_std[g] * first.q) ** 2)


def prox_on_grid(loss, a, t):
    """Prox of the squared or logistic loss, elementwise, by bisection: Newton may cycle inside its bracket."""
    if loss == "squared":
        return (a + t) / (1 + t)
    low, high = a, a + t
    for _ in range(60):
        middle = (low + high) / 2
        below = middle - a < t * expit(-middle)
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


def afr_residual(problem, first, u, b, c, q, V, grid):
    """(k + 4,) what is left of T20's equations (u, c, b as printed; V, q^2 relative); `grid` is from `afr_weights`."""
    x, z, density, weights = grid
    u0, lam, lam0 = np.asarray(first.u), problem.ridge, problem.anchor
    signal = lam * u + lam0 * (u - u0)
    along = lam * c + lam0 * (c - first.q)
    bias = lam0 * (b - first.b)
    nu = strength = 0.0
    for g in range(len(problem.labels)):
        pi_g, y, m = problem.shares[g], problem.labels[g], np.asarray(problem.means[g])
        S, sigma, om = np.asarray(problem.covariances[g]), problem.noise_std[g], weights[g]
        t0 = score_spread(problem, first, g)
        k0 = u0 @ S @ u + sigma**2 * first.q * c
        s = sqrt(u @ S @ u + sigma**2 * (c**2 + q**2) - (k0 / t0) ** 2)
        a = y * (u @ m + b + k0 / t0 * x + s * z)
        t = sigma**2 * V * om
        p = prox_on_grid(problem.loss, a, t)
        slope = p - 1 if problem.loss == "squared" else -expit(-p)
        curvature = 1.0 if problem.loss == "squared" else expit(p) * expit(-p)
        M1, M2 = om * slope, om * curvature / (1 + t * curvature)
        D1, D2 = (density * M1).sum(), (density * M2).sum()
        D0 = y * (density * M1 * x).sum() / t0 - k0 / t0**2 * D2
        signal = signal + pi_g * (D1 * y * m + S @ (D2 * u + D0 * u0))
        along += pi_g * sigma**2 * (D2 * c + D0 * first.q)
        bias += pi_g * y * D1
        nu += pi_g * sigma**2 * D2
        strength += pi_g * sigma**2 * (density * M1**2).sum()
    total = lam + lam0 + nu
    V_next, q2_next = problem.ratio / total, problem.ratio * strength / total**2
    return np.concatenate([signal, [along, bias, V / V_next - 1, q**2 / q2_next - 1]])


def solve_afr(problem, first, nodes=(201, 141)):
    """T20's head as a dict of u, b, c, q (|rest|), V, `residual` and `mass` (G,) p_g.

    `problem.weights`, `centre` and the spectrum are not read; squared or logistic loss. The anchor falls from 3.
    """
    k, u0 = len(first.u), np.asarray(first.u)
    grid = afr_weights(problem, first, nodes)

    def equations(x, anchor):
        q, V = np.exp(np.clip(x[k + 2 :], -100, 100))
        return afr_residual(problem._replace(anchor=anchor), first, x[:k], x[k + 1], x[k], q, V, grid)

    path = [*decades(3.0, max(problem.anchor, 1e-3)), problem.anchor]
    total = path[0] + problem.ridge
    scale = [log(sqrt(problem.ratio) / total), log(problem.ratio / total)]
    x, size = follow(equations, np.concatenate([u0, [first.q, first.b], scale]), path)
    q, V = np.exp(x[k + 2 :])
    mass = np.asarray(problem.shares) * (grid[2] * grid[3]).sum(axis=(1, 2))
    return {"u": x[:k], "b": x[k + 1], "c": x[k], "q": q, "V": V, "residual": size, "mass": mass}
