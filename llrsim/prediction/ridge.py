"""Weighted ridge in the proportional limit: one scalar equation, then one linear solve (T8 squared, T10).

A row of group g counts with the effective weight

    c_g = pi_g om_g / (1 + om_g sigma_g^2 V),     V = delta sum_j s_j e_j / (a + nu e_j),     nu = sum_g sigma_g^2 c_g,

a = ridge + anchor, s_j the share of the noise eigenvalue e_j. The head (u, b) is that of population least squares under
these weights, and its noise part follows from the residuals. Sources: Thrampoulidis, Abbasi & Hassibi (1601.06233),
Loureiro et al. (2106.03791).
"""

from __future__ import annotations

from math import inf, sqrt
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

from .._jit import kernel, private
from ..model.losses import CONVERGED, NOT_CONVERGED, SEPARABLE, Status
from ..model.mixture import Array
from .problem import ProportionalProblem

TOLERANCE = 1e-10  # of the certificate
MAX_ITERATIONS = 100
ROUNDING = 1e-15  # stands for no ridge, beside the variance of the noise; eigenvalues this small are zeros


class RidgeHead(NamedTuple):
    """A head in the proportional limit.

    Attributes:
        signal: (k,) u.
        bias: b.
        noise_norm: |v|.
        noise_spread: q, q^2 = v' diag(e) v.
        response: V; a unit pull on one row moves its own logit by sigma_g^2 V. inf where SEPARABLE.
        effective_weights: (G,) c_g; up to a factor where SEPARABLE, since they vanish as V grows.
        certificate: largest relative residual of the equations.
        status: CONVERGED, SEPARABLE or NOT_CONVERGED.
    """

    signal: Array
    bias: float
    noise_norm: float
    noise_spread: float
    response: float
    effective_weights: Array
    certificate: float
    status: Status


def ridge_head(problem: ProportionalProblem) -> RidgeHead:
    """The minimiser of the squared-loss objective, whatever loss `problem` has (T8, T10).

    SEPARABLE: nothing is penalised and rows of positive weight are no more than noise coordinates of positive variance,
    so that minimisers are many. The head is then the limit ridge -> 0, the interpolator of least norm, which no weights
    change; where the two numbers are equal its norm is infinite, and a very large one is given. A signal direction
    without spread gets the weight of least norm too.

    >>> from llrsim.model.losses import Loss
    >>> from llrsim.model.mixture import GroupMixture
    >>> toy = GroupMixture.of(means=[[-1.0], [-1.0], [1.0], [1.0]], covariances=[[1.0]], noise_dim=50)
    >>> problem = ProportionalProblem.of(toy, Loss.SQUARED, counts=[40, 10, 10, 40], ridge=0.1)
    >>> head = ridge_head(problem)
    >>> round(float(head.signal[0]), 6), round(head.noise_spread, 6), round(head.response, 6)
    (0.459947, 0.535115, 0.741657)
    """
    theta, weights = np.empty(len(problem.centre)), np.empty(len(problem.shares))
    response, norm, spread, certificate, status = solve(problem, theta, weights)
    if status == SEPARABLE:
        response = inf
    return RidgeHead(theta[:-1], theta[-1], norm, spread, response, weights, certificate, Status(status))


