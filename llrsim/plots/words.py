"""What keys, methods, switches and limits are called in a figure, so that it explains itself to a newcomer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from ..experiment.paths import split

if TYPE_CHECKING:
    from ..experiment import Experiment

AXES = {
    "train.n": "rows in the training set, n",
    "train.n_per_dim": "training rows per noise dimension, n/d",
    "train.collapse.noise": "noise left in the training features\n(1 untouched, 0 collapsed)",
    "train.collapse.attribute": "attribute left in the training features\n(1 untouched, 0 collapsed)",
    "heldout.n": "rows in the held-out set, n",
    "heldout.n_per_dim": "held-out rows per noise dimension, n/d",
    "heldout.minority_ratio": "minority : majority in the held-out set",
    "heldout.class_prior": "share of the positive class in the held-out set",
    "heldout.annotation_noise": "share of wrong attribute annotations in the held-out set",
    "heldout.collapse.noise": "noise left in the held-out features\n(1 untouched, 0 collapsed)",
    "heldout.collapse.attribute": "attribute left in the held-out features\n(1 untouched, 0 collapsed)",
    "features.noise.dim": "noise dimensions, d",
    "features.noise.std": "standard deviation of the noise features",
    "features.core.mean": "mean of the core feature",
    "features.core.std": "standard deviation of the core feature",
    "features.spurious.mean": "mean of the spurious feature",
    "features.spurious.std": "standard deviation of the spurious feature",
    "head.ridge": "ridge penalty",
    "head.loss": "loss",
}

METHODS: dict[str, str] = {
    "erm": "trained on the training set",
    "llr": "retrained on the held-out set",
    "llr-on-train": "retrained on as many training rows",
    "cb-llr": "retrained, classes balanced",
    "dfr": "retrained, groups balanced",
    "afr": "retrained on fresh training rows, weighted by ERM's doubt",
    "self": "retrained on ERM's hardest rows, classes balanced",
    "group-dro": "retrained against the worst group masses",
    "logit-adjusted": "retrained with adjusted logits",
}

SWITCHES = {
    "composition": "balance: group shares of the sample",
    "weighting": "balance: weights on the groups",
    "collapse": "collapse: held-out features for training features",
    "size": "sample size",
    "solver": "loss, ridge and solver",
    "averaging": "averaging heads over subsets",
}

LIMITS = {
    "population": "population limit (n → ∞ at fixed d)",
    "proportional": "proportional limit (n, d → ∞ at fixed n/d)",
    "finite": "at this n and d",
}

SHARES = {
    "realised": "group shares of whole rows (shares = realised)",
    "nominal": "group shares as the file states them (shares = nominal)",
}

APPROACH = {
    "population": ", which points approach as n/d grows",
    "proportional": ", which points approach as d grows",
    "finite": "",
}


def axis_label(key: str) -> str:
    """The key of an experiment file in words, with the key itself beneath."""
    return f"{AXES[key]}\n{key}" if key in AXES else key


def axis_lines(key: str, companions: Sequence[str] = (), equals: Sequence[str] = ()) -> str:
    """The label of an axis along which `companions` move too, `equals` of them at the key's own values.

    >>> print(axis_lines("train.collapse.noise", ["train.collapse.attribute"], ["train.collapse.attribute"]))
    class collapse tau
    (1 untouched, 0 collapsed)
    train.collapse.noise
    with train.collapse.attribute
    """
    name = joint_name(key, equals)
    first = axis_label(key) if name is None else f"{name}\n(1 untouched, 0 collapsed)\n{key}"
    return "\n".join([first, *(f"with {other}" for other in companions)])


def own_values(experiment: Experiment, keys: Sequence[str]) -> str:
    """What an experiment itself has at swept keys; a key that it gives in another way, or not at all, is left out.

    >>> import llrsim
    >>> own_values(llrsim.load("quick"), ["heldout.minority_ratio", "train.n_per_dim"])
    'heldout.minority_ratio = 0.3'
    """
    tables = to_builtins(experiment)
    tables["method"] = {method["name"]: method for method in tables["method"]}
    told = []
    for key in keys:
        found = tables
        for part in split(key, experiment.method_labels):
            found = found.get(part) if isinstance(found, dict) else None
        if found is not None:
            told.append(f"{key} = {value(found)}")
    return ", ".join(told)


def axis_line(key: str) -> str:
    """The key, and what it means, on one line.

    >>> axis_line("head.ridge"), axis_line("method.afr.gamma")
    ('head.ridge, ridge penalty', 'method.afr.gamma')
    """
    return f"{key}, {' '.join(AXES[key].splitlines())}" if key in AXES else key


def panel_title(key: str, setting: Any, equals: Sequence[str] = ()) -> str:
    """What holds in a panel, without the explanation that the axis label gives; `equals` are keys of the same value.

    >>> panel_title("train.collapse.noise", 0.25)
    'noise left in the training features = 0.25'
    >>> panel_title("train.collapse.noise", 0.25, equals=["train.collapse.attribute"])
    'class collapse tau = 0.25'
    """
    name = joint_name(key, equals) or AXES.get(key, key).splitlines()[0]
    return f"{name} = {value(setting)}"


def joint_name(key: str, equals: Sequence[str]) -> str | None:
    """What keys of one value are called together, None where they have no such name.

    >>> joint_name("heldout.collapse.attribute", ["heldout.collapse.noise"])
    'class collapse tau of the held-out features'
    """
    sample = key.partition(".")[0]
    if {key, *equals} != {f"{sample}.collapse.noise", f"{sample}.collapse.attribute"}:
        return None
    return "class collapse tau" if sample == "train" else "class collapse tau of the held-out features"


def value(setting: Any) -> str:
    """A swept value in few characters.

    >>> value(0.12345), value((0.4761904761904762, 0.0238)), value("hinge")
    ('0.123', '[0.476, 0.0238]', 'hinge')
    """
    if isinstance(setting, tuple | list):
        return f"[{', '.join(map(value, setting))}]"
    return f"{setting:.3g}" if isinstance(setting, float) else str(setting)


def span(numbers: list[float]) -> str:
    """One number, or the least and the largest.

    >>> span([10.0, 10.0]), span([2.5, 10.0])
    ('10', '2.5 to 10')
    """
    ends = dict.fromkeys(f"{end:.3g}" for end in (min(numbers), max(numbers)))
    return " to ".join(ends)
