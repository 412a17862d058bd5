"""Measure, judge and draw what a study claims: rows with errors, families of comparisons, verdicts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import inf
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..model.mixture import Array
from ..outcome import MethodOutcome, half_width_of, of_least_mean, plain
from ..plots.style import GREY, blank, line, look

if TYPE_CHECKING:
    from ..outcome import Outcome
    from ..sweep.results import CellOutcome, Results


# Verdicts: what a study's comparisons found, each with its interval, and what follows from them together.


Decision = Literal["confirmed", "refuted", "complicated", "undecided", "by construction"]
"""What becomes of a claim. `complicated`: it holds in a part of the cells that the rule names, and fails in another.
`by construction`: it holds, and could not have come out otherwise."""


@dataclass(frozen=True)
class Finding:
    """One comparison of a study.

    Attributes:
        text: what is compared, and what the claim expects of it.
        estimate: the number that was found; None where there is none.
        low, high: ends of its 95 % interval, at the level of the family of comparisons it belongs to; None for a
            prediction, which has no sampling error.
        holds: whether it is as the claim expects; None where the data do not decide.
        slack: how far the number lies on the claim's side of its threshold, negative on the other side; None where
            there is no threshold. It orders the findings of a family.
    """

    text: str
    estimate: float | None
    low: float | None
    high: float | None
    holds: bool | None
    slack: float | None = None

    @property
    def told(self) -> str:
        """The text with its number and interval.

        >>> Finding("gain of llr", 0.0312, 0.02, 0.0424, True).told
        'gain of llr: +0.031 [+0.020, +0.042]'
        """
        if self.estimate is None:
            return self.text
        spread = "" if self.low is None or self.high is None else f" [{self.low:+.3f}, {self.high:+.3f}]"
        return f"{self.text}: {self.estimate:+.3f}{spread}"


@dataclass(frozen=True)
class Verdict:
    """What a study says of its claim.

    Attributes:
        study: its id.
        outcome: the decision.
        sentence: the decision and what it rests on, in words.
        findings: the comparisons, in the order of the rule.
        by_construction: parts of the claim that could not have come out otherwise, and why.
    """

    study: str
    outcome: Decision
    sentence: str
    findings: tuple[Finding, ...]
    by_construction: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """One JSON-ready object."""
        return asdict(self)


def settled(findings: Sequence[Finding]) -> Decision:
    """The decision of a claim that needs every finding: refuted by one that fails, undecided while one is open.

    >>> settled([Finding("a", 1.0, 0.5, 1.5, True), Finding("b", 0.0, -1.0, 1.0, None)])
    'undecided'
    """
    held = [finding.holds for finding in findings]
    if False in held:
        return "refuted"
    return "confirmed" if held and None not in held else "undecided"


def settled_in_parts(findings: Sequence[Finding]) -> Decision:
    """The decision of a claim about every finding: refuted where all fail, complicated where some do and some hold.

    Findings that are open leave the decision open only where the others do not make it complicated already.

    >>> found = [Finding("a", 1.0, 0.5, 1.5, True), Finding("b", -1.0, -1.5, -0.5, False)]
    >>> settled_in_parts(found), settled_in_parts([*found, Finding("c", 0.0, -1.0, 1.0, None)])
    ('complicated', 'complicated')
    """
    held = {finding.holds for finding in findings}
    if held >= {True, False}:
        return "complicated"
    return "refuted" if held == {False} else "confirmed" if held == {True} else "undecided"


def concluded(
    study: str,
    findings: Sequence[Finding],
    words: Mapping[str, str],
    *,
    outcome: Decision | None = None,
    by_construction: Sequence[str] = (),
    told: Sequence[str] | None = None,
) -> Verdict:
    """The verdict on findings, told in a sentence: what `words` say of the outcome, and the numbers.

    `outcome` defaults to what `settled` says; with nothing to decide but what holds by construction, it is that.
    `told` stands in the sentence for findings that are too many to be read out.
    """
    decided = outcome or ("by construction" if by_construction and not findings else settled(findings))
    said = words.get(decided) or _WORDS[decided]
    numbers = [finding.told for finding in findings] if told is None else told
    reasons = "; ".join([*numbers, *(f"by construction {text}" for text in by_construction)])
    sentence = f"{study}, {decided}: {said}{f' ({reasons})' if reasons else ''}."
    return Verdict(study, decided, sentence, tuple(findings), tuple(by_construction))


def tally(findings: Sequence[Finding]) -> str:
    """How many findings hold, fail and are open.

    >>> tally([Finding("a", 1.0, 0.5, 1.5, True), Finding("b", 0.0, -1.0, 1.0, None)])
    '1 of 2 comparisons hold, 0 fail, 1 open'
    """
    held = [finding.holds for finding in findings]
    return f"{held.count(True)} of {len(held)} comparisons hold, {held.count(False)} fail, {held.count(None)} open"


_WORDS: dict[Decision, str] = {
    "confirmed": "the claim holds in every comparison of its rule",
    "refuted": "the claim fails in a comparison of its rule",
    "complicated": "the claim holds in a part of the cells and fails in another",
    "undecided": "the intervals do not decide every comparison; more replicates may",
    "by construction": "the claim holds, and could not have come out otherwise",
}


# What the figures of studies share: lines of theory, points of simulation with 95 % intervals, one legend.


WIDTH = 6.75
"""Inches: the text width of the usual venues, two columns or one."""


def panels(title: str, columns: int = 1, rows: int = 1, *, height: float = 3.6, **shared: Any) -> tuple[Figure, Any]:
    """A figure of text width that asks `title`, and its (rows, columns) axes; `shared` are sharex and sharey."""
    figure = blank(WIDTH, height)
    figure.suptitle(title, fontsize=10)
    return figure, figure.subplots(rows, columns, squeeze=False, **shared)


def curve(ax: Axes, rows: Sequence[Mapping[str, Any]], x: str, quantity: str = "wga", *, place: int) -> None:
    """A quantity along `x`: the prediction as a line, the simulation as points with 95 % intervals."""
    theory(ax, rows, x, quantity, place=place)
    ordered = sorted(rows, key=lambda row: row[x])
    points(ax, _numbers(ordered, x), ordered, quantity, place=place)


def theory(ax: Axes, rows: Sequence[Mapping[str, Any]], x: str, quantity: str, *, place: int) -> None:
    """The prediction of a quantity along `x` as a line, where there is one."""
    ordered = sorted(rows, key=lambda row: row[x])
    predicted = _numbers(ordered, f"predicted_{quantity}")
    if np.isfinite(predicted).any():
        ax.plot(_numbers(ordered, x), predicted, color=look(place)["color"], linestyle=line(place), linewidth=1.4)


def points(ax: Axes, at: Any, rows: Sequence[Mapping[str, Any]], quantity: str, *, place: int) -> None:
    """Means at the places `at` with their intervals, which are left out where there are none."""
    mean = _numbers(rows, quantity)
    ends = np.array([_numbers(rows, f"{quantity}_low"), _numbers(rows, f"{quantity}_high")])
    reach = np.nan_to_num(np.abs(ends - mean))  # the interval of a least mean is not symmetric
    ax.errorbar(at, mean, yerr=reach, **look(place), linestyle="none", capsize=2.0, elinewidth=1.0)


def band(ax: Axes, margin: float, *, around: float = 0.0) -> None:
    """The equivalence margin in grey, with a line at its middle."""
    ax.axhspan(around - margin, around + margin, color="0.9", zorder=0, linewidth=0)
    ax.axhline(around, color=GREY, linewidth=0.8, zorder=0)


def legend(
    figure: Figure,
    entries: Iterable[tuple[str, int]],
    rows: Sequence[Mapping[str, Any]],
    *notes: str,
    columns: int = 2,
    style: str | None = None,
) -> None:
    """Name and look of every series, what points and lines are, and notes, beneath the axes.

    `style` is the line style of all entries, where styles tell something else apart than series.
    """
    handles: list[Artist] = [
        Line2D([], [], **look(place), linestyle=style or line(place), label=name) for name, place in entries
    ]
    counts = sorted({row[key] for row in rows for key in row if key.endswith("_count") and row[key]})
    replicates = f"{counts[0]}" if counts[:1] == counts[-1:] else f"{counts[0]} to {counts[-1]}"
    told = [f"points: simulation, mean with 95 % interval, {replicates} replicates", *notes]
    if any(row.get(key) is not None for row in rows for key in row if key.startswith("predicted_")):
        told.insert(0, "lines: closed-form prediction, proportional limit")
    handles += [Line2D([], [], linestyle="none", label=text) for text in told]
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, fontsize=7.5)


def log_ticks(ax: Axes, values: Iterable[float], axis: str = "x") -> None:
    """A logarithmic axis with a tick at each of these values."""
    ticks = sorted(set(values))
    own = ax.xaxis if axis == "x" else ax.yaxis
    (ax.set_xscale if axis == "x" else ax.set_yscale)("log")
    own.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()


def _numbers(rows: Sequence[Mapping[str, Any]], name: str) -> Any:
    return np.array([math.nan if row.get(name) is None else row[name] for row in rows], dtype=np.float64)


def by_name(ax: Axes, rows: Sequence[Mapping[str, Any]], x: str, quantity: str, *, place: int) -> None:
    """A quantity over names, in the order of the rows: the prediction as a dash, the simulation beside it."""
    names = list(dict.fromkeys(row[x] for row in rows))
    at = np.array([names.index(row[x]) for row in rows]) + 0.22 * place
    predicted = _numbers(rows, f"predicted_{quantity}")
    ax.plot(at, predicted, color=look(place)["color"], linestyle="none", marker="_", markersize=13, markeredgewidth=1.6)
    points(ax, at, rows, quantity, place=place)
    ax.set_xticks(range(len(names)), names, rotation=20)


# The data sets that some studies sweep over, known by the counts of their training groups.


NAMES: dict[tuple[int, ...], str] = {
    (3502, 184, 56, 1058): "Waterbirds",
    (2644, 1612, 227, 317): "CivilComments",
    (1972, 2112, 41, 675): "CelebA",
    (2351, 53, 2007, 389): "MultiNLI",
}
"""At 4800 rows, in the order in which balancing classes comes ever less near to balancing groups."""


def where(axes: Mapping[str, Any]) -> dict[str, Any]:
    """Name of a cell's data set, and whether its held-out set is a second training set (`iid`) or its `own`."""
    train = tuple(axes["train.counts"])
    heldout = "iid" if tuple(axes["heldout.counts"]) == train else "own"
    return {"data_set": NAMES.get(train, "other"), "heldout": heldout}


