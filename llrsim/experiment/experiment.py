"""The frozen Experiment: everything that simulation and prediction consume."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import force_setattr

from . import changes, checks, groups, identity, tables
from .completion import completed
from .conversion import convert, plain
from .errors import ExperimentError, suggestion
from .paths import fields_of
from .schema import (
    DEFAULT_METHODS,
    Collapse,
    Features,
    FitOptions,
    Heldout,
    Method,
    Network,
    Section,
    Study,
    Sweep,
    Test,
    Train,
)


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
        return changes.replace(self, sections)

    def with_values(self, values: Mapping[str, Any]) -> "Experiment":
        """The experiment with the values at dotted paths replaced; methods by label. See `changes.with_values`.

        >>> from llrsim.experiment import load
        >>> changed = load("quick").with_values({"heldout.counts": [90, 10, 10, 90], "method.dfr.balance": "subset"})
        >>> changed.heldout_proportions, changed.method_of("dfr").balance
        ((0.45, 0.05, 0.05, 0.45), 'subset')
        """
        return changes.with_values(self, values)

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
