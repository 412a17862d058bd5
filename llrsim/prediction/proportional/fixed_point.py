"""The head of any convex loss in the proportional limit, as the solution of the fixed point T8."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ...losses import HINGE, MAX_MARGIN, SQUARED
from ...mixture import Array
from ...status import Status
from ..free_bias import BENT, nearest_to_zero, optimal_biases
from .continuation import solve
from .equations import equations
from .problem import ProportionalProblem
from .separability import separable

# Noise scales are kept this far from zero against the largest: fully collapsed groups would divide by zero. Heads of
# smooth losses move by its square, those of hard margins by its first power; the second value is for where the path is
# lost at the first.
LEAST_NOISE = (1e-6, 1e-4)
SPREADS = 40.0  # standard deviations beyond which a margin has no mass


class FixedPoint(NamedTuple):
    """A solution of T8, or the reason that there is none.

    Attributes:
        signal: (k,) u.
        bias: b.
        noise_spread: q = sqrt(v' diag(e) v).
        noise_norm: |v|; q for isotropic noise.
        envelope: V; the envelope of group g has parameter sigma_g^2 V.
        certificate: largest relative residual of the equations; nan without a head.
        evaluations: of the equations with their Jacobian.
        status: CONVERGED or BIAS_NOT_UNIQUE, or SEPARABLE, NOT_SEPARABLE, ONE_CLASS, NOT_CONVERGED with nan for a head.
        bias_interval: the least and the largest optimal bias of BIAS_NOT_UNIQUE; b is the one nearest to 0.
    """

    signal: Array
    bias: float
    noise_spread: float
    noise_norm: float
    envelope: float
    certificate: float
    evaluations: int
    status: Status
    bias_interval: tuple[float, float] | None = None

    @property
    def unknowns(self) -> Array:
        """(k + 3,) x = (u, b, log q, log V), as a guess for a problem nearby."""
        with np.errstate(divide="ignore"):
            return np.concatenate([self.signal, [self.bias, np.log(self.noise_spread), np.log(self.envelope)]])


def fixed_point(problem: ProportionalProblem, guess: ArrayLike | None = None) -> FixedPoint:
    """Solve T8 to a relative residual of 1e-10 or better, from `guess` (k + 3,) or along a path in the ridge.

    Named outcomes in place of a head: SEPARABLE where nothing is penalised and n/d is below the threshold T12,
    NOT_SEPARABLE where MAX_MARGIN is asked above it, ONE_CLASS where the free bias of a loss that wants large margins
    has nothing to stop it. BIAS_NOT_UNIQUE, with a head: the hinge's slope in the bias is rounding over an interval.
    Loureiro et al. (2106.03791), Mignacco et al. (2006.06560), Kini et al. (2103.01550).

    >>> from llrsim.losses import Loss
    >>> from llrsim.mixture import GroupMixture
    >>> toy = GroupMixture.of(means=[[-1.0], [-1.0], [1.0], [1.0]], covariances=[[1.0]], noise_dim=50)
    >>> problem = ProportionalProblem.of(toy, Loss.LOGISTIC, counts=[40, 10, 10, 40], ridge=0.1)
    >>> found = fixed_point(problem)
    >>> round(float(found.signal[0]), 6), round(float(found.noise_norm), 6), found.certificate < 1e-10
    (1.052165, 0.904119, True)
    """
    refused = _refusal(problem)
    if refused is not None:
        return _without_head(problem, refused, 0)
    problem, unit = in_units_of_features(problem)
    start = None if guess is None else np.asarray(guess, dtype=np.float64)
    # A neighbour may have fewer coordinates: an anchor makes the earlier head's noise one more.
    if start is not None and not (len(start) == problem.means.shape[1] + 3 and np.isfinite(start).all()):
        start = None
    if start is not None:
        k = problem.means.shape[1]
        start = np.concatenate([start[:k] * unit, start[k:] + np.log(unit) * np.arange(3)])
    evaluations = 0
    for least in LEAST_NOISE:
        raised = kept_from_zero(problem, least)
        x, residual, used = solution = solve(raised, start)
        evaluations += used
        if solution.found or raised is problem:
            break
    if not solution.found:
        return _without_head(problem, Status.NOT_CONVERGED, evaluations)
    problem = raised
    interval = _optimal_biases(problem, x)
    q, V = np.exp(x[-2:])
    norm = float(q / unit) * norm_over_spread(problem, V)
    q, V = q / unit, V / unit**2
    return FixedPoint(
        signal=x[:-3] / unit,
        bias=float(x[-3]) if interval is None else nearest_to_zero(interval),
        noise_spread=float(q),
        noise_norm=norm,
        envelope=float(V),
        certificate=residual,
        evaluations=evaluations,
        status=Status.CONVERGED if interval is None else Status.BIAS_NOT_UNIQUE,
        bias_interval=interval,
    )


def _optimal_biases(problem: ProportionalProblem, x: Array) -> tuple[float, float] | None:
    """The ends of the optimal biases of a solution x (k + 3,) where they are an interval, as only a hinge leaves one.

    Where no margin reaches the kink, E M' is the same for all of them, and the other equations do not know the bias.
    """
    if problem.loss != HINGE or problem.anchor > 0.0 or not np.isfinite(x).all():
        return None
    at, p = x.copy(), len(x) - 2
    residual, jacobian = np.empty(len(x)), np.empty((len(x), len(x)))
    positive = problem._replace(shares=np.where(problem.labels > 0, problem.shares, 0.0))
    equations(positive, problem.ridge, 0.0, 1.0, at, residual, jacobian)
    pulls = 2.0 * abs(float(residual[p - 1]))
    equations(problem, problem.ridge, 0.0, 1.0, at, residual, jacobian)
    if not jacobian[p - 1, p - 1] <= BENT * pulls:
        return None

    def slope(bias: float) -> float:
        at[p - 1] = bias
        equations(problem, problem.ridge, 0.0, 1.0, at, residual, jacobian)
        return float(residual[p - 1])

    u, (q, V) = x[:-3], np.exp(x[-2:])
    spread = np.sqrt(u @ problem.covariances @ u + (problem.noise_std * q) ** 2)
    moved = V * problem.noise_std**2 * problem.weights
    reach = float((np.abs(problem.means @ u) + SPREADS * spread + moved).max())
    return optimal_biases(slope, pulls, 1.0 + reach)


def doubled_nodes(problem: ProportionalProblem, found: FixedPoint) -> float:
    """Largest relative residual of a solution when every expectation is taken on twice the nodes."""
    problem = kept_from_zero(problem)
    x = found.unknowns
    room = np.empty(len(x)), np.empty((len(x), len(x)))
    return equations(problem, 1.0 if problem.loss == MAX_MARGIN else problem.ridge, 0.0, 2.0, x, *room)


def norm_over_spread(problem: ProportionalProblem, V: float) -> float:
    """|v| / sqrt(v' diag(e) v) at the solution with envelope parameter V; 1 for isotropic noise.

    V = delta sum_j share_j e_j / D_j with D_j = penalty + nu e_j determines nu, and the two norms are the traces of
    e_j / D_j^2 and e_j^2 / D_j^2.
    """
    e, share = problem.eigenvalues, problem.eigenvalue_shares
    if len(e) == 1 or V == 0.0:
        return float(1.0 / np.sqrt(e[0])) if len(e) == 1 else 1.0
    penalty = (1.0 if problem.loss == MAX_MARGIN else problem.ridge) + problem.anchor
    # Convex and falling in nu: Newton from nu = 0, or from the value without a penalty, climbs to the root.
    positive = e > 0
    nu = 0.0 if penalty > 0 else float(problem.ratio * share[positive].sum() / V)
    for _ in range(200):
        D = penalty + nu * e[positive]
        first = problem.ratio * (share[positive] * e[positive] / D).sum()
        slope = problem.ratio * (share[positive] * (e[positive] / D) ** 2).sum()
        step = (first - V) / slope
        nu += step
        if abs(step) <= 1e-14 * nu:
            break
    D = penalty + nu * e[positive]
    return float(
        np.sqrt((share[positive] * e[positive] / D**2).sum() / (share[positive] * (e[positive] / D) ** 2).sum())
    )


def _refusal(problem: ProportionalProblem) -> Status | None:
    held = problem.ridge > 0.0 or problem.anchor > 0.0
    weighted = problem.labels[problem.weights > 0]
    if problem.anchor == 0.0 and problem.loss != SQUARED and (weighted == weighted[0]).all():
        return Status.ONE_CLASS
    if problem.loss == MAX_MARGIN:
        return None if separable(problem) else Status.NOT_SEPARABLE
    if not held and problem.loss == SQUARED:
        return Status.SEPARABLE if problem.ratio >= 1.0 else None
    return Status.SEPARABLE if not held and separable(problem) else None


def in_units_of_features(problem: ProportionalProblem) -> tuple[ProportionalProblem, float]:
    """Return the problem with small features divided by their size, a power of two, and that size; 1 for larger ones.

    Weights grow by it and the ridge is divided by its square. An anchor holds the bias as strongly as the weights, and
    a hard margin has no ridge: these are left as they are.
    """
    size = problem.largest_square
    if problem.anchor > 0.0 or problem.loss == MAX_MARGIN or size == 0.0:
        return problem, 1.0
    unit = float(min(1.0, 2.0 ** np.round(0.5 * np.log2(size))))
    scaled = problem._replace(
        means=problem.means / unit,
        covariances=problem.covariances / unit**2,
        noise_std=problem.noise_std / unit,
        ridge=problem.ridge / unit**2,
    )
    return (problem, 1.0) if unit == 1.0 else (scaled, unit)


def kept_from_zero(problem: ProportionalProblem, least: float = LEAST_NOISE[0]) -> ProportionalProblem:
    """The problem with its noise scales raised to `least` of the largest; itself where none is below."""
    floor = least * problem.noise_std.max()
    return (
        problem._replace(noise_std=np.maximum(problem.noise_std, floor))
        if (problem.noise_std < floor).any()
        else problem
    )


def _without_head(problem: ProportionalProblem, status: Status, evaluations: int) -> FixedPoint:
    nowhere = np.full(problem.means.shape[1], np.nan)
    return FixedPoint(nowhere, np.nan, np.nan, np.nan, np.nan, np.nan, evaluations, status)
