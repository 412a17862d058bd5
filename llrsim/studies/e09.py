"""E9: does SELF gain by selecting minority rows?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from ..mixture import Array
from . import drawing
from .judging import above, below, foremost
from .measuring import Row, correlation, estimate, measured, of_part, worst
from .verdict import Verdict, concluded

if TYPE_CHECKING:
    from ..sweep.results import Results

CORRELATION = 0.8
ENRICHED = 0.05
MARGIN = 0.01

SCORES = {"by-loss": "largest loss", "by-disagreement": "largest disagreement"}


def table(results: Results, *, jobs: int = 1) -> list[Row]:
    """Rows `cell` (every method; SELF with minority share and gain over rows at random) and one `correlation`."""
    rows: list[Row] = []
    shares: list[Array] = []
    accuracies: list[Array] = []
    for cell in results.outcomes():
        assert cell.simulation is not None
        k = cell.axes["method.by-loss.k"]
        for label in results.experiment.method_labels:
            row = {"part": "cell", "k": k, **measured(cell, label, against=_control(label))}
            if label in SCORES:
                method = cell.simulation[label]
                assert method.shares is not None, "what is selected depends on a score"
                share = method.shares[:, 1] + method.shares[:, 2]
                row |= estimate("minority_share", share)
                row["heldout_share"] = _heldout_share(results)
                shares.append(share)
                accuracies.append(worst(method))
            rows.append(row)
    found = correlation("correlation", np.array(shares), np.array(accuracies))
    return [*rows, {"part": "correlation", **found}]


def verdict(rows: Sequence[Mapping[str, Any]]) -> Verdict:
    """Minority share and worst-group accuracy correlate, and there is no gain without enrichment."""
    findings = [
        above("correlation of WGA with the minority share of the selected rows", row, "correlation", CORRELATION)
        for row in of_part(rows, "correlation")
    ]
    selected = [row for row in of_part(rows, "cell") if row["method"] in SCORES]
    poor = [row for row in selected if row["minority_share"] < row["heldout_share"] + ENRICHED]
    gains = [below(_told(row), row, "gain", MARGIN, comparisons=len(poor)) for row in poor]
    if gains:
        findings.append(foremost("gain over rows at random where the minority is not enriched", gains))
    words = {
        "confirmed": "SELF's worst-group accuracy follows the minority share of the rows it selects",
        "refuted": "the minority share of the rows it selects does not foretell SELF's worst-group accuracy",
    }
    return concluded("e09", findings, words)


def figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Minority share and worst-group accuracy along k, and one against the other."""
    cells = of_part(rows, "cell")
    drawn, axes = drawing.panels("Does SELF gain by selecting minority rows?", 3)
    share, accuracy, both = axes[0]
    for place, label in enumerate(SCORES):
        own = of_part(cells, "cell", method=label)
        drawing.curve(share, own, "k", "minority_share", place=place)
        drawing.curve(accuracy, own, "k", place=place)
        drawing.points(both, [row["minority_share"] for row in own], own, "wga", place=place)
    # Rows at random are the same experiment for both scores, up to the draw.
    drawing.curve(accuracy, of_part(cells, "cell", method=_control("by-loss")), "k", place=len(SCORES))
    share.axhline(next(row["heldout_share"] for row in cells if row.get("heldout_share")), color="0.5", linewidth=0.8)
    for ax in (share, accuracy):
        drawing.log_ticks(ax, [row["k"] for row in cells])
        ax.set_xlabel("rows selected, k")
    both.set_xlabel("minority share of the\nselected rows")
    share.set_ylabel("minority share of the selected rows\n(grey: of the held-out set)")
    for ax in (accuracy, both):
        ax.set_ylabel("worst-group accuracy")
    names = [*(f"SELF, {score}" for score in SCORES.values()), "as many rows at random"]
    drawing.legend(drawn, [(name, place) for place, name in enumerate(names)], cells)
    return drawn


def _control(label: str) -> str | None:
    return f"{label}-at-random" if label in SCORES else None


def _heldout_share(results: Results) -> float:
    shares = results.experiment.heldout_proportions
    return shares[1] + shares[2]


def _told(row: Mapping[str, Any]) -> str:
    return f"{SCORES[row['method']]}, k = {row['k']}"
