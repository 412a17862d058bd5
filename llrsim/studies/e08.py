"""E8: is AFR implicit group balancing?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from ..outcome import MethodOutcome
from . import evidence
from .evidence import (
    ACCURACY,
    DIFFERENCE,
    Row,
    Verdict,
    concluded,
    estimate,
    foremost,
    measured,
    of_part,
    settled_in_parts,
    tally,
    within,
    worst,
)

if TYPE_CHECKING:
    from ..sweep.results import Results

MARGIN = 0.01
NEAR_BEST = 0.02
TURNED = 0.1
"""With so much of the majority's accuracy lost, and the spurious weight of the other sign, a head has turned."""

SOLVERS = {"afr": "converged", "afr-descent": "500 steps from ERM's head"}


def table(results: Results, *, jobs: int = 1) -> list[Row]:
    """Rows `cell`: ERM, both AFR with the gap to their controls as gain, and the controls; AFR's mean group masses.

    AFR's rows have also, of the first half of the replicates, `tuning_wga` and `tuning_gain` over ERM, and, of the
    second, `gap` to the control; each half has its own worst groups, so neither knows of the other. Every row has
    `class_cosine`, `spurious_weight` and `majority_accuracy`.
    """
    rows: list[Row] = []
    for cell in results.outcomes():
        assert cell.simulation is not None
        where = {"gamma": cell.axes["method.afr.gamma"], "anchor": cell.axes["method.afr.anchor"]}
        for label in results.experiment.method_labels:
            method = cell.simulation[label]
            row = {"part": "cell", **where, **measured(cell, label, against=_control(label)), **_turn(method)}
            if label in SOLVERS:
                half = (len(method.kept) + 1) // 2
                tuning, judging = slice(half), slice(half, None)
                tuned, erm = (worst(cell.simulation[one], tuning) for one in (label, "erm"))
                judged, control = (worst(cell.simulation[one], judging) for one in (label, f"{label}-matched"))
                row |= estimate("tuning_wga", tuned, ACCURACY) | estimate("tuning_gain", tuned - erm, DIFFERENCE)
                row |= estimate("gap", judged - control, DIFFERENCE)
                masses = method.mass.tolist()
                row |= {f"mass{name}": mass for name, mass in zip(method.test.group_names, masses, strict=True)}
                row["minority_mass"] = masses[1] + masses[2]
            rows.append(row)
    return rows


def verdict(rows: Sequence[Mapping[str, Any]]) -> Verdict:
    """The gap between AFR and its mass-matched control, in the cells where AFR is tuned and gains over ERM."""
    own = [row for row in of_part(rows, "cell") if row["method"] in SOLVERS and row["tuning_wga"] is not None]
    best = max((row["tuning_wga"] for row in own), default=0.0)
    tuned = [row for row in own if row["tuning_wga"] > best - NEAR_BEST]
    telling = [row for row in tuned if row["tuning_gain"] > MARGIN]
    findings = [within(_told(row), row, "gap", MARGIN, comparisons=len(telling)) for row in telling]
    words = {
        "confirmed": "where AFR is tuned, its group masses are all that matters",
        "refuted": "AFR's weights inside groups matter wherever it is tuned",
        "complicated": "AFR is implicit group balancing in some tuned cells and more than that in others",
    }
    erm = {(row["gamma"], row["anchor"]): row for row in of_part(rows, "cell", method="erm")}
    turned = [_told(row) for row in own if _turned(row, erm[row["gamma"], row["anchor"]])]
    told = [
        f"{len(tuned)} of {len(own)} cells are tuned, {len(telling)} of them gain more than {MARGIN:g} over ERM",
        *([tally(findings), foremost("gap", findings).told] if findings else []),
        f"the head has turned at {'; '.join(turned) or 'no cell'}",
    ]
    return concluded(
        "e08",
        findings,
        words,
        outcome=settled_in_parts(findings) if findings else None,
        told=told,
    )


def figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Worst-group accuracy of AFR and of its control along gamma: a column for each anchor, a row for each solver."""
    cells = of_part(rows, "cell")
    anchors = sorted({row["anchor"] for row in cells})
    drawn, axes = evidence.panels(
        "Is AFR implicit group balancing?", len(anchors), len(SOLVERS), height=5.4, sharex=True, sharey=True
    )
    for line, (label, solver) in zip(axes, SOLVERS.items(), strict=True):
        for ax, anchor in zip(line, anchors, strict=True):
            for place, method in enumerate((label, f"{label}-matched", "erm")):
                evidence.curve(ax, of_part(cells, "cell", method=method, anchor=anchor), "gamma", place=place)
            ax.set_title(f"{solver},\nanchor {anchor:g}")
            ax.set_xscale("symlog", linthresh=1.0)
            ticks = sorted({row["gamma"] for row in cells})
            ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            ax.minorticks_off()
        line[0].set_ylabel("worst-group accuracy")
    for ax in axes[-1]:
        ax.set_xlabel("AFR's gamma")
    entries = [("AFR", 0), ("its group masses, constant weights inside groups", 1), ("ERM", 2)]
    evidence.legend(drawn, entries, cells)
    return drawn


def _control(label: str) -> str | None:
    return f"{label}-matched" if label in SOLVERS else None


def _turn(method: MethodOutcome) -> Row:
    """Where the head points, in the mean over replicates."""
    readout = method.readout
    return {
        "class_cosine": float(method.mean(readout.class_cosine)),
        "spurious_weight": float(method.mean(method.heads.signal[:, 1])),
        "majority_accuracy": float(method.mean(readout.group_accuracy[:, [0, 3]].mean(axis=1))),
    }


def _turned(row: Mapping[str, Any], erm: Mapping[str, Any]) -> bool:
    """Whether the head points against the class, or against ERM's attribute at a visible cost to the majority."""
    against = row["spurious_weight"] * erm["spurious_weight"] < 0
    return row["class_cosine"] < 0 or (against and row["majority_accuracy"] < erm["majority_accuracy"] - TURNED)


def _told(row: Mapping[str, Any]) -> str:
    return f"{SOLVERS[row['method']]}, anchor {row['anchor']:g}, gamma {row['gamma']:g}"
