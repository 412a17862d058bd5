"""Fits that know an earlier head: pulled to it, started from it, or with weights that depend on its score (T20).

The earlier head (u0, b0, v0) was fitted on other rows, so its noise direction v0/|v0| is independent of the sample and
becomes one more signal coordinate, z.v0/|v0| ~ N(0, sigma_g^2): v = c v0/|v0| + rest. Weights that are a function of
the score f0 = u0.s + v0.z + b0 split each group into slices of equal score. Given the score, the signal is Gaussian
again, so that a slice is a group like any other and T8 needs no new equation.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, inf, pi, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, ndtr

from ...head import Head
from ...mixture import Array
from .problem import ProportionalProblem

REACH = 8.5  # |x| of the slices
LIGHTEST = 1e-18  # share below which a slice is left out
NARROWEST = 1e-9  # spread of a group's score, beside all scores, for a group of points: its law has no density
WIDE = 40.0  # spread of scores beyond which nodes go where a sigmoid bends, and |score| from where it is flat


class ScoreWeighted(NamedTuple):
    """A problem whose groups are slices of equal score; `group` (S,) says of which group each is one."""

    problem: ProportionalProblem
    group: NDArray[np.int64]

    @property
    def mass(self) -> Array:
        """(G,) p_g = pi_g E om_g, summing to one."""
        return np.bincount(self.group, self.problem.shares * self.problem.weights).astype(np.float64)


def with_noise_direction(problem: ProportionalProblem, noise_norm: float) -> ProportionalProblem:
    """The problem with v0/|v0| as its last signal coordinate, |v0| = `noise_norm`: k + 1 of them, centre (u0, q0, b0).

    Isotropic noise only: with a spectrum, v0 and the rest of v are correlated within the noise. Raises ValueError.
    """
    if len(problem.eigenvalues) > 1:
        raise ValueError("spectrum: an earlier head's noise direction is treated for isotropic noise only")
    groups, k = problem.means.shape
    means = np.zeros((groups, k + 1))
    means[:, :k] = problem.means
    covariances = np.zeros((groups, k + 1, k + 1))
    covariances[:, :k, :k] = problem.covariances
    covariances[:, k, k] = problem.noise_std**2 * problem.eigenvalues[0]
    centre = np.concatenate([problem.centre[:k], [noise_norm], problem.centre[k:]])
    return problem._replace(means=means, covariances=covariances, centre=centre)


def afr_weight(gamma: float, labels: Array, shares: Array) -> Callable[[Array], Array]:
    """AFR's weight up to a common factor, exp(-gamma P(true class)) / (class share), of scores f0 (G, X).

    Qiu et al. (2306.11074). The probability is sigmoid(y f0); `labels` and `shares` (G,) are those of the sample that
    is reweighted.
    """
    class_share = np.where(labels > 0, shares[labels > 0].sum(), shares[labels < 0].sum())

    def weight(score: Array) -> Array:
        probability = expit(labels[:, None] * score)
        return np.exp(-gamma * (probability - probability.min())) / class_share[:, None]

    return weight


def score_law(problem: ProportionalProblem, first: Head) -> tuple[Array, Array]:
    """(G,) mean and (G,) standard deviation, positive, of an earlier head's score f0 in each group; isotropic noise."""
    u0, q0 = first.signal, float(first.noise_norm)
    noise = problem.noise_std**2 * problem.eigenvalues[0] * q0**2
    middle = problem.means @ u0 + float(first.bias)
    spread = np.sqrt(np.maximum(np.einsum("i,gij,j->g", u0, problem.covariances, u0) + noise, 0.0))
    return middle, np.maximum(spread, NARROWEST * (np.abs(middle).max() + spread.max() + 1e-100))


def lowest_margins(problem: ProportionalProblem, first: Head, share: float) -> float:
    """The margin y f0 below which this share of all rows lies; inf for all of them."""
    if share >= 1.0:
        return inf
    middle, spread = score_law(problem, first)

    def excess(margin: float) -> float:
        return float(problem.shares @ ndtr((margin - problem.labels * middle) / spread)) - share

    reach = float(np.abs(middle).max() + 40.0 * spread.max())
    return float(brentq(excess, -reach, reach, xtol=1e-14, rtol=1e-14))


