"""Hold what `simulate` and `predict` both return: each method's head, its readout, and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from ._io import data_frame, data_set
from .model.head import Head, Readout, read_out, worst_class_accuracy
from .model.losses import Status
from .model.methods import Rule
from .model.mixture import Array, GroupMixture
from .model.plan import Stage
from .statistics import binomial_interval, half_width, half_width_of, interval_of_least, of_least_mean

if TYPE_CHECKING:
    import pandas
    import xarray


# What `simulate` and `predict` both return: for each method its head, what follows from it, and how it came about.


__all__ = [
    "Estimate",
    "LearnedFeatures",
    "Limit",
    "MethodOutcome",
    "Observed",
    "Outcome",
    "Path",
    "bias_intervals",
    "binomial_interval",
    "half_width",
    "half_width_of",
    "interval_of_least",
    "of_least_mean",
    "plain",
]


# Numbers as strict JSON holds them.


def plain(value: Any) -> Any:
    """Arrays as nested lists, numbers as Python's own, and None for what is not finite, which JSON cannot say.

    >>> plain(np.array([[1.0, np.nan]])), plain(np.int64(3)), plain(None)
    ([[1.0, None]], 3, None)
    """
    if value is None:
        return None
    array = np.asarray(value)
    if array.ndim:
        return [plain(entry) for entry in array]
    number = array.item()
    return number if not isinstance(number, float) or np.isfinite(number) else None


# The empirical readout: accuracies counted on fresh test rows, where the test law gives none in closed form.


@dataclass(frozen=True, eq=False)
class Observed:
    """What R heads do on test rows that no fit has seen, drawn anew for every replicate.

    Attributes:
        group_accuracy: (R, G) shares of the rows of each group that are classified rightly.
        direction_wga: (R,) worst-group accuracy at the bias that is best on these very rows.
        rows: test rows of each group.
    """

    group_accuracy: Array
    direction_wga: Array
    rows: int

    @property
    def interval(self) -> tuple[Array, Array]:
        """(R, G) ends of the 95 % intervals of each head's own group accuracies, given the head."""
        return binomial_interval(self.group_accuracy, self.rows)

    def readout(self, test: GroupMixture) -> Readout:
        """What `read_out` gives, as far as counts tell it: weights have no meaning on the inputs, so these are nan."""
        accuracy = self.group_accuracy
        wga = accuracy.min(axis=-1)
        unknown = np.full(wga.shape, np.nan)
        return Readout(
            group_accuracy=accuracy,
            wga=wga,
            worst_group=accuracy.argmin(axis=-1),
            worst_class_accuracy=worst_class_accuracy(accuracy, test),
            average_accuracy=(accuracy * test.proportions).sum(axis=-1),
            spurious_reliance=unknown,
            direction_wga=self.direction_wga,
            bias_part=wga - self.direction_wga,
            class_cosine=unknown,
            attribute_cosine=unknown,
        )


# What became of the features that a network learned, replicate by replicate.


