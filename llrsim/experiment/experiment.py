"""Define the frozen Experiment, everything that simulation and prediction consume, and its changed copies."""

import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from copy import copy
from typing import Any, TypeVar

import msgspec
from msgspec.structs import force_setattr

from . import checks, groups, identity, tables
from .errors import ExperimentError, shown, suggestion
from .schema import (
    DEFAULT_METHODS,
    KINDS,
    Collapse,
    Features,
    FitOptions,
    Heldout,
    Method,
    Network,
    Path,
    Section,
    Study,
    Sweep,
    Test,
    Train,
    fields_of,
    keys_of,
    split,
    type_at,
)
from .tables import convert, from_tables, plain, to_tables

# Defaults of a method that depend on the others: the head that scores its rows, the data of a control.


def completed(methods: Iterable[Method]) -> tuple[Method, ...]:
    """The methods with `from` of those that score rows set to the first ERM before them, and `data` of controls."""
    found: list[Method] = []
    for method in methods:
        if method.start is None and method.kind in KINDS and KINDS[method.kind].scored:
            method = msgspec.structs.replace(
                method, start=next((other.label for other in found if other.kind == "erm"), None)
            )
        if method.control is not None and method.data is None:
            controlled = (other for other in found if other.label == method.control.of and other.kind in KINDS)
            method = msgspec.structs.replace(method, data=next((other.source for other in controlled), None))
        found.append(method)
    return tuple(found)


# Changed copies of an experiment: whole sections, or values at dotted paths.
#
# Some keys are alternatives (`ALTERNATIVES`). Setting one removes the others of its section unless they are set in the
# same call, so that a sweep over `heldout.minority_ratio` works whether the file gave counts, proportions or a ratio.
# A new composition keeps the sample size: where counts made it, their sum becomes `n`. A new `n` does not rescale
# counts: it must equal their sum, as in a file.


E = TypeVar("E", bound=Section)

ALTERNATIVES = {
    "n": ("n_per_dim",),
    "n_per_dim": ("n",),
    "counts": ("n", "n_per_dim", "proportions", "minority_ratio", "class_prior"),
    "proportions": ("counts", "minority_ratio", "class_prior"),
    "minority_ratio": ("counts", "proportions"),
    "dim": ("spectrum",),
    "spectrum": ("dim",),
}


SECTIONS = ("features", "train", "heldout", "test", "network", "head")
"""Sections with values of their own, which may change while the others stay."""


def replace(experiment: E, sections: Mapping[str, Any]) -> E:
    """The experiment with whole sections replaced, by structs or by plain tables; None restores a section's default."""
    return from_tables(
        _tables(experiment) | {name: _section(value) for name, value in sections.items()}, type(experiment)
    )


def with_values(experiment: E, values: Mapping[str, Any]) -> E:
    """The experiment with the values at dotted paths replaced, and removed where None; methods by label.

    Paths are those of the file, `method.<label>.<key>` for a method and `sweep.grid.<key>` for an axis. Below
    `method.<label>.head.solver`, the method's effective solver is what changes.

    Raises:
        ExperimentError: unknown key or method, or a result that is no valid experiment.
    """
    if not isinstance(values, Mapping):
        raise ExperimentError(f"{shown(values)}: must be a table of values at dotted paths")
    if all(type(value) in (int, float, str) and _in_section(key) for key, value in values.items()):
        with suppress(ExperimentError):  # the long way tells what is wrong, whichever of the values it is
            return _with_numbers(experiment, values)
    root = type(experiment)
    tables = _tables(experiment)
    labels = tuple(method.get("name") or method["kind"] for method in tables["method"])
    if wrong := [key for key in values if not isinstance(key, str)]:
        raise ExperimentError(f"{shown(wrong[0])}: keys are dotted paths, such as train.n")
    paths = {split(key, labels): key for key in values}
    for path, key in paths.items():
        if inside := [paths[path[:end]] for end in range(1, len(path)) if path[:end] in paths]:
            raise ExperimentError(f"{key}: is inside {inside[0]}, which changes too; give one of them")
        type_at(root, path if path[:2] != ("sweep", "grid") else path[:2], key)
        if path[0] == "method" and len(path) == 2:
            raise ExperimentError(
                f"{key}: name one key of the method, such as {key}.balance, or replace all of `method`"
            )
        table = _table_at(tables, path[:-1], labels)
        if values[key] is None:
            table.pop(path[-1], None)
            continue
        _drop_alternatives(table, path, set(paths))
        table[path[-1]] = plain(_section(values[key]), key)
    return from_tables(tables, root)


