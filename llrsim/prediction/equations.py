"""State the fixed-point equations of the proportional limit (T8), and Newton's method on them (T9)."""

from math import exp, inf, log, sqrt

import numpy as np

from .._jit import kernel, private
from .envelope import moments

# The fixed-point equations of the proportional limit and their exact Jacobian (T8).
#
# Unknowns x = (u, b, log q, log V). With a = y_g (u.m_g + b) + sqrt(u'S_g u + sigma_g^2 q^2) G and the envelope M_g at
# parameter sigma_g^2 V,
#
#     sum_g pi_g (E M' y_g m_g + E M'' S_g u) + ridge u + anchor (u - u0) = 0,
#     sum_g pi_g y_g E M' + anchor (b - b0) = 0,
#     V = delta sum_j share_j e_j / D_j,    q^2 = delta (sum_g pi_g sigma_g^2 E M'^2) sum_j share_j e_j^2 / D_j^2,
#     D_j = ridge + anchor + nu e_j,    nu = sum_g pi_g sigma_g^2 E M''.
#
# The last two are solved as logarithms. Loureiro et al. (2106.03791), Mignacco et al. (2006.06560).


HELD = 1e-9  # least derivative of the bias's equation in the bias, beside the sizes of its terms


@kernel
def equations(problem, ridge, softness, refinement, x, residual, jacobian):
    """Write the residual (p + 2,) and Jacobian (p + 2, p + 2) at x, p = k + 1; return the relative residual.

    That is the largest entry, each of the first p over the sum of its terms' sizes. `ridge` stands in for that of
    the problem; `softness` and `refinement` are those of `envelope.moments`. Where no margin reaches the kink of a
    hinge, nothing determines the bias: HELD in its place of the Jacobian lets Newton leave it about where it is.
    """
    p = x.size - 2
    q, V = exp(x[p]), exp(x[p + 1])
    noise_penalty = ridge + problem.anchor
    image, size = np.empty(p), np.zeros(p)
    curvature_sum, square_sum = 0.0, 0.0  # nu, and sum_g pi_g sigma_g^2 E M'^2, with their derivatives in x
    d_curvature, d_square = np.zeros(p + 2), np.zeros(p + 2)
    residual[:] = 0.0
    jacobian[:] = 0.0
    for g in range(problem.shares.size):
        y, pi, sigma2 = problem.labels[g], problem.shares[g], problem.noise_std[g] ** 2
        mean, variance = y * x[p - 1], sigma2 * q * q
        for i in range(p - 1):
            mean += y * problem.means[g, i] * x[i]
            image[i] = 0.0
            for j in range(p - 1):
                image[i] += problem.covariances[g, i, j] * x[j]
            variance += image[i] * x[i]
        image[p - 1] = 0.0
        s, t = sqrt(variance), sigma2 * V
        if problem.weights[g] > 0.0:
            e = moments(problem, g, mean, s, t, softness, refinement)
            # Derivatives in the envelope's parameter: dM'/dt = -M' M'', and Stein's lemma.
            slope_t, curvature_t, square_t = -e.product, -e.product_x / s, -2.0 * e.cubic
            curvature_mean, curvature_s = e.curvature_x / s, e.curvature_xx / s
            s_q = sigma2 * q * q / s
            for i in range(p):
                along = y * (problem.means[g, i] if i < p - 1 else 1.0)
                residual[i] += pi * (e.slope * along + e.curvature * image[i])
                size[i] += pi * (abs(e.slope * along) + abs(e.curvature * image[i]))
                for j in range(p):
                    mean_j = y * (problem.means[g, j] if j < p - 1 else 1.0)
                    s_j = image[j] / s
                    entry = along * (e.curvature * mean_j + e.curvature_x * s_j)
                    entry += image[i] * (curvature_mean * mean_j + curvature_s * s_j)
                    if i < p - 1 and j < p - 1:
                        entry += e.curvature * problem.covariances[g, i, j]
                    jacobian[i, j] += pi * entry
                jacobian[i, p] += pi * s_q * (along * e.curvature_x + image[i] * curvature_s)
                jacobian[i, p + 1] += pi * t * (along * slope_t + image[i] * curvature_t)
                mass = pi * sigma2
                d_curvature[i] += mass * (curvature_mean * along + curvature_s * image[i] / s)
                d_square[i] += 2.0 * mass * (e.product * along + e.product_x * image[i] / s)
            mass = pi * sigma2
            curvature_sum += mass * e.curvature
            square_sum += mass * e.square
            d_curvature[p] += mass * curvature_s * s_q
            d_curvature[p + 1] += mass * curvature_t * t
            d_square[p] += 2.0 * mass * e.product_x * s_q
            d_square[p + 1] += mass * square_t * t
    for i in range(p):
        own = ridge if i < p - 1 else 0.0
        residual[i] += own * x[i] + problem.anchor * (x[i] - problem.centre[i])
        size[i] += abs(own * x[i]) + problem.anchor * abs(x[i] - problem.centre[i])
        jacobian[i, i] += own + problem.anchor
    if jacobian[p - 1, p - 1] < HELD * size[p - 1]:
        jacobian[p - 1, p - 1] += HELD * size[p - 1]
    first, second, third = 0.0, 0.0, 0.0  # sum_j share_j (e_j / D_j)^r
    for j in range(problem.eigenvalues.size):
        eigenvalue, share = problem.eigenvalues[j], problem.eigenvalue_shares[j]
        ratio = eigenvalue / (noise_penalty + curvature_sum * eigenvalue)
        first += share * ratio
        second += share * ratio * ratio
        third += share * ratio * ratio * ratio
    residual[p] = 2.0 * x[p] - log(problem.ratio * square_sum * second)
    residual[p + 1] = x[p + 1] - log(problem.ratio * first)
    for j in range(p + 2):
        jacobian[p, j] = 2.0 * third / second * d_curvature[j] - d_square[j] / square_sum
        jacobian[p + 1, j] = second / first * d_curvature[j]
    jacobian[p, p] += 2.0
    jacobian[p + 1, p + 1] += 1.0
    worst = max(abs(residual[p]), abs(residual[p + 1]))
    for i in range(p):
        if size[i] > 0.0:
            worst = max(worst, abs(residual[i]) / size[i])
    return worst


# Newton's method on the equations of the fixed point (T9).


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
