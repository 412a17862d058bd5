"""Check what the values of an experiment must satisfy beyond their types."""

import math
import re
from collections.abc import Container, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from . import groups
from .errors import ExperimentError, require, require_finite, require_length, require_per_group, shown, suggestion
from .schema import (
    KINDS,
    LOSSES,
    STUDIES,
    Collapse,
    Coordinates,
    Descent,
    Features,
    FitOptions,
    Heldout,
    Method,
    Network,
    Noise,
    Section,
    Study,
    Sweep,
    Test,
    Train,
)
from .tables import axis_values, convert, plain

if TYPE_CHECKING:
    from .experiment import Experiment


# What the values of an experiment must satisfy beyond their types.
#
# Every failure is an ExperimentError that names the key, its value and what is accepted. Later checks rely on what the
# earlier ones have found: name, features, samples, head, methods, network, sweep, study.


__all__ = [
    "check_adjusted_loss",
    "check_adversary",
    "check_anchor",
    "check_features",
    "check_head",
    "check_methods",
    "check_name",
    "check_network",
    "check_on_network",
    "check_samples",
    "check_scorer",
    "check_study",
    "check_sweep",
    "checked_head",
    "checked_network",
]


# What the name, heads, methods and sweeps must satisfy beyond their types.


_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}\Z")
_BALANCED = ("cb-llr", "dfr")


def check_name(name: str) -> None:
    """Raise ExperimentError for a blank name."""
    require(bool(name.strip()), "name", name, "text that is not blank")


def checked_head(key: str, head: FitOptions) -> FitOptions:
    """Return fitting options that Python built as a file's are read: types converted, values that can be fitted.

    Raises:
        ExperimentError: as a file with these options does, in the same words.
    """
    typed: FitOptions = convert(plain(head, key), FitOptions, key)
    check_head(key, typed)
    return typed


def check_anchor(key: str, anchor: float, missing: str | None, head: FitOptions) -> None:
    """Raise ExperimentError unless a head can be pulled so; `missing` is what should give the head to pull to."""
    require(0 <= anchor < math.inf, key, anchor, "at least 0")
    if anchor > 0 and missing is not None:
        raise ExperimentError(f"{key} = {anchor}: needs {missing}")
    if anchor > 0 and head.loss == "max_margin":
        raise ExperimentError(f"{key} = {anchor}: max_margin has no penalty to anchor")


def check_head(key: str, head: FitOptions) -> None:
    """Raise ExperimentError unless the head can be fitted."""
    if head.loss not in LOSSES:
        raise ExperimentError(
            f"{key}.loss = {shown(head.loss)}: no such loss{suggestion(head.loss, LOSSES)}; "
            f"accepted: {', '.join(LOSSES)}"
        )
    require(0 <= head.ridge < math.inf, f"{key}.ridge", head.ridge, "at least 0")
    if isinstance(head.solver, Descent):
        if head.loss == "max_margin":
            raise ExperimentError(
                f"{key}.solver = {shown(head.solver)}: max_margin has no gradient to descend; accepted: exact"
            )
        _check_descent(f"{key}.solver", head.solver)


def _check_descent(key: str, descent: Descent) -> None:
    require(descent.steps >= 1, f"{key}.steps", descent.steps, "at least 1")
    require(0 < descent.step_size < math.inf, f"{key}.step_size", descent.step_size, "above 0")
    require(0 <= descent.momentum < 1, f"{key}.momentum", descent.momentum, "in [0, 1)")
    if descent.nesterov and descent.momentum == 0:
        raise ExperimentError(f"{key}.nesterov = true: changes nothing without {key}.momentum, which must be above 0")
    require(descent.batch is None or descent.batch >= 1, f"{key}.batch", descent.batch, "at least 1")
    require(descent.clip is None or 0 < descent.clip < math.inf, f"{key}.clip", descent.clip, "above 0")
    path = descent.path
    rising = all(earlier < later for earlier, later in pairwise(path))
    inside = not path or (path[0] >= 0 and path[-1] <= descent.steps)
    require(rising and inside, f"{key}.path", path, f"rising steps from 0 to {key}.steps, {descent.steps}")