# What the tables of studies are made of: numbers over replicates with their errors, as flat rows.
#
# A quantity `x` takes the columns `x`, its mean over replicates, `x_se`, its standard error, `x_count`, the replicates
# it rests on, and `x_low` and `x_high`, its 95 % interval by itself (Student's t). `predicted_x` is theory's. None
# stands for what is not there.
#
# `wga` is the least of the groups' mean accuracies, with the error of the group that attains it and the interval of
# `interval_of_least`; `wga_per_run` is the mean over replicates of the least accuracy. A gain is the difference of two
# `wga`: its values in replicates are those of the two worst groups, so that common random numbers cancel in its error.
# `of_least_mean` says what ties do to its interval.


Row = dict[str, Any]
Where = Callable[[Mapping[str, Any]], Row]
"""The values of a cell's axes in flat columns with the study's own names."""


Range = tuple[float, float]
ACCURACY: Range = (0.0, 1.0)
DIFFERENCE: Range = (-1.0, 1.0)
"""Ranges of an accuracy and of a difference of accuracies, beyond which their intervals say nothing."""


def columns(name: str, mean: float | None, error: float | None, count: int, bounds: Range = (-np.inf, np.inf)) -> Row:
    """The columns of a quantity, from its mean, its standard error (None: not known) and its replicates.

    The interval is cut off at the ends of the range `bounds`.
    """
    low = high = None
    if mean is not None and error is not None and count > 1:
        half = float(half_width_of(error, count - 1))
        low, high = max(mean - half, bounds[0]), min(mean + half, bounds[1])
    return {name: mean, f"{name}_se": error, f"{name}_count": count, f"{name}_low": low, f"{name}_high": high}


