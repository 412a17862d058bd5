"""E5: does the worst group follow the angle to the hard-margin head?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from ..model.mixture import Array
from ..outcome import MethodOutcome
from ..plots.style import line, look
from . import evidence
from .evidence import Row, Verdict, concluded, estimate, measured, of_part, settled_in_parts, within, worst

if TYPE_CHECKING:
    from ..sweep.results import Results

MARGIN = 0.01
FIRST, LAST = 40, 4000
"""Steps between which the angle shrinks, and worst-group accuracy should not move."""

# arXiv 1710.10345. That head's norm counts the bias as one more coordinate: from the hard-margin head, whose bias is
# free, a small angle may stay.
_BY_CONSTRUCTION = "descent on separable rows turns towards their max-margin head (Soudry et al. 2018)"


def table(results: Results, *, jobs: int = 1) -> list[Row]:
    """Rows `cell` (each number of steps: accuracy, angle, margins by group) and `change` (from FIRST to LAST steps)."""
    rows: list[Row] = []
    for cell in results.outcomes():
        assert cell.simulation is not None
        ratio = cell.axes["heldout.minority_ratio"]
        for method in cell.simulation:
            row = {"part": "cell", "ratio": ratio, **measured(cell, method.label), **_margins(method)}
            if method.label.startswith("step-"):
                angle = estimate("angle", np.degrees(_angle(method)))
                row |= {"steps": int(method.label.removeprefix("step-")), **angle}
            rows.append(row)
        first, last = (cell.simulation[f"step-{steps}"] for steps in (FIRST, LAST))
        change = estimate("change", worst(last) - worst(first))
        shrunk = estimate("shrunk", _angle(last) / _angle(first))
        rows.append({"part": "change", "ratio": ratio, **change, **shrunk})
    return rows


def verdict(rows: Sequence[Mapping[str, Any]]) -> Verdict:
    """In each cell worst-group accuracy is flat while the angle shrinks; that it does in the end is a theorem."""
    changes = of_part(rows, "change")
    findings = [
        within(
            f"ratio {row['ratio']:g}, from {FIRST} to {LAST} steps: change of WGA",
            row,
            "change",
            MARGIN,
            comparisons=len(changes),
        )
        for row in changes
    ]
    angles = " and ".join(f"{row['shrunk']:.2f} of itself at ratio {row['ratio']:g}" for row in changes)
    words = {
        "confirmed": "the head turns towards the hard-margin head while worst-group accuracy stays flat",
        "refuted": "worst-group accuracy moves with the angle to the hard-margin head",
        "complicated": "worst-group accuracy is flat at some held-out ratios and moves at others",
    }
    return concluded(
        "e05",
        findings,
        words,
        outcome=settled_in_parts(findings) if findings else None,
        by_construction=(f"{_BY_CONSTRUCTION}: from {FIRST} to {LAST} steps the angle to {angles}",) if changes else (),
    )


def figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Angle, worst-group accuracy and margins along the steps of the descent."""
    cells = [row for row in of_part(rows, "cell") if row.get("steps")]
    ratios = sorted({row["ratio"] for row in cells})
    drawn, axes = evidence.panels("Does the worst group follow the angle to the max-margin head?", 3)
    quantities = {
        "angle": "angle to the hard-margin head\n(degrees)",
        "wga": "worst-group accuracy of LLR",
        "least_margin": "mean test margin of the\nworst group / |w|",
    }
    for ax, (quantity, label) in zip(axes[0], quantities.items(), strict=True):
        for place, ratio in enumerate(ratios):
            evidence.curve(ax, of_part(cells, "cell", ratio=ratio), "steps", quantity, place=place)
            if quantity == "wga":
                (limit,) = of_part(rows, "cell", ratio=ratio, method="max-margin")
                ax.axhline(limit["predicted_wga"], color=look(place)["color"], linestyle=line(place), linewidth=1.2)
        ax.set_xscale("log")
        ax.set_xlabel("steps of gradient descent")
        ax.set_ylabel(label)
    entries = [(f"minority : majority {ratio:g}", place) for place, ratio in enumerate(ratios)]
    evidence.legend(drawn, entries, cells, "lines: the hard-margin head, proportional limit")
    return drawn


def _angle(method: MethodOutcome) -> Array:
    """(R,) angle between the weights and those of the head that `angle_to` names, in radians."""
    assert method.cosine is not None, "every step asks for the angle"
    return np.arccos(np.clip(method.cosine, -1.0, 1.0))


def _margins(method: MethodOutcome) -> Row:
    """Mean margin of the test rows of each group, and of the group where it is least, per length of the weights."""
    test, heads = method.test, method.heads
    logit = heads.signal @ test.means.T + heads.bias[:, None]
    margins = np.where(method.kept[:, None], test.labels * logit / heads.weight_norm[:, None], np.nan)
    rows = estimate("least_margin", margins[:, int(np.argmin(np.nanmean(margins, axis=0)))])
    for name, values in zip(test.group_names, margins.T, strict=True):
        rows |= estimate(f"margin{name}", values)
    return rows
