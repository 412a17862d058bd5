"""E8: is AFR implicit group balancing?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from . import drawing
from .judging import foremost, within
from .measuring import Row, measured, of_part
from .verdict import Verdict, concluded, settled_in_parts, tally

if TYPE_CHECKING:
    from ..sweep.results import Results

MARGIN = 0.01
NEAR_BEST = 0.02
TURNED = 0.1
"""Below ERM by so much, AFR's head has turned against the first one."""

SOLVERS = {"afr": "converged", "afr-descent": "500 steps from ERM's head"}


def table(results: Results, *, jobs: int = 1) -> list[Row]:
    """Rows `cell`: ERM, both AFR with the gap to their controls as gain, and the controls; AFR's mean group masses."""
    rows: list[Row] = []
    for cell in results.outcomes():
        assert cell.simulation is not None
        where = {"gamma": cell.axes["method.afr.gamma"], "anchor": cell.axes["method.afr.anchor"]}
        for label in results.experiment.method_labels:
            row = {"part": "cell", **where, **measured(cell, label, against=_control(label))}
            if label in SOLVERS:
                method = cell.simulation[label]
                masses = method.mass.tolist()
                row |= {f"mass{name}": mass for name, mass in zip(method.test.group_names, masses, strict=True)}
                row["minority_mass"] = masses[1] + masses[2]
            rows.append(row)
    return rows


def verdict(rows: Sequence[Mapping[str, Any]]) -> Verdict:
    """The gap between AFR and its mass-matched control, in the cells where AFR is tuned."""
    tuned = [row for own in _series(rows) for row in own if row["wga"] > max(one["wga"] for one in own) - NEAR_BEST]
    findings = [within(_told(row), row, "gain", MARGIN, comparisons=len(tuned)) for row in tuned]
    words = {
        "confirmed": "where AFR is tuned, its group masses are all that matters",
        "refuted": "AFR's weights inside groups matter wherever it is tuned",
        "complicated": "AFR is implicit group balancing in some tuned cells and more than that in others",
    }
    erm = {(row["gamma"], row["anchor"]): row["wga"] for row in of_part(rows, "cell", method="erm")}
    turned = [
        _told(row) for own in _series(rows) for row in own if row["wga"] < erm[row["gamma"], row["anchor"]] - TURNED
    ]
    told = [tally(findings), foremost("gap", findings).told] if findings else []
    return concluded(
        "e08",
        findings,
        words,
        outcome=settled_in_parts(findings) if findings else None,
        told=[*told, f"the head has turned at {'; '.join(turned) or 'no cell'}"],
    )


def figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Worst-group accuracy of AFR and of its control along gamma: a column for each anchor, a row for each solver."""
    cells = of_part(rows, "cell")
    anchors = sorted({row["anchor"] for row in cells})
    drawn, axes = drawing.panels(
        "Is AFR implicit group balancing?", len(anchors), len(SOLVERS), height=5.4, sharex=True, sharey=True
    )
    for line, (label, solver) in zip(axes, SOLVERS.items(), strict=True):
        for ax, anchor in zip(line, anchors, strict=True):
            for place, method in enumerate((label, f"{label}-matched", "erm")):
                drawing.curve(ax, of_part(cells, "cell", method=method, anchor=anchor), "gamma", place=place)
            ax.set_title(f"{solver},\nanchor {anchor:g}")
            ax.set_xscale("symlog", linthresh=1.0)
            ticks = sorted({row["gamma"] for row in cells})
            ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            ax.minorticks_off()
        line[0].set_ylabel("worst-group accuracy")
    for ax in axes[-1]:
        ax.set_xlabel("AFR's gamma")
    entries = [("AFR", 0), ("its group masses, constant weights inside groups", 1), ("ERM", 2)]
    drawing.legend(drawn, entries, cells)
    return drawn


def _control(label: str) -> str | None:
    return f"{label}-matched" if label in SOLVERS else None


def _series(rows: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """AFR's rows along gamma, for each solver and anchor; those without a head left out."""
    kept = [row for row in of_part(rows, "cell") if row["method"] in SOLVERS and row["wga"] is not None]
    places = dict.fromkeys((row["method"], row["anchor"]) for row in kept)
    return [of_part(kept, "cell", method=method, anchor=anchor) for method, anchor in places]


def _told(row: Mapping[str, Any]) -> str:
    return f"{SOLVERS[row['method']]}, anchor {row['anchor']:g}, gamma {row['gamma']:g}"
