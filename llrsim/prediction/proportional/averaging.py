"""The mean of heads that were fitted on random subsets of one sample (T8 for two heads at once).

Two such heads share u and b; their noise parts have the inner product r = v_1' diag(e) v_2 < q^2. A share f_g of the
rows of one subset is in the other, and there the two margins are Gaussian with covariance u'S_g u + sigma_g^2 r:

    r = delta sum_g pi_g f_g sigma_g^2 E[M'(a_1) M'(a_2)] sum_j share_j e_j^2 / D_j^2.

Loureiro et al. (2201.13383) have the overlap of an ensemble's learners; for rows drawn anew, f = 0, it vanishes.
"""

from __future__ import annotations

from math import exp, sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from ..._jit import kernel
from .envelope import REACH, moments
from .fixed_point import FixedPoint, kept_from_zero
from .problem import ProportionalProblem


def subset_overlap(problem: ProportionalProblem, head: FixedPoint, shared: ArrayLike) -> float:
    """r / q^2 in [0, 1]: the cosine between the noise parts of two heads, f_g = `shared` (G,) in [0, 1].

    `problem` and `head` are those of one subset.
    """
    fraction = np.asarray(shared, dtype=np.float64)
    if head.noise_spread == 0.0 or not fraction.any():
        return 0.0
    problem = kept_from_zero(problem)  # as it was solved: a hard margin's rows pull however little noise they have
    x = head.unknowns[:-2]
    q2 = head.noise_spread**2
    squares = np.array([_slope_products(problem, g, x, q2, head.envelope, q2) for g in range(len(fraction))])
    # The sum over eigenvalues is what makes q^2 of E M'^2; the same for r.
    factor = problem.shares * problem.noise_std**2
    whole = float(factor @ squares)

    def excess(cosine: float) -> float:
        products = [
            _slope_products(problem, g, x, q2, head.envelope, cosine * q2) if f > 0 else 0.0
            for g, f in enumerate(fraction)
        ]
        return float((factor * fraction) @ np.array(products)) / whole - cosine

    if excess(1.0) >= -1e-12:
        return 1.0
    return float(brentq(excess, 0.0, 1.0, xtol=1e-12))


def mean_norm(norm: float, cosine: float, heads: int) -> float:
    """Norm of the mean of `heads` vectors of equal norm with pairwise `cosine`.

    >>> mean_norm(2.0, 0.0, 4), mean_norm(2.0, 1.0, 4)
    (1.0, 2.0)
    """
    return norm * sqrt((1.0 + (heads - 1) * cosine) / heads)


@kernel
def _slope_products(problem, g, x, q2, V, r):
    """E M'(a_1) M'(a_2) of group g at head x = (u, b), by conditioning on what the two margins share."""
    k = x.size - 1
    y, sigma2 = problem.labels[g], problem.noise_std[g] ** 2
    mean, signal = y * x[k], 0.0
    for i in range(k):
        mean += y * problem.means[g, i] * x[i]
        for j in range(k):
            signal += x[i] * problem.covariances[g, i, j] * x[j]
    common, own = signal + sigma2 * r, sigma2 * (q2 - r)
    if own <= 1e-12 * (common + own):
        return moments(problem, g, mean, sqrt(common + own), sigma2 * V, 0.0, 1.0).square
    if common <= 0.0:
        return moments(problem, g, mean, sqrt(own), sigma2 * V, 0.0, 1.0).slope ** 2
    # The conditional mean of M' varies in x as a Gaussian of width sqrt(own / common) smooths it.
    count = int(2.0 * REACH / min(0.3, max(0.02, 0.6 * sqrt(own / common)))) + 1
    step = 2.0 * REACH / count
    total, mass = 0.0, 0.0
    for i in range(count + 1):
        z = i * step - REACH
        weight = exp(-0.5 * z * z)
        slope = moments(problem, g, mean + sqrt(common) * z, sqrt(own), sigma2 * V, 0.0, 1.0).slope
        total += weight * slope * slope
        mass += weight
    return total / mass
