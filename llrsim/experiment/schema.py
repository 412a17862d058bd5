"""Define the sections of an experiment file, the kinds of methods, and the dotted paths that lead to a key."""

import dataclasses
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec import Meta, Struct, field
from msgspec.structs import force_setattr, replace

from .errors import ExperimentError, suggestion

# The kinds of methods: what each balances and the data it is fitted on; and the studies. The lists of their names.


Target = Literal["none", "class", "group"]
Balance = Literal["weights", "subset", "upsample"]
Data = Literal["heldout", "train", "fresh-train"]
Unit = Literal["class", "group"]
Selector = Literal["loss", "disagreement"]
Matching = Literal["mass-matched", "size-matched"]


@dataclasses.dataclass(frozen=True)
class Kind:
    """What makes a method.

    Attributes:
        balances: what its fixed weights balance.
        data: the data it defaults to.
        size_matched: whether its sample is cut to the held-out size.
        own: its keys in a file that no other kind has, with their defaults; None where there is none.
        scored: whether its weights depend on the scores of an earlier head, by default that of the first ERM method.
    """

    balances: Target
    data: Data
    size_matched: bool = False
    own: dict[str, float | str | None] = dataclasses.field(default_factory=dict)
    scored: bool = False


KINDS: dict[str, Kind] = {
    "erm": Kind(balances="none", data="train"),
    "llr": Kind(balances="none", data="heldout"),
    "llr-on-train": Kind(balances="none", data="train", size_matched=True),
    "cb-llr": Kind(balances="class", data="heldout"),
    "dfr": Kind(balances="group", data="heldout"),
    "afr": Kind(balances="none", data="fresh-train", own={"gamma": 4.0}, scored=True),
    "self": Kind(balances="none", data="heldout", own={"k": None, "by": "loss", "against": None}, scored=True),
    "group-dro": Kind(balances="none", data="heldout", own={"ascent": None}),
    "logit-adjusted": Kind(balances="none", data="heldout", own={"adjust": 1.0, "stretch": 0.0, "unit": "class"}),
}

STUDIES = tuple(f"e{number:02}" for number in range(1, 15))
"""The studies: questions with a rule that decides them, one module of `llrsim.studies` each."""


# The sections of an experiment file as frozen, hashable structs; field names are the keys of the file.
#
# Types and defaults live here; what the values must satisfy together is in `checks`. Lists become tuples, whole numbers
# given for float fields become floats, and unknown keys are refused, so two equal descriptions are equal objects.


PerGroup = float | tuple[float, ...]
"""One number for every group, or one number per group in group order."""

Simulator = Literal["auto", "dense", "lazy"]
"""What simulates: all numbers drawn, only what the fits ask for revealed, or whichever suits the sizes."""

NetworkKind = Literal["raw", "random-relu", "trained"]
"""Features that are the inputs themselves, random ReLU units, or the hidden layer of a trained ReLU network."""

LOSSES = ("squared", "logistic", "hinge", "squared_hinge", "max_margin")


class Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file."""


class Coordinates(Section, frozen=True, kw_only=True):
    """Signal coordinates y * mean (core) or a * mean (spurious) with standard deviation std; lists give several."""

    mean: float | tuple[float, ...]
    std: float | tuple[float, ...]


class Noise(Section, frozen=True, kw_only=True):
    """Noise coordinates z ~ N(0, std_g^2 Lambda): `dim` of them with Lambda = I, or a `spectrum` of Lambda.

    A spectrum is a list of (eigenvalue, multiplicity); in files a plain number stands for multiplicity one.
    """

    dim: int | None = None
    std: PerGroup = 1.0
    spectrum: (
        Annotated[
            tuple[tuple[float, int], ...],
            Meta(extra_json_schema={"items": {"anyOf": [{"type": "array"}, {"type": "number"}]}}),
        ]
        | None
    ) = None

    @property
    def size(self) -> int:
        """Number of noise coordinates."""
        if self.spectrum is not None:
            return sum(multiplicity for _, multiplicity in self.spectrum)
        return self.dim or 0


class Features(Section, frozen=True, kw_only=True):
    """What an uncollapsed feature looks like: core and spurious coordinates, or means and covariances per group.

    Without `labels` the groups are (y, a) = (-,-), (-,+), (+,-), (+,+).
    """

    core: Coordinates | None = None
    spurious: Coordinates | None = None
    noise: Noise
    labels: tuple[int, ...] | None = None
    attributes: tuple[float, ...] | None = None
    means: tuple[tuple[float, ...], ...] | None = None
    covariances: tuple[tuple[tuple[float, ...], ...], ...] | None = None


class Collapse(Section, frozen=True, kw_only=True):
    """The collapse factors tau_n and tau_a of T4 in [0, 1]: 1 leaves features untouched, 0 collapses them."""

    noise: PerGroup = 1.0
    attribute: PerGroup = 1.0


class Train(Section, frozen=True, kw_only=True):
    """The training sample: its size, its composition and the collapse of its features."""

    n: int | None = None
    n_per_dim: float | None = None
    counts: tuple[int, ...] | None = None
    proportions: tuple[float, ...] | None = None
    collapse: Collapse = Collapse()


class Heldout(Section, frozen=True, kw_only=True):
    """The held-out sample; `minority_ratio` is minority (a != y) : majority inside each class."""

    n: int | None = None
    n_per_dim: float | None = None
    counts: tuple[int, ...] | None = None
    proportions: tuple[float, ...] | None = None
    minority_ratio: float | None = None
    class_prior: float | None = None
    collapse: Collapse = Collapse()
    annotation_noise: float = 0.0


class Test(Section, frozen=True, kw_only=True):
    """The test law: `proportions` weigh the average accuracy (default train's), `collapse` defaults to heldout's."""

    __test__ = False  # not a pytest class

    proportions: tuple[float, ...] | None = None
    collapse: Collapse | None = None


class Network(Section, frozen=True, kw_only=True):
    """What makes features of the inputs, which are drawn from `features`, and how many test rows a group heads meet.

    `width` is the number of hidden units. A `trained` network descends the logistic loss of the training sample, all
    rows in every step, with heavy ball momentum and `ridge` on all weights. Keys that a kind has no use for have no
    effect, so that kinds can be swept.
    """

    kind: NetworkKind = "trained"
    width: int = 200
    steps: int | None = None
    step_size: float | None = None
    momentum: float = 0.0
    ridge: float = 0.0
    test_rows: int = 4000


class Descent(Section, frozen=True, kw_only=True):
    """Gradient descent from zero, or from the head named by `from`; without `batch` every step uses all rows.

    `momentum` is heavy ball, or with `nesterov` Nesterov's, in the form of PyTorch's SGD.
    """

    steps: int
    step_size: float
    momentum: float = 0.0
    nesterov: bool = False
    batch: int | None = None
    clip: float | None = None
    path: tuple[int, ...] = ()


Solver = Literal["exact"] | Descent


class FitOptions(Section, frozen=True, kw_only=True):
    """How a head is fitted."""

    loss: str = "logistic"
    ridge: float = 0.01
    solver: Solver = "exact"

    def changed_by(self, changes: "FitChanges | None") -> "FitOptions":
        """These options with what a method changes; a table for `solver` replaces the other solver whole."""
        if changes is None:
            return self
        given = {name: getattr(changes, name) for name in changes.__struct_fields__}
        return replace(self, **{name: value for name, value in given.items() if value is not None})


class FitChanges(Section, frozen=True, kw_only=True):
    """What one method does differently from `[head]`."""

    loss: str | None = None
    ridge: float | None = None
    solver: Solver | None = None


class Control(Section, frozen=True, kw_only=True):
    """What makes a method the control of an earlier one, `of`, on the same data.

    "mass-matched": every row of a group weighs the same, and the group masses are those that the other method realised.
    "size-matched": as many rows as the other uses, in the sample's own proportions.
    """

    kind: Matching
    of: str


class Method(Section, frozen=True, kw_only=True):
    """One way to fit a head. Of `kind` and `name`, a missing one takes the other's value.

    Some keys belong to one kind: `gamma` to afr; `k`, `by` and `against` to self; `ascent` to group-dro; `adjust`,
    `stretch` and `unit` to logit-adjusted (see `llrsim.model.methods`). `angle_to` names an earlier method; the cosine
    between the two heads' weights is recorded.
    """

    kind: str = ""
    name: str = ""
    balance: Balance = "weights"
    average: int = 1
    anchor: float = 0.0
    data: Data | None = None
    start: str | None = field(default=None, name="from")
    head: FitChanges | None = None
    control: Control | None = None
    angle_to: str | None = None
    gamma: float | None = None
    k: int | None = None
    by: Selector | None = None
    against: str | None = None
    ascent: float | None = None
    adjust: float | None = None
    stretch: float | None = None
    unit: Unit | None = None

    def __post_init__(self) -> None:
        if not self.kind:
            force_setattr(self, "kind", self.name)
        if not self.name:
            force_setattr(self, "name", self.kind)
        if self.kind in KINDS:
            for key, default in KINDS[self.kind].own.items():
                if getattr(self, key) is None:
                    force_setattr(self, key, default)

    @property
    def label(self) -> str:
        """The unique name of the method in tables, results and dotted paths."""
        return self.name

    @property
    def source(self) -> str:
        """The sample it fits on: `data`, or the default of its kind."""
        return self.data or KINDS[self.kind].data


class Axis(Section, frozen=True, kw_only=True):
    """A swept key with its values: a list, or `num` points evenly spaced in the value (linear) or its log10."""

    key: str
    values: tuple[Any, ...] | None = None
    log10: tuple[float, float] | None = None
    linear: tuple[float, float] | None = None
    num: int | None = None


class Sweep(Section, frozen=True, kw_only=True):
    """How often and over which grid the experiment runs; none of it changes the law of a cell."""

    replicates: int = 20
    seed: int = 0
    simulator: Simulator = "auto"
    grid: tuple[Axis, ...] = ()
    zip: tuple[tuple[Axis, ...], ...] = ()


class Study(Section, frozen=True, kw_only=True):
    """What the sweep is to decide, in words, written before it runs; the module of this `id` decides it in code.

    `rule` says what confirms, refutes or complicates the `claim`, thresholds included. None of it changes a number.
    """

    id: str
    question: str
    claim: str
    rule: str


DEFAULT_METHODS = tuple(Method(kind=kind) for kind in ("erm", "llr", "cb-llr", "dfr"))


# Dotted paths into a description: which keys exist, and of what type their values are.


Path = tuple[str, ...]


@cache
def fields_of(section: type[Section]) -> tuple[msgspec.structs.FieldInfo, ...]:
    """The fields of a table; msgspec works them out anew on every call, which would be most of a cell's cost."""
    return msgspec.structs.fields(section)


@cache
def keys_of(section: type[Section]) -> dict[str, Any]:
    """The keys of a table and the types of their values."""
    return {field.encode_name: field.type for field in fields_of(section)}


@cache
def section_in(kind: Any) -> type[Section] | None:
    """The table that a value of this type may be, or None where it is never one."""
    options = (kind,) if isinstance(kind, type) else get_args(kind) if get_origin(kind) is not tuple else ()
    return next((option for option in options if isinstance(option, type) and issubclass(option, Section)), None)


def split(key: str, labels: tuple[str, ...]) -> Path:
    """The parts of a dotted key; the label of a method, and a key of `sweep.grid`, are one part, dots and all.

    >>> split("method.dfr-0.5.average", ("erm", "dfr-0.5"))
    ('method', 'dfr-0.5', 'average')
    """
    first, _, rest = key.partition(".")
    if first == "method" and rest:
        label = max((label for label in labels if f"{rest}.".startswith(f"{label}.")), key=len, default="")
        if not label:
            wrong = rest.partition(".")[0]
            raise ExperimentError(
                f"{key}: no method is called {wrong!r}{suggestion(wrong, labels, 'method.')}; "
                f"methods: {', '.join(labels)}"
            )
        inner = rest[len(label) + 1 :]
        return (first, label, *inner.split(".")) if inner else (first, label)
    if key.startswith("sweep.grid."):
        return ("sweep", "grid", key.removeprefix("sweep.grid."))
    return tuple(key.split("."))


def type_at(root: type[Section], path: Path, key: str) -> Any:
    """The type of the value at a path below `root`; ExperimentError, with a suggestion, where there is no such key."""
    if path[0] == "method" and len(path) > 1:
        return type_at(Method, path[2:], key) if len(path) > 2 else Method
    known = keys_of(root)
    if path[0] not in known:
        raise unknown_key(key, path[0], known)
    if len(path) == 1:
        return known[path[0]]
    inner = section_in(known[path[0]])
    if inner is None:
        raise ExperimentError(f"{key}: {path[0]} is not a table and has no key {path[1]!r}")
    return type_at(inner, path[1:], key)


def unknown_key(key: str, wrong: str, known: dict[str, Any]) -> ExperimentError:
    """The error for a key that does not exist; `wrong` is the part of the dotted `key` that is at fault."""
    prefix = key[: key.rfind(wrong)] if wrong else ""
    return ExperimentError(
        f"{key}: unknown key{suggestion(wrong, known, prefix)}; accepted in "
        f"{prefix.rstrip('.') or 'the file'}: {', '.join(known)}"
    )
