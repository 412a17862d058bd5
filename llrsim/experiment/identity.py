"""Canonical JSON and the hashes that results are keyed by: of the whole experiment, of a cell's law, of a method.

A law hash is made of numbers after defaults and alternatives are resolved (counts, not proportions; means, not
`core`), all as floats, so that two descriptions of one law share their results.
"""

from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec

from . import groups
from .schema import KINDS, Collapse, Features, Method, Network, Noise, Study

if TYPE_CHECKING:
    from .experiment import Experiment

_encoder = msgspec.json.Encoder(order="deterministic")

# The cells of a grid differ in few sections: the texts of the others are kept from one cell to the next.
_kept = lru_cache(maxsize=16)


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and floats in shortest repr; -0.0 is written as 0.0.

    >>> canonical_json({"b": 1, "a": -0.0})
    '{"a":0.0,"b":1}'
    """
    return _encoder.encode(_map_numbers(_positive_zero, msgspec.to_builtins(value))).decode()


def experiment_hash(experiment: "Experiment") -> str:
    """Everything but the name, the study and the number of replicates: what one results folder may hold."""
    fields = msgspec.to_builtins(experiment)
    del fields["name"], fields["study"], fields["sweep"]["replicates"]
    fields["method"] = [_given(method) for method in fields["method"]]
    if experiment.network is None:  # as an experiment was written before there were networks
        del fields["network"]
    return _digest(fields)


def study_hash(study: Study) -> str:
    """The question, the claim and the rule as they stand: records carry it, so that a rule changed later shows."""
    return _digest(msgspec.to_builtins(study))


def cell_law_hash(experiment: "Experiment", *, nominal: bool = False) -> str:
    """The law of features and samples in numbers: mixture, fixed counts, collapse, annotation noise, test weights.

    With a network also that, for it makes the features that heads see. A nominal law has the counts as the file states
    them, fractions of rows included; where they are whole it is the same law.
    """
    features, train, heldout = experiment.features, experiment.train, experiment.heldout
    count = experiment.group_count
    counts = groups.stated_counts if nominal else groups.sample_counts
    trained = counts(features, train)
    network = {} if experiment.network is None else {"network": _network_text(experiment.network)}
    parts = {
        **network,
        **_features_text(features),
        "train": _sample_text(trained, train.collapse, None, count),
        "heldout": heldout
        and _sample_text(counts(features, heldout), heldout.collapse, heldout.annotation_noise, count),
        "test": _test_text(groups.normalised(experiment.test.proportions or trained), experiment.test_collapse, count),
    }
    return _hash(_encoder.encode(parts))


@_kept
def _features_text(features: Features) -> dict[str, msgspec.Raw]:
    """The numbers of the features, each as the text it has in the whole."""
    return {
        "labels": _text(groups.group_labels(features)),
        "attributes": _text(groups.group_attributes(features)),
        "means": _text(groups.group_means(features)),
        "covariances": _text(groups.group_covariances(features)),
        "noise_std": _text(groups.per_group(features.noise.std, len(groups.group_labels(features)))),
        "noise_spectrum": _text(_merged_spectrum(features.noise)),
    }


@_kept
def _sample_text(counts: tuple[float, ...], collapse: Collapse, noise: float | None, groups_in_all: int) -> msgspec.Raw:
    told = {"counts": counts, "collapse": _factors(collapse, groups_in_all)}
    return _text(told if noise is None else told | {"annotation_noise": noise})


@_kept
def _test_text(shares: tuple[float, ...], collapse: Collapse, groups_in_all: int) -> msgspec.Raw:
    return _text({"proportions": shares, "collapse": _factors(collapse, groups_in_all)})


@_kept
def _network_text(network: Network) -> msgspec.Raw:
    """What the network is, without the keys that its kind has no use for."""
    unused = {
        "raw": ("width", "steps", "step_size", "momentum", "ridge"),
        "random-relu": ("steps", "step_size", "momentum", "ridge"),
        "trained": (),
    }
    fields = msgspec.to_builtins(network)
    return _text({key: value for key, value in fields.items() if key not in unused[network.kind]})


def method_hash(experiment: "Experiment", method: Method) -> str:
    """What a method does: its kind, data and effective head, and those of the methods it refers to; not its name."""

    def of(label: str | None) -> str | None:
        return label and method_hash(experiment, experiment.method_of(label))

    fields = _given(msgspec.to_builtins(method))
    del fields["name"]
    fields["data"] = method.source
    fields["head"] = msgspec.to_builtins(experiment.head_of(method))
    fields["from"] = of(method.start)
    fields |= {name: of(fields[name]) for name in ("against", "angle_to") if name in fields}
    if method.control is not None:
        fields["control"]["of"] = of(method.control.of)
    return _digest(fields)


_OPTIONAL = {"control", "angle_to"}.union(*(kind.own for kind in KINDS.values()))


def _given(method: dict[str, Any]) -> dict[str, Any]:
    """A method's fields without the optional keys that it does not give, so that a key that is new changes no hash."""
    return {name: value for name, value in method.items() if value is not None or name not in _OPTIONAL}


def _digest(fields: Any) -> str:
    """Hash of the fields with every number as a float, so that 1 and 1.0 hash alike whatever the declared type."""
    return _hash(_text(fields))


def _text(fields: Any) -> msgspec.Raw:
    return msgspec.Raw(canonical_json(_map_numbers(float, fields)).encode())


def _hash(text: bytes | msgspec.Raw) -> str:
    return sha256(text).hexdigest()[:16]


def _factors(collapse: Collapse, count: int) -> dict[str, tuple[float, ...]]:
    return {
        "noise": groups.per_group(collapse.noise, count),
        "attribute": groups.per_group(collapse.attribute, count),
    }


def _merged_spectrum(noise: Noise) -> list[list[float]]:
    """(eigenvalue, multiplicity) in rising order, each eigenvalue once; `dim` is that many ones."""
    spectrum = ((1.0, noise.size),) if noise.spectrum is None else noise.spectrum
    merged: dict[float, int] = {}
    for value, multiplicity in spectrum:
        merged[value] = merged.get(value, 0) + multiplicity
    return [[value, merged[value]] for value in sorted(merged)]


def _map_numbers(change: Callable[[Any], Any], value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _map_numbers(change, item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_map_numbers(change, item) for item in value]
    return change(value) if isinstance(value, int | float) else value


def _positive_zero(number: float) -> float:
    """0.0 for -0.0, which equals it but is written otherwise; True and False stay what they are."""
    return number if number or number is False else abs(number)
