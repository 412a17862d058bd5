"""Predict what a fit sees of its own rows: margins, loss, accuracy, flatness (T8, T22)."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, ndtr

from ..model.gaussian import squared_positive_part
from ..model.head import Head, logit_law
from ..model.losses import Loss
from ..model.methods import Counts
from ..model.mixture import Array, GroupMixture
from ..model.plan import Stage, plan
from ..outcome import plain
from .envelope import logistic_prox
from .fixed_point import FixedPoint, fixed_point
from .problem import ProportionalProblem

if TYPE_CHECKING:
    from ..experiment import Experiment


# What a fit sees of its own rows in the proportional limit: margins, loss, accuracy, flatness (T8, T22).
#
# The margin of a training row is the prox P of the margin a that the row would have had under a head fitted without it,
# a = y (u.m + b) + s G. So training margins are pushed up where test margins are low.


REACH = 8.5
NODES = 600
WIDE, WIDE_NODES = NODES / 40, 4001  # deviation of a logit beyond which nodes go where the loss bends
TINY = 1e-100  # deviation of the margins of a head without weights, to divide by


@dataclass(frozen=True, eq=False)
class Training:
    """A fitted head on its own rows, by group of the problem (G,).

    Attributes:
        loss: mean unweighted loss of the group's rows.
        accuracy: share of the group's rows with a positive margin.
        curvature: mean second derivative of the loss; 0 for HINGE, nan for MAX_MARGIN.
        mean, deviation, strength: of a, and t = sigma_g^2 V; they determine the law of the margins.
        problem: what was fitted.
        weight_norm: |w| = sqrt(|u|^2 + |v|^2).
    """

    loss: Array
    accuracy: Array
    curvature: Array
    mean: Array
    deviation: Array
    strength: Array
    problem: ProportionalProblem
    weight_norm: float

    @property
    def total_loss(self) -> float:
        """The weighted loss that the fit minimises, sum_g pi_g om_g E l(P), without penalties."""
        return float((self.problem.shares * self.problem.weights) @ self.loss)

    def to_dict(self, group: ArrayLike, groups: int) -> dict[str, Any]:
        """JSON-ready numbers by group of the mixture; `group` (G,) of its `groups` is that of each of the problem's.

        None for groups without rows and for the flatness of losses that are not twice differentiable.
        """
        rows = np.bincount(group, self.problem.shares, groups)

        def by_group(values: Array) -> Any:
            total = np.bincount(group, self.problem.shares * values, groups)
            return plain(np.divide(total, rows, out=np.full(groups, np.nan), where=rows > 0))

        return {
            "loss": self.total_loss,
            "group_loss": by_group(self.loss),
            "group_accuracy": by_group(self.accuracy),
            "flatness": plain(self.flatness) if Loss(self.problem.loss).smooth else None,
        }

    @property
    def flatness(self) -> float:
        """Relative flatness over d: |w|^2 sum_g pi_g om_g sigma_g^2 E l''(P), times the mean noise eigenvalue (T22).

        Petzka et al. (2001.00939). A sample's |w|^2 (1/(n d)) sum_i om_i l''(m_i) |x_i|^2 approaches it.
        """
        problem = self.problem
        eigenvalue = float(problem.eigenvalue_shares @ problem.eigenvalues)
        weighted = problem.shares * problem.weights * problem.noise_std**2
        return self.weight_norm**2 * eigenvalue * float(weighted @ self.curvature)

    def margin_density(self, margins: ArrayLike) -> tuple[Array, Array]:
        """Density of the training margins at `margins` (M,), (G, M), and the mass of the atom at the kink (G,).

        HINGE has its atom at 1 and MAX_MARGIN at kappa_g; other losses have none. Test margins of an untouched test
        law are N(mean, deviation^2).
        """
        m = np.asarray(margins, dtype=np.float64)[None, :]
        problem, t = self.problem, self.strength[:, None]
        om = problem.weights[:, None]
        a, stretch = np.broadcast_to(m, (len(t), m.shape[1])).copy(), np.ones((len(t), m.shape[1]))
        inside = np.ones(a.shape, dtype=bool)
        if problem.loss == Loss.LOGISTIC:
            scale, shift = problem.scales[:, None], problem.shifts[:, None]
            right = expit(shift - scale * m)
            a, stretch = m - t * om * scale * right, 1.0 + t * om * scale**2 * right * (1.0 - right)
        elif problem.loss == Loss.HINGE:
            a = np.where(m < 1.0, m - t * om, m)
        elif problem.loss == Loss.MAX_MARGIN:
            inside = m > problem.margins[:, None]
        else:
            low = m < 1.0 if problem.loss == Loss.SQUARED_HINGE else np.ones(m.shape, dtype=bool)
            a, stretch = np.where(low, m + t * om * (m - 1.0), m), np.where(low, 1.0 + t * om, 1.0)
        mean, s = self.mean[:, None], self.deviation[:, None]
        density = np.exp(-0.5 * ((a - mean) / s) ** 2) / (sqrt(2 * np.pi) * s) * stretch
        return np.where(inside, density, 0.0), self._atom()

    def _atom(self) -> Array:
        top = (1.0 - self.mean) / self.deviation
        if self.problem.loss == Loss.HINGE:
            return ndtr(top) - ndtr(top - self.strength * self.problem.weights / self.deviation)
        if self.problem.loss == Loss.MAX_MARGIN:
            return ndtr((self.problem.margins - self.mean) / self.deviation)
        return np.zeros(len(self.mean))


def training(problem: ProportionalProblem, found: FixedPoint) -> Training:
    """The law of a solved problem's own rows.

    >>> from llrsim.model.mixture import GroupMixture
    >>> from .fixed_point import fixed_point
    >>> toy = GroupMixture.of(means=[[-1.0], [-1.0], [1.0], [1.0]], covariances=[[1.0]], noise_dim=50)
    >>> problem = ProportionalProblem.of(toy, Loss.LOGISTIC, counts=[40, 10, 10, 40], ridge=0.1)
    >>> seen = training(problem, fixed_point(problem))
    >>> seen.accuracy.round(4).tolist(), round(seen.total_loss, 4)
    ([0.9505, 0.9505, 0.9505, 0.9505], 0.2606)
    """
    u, q2 = found.signal, found.noise_spread**2
    mean = problem.labels * (problem.means @ u + found.bias)
    spread = np.einsum("i,gij,j->g", u, problem.covariances, u)
    # A singular covariance, as of a slice, may come out below zero by rounding.
    deviation = np.sqrt(np.maximum(spread, 0.0) + problem.noise_std**2 * q2)
    deviation = np.maximum(deviation, TINY)
    strength = problem.noise_std**2 * found.envelope
    loss, curvature = np.array(
        [_loss_and_curvature(problem, g, *law) for g, law in enumerate(zip(mean, deviation, strength, strict=True))]
    ).T
    # P > 0 where a > a(0) = t om l'(0); a margin is always reached.
    scale, shift = problem.scales, problem.shifts
    at_zero = {Loss.LOGISTIC: -scale * expit(shift)}.get(Loss(problem.loss), -np.ones(len(mean)))
    accuracy = ndtr((mean - strength * problem.weights * at_zero) / deviation)
    if problem.loss == Loss.MAX_MARGIN:
        accuracy = np.ones(len(mean))
    norm = sqrt(float(u @ u) + found.noise_norm**2)
    return Training(loss, accuracy, curvature, mean, deviation, strength, problem, norm)


def _loss_and_curvature(problem: ProportionalProblem, g: int, mean: float, s: float, t: float) -> tuple[float, float]:
    """E l(P) and E l''(P) of group g."""
    loss, strength = problem.loss, t * problem.weights[g]
    if loss == Loss.MAX_MARGIN:
        return 0.0, np.nan
    if loss == Loss.HINGE:
        gap = (1.0 - strength - mean) / s
        return s * (gap * ndtr(gap) + np.exp(-0.5 * gap * gap) / sqrt(2 * np.pi)), 0.0
    if loss == Loss.SQUARED:
        return 0.5 * ((1.0 - mean) ** 2 + s * s) / (1.0 + strength) ** 2, 1.0
    if loss == Loss.SQUARED_HINGE:
        return 0.5 * squared_positive_part(1.0 - mean, s) / (1.0 + strength) ** 2, float(ndtr((1.0 - mean) / s))
    scale = problem.scales[g]
    p, weight = _logistic_law(scale * mean - problem.shifts[g], scale * s, scale * scale * strength)
    return float(weight @ np.logaddexp(0.0, -p)), float(weight @ (scale**2 * expit(p) * expit(-p)))


def _logistic_law(mean: float, s: float, t: float) -> tuple[Array, Array]:
    """Proxes P of the logistic loss at a ~ N(mean, s^2), and their probabilities.

    Nodes even in a, or for wide laws in arsinh P, where the loss bends at any scale (`envelope.logistic_moments`).
    """
    if s <= WIDE:
        x = np.linspace(-REACH, REACH, NODES)
        p, weight = np.array([logistic_prox(a, t) for a in mean + s * x]), np.exp(-0.5 * x * x)
    else:
        low, high = (float(np.arcsinh(logistic_prox(mean + end * s, t))) for end in (-REACH, REACH))
        x = np.linspace(low, high, WIDE_NODES)
        p = np.sinh(x)
        right = expit(-p)
        x_of_a = (p - t * right - mean) / s
        weight = np.exp(-0.5 * x_of_a * x_of_a) * (1.0 + t * right * (1.0 - right)) * np.cosh(x)
    return p, weight / weight.sum()


# Margins y f(x) of a method's own rows against those of test rows, in the proportional limit (T0, T8).
#
# A margin below zero is an error. Test margins are Gaussian in each group; a fit pushes those of its own rows up, and
# losses with a kink gather many of them at the kink.


KINK = 1.0  # margin that the hinge and the hard margin ask for
FAINT = 1e-3  # density, relative to its group's largest, that `bounds` leaves out
BOUNDS_REACH = 6.0  # deviations of a margin looked at for `bounds`
LOOKED_AT = 20_001


@dataclass(frozen=True, eq=False)
class MarginLaw:
    """Law of the margins by group (G,) of the mixture.

    Attributes:
        stage: the method.
        group_names: (G,).
        shares: (G,) shares of the groups among the rows fitted.
        test_mean, test_deviation: (G,) of the Gaussian margin of a test row.
        seen: the fit's own rows, by group of its problem (P,).
        part: (P, G) share of each of the problem's groups in those of the mixture; columns of groups with rows sum to
            one, others are zero.
    """

    stage: Stage
    group_names: tuple[str, ...]
    shares: Array
    test_mean: Array
    test_deviation: Array
    seen: Training
    part: Array

    @property
    def kink(self) -> float | None:
        """Margin at which a share of the training margins lies exactly; None for losses without such a kink."""
        return KINK if self.seen.problem.loss in (Loss.HINGE, Loss.MAX_MARGIN) else None

    @property
    def atom(self) -> Array:
        """(G,) share of the training margins at the kink; 0 without one, nan for groups without rows."""
        return self._of_groups(self.seen.margin_density([0.0])[1])

    @property
    def training_accuracy(self) -> Array:
        """(G,) accuracy on the rows fitted, nan for groups without any."""
        return self._of_groups(self.seen.accuracy)

    @property
    def test_accuracy(self) -> Array:
        """(G,) accuracy on test rows."""
        return ndtr(self.test_mean / self.test_deviation)

    def training_density(self, margins: ArrayLike) -> Array:
        """(G, M) density of the training margins at `margins` (M,), without the atom; nan for groups without rows."""
        return self._of_groups(self.seen.margin_density(margins)[0])

    def test_density(self, margins: ArrayLike) -> Array:
        """(G, M) density of the test margins at `margins` (M,)."""
        mean, deviation = self.test_mean[:, None], self.test_deviation[:, None]
        x = (np.asarray(margins, dtype=np.float64) - mean) / deviation
        return np.exp(-0.5 * x * x) / (np.sqrt(2 * np.pi) * deviation)

    def bounds(self) -> tuple[float, float]:
        """Margins between which all densities are that are not faint beside their group's largest."""
        seen, reach = self.seen, BOUNDS_REACH * self.seen.deviation
        ends = [
            self.test_mean - BOUNDS_REACH * self.test_deviation,
            self.test_mean + BOUNDS_REACH * self.test_deviation,
        ]
        # A fit moves its rows' margins up or towards 1, but hardly those that are large already.
        ends += [seen.mean - reach, seen.mean + reach, np.array([KINK])]
        grid = np.linspace(min(end.min() for end in ends), max(end.max() for end in ends), LOOKED_AT)
        densities = np.concatenate([self.test_density(grid), np.nan_to_num(self.training_density(grid))])
        (visible,) = np.nonzero((densities > FAINT * densities.max(axis=1, keepdims=True)).any(axis=0))
        return float(grid[visible[0]]), float(grid[visible[-1]])

    def _of_groups(self, values: Array) -> Array:
        """(G, ...) means over the mixture's groups of values (P, ...) of the problem's."""
        empty = self.part.sum(axis=0) == 0
        told = np.tensordot(self.part, values, axes=(0, 0))
        told[empty] = np.nan
        return told


