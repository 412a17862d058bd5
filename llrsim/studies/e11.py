"""E11: weights, subsets or repeats, where the head interpolates and where it does not?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from ..model.losses import Loss
from ..model.plan import Plan, Stage, plan
from ..prediction.problem import ProportionalProblem
from ..prediction.separability import threshold
from . import evidence
from .evidence import Finding, Row, Verdict, above, below, concluded, foremost, measured, of_part

if TYPE_CHECKING:
    from ..sweep.results import Results

MARGIN = 0.01
BELOW = 0.8
ABOVE = 1.25
"""Of the threshold: between these n/d the transition is too wide at finite d to say that a head interpolates or not."""

_BY_CONSTRUCTION = "repeating rows is weighing them, up to whole repeats"


def table(results: Results, *, jobs: int = 1) -> list[Row]:
    """Rows `cell`: every method, `subset` and `upsample` with their gain over `weights`.

    `rows_per_dim` is n/d of the training rows, `fitted_per_dim` that of the distinct rows the method fits, `threshold`
    the value of the latter below which its head interpolates.
    """
    rows: list[Row] = []
    pairs = {"subset": "weights", "upsample": "weights"}
    for number, cell in enumerate(results.outcomes()):
        where = {"loss": cell.axes["head.loss"], "rows_per_dim": cell.axes["train.n_per_dim"]}
        resolved = plan(results.grid.experiment(number))
        for stage in resolved.stages:
            own = measured(cell, stage.label, against=pairs.get(stage.label))
            rows.append({"part": "cell", **where, **_sizes(resolved, stage), **own})
    return rows


def verdict(rows: Sequence[Mapping[str, Any]]) -> Verdict:
    """Subsets beat weights in every cell where both heads interpolate, and in none where neither does."""
    subset = of_part(rows, "cell", method="subset")
    both: list[Mapping[str, Any]] = []
    neither: list[Mapping[str, Any]] = []
    mixed: list[Mapping[str, Any]] = []
    for row in subset:
        (weights,) = of_part(rows, "cell", method="weights", loss=row["loss"], rows_per_dim=row["rows_per_dim"])
        heads = {interpolates(row), interpolates(weights)}
        (both if heads == {True} else neither if heads == {False} else mixed).append(row)
    beats = [above(_told(row), row, "gain", comparisons=len(both)) for row in both]
    never = [below(_told(row), row, "gain", MARGIN, comparisons=len(neither)) for row in neither]
    findings = []
    for loss in dict.fromkeys(row["loss"] for row in subset):
        for text, cells, judged in (("both heads interpolate", both, beats), ("neither head does", neither, never)):
            own = [finding for row, finding in zip(cells, judged, strict=True) if row["loss"] == loss]
            where = f"{loss}: gain of subsets over weights where {text}"
            findings.append(foremost(where, own) if own else Finding(f"{where}: no such cell", None, None, None, None))
    aside = ", ".join(f"{_told(row)}: {row['gain']:+.3f}" for row in mixed)
    told = [finding.told for finding in findings]
    told += [f"not decided on, one head interpolating alone or near its threshold: {aside}"] if mixed else []
    words = {
        "confirmed": "discarding rows beats weighing them where the head interpolates, and only there",
        "refuted": "discarding rows against weighing them is not decided by interpolation alone",
    }
    repeated = of_part(rows, "cell", method="upsample")
    return concluded("e11", findings, words, told=told, by_construction=(_BY_CONSTRUCTION,) if repeated else ())


def interpolates(row: Mapping[str, Any]) -> bool | None:
    """Whether a method's head interpolates the rows it is fitted on; None near their threshold.

    >>> [interpolates({"fitted_per_dim": size, "threshold": 2.0}) for size in (1.0, 2.0, 3.0)]
    [True, None, False]
    """
    part = row["fitted_per_dim"] / row["threshold"]
    return True if part < BELOW else False if part > ABOVE else None


def figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Worst-group accuracy along n/d of the three ways to balance, a panel for each loss."""
    cells = of_part(rows, "cell")
    losses = list(dict.fromkeys(row["loss"] for row in cells))
    drawn, axes = evidence.panels("Discard rows, weigh them or repeat them?", len(losses), sharey=True)
    names = {"erm": "not balanced", "weights": "weights", "subset": "subset", "upsample": "repeats"}
    for ax, loss in zip(axes[0], losses, strict=True):
        own = of_part(cells, "cell", loss=loss)
        for place, method in enumerate(names):
            evidence.curve(ax, of_part(own, "cell", method=method), "rows_per_dim", place=place)
        for method, shade in (("weights", "0.9"), ("subset", "0.8")):
            (row, *_) = of_part(own, "cell", method=method)
            limit = row["threshold"] * row["rows_per_dim"] / row["fitted_per_dim"]
            ax.axvspan(BELOW * limit, ABOVE * limit, color=shade, linewidth=0, zorder=0)
        evidence.log_ticks(ax, [row["rows_per_dim"] for row in own])
        ax.set_xlabel("training rows per noise dimension, n/d")
        ax.set_title({"squared": "squared loss", "logistic": "cross-entropy"}.get(loss, loss))
    axes[0, 0].set_ylabel("worst-group accuracy")
    entries = [(name, place) for place, name in enumerate(names.values())]
    evidence.legend(drawn, entries, cells, "light grey: weighted heads interpolate to its left; darker: subsets do")
    return drawn


def _sizes(resolved: Plan, stage: Stage) -> Row:
    """Distinct rows a dimension that a stage fits, and the threshold below which it interpolates.

    That is 1 for squared loss, whose heads meet all labels exactly, and that of linear separability for others.
    """
    mixture = resolved.samples[stage.sample].mixture
    problem = ProportionalProblem.of_selection(mixture, Loss.LOGISTIC, stage.selection, ridge=0.0, anchor=0.0)
    limit = 1.0 if stage.head.loss == "squared" else threshold(problem).threshold
    return {"fitted_per_dim": 1.0 / problem.ratio, "threshold": limit}


def _told(row: Mapping[str, Any]) -> str:
    return f"{row['loss']}, n/d = {row['rows_per_dim']:g}"
