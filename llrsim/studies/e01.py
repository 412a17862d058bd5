"""E1: does LLR beat ERM, and only where its held-out groups are better balanced?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from . import evidence
from .evidence import Decision, Row, Verdict, above, concluded, foremost, measured_cells, of_part, within

if TYPE_CHECKING:
    from ..sweep.results import Results

LARGE = 0.05
MARGIN = 0.01
UNTOUCHED = 1.0

_BY_CONSTRUCTION = "an iid held-out set of the training size is a second training set where nothing collapses"


def table(results: Results, *, jobs: int = 1) -> list[Row]:
    """Rows `cell`: ERM, and LLR with its gain over it, by data set, kind of held-out set and training collapse."""
    return list(measured_cells(results, _where, against={"llr": "erm"}))


def verdict(rows: Sequence[Mapping[str, Any]]) -> Verdict:
    """A large gain on Waterbirds, none on iid held-out sets of the training size."""
    llr = [row for row in of_part(rows, "cell", method="llr") if row["train_collapse"] != UNTOUCHED]
    large = [
        above("gain on Waterbirds' own held-out set", row, "gain", LARGE)
        for row in llr
        if (row["data_set"], row["heldout"]) == ("Waterbirds", "own")
    ]
    iid = [row for row in llr if row["heldout"] == "iid"]
    none = [within(row["data_set"], row, "gain", MARGIN, comparisons=len(iid)) for row in iid]
    findings = [*large, *([foremost("gain on iid held-out sets", none)] if none else [])]
    through = ", ".join(f"{row['data_set']} {row['gain_bias']:+.3f} of {row['gain']:+.3f}" for row in iid)
    words = {
        "confirmed": "LLR gains where the held-out groups are balanced, and not from fresh features alone",
        "complicated": "LLR gains on Waterbirds, but iid held-out sets of the training size move the worst group too: "
        f"through the bias {through}",
        "refuted": "LLR's gain on Waterbirds is not large",
    }
    untouched = [row for row in of_part(rows, "cell", train_collapse=UNTOUCHED) if row["heldout"] == "iid"]
    return concluded(
        "e01",
        findings,
        words,
        outcome=_outcome([finding.holds for finding in findings]) if len(findings) == 2 else None,
        by_construction=(_BY_CONSTRUCTION,) if untouched else (),
    )


def figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Gain of LLR over ERM: a panel for each training collapse, a place for each data set."""
    llr = of_part(rows, "cell", method="llr")
    taus = sorted({row["train_collapse"] for row in llr})
    drawn, axes = evidence.panels(
        "Does LLR beat ERM because its held-out set is better balanced?", len(taus), sharey=True
    )
    entries = [("the data set's own held-out groups", 0), ("iid: as many rows as training, same groups", 1)]
    for ax, tau in zip(axes[0], taus, strict=True):
        for place, heldout in enumerate(("own", "iid")):
            evidence.by_name(
                ax, of_part(llr, "cell", train_collapse=tau, heldout=heldout), "data_set", "gain", place=place
            )
        evidence.band(ax, MARGIN)
        ax.set_title("training features untouched" if tau == UNTOUCHED else f"training features collapsed by {tau:g}")
    axes[0, 0].set_ylabel("gain of LLR over ERM\nin worst-group accuracy")
    evidence.legend(drawn, entries, llr, f"grey: within {MARGIN:g} of no gain")
    return drawn


def _where(axes: Mapping[str, Any]) -> Row:
    return evidence.where(axes) | {"train_collapse": axes["train.collapse.noise"]}


def _outcome(held: Sequence[bool | None]) -> Decision:
    large, none = held
    if large is False:
        return "refuted"
    if large is None or none is None:
        return "undecided"
    return "confirmed" if none else "complicated"
