"""Margins of training rows and of test rows, for a smooth loss and one with a kink."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from llrsim.plots import margins
from llrsim.plots.margins import X_LABEL, Y_LABEL, legend_entries
from llrsim.plots.style import blank

from .records import MARGINS

GROUPS = ("(+,+)", "(+,-)")
"""Majority and minority of one class; those of the other are their mirror image."""


def draw(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """A column for each loss, a line for each group, on shared axes."""
    shown = [row for row in rows if row["group"] in GROUPS]
    losses = list(dict.fromkeys(row["method"] for row in shown))
    figure = blank(7.4, 7.4)
    grid = figure.subplots(len(GROUPS), len(losses), sharex=True, sharey=True, squeeze=False)
    for place, loss in enumerate(losses):
        own = sorted((row for row in shown if row["method"] == loss), key=lambda row: GROUPS.index(row["group"]))
        for ax, name in zip(margins(own, loss, axes=grid[:, place]), ("majority", "minority"), strict=True):
            ax.set_title(f"{loss}, {name}: {ax.get_title()}")
    for ax in grid[-1]:
        ax.set_xlabel(X_LABEL)
    for ax in grid[:, 0]:
        ax.set_ylabel(Y_LABEL)
    figure.suptitle(
        "A fit pushes the margins of its own rows up, those of the minority most:\n"
        "nearly all training rows look right (above 0), while many test rows are wrong",
        fontsize=10,
    )
    fixed = Line2D([], [], linestyle="none", label=_fixed(rows[0]["replicates"]))
    figure.legend(handles=[*legend_entries(shown), fixed], loc="outside lower left", ncols=1)
    return figure


def _fixed(replicates: int) -> str:
    noise, heldout = MARGINS["features"]["noise"], MARGINS["heldout"]
    return (
        f"fixed: {noise['dim']} noise dimensions, {heldout['n']} rows fitted (n/d = {heldout['n'] / noise['dim']:g}), "
        f"minority : majority = {heldout['minority_ratio']},\nridge {MARGINS['head']['ridge']}; "
        f"{replicates} simulated samples"
    )
