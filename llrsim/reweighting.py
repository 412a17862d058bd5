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
