"""Predict fits that know an earlier head, through its scores, and the mean of heads on random subsets (T20, T8)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, exp, inf, isfinite, pi, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import expit, ndtr

from .._jit import kernel
from ..model.head import Head
from ..model.losses import Status, value
from ..model.methods import Counts, Reweighting, Rule
from ..model.mixture import Array
from ..model.plan import Stage
from ..model.simplex import advance, begin
from ..outcome import MethodOutcome
from .envelope import REACH, moments
from .fixed_point import FixedPoint, fixed_point, kept_from_zero
from .problem import ProportionalProblem
from .training import training

# Fits that know an earlier head: pulled to it, started from it, or with weights that depend on its score (T20).
#
# The earlier head (u0, b0, v0) was fitted on other rows, so its noise direction v0/|v0| is independent of the sample
# and becomes one more signal coordinate, z.v0/|v0| ~ N(0, sigma_g^2): v = c v0/|v0| + rest. Weights that are a function
# of the score f0 = u0.s + v0.z + b0 split each group into slices of equal score. Given the score, the signal is
# Gaussian again, so that a slice is a group like any other and T8 needs no new equation.


SLICE_REACH = 8.5  # |x| of the slices
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
        x = np.linspace(-SLICE_REACH, SLICE_REACH, 2 * ceil(SLICE_REACH / step) + 1)
        probability = np.exp(-0.5 * x * x) * (x[1] - x[0]) / sqrt(2 * pi)
        return np.broadcast_to(x, (len(middle), len(x))), np.broadcast_to(probability, (len(middle), len(x)))
    node, mass = np.polynomial.legendre.leggauss(32 * refinement)
    nodes, masses = [], []
    for centre, scale in zip(middle, spread, strict=True):
        edges = np.unique(
            [*np.clip((cuts - centre) / scale, -SLICE_REACH, SLICE_REACH), -SLICE_REACH, -2.0, 0.0, 2.0, SLICE_REACH]
        )
        half = 0.5 * np.diff(edges)
        at = (0.5 * (edges[1:] + edges[:-1])[:, None] + half[:, None] * node).ravel()
        nodes.append(at)
        masses.append((half[:, None] * mass).ravel() * np.exp(-0.5 * at * at) / sqrt(2 * pi))
    longest = max(len(at) for at in nodes)
    pad = [np.pad(at, (0, longest - len(at))) for at in nodes]
    return np.array(pad), np.array([np.pad(m, (0, longest - len(m))) for m in masses])


# Methods whose weights are made by a rule, in the proportional limit: their problem and their masses (T20).
#
# AFR and SELF by slices of equal score; controls by the masses predicted for the other method; group DRO at the saddle
# point of head and masses.


GAP = 1e-9
"""Largest relative duality gap of a saddle point."""

ROUNDS = 200

LEAST_ROWS = 0.5
"""Expected rows of a class among those that a rule chooses, below which most samples have none, and so no head."""


class Refused(NamedTuple):
    """Why a rule has no problem, and the reason where the status alone does not say it."""

    status: Status
    reason: str = ""


class Reweighted(NamedTuple):
    """A problem with the weights of a rule.

    Attributes:
        problem: its groups are sections of the sample, or slices of them.
        group: (S,) true group of each.
        mass, share: (G,) effective mass of each group, and its share of the rows of positive weight.
        evenness: (G,) (E om)^2 / E om^2 over the group's rows, 1 where all weigh the same or nothing.
        found: the solution, where finding the weights took it.
        gap: relative duality gap of the masses.
    """

    problem: ProportionalProblem
    group: Counts
    mass: Array
    share: Array
    evenness: Array
    found: FixedPoint | None = None
    gap: float = 0.0


def reweighted(
    problem: ProportionalProblem, stage: Stage, earlier: Sequence[MethodOutcome], guess: Array | None
) -> Reweighted | Refused:
    """The problem of a stage with a rule, from that of its selection, or why there is no prediction.

    ONE_CLASS where the rule chooses fewer than LEAST_ROWS rows of a class in expectation.

    `earlier` are the outcomes of the stages before, which have heads.
    """
    rule, kept = stage.reweighting, stage.selection.used > 0
    assert rule is not None
    group, groups = stage.selection.group[kept], len(stage.selection.labels)
    if rule.rule is Rule.WORST:
        return _worst_case(problem, group, stage.selection.annotated[kept], groups, guess)
    if rule.rule is Rule.MASS:
        mass = earlier[_first(rule)].mass[group]
        rows = np.bincount(group, problem.shares)[group]
        return _of(problem._replace(weights=mass / rows / (mass * problem.shares / rows).sum()), group, groups)
    # With a spectrum the score and the rest of the noise are correlated; two scores need slices in two dimensions.
    if rule.rule is Rule.DISAGREEMENT or len(problem.eigenvalues) > 1:
        return Refused(Status.NO_PREDICTION)
    available = int(stage.selection.used.sum())
    sliced = _by_score(problem, earlier[_first(rule)].heads[0], rule, available)
    chosen = available * sliced.problem.shares * (sliced.problem.weights > 0)
    for label in (-1, 1):
        expected = float(chosen[sliced.problem.labels == label].sum())
        if expected < LEAST_ROWS:
            few = f"{stage.kind} chooses {expected:.2g} rows of class {label:+d} in expectation"
            return Refused(Status.ONE_CLASS, f"{few}, so that most samples have one class: set a larger k")
    return _of(sliced.problem, group[sliced.group], groups)


def _first(rule: Reweighting) -> int:
    assert rule.first is not None
    return rule.first


def _of(problem: ProportionalProblem, group: Counts, groups: int) -> Reweighted:
    mass = np.bincount(group, problem.shares * problem.weights, groups)
    share = np.bincount(group, problem.shares * (problem.weights > 0), groups)
    rows = np.bincount(group, problem.shares, groups)
    square = rows * np.bincount(group, problem.shares * problem.weights**2, groups)
    evenness = np.divide(mass * mass, square, out=np.ones(groups), where=square > 0)
    return Reweighted(problem, group, mass / mass.sum(), share / share.sum(), evenness)


def _by_score(problem: ProportionalProblem, first: Head, rule: Reweighting, rows: int) -> ScoreWeighted:
    if rule.rule is Rule.CONFIDENCE:
        return weighted_by_score(problem, first, afr_weight(rule.strength, problem.labels, problem.shares))
    margin = lowest_margins(problem, first, rule.strength / rows)
    cuts = np.array([-margin, margin]) if isfinite(margin) else np.zeros(1)
    return weighted_by_score(problem, first, hardest_weight(margin, problem, first), cuts=np.sort(cuts))


def _worst_case(
    problem: ProportionalProblem, group: Counts, unit: Counts, groups: int, guess: Array | None
) -> Reweighted | Refused:
    """The problem at the unit masses that maximise its minimum, which has the units' losses for its gradient."""
    units, place = np.unique(unit, return_inverse=True)
    rows = np.bincount(place, problem.shares)
    ascent = begin(len(units))
    for _ in range(ROUNDS):
        weighted = problem._replace(weights=(ascent.trial / rows)[place])
        found = fixed_point(weighted, guess)
        if not found.status.ok:
            return Refused(found.status)
        guess = found.unknowns
        seen = training(weighted, found)
        losses = np.bincount(place, problem.shares * seen.loss) / rows
        height = float(ascent.trial @ losses) + _penalty(weighted, found)
        gap = (losses.max() - float(ascent.trial @ losses)) / value(problem.loss, 0.0)
        if gap <= GAP:
            return _of(weighted, group, groups)._replace(found=found, gap=gap)
        advance(ascent, losses, height)
    return Refused(Status.NOT_CONVERGED)


def _penalty(problem: ProportionalProblem, found: FixedPoint) -> float:
    """The ridge, and the pull to the centre."""
    u, noise = found.signal, found.noise_norm**2
    away = np.append(u, found.bias) - problem.centre
    return 0.5 * problem.ridge * (float(u @ u) + noise) + 0.5 * problem.anchor * (float(away @ away) + noise)


# The mean of heads that were fitted on random subsets of one sample (T8 for two heads at once).
#
# Two such heads share u and b; their noise parts have the inner product r = v_1' diag(e) v_2 < q^2. A share f_g of the
# rows of one subset is in the other, and there the two margins are Gaussian with covariance u'S_g u + sigma_g^2 r:
#
#     r = delta sum_g pi_g f_g sigma_g^2 E[M'(a_1) M'(a_2)] sum_j share_j e_j^2 / D_j^2.
#
# Loureiro et al. (2201.13383) have the overlap of an ensemble's learners; for rows drawn anew, f = 0, it vanishes.


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
