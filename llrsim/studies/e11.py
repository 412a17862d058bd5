"""E11: weights, subsets or repeats, where the head interpolates and where it does not?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from ..losses import Loss
from ..planning import plan
from ..prediction.proportional.problem import ProportionalProblem
from ..prediction.proportional.separability import threshold
from . import drawing
from .judging import above, below, foremost
from .measuring import Row, measured, of_part
from .verdict import Verdict, concluded

if TYPE_CHECKING:
    from ..sweep.results import Results

MARGIN = 0.01
BELOW = 0.8
ABOVE = 1.25
"""Of the threshold: between these n/d the transition is too wide at finite d to say that a head interpolates or not."""

_BY_CONSTRUCTION = "repeating rows is weighing them, up to whole repeats"


def table(results: Results, *, jobs: int = 1) -> list[Row]:
    """Rows `cell`: every method, `subset` and `upsample` with their gain over `weights`; n/d, and its threshold."""
    rows: list[Row] = []
    pairs = {"subset": "weights", "upsample": "weights"}
    for number, cell in enumerate(results.outcomes()):
        where = {"loss": cell.axes["head.loss"], "rows_per_dim": cell.axes["train.n_per_dim"]}
        where["threshold"] = _threshold(results, number)
        labels = results.experiment.method_labels
        rows += [{"part": "cell", **where, **measured(cell, label, against=pairs.get(label))} for label in labels]
    return rows


def verdict(rows: Sequence[Mapping[str, Any]]) -> Verdict:
    """Subsets beat weights in every interpolating cell, and in no other."""
    subset = of_part(rows, "cell", method="subset")
    low = [row for row in subset if row["rows_per_dim"] < BELOW * row["threshold"]]
    high = [row for row in subset if row["rows_per_dim"] > ABOVE * row["threshold"]]
    beats = [above(_told(row), row, "gain", comparisons=len(low)) for row in low]
    never = [below(_told(row), row, "gain", MARGIN, comparisons=len(high)) for row in high]
    findings = [
        foremost(f"gain of subsets over weights where the head {text}", part)
        for text, part in (("interpolates", beats), ("does not interpolate", never))
        if part
    ]
    words = {
        "confirmed": "discarding rows beats weighing them where the head interpolates, and only there",
        "refuted": "discarding rows against weighing them is not decided by interpolation alone",
    }
    repeated = of_part(rows, "cell", method="upsample")
    return concluded("e11", findings, words, by_construction=(_BY_CONSTRUCTION,) if repeated else ())


def figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Worst-group accuracy along n/d of the three ways to balance, a panel for each loss."""
    cells = of_part(rows, "cell")
    losses = list(dict.fromkeys(row["loss"] for row in cells))
    drawn, axes = drawing.panels("Discard rows, weigh them or repeat them?", len(losses), sharey=True)
    names = {"erm": "not balanced", "weights": "weights", "subset": "subset", "upsample": "repeats"}
    for ax, loss in zip(axes[0], losses, strict=True):
        own = of_part(cells, "cell", loss=loss)
        for place, method in enumerate(names):
            drawing.curve(ax, of_part(own, "cell", method=method), "rows_per_dim", place=place)
        limit = own[0]["threshold"]
        ax.axvspan(BELOW * limit, ABOVE * limit, color="0.9", linewidth=0, zorder=0)
        drawing.log_ticks(ax, [row["rows_per_dim"] for row in own])
        ax.set_xlabel("training rows per noise dimension, n/d")
        ax.set_title({"squared": "squared loss", "logistic": "cross-entropy"}.get(loss, loss))
    axes[0, 0].set_ylabel("worst-group accuracy")
    entries = [(name, place) for place, name in enumerate(names.values())]
    drawing.legend(drawn, entries, cells, "grey: the head interpolates to its left")
    return drawn


def _threshold(results: Results, number: int) -> float:
    """The n/d below which weighted heads interpolate: all labels met exactly (squared loss), or rows separable."""
    resolved = plan(results.grid.experiment(number))
    (sample,) = resolved.samples
    if resolved.stages[0].head.loss == "squared":
        return 1.0
    return threshold(ProportionalProblem.of(sample.mixture, Loss.LOGISTIC, counts=sample.counts)).threshold


def _told(row: Mapping[str, Any]) -> str:
    return f"{row['loss']}, n/d = {row['rows_per_dim']:g}"
