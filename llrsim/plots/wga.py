"""Draw worst-group accuracy along swept axes: theory as lines, simulation as points with 95 % intervals."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .._arguments import require_labels, require_type
from ..experiment.grid import Grid
from . import style
from .attribution import draw as draw_bars
from .attribution import legend_entries as switch_entries
from .style import blank, drawing, is_log_spaced, is_numeric, line, look, missing, save, settings
from .table import HasOutcomes, Row, Source, axis_keys, wga_table

if TYPE_CHECKING:
    from ..attribution import Explanation
    from ..experiment import Experiment


# Worst-group accuracy along one swept axis: theory as lines, simulation as points with 95 % intervals.


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
    ax.set_xlabel(style.axis_label(axis))
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
        ax.set_xticks(settings if numeric else range(len(settings)), [style.value(setting) for setting in settings])
    where = {setting: setting if numeric else place for place, setting in enumerate(settings)}
    ends = [min(where.values()), max(where.values())]
    ax.update_datalim([(end, 0.0) for end in ends], updatey=False)  # settings without a number are in view too
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
        count = f"{style.span(replicates)} replicate{'s' * (max(replicates) > 1)}"
        points = f"points: simulation, {interval}, {count}"
        entries.append(Line2D([], [], color="0.4", linestyle="none", marker="o", markerfacecolor="none", label=points))
    predicted = [row for row in rows if row["predicted_wga"] is not None]
    limits = dict.fromkeys((row["limit"], row.get("shares") or "realised") for row in predicted)
    for limit, shares in limits:
        lines = f"lines: closed-form prediction,\n{style.LIMITS[limit]}{style.APPROACH[limit]},\n{style.SHARES[shares]}"
        entries.append(Line2D([], [], color="0.4", label=lines))
    return entries + [Line2D([], [], linestyle="none", label=line) for line in missing(rows)]


def _told(rows: Sequence[Row]) -> str:
    """A method in words, with the rows it is fitted to per noise dimension."""
    first = rows[0]
    ratios = [row["fitted_rows"] / row["noise_dim"] for row in rows if row["noise_dim"]]
    size = f", n/d = {style.span(ratios)}" if ratios else ""
    unpredicted = "" if any(row["predicted_wga"] is not None for row in rows) else " (no prediction)"
    return f"{first['method']}: {style.METHODS[first['kind']]}{size}{unpredicted}"


def _check_single(rows: Sequence[Row], axis: str) -> None:
    if len({row[axis] for row in rows}) < len(rows):
        varying = [key for key in axis_keys(rows[0]) if key != axis and len({row[key] for row in rows}) > 1]
        raise ValueError(f"several cells at one value of {axis!r}: give `fixed` a value of {', '.join(varying)}")


# The figures that a sweep leaves behind: worst-group accuracy against every swept axis, and the split of the gain.


MOST_PANELS = 6
"""More values of the second axis than this are thinned out evenly."""


class Swept(HasOutcomes, Protocol):
    """What `llrsim.open_results` returns, as far as `sweep_figures` needs it."""

    experiment: Experiment


@dataclass(frozen=True)
class Layout:
    """One figure: the key on the x axis, the key whose values make panels, values of the keys left, and companions:
    the keys that move together with one of these."""

    x: str
    panel: str | None
    settings: Sequence[Any]
    fixed: Mapping[str, Any]
    companions: Mapping[str, Sequence[str]]

    def shows(self, axes: Mapping[str, Any]) -> bool:
        """Whether a cell is in the figure."""
        held = all(axes[key] == value for key, value in self.fixed.items())
        return held and (self.panel is None or axes[self.panel] in self.settings)


def sweep_figures(
    results: Swept,
    folder: str | os.PathLike[str],
    explanation: Explanation | None = None,
    *,
    command: str = "llrsim.plots.sweep_figures",
) -> list[Path]:
    """Write the figures of a sweep as PNG with CSV beside them; the paths of the images.

    One figure for each swept axis, `wga_by_<key>.png`, with a panel for each value of the next axis (the first for the
    last), at most MOST_PANELS; further axes stay at their middle value, which the title names. Keys that move together
    are one axis, named by its first key. `attribution.png` where there is a gain to split between some switches. A
    figure that cannot be drawn is left out, with a warning. `command`, what the user ran, goes into the metadata.
    """
    folder = Path(folder)
    layouts = layouts_of(results.experiment)
    table = wga_table(results, lambda axes: any(layout.shows(axes) for layout in layouts))
    written: list[Path] = []
    with settings():
        for layout in layouts:
            rows = [row for row in table if layout.shows(row)]
            if rows:
                path = folder / f"wga_by_{layout.x.replace('.', '_')}.png"
                with drawing(path):
                    figure = wga_figure(rows, layout, title=results.experiment.name)
                    written.append(save(figure, path, experiment=results.experiment, command=command, table=rows))
        if explanation is not None and any(split.replicates and split.effects for split in explanation):
            path, numbers = folder / "attribution.png", explanation.rows()
            with drawing(path):
                figure = attribution_figure(explanation, results.experiment)
                written.append(save(figure, path, experiment=results.experiment, command=command, table=numbers))
    return written


def layouts_of(experiment: Experiment) -> list[Layout]:
    """The figures that show an experiment's sweep, one for each axis."""
    sweep, values = experiment.sweep, Grid(experiment).axes
    keys = [axis.key for axis in sweep.grid] + [group[0].key for group in sweep.zip]
    companions = {group[0].key: [axis.key for axis in group[1:]] for group in sweep.zip}
    layouts = []
    for place, x in enumerate(keys):
        panel = keys[(place + 1) % len(keys)] if len(keys) > 1 else None
        others = [key for key in keys if key not in (x, panel)]
        fixed = {key: values[key][len(values[key]) // 2] for key in others}
        layouts.append(Layout(x, panel, _thinned(values[panel]) if panel else (), fixed, companions))
    return layouts


def wga_figure(rows: Sequence[Row], layout: Layout, *, title: str) -> Figure:
    """Panels that share their axes, with one legend for all of them beneath."""
    shown = [(name, own) for name, own in _panels(rows, layout) if own]
    columns = len(shown) if len(shown) <= 3 else -(-len(shown) // 2)
    lines = -(-len(shown) // columns)
    ragged = len(shown) < lines * columns
    figure = blank(max(8.6, 3.3 * columns + 0.6), 2.5 * lines + 2.0 + 0.6 * ragged)
    labels = list(dict.fromkeys(row["method"] for row in rows))
    axes = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    for ax, (name, own) in zip(axes.ravel(), shown, strict=False):
        draw(own, layout.x, ax, labels=labels)
        ax.set_title(name)
    for ax in axes.ravel()[len(shown) :]:
        ax.remove()
    companions = layout.companions.get(layout.x, ())
    x_label = style.axis_lines(layout.x, companions, _moving_alike(rows, layout.x, companions))
    for ax in axes.ravel()[len(shown) - columns : len(shown)]:  # the last of each column
        ax.tick_params(labelbottom=True)
        ax.set_xlabel(x_label)
    for ax in axes[:, 0]:
        ax.set_ylabel(WGA_LABEL)
    held = "".join(f", at {key} = {style.value(value)}" for key, value in layout.fixed.items())
    panelled = ""
    if layout.panel:
        moving = [style.axis_line(key) for key in (layout.panel, *layout.companions.get(layout.panel, ()))]
        panelled = "\npanels: " + "\ntogether with ".join(moving)
    figure.suptitle(f"{title}: accuracy on the worst group of the test data{held}{panelled}", fontsize=10)
    figure.legend(handles=legend_entries(rows, labels=labels), loc="outside lower center", ncols=2)
    return figure


def _panels(rows: Sequence[Row], layout: Layout) -> Iterator[tuple[str, list[Row]]]:
    """Title and rows of each panel; one panel without a title where there is no second axis."""
    key = layout.panel
    if key is None:
        yield "", list(rows)
        return
    equals = _moving_alike(rows, key, layout.companions.get(key, ()))
    for setting in layout.settings:
        yield style.panel_title(key, setting, equals), [row for row in rows if row[key] == setting]


def _moving_alike(rows: Sequence[Row], key: str, companions: Sequence[str]) -> list[str]:
    """The companions of a key that have its value everywhere."""
    return [other for other in companions if all(row[other] == row[key] for row in rows)]


def attribution_figure(explanation: Explanation, experiment: Experiment) -> Figure:
    """`attribution_bars` with its legend beneath, wide enough for every method, and the experiment's sizes above."""
    sizes = {"training": experiment.train_counts(), "held-out": experiment.heldout and experiment.heldout_counts()}
    ratios = [f"{name} n/d = {sum(n) / experiment.noise_dim:.3g}" for name, n in sizes.items() if n]
    count = len({split.label for split in explanation})
    figure = blank(max(7.2, 1.9 * count + 1.2), 5.0)
    ax = draw_bars(explanation, figure.subplots())
    own = style.own_values(experiment, list(Grid(experiment).axes))
    where = f"\nat the file's own values: {own}" if own else ""
    ax.set_title(f"{explanation.name}: what explains the gain in worst-group accuracy? ({', '.join(ratios)}){where}")
    figure.legend(handles=switch_entries(explanation), loc="outside lower center", ncols=2)
    return figure


def _thinned(values: Sequence[Any]) -> Sequence[Any]:
    if len(values) <= MOST_PANELS:
        return values
    last = len(values) - 1
    return [values[round(place * last / (MOST_PANELS - 1))] for place in range(MOST_PANELS)]
