"""Weights that are known only once an earlier head is, or only once the fit is: the rules of AFR, SELF and group DRO.

| rule         | weight of row i                                                                                      |
|--------------|------------------------------------------------------------------------------------------------------|
| CONFIDENCE   | exp(-gamma P(true class)) / rows of its class, by the earlier head's P = sigmoid(y f); AFR           |
| LOSS         | the k rows of largest cross-entropy under the earlier head, classes balanced among them; SELF        |
| DISAGREEMENT | the k rows where two earlier heads disagree most, by the Kullback-Leibler divergence of the second's |
|              | class probabilities from the first's, classes balanced among them; SELF                              |
| MASS         | constant in each group, so that groups have the masses that another method realised: its control     |
| WORST        | constant in each annotated group, at the masses that maximise the fit's own minimum; group DRO       |

All sum to one. AFR: Qiu et al. (2306.11074), weights over all points and not per class; SELF: LaBonte, Muthukumar &
Kumar (2309.08534); group DRO: Sagawa et al. (1911.08731).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from math import exp

import numpy as np

from ._jit import kernel, private
from .losses import LOGISTIC, slope, value


class Rule(IntEnum):
    """How the weights of a stage's rows come about, where they are not fixed beforehand."""

    CONFIDENCE = 0
    LOSS = 1
    DISAGREEMENT = 2
    MASS = 3
    WORST = 4

    @property
    def scored(self) -> bool:
        """Whether the weights are a function of earlier heads' scores at the row."""
        return self in (Rule.CONFIDENCE, Rule.LOSS, Rule.DISAGREEMENT)


@dataclass(frozen=True)
class Reweighting:
    """A rule with its numbers.

    Attributes:
        rule: which.
        strength: gamma of CONFIDENCE, the k rows of LOSS and DISAGREEMENT, the ascent's step size of WORST (0: exact).
        first: index of the stage whose head scores the rows, or whose masses MASS matches; None for WORST.
        second: index of the stage that DISAGREEMENT compares with.
    """

    rule: Rule
    strength: float = 0.0
    first: int | None = None
    second: int | None = None

    @property
    def stages(self) -> tuple[int, ...]:
        """Stages that must have heads before."""
        return tuple(at for at in (self.first, self.second) if at is not None)


# Plain integers for kernels.
CONFIDENCE, LOSS, DISAGREEMENT, MASS, WORST = (int(rule) for rule in Rule)


@kernel
def reweigh(rule, strength, y, first, second, weight):
    """Write the weights (n,), summing to one, of rows with labels y (n,) and scores f of the heads (n,) each.

    For the rules that score rows. Classes without a row selected leave their mass to the other.
    """
    n = y.size
    if n == 0:
        return
    if rule == CONFIDENCE:
        for i in range(n):
            # P(true class) = sigmoid(y f) = 1 + l'(y f) of the logistic loss.
            weight[i] = exp(-strength * (1.0 + slope(LOGISTIC, y[i] * first[i])))
        kept = 0.0
    else:
        for i in range(n):
            weight[i] = -y[i] * first[i] if rule == LOSS else _divergence(first[i], second[i])
        kept = np.sort(weight)[max(0, n - int(strength))]
        for i in range(n):
            weight[i] = 1.0 if weight[i] >= kept else 0.0
    rows, total = np.zeros(2), 0.0
    for i in range(n):
        rows[int(y[i] > 0.0)] += 1.0 if weight[i] > 0.0 else 0.0
    for i in range(n):
        if weight[i] > 0.0:
            weight[i] /= rows[int(y[i] > 0.0)]
            total += weight[i]
    for i in range(n):
        weight[i] /= total


@private
def _divergence(f, g):
    """Kullback-Leibler divergence of Bernoulli(sigmoid(g)) from Bernoulli(sigmoid(f)), in nats."""
    positive = 1.0 + slope(LOGISTIC, f)
    return positive * (value(LOGISTIC, g) - value(LOGISTIC, f)) + (1.0 - positive) * (
        value(LOGISTIC, -g) - value(LOGISTIC, -f)
    )
