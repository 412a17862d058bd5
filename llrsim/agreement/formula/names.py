"""What a formula may ask for: the names of its parameters, or of a SymPy expression's symbols, and their values.

Every key of the experiment file is a name, with `_` for `.`: `features_core_std`, `head_ridge`, `method_afr_gamma`
(other characters of a label become `_` too). Beside them stand

| name | value |
|---|---|
| `rho`, `rho_train`, `rho_heldout` | E[y a] over the rows of the method's sample, of the named one (T1) |
| `S_y`, `S_a` | mu_y' S^-1 mu_y, mu_a' S^-1 mu_a of the uncollapsed features, where groups have one covariance S |
| `tau_n`, `tau_a` | collapse factors of the training features (T4), where each is one number |
| `d`, `sigma` | noise coordinates; their standard deviation, where it is one number |
| `n`, `n_train`, `n_heldout` | rows of the method's sample, of the training sample, of the held-out sample |
| `alpha`, `alpha_train`, `alpha_heldout` | the same over d |
| `ridge`, `loss` | of the method's head |
| `experiment`, `plan` | the `Experiment`, and the `Plan` that it resolves to |

Numbers of samples are realised ones, whatever the file says them by: `train_n`, `train_n_per_dim`, `train_counts`,
`train_proportions`, `train_minority_ratio`, `train_class_prior`, and so for `heldout`. Lists arrive as arrays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ...experiment.paths import fields_of, section_in
from ...experiment.schema import Section
from ...planning import features, plan

if TYPE_CHECKING:
    from ...experiment import Experiment

Value = Callable[[], Any]
SAMPLES = ("train", "heldout")


class UndefinedName(LookupError):
    """A known name that has no value in this experiment; the message says why."""


def names_of(experiment: Experiment, label: str) -> dict[str, Value]:
    """What computes the value of every name, for a formula of the method `label`.

    A value that the experiment does not have raises UndefinedName.

    >>> import llrsim
    >>> names = names_of(llrsim.load("quick"), "llr")
    >>> [round(names[name](), 4) for name in ("heldout_minority_ratio", "features_core_std", "S_y", "alpha")]
    [0.2995, 0.6, 2.7778, 100.0]
    """
    names: dict[str, Value] = {}
    for field in fields_of(type(experiment)):
        if field.name not in ("name", "method", "sweep", "study"):
            names.update(_leaves(field.encode_name, getattr(experiment, field.name), field.type))
    for method in experiment.method:
        names.update(_leaves(f"method_{method.label}", method, type(method)))
    for name in SAMPLES:
        if getattr(experiment, name) is not None:
            names |= _sample(experiment, name, getattr(experiment, f"{name}_counts")())
    resolved = plan(experiment)
    stage = next(stage for stage in resolved.stages if stage.label == label)
    counts = tuple(resolved.samples[stage.sample].counts.tolist())
    own = _sample(experiment, "", counts)
    own |= {"d": lambda: experiment.noise_dim, "sigma": lambda: _single("sigma", experiment.features.noise.std)}
    own |= {"S_y": lambda: _separation(experiment, 0), "S_a": lambda: _separation(experiment, 1)}
    collapse = experiment.train.collapse
    own |= {"tau_n": lambda: _single("tau_n", collapse.noise), "tau_a": lambda: _single("tau_a", collapse.attribute)}
    own |= {"ridge": lambda: stage.head.ridge, "loss": lambda: stage.head.loss}
    own |= {"experiment": lambda: experiment, "plan": lambda: resolved}
    return {re.sub(r"\W", "_", name): value for name, value in (names | own).items()}


def _leaves(name: str, value: Any, kind: Any) -> Iterator[tuple[str, Value]]:
    """The keys below one of the file, each with its value or what raises for it."""
    section = type(value) if isinstance(value, Section) else section_in(kind)
    if section is None or (value is not None and not isinstance(value, Section)):
        yield name, lambda: _given(name, value)
        return
    for field in fields_of(section):
        inner = None if value is None else getattr(value, field.name)
        yield from _leaves(f"{name}_{field.encode_name}", inner, field.type)


def _given(name: str, value: Any) -> Any:
    if value is None:
        raise UndefinedName(f"{name} is not set in this experiment")
    return np.array(value) if isinstance(value, tuple) else value


def _sample(experiment: Experiment, name: str, counts: tuple[int, ...]) -> dict[str, Value]:
    """The realised numbers of a sample: by its keys in the file and by their short names; "" is the method's own."""
    rows = np.array(counts, dtype=float)
    labels, attributes = np.array(experiment.labels), np.array(experiment.attributes)
    n, d = int(rows.sum()), experiment.noise_dim

    def signs() -> np.ndarray:
        if not (np.abs(attributes) == 1).all():
            raise UndefinedName(
                f"rho and minority ratios need attributes of -1 and +1; these are {attributes.tolist()}"
            )
        return labels * attributes

    def per_dim() -> float:
        if d == 0:
            raise UndefinedName("n/d has no value; the experiment has no noise coordinates")
        return n / d

    def minority_ratio() -> float:
        majority = rows[signs() > 0].sum()
        if majority == 0:
            raise UndefinedName(f"{name}_minority_ratio has no value; there is no majority row")
        return float(rows[signs() < 0].sum() / majority)

    end = f"_{name}" if name else ""
    short: dict[str, Value] = {
        f"rho{end}": lambda: float(rows @ signs() / n),
        f"n{end}": lambda: n,
        f"alpha{end}": per_dim,
    }
    if not name:
        return short
    return short | {
        f"{name}_n": lambda: n,
        f"{name}_n_per_dim": per_dim,
        f"{name}_counts": lambda: np.array(counts),
        f"{name}_proportions": lambda: rows / n,
        f"{name}_minority_ratio": minority_ratio,
        f"{name}_class_prior": lambda: float(rows[labels > 0].sum() / n),
    }


def _single(name: str, value: Any) -> float:
    if isinstance(value, tuple):
        if len(set(value)) > 1:
            raise UndefinedName(f"{name} is one number a group here: {list(value)}")
        return float(value[0])
    return float(value)


def _separation(experiment: Experiment, effect: int) -> float:
    """Squared signal-to-noise ratio of the class (0) or of the attribute (1)."""
    law = features(experiment)
    if np.ptp(law.covariances, axis=0).any():
        raise UndefinedName("S_y and S_a need one signal covariance for all groups")
    direction = law.effects()[effect]
    return float(direction @ np.linalg.solve(law.covariances[0], direction))
