"""What both sides consume: an experiment resolved into samples, the stages fitted on them, and the test law.

`plan(experiment)` applies the collapse map and the methods' selections once; `simulate` draws the samples and fits
the stages, `predict` solves them in the limit. Attribution and agreement build plans of their own from stages.

A sample consists of whole rows, so its group shares differ from those that a file states, and jump from one value of an
axis to the next. `plan(experiment, "nominal")` is for predictions along an axis: it has the stated shares. A limit
depends on the shares and on n/d alone, so this plan has both n and d larger by a power of ten, so large that whole rows
are shares to 12 digits.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np
from msgspec.structs import replace as with_fields

from .._arguments import (
    checked_array,
    checked_counts,
    checked_number,
    checked_whole,
    require_choice,
    require_entries,
    require_type,
)
from ..experiment import (
    Experiment,
    FitOptions,
    check_adjusted_loss,
    check_adversary,
    check_anchor,
    check_on_network,
    check_scorer,
    checked_head,
    checked_network,
    groups,
)
from ..experiment.errors import EmptyGroupWarning, require
from ..experiment.groups import apportion
from ..experiment.schema import KINDS
from .collapse import class_centres, collapse
from .draws import Role
from .methods import Adjustment, Counts, Reweighting, Rule, Selection, adjust, select
from .mixture import GroupMixture

if TYPE_CHECKING:
    from ..experiment.schema import Collapse, Features, Heldout, Method, Network, Train

ROLES = tuple(role.name.lower().replace("_", "-") for role in Role)
"""What a sample may be for; its random numbers are keyed by it."""

Shares = Literal["realised", "nominal"]
"""Group shares of whole rows, as a simulation has, or as the file states them."""

DIGITS = 12
"""Of the number of rows of the larger sample, or of d, in a nominal plan: floats apportion as many rows exactly."""


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
        reweighting: the rule that makes the weights of its rows, where those of the selection do not stand.
        adjustment: of the vector-scaling loss; None for the loss as it is.
        angle_to: index of the earlier stage that its weights' cosine is taken with.
        shares: whether its sample has the group shares of whole rows, or those of the file.
        data: the sample in words.
    """

    label: str
    kind: str
    sample: int
    selection: Selection
    head: FitOptions
    anchor: float = 0.0
    start: int | None = None
    average: int = 1
    reweighting: Reweighting | None = None
    adjustment: Adjustment | None = None
    angle_to: int | None = None
    shares: Shares = "realised"
    data: str = "the data"

    @property
    def rows(self) -> int:
        """Rows that the fit uses, repeats counted."""
        used = int(self.selection.used.sum())
        if self.reweighting is None or self.reweighting.rule not in (Rule.LOSS, Rule.DISAGREEMENT):
            return used
        return min(used, int(self.reweighting.strength))

    def moved(self, new: Mapping[int, int]) -> Stage:
        """The stage in a plan where the stages have these places; an angle to one that is not there is left out."""
        rule = self.reweighting
        if rule is not None:
            first, second = (None if at is None else new[at] for at in (rule.first, rule.second))
            rule = replace(rule, first=first, second=second)
        start = None if self.start is None else new[self.start]
        angle_to = None if self.angle_to is None else new.get(self.angle_to)
        return replace(self, start=start, reweighting=rule, angle_to=angle_to)

    @property
    def needs(self) -> tuple[int, ...]:
        """Earlier stages without whose heads there is none."""
        starts = () if self.start is None else (self.start,)
        return (*starts, *(self.reweighting.stages if self.reweighting else ()))


@dataclass(frozen=True, eq=False)
class Plan:
    """Samples, stages in fitting order, and the law that heads are read out on.

    With a `network` the laws are those of its inputs, and heads are fitted and tested on the features it makes of them.
    `checked` says that llrsim made it, or has checked it; a plan made of it by `dataclasses.replace` is checked anew.
    """

    samples: tuple[Sample, ...]
    stages: tuple[Stage, ...]
    test: GroupMixture
    network: Network | None = None
    checked: bool = field(default=False, init=False, repr=False)

    def restricted(self, places: Iterable[int]) -> Plan:
        """The plan with the stages at these places and those that they need, in its order."""
        kept = set(places)
        for place in reversed(range(len(self.stages))):
            if place in kept:
                kept.update(self.stages[place].needs)
        new = {place: at for at, place in enumerate(sorted(kept))}
        found = replace(self, stages=tuple(self.stages[place].moved(new) for place in new))
        return as_checked(found) if self.checked else found

    def splits(self, place: int) -> bool:
        """Whether the gain of a stage splits into the switches of a factorial: its own, and those it needs.

        Weights that depend on scores or on the fit are no switch: a cell with other rows would have others.
        """
        stage = self.stages[place]
        fixed = stage.reweighting is None and stage.adjustment is None
        return fixed and all(self.splits(needed) for needed in stage.needs)