def balanced_direction_weights(problem: ProportionalProblem) -> Array:
    """(G,) weights om_g under which every group has the same effective weight c_g = c, so that T10 balances the means.

        om_g = c / (pi_g - c sigma_g^2 V),    V = delta sum_j s_j e_j / (a + c e_j sum_g sigma_g^2),

    c fixed by sum pi_g om_g = 1; the problem's own weights are not used. They are 1/(G pi_g) where delta = 0, more
    uneven than that elsewhere, and not the weights of best WGA. With a = ridge + anchor > 0 they exist always; at a = 0
    a group of n_g rows cannot count for its share of the noise's dimensions unless pi_g > delta sigma_g^2 / sum
    sigma_g^2. Raises ValueError, naming the ridge, where they do not exist.

    >>> from llrsim.model.losses import Loss
    >>> from llrsim.model.mixture import GroupMixture
    >>> toy = GroupMixture.of(means=[[-1.0], [-1.0], [1.0], [1.0]], covariances=[[1.0]], noise_dim=50)
    >>> problem = ProportionalProblem.of(toy, Loss.SQUARED, counts=[40, 10, 10, 40], ridge=0.1)
    >>> balanced_direction_weights(problem).round(4).tolist()
    [0.181, 4.2762, 4.2762, 0.181]
    """
    shares, variances = problem.shares, problem.noise_std**2
    strength = problem.ridge + problem.anchor
    eigenvalues = problem.eigenvalues[problem.eigenvalues > 0]
    parts = problem.eigenvalue_shares[problem.eigenvalues > 0]

    noise = float(parts @ eigenvalues)

    def pull(c: float) -> float:
        """c V, which rises with c from 0 at c = 0, or is constant where nothing is penalised."""
        return problem.ratio * float(parts @ (eigenvalues / (strength / c + eigenvalues * variances.sum())))

    def slack(c: float) -> float:
        """1 / sum pi_g om_g - 1, which falls with c; -1 where a weight would be infinite or negative."""
        left = shares - pull(c) * variances
        return 1.0 / float(shares @ (c / left)) - 1.0 if left.min() > 0.0 else -1.0

    largest = float((shares / variances).min())
    if strength == 0.0 and pull(1.0) >= largest:
        raise ValueError(
            f"ridge: 0 with d/n = {problem.ratio:g}; the smallest group has too few rows for any weight to balance it;"
            f" expected a ridge > 0 or d/n < {problem.ratio * largest / pull(1.0):g}"
        )
    # om_g >= c / pi_g, so that c <= 1/G; and where c V is at most half its largest value, om_g <= 2 c / pi_g.
    high = 1.0 / len(shares)
    low = 0.5 * (high if strength == 0.0 else min(high, largest * strength / (problem.ratio * noise)))
    while slack(low) < 0.0:  # only without a penalty, where V c may be above half
        low *= 0.5
    c = brentq(slack, low, high, xtol=1e-15 * low, rtol=1e-14)
    return c / (shares - pull(c) * variances)


@private
def imbalance(problem, strength, V):
    """The equation of V, negative below its root, and its derivative; for real and complex a = `strength` and V.

        1 / sum_j s_j e_j / (a V + rho e_j) - delta,   rho = V nu = sum_g pi_g t_g / (1 + t_g),   t_g = om_g sigma_g^2 V

    A harmonic mean of concave increasing functions of V, so for a >= 0 itself one.
    """
    rho, slope = 0.0 * V, 0.0 * V
    for g in range(problem.shares.size):
        scale = problem.weights[g] * problem.noise_std[g] ** 2
        inverse = 1.0 / (1.0 + scale * V)
        rho += problem.shares[g] * scale * V * inverse
        slope += problem.shares[g] * scale * inverse * inverse
    total, change = 0.0 * V, 0.0 * V
    for j in range(problem.eigenvalues.size):
        e = problem.eigenvalues[j]
        if e > 0.0:
            inverse = 1.0 / (strength * V + rho * e)
            total += problem.eigenvalue_shares[j] * e * inverse
            change += problem.eigenvalue_shares[j] * e * (strength + slope * e) * inverse * inverse
    return 1.0 / total - problem.ratio, change / (total * total)


@private
def solve_response(problem, strength):
    """V >= 0 for a real a = `strength` > 0, by Newton from below: on a concave function its steps never overshoot."""
    noise, V = 0.0, 0.0
    for g in range(problem.shares.size):
        noise += problem.shares[g] * problem.weights[g] * problem.noise_std[g] ** 2
    for j in range(problem.eigenvalues.size):
        e = problem.eigenvalues[j]
        V += problem.ratio * problem.eigenvalue_shares[j] * e / (strength + noise * e)
    if V == 0.0:
        return V
    for _ in range(MAX_ITERATIONS):
        value, slope = imbalance(problem, strength, V)
        V -= value / slope
        if not value < -ROUNDING * problem.ratio:
            break
    return V


