"""The path to the fixed point from where it is easy to find: a large ridge, or a kink that is very soft (T9).

Newton alone goes astray where the signal is strong or the data are nearly separable. Along a path in the logarithm of
the ridge, or of the softness, each solution is close to the one before it. This is Python around one kernel: the path
has a dozen calls, and compiling it would take longer than all of a day's paths.
"""

from __future__ import annotations

from math import exp, inf, log
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from ...losses import HINGE, LOGISTIC, MAX_MARGIN
from ...mixture import Array
from .newton import ACCEPTED, newton
from .problem import ProportionalProblem

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
