"""Newton's method on the fixed point, and the path that leads to it from a point where it is easy (T9)."""

from math import exp, inf, log

import numpy as np

from ..._jit import kernel, private
from ...losses import HINGE, LOGISTIC, MAX_MARGIN
from .equations import equations

TOLERANCE = 1e-12  # relative residual aimed at; rounding may stop a little above
ACCEPTED = 1e-10
VANISHED = -9.0  # log q below which weights in proportion to the softness are taken to shrink to nothing
MOST = 30  # evaluations of the equations
LONGEST = 2.0  # step in log q and log V


@private
def solve_linear(matrix, rhs):
    """Solve in place by elimination with scaled partial pivoting; False where the matrix is singular or not finite."""
    n = rhs.size
    for i in range(n):
        largest = 0.0
        for j in range(n):
            largest = max(largest, abs(matrix[i, j]))
        if not 0.0 < largest < inf:
            return False
        for j in range(n):
            matrix[i, j] /= largest
        rhs[i] /= largest
    for column in range(n):
        pivot = column
        for i in range(column + 1, n):
            if abs(matrix[i, column]) > abs(matrix[pivot, column]):
                pivot = i
        if not abs(matrix[pivot, column]) > 1e-300:
            return False
        if pivot != column:
            for j in range(n):
                matrix[column, j], matrix[pivot, j] = matrix[pivot, j], matrix[column, j]
            rhs[column], rhs[pivot] = rhs[pivot], rhs[column]
        for i in range(column + 1, n):
            factor = matrix[i, column] / matrix[column, column]
            if factor != 0.0:
                for j in range(column + 1, n):
                    matrix[i, j] -= factor * matrix[column, j]
                rhs[i] -= factor * rhs[column]
    for i in range(n - 1, -1, -1):
        for j in range(i + 1, n):
            rhs[i] -= matrix[i, j] * rhs[j]
        rhs[i] /= matrix[i, i]
    return True


@kernel
def newton(problem, ridge, softness, x):
    """Newton from x (p + 2,), which it moves; (relative residual, evaluations). inf where it got stuck.

    Steps in log q and log V are bounded, and a step that does not lessen the residual is shortened.
    """
    n = x.size
    step, jacobian, trial = np.empty(n), np.empty((n, n)), x.copy()
    residual = np.empty(n)
    miss, length = inf, 0.0
    for used in range(1, MOST + 1):
        found = equations(problem, ridge, softness, 1.0, trial, residual, jacobian)
        if found < miss * (1.0 - 0.1 * length):
            miss = found
            for i in range(n):  # a slice assigned to a slice takes seconds to compile
                x[i], step[i] = trial[i], residual[i]
            if miss <= TOLERANCE:
                return miss, used
            if not solve_linear(jacobian, step):
                return inf, used
            furthest = max(abs(step[n - 2]), abs(step[n - 1]))
            if not furthest < inf:
                return inf, used
            length = min(1.0, LONGEST / furthest) if furthest > 0.0 else 1.0
        elif miss <= ACCEPTED:  # as far as rounding allows
            return miss, used
        elif length < 0.02:
            return inf, used
        else:
            length *= 0.4
        for i in range(n):
            trial[i] = x[i] - length * step[i]
    return inf, MOST


@private
def _pull(problem, g, b):
    """-om l' of group g at the margin y b; of a softened kink at unit softness."""
    margin = problem.labels[g] * b
    if problem.loss == LOGISTIC:
        scale = problem.scales[g]
        return scale * problem.weights[g] / (1.0 + exp(min(scale * margin - problem.shifts[g], 700.0)))
    if problem.loss == HINGE:
        return max(1.0 - margin, 0.0)
    if problem.loss == MAX_MARGIN:
        return max(problem.margins[g] - margin, 0.0)
    return problem.weights[g] * max(1.0 - margin, 0.0)


@private
def _bias_alone(problem):
    """The b that minimises the loss of f = b, by bisection: sum_g pi_g y_g pull_g falls in b."""
    low, high = -1.0, 1.0
    for g in range(problem.shares.size):
        log_odds = (50.0 + abs(problem.shifts[g])) / problem.scales[g]
        reach = log_odds if problem.loss == LOGISTIC else problem.margins[g]
        low, high = min(low, -reach), max(high, reach)
    for _ in range(60):
        b = 0.5 * (low + high)
        total = 0.0
        for g in range(problem.shares.size):
            total += problem.shares[g] * problem.labels[g] * _pull(problem, g, b)
        low, high = (b, high) if total > 0.0 else (low, b)
    return 0.5 * (low + high)