@dataclass(frozen=True, eq=False)
class LearnedFeatures:
    """Collapse of a network's features and what its own output layer does, of R networks; nan where there is none.

    NC1 is exact, of the two classes (`neural_collapse.nc1_of_data`). Features that are not trained are the same before
    and after, and have no output layer.

    Attributes:
        nc1_untrained: (R,) of the training features before training.
        nc1_train: (R,) of the training features after it.
        nc1_heldout: (R,) of the held-out features, by the same trained network.
        train_accuracy: (R,) of the network's output on the training sample.
        output_accuracy: (R, G) of the network's output on fresh test rows of each group.
    """

    nc1_untrained: Array
    nc1_train: Array
    nc1_heldout: Array
    train_accuracy: Array
    output_accuracy: Array

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: lists by replicate."""
        return {field.name: plain(getattr(self, field.name)) for field in fields(self)}


# One method's heads over its replicates, and everything that is read off them.


Limit = Literal["population", "proportional", "finite"]

_READ = (
    "group_accuracy",
    "average_accuracy",
    "worst_class_accuracy",
    "spurious_reliance",
    "direction_wga",
    "class_cosine",
    "attribute_cosine",
)
"""Fields of the readout in a summary, by their own names."""

_HEAD = ("signal", "bias", "noise_norm", "noise_scale", "weight_norm")
"""Quantities of a summary that are told under `head`."""


def bias_intervals(found: Sequence[tuple[float, float] | None]) -> Array | None:
    """(R, 2) the optimal biases of each replicate, nan where they are one; None where all are."""
    nothing = (np.nan, np.nan)
    return None if all(ends is None for ends in found) else np.array([ends or nothing for ends in found])


FEW = 3
"""Rows of a group up to which the limit of many rows is only a rough guide."""


class Estimate(NamedTuple):
    """A mean over replicates with its standard error, None where there are not several replicates."""

    mean: Array
    standard_error: Array | None


@dataclass(frozen=True, eq=False)
class Path:
    """Heads along a descent, before averaging: `steps` (S,) and heads with leading axes (R, S)."""

    steps: np.ndarray
    heads: Head


@dataclass(frozen=True, eq=False)
class MethodOutcome:
    """One method's heads over R replicates (R = 1 for a prediction) and their readout.

    Attributes:
        stage: the method as it was fitted, with its selection and mass.
        test: the law the heads are read out on.
        heads: summaries with leading axis (R,); rows that have no head are nan.
        status: (R,) codes of `Status`.
        certificate: (R,) of each fit, see `simulation.Fit`: relative gradient norm, excess or duality gap.
        iterations: (R,) solver iterations, or steps.
        limit: `finite` for a simulation, else the limit of the prediction.
        path: heads along the descent, when `head.solver.path` asks for it.
        largest_stable_step: set when a descent diverged whose loss is smooth, nan otherwise.
        masses: (R, G) effective mass of each group, where a rule makes it differ between replicates; else None.
        shares: (R, G) share of each group among the rows of positive weight, likewise. Whether the groups of a
            prediction have the shares of whole rows or those of the file is `stage.shares`, and `shares` in `row`.
        evenness: (R, G) effective rows of each group over its rows, (E om)^2 / E om^2 (Kish 1965), where a rule of a
            prediction weighs rows; else None.
        cosine: (R,) cosine between the weight vectors of this head and of the stage's `angle_to`; None where not asked.
        details: what computes further entries of `to_dict` when it is asked for them: in the proportional limit
            `training`, the fit's own rows, and for a descent `early_stopping`.
        observed: accuracies on fresh test rows, for heads on a network's features: their readout is these, and of
            `heads` only the bias is known. None where the readout is exact.
        reason: why there is no head, where the status alone does not say.
        bias_interval: (R, 2) the least and the largest optimal bias of the replicates whose status is BIAS_NOT_UNIQUE;
            None where there are none.
    """

    stage: Stage
    test: GroupMixture
    heads: Head
    status: np.ndarray
    certificate: Array
    iterations: np.ndarray
    limit: Limit
    path: Path | None = None
    largest_stable_step: float = float("nan")
    masses: Array | None = None
    shares: Array | None = None
    evenness: Array | None = None
    cosine: Array | None = None
    details: Callable[[], dict[str, Any]] | None = None
    observed: Observed | None = None
    reason: str = ""
    bias_interval: Array | None = None

    @property
    def label(self) -> str:
        """The method's unique name."""
        return self.stage.label

    @property
    def message(self) -> str:
        """What happened and what to change; the reason, where there is one."""
        return self.reason or (self.not_unique if self.outcome.ok else "") or self.outcome.message_on(self.stage.data)

    @property
    def remark(self) -> str:
        """What limits the heads that came out: `not_unique` and `few_rows`; else the empty text."""
        return "; ".join(text for text in (self.not_unique, self.few_rows) if text)

    @property
    def not_unique(self) -> str:
        """In how many replicates the bias or the head is not unique; else the empty text.

        Of a bias with the mean ends of its intervals.
        """
        texts = []
        for status in (status for status in Status if status.ok and not status.plain):
            found = self.status == status
            if found.any():
                where = f" in {found.sum()} of {len(found)} replicates" if len(found) > 1 else ""
                told = status.message_on(self.stage.data)
                if status is Status.BIAS_NOT_UNIQUE and self.bias_interval is not None:
                    told = "[{:.4g}, {:.4g}]".format(*self.bias_interval[found].mean(axis=0))
                texts.append(f"{status.label.replace('-', ' ')}{where}: {told}")
        return "; ".join(texts)

    @property
    def few_rows(self) -> str:
        """Which groups a prediction has at most FEW rows of, in words; else the empty text.

        Of rows that a rule weighs by their score: which have at most so many effective ones. Of rows that it chooses:
        which classes, in expectation.
        """
        if self.limit == "finite" or not self.outcome.ok:
            return ""
        chosen, rule = self.stage.selection, self.stage.reweighting
        rows = np.bincount(chosen.group, chosen.distinct, len(chosen.labels))
        names: Sequence[str] = self.test.group_names
        if rule is not None and rule.rule is Rule.LOSS and self.shares is not None:
            of_group = self.shares[0] * self.stage.rows
            rows = np.array([of_group[chosen.labels == label].sum() for label in (-1, 1)])
            names = ("class -1", "class +1")
        elif self.evenness is not None:
            rows = rows * self.evenness[0]
        few = [f"{n:.2g} of {name}" for name, n in zip(names, rows, strict=True) if 0 < n <= FEW]
        return f"few rows ({', '.join(few)}): a limit of many is a rough guide" if few else ""

    @property
    def mass(self) -> Array:
        """(G,) effective group mass p_g (T19), the mean over replicates where it differs between them."""
        return self.stage.selection.mass if self.masses is None else self.mean(self.masses)

    @cached_property
    def readout(self) -> Readout:
        """Accuracies of every replicate, leading axis (R,): exact, or as `observed`."""
        return read_out(self.heads, self.test) if self.observed is None else self.observed.readout(self.test)

    @cached_property
    def kept(self) -> np.ndarray:
        """(R,) whether the replicate has a head."""
        return np.isin(self.status, [s for s in Status if s.ok])

    @property
    def outcome(self) -> Status:
        """One status for all replicates: the first without a head, else the one that says most."""
        return Status.of_all(self.status)

    def mean(self, values: Array) -> Array:
        """Mean over the replicates that have a head; nan if none has."""
        rows = self._of_kept(values)
        with np.errstate(invalid="ignore"):  # ratios are infinite in a replicate without their denominator
            return rows.mean(axis=0) if len(rows) else np.full(rows.shape[1:], np.nan)

    def standard_error(self, values: Array) -> Array | None:
        """Standard error of `mean`; None for predictions and single replicates."""
        rows = self._of_kept(values)
        with np.errstate(invalid="ignore"):
            return rows.std(axis=0, ddof=1) / np.sqrt(len(rows)) if len(rows) > 1 else None

    def interval(self, values: Array) -> tuple[Array, Array] | None:
        """Ends of the 95 % interval of `mean` (`half_width`); None for predictions and single replicates."""
        rows = self._of_kept(values)
        if len(rows) < 2:
            return None
        mean, half = rows.mean(axis=0), half_width(rows)
        return mean - half, mean + half

    def _of_kept(self, values: Array) -> Array:
        return np.asarray(values, dtype=np.float64)[self.kept]

    @property
    def group_accuracy(self) -> Array:
        """(G,) mean accuracy of each group."""
        return self.mean(self.readout.group_accuracy)

    @property
    def wga(self) -> float:
        """Worst-group accuracy: the least of the groups' mean accuracies, on both sides; nan without a head."""
        return float(self.group_accuracy.min())

    @property
    def wga_interval(self) -> tuple[float, float] | None:
        """Ends of the 95 % interval of `wga` (`interval_of_least`); None for predictions and single replicates."""
        errors = self.standard_error(self.readout.group_accuracy)
        return None if errors is None else interval_of_least(self.group_accuracy, errors, int(self.kept.sum()))

    @property
    def wga_per_run(self) -> float | None:
        """Mean over replicates of each replicate's least group accuracy, below `wga` where groups tie.

        None for a prediction: theory is of the groups' means.
        """
        return float(self.mean(self.readout.wga)) if self.limit == "finite" else None

    @property
    def worst_accuracy(self) -> Array:
        """(R,) accuracy of `worst_group` in each replicate, whose mean is `wga`; nan without a head."""
        if self.worst_group is None:
            return np.full(len(self.kept), np.nan)
        return np.where(self.kept, self.readout.group_accuracy[:, self.worst_group], np.nan)

    @property
    def worst_group(self) -> int | None:
        """Index of the group with the least mean accuracy; None if no replicate has a head."""
        return int(np.argmin(self.group_accuracy)) if self.kept.any() else None

    def summary(self) -> dict[str, Estimate]:
        """Return every quantity by name: `wga`, of a simulation `wga_per_run`, averages of `Readout`, the mean head.

        Rows, records and the printed table select from it. The error of `wga` is that of `worst_group`; `bias_part` is
        `wga` less `direction_wga`.
        """
        values = {"wga_per_run": self.readout.wga} if self.limit == "finite" else {}
        values |= {name: getattr(self.readout, name) for name in _READ}
        values["bias_part"] = self.worst_accuracy - self.readout.direction_wga
        values |= {"signal": self.heads.signal, "bias": self.heads.bias, "noise_norm": self.heads.noise_norm}
        values["weight_norm"] = self.heads.weight_norm
        values["noise_scale"] = self.heads.noise_scale(self.test)
        found = {name: Estimate(self.mean(rows), self.standard_error(rows)) for name, rows in values.items()}
        means, errors = found["group_accuracy"]
        worst = int(np.argmin(means))
        return {"wga": Estimate(means[worst], None if errors is None else errors[worst])} | found

    def row(self) -> dict[str, Any]:
        """The summary, flat: status, remark; accuracies, weights, mass, each with `_se` after it for a simulation.

        `shares` says whether group shares are of whole rows ("realised") or as the file states them ("nominal"). A
        simulation has the interval of `wga` in `wga_low` and `wga_high`, and `wga_per_run`. Vectors have one entry a
        coordinate (`signal1`) or a group (`accuracy(-,+)`); None stands for no value.
        """
        summary, names = self.summary(), self.test.group_names
        told: dict[str, Any] = {"limit": self.limit, "shares": self.stage.shares, "status": self.outcome.label}
        told |= {"remark": self.remark or None, "replicates": int(self.kept.sum())}
        named = ("wga", "wga_per_run", "direction_wga", "average_accuracy")
        columns = {name: [name] for name in named if name in summary}
        columns["group_accuracy"] = [f"accuracy{name}" for name in names]
        columns["signal"] = [f"signal{place + 1}" for place in range(self.test.signal_dim)]
        columns |= {"bias": ["bias"], "noise_norm": ["noise_norm"]}
        for name, keys in columns.items():
            mean, error = summary[name]
            errors = [None] * len(keys) if error is None else np.atleast_1d(error)
            for key, value, spread in zip(keys, np.atleast_1d(mean), errors, strict=True):
                told[key] = plain(value)
                if self.limit == "finite":
                    told[f"{key}_se"] = plain(spread)
                if self.limit == "finite" and key == "wga":
                    told["wga_low"], told["wga_high"] = self.wga_interval or (None, None)
        return told | {f"mass{name}": plain(value) for name, value in zip(names, self.mass, strict=True)}

    def to_dict(self) -> dict[str, Any]:
        """One JSON-ready object: means over replicates, for a simulation with `standard_error` beside them."""
        summary = self.summary()
        told: dict[str, Any] = {"status": self.outcome.label, "limit": self.limit, "kind": self.stage.kind}
        if self.limit != "finite":
            told["shares"] = self.stage.shares
        if not self.outcome.ok:
            told["message"] = self.message
        if self.remark:
            told["remark"] = self.remark
        if self.bias_interval is not None:
            found = self.bias_interval[self.status == Status.BIAS_NOT_UNIQUE]
            told["bias_interval"] = plain(found.mean(axis=0))
        if np.isfinite(self.largest_stable_step):
            told["largest_stable_step"] = self.largest_stable_step
        told |= _nested({name: plain(found.mean) for name, found in summary.items()})
        told |= {"worst_group": self.worst_group, "mass": plain(self.mass)}
        told["counts"] = plain(self.stage.selection.counts)
        told["certificate"] = plain(np.max(self.certificate[self.kept])) if self.kept.any() else None
        if self.details is not None:
            told |= self.details()
        if self.observed is not None:
            told["test_rows"] = self.observed.rows
            if len(self.status) == 1:  # of several replicates, the standard error holds the noise of the test rows too
                told["group_accuracy_interval"] = [plain(end[0]) for end in self.observed.interval]
        if self.path is not None:
            told["path"] = self._path_record(self.path)
        if self.limit == "finite":
            told["replicates"] = int(self.kept.sum())
            told["wga_interval"] = plain(self.wga_interval)
            told["standard_error"] = _nested({name: plain(found.standard_error) for name, found in summary.items()})
        return told

    def _path_record(self, path: Path) -> dict[str, Any]:
        accuracy, heads = read_out(path.heads, self.test), path.heads
        along = {"group_accuracy": accuracy.group_accuracy, "signal": heads.signal, "bias": heads.bias}
        along["noise_norm"] = heads.noise_norm
        if self.limit == "finite":
            along["wga_per_run"] = accuracy.wga
        told = {"steps": plain(path.steps), "wga": plain(self.mean(accuracy.group_accuracy).min(axis=-1))}
        return told | {name: plain(self.mean(values)) for name, values in along.items()}


