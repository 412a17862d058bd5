"""Give every figure its look, its words, its file, and a note of what it cannot show."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from msgspec import to_builtins

from .. import __version__
from .._io import write_rows
from ..experiment.schema import split
from ..model.losses import Status
from .table import Row

if TYPE_CHECKING:
    from ..experiment import Experiment


# The look of every figure: colours, markers, fonts; what an axis of values is drawn on.


BLACK, BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY = (
    "#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9",
)  # fmt: skip
GREY = "#999999"
COLOURS = (BLACK, BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
"""Okabe and Ito's colours, told apart with every common colour blindness; without yellow, too pale for lines."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""One more than the colours, so that no pair of colour and marker comes back before the 56th method."""

LINES = ("-", "-", ":", "--", "-.")
"""Line styles with gaps for later methods, so that a line they coincide with shows through."""

RC: dict[str, Any] = {
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.labelsize": 9.0,
    "legend.fontsize": 8.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # fonts embedded as TrueType, which journals ask for
    "savefig.dpi": 160,
}
"""matplotlib settings, over its own defaults, that the figures written to files are drawn and saved under."""


@contextmanager
def settings(**more: Any) -> Iterator[None]:
    """Draw and save figures under matplotlib's defaults, RC and `more`, whatever the user's own settings are.

    >>> import matplotlib
    >>> with matplotlib.rc_context({"text.usetex": True}), settings():
    ...     matplotlib.rcParams["text.usetex"], matplotlib.rcParams["font.size"]
    (False, 9.0)
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(RC | more)
        yield


def blank(width: float = 6.4, height: float = 4.4) -> Figure:
    """An empty figure in inches that belongs to no window and no pyplot."""
    return Figure(figsize=(width, height), layout="constrained")


def look(place: int) -> dict[str, Any]:
    """Colour and open marker of the method at this place in the experiment; later ones fit inside earlier ones."""
    return {
        "color": COLOURS[place % len(COLOURS)],
        "marker": MARKERS[place % len(MARKERS)],
        "markersize": max(8.5 - 1.1 * place, 4.0),
        "markerfacecolor": "none",
    }


def line(place: int) -> str:
    """Line style of the method at this place in the experiment."""
    return LINES[place % len(LINES)]


def is_numeric(values: Sequence[Any]) -> bool:
    """Whether all values are finite numbers (True and False are not)."""
    return all(isinstance(v, int | float) and not isinstance(v, bool) and np.isfinite(v) for v in values)


def is_log_spaced(values: Sequence[Any]) -> bool:
    """Whether three or more positive numbers are spaced more evenly in their logarithm than as they are.

    >>> is_log_spaced([100, 200, 400]), is_log_spaced([0.25, 0.5, 0.75]), is_log_spaced([0, 1, 10])
    (True, False, False)
    """
    if len(values) < 3 or not is_numeric(values) or min(values) <= 0:
        return False
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    unevenness = [float(np.std(gaps) / np.mean(gaps)) for gaps in (np.diff(np.log(ordered)), np.diff(ordered))]
    return unevenness[0] < unevenness[1]


# What keys, methods, switches and limits are called in a figure, so that it explains itself to a newcomer.


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


# What a figure of WGA cannot show: settings without a head on one side or with one of many, replicates left out.


def missing(rows: Sequence[Row]) -> list[str]:
    """A line for each thing that is not drawn, or is one of many, with its methods and the status that says why.

    >>> row = {"method": "llr", "simulated_wga": None, "simulated_status": "separable", "without_head": 20}
    >>> row |= {"replicates": None, "predicted_wga": 0.8, "predicted_status": "converged"}
    >>> missing([row, row | {"simulated_wga": 0.7, "replicates": 19, "without_head": 1}])
    ['llr: no point at 1 of 2 settings (separable)', 'llr: 1 of 20 replicates left out of 1 point (separable)']
    """
    labels: dict[str, list[str]] = {}
    for label in dict.fromkeys(row["method"] for row in rows):
        for line in _of_method([row for row in rows if row["method"] == label]):
            labels.setdefault(line, []).append(label)
    return [f"{', '.join(methods)}: {line}" for line, methods in labels.items()]


def _of_method(rows: Sequence[Row]) -> Iterator[str]:
    """A method that is predicted nowhere has no line at all, which the legend says beside its name."""
    for side, drawn in (("simulated", "no point"), ("predicted", "no line")):
        asked = [row for row in rows if row[f"{side}_status"] is not None]
        without = [row for row in asked if row[f"{side}_wga"] is None]
        reasons = _reasons(without, side)
        if without and (side == "simulated" or len(without) < len(asked) or reasons != "no-prediction"):
            yield f"{drawn} at {len(without)} of {len(asked)} settings ({reasons})"
        for status, count in Counter(Status.of_label(row[f"{side}_status"]) for row in asked).items():
            if status.ok and not status.plain:
                yield f"{side}: {status.label} at {count} of {len(asked)} settings"
    partly = [row for row in rows if row["replicates"] and row["without_head"]]
    if partly:
        lost = sum(row["without_head"] for row in partly)
        drawn_from = lost + sum(row["replicates"] for row in partly)
        points = f"{len(partly)} point{'s' * (len(partly) > 1)}"
        yield f"{lost} of {drawn_from} replicates left out of {points} ({_reasons(partly, 'simulated')})"


def _reasons(rows: Sequence[Row], side: str) -> str:
    return ", ".join(dict.fromkeys(row[f"{side}_status"] for row in rows))


# Figures as files: the same bytes for the same figure, with its origin inside and its numbers beside it.


LONGEST = 300
"""Characters of an error in a warning."""

SUFFIXES = (".png", ".pdf")


def save(
    figure: Figure,
    path: str | os.PathLike[str],
    *,
    experiment: Experiment | str,
    command: str,
    table: Iterable[Mapping[str, Any]],
) -> Path:
    """Write a PNG or PDF, and first the plotted rows as CSV beside it under the same stem; the path of the image.

    Experiment hash, command and llrsim's version are in the metadata: as Experiment, Command and Software in a PNG,
    in Subject, Keywords and Creator of a PDF. Nothing depends on the date.

    Args:
        figure: what to write.
        path: where, with suffix .png or .pdf; its folder is made if need be.
        experiment: the experiment, or its hash where only that is known.
        command: what made the figure.
        table: the plotted numbers, dicts with the same keys.

    Raises ValueError for another suffix.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path}: a figure is written as {' or '.join(SUFFIXES)}")
    identity = experiment if isinstance(experiment, str) else experiment.hash
    software = f"llrsim {__version__}"
    metadata: dict[str, str | None]
    if path.suffix == ".png":
        metadata = {"Experiment": identity, "Command": command, "Software": software}
    else:
        metadata = {
            "Subject": f"llrsim experiment {identity}",
            "Keywords": command,
            "Creator": software,
            "CreationDate": None,
        }
    write_rows(list(table), path.with_suffix(".csv"))
    with settings():
        figure.savefig(path, metadata=metadata)
    return path


@contextmanager
def drawing(path: str | os.PathLike[str]) -> Iterator[None]:
    """Warn where a figure cannot be drawn or written, so that what a command writes beside it is not lost with it.

    An image of this path, of an earlier run or half written, is removed.
    """
    try:
        yield
    except Exception as error:
        Path(path).unlink(missing_ok=True)
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        warnings.warn(f"{os.fspath(path)}: the figure could not be drawn: {reason[:LONGEST]}", stacklevel=3)
