"""What the samples, their composition and their collapse must satisfy beyond their types."""

import math

from .. import groups
from ..errors import ExperimentError, require, require_length, require_per_group, shown
from ..schema import Collapse, Features, Heldout, Test, Train

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
