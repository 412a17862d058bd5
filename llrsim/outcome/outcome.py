"""The methods of one experiment on one side, as a table, as records and as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..extras import data_frame, data_set
from ..head import read_out
from ..mixture import Array
from .features import LearnedFeatures
from .method import MethodOutcome

if TYPE_CHECKING:
    import pandas
    import xarray

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
    told += "".join(f"  ({remark})" for remark in (method.open_bias, method.few_rows) if remark)
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