def _nested(numbers: dict[str, Any]) -> dict[str, Any]:
    """The numbers of the head under `head`, the others beside it."""
    told = {name: number for name, number in numbers.items() if name not in _HEAD}
    return told | {"head": {name: numbers[name] for name in _HEAD}}


# The methods of one experiment on one side, as a table, as records and as text.


MOST_STEPS = 10
"""Columns of a path in print."""
_INTERVAL = "95 % of wga     "  # as wide as its numbers
LEAST_NAME = 16
"""Width of the names' column in print, but for longer ones."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """The methods of one experiment on one side, by label.

    `gram` (R, M, M) holds v_i.v_j, the inner products of the noise parts of the M heads of each replicate, so that
    heads can be compared: nan between heads that a simulator draws apart, None for predictions that have no joint law
    of heads. `simulator` says what ran, `paired` whether a replicate shares its random numbers with that replicate of
    other experiments of the same seed, and `seed` what keyed them; all three are None for predictions. `features` tells
    of a network's features, where there is one.
    """

    name: str
    methods: Mapping[str, MethodOutcome]
    side: Literal["simulation", "prediction"]
    simulator: str | None = None
    axes: Mapping[str, Any] = field(default_factory=dict)
    gram: Array | None = None
    paired: bool | None = None
    features: LearnedFeatures | None = None
    seed: int | None = None

    @property
    def readout(self) -> Literal["exact", "empirical"]:
        """Whether accuracies are those of the test law, or of fresh test rows."""
        return "exact" if all(method.observed is None for method in self) else "empirical"

    def __getitem__(self, label: str) -> MethodOutcome:
        if label not in self.methods:
            raise KeyError(f"no method {label!r}; this outcome has {', '.join(self.methods)}")
        return self.methods[label]

    def __iter__(self) -> Iterator[MethodOutcome]:
        return iter(self.methods.values())

    def cosine(self, first: str, second: str) -> Array:
        """(R,) cosine between two methods' weight vectors (bias excluded), from signals and the noise Gram matrix."""
        if self.gram is None:
            raise ValueError("cosine: this outcome has no Gram matrix of noise parts; only simulations have one")
        labels = list(self.methods)
        i, j = labels.index(first), labels.index(second)
        u, v = self[first].heads, self[second].heads
        inner = (u.signal * v.signal).sum(axis=-1) + self.gram[:, i, j]
        return inner / (u.weight_norm * v.weight_norm)

    def to_dict(self) -> dict[str, Any]:
        """One JSON-ready object: `{"name": ..., "methods": {label: {...}}}`."""
        told: dict[str, Any] = {"name": self.name, "side": self.side}
        if self.simulator:
            told |= {"simulator": self.simulator, "paired": self.paired, "seed": self.seed}
        told["readout"] = self.readout
        if self.axes:
            told["axes"] = dict(self.axes)
        if self.features is not None:
            told["features"] = self.features.to_dict()
        return told | {"methods": {method.label: method.to_dict() for method in self}}

    def rows(self) -> list[dict[str, Any]]:
        """One flat dict a method: axes, label, side and `MethodOutcome.row`."""
        return [dict(self.axes) | {"method": method.label, "side": self.side} | method.row() for method in self]

    def select(self, method: str | None = None, **axes: Any) -> list[dict[str, Any]]:
        """The rows of one method, or all; none where this cell has another value on an axis.

        Axes are named by their dotted keys: `select("dfr", **{"head.ridge": 0.1})`, so the cells of a grid can be
        asked alike. Raises KeyError for a method or an axis that is not there.

        >>> import llrsim
        >>> [row["status"] for row in llrsim.predict(llrsim.load("quick")).select(method="dfr")]
        ['converged']
        """
        chosen = None if method is None else self[method].label
        for key in axes:
            if key not in self.axes:
                raise KeyError(f"{key!r} is not an axis of this outcome; axes: {', '.join(self.axes) or 'none'}")
        if any(self.axes[key] != value for key, value in axes.items()):
            return []
        return [row for row in self.rows() if chosen in (None, row["method"])]

    def to_pandas(self) -> pandas.DataFrame:
        """Return `rows` as a DataFrame, with NaN for None; ImportError, naming the extra to install, without pandas."""
        return data_frame(self.rows(), "to_pandas")

    def to_xarray(self) -> xarray.Dataset:
        """Return `rows` as a Dataset along `method_name`, with name and axes as attributes.

        ImportError, naming the extra to install, without xarray.
        """
        rows = [{name: value for name, value in row.items() if name not in self.axes} for row in self.rows()]
        return data_set(rows, [], "to_xarray").assign_attrs(name=self.name, **self.axes)

    def __repr__(self) -> str:
        """A table, then the WGA along every recorded path.

        Of several replicates there are `wga` and `wga_per_run`, with their 95 % intervals.
        """
        title = f"{self.name}: {self.side}"
        if self.simulator:
            title += f" ({self.simulator}{', not paired' if self.paired is False else ''})"
        if any(method.stage.shares == "nominal" for method in self):
            title += " (shares = nominal)"
        if self.readout == "empirical":
            title += ", empirical readout"
        several = any(method.kept.sum() > 1 for method in self)
        worst = ["wga", _INTERVAL, "wga_per_run", "± 95 %"] if several else ["wga"]
        columns = "".join(f"{name:>{_width(name)}}" for name in (*worst, "best bias", "average"))
        named = max(LEAST_NAME, *(len(label) + 2 for label in self.methods)) if self.methods else LEAST_NAME
        table = [title, f"  {'method':<{named}}{columns}  mass", *(_line(method, several, named) for method in self)]
        return "\n".join([*table, *(line for method in self for line in _path_lines(method))])