def features(experiment: Experiment) -> GroupMixture:
    """The uncollapsed law of the features, in the training proportions."""
    return _features(experiment.features, _counts(experiment.features, experiment.train))


# The cells of a grid differ in few sections: what the others resolve to is kept from one cell to the next.
_kept = lru_cache(maxsize=16)


@_kept
def _features(described: Features, training: tuple[int, ...]) -> GroupMixture:
    noise = described.noise
    values, multiplicities = zip(*noise.spectrum, strict=True) if noise.spectrum is not None else (None, None)
    labels = groups.group_labels(described)
    return GroupMixture.of(
        means=groups.group_means(described),
        covariances=groups.group_covariances(described),
        noise_dim=noise.size,
        noise_std=groups.per_group(noise.std, len(labels)),
        spectrum=values,
        multiplicities=multiplicities,
        labels=labels,
        attributes=groups.group_attributes(described),
        proportions=groups.normalised(training),
    )


@_kept
def _collapsed(described: Features, training: tuple[int, ...], spec: Collapse) -> GroupMixture:
    base = _features(described, training)
    return collapse(base, class_centres(base), noise=spec.noise, attribute=spec.attribute)


@_kept
def _counts(described: Features, sample: Train | Heldout) -> tuple[int, ...]:
    return groups.sample_counts(described, sample)


@_kept
def _selection(counts: tuple[int, ...], labels: tuple[int, ...], **how: Any) -> Selection:
    return select(np.array(counts, dtype=np.int64), np.array(labels, dtype=np.float64), **how)


@_kept
def _readout_law(
    described: Features, training: tuple[int, ...], spec: Collapse, shares: tuple[float, ...]
) -> GroupMixture:
    return _collapsed(described, training, spec).with_proportions(shares)


def plan(experiment: Experiment, shares: Shares = "realised") -> Plan:
    """Resolve an experiment; a sample is included only if a method, or a network, uses it.

    Args:
        shares: of the groups: "realised" by whole rows, or for predictions "nominal", as the file states them. Counts
            that the file states are its shares.

    Warns with EmptyGroupWarning where a group of such a sample has no rows. TypeError for anything but an Experiment,
    ValueError for other shares.
    """
    require_experiment(experiment)
    require_choice("shares", shares, get_args(Shares))
    sections = _Sections.of(experiment, shares)
    samples: dict[str, Sample] = {}
    if experiment.network is not None:  # it is trained, and its collapse told, whether or not a head is fitted there
        samples["train"] = _sample(sections, "train")
    stages: list[Stage] = []
    for method in experiment.method:
        data = method.source
        if data not in samples:
            samples[data] = _sample(sections, data)
        noise = experiment.heldout.annotation_noise if data == "heldout" and experiment.heldout else 0.0
        kind = KINDS[method.kind]
        earlier = {stage.label: place for place, stage in enumerate(stages)}
        selection = _selection(
            tuple(samples[data].counts.tolist()),
            experiment.labels,
            balances=kind.balances,
            balance=method.balance,
            annotation_noise=noise,
            size=_size(sections, method, [stages[earlier[method.control.of]]] if method.control else []),
        )
        stages.append(
            Stage(
                label=method.label,
                kind=method.kind,
                sample=list(samples).index(data),
                selection=selection,
                head=experiment.head_of(method),
                anchor=method.anchor,
                start=earlier[method.start] if method.start else None,
                average=method.average,
                reweighting=_reweighting(method, earlier, sections.times),
                adjustment=_adjustment(method, samples[data]),
                angle_to=earlier[method.angle_to] if method.angle_to else None,
                shares=shares,
                data=_DATA[data],
            )
        )
    law = readout_law(experiment, shares)
    return as_checked(Plan(tuple(samples.values()), tuple(stages), law, experiment.network))


