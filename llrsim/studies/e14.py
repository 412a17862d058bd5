"""E14: what does balance cost where it leaves few held-out rows?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from ..mixture import Array
from . import drawing
from .judging import above, below
from .measuring import Row, estimate, measured, of_part
from .verdict import Verdict, concluded

if TYPE_CHECKING:
    from ..sweep.results import Results

MARGIN = 0.01


def table(results: Results, *, jobs: int = 1) -> list[Row]:
    """Rows `cell` (`seen`: the least group accuracy of each replicate, and its spread) and `balance`, `cost`."""
    rows: list[Row] = []
    found: dict[tuple[int, float], Array] = {}
    for cell in results.outcomes():
        assert cell.simulation is not None
        n, ratio = cell.axes["heldout.n"], cell.axes["heldout.minority_ratio"]
        llr = cell.simulation["llr"]
        seen = np.where(llr.kept, llr.readout.wga, np.nan)
        found[n, ratio] = seen
        row = {"part": "cell", "n": n, "ratio": ratio, **measured(cell, "llr"), **estimate("seen", seen)}
        rows.append(row | {"spread": float(np.nanstd(seen, ddof=1)) if len(seen) > 1 else None})
    (few, many), (low, high) = ((min(axis), max(axis)) for axis in zip(*found, strict=True))
    imbalanced = found[many, low]
    for part, n in (("balance", many), ("cost", few)):
        at = {"part": part, "n": n, "ratio": high, "other_n": many, "other_ratio": low}
        rows.append(at | estimate("difference", found[n, high] - imbalanced))
    return rows


def verdict(rows: Sequence[Mapping[str, Any]]) -> Verdict:
    """Balance helps at the largest n, and at the smallest loses to the large imbalanced set."""
    findings = []
    for part, compare, threshold in (("balance", above, MARGIN), ("cost", below, -MARGIN)):
        for row in of_part(rows, part):
            text = (
                f"WGA with {row['n']} rows at ratio {row['ratio']:g} less that with {row['other_n']} rows at ratio "
                f"{row['other_ratio']:g}"
            )
            findings.append(compare(text, row, "difference", threshold, comparisons=2))
    costless = [finding.holds for finding in findings][1:] == [False]
    words = {
        "confirmed": "balance is worth having, and a small balanced set still loses to a large imbalanced one",
        "refuted": "even the smallest balanced set does no worse than the largest imbalanced one"
        if costless
        else "balance is not worth having, even with many rows",
    }
    return concluded("e14", findings, words)


def figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Worst-group accuracy as seen, and its spread over replicates, along the number of held-out rows."""
    cells = of_part(rows, "cell")
    ratios = sorted({row["ratio"] for row in cells})
    drawn, axes = drawing.panels("Is a small balanced held-out set better than a large imbalanced one?", 2)
    for place, ratio in enumerate(ratios):
        own = of_part(cells, "cell", ratio=ratio)
        drawing.curve(
            axes[0, 0], [{**row, "predicted_seen": row["predicted_wga"]} for row in own], "n", "seen", place=place
        )
        drawing.curve(axes[0, 1], own, "n", "spread", place=place)
    for ax in axes[0]:
        drawing.log_ticks(ax, [row["n"] for row in cells])
        ax.tick_params(axis="x", labelsize=7)
        ax.set_xlabel("rows in the held-out set")
    axes[0, 0].set_ylabel("worst-group accuracy of LLR\n(mean over replicates of the least)")
    axes[0, 1].set_ylabel("standard deviation over replicates")
    drawing.legend(drawn, [(f"minority : majority {ratio:g}", place) for place, ratio in enumerate(ratios)], cells)
    return drawn
