"""E6, the 5 x 5 sweep of group ratios: does LLR remember the training ratio?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from ..model.mixture import Array
from . import evidence
from .evidence import Row, Verdict, above, concluded, correlation, estimate, foremost, measured, of_part, within, worst

if TYPE_CHECKING:
    from ..sweep.results import Results

MARGIN = 0.01
CORRELATION = 0.95
UNTOUCHED = 1.0

_BY_CONSTRUCTION = "on untouched held-out features retraining never meets the training ratio, so rows coincide"


def table(results: Results, *, jobs: int = 1) -> list[Row]:
    """Rows `cell` (a method at both ratios), `pair` (LLR at two training ratios) and `correlation`."""
    rows: list[Row] = []
    found: dict[float, dict[tuple[float, float], Array]] = {}
    for cell in results.outcomes():
        where = _where(cell.axes)
        rows += [{"part": "cell", **where, **measured(cell, label)} for label in ("erm", "llr")]
        assert cell.simulation is not None
        place = where["train_ratio"], where["heldout_ratio"]
        found.setdefault(where["heldout_collapse"], {})[place] = worst(cell.simulation["llr"])
    for tau, values in found.items():
        trained, heldout = (sorted({place[axis] for place in values}) for axis in (0, 1))
        for ratio in heldout:
            for first, second in combinations(trained, 2):
                at = {"heldout_collapse": tau, "train_ratio": first, "other_ratio": second, "heldout_ratio": ratio}
                difference = values[first, ratio] - values[second, ratio]
                rows.append({"part": "pair", **at, **estimate("difference", difference)})
        grid = np.array([[values[first, ratio] for ratio in heldout] for first in trained])
        by_ratio = np.broadcast_to(grid.mean(axis=0), grid.shape)
        found_in = correlation("correlation", *(cells.reshape(-1, cells.shape[-1]) for cells in (grid, by_ratio)))
        rows.append({"part": "correlation", "heldout_collapse": tau, **found_in})
    return rows


def verdict(rows: Sequence[Mapping[str, Any]]) -> Verdict:
    """Overlap of the rows and their correlation, on collapsed held-out features."""
    findings = []
    for tau in dict.fromkeys(row["heldout_collapse"] for row in of_part(rows, "correlation")):
        if tau == UNTOUCHED:
            continue
        pairs = of_part(rows, "pair", heldout_collapse=tau)
        overlaps = [
            within(
                f"training ratio {row['train_ratio']:g} against {row['other_ratio']:g} at held-out ratio "
                f"{row['heldout_ratio']:g}",
                row,
                "difference",
                MARGIN,
                comparisons=len(pairs),
            )
            for row in pairs
        ]
        findings.append(foremost(f"held-out collapse {tau:g}: LLR's WGA at two training ratios", overlaps))
        (row,) = of_part(rows, "correlation", heldout_collapse=tau)
        text = f"held-out collapse {tau:g}: correlation of LLR's WGA with its mean over training ratios"
        findings.append(above(text, row, "correlation", CORRELATION))
    words = {
        "confirmed": "LLR's worst-group accuracy follows the held-out ratio alone",
        "refuted": "LLR remembers the training ratio through features that are collapsed about the training centres",
    }
    untouched = of_part(rows, "correlation", heldout_collapse=UNTOUCHED)
    return concluded("e06", findings, words, by_construction=(_BY_CONSTRUCTION,) if untouched else ())


def figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """LLR's worst-group accuracy along the held-out ratio, a line a training ratio; a panel for each collapse."""
    cells = of_part(rows, "cell", method="llr")
    taus = sorted({row["heldout_collapse"] for row in cells}, reverse=True)
    ratios = sorted({row["train_ratio"] for row in cells})
    drawn, axes = evidence.panels(
        "After retraining, does the training set's group ratio still matter?", len(taus), sharey=True
    )
    for ax, tau in zip(axes[0], taus, strict=True):
        for place, ratio in enumerate(ratios):
            own = [row for row in cells if (row["heldout_collapse"], row["train_ratio"]) == (tau, ratio)]
            evidence.curve(ax, own, "heldout_ratio", place=place)
        evidence.log_ticks(ax, [row["heldout_ratio"] for row in cells])
        ax.set_xlabel("minority : majority in the held-out set")
        state = (
            "untouched:\nequal by construction" if tau == UNTOUCHED else f"collapsed by {tau:g}\nabout training centres"
        )
        ax.set_title(f"held-out and test features {state}")
    axes[0, 0].set_ylabel("worst-group accuracy of LLR")
    evidence.legend(drawn, [(f"minority : majority {ratio:g} in training", n) for n, ratio in enumerate(ratios)], cells)
    return drawn


def _where(axes: Mapping[str, Any]) -> Row:
    shares = axes["train.proportions"]
    return {
        "train_ratio": float(f"{shares[1] / shares[0]:.6g}"),
        "heldout_ratio": axes["heldout.minority_ratio"],
        "heldout_collapse": axes["heldout.collapse.noise"],
    }
