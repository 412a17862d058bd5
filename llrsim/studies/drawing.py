"""What the figures of studies share: lines of theory, points of simulation with 95 % intervals, one legend."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..plots.style import GREY, blank, line, look

Row = Mapping[str, Any]

WIDTH = 6.75
"""Inches: the text width of the usual venues, two columns or one."""


def panels(title: str, columns: int = 1, rows: int = 1, *, height: float = 3.6, **shared: Any) -> tuple[Figure, Any]:
    """A figure of text width that asks `title`, and its (rows, columns) axes; `shared` are sharex and sharey."""
    figure = blank(WIDTH, height)
    figure.suptitle(title, fontsize=10)
    return figure, figure.subplots(rows, columns, squeeze=False, **shared)


def curve(ax: Axes, rows: Sequence[Row], x: str, quantity: str = "wga", *, place: int) -> None:
    """A quantity along `x`: the prediction as a line, the simulation as points with 95 % intervals."""
    theory(ax, rows, x, quantity, place=place)
    ordered = sorted(rows, key=lambda row: row[x])
    points(ax, _numbers(ordered, x), ordered, quantity, place=place)


def theory(ax: Axes, rows: Sequence[Row], x: str, quantity: str, *, place: int) -> None:
    """The prediction of a quantity along `x` as a line, where there is one."""
    ordered = sorted(rows, key=lambda row: row[x])
    predicted = _numbers(ordered, f"predicted_{quantity}")
    if np.isfinite(predicted).any():
        ax.plot(_numbers(ordered, x), predicted, color=look(place)["color"], linestyle=line(place), linewidth=1.4)


def points(ax: Axes, at: Any, rows: Sequence[Row], quantity: str, *, place: int) -> None:
    """Means at the places `at` with their intervals, which are left out where there are none."""
    mean = _numbers(rows, quantity)
    ends = np.array([_numbers(rows, f"{quantity}_low"), _numbers(rows, f"{quantity}_high")])
    reach = np.nan_to_num(np.abs(ends - mean))  # the interval of a least mean is not symmetric
    ax.errorbar(at, mean, yerr=reach, **look(place), linestyle="none", capsize=2.0, elinewidth=1.0)


def band(ax: Axes, margin: float, *, around: float = 0.0) -> None:
    """The equivalence margin in grey, with a line at its middle."""
    ax.axhspan(around - margin, around + margin, color="0.9", zorder=0, linewidth=0)
    ax.axhline(around, color=GREY, linewidth=0.8, zorder=0)


def legend(
    figure: Figure,
    entries: Iterable[tuple[str, int]],
    rows: Sequence[Row],
    *notes: str,
    columns: int = 2,
    style: str | None = None,
) -> None:
    """Name and look of every series, what points and lines are, and notes, beneath the axes.

    `style` is the line style of all entries, where styles tell something else apart than series.
    """
    handles: list[Artist] = [
        Line2D([], [], **look(place), linestyle=style or line(place), label=name) for name, place in entries
    ]
    counts = sorted({row[key] for row in rows for key in row if key.endswith("_count") and row[key]})
    replicates = f"{counts[0]}" if counts[:1] == counts[-1:] else f"{counts[0]} to {counts[-1]}"
    told = [f"points: simulation, mean with 95 % interval, {replicates} replicates", *notes]
    if any(row.get(key) is not None for row in rows for key in row if key.startswith("predicted_")):
        told.insert(0, "lines: closed-form prediction, proportional limit")
    handles += [Line2D([], [], linestyle="none", label=text) for text in told]
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, fontsize=7.5)


def log_ticks(ax: Axes, values: Iterable[float], axis: str = "x") -> None:
    """A logarithmic axis with a tick at each of these values."""
    ticks = sorted(set(values))
    own = ax.xaxis if axis == "x" else ax.yaxis
    (ax.set_xscale if axis == "x" else ax.set_yscale)("log")
    own.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()


def _numbers(rows: Sequence[Row], name: str) -> Any:
    return np.array([math.nan if row.get(name) is None else row[name] for row in rows], dtype=np.float64)


def by_name(ax: Axes, rows: Sequence[Row], x: str, quantity: str, *, place: int) -> None:
    """A quantity over names, in the order of the rows: the prediction as a dash, the simulation beside it."""
    names = list(dict.fromkeys(row[x] for row in rows))
    at = np.array([names.index(row[x]) for row in rows]) + 0.22 * place
    predicted = _numbers(rows, f"predicted_{quantity}")
    ax.plot(at, predicted, color=look(place)["color"], linestyle="none", marker="_", markersize=13, markeredgewidth=1.6)
    points(ax, at, rows, quantity, place=place)
    ax.set_xticks(range(len(names)), names, rotation=20)