def check_methods(methods: tuple[Method, ...], head: FitOptions, heldout: Heldout | None) -> None:
    """Raise ExperimentError unless every method is defined and has what it needs."""
    if not methods:
        raise ExperimentError("method = []: give at least one [[method]], or leave it out for erm, llr, cb-llr and dfr")
    earlier: dict[str, tuple[Method, FitOptions]] = {}
    for index, method in enumerate(methods):
        _check_names(method, index, earlier)
        _check_fit(f"method.{method.label}", method, tuple(earlier))
        check_rule(f"method.{method.label}", method, head.changed_by(method.head), earlier)
        if method.head is not None:
            check_head(f"method.{method.label}.head", head.changed_by(method.head))
        missing = "`from`, the earlier method whose head it is pulled to" if method.start is None else None
        check_anchor(f"method.{method.label}.anchor", method.anchor, missing, head.changed_by(method.head))
        if heldout is None and (method.source == "heldout" or method.kind == "llr-on-train"):
            need = "takes the size of" if method.kind == "llr-on-train" else "is fitted on"
            raise ExperimentError(f"heldout: missing; method {method.label} {need} the held-out sample")
        earlier[method.label] = method, head.changed_by(method.head)


def _check_names(method: Method, index: int, earlier: Container[str]) -> None:
    if method.kind not in KINDS:
        key = f"method.{method.label}.kind" if method.label else f"method[{index}].kind"
        raise ExperimentError(
            f"{key} = {shown(method.kind)}: no such kind{suggestion(method.kind, KINDS)}; accepted: {', '.join(KINDS)}"
        )
    accepted = "up to 64 letters, digits and any of _ . + -, the first a letter or a digit"
    require(bool(_LABEL.match(method.name)), f"method[{index}].name", method.name, accepted)
    if method.name in earlier:
        raise ExperimentError(
            f"method.{method.name}.name = {method.name!r}: two methods share it; give the second a unique name"
        )


def _check_fit(key: str, method: Method, earlier: tuple[str, ...]) -> None:
    if method.balance != "weights" and method.kind not in _BALANCED:
        raise ExperimentError(
            f"{key}.balance = {method.balance!r}: {method.kind} balances nothing; accepted for {', '.join(_BALANCED)}"
        )
    require(method.average >= 1, f"{key}.average", method.average, "at least 1")
    if method.average > 1 and method.balance != "subset":
        raise ExperimentError(
            f"{key}.average = {method.average}: heads differ only with balance = 'subset'; accepted: 1"
        )
    if method.kind in ("erm", "llr-on-train") and method.source != "train" and method.control is None:
        raise ExperimentError(
            f"{key}.data = {method.data!r}: {method.kind} is fitted on training data; accepted: train"
        )
    if method.start is not None and method.start not in earlier:
        known = f"accepted: {', '.join(earlier)}" if earlier else "this is the first method"
        raise ExperimentError(
            f"{key}.from = {shown(method.start)}: no earlier method has this label"
            f"{suggestion(method.start, earlier)}; {known}"
        )


def check_sweep(sweep: Sweep, root: type[Section], labels: tuple[str, ...]) -> None:
    """Raise ExperimentError unless the sweep's numbers, axes and zips are valid; values of axes only by type.

    The first key of a zip stands for all of them in figures and tables, so its values are distinct; others' may recur.
    """
    require(sweep.replicates >= 1, "sweep.replicates", sweep.replicates, "at least 1")
    require(sweep.seed >= 0, "sweep.seed", sweep.seed, "at least 0")
    seen: set[str] = set()
    for place, axes in enumerate((sweep.grid, *sweep.zip)):
        together, lengths = place > 0, {}
        for axis in axes:
            if axis.key in seen:
                raise ExperimentError(f'sweep axis "{axis.key}": given twice')
            seen.add(axis.key)
            values = axis_values(axis, root, labels)
            if len(set(values)) < len(values) and (not together or axis is axes[0]):
                raise ExperimentError(f'sweep axis "{axis.key}" = {shown(list(values))}: repeats a value')
            lengths[axis.key] = len(values)
        if together and not axes:
            raise ExperimentError(f"sweep.zip[{place - 1}] = {{}}: holds no axis; give it one, or leave the table out")
        if together and len(set(lengths.values())) != 1:
            raise ExperimentError(f"sweep.zip: axes that move together must have equal lengths, not {lengths}")


