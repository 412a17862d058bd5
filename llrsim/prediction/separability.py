"""Rows a coordinate up to which the data are linearly separable, with high probability (T12).

Above the threshold losses without a penalty have their minimum, and hard margins do not exist. Candès & Sur
(1804.09753); Montanari, Ruan, Sohn & Yan (1911.01544); Kini et al. (2103.01550) for groups.
"""

from __future__ import annotations

from math import inf, sqrt
from typing import NamedTuple

import numpy as np

from .._jit import kernel
from ..model.gaussian import cumulative, density, positive_part, squared_positive_part
from ..model.mixture import Array
from .equations import solve_linear
from .problem import ProportionalProblem

LARGEST = 1e16  # thresholds beyond it are infinite: one over them is rounding
LEAST_NOISE = 1e-6  # of the largest noise scale; groups with less are given this much
ROUNDING = 1e-14  # added to the Hessian's diagonal, in proportion, for directions in which nothing varies
TOLERANCE = 1e-13  # of the threshold, relative; the next Newton step squares what is left
MOST = 300  # Newton steps
SHORTEST = 1e-8  # part of a Newton step that is given up on


class Separability(NamedTuple):
    """The threshold and the head that attains it.

    Attributes:
        threshold: alpha* = n/d below which data are separable; inf where they always are.
        signal: (k,) u, and
        bias: b of the head (u, b, q = 1) that needs the most rows to be ruled out; where Newton stood at inf.
        certificate: Newton decrement, squared and halved, over the minimum: the relative error of the threshold.
    """

    threshold: float
    signal: Array
    bias: float
    certificate: float


def threshold(problem: ProportionalProblem) -> Separability:
    """The separability threshold of a problem's rows; loss, penalties, ratio, margins and positive weights have no say.

    Only the coordinates whose noise eigenvalue is positive count: on those, a spectrum is a change of coordinates.
    Groups of weight zero are left out. One class alone is always separable.

    >>> from llrsim.model.losses import Loss
    >>> from llrsim.model.mixture import GroupMixture
    >>> noise_alone = GroupMixture.of(means=[[0.0]] * 4, covariances=[[1.0]], noise_dim=50)
    >>> round(threshold(ProportionalProblem.of(noise_alone, Loss.LOGISTIC, counts=[5, 5, 5, 5])).threshold, 9)
    2.0
    """
    problem = noisy(problem)
    theta = np.zeros(problem.means.shape[1] + 2)
    theta[-1] = 1.0
    least, error = least_shortfall(problem, theta)
    noise = problem.eigenvalue_shares[problem.eigenvalues > 0.0].sum()
    alpha = float(noise / least) if least * LARGEST > 1.0 else inf
    return Separability(alpha, theta[:-2], float(theta[-2]), error)


def separable(problem: ProportionalProblem) -> bool:
    """Whether the n rows of a problem in d = ratio n noise coordinates are separable, with high probability."""
    return bool(threshold(problem).threshold * problem.ratio > 1.0)


def noisy(problem: ProportionalProblem) -> ProportionalProblem:
    """The problem with every noise scale positive; where all are zero, with unit scales and a spectrum of zero."""
    std = problem.noise_std
    if std.max() == 0.0:
        return problem._replace(noise_std=np.ones_like(std), eigenvalues=np.zeros_like(problem.eigenvalues))
    return problem._replace(noise_std=np.maximum(std, LEAST_NOISE * std.max()))


