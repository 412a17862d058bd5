"""The figures that a sweep leaves behind: worst-group accuracy against every swept axis, and the split of the gain."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from matplotlib.figure import Figure

from ..experiment.grid import Grid
from . import words
from .attribution import draw as draw_bars
from .attribution import legend_entries as switch_entries
from .saving import drawing, save
from .style import blank, settings
from .table import HasOutcomes, Row, wga_table
from .wga import WGA_LABEL, draw, legend_entries

if TYPE_CHECKING:
    from ..attribution import Explanation
    from ..experiment import Experiment

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
    x_label = words.axis_lines(layout.x, companions, _moving_alike(rows, layout.x, companions))
    for ax in axes.ravel()[len(shown) - columns : len(shown)]:  # the last of each column
        ax.tick_params(labelbottom=True)
        ax.set_xlabel(x_label)
    for ax in axes[:, 0]:
        ax.set_ylabel(WGA_LABEL)
    held = "".join(f", at {key} = {words.value(value)}" for key, value in layout.fixed.items())
    panelled = ""
    if layout.panel:
        moving = [words.axis_line(key) for key in (layout.panel, *layout.companions.get(layout.panel, ()))]
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
        yield words.panel_title(key, setting, equals), [row for row in rows if row[key] == setting]


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
    own = words.own_values(experiment, list(Grid(experiment).axes))
    where = f"\nat the file's own values: {own}" if own else ""
    ax.set_title(f"{explanation.name}: what carries the gain in worst-group accuracy? ({', '.join(ratios)}){where}")
    figure.legend(handles=switch_entries(explanation), loc="outside lower center", ncols=2)
    return figure


def _thinned(values: Sequence[Any]) -> Sequence[Any]:
    if len(values) <= MOST_PANELS:
        return values
    last = len(values) - 1
    return [values[round(place * last / (MOST_PANELS - 1))] for place in range(MOST_PANELS)]
