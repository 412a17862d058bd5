"""E12: does balancing groups mend a minority whose features spread wider?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from ..model.mixture import Array
from . import evidence
from .attainable import best_attainable
from .evidence import Row, Verdict, above, concluded, estimate, foremost, measured, of_part, worst

if TYPE_CHECKING:
    from ..sweep.results import Results

MARGIN = 0.01


def table(results: Results, *, jobs: int = 1) -> list[Row]:
    """Rows `cell` (every method), and at every scale `closed` (what share of the way from ERM to the best attainable
    head DFR goes); above one `loss` (against scale 1; `forced` of it: to the best attainable) and `shortfall` of
    that share against scale 1."""
    rows: list[Row] = []
    found: dict[float, dict[str, Array]] = {}
    best: dict[float, float] = {}
    for cell in results.outcomes():
        scale = max(cell.axes["features.noise.std"])
        assert cell.simulation is not None
        labels = results.experiment.method_labels
        best[scale] = best_attainable(cell.simulation["dfr"].test)
        rows += [{"part": "cell", "scale": scale, **measured(cell, label), "best": best[scale]} for label in labels]
        found[scale] = {label: worst(cell.simulation[label]) for label in labels}
    closed = {scale: (wga["dfr"] - wga["erm"]) / (best[scale] - wga["erm"]) for scale, wga in found.items()}
    least = min(found)
    for scale, wga in found.items():
        rows.append({"part": "closed", "scale": scale, **estimate("closed", closed[scale])})
        if scale == least:
            continue
        for label, values in wga.items():
            row = {"part": "loss", "scale": scale, "method": label, **estimate("loss", found[least][label] - values)}
            rows.append(row | estimate("forced", found[least][label] - best[scale]))
        rows.append({"part": "shortfall", "scale": scale, **estimate("shortfall", closed[least] - closed[scale])})
    return rows


def verdict(rows: Sequence[Mapping[str, Any]]) -> Verdict:
    """DFR loses wherever it need not, and goes less far towards the best attainable head than at scale one."""
    losses = of_part(rows, "loss", method="dfr")
    forced = [row for row in losses if above("", row, "forced", MARGIN, comparisons=len(losses)).holds]
    free = [row for row in losses if row not in forced]
    lowers = [above(f"s = {row['scale']:g}", row, "loss", MARGIN, comparisons=len(free)) for row in free]
    findings = [foremost("loss of DFR against s = 1", lowers)] if lowers else []
    shorter = of_part(rows, "shortfall")
    shares = {row["scale"]: row["closed"] for row in of_part(rows, "closed")}
    findings += [
        above(
            f"share of the way from ERM to the best attainable head that DFR goes, at s = 1 less at s = "
            f"{row['scale']:g} ({shares[row['scale']]:.3f})",
            row,
            "shortfall",
            MARGIN,
            comparisons=len(shorter),
        )
        for row in shorter
    ]
    words = {
        "confirmed": "with a wider minority, balance closes less of the gap to the best attainable head",
        "refuted": "balance closes as much of the gap to the best attainable head as without a wider minority, or the "
        "wider minority costs nothing",
    }
    told = [f"the loss at s = {row['scale']:g}: no linear head does as well as DFR does at s = 1" for row in forced]
    return concluded("e12", findings, words, by_construction=told)


def figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Worst-group accuracy along the minority's scale with the best attainable, and its loss against scale one."""
    cells, losses = of_part(rows, "cell"), of_part(rows, "loss")
    drawn, axes = evidence.panels("Does balance mend a worst group that spreads wider?", 2)
    names = {"erm": "ERM", "llr": "LLR", "dfr": "DFR: groups balanced"}
    for place, method in enumerate(names):
        evidence.curve(axes[0, 0], of_part(cells, "cell", method=method), "scale", place=place)
        evidence.curve(axes[0, 1], of_part(losses, "loss", method=method), "scale", "loss", place=place)
    best = dict(sorted((row["scale"], row["best"]) for row in cells))
    axes[0, 0].plot(list(best), list(best.values()), color="0.5", linewidth=0.8)
    for ax in axes[0]:
        ax.set_xlabel("standard deviation of minority groups,\nas a multiple s of the majority's")
    axes[0, 0].set_ylabel("worst-group accuracy\n(grey: the best of any linear head)")
    axes[0, 1].set_ylabel("loss in worst-group\naccuracy against s = 1")
    evidence.legend(drawn, [(name, place) for place, name in enumerate(names.values())], cells)
    return drawn
