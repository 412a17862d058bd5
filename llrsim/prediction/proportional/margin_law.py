"""Margins y f(x) of a method's own rows against those of test rows, in the proportional limit (T0, T8).

A margin below zero is an error. Test margins are Gaussian in each group; a fit pushes those of its own rows up, and
losses with a kink gather many of them at the kink.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from ...head import Head, logit_law
from ...losses import Loss
from ...methods import Counts
from ...mixture import Array, GroupMixture
from ...planning import Stage, plan
from .fixed_point import fixed_point
from .problem import ProportionalProblem
from .training import Training, training

if TYPE_CHECKING:
    from ...experiment import Experiment

KINK = 1.0  # margin that the hinge and the hard margin ask for
FAINT = 1e-3  # density, relative to its group's largest, that `bounds` leaves out
REACH = 6.0  # deviations of a margin looked at for `bounds`
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
        seen, reach = self.seen, REACH * self.seen.deviation
        ends = [self.test_mean - REACH * self.test_deviation, self.test_mean + REACH * self.test_deviation]
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