_DATA = {
    "train": "the training data",
    "heldout": "the held-out data",
    "fresh-train": "the fresh rows of the training law",
}


def reported_plan(experiment: Experiment, shares: Shares) -> Plan:
    """The plan that reports a prediction with these shares: its stages count whole rows, heads are read out on its law.

    >>> import llrsim
    >>> quick = llrsim.load("quick")
    >>> [made(quick, "nominal").stages[0].rows for made in (plan, reported_plan)]
    [400000000000, 4000]
    """
    if shares == "realised":
        return plan(experiment)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EmptyGroupWarning)  # of whole rows, which the prediction is not of
        whole = plan(experiment)
    stages = tuple(replace(stage, shares=shares) for stage in whole.stages)
    return replace(whole, stages=stages, test=readout_law(experiment, shares))


class _Sections(NamedTuple):
    """The sections that a plan's samples are made of, with sizes `times` as large as in the file."""

    features: Features
    train: Train
    heldout: Heldout | None
    times: int

    @classmethod
    def of(cls, experiment: Experiment, shares: Shares) -> _Sections:
        features, train, heldout = experiment.features, experiment.train, experiment.heldout
        if shares == "realised":
            return cls(features, train, heldout, 1)
        sizes = [groups.sample_size(sample, features.noise.size) for sample in (train, heldout) if sample is not None]
        times = 10 ** max(0, DIGITS - len(str(max(*sizes, features.noise.size))))
        return cls(_enlarged(features, times), _enlarged(train, times), _enlarged(heldout, times), times)


@_kept
def _enlarged(section: Any, times: int) -> Any:
    """A section of samples or features with as many times the rows, or noise coordinates."""
    noise = getattr(section, "noise", None)
    if noise is not None:
        spectrum = noise.spectrum and tuple((value, times * many) for value, many in noise.spectrum)
        return with_fields(section, noise=with_fields(noise, dim=noise.dim and times * noise.dim, spectrum=spectrum))
    if section is None:
        return None
    counts = section.counts and tuple(times * count for count in section.counts)
    return with_fields(section, n=section.n and times * section.n, counts=counts)


def _size(sections: _Sections, method: Method, controlled: list[Stage]) -> int | None:
    """Rows that a size-matched method's sample is cut to; None for the others."""
    if method.control is not None and method.control.kind == "size-matched":
        return controlled[0].rows
    if not KINDS[method.kind].size_matched:
        return None
    assert sections.heldout is not None, "the checks ask for the held-out sample that it is matched to"
    return sum(_counts(sections.features, sections.heldout))


def _reweighting(method: Method, earlier: dict[str, int], times: int) -> Reweighting | None:
    """The rule of a method's weights, with the stages that it refers to."""
    first = earlier.get(method.start or "")
    if method.control is not None and method.control.kind == "mass-matched":
        return Reweighting(Rule.MASS, first=earlier[method.control.of])
    if method.kind == "afr":
        return Reweighting(Rule.CONFIDENCE, method.gamma or 0.0, first)
    if method.kind == "self":
        rule = Rule.LOSS if method.by == "loss" else Rule.DISAGREEMENT
        return Reweighting(rule, float(times * (method.k or 0)), first, earlier.get(method.against or ""))
    return Reweighting(Rule.WORST, method.ascent or 0.0) if method.kind == "group-dro" else None


def _adjustment(method: Method, sample: Sample) -> Adjustment | None:
    if method.adjust is None or method.stretch is None or method.unit is None:
        return None
    law = sample.mixture
    return adjust(sample.counts, law.labels, adjust=method.adjust, stretch=method.stretch, unit=method.unit)


def readout_law(experiment: Experiment, shares: Shares = "realised") -> GroupMixture:
    """The law of the test features: the held-out collapse unless `test.collapse` says otherwise."""
    sections = _Sections.of(experiment, shares)
    training = _counts(sections.features, sections.train)
    tested = groups.normalised(experiment.test.proportions or training)
    return _readout_law(experiment.features, training, experiment.test_collapse, tested)


