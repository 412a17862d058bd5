"""E14: what does balance cost where it leaves few held-out rows?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from ..model.mixture import Array
from . import evidence
from .evidence import (
    ACCURACY,
    Row,
    Verdict,
    above,
    below,
    columns,
    concluded,
    estimate,
    measured,
    of_part,
    settled,
    settled_in_parts,
)

if TYPE_CHECKING:
    from ..sweep.results import Results

MARGIN = 0.01


def table(results: Results, *, jobs: int = 1) -> list[Row]:
    """Rows `cell` (`wga_per_run`, and the spread of the least accuracy), `balance`, `cost` and `spread`.

    The claim is about single runs, so all but `wga` is of each replicate's least group accuracy. `spread` is the
    logarithm of the ratio of two standard deviations: of the small balanced set against the large imbalanced one, and
    against an imbalanced one as small.
    """
    rows: list[Row] = []
    found: dict[tuple[int, float], Array] = {}
    for cell in results.outcomes():
        assert cell.simulation is not None
        n, ratio = cell.axes["heldout.n"], cell.axes["heldout.minority_ratio"]
        llr = cell.simulation["llr"]
        least = np.where(llr.kept, llr.readout.wga, np.nan)
        found[n, ratio] = least
        row = {
            "part": "cell",
            "n": n,
            "ratio": ratio,
            **measured(cell, "llr"),
            **estimate("wga_per_run", least, ACCURACY),
        }
        rows.append(row | {"spread": float(np.nanstd(least, ddof=1)) if len(least) > 1 else None})
    (few, many), (low, high) = ((min(axis), max(axis)) for axis in zip(*found, strict=True))
    imbalanced = found[many, low]
    for part, n in (("balance", many), ("cost", few)):
        at = {"part": part, "n": n, "ratio": high, "other_n": many, "other_ratio": low}
        rows.append(at | estimate("difference", found[n, high] - imbalanced))
    for n in (many, few):
        at = {"part": "spread", "n": few, "ratio": high, "other_n": n, "other_ratio": low}
        rows.append(at | _log_ratio_of_spreads(found[few, high], found[n, low]))
    return rows


def verdict(rows: Sequence[Mapping[str, Any]]) -> Verdict:
    """Balance helps at the largest n, and at the smallest costs level and spread against the large imbalanced set."""
    compared = (("balance", above, MARGIN, "difference"), ("cost", below, -MARGIN, "difference"))
    findings = {
        part: compare(f"WGA per run with {_told(row)}", row, quantity, threshold, comparisons=len(compared) + 1)
        for part, compare, threshold, quantity in compared
        for row in of_part(rows, part)
    }
    beside = []
    for row in of_part(rows, "spread"):
        text = f"log of its standard deviation over that, {_told(row)}"
        found = above(text, row, "log_ratio", comparisons=len(compared) + 1)
        if row["other_n"] == row["n"]:
            beside.append(found.told)
        else:
            findings["spread"] = found
    words = {
        "confirmed": "balance is worth having, and a small balanced set is less sure than a large imbalanced one and "
        "loses to it",
        "complicated": "the small balanced set costs either spread or level, not both",
        "refuted": "a small balanced set costs neither spread nor level"
        if findings.get("balance") and findings["balance"].holds
        else "balance is not worth having, even with many rows",
    }
    costs = [finding for part, finding in findings.items() if part != "balance"]
    worth = settled([finding for part, finding in findings.items() if part == "balance"])
    told = [finding.told for finding in findings.values()] + [f"beside it: {text}" for text in beside]
    outcome = settled_in_parts(costs) if worth == "confirmed" else worth
    return concluded("e14", [*findings.values()], words, outcome=outcome, told=told)


def figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Worst-group accuracy of single runs, and its spread over replicates, along the number of held-out rows."""
    cells = of_part(rows, "cell")
    ratios = sorted({row["ratio"] for row in cells})
    drawn, axes = evidence.panels("Is a small balanced held-out set better than a large imbalanced one?", 2)
    for place, ratio in enumerate(ratios):
        own = of_part(cells, "cell", ratio=ratio)
        evidence.curve(axes[0, 0], own, "n", "wga_per_run", place=place)
        evidence.theory(axes[0, 0], own, "n", "wga", place=place)
        evidence.curve(axes[0, 1], own, "n", "spread", place=place)
    for ax in axes[0]:
        evidence.log_ticks(ax, [row["n"] for row in cells])
        ax.tick_params(axis="x", labelsize=7)
        ax.set_xlabel("rows in the held-out set")
    axes[0, 0].set_ylabel("worst-group accuracy of LLR\n(mean over replicates of the least)")
    axes[0, 1].set_ylabel("standard deviation over replicates")
    entries = [(f"minority : majority {ratio:g}", place) for place, ratio in enumerate(ratios)]
    evidence.legend(
        drawn, entries, cells, "lines are of wga, the least of the groups' means: above wga_per_run at ties"
    )
    return drawn


def _log_ratio_of_spreads(first: Array, second: Array) -> Row:
    """Columns `log_ratio`: log of the ratio of standard deviations over replicates (R,) each; error by the jackknife.

    The jackknife leaves a replicate out of both, whose random numbers they share, and needs no normal law as an F test
    does. Source: Miller (1968).
    """
    pair = np.stack([first, second])
    pair = pair[:, np.isfinite(pair).all(axis=0)]
    count = pair.shape[1]
    if count < 3:
        return columns("log_ratio", None, None, count)

    def log_ratio(kept: Array) -> float:
        spread = kept.std(axis=1, ddof=1)
        return float(np.log(spread[0] / spread[1]))

    varied = np.array([log_ratio(np.delete(pair, replicate, axis=1)) for replicate in range(count)])
    error = float(np.sqrt((count - 1) / count * ((varied - varied.mean()) ** 2).sum()))
    return columns("log_ratio", log_ratio(pair), error, count)


def _told(row: Mapping[str, Any]) -> str:
    return f"{row['n']} rows at ratio {row['ratio']:g} against {row['other_n']} rows at ratio {row['other_ratio']:g}"