# What methods must satisfy whose weights, or whose loss, are made by a rule of their own; and their controls.


_OWN = {name: kind for kind, made in KINDS.items() for name in made.own}
"""Kind that a key belongs to."""


def check_rule(key: str, method: Method, head: FitOptions, earlier: Mapping[str, tuple[Method, FitOptions]]) -> None:
    """Raise ExperimentError unless the keys of a method's rule fit its kind, its head and the methods before it.

    `earlier` has those by label, with their effective heads.
    """
    for name, kind in _OWN.items():
        if getattr(method, name) is not None and method.kind != kind:
            raise ExperimentError(
                f"{key}.{name} = {shown(getattr(method, name))}: is a key of {kind}, not {method.kind}"
            )
    if KINDS[method.kind].scored:
        _check_scorer(f"{key}.from", method.start, earlier)
    if method.kind == "afr":
        require(0 <= (method.gamma or 0.0) < math.inf, f"{key}.gamma", method.gamma, "at least 0")
    if method.kind == "self":
        _check_selection(key, method, earlier)
    if method.kind == "group-dro":
        check_adversary(key, "ascent", method.ascent, head, method.anchor)
    if method.kind == "logit-adjusted":
        check_adjusted_loss(key, head)
        for name in ("adjust", "stretch"):
            require(0 <= getattr(method, name) < math.inf, f"{key}.{name}", getattr(method, name), "at least 0")
    _check_control(key, method, earlier)
    if method.angle_to is not None:
        _check_known(f"{key}.angle_to", method.angle_to, earlier)


def _check_known(key: str, label: str, earlier: Mapping[str, object]) -> None:
    if label not in earlier:
        known = f"accepted: {', '.join(earlier)}" if earlier else "this is the first method"
        raise ExperimentError(
            f"{key} = {shown(label)}: no earlier method has this label{suggestion(label, tuple(earlier))}; {known}"
        )


def _check_scorer(key: str, label: str | None, earlier: Mapping[str, tuple[Method, FitOptions]]) -> None:
    if label is None:
        raise ExperimentError(f"{key}: missing; give the earlier method whose head scores the rows, for example erm")
    _check_known(key, label, earlier)
    check_scorer(key, label, earlier[label][1])


def check_scorer(key: str, earlier: str | int, head: FitOptions) -> None:
    """Raise ExperimentError unless an earlier method or stage, fitted with these options, can score rows."""
    if head.loss != "logistic":
        raise ExperimentError(
            f"{key} = {shown(earlier)}: its loss is {head.loss}, and scores are read as log-odds; accepted: one with "
            "loss = 'logistic'"
        )


def _check_selection(key: str, method: Method, earlier: Mapping[str, tuple[Method, FitOptions]]) -> None:
    if method.k is None:
        raise ExperimentError(f"{key}.k: missing; give the number of rows to select")
    require(method.k >= 1, f"{key}.k", method.k, "at least 1")
    if method.by == "disagreement":
        _check_scorer(f"{key}.against", method.against, earlier)
        if method.against == method.start:
            raise ExperimentError(f"{key}.against = {shown(method.against)}: is the head of `from`, and agrees with it")
    elif method.against is not None:
        raise ExperimentError(f"{key}.against = {shown(method.against)}: goes with by = 'disagreement'")


def check_adversary(key: str, name: str, ascent: float | None, head: FitOptions, anchor: float) -> None:
    """Raise ExperimentError unless group DRO can be fitted so; `name` is the key of the ascent's step size below `key`.

    Without an ascent the worst masses are found exactly.
    """
    if head.loss not in ("squared", "logistic", "squared_hinge"):
        raise ExperimentError(f"{key}.head.loss = {shown(head.loss)}: group-dro takes squared, logistic, squared_hinge")
    if isinstance(head.solver, str):
        if ascent is not None:
            raise ExperimentError(
                f"{key}.{name} = {ascent}: goes with a descent; exact fits find the worst masses themselves"
            )
        require(head.ridge + anchor > 0, f"{key}.head.ridge", head.ridge, "above 0 with the exact solver")
        return
    if ascent is None:
        raise ExperimentError(f"{key}.{name}: missing; give the step size of the group masses, above 0")
    require(0 < ascent < math.inf, f"{key}.{name}", ascent, "above 0")
    if head.solver.batch is not None:
        raise ExperimentError(f"{key}.head.solver.batch = {head.solver.batch}: group-dro descends on full batches only")