def _width(column: str) -> int:
    return max(9, len(column) + 2)


def _line(method: MethodOutcome, several: bool, named: int) -> str:
    """A method's line of the printed table, its name in `named` columns, or why it has no numbers."""
    if not method.kept.any():
        stable = method.largest_stable_step
        told = f" (largest stable step {stable:.4g})" if stable > 0 else ""
        return f"  {method.label:<{named}}{method.outcome.label}: {method.message}{told}"
    summary = method.summary()

    def told_of(column: str, name: str) -> str:
        return f"{float(summary[name].mean):{_width(column)}.4f}"

    line = told_of("wga", "wga")
    if several:
        ends = method.wga_interval
        line += f"{f'[{ends[0]:.4f}, {ends[1]:.4f}]' if ends else '':>{_width(_INTERVAL)}}"
        line += told_of("wga_per_run", "wga_per_run") + _spread(method, method.readout.wga)
    line += told_of("best bias", "direction_wga") + told_of("average", "average_accuracy")
    line += "  " + " ".join(f"{p:.3f}" for p in method.mass)
    missing = int((~method.kept).sum())
    told = f"  ({missing} of {len(method.kept)} replicates: {method.outcome.label})" if missing else ""
    told += f"  ({method.remark})" if method.remark else ""
    return f"  {method.label:<{named}}{line}{told}"


def _path_lines(method: MethodOutcome) -> list[str]:
    """Steps of a method's path and the least of the mean group accuracies after each; thinned out evenly if many."""
    if method.path is None or not method.kept.any():
        return []
    wga = method.mean(read_out(method.path.heads, method.test).group_accuracy).min(axis=-1)
    count = len(wga)
    shown = np.unique(np.linspace(0, count - 1, min(count, MOST_STEPS)).round().astype(int))
    thinned = f" ({len(shown)} of {count} recorded steps)" if len(shown) < count else ""
    return [
        f"  {method.label} along its descent{thinned}",
        f"    {'step':<14}" + "".join(f"{step:9d}" for step in method.path.steps[shown]),
        f"    {'wga':<14}" + "".join(f"{value:9.4f}" for value in wga[shown]),
    ]


def _spread(method: MethodOutcome, values: Array) -> str:
    """Half the 95 % interval, in its column; blank where there is none."""
    ends, width = method.interval(values), _width("± 95 %")
    return f"{(float(ends[1]) - float(ends[0])) / 2:{width}.4f}" if ends else " " * width
