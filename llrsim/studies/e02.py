"""E2: does NC1 of the training features decide the worst group?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from ..model.neural_collapse import from_mixture
from ..model.plan import plan
from . import evidence
from .evidence import (
    Finding,
    Row,
    Verdict,
    at_best_bias,
    concluded,
    estimate,
    foremost,
    measured,
    of_part,
    settled,
    settled_in_parts,
    within,
    worst,
)

if TYPE_CHECKING:
    from ..sweep.results import Results

MARGIN = 0.01
NC1_RATIO = 0.001
UNTOUCHED = 1.0


def table(results: Results, *, jobs: int = 1) -> list[Row]:
    """Rows `nc1` (of the training and held-out laws), `cell` (every head) and `change` (against tau = 1)."""
    rows: list[Row] = []
    found: dict[tuple[float, str], tuple[Any, Any]] = {}
    for number, cell in enumerate(results.outcomes()):
        tau = cell.axes["train.collapse.noise"]
        rows.append({"part": "nc1", "tau": tau, **_nc1(results, number)})
        for label in results.experiment.method_labels:
            rows.append({"part": "cell", "tau": tau, **measured(cell, label)})
            assert cell.simulation is not None
            found[tau, label] = at_best_bias(cell.simulation[label]), worst(cell.simulation[label])
    for (tau, label), (direction, wga) in found.items():
        if tau != UNTOUCHED and (UNTOUCHED, label) in found:
            base, base_wga = found[UNTOUCHED, label]
            moved = estimate("direction_change", direction - base) | estimate("change", wga - base_wga)
            rows.append({"part": "change", "tau": tau, "method": label, **moved})
    return rows


def verdict(rows: Sequence[Mapping[str, Any]]) -> Verdict:
    """NC1 moves, and the direction part of every head stays within the margin of its value without collapse."""
    changes = of_part(rows, "change")
    findings, biases = [], []
    for label in dict.fromkeys(row["method"] for row in changes):
        own = of_part(changes, "change", method=label)
        moves = [
            within(f"tau {row['tau']:g}", row, "direction_change", MARGIN, comparisons=len(changes)) for row in own
        ]
        findings.append(foremost(f"{label}: change of WGA at the best bias", moves))
        least = min(own, key=lambda row: row["tau"])
        biases.append(f"{label} {least['change'] - least['direction_change']:+.3f} at tau {least['tau']:g}")
    words = {
        "confirmed": "NC1 moves by orders and the heads' directions stay as good",
        "refuted": "the heads' directions change with the collapse of the training features",
        "complicated": "some heads' directions stay as good under collapse, others' do not",
    }
    told = f" Through the bias go {', '.join(biases)}." if biases else ""
    ratio = _ratio(rows)
    moved = Finding("NC1 of the training law, as a share of its value without collapse", ratio, None, None, None)
    if ratio is not None:
        moved = replace(moved, holds=ratio < NC1_RATIO)
    if moved.holds is False:
        words["refuted"] = "NC1 does not move by orders, so that the heads have nothing to withstand"
    return concluded(
        "e02",
        [moved, *findings],
        {decision: f"{said}.{told}".removesuffix(".") for decision, said in words.items()},
        outcome=settled_in_parts(findings) if moved.holds else settled([moved]),
        by_construction=["NC1 moves: the collapse of the training features is imposed"] if moved.holds else [],
    )


def figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Worst-group accuracy along NC1, seen and at the best bias, a line for each head."""
    nc1 = {row["tau"]: row["nc1_train"] for row in of_part(rows, "nc1")}
    cells = [{**row, "nc1_train": nc1[row["tau"]]} for row in of_part(rows, "cell")]
    drawn, axes = evidence.panels("Does collapse of the training features decide the worst group?", 2, sharey=True)
    labels = list(dict.fromkeys(row["method"] for row in cells))
    for ax, (quantity, title) in zip(
        axes[0], (("wga", "as trained"), ("direction", "at the best bias for the head's direction")), strict=True
    ):
        for place, label in enumerate(labels):
            evidence.curve(ax, of_part(cells, "cell", method=label), "nc1_train", quantity, place=place)
        ax.set_xscale("log")
        ax.set_xlabel("NC1 of the training features")
        ax.set_title(title)
    axes[0, 0].set_ylabel("worst-group accuracy of ERM's head")
    evidence.legend(drawn, [(label, place) for place, label in enumerate(labels)], cells)
    return drawn


def _nc1(results: Results, number: int) -> Row:
    samples = plan(results.grid.experiment(number)).samples
    return {f"nc1_{sample.role}": from_mixture(sample.mixture).nc1 for sample in samples}


def _ratio(rows: Sequence[Mapping[str, Any]]) -> float | None:
    values = [row["nc1_train"] for row in sorted(of_part(rows, "nc1"), key=lambda row: row["tau"])]
    return values[0] / values[-1] if len(values) > 1 else None
