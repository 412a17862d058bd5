"""E9: does SELF gain by selecting minority rows?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from ..model.mixture import Array
from ..outcome import MethodOutcome
from . import evidence
from .evidence import Row, Verdict, above, below, concluded, correlation, estimate, foremost, measured, of_part, worst

if TYPE_CHECKING:
    from ..sweep.results import Results

CORRELATION = 0.8
ENRICHED = 0.05
MARGIN = 0.01

SCORES = {"by-loss": "largest loss", "by-disagreement": "largest disagreement"}
SELF, CONVERGED = "descent", "converged"
FITS = {SELF: "", CONVERGED: "-converged"}
"""How the head is fitted, and the end of the method's name. The first is SELF; the other is told beside it."""
TOLD = {SELF: "300 steps from ERM's head", CONVERGED: "converged"}


def table(results: Results, *, jobs: int = 1) -> list[Row]:
    """Rows `cell` (every method; SELF with minority share and gain over rows at random) and, of each fit, one
    `correlation` over all k and scores and, at every k, `equal-k` (the score of larger share less the other)."""
    rows: list[Row] = []
    found: dict[str, list[tuple[int, Array, Array]]] = {fit: [] for fit in FITS}
    for cell in results.outcomes():
        assert cell.simulation is not None
        k = cell.axes["method.by-loss.k"]
        for label in results.experiment.method_labels:
            row = {"part": "cell", "k": k, **measured(cell, label, against=_control(label))}
            if _control(label):
                row |= estimate("minority_share", _minority_share(cell.simulation[label]))
                row["heldout_share"] = _heldout_share(results)
            rows.append(row)
        for fit, series in found.items():
            own = [cell.simulation[score + FITS[fit]] for score in SCORES]
            series.append((k, np.array([_minority_share(method) for method in own]), np.array([*map(worst, own)])))
    for fit, series in found.items():
        shares, accuracies = (np.concatenate([entry[place] for entry in series]) for place in (1, 2))
        rows.append({"part": "correlation", "fit": fit, **correlation("correlation", shares, accuracies)})
        rows += [{"part": "equal-k", "fit": fit, "k": k, **_richer_less_poorer(*own)} for k, *own in series]
    return rows


def verdict(rows: Sequence[Mapping[str, Any]]) -> Verdict:
    """Minority share and worst-group accuracy correlate, at equal k too, and there is no gain without enrichment."""
    findings = [
        above("correlation of WGA with the minority share of the selected rows", row, "correlation", CORRELATION)
        for row in of_part(rows, "correlation", fit=SELF)
    ]
    apart = [row for row in of_part(rows, "equal-k", fit=SELF) if row["share_difference"] > ENRICHED]
    higher = [above(f"k = {row['k']}", row, "difference", comparisons=len(apart)) for row in apart]
    if higher:
        findings.append(foremost("WGA of the score with the larger share less the other's, at equal k", higher))
    selected = [row for row in of_part(rows, "cell") if row["method"] in SCORES]
    poor = [row for row in selected if row["minority_share"] < row["heldout_share"] + ENRICHED]
    gains = [below(_told(row), row, "gain", MARGIN, comparisons=len(poor)) for row in poor]
    if gains:
        findings.append(foremost("gain over rows at random where the minority is not enriched", gains))
    beside = "".join(
        f"; the correlation mixes the share with k, and of the converged fits it is {row['correlation']:+.3f}"
        for row in of_part(rows, "correlation", fit=CONVERGED)
    )
    words = {
        "confirmed": "SELF's worst-group accuracy follows the minority share of the rows it selects",
        "refuted": "the minority share of the rows it selects does not foretell SELF's worst-group accuracy",
        "undecided": "the intervals do not decide every comparison",
    }
    return concluded("e09", findings, {decision: said + beside for decision, said in words.items()})


def figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Minority share and worst-group accuracy along k, and one against the other: a row for each fit."""
    cells = of_part(rows, "cell")
    drawn, axes = evidence.panels("Does SELF gain by selecting minority rows?", 3, len(FITS), height=5.6)
    heldout = next(row["heldout_share"] for row in cells if row.get("heldout_share"))
    for (share, accuracy, both), (fit, ending) in zip(axes, FITS.items(), strict=True):
        for place, score in enumerate(SCORES):
            own = of_part(cells, "cell", method=score + ending)
            evidence.curve(share, own, "k", "minority_share", place=place)
            evidence.curve(accuracy, own, "k", place=place)
            evidence.points(both, [row["minority_share"] for row in own], own, "wga", place=place)
        # Rows at random are the same experiment for both scores, up to the draw.
        evidence.curve(accuracy, of_part(cells, "cell", method=_control(f"by-loss{ending}")), "k", place=len(SCORES))
        share.axhline(heldout, color="0.5", linewidth=0.8)
        for ax in (share, accuracy):
            evidence.log_ticks(ax, [row["k"] for row in cells])
            ax.set_xlabel("rows selected, k")
        both.set_xlabel("minority share")
        share.set_ylabel("minority share of selected rows\n(grey: of the held-out set)")
        accuracy.set_title(TOLD[fit])
        for ax in (accuracy, both):
            ax.set_ylabel("worst-group accuracy")
    names = [*(f"SELF, {score}" for score in SCORES.values()), "as many rows at random, fitted alike"]
    evidence.legend(drawn, [(name, place) for place, name in enumerate(names)], cells)
    return drawn


def _control(label: str) -> str | None:
    return f"{label}-at-random" if label in {score + fit for score in SCORES for fit in FITS.values()} else None


def _minority_share(method: MethodOutcome) -> Array:
    assert method.shares is not None, "what is selected depends on a score"
    return method.shares[:, 1] + method.shares[:, 2]


def _richer_less_poorer(shares: Array, accuracies: Array) -> Row:
    """Differences (by loss, by disagreement) at one k, (2, R) each, in the order that makes that of shares positive."""
    apart, difference = shares[0] - shares[1], accuracies[0] - accuracies[1]
    sign = -1.0 if np.nanmean(apart) < 0 else 1.0
    return estimate("share_difference", sign * apart) | estimate("difference", sign * difference)


def _heldout_share(results: Results) -> float:
    shares = results.experiment.heldout_proportions
    return shares[1] + shares[2]


def _told(row: Mapping[str, Any]) -> str:
    return f"{SCORES[row['method']]}, k = {row['k']}"