def estimate(name: str, values: Array, bounds: Range = (-np.inf, np.inf)) -> Row:
    """The columns of a quantity from its values (R,) in replicates, of which nan are left out; see `columns`.

    >>> [round(number, 3) for number in estimate("gain", np.array([0.1, 0.2, np.nan, 0.3])).values()]
    [0.2, 0.058, 3, -0.048, 0.448]
    >>> [round(number, 3) for number in estimate("wga", np.array([0.2, 0.5]), ACCURACY).values()]
    [0.35, 0.15, 2, 0.0, 1.0]
    """
    kept = values[np.isfinite(values)]
    count = len(kept)
    error = float(kept.std(ddof=1) / np.sqrt(count)) if count > 1 else None
    return columns(name, float(kept.mean()) if count else None, error, count, bounds)


def correlation(name: str, first: Array, second: Array) -> Row:
    """Pearson correlation over cells of the means over replicates of two quantities (C, R); error by the jackknife.

    Replicates that lack a value are left out of all cells. Source: Efron & Stein (1981).
    """
    kept = np.isfinite(first).all(axis=0) & np.isfinite(second).all(axis=0)
    pair = np.stack([first[:, kept], second[:, kept]])
    count = pair.shape[-1]
    if count < 2:
        return columns(name, None, None, count)
    left_out = (pair.sum(axis=-1, keepdims=True) - pair) / (count - 1)
    varied = np.array([np.corrcoef(left_out[..., r])[0, 1] for r in range(count)])
    error = float(np.sqrt((count - 1) / count * ((varied - varied.mean()) ** 2).sum()))
    return columns(name, float(np.corrcoef(pair.mean(axis=-1))[0, 1]), error, count)