def _sample(sections: _Sections, data: str) -> Sample:
    described, train, heldout, times = sections
    training = _counts(described, train)
    if data == "heldout" and heldout is not None:
        counts = np.asarray(_counts(described, heldout), dtype=np.int64)
        law = _collapsed(described, training, heldout.collapse)
        _warn_of_empty_groups("heldout", counts, law, times)
        return Sample("heldout", law.with_proportions(counts), counts)
    counts = np.asarray(training, dtype=np.int64)
    law = _collapsed(described, training, train.collapse)
    _warn_of_empty_groups("train", counts, law, times)
    if data == "fresh-train":
        # A quarter of the training size, as AFR's 20 % of the training data against ERM's 80 %.
        counts = apportion(int(counts.sum()) // 4, law.proportions)
    return Sample(data, law, counts)


def _warn_of_empty_groups(section: str, counts: np.ndarray, law: GroupMixture, times: int) -> None:
    for group in () if counts.all() else np.flatnonzero(counts == 0):
        warnings.warn(
            f"{section}: group {group} {law.group_names[group]} has none of the {counts.sum() // times} rows; fits and "
            "subsets leave it out, and it is still tested",
            EmptyGroupWarning,
            stacklevel=4,
        )


def require_experiment(experiment: Experiment) -> None:
    """Raise TypeError for anything but an Experiment."""
    require_type("experiment", experiment, Experiment, ", from llrsim.load")


def as_checked(plan: Plan) -> Plan:
    """Return a plan, marked as one that needs no check: it is made of parts that need none."""
    object.__setattr__(plan, "checked", True)
    return plan


def checked_plan(plan: Plan) -> Plan:
    """Return a plan that Python may have built, with its options as those of a file; kernels check no size or index.

    Raises:
        TypeError, ValueError: naming the part of the plan, its value and what is accepted.
    """
    require_type("plan", plan, Plan, ", from llrsim.plan")
    if plan.checked:
        return plan
    require_type("plan.test", plan.test, GroupMixture)
    require_type("plan.samples", plan.samples, tuple)
    require_type("plan.stages", plan.stages, tuple)
    if not plan.samples or not plan.stages:
        raise ValueError(f"plan: {len(plan.samples)} samples and {len(plan.stages)} stages; expected some of each")
    samples = tuple(
        _checked_sample(f"plan.samples[{place}]", sample, plan.test) for place, sample in enumerate(plan.samples)
    )
    plan = replace(plan, samples=samples)
    stages = tuple(_checked_stage(f"plan.stages[{place}]", plan, place) for place in range(len(plan.stages)))
    labels = [stage.label for stage in stages]
    for place, label in enumerate(labels):
        if label in labels[:place]:
            raise ValueError(f"plan.stages[{place}].label = {label!r}: two stages share it; expected unique labels")
    network = None if plan.network is None else checked_network("plan.network", plan.network)
    return as_checked(replace(plan, stages=stages, network=network))


def _checked_sample(key: str, sample: Sample, test: GroupMixture) -> Sample:
    require_type(key, sample, Sample)
    require_choice(f"{key}.role", sample.role, ROLES)
    require_type(f"{key}.mixture", sample.mixture, GroupMixture)
    counts = checked_counts(f"{key}.counts", sample.counts, test.labels.shape)
    law = sample.mixture
    alike = law.means.shape == test.means.shape and np.array_equal(law.labels, test.labels)
    for name in ("eigenvalues", "multiplicities"):
        alike = alike and np.array_equal(getattr(law, name), getattr(test, name))
    if not alike:
        raise ValueError(f"{key}.mixture: expected the labels, dimensions and noise spectrum of plan.test")
    return replace(sample, counts=counts)


def _checked_stage(key: str, plan: Plan, place: int) -> Stage:
    stage = plan.stages[place]
    require_type(key, stage, Stage)
    for name in ("label", "kind", "data"):
        require_type(f"{key}.{name}", getattr(stage, name), str)
    require(bool(stage.label.strip()), f"{key}.label", stage.label, "text that is not blank")
    require_choice(f"{key}.shares", stage.shares, get_args(Shares))
    sample = checked_whole(f"{key}.sample", stage.sample, 0, len(plan.samples) - 1)
    average = checked_whole(f"{key}.average", stage.average, 1)
    require_type(f"{key}.head", stage.head, FitOptions)
    head = checked_head(f"{key}.head", stage.head)
    anchor = checked_number(f"{key}.anchor", stage.anchor)
    missing = "`start`, the stage whose head it is pulled to" if stage.start is None else None
    check_anchor(f"{key}.anchor", anchor, missing, head)
    for name in ("start", "angle_to"):
        if getattr(stage, name) is not None:
            checked_whole(f"{key}.{name}", getattr(stage, name), 0, place - 1)
    ruled = [name for name in ("reweighting", "adjustment", "angle_to") if getattr(stage, name) is not None]
    if plan.network is not None:
        check_on_network(key, ruled, head)
    rule = stage.reweighting
    if rule is not None:
        _check_reweighting(f"{key}.reweighting", rule, plan.stages[:place], sample)
        require("adjustment" not in ruled, f"{key}.adjustment", stage.adjustment, "None beside a reweighting")
        require(average == 1, f"{key}.average", average, "1 beside a reweighting")
        if rule.rule is Rule.WORST:
            check_adversary(key, "reweighting.strength", rule.strength or None, head, anchor)
    adjustment = stage.adjustment
    if adjustment is not None:
        require_type(f"{key}.adjustment", adjustment, Adjustment)
        check_adjusted_loss(key, head)
        groups = plan.test.labels.shape
        scales, shifts = (checked_array(f"{key}.adjustment.{n}", getattr(adjustment, n), groups) for n in _ADJUSTED)
        require_entries(f"{key}.adjustment.scales", scales, scales > 0, "above 0")
        adjustment = Adjustment(scales, shifts)
    chosen = _checked_selection(f"{key}.selection", stage.selection, plan.test, plan.samples[sample].counts)
    return replace(
        stage, sample=sample, average=average, head=head, anchor=anchor, selection=chosen, adjustment=adjustment
    )


_ADJUSTED = ("scales", "shifts")


def _check_reweighting(key: str, given: Reweighting, earlier: tuple[Stage, ...], sample: int) -> None:
    """Raise TypeError or ValueError unless a rule has the strength and the earlier stages that its kind takes."""
    require_type(key, given, Reweighting)
    require_type(f"{key}.rule", given.rule, Rule)
    rule, strength = given.rule, checked_number(f"{key}.strength", given.strength)
    if rule in (Rule.LOSS, Rule.DISAGREEMENT):
        require(strength >= 1 and strength.is_integer(), f"{key}.strength", strength, "a whole number of at least 1")
    require(strength >= 0, f"{key}.strength", strength, "at least 0")
    for name, needed in (("first", rule is not Rule.WORST), ("second", rule is Rule.DISAGREEMENT)):
        place = getattr(given, name)
        if not needed:
            require(place is None, f"{key}.{name}", place, f"None with the rule {rule.name}")
            continue
        if place is None:
            raise ValueError(f"{key}.{name}: missing; the rule {rule.name} needs an earlier stage")
        checked_whole(f"{key}.{name}", place, 0, len(earlier) - 1)
        other = earlier[place]
        if rule.scored:
            check_scorer(f"{key}.{name}", place, other.head)
        if rule is Rule.MASS:
            alike = other.sample == sample and other.average == 1
            require(alike, f"{key}.{name}", place, "a stage on the same sample that averages no heads")
    if rule is Rule.DISAGREEMENT:
        require(given.second != given.first, f"{key}.second", given.second, "another stage than `first`")


def _checked_selection(key: str, chosen: Selection, test: GroupMixture, counts: Counts) -> Selection:
    require_type(key, chosen, Selection)
    sections = checked_counts(f"{key}.group", chosen.group, ("B",)).shape
    whole = {
        name: checked_counts(f"{key}.{name}", getattr(chosen, name), sections)
        for name in ("group", "annotated", "available", "used")
    }
    for name in ("group", "annotated"):
        if whole[name].max(initial=0) >= test.group_count:
            raise ValueError(f"{key}.{name}: {whole[name].max()}; expected groups from 0 to {test.group_count - 1}")
    weight = checked_array(f"{key}.weight", chosen.weight, sections)
    if (weight < 0).any():
        raise ValueError(f"{key}.weight: {weight.min():g}; expected at least 0")
    available, used = whole["available"], whole["used"]
    if available.sum() > counts.sum():
        raise ValueError(f"{key}.available: {available.sum()} rows; the sample has {counts.sum()}")
    if ((used > 0) & (available == 0)).any():
        raise ValueError(f"{key}.used: rows of a section that has none available")
    return Selection(**whole, weight=weight, labels=checked_array(f"{key}.labels", chosen.labels, test.labels.shape))
