"""Worst-group accuracy along one swept axis: theory as lines, simulation as points with 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ..arguments import require_labels, require_type
from . import words
from .missing import missing
from .style import blank, is_log_spaced, is_numeric, line, look
from .table import Row, Source, axis_keys, wga_table

WGA_LABEL = "worst-group accuracy\n(least of the groups' mean accuracies)"

MOST_TICKS = 8
"""Up to so many values of an axis each get a tick."""


def wga_lines(
    source: Source,
    axis: str,
    ax: Axes | None = None,
    *,
    methods: Sequence[str] | None = None,
    fixed: Mapping[str, Any] | None = None,
) -> Axes:
    """Draw the worst-group accuracy of every method against one swept key.

    Args:
        source: results of a sweep, (axes, simulation, prediction) cells, or rows of `wga_table`.
        axis: dotted key on the x axis; logarithmic where its values are spaced so.
        ax: where to draw; by default a new figure's only axes.
        methods: labels to draw; all by default.
        fixed: values of the other swept keys.

    Raises ValueError where nothing is left to draw, or another key still varies at one value of `axis`.

    >>> import llrsim
    >>> cells = []
    >>> for ridge in (0.01, 0.1, 1.0):
    ...     experiment = llrsim.load("quick").with_values({"head.ridge": ridge})
    ...     cells.append(({"head.ridge": ridge}, None, llrsim.predict(experiment)))
    >>> ax = wga_lines(cells, "head.ridge", methods=["erm", "dfr"])
    >>> ax.get_xscale(), ax.lines[0].get_xdata().tolist()
    ('log', [0.01, 0.1, 1.0])
    """
    require_type("axis", axis, str)
    if methods is not None:
        require_labels("methods", methods)
    chosen = dict(fixed or {})
    table = wga_table(source, lambda axes: all(axes.get(key) == value for key, value in chosen.items()))
    rows = [row for row in table if methods is None or row["method"] in methods]
    if not rows:
        raise ValueError(f"nothing to draw with fixed = {chosen} and methods = {methods}")
    if axis not in rows[0]:
        raise ValueError(f"{axis!r} is not an axis; swept here: {', '.join(axis_keys(rows[0])) or 'nothing'}")
    ax = blank().subplots() if ax is None else ax
    labels = list(dict.fromkeys(row["method"] for row in table))
    draw(rows, axis, ax, labels=labels)
    ax.set_xlabel(words.axis_label(axis))
    ax.set_ylabel(WGA_LABEL)
    ax.legend(handles=legend_entries(rows, labels=labels))
    return ax


def draw(rows: Sequence[Row], axis: str, ax: Axes, *, labels: Sequence[str]) -> None:
    """The lines and points of `rows`; colours follow the place of a method in `labels`."""
    settings = list(dict.fromkeys(row[axis] for row in rows))
    numeric = is_numeric(settings)
    if is_log_spaced(settings):
        ax.set_xscale("log")
        ax.minorticks_off()
    if len(settings) <= MOST_TICKS or not numeric:
        ax.set_xticks(settings if numeric else range(len(settings)), [words.value(setting) for setting in settings])
    where = {setting: setting if numeric else place for place, setting in enumerate(settings)}
    for label in dict.fromkeys(row["method"] for row in rows):
        own = sorted((row for row in rows if row["method"] == label), key=lambda row: where[row[axis]])
        _check_single(own, axis)
        _draw_line([where[row[axis]] for row in own], own, ax, place=labels.index(label), joined=numeric)
        simulated = [row for row in own if row["simulated_wga"] is not None]
        if simulated:
            _draw_points([where[row[axis]] for row in simulated], simulated, ax, place=labels.index(label))


def _draw_line(x: list[float], rows: Sequence[Row], ax: Axes, *, place: int, joined: bool) -> None:
    """The predictions; between two names there is nothing to predict, so they are not joined but a dash at each."""
    y = [math.nan if row["predicted_wga"] is None else row["predicted_wga"] for row in rows]
    drawn = {"linestyle": line(place)} if joined else {"linestyle": "none", "marker": "_", "markersize": 16}
    ax.plot(x, y, color=look(place)["color"], linewidth=1.6, **drawn)


def _draw_points(x: list[float], rows: Sequence[Row], ax: Axes, *, place: int) -> None:
    """The simulations with their intervals, where there is more than one replicate."""
    half = [
        (0.0, 0.0)
        if row["interval_low"] is None
        else (row["simulated_wga"] - row["interval_low"], row["interval_high"] - row["simulated_wga"])
        for row in rows
    ]
    y = [row["simulated_wga"] for row in rows]
    ax.errorbar(x, y, yerr=np.transpose(half), **look(place), linestyle="none", capsize=2.5, elinewidth=1.1)


def legend_entries(rows: Sequence[Row], *, labels: Sequence[str]) -> list[Artist]:
    """Handles for each method, with its n/d, for what points and lines are, and for what is not drawn."""
    entries: list[Artist] = []
    for place, label in enumerate(labels):
        own = [row for row in rows if row["method"] == label]
        if own:
            entries.append(Line2D([], [], **look(place), linestyle=line(place), label=_told(own)))
    replicates = [row["replicates"] for row in rows if row["replicates"]]
    if replicates:
        interval = "mean with 95 % interval" if max(replicates) > 1 else "without interval"
        count = f"{words.span(replicates)} replicate{'s' * (max(replicates) > 1)}"
        points = f"points: simulation, {interval}, {count}"
        entries.append(Line2D([], [], color="0.4", linestyle="none", marker="o", markerfacecolor="none", label=points))
    predicted = [row for row in rows if row["predicted_wga"] is not None]
    limits = dict.fromkeys((row["limit"], row.get("shares") or "realised") for row in predicted)
    for limit, shares in limits:
        lines = f"lines: closed-form prediction,\n{words.LIMITS[limit]}{words.APPROACH[limit]},\n{words.SHARES[shares]}"
        entries.append(Line2D([], [], color="0.4", label=lines))
    return entries + [Line2D([], [], linestyle="none", label=line) for line in missing(rows)]


def _told(rows: Sequence[Row]) -> str:
    """A method in words, with the rows it is fitted to per noise dimension."""
    first = rows[0]
    ratios = [row["fitted_rows"] / row["noise_dim"] for row in rows if row["noise_dim"]]
    size = f", n/d = {words.span(ratios)}" if ratios else ""
    unpredicted = "" if any(row["predicted_wga"] is not None for row in rows) else " (no prediction)"
    return f"{first['method']}: {words.METHODS[first['kind']]}{size}{unpredicted}"


def _check_single(rows: Sequence[Row], axis: str) -> None:
    if len({row[axis] for row in rows}) < len(rows):
        varying = [key for key in axis_keys(rows[0]) if key != axis and len({row[key] for row in rows}) > 1]
        raise ValueError(f"several cells at one value of {axis!r}: give `fixed` a value of {', '.join(varying)}")