def check_adjusted_loss(key: str, head: FitOptions) -> None:
    """Raise ExperimentError unless the loss of these options can be adjusted."""
    if head.loss != "logistic":
        raise ExperimentError(f"{key}.head.loss = {shown(head.loss)}: logits are adjusted in the logistic loss only")


def _check_control(key: str, method: Method, earlier: Mapping[str, tuple[Method, FitOptions]]) -> None:
    control = method.control
    if control is None:
        return
    _check_known(f"{key}.control.of", control.of, earlier)
    other = earlier[control.of][0]
    if method.kind not in ("erm", "llr", "llr-on-train"):
        raise ExperimentError(
            f"{key}.control = {shown(control.kind)}: a control weighs rows by another method's groups or size alone; "
            f"accepted for kinds erm, llr, llr-on-train, not {method.kind}"
        )
    if control.kind == "mass-matched" and method.source != other.source:
        raise ExperimentError(
            f"{key}.data = {shown(method.source)}: masses are those of {control.of} on its own data; accepted: "
            f"{other.source}"
        )
    if other.average > 1:
        raise ExperimentError(
            f"{key}.control.of = {shown(control.of)}: averages heads over subsets; accepted: average = 1"
        )


# What the samples, their composition and their collapse must satisfy beyond their types.


MOST_ROWS = 10**12  # counts are apportioned in floats, exact to a small part of a row up to here
SUM_TOLERANCE = 1e-6  # proportions printed to six digits; what is left is shared out in proportion


def check_samples(features: Features, train: Train, heldout: Heldout | None, test: Test) -> None:
    """Raise ExperimentError unless every sample has one size, one composition and a collapse."""
    count = len(groups.group_labels(features))
    _check_sample("train", train, features, count)
    if heldout is not None:
        _check_sample("heldout", heldout, features, count)
        _check_heldout(heldout, features)
    if test.proportions is not None:
        _check_proportions("test.proportions", test.proportions, count)
    if test.collapse is not None:
        _check_collapse("test.collapse", test.collapse, count)


def _check_sample(key: str, sample: Train | Heldout, features: Features, count: int) -> None:
    compositions = (
        ("counts", "proportions", "minority_ratio") if isinstance(sample, Heldout) else ("counts", "proportions")
    )
    given = [name for name in compositions if getattr(sample, name) is not None]
    if len(given) != 1:
        state = "missing" if not given else f"beside {key}.{given[1]}"
        raise ExperimentError(
            f"{key}.{given[0] if given else 'proportions'}: {state}; give exactly one of {', '.join(compositions)}"
        )
    if sample.proportions is not None:
        _check_proportions(f"{key}.proportions", sample.proportions, count)
    _check_size(key, sample, features, count)
    _check_collapse(f"{key}.collapse", sample.collapse, count)