def _with_numbers(experiment: Any, values: Mapping[str, Any]) -> Any:
    """`with_values` of single numbers and texts inside sections, some ten times as fast: cells of a grid are made so.

    Only the sections that change are read and converted anew; what they must satisfy together is checked in full.
    """
    root: type[Section] = type(experiment)
    paths = {split(key, ()): key for key in values}
    tables = {name: to_tables(getattr(experiment, name)) or {} for name in {path[0] for path in paths}}
    for path, key in paths.items():
        if len(path) < 2 or any(path[:end] in paths for end in range(1, len(path))):
            raise ExperimentError(f"{key}: is no single value")
        type_at(root, path, key)
        table = _table_at(tables, path[:-1], ())
        _drop_alternatives(table, path, set(paths))
        table[path[-1]] = plain(values[key], key)
    changed = copy(experiment)  # without another look at what stays as it is
    for name, table in tables.items():
        force_setattr(changed, name, convert(table, keys_of(root)[name], name))
    checks.check_features(changed.features)
    checks.check_samples(changed.features, changed.train, changed.heldout, changed.test)
    checks.check_head("head", changed.head)
    checks.check_methods(changed.method, changed.head, changed.heldout)
    checks.check_network(changed)
    return changed


def _in_section(key: Any) -> bool:
    return isinstance(key, str) and key.partition(".")[0] in SECTIONS


def parse_settings(settings: Iterable[str]) -> dict[str, Any]:
    """Values at dotted paths from `key=value` texts; a value is read as TOML, and as a string where it is none.

    >>> parse_settings(["train.n=900", "method.dfr.balance=subset"])
    {'train.n': 900, 'method.dfr.balance': 'subset'}
    """
    values = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        key, text = key.strip(), text.strip()
        if not (key and equals and text):
            raise ExperimentError(f"{setting!r}: must be key=value, for example train.n=900")
        values[key] = _value(text)
    return values


def _value(text: str) -> Any:
    try:
        document = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError, ValueError):
        return text
    return document["value"] if document.keys() == {"value"} else text


def _tables(experiment: Section) -> dict[str, Any]:
    tables = to_tables(experiment)
    tables["method"] = to_tables(experiment.method)  # type: ignore[attr-defined]
    return tables


def _section(value: Any) -> Any:
    """Structs, also inside tuples, as plain tables."""
    return to_tables(tuple(value) if isinstance(value, list) else value)


def _table_at(tables: dict[str, Any], path: Path, labels: tuple[str, ...]) -> dict[str, Any]:
    """The table at a path, made where it is absent or holds no table (a solver that was "exact")."""
    table = tables
    if path[:1] == ("method",) and len(path) > 1:
        table, path = tables["method"][labels.index(path[1])], path[2:]
        if path == ("head", "solver"):
            shared = tables.get("head", {}).get("solver")
            table.setdefault("head", {}).setdefault("solver", dict(shared) if isinstance(shared, dict) else {})
    for part in path:
        if not isinstance(table.get(part), dict):
            table[part] = {}
        table = table[part]
    return table


def _drop_alternatives(table: dict[str, Any], path: Path, given: set[Path]) -> None:
    section = path[:-1]
    if section not in (("train",), ("heldout",), ("features", "noise")):
        return
    for name in ALTERNATIVES.get(path[-1], ()):
        if (*section, name) in given or name not in table:
            continue
        dropped = table.pop(name)
        if name == "counts" and not given & {(*section, "n"), (*section, "n_per_dim")}:
            table["n"] = sum(dropped)


# The frozen Experiment: everything that simulation and prediction consume.


