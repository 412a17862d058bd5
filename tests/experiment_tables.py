"""Experiment files as tables: a small valid one, and a hypothesis strategy for valid ones of every shape."""

import copy

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

SMALL = {
    "name": "small",
    "features": {"core": {"mean": 1.0, "std": 0.6}, "spurious": {"mean": 1.5, "std": 0.3}, "noise": {"dim": 40}},
    "train": {"n": 1200, "proportions": [0.7295, 0.0384, 0.0117, 0.2204], "collapse": {"noise": 0.5}},
    "heldout": {"n": 400, "minority_ratio": 0.25},
    "method": [{"kind": "erm"}, {"kind": "llr"}, {"kind": "dfr", "name": "dfr-5", "balance": "subset", "average": 5}],
}

STUDY = {
    "id": "e06",
    "question": "Does the training ratio matter?",
    "claim": 'It does not: "rows" overlap.',
    "rule": "Every |gain| < .01.",
}


def examples(count):
    """Settings for `count` examples, the same on every run and however slow the machine."""
    return settings(max_examples=count, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def changed(changes):
    """The small tables with values at paths (tuples of keys and indices) replaced, or removed where None."""
    tables = copy.deepcopy(SMALL)
    for path, value in changes.items():
        table = tables
        for part in path[:-1]:
            table = table.setdefault(part, {}) if isinstance(table, dict) else table[part]
        if value is None:
            del table[path[-1]]
        else:
            table[path[-1]] = value
    return tables


def numbers(low, high):
    return st.floats(low, high, allow_nan=False) | st.integers(int(low), int(high))


def lists(values, size):
    return st.lists(values, min_size=size, max_size=size)


def optional(**keys):
    return st.fixed_dictionaries({}, optional=keys)


def _shares(size):
    whole = lists(st.integers(0, 50), size).filter(any)
    return whole.map(lambda parts: [part / sum(parts) for part in parts])


def _per_group(values, groups):
    return values | lists(values, groups)


def _collapses(groups):
    return optional(noise=_per_group(numbers(0, 1), groups), attribute=_per_group(numbers(0, 1), groups))


_coordinates = st.fixed_dictionaries({"mean": numbers(-3, 3), "std": numbers(0, 2)}) | st.integers(1, 3).flatmap(
    lambda size: st.fixed_dictionaries({"mean": lists(numbers(-3, 3), size), "std": lists(numbers(0, 2), size)})
)


@st.composite
def _features(draw):
    labels = draw(st.none() | st.permutations([-1, -1, 1, 1, 1]).map(list))
    groups = 4 if labels is None else len(labels)
    features = {"noise": {"std": draw(_per_group(numbers(0, 3), groups))}}
    if draw(st.booleans()):
        features["noise"]["dim"] = draw(st.integers(1, 500))
    else:
        entry = st.tuples(numbers(0, 9), st.integers(1, 9)).map(list) | numbers(0, 9)
        features["noise"]["spectrum"] = draw(st.lists(entry, min_size=1, max_size=4))
    if labels is not None:
        features["labels"] = labels
        features["attributes"] = draw(lists(numbers(-2, 2), groups))
    if draw(st.booleans()):
        features |= draw(optional(spurious=_coordinates)) | {"core": draw(_coordinates)}
    else:
        features["means"] = draw(lists(lists(numbers(-3, 3), 2), groups))
        covariance = st.tuples(numbers(1, 4), numbers(-0.9, 0.9)).map(lambda c: [[c[0], c[1]], [c[1], c[0]]])
        features["covariances"] = draw(lists(covariance, groups))
    return features, groups


@st.composite
def _samples(draw, groups, standard):
    size = {"counts": draw(lists(st.integers(groups, 100), groups))}
    if draw(st.booleans()):
        size = {"n": draw(st.integers(groups, 10**6)), "proportions": draw(_shares(groups))}
    if standard and draw(st.booleans()):
        size = {"n_per_dim": draw(numbers(5, 50)), "minority_ratio": draw(numbers(0, 2))}
        size |= draw(optional(class_prior=st.floats(0.01, 0.99), annotation_noise=numbers(0, 0.4)))
    return size | draw(optional(collapse=_collapses(groups)))


@st.composite
def _descents(draw):
    steps = draw(st.integers(1, 1000))
    path = draw(st.sets(st.integers(1, steps), max_size=4).map(sorted))
    keys = optional(momentum=st.floats(0, 0.99), batch=st.integers(1, 64), clip=st.floats(0.1, 9))
    return {"steps": steps, "step_size": draw(st.floats(1e-6, 10)), "path": path} | draw(keys)


_losses = st.sampled_from(["squared", "logistic", "hinge", "squared_hinge"])
_heads = optional(loss=_losses, ridge=numbers(0, 3), solver=st.just("exact") | _descents())


@st.composite
def _methods(draw):
    methods = [{"kind": "erm"}]
    for index in range(draw(st.integers(0, 3))):
        method = {"kind": draw(st.sampled_from(["llr", "llr-on-train", "cb-llr", "dfr"])), "name": f"m.{index}"}
        if method["kind"] in ("cb-llr", "dfr"):
            method |= draw(optional(balance=st.sampled_from(["weights", "subset", "upsample"])))
            if method.get("balance") == "subset":
                method |= draw(optional(average=st.integers(1, 20)))
        if draw(st.booleans()):
            method |= {"from": draw(st.sampled_from([other.get("name", "erm") for other in methods]))}
            method |= draw(optional(anchor=numbers(0, 2)))
        methods.append(method | draw(optional(head=_heads)))
    return methods


@st.composite
def experiments(draw):
    """Tables of a valid experiment."""
    features, groups = draw(_features())
    tables = {
        "features": features,
        "train": draw(_samples(groups, standard=False)),
        "heldout": draw(_samples(groups, standard=groups == 4)),
        "method": draw(_methods()),
    }
    tables |= draw(
        optional(
            name=st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda s: s.isprintable() and s.strip()),
            head=_heads,
            study=st.just(STUDY),
            test=optional(proportions=_shares(groups), collapse=_collapses(groups)),
        )
    )
    if draw(st.booleans()):
        tables["sweep"] = {
            "replicates": draw(st.integers(1, 100)),
            "seed": draw(st.integers(0, 2**40)),
            "grid": {
                "heldout.collapse.noise": draw(st.lists(st.floats(0, 1), min_size=1, unique=True)),
                "head.solver": ["exact", {"steps": 5, "step_size": 0.1}],
                "method.erm.head.ridge": {"log10": [-4, draw(numbers(-3, 0))], "num": draw(st.integers(1, 9))},
            },
            "zip": [
                {
                    "train.n": [400, 800],
                    "train.proportions": draw(lists(_shares(groups), 2).filter(lambda p: p[0] != p[1])),
                }
            ],
        }
    return tables