def margin_law(experiment: Experiment, method: str) -> MarginLaw:
    """The margins of one method of `experiment`, named by its label, on its own rows and on test rows.

    Raises ValueError where the margins of its rows have no such law: heads of descent, averages of heads, heads pulled
    to an earlier one, samples without noise; and where there is no head, with its status. KeyError for another label.

    >>> import llrsim
    >>> law = margin_law(llrsim.load("quick"), "llr")
    >>> law.training_accuracy.round(3).tolist(), law.test_accuracy.round(3).tolist()
    ([0.994, 0.962, 0.792, 0.94], [0.993, 0.958, 0.779, 0.935])
    """
    resolved = plan(experiment)
    if resolved.network is not None:
        raise ValueError(f"{method}: no law of its margins, since its features are those of a network")
    stages = {stage.label: stage for stage in resolved.stages}
    if method not in stages:
        raise KeyError(f"no method {method!r}; this experiment has {', '.join(stages)}")
    stage = stages[method]
    mixture, selection = resolved.samples[stage.sample].mixture, stage.selection
    if reason := _refusal(stage, mixture):
        raise ValueError(f"{method}: no law of its margins, since {reason}")
    loss = Loss[stage.head.loss.upper()]
    problem = ProportionalProblem.of_selection(mixture, loss, selection, ridge=stage.head.ridge, anchor=0.0)
    found = fixed_point(problem)
    if not found.status.ok:
        raise ValueError(f"{method}: {found.status.label}: {found.status.message}")
    logit, deviation = logit_law(Head.of(found.signal, found.bias, found.noise_norm, found.noise_spread), resolved.test)
    if not deviation.all():
        raise ValueError(
            f"{method}: the test margins of a group are all the same, since nothing of its features varies"
        )
    group: Counts = selection.group[selection.distinct > 0]
    member = problem.shares[:, None] * (group[:, None] == np.arange(mixture.group_count))
    rows = member.sum(axis=0)
    return MarginLaw(
        stage=stage,
        group_names=mixture.group_names,
        shares=rows,
        test_mean=resolved.test.labels * (logit + found.bias),
        test_deviation=deviation,
        seen=training(problem, found),
        part=np.divide(member, rows, out=np.zeros_like(member), where=rows > 0),
    )


def _refusal(stage: Stage, mixture: GroupMixture) -> str:
    if not isinstance(stage.head.solver, str):
        return "the head is not the least of its objective but a step of a descent"
    if stage.average > 1:
        return "the head is an average of others"
    if stage.anchor > 0.0:
        return "the head is pulled to an earlier one"
    if stage.selection.counts.sum() == 0:
        return "there are no rows to fit"
    if mixture.noise_dim == 0 or not mixture.noise_std[stage.selection.counts > 0].all():
        return "a group of its sample has no noise"
    return ""