def worst(method: MethodOutcome, replicates: slice = slice(None)) -> Array:
    """(R,) accuracy, in each of these replicates, of the group whose mean over them is least; nan without a head."""
    accuracy, kept = method.readout.group_accuracy[replicates], method.kept[replicates]
    if not kept.any():
        return np.full(len(kept), np.nan)
    return np.where(kept, accuracy[:, int(accuracy[kept].mean(axis=0).argmin())], np.nan)


def wga_columns(name: str, values: Array, ends: tuple[float, float] | None) -> Row:
    """`estimate` of a worst group's accuracies (R,), with the ends of `interval_of_least` for its interval."""
    low, high = ends or (None, None)
    return estimate(name, values) | {f"{name}_low": low, f"{name}_high": high}


def gain_in_replicates(method: MethodOutcome, against: MethodOutcome) -> Array:
    """(R,) difference of the accuracies of two methods' worst groups, both chosen over the replicates with both heads.

    Its mean is the difference of two `wga` over those replicates; nan where either has no head.
    """
    both = method.kept & against.kept
    gain = np.full(len(both), np.nan)
    if both.any():
        ends = [of_least_mean(one.readout.group_accuracy[both]) for one in (method, against)]
        gain[both] = ends[0] - ends[1]
    return gain


def at_best_bias(method: MethodOutcome) -> Array:
    """(R,) worst-group accuracy at the best bias for the head's direction; nan without a head."""
    return np.where(method.kept, method.readout.direction_wga, np.nan)


def predicted(outcome: Outcome | None, label: str, quantity: Callable[[MethodOutcome], Array] = worst) -> float | None:
    """A quantity of the predicted head; None where there is no prediction."""
    return None if outcome is None else plain(quantity(outcome[label])[0])


def measured(cell: CellOutcome, label: str, *, against: str | None = None) -> Row:
    """Worst-group accuracy of a method, its direction part, and its gain over the method `against`, both sides.

    `wga`, `direction` (at the best bias) and, with `against`, `gain`, `gain_direction` and `gain_bias`, which add up.
    """
    simulation, prediction = cell.simulation, cell.prediction
    if simulation is None:
        raise ValueError(f"{label}: a study needs the simulation of every cell, and {cell.axes} has none")
    method = simulation[label]
    row: Row = {"method": label, **wga_columns("wga", worst(method), method.wga_interval)}
    row |= estimate("direction", at_best_bias(method), ACCURACY)
    row["predicted_wga"] = predicted(prediction, label)
    row["predicted_direction"] = predicted(prediction, label, at_best_bias)
    if against is None:
        return row
    gain = gain_in_replicates(method, simulation[against])
    direction = at_best_bias(method) - at_best_bias(simulation[against])
    parts = {"gain": gain, "gain_direction": direction, "gain_bias": gain - direction}
    row["against"] = against
    for name, values in parts.items():
        row |= estimate(name, values, DIFFERENCE)
    ends = [predicted(prediction, one) for one in (label, against)]
    return row | {"predicted_gain": None if None in ends else ends[0] - ends[1]}  # type: ignore[operator]


def measured_cells(results: Results, where: Where, *, against: Mapping[str, str] | None = None) -> Iterator[Row]:
    """`measured`, for every cell and method, with the cell's columns before; `against` says over what each gains."""
    pairs = against or {}
    for cell in results.outcomes():
        for label in results.experiment.method_labels:
            yield {"part": "cell", **where(cell.axes), **measured(cell, label, against=pairs.get(label))}


