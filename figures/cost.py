"""What a replicate costs: time and memory of the lazy simulator against d, n and steps, the dense one beside it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter
from scipy.optimize import isotonic_regression

from llrsim.model.mixture import Array
from llrsim.plots.style import BLUE, GREEN, VERMILLION, blank

from .cost_record import COST, REPEATS

COLUMNS = {
    "d": ("noise_dim", "noise dimensions, d", "n = {n:,} rows, d varies"),
    "n": ("n", "rows, n", "d = {noise_dim:,} dimensions, n varies"),
    "steps": ("steps", "steps of descent", "n = d = {n:,}, steps vary"),
}
"""For each row of panels: the column along its axis, the axis in words, what is fixed."""

QUANTITIES = {"seconds": ("time of one replicate", "s"), "bytes": ("memory at its peak", "B")}
LEAST_GAP = 0.075
"""Between two labels, as a fraction of a panel's height."""


def draw(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """A row of panels for what varies, a column for time and one for memory."""
    figure = blank(9.0, 8.6)
    panels = figure.subplots(len(COLUMNS), len(QUANTITIES), sharex="row", sharey="col", squeeze=False)
    for ax_row, (varied, (key, axis, title)) in zip(panels, COLUMNS.items(), strict=True):
        own = [row for row in rows if row["varied"] == varied]
        for ax, (quantity, (name, unit)) in zip(ax_row, QUANTITIES.items(), strict=True):
            ax.set(xscale="log", yscale="log", xlabel=axis, ylabel=name, title=title.format(**own[0]))
            ax.yaxis.set_major_formatter(EngFormatter(unit=unit))
            for line in _lines(own, key, quantity):
                ax.add_line(line)
            ax.autoscale_view()
    for ax in panels.flat:
        _label_ends(ax)
    figure.suptitle("What a lazy replicate costs does not grow with the dimension", fontsize=10)
    figure.legend(handles=_legend(rows[0]), loc="outside lower left", ncols=3)
    return figure


def _lines(rows: Sequence[Mapping[str, Any]], key: str, quantity: str) -> list[Line2D]:
    """One for each fit, labelled in words; those of the dense simulator are dashed, with open markers."""
    found: dict[tuple[str, str, bool], list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault((row["simulator"], row["loss"], row["steps"] is None), []).append(row)
    lines = []
    for (simulator, loss, exact), own in found.items():
        ordered = sorted(own, key=lambda row: row[key])
        colour = VERMILLION if loss == "squared" else BLUE if exact else GREEN
        how = "exact" if exact else "descent" if key == "steps" else f"{own[0]['steps']} steps"
        dense = simulator == "dense"
        lines.append(
            Line2D(
                [row[key] for row in ordered],
                [row[quantity] for row in ordered],
                color=colour,
                linestyle="--" if dense else "-",
                marker="o",
                markersize=4,
                markerfacecolor="white" if dense else colour,
                label=f"{simulator} {loss}, {how}",
            )
        )
    return lines


def _label_ends(ax: Axes) -> None:
    """Name every line beside its last point, those that end at the same place apart from each other."""
    lines: list[Any] = list(ax.lines)
    bottom, top = np.log10(ax.get_ylim())
    for end in {line.get_xdata()[-1] for line in lines}:
        together = [line for line in lines if line.get_xdata()[-1] == end]
        heights = np.array([(np.log10(line.get_ydata()[-1]) - bottom) / (top - bottom) for line in together])
        for line, height in zip(together, apart(heights, LEAST_GAP), strict=True):
            ax.annotate(
                line.get_label(),
                (end, height),
                xycoords=("data", "axes fraction"),
                xytext=(7, 0),
                textcoords="offset points",
                va="center",
                color=line.get_color(),
                fontsize=8,
            )


def apart(places: Array, gap: float) -> Array:
    """Places moved as little as keeps neighbours `gap` apart in their order, by least squares.

    >>> apart(np.array([0.5, 0.1, 0.5]), 0.2).round(3).tolist()
    [0.4, 0.1, 0.6]
    """
    order = np.argsort(places, kind="stable")
    ranks = gap * np.arange(len(places))
    moved = np.empty(len(places))
    moved[order] = isotonic_regression(places[order] - ranks).x + ranks
    return moved


def _legend(row: Mapping[str, Any]) -> list[Line2D]:
    told = (
        f"time: median of {REPEATS}, one thread of {row['processor']}; memory: bytes allocated; "
        f"fixed: ridge {COST['head']['ridge']},\nrelative gradient of exact fits 1e-9, step size 1 / (1 + d/n)"
    )
    lazy, dense = (
        Line2D([], [], color="0.3", marker="o", markersize=4, label=f"{simulator} simulator", linestyle=dashes)
        for simulator, dashes in (("lazy", "-"), ("dense", "--"))
    )
    dense.set_markerfacecolor("white")
    return [lazy, dense, Line2D([], [], linestyle="none", label=told)]