def _check_size(key: str, sample: Train | Heldout, features: Features, count: int) -> None:
    if sample.n is not None and sample.n_per_dim is not None:
        raise ExperimentError(f"{key}.n_per_dim = {sample.n_per_dim}: give either n or n_per_dim")
    if sample.counts is not None:
        total = sum(sample.counts)
        require_length(f"{key}.counts", sample.counts, count)
        require(min(sample.counts) >= 0, f"{key}.counts", sample.counts, "whole numbers of at least 0")
        accepted = f"from {count} rows in all, the number of groups, to {MOST_ROWS}"
        require(count <= total <= MOST_ROWS, f"{key}.counts", sample.counts, accepted)
        if sample.n_per_dim is not None:
            raise ExperimentError(f"{key}.n_per_dim = {sample.n_per_dim}: counts give the size; leave n_per_dim out")
        accepted = f"{total}, the sum of {key}.counts; to change the size give {key}.proportions in place of counts"
        require(sample.n in (None, total), f"{key}.n", sample.n, accepted)
        return
    if sample.n is None and sample.n_per_dim is None:
        raise ExperimentError(f"{key}.n: missing; give n, n_per_dim or counts")
    if sample.n is not None:
        accepted = f"from {count}, the number of groups, to {MOST_ROWS}"
        require(count <= sample.n <= MOST_ROWS, f"{key}.n", sample.n, accepted)
        return
    assert sample.n_per_dim is not None
    require(0 < sample.n_per_dim <= MOST_ROWS, f"{key}.n_per_dim", sample.n_per_dim, f"above 0, up to {MOST_ROWS}")
    rows = groups.sample_size(sample, features.noise.size)
    accepted = f"such that it gives {count} (the number of groups) to {MOST_ROWS} rows; here {rows}"
    require(count <= rows <= MOST_ROWS, f"{key}.n_per_dim", sample.n_per_dim, accepted)


def _check_heldout(heldout: Heldout, features: Features) -> None:
    labels, attributes = groups.group_labels(features), groups.group_attributes(features)
    if heldout.minority_ratio is not None:
        ratio = heldout.minority_ratio
        require(0 <= ratio < math.inf, "heldout.minority_ratio", ratio, "at least 0; 1 is balanced")
        sides = {(y, y == a) for y, a in zip(labels, attributes, strict=True)}
        if len(sides) < 4:
            raise ExperimentError(
                f"heldout.minority_ratio = {ratio}: needs groups with a = y and with a != y in both classes; "
                "check features.attributes, or give heldout.proportions"
            )
    if heldout.class_prior is not None:
        require(0 < heldout.class_prior < 1, "heldout.class_prior", heldout.class_prior, "inside (0, 1)")
        if heldout.minority_ratio is None:
            raise ExperimentError(
                f"heldout.class_prior = {heldout.class_prior}: goes with minority_ratio; counts and proportions "
                "already say the class shares"
            )
    noise = heldout.annotation_noise
    require(0 <= noise <= 0.5, "heldout.annotation_noise", noise, "in [0, 0.5]")
    if noise > 0 and not labels.count(-1) == labels.count(1) == 2:
        raise ExperimentError(
            f"heldout.annotation_noise = {noise}: needs two groups in each class, to be taken for another"
        )


def _check_proportions(key: str, proportions: tuple[float, ...], count: int) -> None:
    require_length(key, proportions, count)
    require(all(0 <= share <= 1 + SUM_TOLERANCE for share in proportions), key, proportions, "numbers in [0, 1]")
    excess = math.fsum(proportions) - 1.0
    if not abs(excess) <= SUM_TOLERANCE:
        side = "above" if excess > 0 else "short of"
        raise ExperimentError(
            f"{key} = {shown(list(proportions))}: must sum to 1; the sum is {abs(excess):.6g} {side} it"
        )


def _check_collapse(key: str, collapse: Collapse, count: int) -> None:
    for name in ("noise", "attribute"):
        value = getattr(collapse, name)
        require_per_group(f"{key}.{name}", value, count, 0.0, 1.0, "in [0, 1]: 1 is untouched, 0 collapsed")


# What the law of the features must satisfy beyond its types.


MOST_GROUPS = 1000
MOST_SIGNAL = 500  # signal coordinates: their covariances are held whole, pair by pair; noise has as many as one likes
MOST_DIMENSIONS = 10**12  # as many as rows: nothing but the dense simulator holds an array of this length


