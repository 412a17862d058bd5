"""Weightings of one sample's groups and the worst-group accuracy that each is predicted to reach (T10).

At finite n/d equal masses, om_g ~ 1/pi_g, neither balance the direction nor maximise the worst group: what counts is
the effective weight, which saturates where a group has few rows a dimension.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import ndtr

from ..model.head import Head, logit_law, score
from ..model.losses import SQUARED, Loss
from ..model.mixture import Array, GroupMixture
from ..outcome import plain
from .fixed_point import fixed_point
from .problem import ProportionalProblem
from .ridge import balanced_direction_weights, ridge_head

if TYPE_CHECKING:
    from ..model.plan import Plan, Stage

SPREAD = 12.0  # largest |log| of a weight against 1/pi that is tried


@dataclass(frozen=True, eq=False)
class Weighting:
    """One weighting: `weights` om_g (G,) of mean one, the `mass` (G,) they give, predicted accuracies (G,)."""

    name: str
    weights: Array
    mass: Array
    group_accuracy: Array

    @property
    def wga(self) -> float:
        """The least of the predicted group accuracies."""
        return float(self.group_accuracy.min())

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        told = {"name": self.name, "wga": self.wga}
        return told | {key: plain(getattr(self, key)) for key in ("weights", "mass", "group_accuracy")}


def weightings(problem: ProportionalProblem, test: GroupMixture) -> tuple[Weighting, ...]:
    """Weights one, equal masses, equal effective weights and the weights of largest WGA, in this order.

    The problem's own weights are not used; its groups are those of `test`, which is read out on. Equal effective
    weights are those of least squares at the problem's ridge and are left out where none exist. The last are the best
    of local searches, from those and from weights scattered over the groups: WGA has several maxima, and no search is
    sure of the largest. A weighting without a head is left out.
    """
    shares = problem.shares
    named = [("none", np.ones(len(shares))), ("equal masses, 1/pi", 1.0 / (len(shares) * shares))]
    with suppress(ValueError):  # no weights balance so small a group at this ridge
        named.append(("equal effective weights", balanced_direction_weights(problem)))
    found = [
        Weighting(name, om, shares * om, ndtr(margin))
        for name, om in named
        if np.isfinite(margin := scores(problem, om, test)).all()
    ]
    starts = [start.weights for start in found] + list(_scattered(shares))
    best = max((_climbed(problem, test, om) for om in starts), key=lambda one: one.wga, default=None)
    return tuple(found) if best is None or not np.isfinite(best.wga) else (*found, best)


def weighed(plan: Plan, stage: Stage) -> tuple[Weighting, ...]:
    """`weightings` of a stage's sample, fitted as the stage is; empty where its head is no function of weights alone.

    That is where it descends, is pulled to an earlier head, drops or repeats rows or takes wrong annotations, and where
    a group has no rows.
    """
    sample, selection = plan.samples[stage.sample], stage.selection
    whole = len(selection.used) == sample.mixture.group_count and (selection.used == selection.available).all()
    noise = sample.mixture.noise_dim > 0 and bool((sample.mixture.noise_std > 0).all())
    exact = isinstance(stage.head.solver, str) and stage.anchor == 0.0
    if not (whole and noise and exact and selection.available.min() > 0):
        return ()
    loss = Loss[stage.head.loss.upper()]
    problem = ProportionalProblem.of(sample.mixture, loss, counts=sample.counts, ridge=stage.head.ridge)
    return weightings(problem, plan.test) if loss != Loss.MAX_MARGIN else ()


def scores(problem: ProportionalProblem, om: Array, test: GroupMixture) -> Array:
    """(G,) Phi^-1 of the group accuracies of the head fitted at weights `om` (G,); nan without a head."""
    head = _head(problem._replace(weights=om))
    logit, deviation = logit_law(head, test)
    return score(test.labels * (logit + head.bias), deviation)


def _head(problem: ProportionalProblem) -> Head:
    found = ridge_head(problem) if problem.loss == SQUARED else fixed_point(problem)
    return Head.of(found.signal, found.bias, found.noise_norm, found.noise_spread)


def _scattered(shares: Array) -> Iterator[Array]:
    """Weights that put most of the mass on one group, and some at random (of a fixed seed)."""
    count = len(shares)
    rng = np.random.default_rng(0)
    for mass in [*(0.1 / (count - 1) + (0.9 - 0.1 / (count - 1)) * np.eye(count)), *rng.dirichlet(np.ones(count), 4)]:
        yield mass / mass.sum() / shares


def _climbed(problem: ProportionalProblem, test: GroupMixture, om: Array) -> Weighting:
    """The weighting of largest WGA near `om`: max t subject to score_g >= t, over log weights."""
    shares = problem.shares

    def weights(logs: Array) -> Array:
        raw = np.exp(np.clip(logs, -SPREAD, SPREAD)) / shares
        return raw / (shares @ raw)

    def margins(logs: Array) -> Array:
        found = scores(problem, weights(logs), test)
        return np.where(np.isfinite(found), found, -10.0)

    start = np.log(om * shares) - np.log(om * shares).mean()
    first = margins(start)
    result = minimize(
        lambda z: -z[-1],
        np.append(start, first.min()),
        jac=lambda z: np.append(np.zeros(len(z) - 1), -1.0),
        constraints={"type": "ineq", "fun": lambda z: margins(z[:-1]) - z[-1]},
        method="SLSQP",
        options={"maxiter": 60, "ftol": 1e-8},
    )
    last = margins(result.x[:-1])
    chosen, reached = (weights(result.x[:-1]), last) if last.min() > first.min() else (om, first)
    return Weighting("largest WGA found", chosen, shares * chosen, ndtr(reached))
