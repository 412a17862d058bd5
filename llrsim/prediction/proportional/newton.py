"""Newton's method on the equations of the fixed point (T9)."""

from math import inf

import numpy as np

from ..._jit import kernel, private
from .equations import equations

TOLERANCE = 1e-12  # relative residual aimed at; rounding may stop a little above
ACCEPTED = 1e-10
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
