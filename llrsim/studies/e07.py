"""E7: is CB-LLR's gain what its group masses foretell?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from ..outcome import Outcome
from . import evidence
from .evidence import (
    Finding,
    Row,
    Verdict,
    above,
    concluded,
    estimate,
    gain_in_replicates,
    measured,
    of_part,
    settled,
    settled_in_parts,
    within,
)

if TYPE_CHECKING:
    from ..sweep.results import Results

MARGIN = 0.01
OVER = ("erm", "llr")
"""What CB-LLR's gain is taken over."""


def table(results: Results, *, jobs: int = 1) -> list[Row]:
    """Rows `cell` (every method), `gain` (CB-LLR over ERM and LLR, DFR over CB-LLR) and `order` (of neighbours)."""
    rows: list[Row] = []
    found: dict[str, Outcome] = {}
    for cell in results.outcomes():
        where = {"data_set": evidence.where(cell.axes)["data_set"]}
        assert cell.simulation is not None
        found[where["data_set"]] = cell.simulation
        for method in cell.simulation:
            least = float(method.mass.min())
            rows.append({"part": "cell", **where, **measured(cell, method.label), "least_mass": least})
        for label, against in (("cb-llr", "erm"), ("cb-llr", "llr"), ("dfr", "cb-llr")):
            rows.append({"part": "gain", **where, **measured(cell, label, against=against)})
    for first, second in pairwise(name for name in evidence.NAMES.values() if name in found):
        for against in OVER:
            ends = ((found[name]["cb-llr"], found[name][against]) for name in (first, second))
            ahead, behind = (gain_in_replicates(*pair) for pair in ends)
            at = {"data_set": first, "next": second, "against": against}
            rows.append({"part": "order", **at, **estimate("difference", ahead - behind)})
    return rows


def verdict(rows: Sequence[Mapping[str, Any]]) -> Verdict:
    """The order of the gains over ERM and over LLR, and the two equalities that masses give by construction."""
    findings: list[Finding] = []
    parts: list[Finding] = []
    for against in OVER:
        order = of_part(rows, "order", against=against)
        steps = [
            above(
                f"gain over {against}, {row['data_set']} less {row['next']}", row, "difference", comparisons=len(order)
            )
            for row in order
        ]
        findings += steps
        decided = {"confirmed": True, "refuted": False}.get(settled(steps))
        parts.append(Finding(f"order of the gains over {against}", None, None, None, decided))
    checked = [
        within(f"{name}: {label} over {against}", row, "gain", MARGIN)
        for name, label, against in (("MultiNLI", "cb-llr", "llr"), ("Waterbirds", "dfr", "cb-llr"))
        for row in of_part(rows, "gain", data_set=name, method=label, against=against)
    ]
    failed = [finding for finding in checked if not finding.holds]
    words = {
        "confirmed": "CB-LLR's gains follow its group masses",
        "refuted": f"CB-LLR's gains are not what its group masses foretell; {_bias(rows)}",
        "complicated": f"what group masses foretell holds for a part of the gains only; {_bias(rows)}",
    }
    return concluded(
        "e07",
        [*findings, *failed],
        words,
        outcome=settled_in_parts([*parts, *failed]),
        by_construction=[finding.told for finding in checked if finding.holds],
    )


def figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Gains over ERM and over LLR, whole and through the direction alone, by data set in the foretold order."""
    drawn, axes = evidence.panels("Does CB-LLR gain by balancing groups?", len(OVER), sharey=True)
    gains = of_part(rows, "gain", method="cb-llr")
    for ax, against in zip(axes[0], OVER, strict=True):
        for place, quantity in enumerate(("gain", "gain_direction")):
            evidence.by_name(ax, of_part(gains, "gain", against=against), "data_set", quantity, place=place)
        evidence.band(ax, MARGIN)
        ax.set_title(f"CB-LLR over {against.upper()}")
    axes[0, 0].set_ylabel("gain in worst-group accuracy")
    entries = [("gain", 0), ("its part through the direction: at the best bias for both heads", 1)]
    masses = {row["data_set"]: row["least_mass"] for row in of_part(rows, "cell", method="cb-llr")}
    told = ", ".join(f"{name} {mass:.3f}" for name, mass in masses.items())
    evidence.legend(drawn, entries, gains, f"least group mass of CB-LLR: {told}", columns=1)
    return drawn


def _bias(rows: Sequence[Mapping[str, Any]]) -> str:
    """How much of each gain over LLR goes through the bias."""
    told = [
        f"{row['data_set']} {row['gain_bias']:+.3f} of {row['gain']:+.3f}"
        for row in of_part(rows, "gain", against="llr")
    ]
    return f"through the bias go {', '.join(told)} of the gains over llr"