def hardest_weight(margin: float, problem: ProportionalProblem, first: Head) -> Callable[[Array], Array]:
    """SELF's weight before normalisation: of rows with y f0 <= margin, one over their class's share among them."""
    middle, spread = score_law(problem, first)
    labels = problem.labels
    chosen = problem.shares * ndtr((margin - labels * middle) / spread)
    of_class = np.where(labels > 0, chosen[labels > 0].sum(), chosen[labels < 0].sum())
    of_class = np.maximum(of_class, 1e-300)  # a class of which none is chosen has weight zero
    return lambda score: (labels[:, None] * score <= margin) / of_class[:, None]


def weighted_by_score(
    problem: ProportionalProblem,
    first: Head,
    weight: Callable[[Array], Array],
    *,
    cuts: Array | None = None,
    refinement: int = 1,
) -> ScoreWeighted:
    """The problem on k + 1 coordinates whose rows have weight `weight(f0)` in place of `problem.weights`, mean one.

    `first` is one earlier head on isotropic noise. `weight` takes scores (G, X) to weights (G, X). The slices are nodes
    of the trapezoid rule in the score's standard normal x, fine enough for weights that vary as a sigmoid of f0 does;
    `refinement` multiplies their number. Where `weight` jumps, at scores `cuts`, Gauss-Legendre nodes between the cuts
    take their place.
    """
    u0, q0 = first.signal, float(first.noise_norm)
    lifted = with_noise_direction(problem, q0)
    direction = np.append(u0, q0)
    image = lifted.covariances @ direction  # (G, k + 1) covariance of the signal with the score
    middle, spread = score_law(problem, first)
    if cuts is None and spread.max() > WIDE:
        cuts = np.linspace(-WIDE, WIDE, 9)  # panels in which 32 Gauss-Legendre nodes resolve a sigmoid to rounding
    x, probability = _slices(middle, spread, cuts, refinement)
    score = middle[:, None] + spread[:, None] * x
    om = weight(score)
    shares = problem.shares[:, None] * probability
    shares = shares / shares.sum()
    om = om / (shares * om).sum()
    kept = shares > LIGHTEST
    group = np.nonzero(kept)[0]
    slope = image / spread[:, None]
    sliced = lifted._replace(
        shares=shares[kept] / shares[kept].sum(),
        weights=om[kept],
        means=lifted.means[group] + slope[group] * x[kept][:, None],
        covariances=(lifted.covariances - slope[:, :, None] * slope[:, None, :])[group],
        **{name: getattr(problem, name)[group] for name in ("labels", "noise_std", "margins", "scales", "shifts")},
    )
    return ScoreWeighted(sliced, group)


def _slices(middle: Array, spread: Array, cuts: Array | None, refinement: int) -> tuple[Array, Array]:
    """Nodes x (G, X) with their probabilities (G, X)."""
    if cuts is None:
        step = min(0.2, 0.4 / float(spread.max())) / refinement
        x = np.linspace(-REACH, REACH, 2 * ceil(REACH / step) + 1)
        probability = np.exp(-0.5 * x * x) * (x[1] - x[0]) / sqrt(2 * pi)
        return np.broadcast_to(x, (len(middle), len(x))), np.broadcast_to(probability, (len(middle), len(x)))
    node, mass = np.polynomial.legendre.leggauss(32 * refinement)
    nodes, masses = [], []
    for centre, scale in zip(middle, spread, strict=True):
        edges = np.unique([*np.clip((cuts - centre) / scale, -REACH, REACH), -REACH, -2.0, 0.0, 2.0, REACH])
        half = 0.5 * np.diff(edges)
        at = (0.5 * (edges[1:] + edges[:-1])[:, None] + half[:, None] * node).ravel()
        nodes.append(at)
        masses.append((half[:, None] * mass).ravel() * np.exp(-0.5 * at * at) / sqrt(2 * pi))
    longest = max(len(at) for at in nodes)
    pad = [np.pad(at, (0, longest - len(at))) for at in nodes]
    return np.array(pad), np.array([np.pad(m, (0, longest - len(m))) for m in masses])
