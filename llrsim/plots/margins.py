"""Margins of training rows against those of test rows, group by group: what a fit does to the rows that it sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import ArrayLike

from .._arguments import require_type, shown
from ..experiment import Experiment
from ..model.mixture import Array
from ..outcome import plain
from ..prediction import MarginLaw, margin_law
from .style import BLACK, BLUE, VERMILLION, blank
from .table import Row

BINS = 120
"""Bins that tables and figures cut the margins into."""

AT_KINK = 1e-3
"""Simulated margins so near the kink lie at it: solvers are exact to less."""

X_LABEL = "margin y f(x) of a row\n(below 0: misclassified)"
Y_LABEL = "density of margins\n(stem: share of rows)"

_TRAINING: dict[str, Any] = {"color": BLUE, "linestyle": "-", "linewidth": 1.8}
_TEST: dict[str, Any] = {"color": VERMILLION, "linestyle": "--", "linewidth": 1.8}
_ATOM: dict[str, Any] = {"color": BLUE, "marker": "o", "markersize": 7}
_SIMULATED_ATOM: dict[str, Any] = {"color": BLACK, "marker": "D", "markersize": 6, "markerfacecolor": "none"}
_SIMULATED = "#cfe3f1"  # a pale BLUE


def margins(
    source: Experiment | Sequence[Row],
    method: str,
    simulated: Sequence[ArrayLike] | None = None,
    axes: Sequence[Axes] | None = None,
) -> Sequence[Axes]:
    """Draw the law of one method's margins, a panel for each group: of its own rows a line, of test rows a dashed one.

    A stem is the share of training rows that lie exactly at the kink of the hinge or at the hard margin. The area
    between the two lines left of zero is what accuracy on the training rows hides.

    Args:
        source: an experiment, or rows of `margin_table`.
        method: label of the method.
        simulated: margins y f(x) of training rows, one array for each group, for histograms; rows hold theirs already.
        axes: where to draw, one for each group; by default those of a new figure, with shared axes.

    Raises ValueError where there is no law of the training margins (`prediction.margin_law`).

    >>> import llrsim
    >>> axes = margins(llrsim.load("quick").with_values({"head.loss": "hinge"}), "dfr")
    >>> print(axes[2].get_title())
    group (+,-), 6 % of the rows
    accuracy: training 0.961, test 0.945
    """
    require_type("method", method, str)
    table = margin_table(source, method, simulated) if isinstance(source, Experiment) else source
    if not isinstance(table, Sequence) or not all(isinstance(row, Mapping) for row in table):
        raise TypeError(f"source: {shown(source)}; expected an Experiment or rows of margin_table")
    rows = [row for row in table if row.get("method") == method]
    if not rows:
        raise ValueError(f"method: {method!r}; there is none among these rows")
    groups = list(dict.fromkeys(row["group"] for row in rows))
    panels = _panels(groups, legend_entries(rows)) if axes is None else axes
    for ax, group in zip(panels, groups, strict=True):
        draw([row for row in rows if row["group"] == group], ax)
    return panels


def margin_table(experiment: Experiment, method: str, simulated: Sequence[ArrayLike] | None = None) -> list[Row]:
    """A row for each group and bin of margins.

    `training` and `test` are densities at the middle of the bin, `margin`, and `simulated` is one over the bin; the
    shares of rows at the `kink`, `atom` and `simulated_atom`, are not in them. `share` is that of the group among the
    rows. None stands for what is not there.
    """
    law = margin_law(experiment, method)
    edges = _edges(law)
    middle = 0.5 * (edges[1:] + edges[:-1])
    columns = {"training": law.training_density(middle), "test": law.test_density(middle)}
    rows: list[Row] = []
    for g, group in enumerate(law.group_names):
        whole = {
            "method": method,
            "kind": law.stage.kind,
            "loss": law.stage.head.loss,
            "group": group,
            "share": plain(law.shares[g]),
            "training_accuracy": plain(law.training_accuracy[g]),
            "test_accuracy": plain(law.test_accuracy[g]),
            "kink": law.kink,
            "atom": plain(law.atom[g]),
            "simulated_rows": None,
            "simulated_atom": None,
            "width": plain(edges[1] - edges[0]),
        }
        density = np.full(len(middle), np.nan)
        if simulated is not None:
            values = np.asarray(simulated[g], dtype=np.float64)
            density, atom = _histogram(values, edges, law.kink)
            whole |= {"simulated_rows": len(values), "simulated_atom": atom}
        by_bin = zip(middle, *(values[g] for values in columns.values()), density, strict=True)
        names = ("margin", *columns, "simulated")
        rows += [whole | dict(zip(names, map(plain, numbers), strict=True)) for numbers in by_bin]
    return rows


def draw(rows: Sequence[Row], ax: Axes) -> None:
    """One group's panel, from its rows of `margin_table`."""
    first = rows[0]
    margin, training, test, simulated = (
        np.array([row[name] for row in rows], dtype=np.float64) for name in ("margin", "training", "test", "simulated")
    )
    ax.axvline(0.0, color="0.6", linewidth=0.9, zorder=1.2)
    if np.isfinite(simulated).all():
        edges = np.append(margin - 0.5 * first["width"], margin[-1] + 0.5 * first["width"])
        ax.stairs(simulated, edges, fill=True, color=_SIMULATED, zorder=1.1)
    # Between the last point below the kink and the first one above it the density jumps.
    above = np.searchsorted(margin, np.inf if first["kink"] is None else first["kink"])
    for part in (slice(None, above), slice(above, None)):
        ax.plot(margin[part], training[part], **_TRAINING)
    ax.plot(margin, test, **_TEST)
    if first["atom"]:
        ax.vlines(first["kink"], 0.0, first["atom"], color=_TRAINING["color"], linewidth=2.4, zorder=2.5)
        ax.plot(first["kink"], first["atom"], **_ATOM, zorder=2.6)
    if first["simulated_atom"]:
        ax.plot(first["kink"], first["simulated_atom"], **_SIMULATED_ATOM, zorder=2.7)
    # Panels may share the axis, so that it only grows.
    highest = np.nanmax([*training, *test, *simulated, first["atom"] or 0.0, first["simulated_atom"] or 0.0])
    ax.set_ylim(0.0, max(ax.get_ylim()[1], 1.05 * highest))
    seen = (
        f"accuracy: training {first['training_accuracy']:.3f}, " if first["share"] else "no training rows; accuracy: "
    )
    ax.set_title(
        f"group {first['group']}, {100 * first['share']:.0f} % of the rows\n{seen}test {first['test_accuracy']:.3f}"
    )


