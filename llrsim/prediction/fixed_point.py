"""Solve the fixed point T8 for any convex loss, directly or along a path from an easier problem (T9)."""

from __future__ import annotations

from math import exp, inf, log
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import expit

from ..model.losses import HINGE, LOGISTIC, MAX_MARGIN, SQUARED, Status
from ..model.mixture import Array
from .equations import ACCEPTED, equations, newton
from .free_bias import BENT, nearest_to_zero, optimal_biases
from .problem import ProportionalProblem
from .separability import separable

# The head of any convex loss in the proportional limit, as the solution of the fixed point T8.


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

    >>> from llrsim.model.losses import Loss
    >>> from llrsim.model.mixture import GroupMixture
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


# The path to the fixed point from where it is easy to find: a large ridge, or a kink that is very soft (T9).
#
# Newton alone goes astray where the signal is strong or the data are nearly separable. Along a path in the logarithm of
# the ridge, or of the softness, each solution is close to the one before it. This is Python around one kernel: the path
# has a dozen calls, and compiling it would take longer than all of a day's paths.


FURTHEST = 1e4  # a bias beyond it is none
VANISHED = -9.0  # log q below which weights in proportion to the softness are taken to shrink to nothing
FIRM = 0.1  # ridge at which a kink is hardened, before the ridge comes down
MOST = 3000  # evaluations of the equations
HELD = 10.0  # an anchor that holds the head, beside the curvature of the loss
SHORTEST = 0.02  # decades of a step that is given up on


class Solution(NamedTuple):
    """x (k + 3,) = (u, b, log q, log V), its relative residual, inf if none was found, and evaluations spent."""

    x: Array
    residual: float
    evaluations: int

    @property
    def found(self) -> bool:
        """Whether the residual is small enough to be an answer."""
        return self.residual <= ACCEPTED


def solve(problem: ProportionalProblem, guess: Array | None = None) -> Solution:
    """Solve the fixed point from a guess, or else along a path.

    MAX_MARGIN takes ridge 1, which only sets the scale of V. A kink is hardened at a firm ridge, for its weights to be
    small at the beginning, and then the ridge comes down.
    """
    ridge = 1.0 if problem.loss == MAX_MARGIN else problem.ridge
    spent = 0
    if guess is not None:
        x = np.array(guess, dtype=np.float64)
        residual, spent = newton(problem, ridge, 0.0, x)
        if residual <= ACCEPTED:
            return Solution(x, residual, spent)
    scale = max(1.0, problem.largest_square)
    if problem.loss not in (HINGE, MAX_MARGIN):
        level = 10.0 * scale
        found = _descend(problem, ridge, level, _start(problem, level + ridge, 0.0), softening=False)
        if not found.found and problem.anchor > 0.0:
            spent += found.evaluations
            found = _release(problem, ridge)
        return found._replace(evaluations=spent + found.evaluations)
    firm = ridge if problem.loss == MAX_MARGIN else max(ridge, FIRM)
    softness = max(10.0 * scale / firm, 10.0)
    if problem.anchor > 0.0:  # soft enough for the anchor to hold the head
        softness = max(softness, 1e3 * scale / problem.anchor)
    found = _descend(problem, firm, softness, _start(problem, firm, softness), softening=True)
    spent += found.evaluations
    if firm > ridge and found.found and np.isfinite(found.x).all():
        found = _descend(problem, ridge, firm - ridge, found.x, softening=False)
        spent += found.evaluations
    return found._replace(evaluations=spent)


def _descend(problem: ProportionalProblem, ridge: float, level: float, x: Array, *, softening: bool) -> Solution:
    """Take `level` down to 0 from x near the solution there.

    The level is a softness if `softening`, else a ridge beside `ridge`. A step is a decade or less, started at the
    secant through the two solutions before it, and shorter after it failed.

    The hinge has a phase in which its weights are exactly zero and its bias +-1, whatever the ridge: where the heavier
    class can balance the lighter one from within its own margin. There all unknowns shrink in proportion to the
    softness; x then has u = 0, b = +-1 and log q = log V = -inf, and the residual is that of the last softness.
    """
    guess, before = x.copy(), x
    old, last, target = 0.0, 0.0, level
    decades, solved, spent = 1.0, 0, 0
    smallest = float(problem.noise_std.min()) ** 2  # a softness counts against sigma_g^2 V
    close = 1e-2  # what is negligible, so that nothing more is to be gained on the way to 0
    while spent < MOST and close > 1e-9:
        residual, used = newton(problem, ridge if softening else ridge + target, target if softening else 0.0, guess)
        spent += used
        if residual <= ACCEPTED:
            before, x = x, guess
            if target == 0.0:
                return Solution(x, residual, spent)
            old, last = last, target
            solved += 1
            if softening and problem.loss == HINGE and solved > 1 and _vanishing(x, before, log(last / old)):
                b = np.copysign(1.0, x[-3])
                return Solution(np.append(np.zeros(len(x) - 3), [b, -inf, -inf]), residual, spent)
            decades = min(1.0, 1.6 * decades)
        elif solved == 0 or decades < SHORTEST:
            break
        elif target == 0.0:
            close *= 1e-2
        else:
            decades *= 0.4
        negligible = close * (smallest * exp(x[-1]) if softening else max(ridge, 1e-7))
        target = last * 10.0**-decades if last > negligible else 0.0
        ahead = log(target / last) / log(last / old) if solved > 1 and target > 0.0 else 0.0
        guess = x + (x - before) * ahead
    return Solution(x, inf, spent)