@kernel
def shortfall(problem, theta, demand, gradient, hessian):
    """H at theta = (u, b, q), convex; writes its gradient (k + 2,) and Hessian (k + 2, k + 2).

    H = sum_g pi_g E (t_g G + c_g)_+^2,  t_g^2 = q^2 + u'S_g u / sigma_g^2,
    c_g = (demand kappa_g - y_g (u.m_g + b)) / sigma_g:

    the mean square by which margins miss demand kappa_g, in units of the group's noise. In (c, T = t^2) the expectation
    has derivatives 2 E (tG + c)_+ and Phi(c/t), and second derivatives 2 Phi, phi/t and -phi c/(2 t^3) at c/t.
    """
    p = theta.size
    k, q = p - 2, theta[p - 1]
    in_c, in_T = np.zeros(p), np.zeros(p)
    total = 0.0
    gradient[:] = 0.0
    hessian[:, :] = 0.0
    for g in range(problem.shares.size):
        if problem.weights[g] == 0.0:
            continue
        pi, inverse = problem.shares[g], 1.0 / problem.noise_std[g]
        signed = problem.labels[g] * inverse
        c, T = problem.margins[g] * demand * inverse - signed * theta[k], q * q
        for i in range(k):
            image = 0.0
            for j in range(k):
                image += problem.covariances[g, i, j] * theta[j]
            image *= inverse * inverse
            T += image * theta[i]
            c -= signed * problem.means[g, i] * theta[i]
            in_c[i], in_T[i] = -signed * problem.means[g, i], 2.0 * image
        in_c[k], in_T[k + 1] = -signed, 2.0 * q
        t = sqrt(T)
        below, at = cumulative(c / t), density(c / t)
        slope, cross, bend = 2.0 * positive_part(c, t), at / t, -0.5 * at * c / (t * T)
        total += pi * squared_positive_part(c, t)
        for i in range(p):
            gradient[i] += pi * (slope * in_c[i] + below * in_T[i])
            for j in range(i + 1):
                second = 2.0 * below * in_c[i] * in_c[j] + bend * in_T[i] * in_T[j]
                second += cross * (in_c[i] * in_T[j] + in_T[i] * in_c[j])
                if i < k:
                    second += 2.0 * below * inverse * inverse * problem.covariances[g, i, j]
                elif i == j == k + 1:
                    second += 2.0 * below
                hessian[i, j] += pi * second
    for i in range(p):
        for j in range(i):
            hessian[j, i] = hessian[i, j]
    return total


@kernel
def least_shortfall(problem, theta):
    """Minimise H over (u, b), from and into theta = (u, b, q) at fixed q; (minimum, its relative error).

    Damped Newton. In its exponential tails a Newton step is far too short, so steps are doubled while they pay. Stops
    at 1 / LARGEST, below which the infimum counts as zero.
    """
    p = theta.size
    gradient, hessian = np.empty(p), np.empty((p, p))
    ahead_gradient, ahead_hessian = np.empty(p), np.empty((p, p))
    step, matrix, trial = np.empty(p - 1), np.empty((p - 1, p - 1)), theta.copy()
    value = shortfall(problem, theta, 0.0, gradient, hessian)
    decrement = inf
    for _ in range(MOST):
        if value * LARGEST <= 1.0:
            return value, 0.0
        for i in range(p - 1):
            step[i] = gradient[i]
            for j in range(p - 1):
                matrix[i, j] = hessian[i, j]
            matrix[i, i] += ROUNDING * matrix[i, i] + 1e-300
        if not solve_linear(matrix, step):
            break
        decrement = 0.0
        for i in range(p - 1):
            decrement += gradient[i] * step[i]
        length, accepted = 1.0, 0.0
        while length >= SHORTEST:
            for i in range(p - 1):
                trial[i] = theta[i] - length * step[i]
            ahead = shortfall(problem, trial, 0.0, ahead_gradient, ahead_hessian)
            if ahead <= value - 1e-4 * length * decrement + 1e-15 * value:
                accepted, value = length, ahead
                if length < 1.0 or decrement < 0.01 * value:
                    break
                length *= 2.0
            elif accepted > 0.0:
                break
            else:
                length *= 0.25
        if accepted == 0.0:
            break
        for i in range(p - 1):
            theta[i] -= accepted * step[i]
        value = shortfall(problem, theta, 0.0, gradient, hessian)
        if decrement <= TOLERANCE * value:
            break
    return value, 0.5 * decrement / value
