"""E12: does balancing groups mend a minority whose features spread wider?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from ..mixture import Array
from . import drawing
from .judging import above, foremost
from .measuring import Row, estimate, measured, of_part, worst
from .verdict import Verdict, concluded

if TYPE_CHECKING:
    from ..sweep.results import Results

MARGIN = 0.01
SHARE = 0.5
"""Of ERM's loss that DFR's must exceed for balance not to have mended it."""


def table(results: Results, *, jobs: int = 1) -> list[Row]:
    """Rows `cell` (every method), `loss` (against scale 1) and `unmended` (DFR's loss less a share of ERM's)."""
    rows: list[Row] = []
    found: dict[float, dict[str, Array]] = {}
    for cell in results.outcomes():
        scale = max(cell.axes["features.noise.std"])
        assert cell.simulation is not None
        labels = results.experiment.method_labels
        rows += [{"part": "cell", "scale": scale, **measured(cell, label)} for label in labels]
        found[scale] = {label: worst(cell.simulation[label]) for label in labels}
    least = min(found)
    for scale, wga in found.items():
        if scale == least:
            continue
        lost = {label: found[least][label] - values for label, values in wga.items()}
        rows += [{"part": "loss", "scale": scale, "method": label, **estimate("loss", lost[label])} for label in lost]
        rows.append({"part": "unmended", "scale": scale, **estimate("excess", lost["dfr"] - SHARE * lost["erm"])})
    return rows


def verdict(rows: Sequence[Mapping[str, Any]]) -> Verdict:
    """DFR loses at every scale above one, and at the largest more than half of what ERM loses."""
    losses = of_part(rows, "loss", method="dfr")
    lowers = [above(f"s = {row['scale']:g}", row, "loss", MARGIN, comparisons=len(losses)) for row in losses]
    findings = [foremost("loss of DFR against s = 1", lowers)] if lowers else []
    for row in sorted(of_part(rows, "unmended"), key=lambda row: row["scale"])[-1:]:
        text = f"loss of DFR less {SHARE:g} of ERM's at s = {row['scale']:g}"
        findings.append(above(text, row, "excess"))
    words = {
        "confirmed": "a wider minority lowers the worst group, and balance does not mend it",
        "refuted": "balance mends what a wider minority costs, or it costs nothing",
    }
    return concluded("e12", findings, words)


def figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Worst-group accuracy along the minority's scale, and its loss against scale one."""
    cells, losses = of_part(rows, "cell"), of_part(rows, "loss")
    drawn, axes = drawing.panels("Does balance mend a worst group that spreads wider?", 2)
    names = {"erm": "ERM", "llr": "LLR", "dfr": "DFR: groups balanced"}
    for place, method in enumerate(names):
        drawing.curve(axes[0, 0], of_part(cells, "cell", method=method), "scale", place=place)
        drawing.curve(axes[0, 1], of_part(losses, "loss", method=method), "scale", "loss", place=place)
    for ax in axes[0]:
        ax.set_xlabel("standard deviation of minority groups,\nas a multiple s of the majority's")
    axes[0, 0].set_ylabel("worst-group accuracy")
    axes[0, 1].set_ylabel("loss in worst-group\naccuracy against s = 1")
    drawing.legend(drawn, [(name, place) for place, name in enumerate(names.values())], cells)
    return drawn