def _release(problem: ProportionalProblem, ridge: float) -> Solution:
    """Take the anchor down from where it holds the head at the centre, with steps as `_descend` takes them.

    For weights that a ridge's path cannot start from: rows that an earlier head gives nearly all of the weight.
    """
    k = problem.means.shape[1]
    x = np.append(problem.centre, [0.0, 0.0])
    curvature = float((problem.shares * problem.weights) @ problem.squares)
    total = max(problem.anchor, HELD * curvature) + ridge
    pull = np.maximum(_pull(problem, problem.labels * (problem.means @ x[:k] + x[k])), 1e-100)
    square = float((problem.shares * problem.noise_std**2) @ pull**2)
    first, second = (float(problem.eigenvalue_shares @ problem.eigenvalues**power) for power in (1, 2))
    x[k + 1 :] = 0.5 * log(problem.ratio * square * second) - log(total), log(problem.ratio * first / total)
    x[:k] *= (total - ridge) / total
    before, held, decades, step, spent = x, total - ridge, 0.0, 0.0, 0
    while spent < MOST:
        target = max(problem.anchor, held * 10.0**-decades)
        guess = x + (x - before) * (log(target / held) / step if step < 0.0 else 0.0)
        residual, used = newton(problem._replace(anchor=target), ridge, 0.0, guess)
        spent += used
        if residual <= ACCEPTED:
            step = log(target / held) if decades > 0.0 else 0.0
            before, x, held = x, guess, target
            if target == problem.anchor:
                return Solution(x, residual, spent)
            decades = min(1.0, 1.6 * decades) if decades > 0.0 else 1.0
        elif decades < SHORTEST:
            break
        else:
            decades *= 0.4
    return Solution(x, inf, spent)


def _vanishing(x: Array, before: Array, step: float) -> bool:
    """Whether all weights are small and have followed the softness over a `step` < 0 in its logarithm."""
    if x[-2] >= VANISHED:
        return False
    followed = abs(x[-2] - before[-2] - step) < 0.02 * abs(step)
    u, u_before = float(np.abs(x[:-3]).max(initial=0.0)), float(np.abs(before[:-3]).max(initial=0.0))
    return bool(followed and u <= 1.1 * exp(step) * u_before and u < exp(VANISHED / 2))


def _start(problem: ProportionalProblem, ridge: float, softness: float) -> Array:
    """x (k + 3,) of the asymptotic solution at a large ridge, or at a large softness of a kink, if that is above 0.

    There w = sum_i om_i |l'(y_i b)| y_i x_i / (n ridge) is small, the slope divided by the softness, and b solves the
    problem without features; a soft kink leaves the head where ridge and anchor hold it.
    """
    y, pi = problem.labels, problem.shares
    k = problem.means.shape[1]
    u, b, hardness = np.zeros(k), _bias_alone(problem), ridge
    if softness > 0.0:
        hardness = (ridge + problem.anchor) * softness
        if problem.anchor > 0.0:
            u, b = problem.centre[:k] * problem.anchor / (problem.anchor + ridge), float(problem.centre[k])
    # Where an anchor holds every margin beyond the kink, only the tails pull.
    pull = np.maximum(_pull(problem, y * (problem.means @ u + b)), 1e-3)
    u = u + (pi * pull * y) @ problem.means / hardness
    square = float((pi * problem.noise_std**2) @ pull**2)
    first, second = (float(problem.eigenvalue_shares @ problem.eigenvalues**power) for power in (1, 2))
    log_q = 0.5 * log(problem.ratio * square * second) - log(hardness)
    log_V = log(problem.ratio * first / hardness) + (log(softness) if softness > 0.0 else 0.0)
    return np.append(u, [b, log_q, log_V])


def _bias_alone(problem: ProportionalProblem) -> float:
    """The b that minimises the loss of f = b, where sum_g pi_g y_g pull_g, which falls in b, is zero.

    Of one class alone, which an anchor must hold, the loss and the anchor's pull to the centre's bias.
    """
    signed = problem.shares * problem.labels

    def pull(b: float) -> float:
        return float(signed @ _pull(problem, problem.labels * b))

    weighted = problem.labels[problem.weights > 0]
    if problem.anchor > 0.0 and (weighted == weighted[0]).all():
        centre = float(problem.centre[-1])
        furthest = centre + pull(centre) / problem.anchor
        ends = sorted((centre, furthest))
        return float(brentq(lambda b: pull(b) - problem.anchor * (b - centre), *ends)) if furthest != centre else centre
    reach = float(problem.margins.max())
    if problem.loss == LOGISTIC:
        reach = float(((50.0 + np.abs(problem.shifts)) / problem.scales).max())
    while problem.loss == LOGISTIC and pull(-reach) * pull(reach) > 0.0 and reach < FURTHEST:
        reach *= 2.0  # a rule may leave one class next to no weight
    return float(brentq(pull, -reach, reach, xtol=1e-6))


def _pull(problem: ProportionalProblem, margin: Array) -> Array:
    """(G,) -om l' at each group's margin; of a softened kink at unit softness."""
    if problem.loss == LOGISTIC:
        return problem.scales * problem.weights * expit(problem.shifts - problem.scales * margin)
    if problem.loss in (HINGE, MAX_MARGIN):
        kink = problem.margins if problem.loss == MAX_MARGIN else 1.0
        return np.maximum(kink - margin, 0.0)
    return problem.weights * np.maximum(1.0 - margin, 0.0)