def of_part(rows: Sequence[Mapping[str, Any]], part: str, **wanted: Any) -> list[Mapping[str, Any]]:
    """The rows of one part of a table, with these values."""
    return [row for row in rows if row["part"] == part and all(row[key] == value for key, value in wanted.items())]


# Comparisons of a row's quantity with a threshold, by intervals that hold together over a family of comparisons.
#
# A comparison holds or fails only where the whole interval says so; else, and where there is no interval, it is open.
# "No difference" is an interval inside an equivalence margin, never one that merely covers zero (Schuirmann 1987).


def interval(row: Mapping[str, Any], name: str, comparisons: int = 1) -> tuple[float, float] | None:
    """Interval of the quantity `name`, one of `comparisons` that hold together with 95 %; None without an error."""
    mean, error = row[name], row[f"{name}_se"]
    if mean is None or error is None:
        return None
    half = float(half_width_of(error, row[f"{name}_count"] - 1, comparisons=comparisons))
    return mean - half, mean + half


def above(text: str, row: Mapping[str, Any], name: str, threshold: float = 0.0, *, comparisons: int = 1) -> Finding:
    """The finding that the quantity exceeds the threshold; it fails where the interval lies below.

    >>> row = {"gain": 0.04, "gain_se": 0.01, "gain_count": 40}
    >>> [above("gain", row, "gain", threshold).holds for threshold in (0.0, 0.03, 0.1)]
    [True, None, False]
    """
    return _found(
        text,
        row,
        name,
        comparisons,
        lambda low, high: (low > threshold, high < threshold),
        lambda mean: mean - threshold,
    )


def below(text: str, row: Mapping[str, Any], name: str, threshold: float = 0.0, *, comparisons: int = 1) -> Finding:
    """The finding that the quantity is less than the threshold; it fails where the interval lies above."""
    return _found(
        text,
        row,
        name,
        comparisons,
        lambda low, high: (high < threshold, low > threshold),
        lambda mean: threshold - mean,
    )


def within(text: str, row: Mapping[str, Any], name: str, margin: float, *, comparisons: int = 1) -> Finding:
    """The finding that the quantity is zero but for `margin`; it fails where the interval lies outside of that.

    >>> row = {"gain": 0.004, "gain_se": 0.0025, "gain_count": 40}
    >>> [within("gain", row, "gain", 0.01, comparisons=count).holds for count in (1, 1000)]
    [True, None]
    >>> [within("gain", row | {"gain_se": error}, "gain", 0.01).holds for error in (0.005, None)]
    [None, None]
    """
    return _found(
        text,
        row,
        name,
        comparisons,
        lambda low, high: (-margin <= low and high <= margin, low > margin or high < -margin),
        lambda mean: margin - abs(mean),
    )


def foremost(text: str, findings: Sequence[Finding]) -> Finding:
    """A family of findings as one, which holds if all do and fails if one does; the number is the worst one's.

    The worst is one that fails, else is open, else holds; of several the one with the least slack, that is the farthest
    beyond its threshold, or the nearest to it if all hold.

    >>> rows = [{"gain": gain, "gain_se": 0.001, "gain_count": 40} for gain in (0.04, 0.02, 0.3)]
    >>> foremost("least", [above("gain", row, "gain", 0.01) for row in rows]).estimate
    0.02
    >>> foremost("largest", [below("gain", row, "gain", 0.1) for row in rows]).told
    'largest (of 3: gain): +0.300 [+0.298, +0.302]'
    """
    rank = {False: 0, None: 1, True: 2}
    one = min(findings, key=lambda finding: (rank[finding.holds], -inf if finding.slack is None else finding.slack))
    return replace(one, text=f"{text} (of {len(findings)}: {one.text})")


def _found(
    text: str,
    row: Mapping[str, Any],
    name: str,
    comparisons: int,
    decide: Callable[[float, float], tuple[bool, bool]],
    slack: Callable[[float], float],
) -> Finding:
    """The finding on a quantity: `decide` tells of an interval whether it holds and whether it fails."""
    mean, ends = row[name], interval(row, name, comparisons)
    left = None if mean is None else slack(mean)
    if ends is None:
        return Finding(text, mean, None, None, None, left)
    holds, fails = decide(*ends)
    return Finding(text, mean, *ends, True if holds else False if fails else None, left)