@private
def start(problem, ridge, softness, x):
    """Write into x the asymptotic solution at a large ridge, or at a large softness of a kink, if that is above 0.

    There w = sum_i om_i |l'(y_i b)| y_i x_i / (n ridge) is small, the slope divided by the softness, and b solves the
    problem without features; a soft kink leaves the head where ridge and anchor hold it.
    """
    p = x.size - 2
    b = _bias_alone(problem)
    hardness = ridge * softness if softness > 0.0 else ridge
    square, first, second = 0.0, 0.0, 0.0
    x[:p] = 0.0
    if softness > 0.0 and problem.anchor > 0.0:
        hardness += problem.anchor * softness
        b = problem.centre[p - 1]
        for i in range(p - 1):
            x[i] = problem.centre[i] * problem.anchor / (problem.anchor + ridge)
    for g in range(problem.shares.size):
        y, mean = problem.labels[g], b
        for i in range(p - 1):
            mean += problem.means[g, i] * x[i]
        pull = y * _pull(problem, g, mean)
        for i in range(p - 1):
            x[i] += problem.shares[g] * pull * problem.means[g, i] / hardness
        square += problem.shares[g] * problem.noise_std[g] ** 2 * pull * pull
    for j in range(problem.eigenvalues.size):
        first += problem.eigenvalue_shares[j] * problem.eigenvalues[j]
        second += problem.eigenvalue_shares[j] * problem.eigenvalues[j] ** 2
    x[p - 1] = b
    x[p] = 0.5 * log(problem.ratio * square * second) - log(hardness)
    x[p + 1] = log(problem.ratio * first / hardness)
    if softness > 0.0:
        x[p + 1] += log(softness)


@kernel
def descend(problem, ridge, level, softening, x):
    """Take `level` down to 0 from a guess x near the solution there; (relative residual, evaluations), inf if lost.

    The level is a softness if `softening`, else a ridge beside `ridge`. A step is a decade or less, started at the
    secant through the two solutions before it; a failed one is halved.

    The hinge has a phase in which its weights are exactly zero and its bias +-1, whatever the ridge: where the heavier
    class can balance the lighter one from within its own margin. There all unknowns shrink in proportion to the
    softness; x then has u = 0, b = +-1 and log q = log V = -inf, and the residual is that of the last softness.
    """
    n = x.size
    before, guess = x.copy(), x.copy()
    old, last, target = 0.0, 0.0, level
    decades, solved, spent = 1.0, 0, 0
    least = inf  # smallest sigma_g^2: a softness counts against sigma_g^2 V
    for g in range(problem.shares.size):
        least = min(least, problem.noise_std[g] ** 2)
    close = 1e-2  # what is negligible, so that nothing more is to be gained on the way to 0
    while spent < 3000 and close > 1e-9:
        miss, used = newton(problem, ridge if softening else ridge + target, target if softening else 0.0, guess)
        spent += used
        if miss <= ACCEPTED:
            for i in range(n):
                before[i], x[i] = x[i], guess[i]
            if target == 0.0:
                return miss, spent
            old, last = last, target
            solved += 1
            if (
                softening
                and problem.loss == HINGE
                and solved > 1
                and x[n - 2] < VANISHED
                and abs(x[n - 2] - before[n - 2] - log(last / old)) < 0.02 * log(old / last)
            ):
                x[: n - 3] = 0.0
                x[n - 3] = 1.0 if x[n - 3] > 0.0 else -1.0
                x[n - 2 :] = -inf
                return miss, spent
            decades = min(1.0, 1.6 * decades)
        elif solved == 0 or decades < 0.02:
            return inf, spent
        elif target == 0.0:
            close *= 1e-2
        else:
            decades *= 0.4
        negligible = close * (least * exp(x[n - 1]) if softening else max(ridge, 1e-7))
        target = last * 10.0**-decades if last > negligible else 0.0
        ahead = log(target / last) / log(last / old) if solved > 1 and target > 0.0 else 0.0
        for i in range(n):
            guess[i] = x[i] + (x[i] - before[i]) * ahead
    return inf, spent


@kernel
def solve(problem, x, warm):
    """Solve the fixed point; (relative residual, evaluations). Moves x (p + 2,), which is a guess if `warm`.

    The residual is inf where no solution was found; x is then of no use. MAX_MARGIN takes ridge 1, which only sets
    the scale of V.
    """
    ridge = 1.0 if problem.loss == MAX_MARGIN else problem.ridge
    kinked = problem.loss == HINGE or problem.loss == MAX_MARGIN
    scale = 1.0
    for g in range(problem.shares.size):
        size = problem.noise_std[g] ** 2 * (1.0 + problem.ratio)
        for i in range(x.size - 3):
            size += problem.means[g, i] ** 2 + problem.covariances[g, i, i]
        scale = max(scale, size)
    # A kink is hardened at a ridge firm enough for the weights to be small before the ridge comes down.
    firm = max(ridge, 0.1) if kinked else ridge
    miss, spent = inf, 0
    # One call in a loop: a call site costs seconds of compilation, as the callee is compiled into it.
    for phase in range(3):
        softening = phase == 1
        if (phase == 0 and not warm) or (phase == 1 and not kinked) or (phase == 2 and firm == ridge and kinked):
            continue
        level, base = 0.0, ridge
        if phase == 1:
            level, base = 10.0 * scale / firm, firm
            if problem.anchor > 0.0:  # soft enough for the anchor to hold the head
                level = max(level, 1e3 * scale / problem.anchor)
        elif phase == 2:
            level = firm - ridge if kinked else 10.0 * scale
        if phase == 1 or (phase == 2 and not kinked):
            start(problem, firm if kinked else level + ridge, level if kinked else 0.0, x)
        miss, used = descend(problem, base, level, softening, x)
        spent += used
        if (phase == 0 and miss <= ACCEPTED) or (phase == 1 and (miss > ACCEPTED or x[x.size - 1] == -inf)):
            break
    return miss, spent