def legend_entries(rows: Sequence[Row]) -> list[Artist]:
    """Handles for what is drawn of these rows."""
    entries: list[Artist] = [
        Line2D([], [], **_TRAINING, label="training rows, predicted in the proportional limit"),
        Line2D([], [], **_TEST, label="test rows, predicted"),
    ]
    if any(row["atom"] for row in rows):
        label = "share of training rows exactly at margin 1, predicted"
        entries.append(Line2D([], [], **_TRAINING | _ATOM, label=label))
    if any(row["simulated_rows"] for row in rows):
        entries.append(Patch(color=_SIMULATED, label="training rows, simulated"))
    if any(row["simulated_atom"] for row in rows):
        entries.append(Line2D([], [], **_SIMULATED_ATOM, linestyle="none", label="share at margin 1, simulated"))
    return entries


def _panels(groups: Sequence[str], entries: Sequence[Artist]) -> Sequence[Axes]:
    """Empty panels of a new figure in two lines, with a legend beneath."""
    columns = -(-len(groups) // 2)
    figure = blank(3.4 * columns + 0.8, 6.6)
    grid = figure.subplots(2, columns, sharex=True, sharey=True, squeeze=False)
    for ax in grid[1]:
        ax.set_xlabel(X_LABEL)
    for ax in grid[:, 0]:
        ax.set_ylabel(Y_LABEL)
    figure.legend(handles=entries, loc="outside lower center", ncols=2)
    for ax in grid.ravel()[len(groups) :]:
        ax.remove()
    return list(grid.ravel()[: len(groups)])


def _edges(law: MarginLaw) -> Array:
    """Edges of the bins, one of them the kink."""
    low, high = law.bounds()
    width = (high - low) / BINS
    origin = low if law.kink is None else law.kink - np.ceil((law.kink - low) / width) * width
    return np.asarray(origin + width * np.arange(BINS + 2))


def _histogram(values: Array, edges: Array, kink: float | None) -> tuple[Array, float | None]:
    """Density of the margins in each bin, and the share at the kink, which the density leaves out."""
    at_kink = np.zeros(len(values), dtype=bool) if kink is None else np.abs(values - kink) < AT_KINK
    counts = np.histogram(values[~at_kink], edges)[0]
    atom = None if kink is None else float(at_kink.mean())
    return counts / (len(values) * (edges[1] - edges[0])), atom
