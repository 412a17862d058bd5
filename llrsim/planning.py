"""What both sides consume: an experiment resolved into samples, the stages fitted on them, and the test law.

`plan(experiment)` applies the collapse map and the methods' selections once; `simulate` draws the samples and fits
the stages, `predict` solves them in the limit. Attribution and agreement build plans of their own from stages.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .collapse import class_centres, collapse
from .experiment.errors import EmptyGroupWarning
from .kinds import KINDS
from .methods import Counts, Selection, select
from .mixture import GroupMixture, apportion

if TYPE_CHECKING:
    from .experiment import Experiment
    from .experiment.schema import Collapse, FitOptions


@dataclass(frozen=True, eq=False)
class Sample:
    """One data set to draw: its law, its fixed group counts (G,), and the role that keys its random numbers."""

    role: str
    mixture: GroupMixture
    counts: Counts


@dataclass(frozen=True, eq=False)
class Stage:
    """One head to fit.

    Attributes:
        label: unique name of the method.
        kind: what it is (`erm`, `llr`, ...).
        sample: index into the plan's samples.
        selection: rows used and their weights, with the implied mass.
        head: loss, ridge and solver.
        anchor: strength lam0 of the pull to the head it starts from.
        start: index of the earlier stage it starts from and is pulled to; None for a zero start.
        average: number of heads averaged, each on a fresh random subset when above one.
    """

    label: str
    kind: str
    sample: int
    selection: Selection
    head: FitOptions
    anchor: float = 0.0
    start: int | None = None
    average: int = 1


@dataclass(frozen=True, eq=False)
class Plan:
    """Samples, stages in fitting order, and the law that heads are read out on."""

    samples: tuple[Sample, ...]
    stages: tuple[Stage, ...]
    test: GroupMixture


def features(experiment: Experiment) -> GroupMixture:
    """The uncollapsed law of the features, in the training proportions."""
    spectrum = None
    if experiment.features.noise.spectrum is not None:
        values, multiplicities = zip(*experiment.features.noise.spectrum, strict=True)
        spectrum = np.repeat(np.asarray(values, dtype=np.float64), multiplicities)
    return GroupMixture.of(
        means=experiment.signal_means,
        covariances=experiment.signal_covariances,
        noise_dim=experiment.noise_dim,
        noise_std=experiment.noise_std,
        spectrum=spectrum,
        labels=experiment.labels,
        attributes=experiment.attributes,
        proportions=experiment.train_proportions,
    )


def plan(experiment: Experiment) -> Plan:
    """Resolve an experiment; a sample is included only if a method uses it.

    Warns with EmptyGroupWarning where a group of such a sample has no rows.
    """
    base = features(experiment)
    centres = class_centres(base)
    samples: dict[str, Sample] = {}
    stages: list[Stage] = []
    for method in experiment.method:
        data = method.source
        if data not in samples:
            samples[data] = _sample(experiment, data, base, centres)
        noise = experiment.heldout.annotation_noise if data == "heldout" and experiment.heldout else 0.0
        kind = KINDS[method.kind]
        size = sum(experiment.heldout_counts()) if kind.size_matched else None
        selection = select(
            samples[data].counts,
            base.labels,
            balances=kind.balances,
            balance=method.balance,
            annotation_noise=noise,
            size=size,
        )
        earlier = [stage.label for stage in stages]
        stages.append(
            Stage(
                label=method.label,
                kind=method.kind,
                sample=list(samples).index(data),
                selection=selection,
                head=experiment.head_of(method),
                anchor=method.anchor,
                start=earlier.index(method.start) if method.start else None,
                average=method.average,
            )
        )
    return Plan(tuple(samples.values()), tuple(stages), readout_law(experiment))


def readout_law(experiment: Experiment) -> GroupMixture:
    """The law of the test features: the held-out collapse unless `test.collapse` says otherwise."""
    base = features(experiment)
    law = _collapsed(base, class_centres(base), experiment.test_collapse)
    return law.with_proportions(experiment.test_proportions)


def _sample(experiment: Experiment, data: str, base: GroupMixture, centres: np.ndarray) -> Sample:
    if data == "heldout" and experiment.heldout is not None:
        counts = np.asarray(experiment.heldout_counts(), dtype=np.int64)
        _warn_of_empty_groups("heldout", counts, base)
        law = _collapsed(base, centres, experiment.heldout.collapse)
        return Sample("heldout", law.with_proportions(counts), counts)
    counts = np.asarray(experiment.train_counts(), dtype=np.int64)
    _warn_of_empty_groups("train", counts, base)
    if data == "fresh-train":
        # A quarter of the training size, as AFR's 20 % of the training data against ERM's 80 %.
        counts = apportion(int(counts.sum()) // 4, base.proportions)
    return Sample(data, _collapsed(base, centres, experiment.train.collapse), counts)


def _warn_of_empty_groups(section: str, counts: np.ndarray, law: GroupMixture) -> None:
    for group in np.flatnonzero(counts == 0):
        warnings.warn(
            f"{section}: group {group} {law.group_names[group]} has none of the {counts.sum()} rows; fits and subsets "
            "leave it out, and it is still tested",
            EmptyGroupWarning,
            stacklevel=4,
        )


def _collapsed(base: GroupMixture, centres: np.ndarray, spec: Collapse) -> GroupMixture:
    return collapse(base, centres, noise=spec.noise, attribute=spec.attribute)