class Experiment(Section, frozen=True, kw_only=True):
    """A complete, checked description; an object that exists is valid. Equal descriptions are equal and hash alike.

    Raises:
        ExperimentError: on construction, naming the key, its value and what is accepted.
    """

    name: str = "experiment"
    features: Features
    train: Train
    heldout: Heldout | None = None
    test: Test = Test()
    network: Network | None = None
    head: FitOptions = FitOptions()
    method: tuple[Method, ...] = DEFAULT_METHODS
    sweep: Sweep = Sweep()
    study: Study | None = None

    def __post_init__(self) -> None:
        for field in fields_of(type(self)):
            if field.name != "sweep":  # its axes hold values of many types
                value = getattr(self, field.name)
                if value is not None:
                    force_setattr(self, field.name, convert(plain(value, field.name), field.type, field.name))
        force_setattr(self, "method", completed(self.method))
        checks.check_name(self.name)
        checks.check_features(self.features)
        checks.check_samples(self.features, self.train, self.heldout, self.test)
        checks.check_head("head", self.head)
        checks.check_methods(self.method, self.head, self.heldout)
        force_setattr(self, "sweep", tables.typed_sweep(self.sweep, type(self), self.method_labels))
        checks.check_network(self)
        checks.check_sweep(self.sweep, type(self), self.method_labels)
        checks.check_study(self.study)

    @property
    def method_labels(self) -> tuple[str, ...]:
        """The unique names of the methods, in file order."""
        return tuple(method.label for method in self.method)

    @property
    def labels(self) -> tuple[int, ...]:
        """Label y_g = ±1 of every group."""
        return groups.group_labels(self.features)

    @property
    def attributes(self) -> tuple[float, ...]:
        """Attribute a_g of every group; zeros where labels are given without attributes."""
        return groups.group_attributes(self.features)

    @property
    def group_count(self) -> int:
        """Number of groups G."""
        return len(self.labels)

    @property
    def signal_dim(self) -> int:
        """Number of signal coordinates k."""
        return len(groups.group_means(self.features)[0])

    @property
    def noise_dim(self) -> int:
        """Number of noise coordinates d."""
        return self.features.noise.size

    @property
    def noise_std(self) -> tuple[float, ...]:
        """Uncollapsed noise scale sigma_g of every group."""
        return groups.per_group(self.features.noise.std, self.group_count)

    @property
    def signal_means(self) -> tuple[tuple[float, ...], ...]:
        """Uncollapsed signal means m_g, (G, k)."""
        return groups.group_means(self.features)

    @property
    def signal_covariances(self) -> tuple[tuple[tuple[float, ...], ...], ...]:
        """Uncollapsed signal covariances S_g, (G, k, k)."""
        return groups.group_covariances(self.features)

    def train_counts(self) -> tuple[int, ...]:
        """Fixed group counts of the training sample."""
        return groups.sample_counts(self.features, self.train)

    def heldout_counts(self) -> tuple[int, ...]:
        """Fixed group counts of the held-out sample; ExperimentError where the experiment has none."""
        if self.heldout is None:
            raise ExperimentError("heldout: missing; this experiment has no held-out sample")
        return groups.sample_counts(self.features, self.heldout)

    @property
    def train_proportions(self) -> tuple[float, ...]:
        """Realised training shares pi_g; the collapse centres and, by default, the test average use them."""
        return groups.normalised(self.train_counts())

    @property
    def heldout_proportions(self) -> tuple[float, ...]:
        """Realised held-out shares."""
        return groups.normalised(self.heldout_counts())

    @property
    def test_proportions(self) -> tuple[float, ...]:
        """Shares that weigh the average accuracy."""
        return groups.normalised(self.test.proportions or self.train_counts())

    @property
    def test_collapse(self) -> Collapse:
        """Collapse of the test features: its own, else the held-out features', else none."""
        if self.test.collapse is not None:
            return self.test.collapse
        return self.heldout.collapse if self.heldout is not None else Collapse()

    def method_of(self, label: str) -> Method:
        """The method with this label; ExperimentError, with a suggestion, where there is none."""
        for method in self.method if isinstance(label, str) else ():
            if method.label == label:
                return method
        raise ExperimentError(
            f"method.{label}: no such method{suggestion(str(label), self.method_labels, 'method.')}; "
            f"this experiment has {', '.join(self.method_labels)}"
        )

    def head_of(self, method: Method | str) -> FitOptions:
        """The effective head: `[head]` with the method's own `head` over it."""
        return self.head.changed_by((self.method_of(method) if isinstance(method, str) else method).head)

    def replace(self, **sections: Any) -> "Experiment":
        """The experiment with whole sections replaced, by structs or by tables as in the file."""
        return replace(self, sections)

    def with_values(self, values: Mapping[str, Any]) -> "Experiment":
        """The experiment with the values at dotted paths replaced; methods by label. See `with_values`.

        >>> from llrsim.experiment import load
        >>> changed = load("quick").with_values({"heldout.counts": [90, 10, 10, 90], "method.dfr.balance": "subset"})
        >>> changed.heldout_proportions, changed.method_of("dfr").balance
        ((0.45, 0.05, 0.05, 0.45), 'subset')
        """
        return with_values(self, values)

    def to_toml(self) -> str:
        """The experiment as a file that loads to an equal experiment."""
        return tables.to_toml(self)

    def to_json(self) -> str:
        """Canonical JSON of the whole description: sorted keys, defaults filled in, floats in shortest repr."""
        return identity.canonical_json(self)

    @property
    def hash(self) -> str:
        """16 hex digits of everything but the name, the study and the number of replicates."""
        return identity.experiment_hash(self)

    @property
    def cell_law_hash(self) -> str:
        """16 hex digits of the law of the features and samples, in numbers: equal laws described differently agree."""
        return identity.cell_law_hash(self)

    def method_hash(self, label: str) -> str:
        """16 hex digits of what a method does, whatever it is called; of its earlier head too, where it has one."""
        return identity.method_hash(self, self.method_of(label))
