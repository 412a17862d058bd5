"""E10: when does averaging DFR's heads over subsets help?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from . import evidence
from .evidence import Row, Verdict, above, concluded, foremost, measured_cells, of_part, within

if TYPE_CHECKING:
    from ..sweep.results import Results

MARGIN = 0.01
MANY = 8
"""Rows of the smallest group per noise dimension from which averaging should not help."""


def table(results: Results, *, jobs: int = 1) -> list[Row]:
    """Rows `cell`: every method, `twenty` with its gain over `one`, by the least group's rows per dimension."""
    dim = results.experiment.noise_dim

    def where(axes: Mapping[str, Any]) -> Row:
        return {"rows_per_dim": min(axes["heldout.counts"]) / dim}

    return list(measured_cells(results, where, against={"twenty": "one"}))


def verdict(rows: Sequence[Mapping[str, Any]]) -> Verdict:
    """Averaging helps where the smallest group has at most d rows, and not where it has many more."""
    cells = of_part(rows, "cell", method="twenty")
    few = [row for row in cells if row["rows_per_dim"] <= 1]
    many = [row for row in cells if row["rows_per_dim"] >= MANY]
    helps = [
        above(f"{row['rows_per_dim']:g} rows a dimension", row, "gain", MARGIN, comparisons=len(few)) for row in few
    ]
    idle = [
        within(f"{row['rows_per_dim']:g} rows a dimension", row, "gain", MARGIN, comparisons=len(many)) for row in many
    ]
    findings = [
        foremost(text, part)
        for text, part in (
            ("gain of averaging where the smallest group has at most d rows", helps),
            (f"gain of averaging where it has at least {MANY} d", idle),
        )
        if part
    ]
    words = {
        "confirmed": "averaging over subsets helps where the smallest group has few rows, and only there",
        "refuted": "averaging over subsets does not help just where the smallest group has few rows",
    }
    return concluded("e10", findings, words)


def figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Worst-group accuracy of one head, of twenty and of weights; beneath, the gain of averaging."""
    drawn, axes = evidence.panels("When does averaging heads over balanced subsets help?", 2)
    names = {"one": "one subset", "twenty": "twenty subsets, averaged", "weights": "all rows, weighted"}
    cells = of_part(rows, "cell")
    for place, method in enumerate(names):
        evidence.curve(axes[0, 0], of_part(cells, "cell", method=method), "rows_per_dim", place=place)
    evidence.curve(axes[0, 1], of_part(cells, "cell", method="twenty"), "rows_per_dim", "gain", place=1)
    evidence.band(axes[0, 1], MARGIN)
    for ax in axes[0]:
        evidence.log_ticks(ax, [row["rows_per_dim"] for row in cells])
        ax.tick_params(axis="x", labelsize=7)
        ax.set_xlabel("rows of the smallest group\nper noise dimension")
    axes[0, 0].set_ylabel("worst-group accuracy")
    axes[0, 1].set_ylabel("gain of averaging")
    entries = [(name, place) for place, name in enumerate(names.values())]
    evidence.legend(drawn, entries, cells, f"grey: within {MARGIN:g} of no gain")
    return drawn