def check_features(features: Features) -> None:
    """Raise ExperimentError unless the features have a law."""
    if features.labels is not None:
        labels = features.labels
        require(set(labels) == {-1, 1}, "features.labels", labels, "-1 or 1 for every group, both present")
    count = len(groups.group_labels(features))
    require(count <= MOST_GROUPS, "features.labels", features.labels, f"at most {MOST_GROUPS} groups")
    if features.attributes is not None:
        require_length("features.attributes", features.attributes, count)
        require_finite("features.attributes", features.attributes)
    coordinates = {"core": features.core, "spurious": features.spurious}
    given = [key for key, value in coordinates.items() if value is not None]
    if features.means is not None or features.covariances is not None:
        if given:
            raise ExperimentError(f"features.{given[0]}: give either means and covariances or core and spurious")
        _check_moments(features, count)
    elif not given:
        raise ExperimentError("features.core: missing; give core, spurious or both, or means and covariances per group")
    for key in given:
        _check_coordinates(f"features.{key}", coordinates[key])
    if features.spurious is not None and features.labels is not None and features.attributes is None:
        raise ExperimentError("features.attributes: missing; spurious coordinates need one attribute per group")
    _check_noise(features.noise, count)


def _check_coordinates(key: str, coordinates: Coordinates | None) -> None:
    assert coordinates is not None
    mean, std = coordinates.mean, coordinates.std
    for name, value in (("mean", mean), ("std", std)):
        accepted = f"a number or a list of at least one, at most {MOST_SIGNAL}"
        require(not isinstance(value, tuple) or 1 <= len(value) <= MOST_SIGNAL, f"{key}.{name}", value, accepted)
        require_finite(f"{key}.{name}", value)
    if isinstance(mean, tuple) and isinstance(std, tuple):
        require(len(std) == len(mean), f"{key}.std", std, f"a number or {len(mean)} numbers, as many as {key}.mean")
    require(all(s >= 0 for s in groups.per_group(std, 1)), f"{key}.std", std, "at least 0")


def _check_noise(noise: Noise, count: int) -> None:
    if (noise.dim is None) == (noise.spectrum is None):
        raise ExperimentError(f"features.noise.dim = {noise.dim}: give exactly one of dim and spectrum")
    if noise.dim is not None:
        require(0 <= noise.dim <= MOST_DIMENSIONS, "features.noise.dim", noise.dim, f"from 0 to {MOST_DIMENSIONS}")
    require_per_group("features.noise.std", noise.std, count, 0.0, math.inf, "at least 0")
    if noise.spectrum is not None:
        accepted = "a list of [eigenvalue >= 0, multiplicity >= 1], at least one"
        valid = all(0 <= value < math.inf and multiplicity >= 1 for value, multiplicity in noise.spectrum)
        require(bool(noise.spectrum) and valid, "features.noise.spectrum", noise.spectrum, accepted)
        accepted = f"at most {MOST_DIMENSIONS} dimensions in all"
        require(noise.size <= MOST_DIMENSIONS, "features.noise.spectrum", noise.spectrum, accepted)


def _check_moments(features: Features, count: int) -> None:
    means, covariances = features.means, features.covariances
    for key, value in (("means", means), ("covariances", covariances)):
        if value is None:
            raise ExperimentError(f"features.{key}: missing; means and covariances come together")
        require_length(f"features.{key}", value, count)
        require_finite(f"features.{key}", value)
    assert means is not None
    assert covariances is not None
    size = len(means[0])
    shape = f"a list of {count} means of one length, from 1 to {MOST_SIGNAL}"
    require(1 <= size <= MOST_SIGNAL and all(len(mean) == size for mean in means), "features.means", means, shape)
    for group, matrix in enumerate(covariances):
        _check_covariance(f"features.covariances[{group}]", matrix, size)


def _check_covariance(key: str, matrix: tuple[tuple[float, ...], ...], size: int) -> None:
    square = len(matrix) == size and all(len(row) == size for row in matrix)
    require(square, key, matrix, f"{size} rows of {size} numbers, as long as the means")
    for i, row in enumerate(matrix):
        for j in range(i):
            close = math.isclose(row[j], matrix[j][i], rel_tol=1e-12, abs_tol=0.0)
            require(close, f"{key}[{i}][{j}]", row[j], f"{matrix[j][i]}, as [{j}][{i}]: covariances are symmetric")
    from numpy.linalg import eigvalsh

    eigenvalues = eigvalsh(matrix)
    if not eigenvalues[0] > 1e-12 * eigenvalues[-1]:
        raise ExperimentError(
            f"{key} = {shown(matrix)}: smallest eigenvalue {eigenvalues[0]:.3g}; must be positive definite. "
            "Leave out a coordinate that repeats others; for one without spread use core or spurious with std = 0"
        )


