"""The figure of E3: shares of balance and of uncollapsed features, and where the two are equal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..plots.style import look
from . import drawing
from .measuring import of_part
from .separation import by_kind, simulated_cells

DRAWN = "cross-entropy, converged"
STYLES = {"equal": "-", "effective": ":", "validated": "--"}
"""Line style of each way to choose the ridge."""

Row = Mapping[str, Any]


def figure(rows: Sequence[Row]) -> Figure:
    """A column for each kind of collapse: shares along tau at balanced held-out groups; tau and NC1 at equal shares."""
    own = [row for row in rows if row["head"] == DRAWN]
    counts = _counts(rows)
    kinds = list(dict.fromkeys(row["kind"] for row in own))
    sizes = sorted({row["rows_per_dim"] for row in own})
    drawn, axes = drawing.panels(
        "Balance, or features that have not collapsed? LLR's gain with converged cross-entropy",
        len(kinds),
        3,
        height=8.2,
        sharey="row",
    )
    for column, kind in enumerate(kinds):
        shares, contour, ratio = axes[:, column]
        for place, size in enumerate(sizes):
            here = {"kind": kind, "rows_per_dim": size}
            _draw_shares(shares, own, here, place)
            for ridge, style in STYLES.items():
                along = sorted(of_part(own, "equal", **here, ridge=ridge), key=lambda row: row["heldout_ratio"])
                for ax, name in ((contour, "tau"), (ratio, "nc1_ratio")):
                    met = [(row["heldout_ratio"], row[name]) for row in along if row[name] is not None]
                    if met:
                        ax.plot(*zip(*met, strict=True), color=look(place)["color"], linestyle=style, marker=".")
        shares.set_title(f"{kind} collapse{counts.get(kind, '')}")
        shares.set_xlabel("tau (1: no collapse)")
        contour.set_ylim(0, 1)
        ratio.set_yscale("log")
        for ax in (contour, ratio):
            ax.set_xlim(0, 1.05)
            ax.set_xlabel("minority : majority, held out")
            if not ax.lines:
                ax.text(0.5, 0.5, "shares are\nnowhere equal", ha="center", va="center", transform=ax.transAxes)
    axes[0, 0].set_ylabel("share of the gain in WGA,\nheld-out groups balanced")
    axes[1, 0].set_ylabel("tau at which\nthe shares are equal")
    axes[2, 0].set_ylabel("NC1 there, training\nover held-out features")
    drawing.legend(
        drawn,
        [(f"n/d = {size:g}", place) for place, size in enumerate(sizes)],
        own,
        "lines: closed-form prediction, proportional limit",
        "first row: solid and filled are balance's share, dotted and open that of uncollapsed features",
        "below: equal ridge solid, equal effective ridge dotted, best on validation dashed; no line: no crossing",
        "titles: simulated cells with a gain, of all heads, in which balance dominates",
        columns=1,
        style="-",
    )
    return drawn


def _counts(rows: Sequence[Row]) -> dict[str, str]:
    """Of each kind of collapse, in how many simulated cells with a gain balance dominates, over all heads."""
    told = {}
    for kind, cases in by_kind(simulated_cells(rows)):
        states = [case.state for case in cases if case.state != "no gain"]
        told[kind] = f"\nbalance in {states.count('dominates')} of {len(states)}"
    return told


def _draw_shares(ax: Axes, rows: Sequence[Row], here: Row, place: int) -> None:
    """Both shares along tau at the most balanced held-out groups and equal ridge."""
    known = of_part(rows, "map", **here, ridge="equal")
    at = {**here, "heldout_ratio": max(row["heldout_ratio"] for row in known), "ridge": "equal"}
    along = sorted(of_part(known, "map", **at), key=lambda row: row["tau"])
    colour = look(place)["color"]
    for name, style, face in (("balance", "-", colour), ("collapse", ":", "none")):
        ax.plot([row["tau"] for row in along], [row[name] for row in along], color=colour, linestyle=style)
        for row in of_part(rows, "simulated", **at):
            ends = [[row[name] - row[f"{name}_low"]], [row[f"{name}_high"] - row[name]]]
            how = look(place) | {"markerfacecolor": face}
            ax.errorbar([row["tau"]], [row[name]], yerr=ends, **how, capsize=2.0, linestyle="none")