@kernel
def solve(problem, theta, weights):
    """(V, |v|, q, certificate, status); writes the head (k + 1,) to `theta` and c_g (G,) to `weights`."""
    pi, sigma, y, m = problem.shares, problem.noise_std, problem.labels, problem.means
    S, e = problem.covariances, problem.eigenvalues
    groups, k = m.shape
    weighted = noise = 0.0
    for g in range(groups):
        weighted += pi[g] if problem.weights[g] > 0.0 else 0.0
        noise += pi[g] * problem.weights[g] * sigma[g] ** 2
    noisy = average = 0.0
    for j in range(e.size):
        noisy += problem.eigenvalue_shares[j] if e[j] > 0.0 else 0.0
        average += problem.eigenvalue_shares[j] * e[j]
    a = problem.ridge + problem.anchor
    status = SEPARABLE if a == 0.0 and problem.ratio * noisy >= weighted else CONVERGED
    a = max(a, ROUNDING * noise * average)
    V = solve_response(problem, a)
    certificate = abs(imbalance(problem, a, V)[0]) / problem.ratio if V > 0.0 else 0.0
    nu = 0.0
    for g in range(groups):
        weights[g] = pi[g] * problem.weights[g] / (1.0 + problem.weights[g] * sigma[g] ** 2 * V)
        nu += sigma[g] ** 2 * weights[g]
    certificate = max(certificate, _signal(problem, a, weights, theta))
    # E[M'^2] = (c_g / pi_g)^2 (r_g^2 + u'S_g u + sigma_g^2 q^2); what q^2 feeds back to itself is solved for.
    residual = feedback = 0.0
    for g in range(groups):
        r, variance = y[g] - theta[k], 0.0
        for i in range(k):
            r -= theta[i] * m[g, i]
            for j in range(k):
                variance += theta[i] * S[g, i, j] * theta[j]
        pull = (sigma[g] * weights[g]) ** 2 / pi[g]
        residual += pull * (r * r + variance)
        feedback += pull * sigma[g] ** 2
    spread = norm = 0.0
    for j in range(e.size):
        part = problem.ratio * problem.eigenvalue_shares[j] * e[j] / (a + nu * e[j]) ** 2 if e[j] > 0.0 else 0.0
        norm += part
        spread += part * e[j]
    residual /= 1.0 - spread * feedback
    if not certificate <= TOLERANCE:
        status = NOT_CONVERGED
    return V, sqrt(norm * residual), sqrt(spread * residual), certificate, status


@private
def _signal(problem, a, c, theta):
    """Writes (u, b), population least squares under the weights c (G,); returns the relative residual.

    Moments are taken about the mean: where groups nearly coincide, the difference of large numbers would lose them.
    """
    y, m, S, anchor, centre = problem.labels, problem.means, problem.covariances, problem.anchor, problem.centre
    groups, k = m.shape
    total = label = 0.0
    mean, moment, matrix = np.zeros(k), np.zeros(k), np.zeros((k, k))
    for g in range(groups):
        total += c[g]
        label += c[g] * y[g]
        for i in range(k):
            mean[i] += c[g] * m[g, i]
    label /= total
    for i in range(k):
        mean[i] /= total
    loose = total * anchor / (total + anchor)
    for i in range(k):
        moment[i] = loose * mean[i] * (label - centre[k]) + anchor * centre[i]
        for j in range(k):
            matrix[i, j] = loose * mean[i] * mean[j] + (a if i == j else 0.0)
    for g in range(groups):
        for i in range(k):
            shift = c[g] * (m[g, i] - mean[i])
            moment[i] += shift * (y[g] - label)
            for j in range(k):
                matrix[i, j] += shift * (m[g, j] - mean[j]) + c[g] * S[g, i, j]
    eigenvalues, vectors = np.linalg.eigh(matrix)
    theta[:] = 0.0
    for j in range(k):
        if eigenvalues[j] > 10.0 * ROUNDING * eigenvalues[k - 1]:
            along = 0.0
            for i in range(k):
                along += vectors[i, j] * moment[i]
            for i in range(k):
                theta[i] += vectors[i, j] * along / eigenvalues[j]
    theta[k] = (total * label + anchor * centre[k]) / (total + anchor)
    for i in range(k):
        theta[k] -= theta[i] * mean[i] * total / (total + anchor)
    error = size = 0.0
    for i in range(k):
        residual = -moment[i]
        for j in range(k):
            residual += matrix[i, j] * theta[j]
        error = max(error, abs(residual))
        size = max(size, abs(moment[i]))
    return error / size if size > 0.0 else error