# What a network must satisfy beyond its types, and what the rest of an experiment must satisfy beside one.


WIDEST = 10**5
MOST_TEST_ROWS = 10**7

RULES = ("control", "angle_to", *(key for kind in KINDS.values() for key in kind.own))
"""Keys of methods that only Gaussian features know."""


def check_network(experiment: "Experiment") -> None:
    """Raise ExperimentError unless the network, where there is one, can be trained and heads fitted on its features."""
    network = experiment.network
    if network is None:
        return
    _check_alone("network", network)
    simulator = experiment.sweep.simulator
    require(simulator != "lazy", "sweep.simulator", simulator, "auto or dense beside [network], which needs all inputs")
    sections = {"train": experiment.train, "heldout": experiment.heldout, "test": experiment.test}
    for name, section in sections.items():
        if section is not None and section.collapse is not None:
            _check_untouched(f"{name}.collapse", section.collapse)
    for method in experiment.method:
        ruled = [key for key in RULES if getattr(method, key) is not None]
        ruled += ["kind"] if method.kind == "group-dro" else []
        check_on_network(f"method.{method.label}", ruled, experiment.head_of(method))


def check_on_network(key: str, ruled: Sequence[str], head: FitOptions) -> None:
    """Raise ExperimentError unless a head can be fitted on a network's features; `ruled` are keys that none has."""
    if ruled:
        raise ExperimentError(
            f"{key}.{ruled[0]}: beside [network] heads are fitted with fixed "
            "weights on the loss as it is; accepted kinds: erm, llr, llr-on-train, cb-llr, dfr"
        )
    if isinstance(head.solver, Descent) and head.solver.path:
        raise ExperimentError(
            f"{key}.head.solver.path = {list(head.solver.path)}: heads on a network's features are "
            "tested at the end only; leave path out, or compare methods of several steps"
        )


def checked_network(key: str, network: Network) -> Network:
    """Return a network that Python built as a file's is read; ExperimentError for one that cannot be trained."""
    typed: Network = convert(plain(network, key), Network, key)
    _check_alone(key, typed)
    return typed


def _check_alone(key: str, network: Network) -> None:
    require(1 <= network.width <= WIDEST, f"{key}.width", network.width, f"from 1 to {WIDEST} hidden units")
    accepted = f"from 1 to {MOST_TEST_ROWS} rows of each group"
    require(1 <= network.test_rows <= MOST_TEST_ROWS, f"{key}.test_rows", network.test_rows, accepted)
    for name in ("steps", "step_size"):
        if network.kind == "trained" and getattr(network, name) is None:
            raise ExperimentError(f"{key}.{name}: missing; a trained network needs steps and step_size")
    require(network.steps is None or network.steps >= 1, f"{key}.steps", network.steps, "at least 1")
    step_size = network.step_size
    require(step_size is None or 0 < step_size < math.inf, f"{key}.step_size", step_size, "above 0")
    require(0 <= network.momentum < 1, f"{key}.momentum", network.momentum, "in [0, 1)")
    require(0 <= network.ridge < math.inf, f"{key}.ridge", network.ridge, "at least 0")


def _check_untouched(key: str, collapse: Collapse) -> None:
    for name in ("noise", "attribute"):
        value = getattr(collapse, name)
        values = value if isinstance(value, tuple) else (value,)
        require(
            all(factor == 1.0 for factor in values),
            f"{key}.{name}",
            value,
            "1 beside [network]: its inputs are untouched, and its features collapse by themselves",
        )


# What a study must satisfy beyond its types.


def check_study(study: Study | None) -> None:
    """Raise ExperimentError for an id without a rule in code, and for blank words."""
    if study is None:
        return
    if study.id not in STUDIES:
        raise ExperimentError(
            f"study.id = {shown(study.id)}: no such study{suggestion(study.id, STUDIES)}; "
            f"accepted: {', '.join(STUDIES)}"
        )
    for key in ("question", "claim", "rule"):
        text = getattr(study, key)
        require(bool(text.strip()), f"study.{key}", text, "text that is not blank")
