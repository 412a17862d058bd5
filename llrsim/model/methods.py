"""Express every method as weights: fixed masses of groups (T19), or a rule that needs an earlier head or the fit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from ..experiment.groups import apportion
from ..experiment.schema import Balance, Target, Unit
from .mixture import Array

# Every method as an effective mass p_g on the groups of the sample it is fitted on (T19).
#
# A method says which data it uses and what it balances (nothing, the classes, the groups); *how* it balances is a
# choice of its own: by weights, by discarding rows (subset) or by repeating them (upsample). What comes out is a
# `Selection`: the rows used, their weights, and the implied mass, which is an output of every method.


Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Selection:
    """Rows of a sample and their weights, by section.

    A section holds rows that are exchangeable: one true group, one annotated group, one number of repeats. Sections
    are ordered as the rows of the sample are, so section b starts at row `sum(available[:b])`.

    Attributes:
        group: (B,) true group of each section.
        annotated: (B,) group its rows are annotated with (differs under annotation noise, T3).
        available: (B,) rows of the section in the sample.
        used: (B,) rows the fit uses, repeats counted: fewer than available for a subset, more for upsampling.
        weight: (B,) weight c of each used row; `sum(used * weight) == 1`.
        labels: (G,) class of each group.
    """

    group: Counts
    annotated: Counts
    available: Counts
    used: Counts
    weight: Array
    labels: Array

    @property
    def counts(self) -> Counts:
        """(G,) rows used of each true group."""
        return np.bincount(self.group, self.used, len(self.labels)).astype(np.int64)

    @property
    def distinct(self) -> Counts:
        """(B,) rows of each section that the fit uses, repeats counted once."""
        return np.minimum(self.used, self.available)

    @property
    def kept_share(self) -> Array:
        """(B',) share of a section's rows that the fit uses, of the sections that have any."""
        kept = self.used > 0
        return self.distinct[kept] / self.available[kept]

    @property
    def mass(self) -> Array:
        """(G,) effective mass p_g, summing to one (all zeros when there are no rows)."""
        return np.bincount(self.group, self.used * self.weight, len(self.labels)).astype(np.float64)

    @property
    def proportions(self) -> Array:
        """(G,) pi_g, the shares of the rows used."""
        return self.counts / max(1, int(self.counts.sum()))

    @property
    def sample_weight(self) -> Array:
        """(G,) om_g = p_g / pi_g, mean one over the rows used; 0 for a group without rows."""
        pi = self.proportions
        return np.divide(self.mass, pi, out=np.zeros_like(pi), where=pi > 0)


def select(
    counts: Counts,
    labels: Array,
    *,
    balances: Target = "none",
    balance: Balance = "weights",
    annotation_noise: float = 0.0,
    size: int | None = None,
) -> Selection:
    """The selection that balances a sample with `counts` (G,) rows a group.

    The units to balance are the classes, the *annotated* groups, or nothing. Every unit that has rows ends with the
    same mass; units without rows get none (so an empty group shifts its share to the others, never a crash).
    `subset` cuts each unit to the smallest nonempty one, `upsample` repeats rows up to the largest; both keep the
    mix inside a unit, by largest remainder. `size` first cuts the sample to so many rows at equal proportions.
    `annotation_noise` flips the attribute of that share of every group's rows; it needs two groups a class.

    >>> classes = np.array([-1.0, -1.0, 1.0, 1.0])
    >>> chosen = select(np.array([40, 40, 10, 10]), classes, balances="class")
    >>> chosen.mass.tolist(), chosen.sample_weight.tolist()
    ([0.25, 0.25, 0.25, 0.25], [0.625, 0.625, 2.5, 2.5])
    >>> select(np.array([40, 40, 10, 10]), classes, balances="group", balance="subset").counts.tolist()
    [10, 10, 10, 10]
    """
    group, annotated, available = _sections(np.asarray(counts, dtype=np.int64), labels, annotation_noise)
    usable = available if size is None else apportion(min(size, int(available.sum())), _shares(available))
    unit = {"none": np.zeros_like(group), "class": (labels[group] > 0).astype(np.int64), "group": annotated}[balances]
    unit_rows = np.bincount(unit, usable)
    present = unit_rows[unit_rows > 0]
    if present.size == 0:
        return Selection(group, annotated, available, usable, np.zeros(len(group)), labels)
    if balance == "weights":
        used = usable
    else:
        target = int(present.min() if balance == "subset" else present.max())
        used = np.zeros_like(usable)
        for index in np.flatnonzero(unit_rows):
            inside = unit == index
            used[inside] = apportion(target, _shares(usable[inside]))
    rows = np.bincount(unit, used)[unit]
    weight = np.divide(1.0, present.size * rows, out=np.zeros(len(group)), where=rows > 0)
    if balance == "upsample":
        return _by_repeats(Selection(group, annotated, available, used, weight, labels))
    return Selection(group, annotated, available, used, weight, labels)


@dataclass(frozen=True, eq=False)
class Adjustment:
    """What the vector-scaling loss log(1 + exp(iota_g - Delta_g m)) has in place of the logistic one (T8).

    Attributes:
        scales: (G,) Delta_g > 0.
        shifts: (G,) iota_g.
    """

    scales: Array
    shifts: Array


def adjust(counts: Counts, labels: Array, *, adjust: float, stretch: float, unit: Unit) -> Adjustment:
    """The adjustment of a sample with `counts` (G,) by the shares pi of its classes, or of its groups.

    iota = adjust log((1 - pi) / pi) and Delta = (pi / max pi)^stretch, with the share pi of a row's class or group. By
    class and without `stretch` this is logit adjustment (Menon et al., 2007.07314), which with two classes adds the
    same number to every logit: an unpenalised bias undoes it exactly, so that it moves nothing but the threshold. With
    `stretch` it is the vector-scaling loss (Kini et al., 2103.01550). Units without rows are left as they are.

    >>> made = adjust(np.array([75, 25]), np.array([-1.0, 1.0]), adjust=1.0, stretch=1.0, unit="class")
    >>> made.shifts.round(3).tolist(), made.scales.round(3).tolist()
    ([-1.099, 1.099], [1.0, 0.333])
    """
    rows = np.asarray(counts, dtype=np.float64)
    own = rows if unit == "group" else np.where(labels > 0, rows[labels > 0].sum(), rows[labels < 0].sum())
    share = own / max(1.0, rows.sum())
    seen = (share > 0) & (share < 1)
    odds = np.divide(1.0 - share, share, out=np.ones_like(share), where=seen)
    scale = np.where(share > 0, share / max(float(share.max()), 1e-300), 1.0)
    return Adjustment(scale**stretch, adjust * np.log(odds))


def _by_repeats(chosen: Selection) -> Selection:
    """The selection with its sections split where some rows, the first ones, are repeated once more than the others."""
    repeats, longer = np.divmod(chosen.used, np.maximum(chosen.available, 1))
    split = 1 + (longer > 0)
    parts = np.column_stack([longer, chosen.available - longer])
    kept = np.column_stack([longer > 0, np.ones_like(longer, dtype=bool)])
    return Selection(
        np.repeat(chosen.group, split),
        np.repeat(chosen.annotated, split),
        parts[kept],
        (parts * np.column_stack([repeats + 1, repeats]))[kept],
        np.repeat(chosen.weight, split),
        chosen.labels,
    )


def _shares(counts: Counts) -> Array:
    return counts / max(1, int(counts.sum()))


def _sections(counts: Counts, labels: Array, annotation_noise: float) -> tuple[Counts, Counts, Counts]:
    groups = np.arange(len(counts))
    if annotation_noise == 0.0:
        return groups, groups, counts
    partner = np.array([next(h for h in groups if h != g and labels[h] == labels[g]) for g in groups])
    flipped = np.array([apportion(int(n), [1.0 - annotation_noise, annotation_noise])[1] for n in counts])
    return (
        np.repeat(groups, 2),
        np.column_stack([groups, partner]).ravel(),
        np.column_stack([counts - flipped, flipped]).ravel(),
    )


# Weights that are known only once an earlier head is, or only once the fit is: the rules of AFR, SELF and group DRO.
#
# | rule         | weight of row i                                                                                    |
# |--------------|----------------------------------------------------------------------------------------------------|
# | CONFIDENCE   | exp(-gamma P(true class)) / rows of its class, by the earlier head's P = sigmoid(y f); AFR         |
# | LOSS         | the k rows of largest cross-entropy under the earlier head, classes balanced among them; SELF      |
# | DISAGREEMENT | the k rows where two earlier heads disagree most, by the Kullback-Leibler divergence of    |
# |              | the second's class probabilities from the first's, classes balanced among them; SELF             |
# | MASS         | constant in each group, so that groups have the masses that another method realised: its control   |
# | WORST        | constant in each annotated group, at the masses that maximise the fit's own minimum; group DRO     |
#
# All sum to one. AFR: Qiu et al. (2306.11074), weights over all points and not per class; SELF: LaBonte, Muthukumar &
# Kumar (2309.08534); group DRO: Sagawa et al. (1911.08731).


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
