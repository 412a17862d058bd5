"""Phase diagrams: worst-group accuracy over two swept axes as heat maps, with the lines that tell phases apart."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import AbstractPathEffect, withStroke
from scipy.ndimage import distance_transform_edt

from ..experiment.grid import Grid
from . import style
from .style import GREY, VERMILLION, blank, is_log_spaced, is_numeric, save, settings

if TYPE_CHECKING:
    from ..experiment import Experiment

Row = Mapping[str, Any]

SAMPLES = {"heldout": "held-out", "train": "training"}
_STYLES = {"heldout": "-", "train": ":"}
_STROKE: list[AbstractPathEffect] = [withStroke(linewidth=3.0, foreground="black")]

ROOM = 0.15
"""Share of a panel that a side of a line must reach into on all sides for its name to be written there."""

ZERO = 1e-9
"""Shares and gains up to this are none: predictions are certified to about a tenth of it."""

WIDTH = 105
"""Characters of a line of the footnote."""

_FIXED = (
    "head.loss", "head.ridge", "features.noise.dim", "train.n", "train.n_per_dim", "train.counts",
    "train.collapse.noise", "train.collapse.attribute", "heldout.n", "heldout.n_per_dim", "heldout.counts",
    "heldout.minority_ratio", "heldout.class_prior", "heldout.collapse.noise", "heldout.collapse.attribute",
)  # fmt: skip
"""Keys whose values the footnote gives where they are not swept."""


def axes_of(experiment: Experiment) -> tuple[str, str] | None:
    """The two keys of a phase diagram, first that of x, which varies fastest in the sweep.

    None where the sweep has not two axes of two or more numbers each.
    """
    sweep, values = experiment.sweep, Grid(experiment).axes
    keys = [axis.key for axis in sweep.grid] + [group[0].key for group in sweep.zip]
    if len(keys) != 2 or not all(len(values[key]) > 1 and is_numeric(values[key]) for key in keys):
        return None
    return keys[1], keys[0]


def phase_table(rows: Sequence[Row], survey: Sequence[Row], keys: tuple[str, str]) -> list[dict[str, Any]]:
    """What a phase diagram draws: a row for each cell and method, with the columns of the survey.

    Args:
        rows: predictions, with the axes, `method`, `predicted_wga`, `predicted_status`, `limit` and `shares`.
        survey: of some cells, with the axes, `method` (None for all), and the columns of `sweep.survey`; those of
            other cells are None.
        keys: the two axes.
    """
    columns = [name for name in (survey[0] if survey else ()) if "." not in name and name != "method"]
    shares = ("balance_share", "collapse_share")
    columns += [name for name in shares if survey and name not in columns]
    of_method = {(row[keys[0]], row[keys[1]], row["method"]): row for row in survey}
    of_cell = {(row[keys[0]], row[keys[1]]): row for row in survey}
    table = []
    for row in rows:
        cell = row[keys[0]], row[keys[1]]
        own, any_method = of_method.get((*cell, row["method"]), {}), of_cell.get(cell, {})
        told = {name: row[name] for name in row if "." in name and not name.startswith("mass")}
        told |= {name: row[name] for name in ("method", "predicted_wga", "predicted_status", "limit", "shares")}
        table.append(told | {name: (own if name in shares else any_method).get(name) for name in columns})
    return table


def save_phase_diagram(
    table: Sequence[Row], folder: str | os.PathLike[str], *, experiment: Experiment, command: str
) -> Path:
    """Write phase.png, and the table as phase.csv beside it; the path of the image."""
    with settings():
        figure = phase_figure(table, experiment)
        return save(figure, Path(folder) / "phase.png", experiment=experiment, command=command, table=table)


def phase_figure(table: Sequence[Row], experiment: Experiment) -> Figure:
    """A panel for each method with one colour scale; a legend of the lines, and what there is no line of, beneath.

    Where both balance and uncollapsed features contribute to a method's gain over ERM, a line where their shares are
    equal; else, as there is nothing to split between, a line where there is no gain.
    """
    keys = axes_of(experiment)
    if keys is None:
        raise ValueError("a phase diagram needs two swept axes of numbers")
    labels = list(dict.fromkeys(row["method"] for row in table))
    columns = len(labels) if len(labels) <= 3 else -(-len(labels) // 2)
    lines = -(-len(labels) // columns)
    figure = blank(max(7.6, 3.3 * columns + 1.2), 3.1 * lines + 2.3)
    axes = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    drawn = [row["predicted_wga"] for row in table if row["predicted_wga"] is not None]
    scale = {"vmin": min(drawn, default=0.0), "vmax": max(drawn, default=1.0)}
    notes: list[str] = []
    entries: dict[str, Line2D | Patch] = {}
    mesh = None
    for ax, label in zip(axes.ravel(), labels, strict=False):
        own = [row for row in table if row["method"] == label]
        mesh = heat_map(own, keys, ax, **scale)
        ax.set_title(f"{label}: {style.METHODS.get(_kind(experiment, label), '')}".rstrip(": "))
        if any(row["predicted_wga"] is None for row in own):
            entries["nothing"] = Patch(color=GREY, label=f"no head ({_reasons(own)})")
        gain = _equal_shares if _is_split(own) else _no_gain
        gains = _with_gains(own, table, keys, experiment)
        for line in (*_separability(own, keys, ax, entries), *gain(gains, keys, ax, entries, label)):
            if line not in notes:
                notes.append(line)
    for ax in axes.ravel()[len(labels) :]:
        ax.remove()
    for ax in axes.ravel()[len(labels) - columns : len(labels)]:
        ax.tick_params(labelbottom=True)
        ax.set_xlabel(style.axis_lines(keys[0], *_companions(experiment, keys[0])))
    for ax in axes[:, 0]:
        ax.set_ylabel(style.axis_lines(keys[1], *_companions(experiment, keys[1])))
    if mesh is not None:
        figure.colorbar(mesh, ax=axes.ravel()[: len(labels)].tolist(), label="worst-group accuracy", pad=0.01)
    limits = ", ".join(style.LIMITS[limit] for limit in dict.fromkeys(row["limit"] for row in table) if limit)
    shares = ", ".join(style.SHARES[name] for name in dict.fromkeys(row.get("shares") or "realised" for row in table))
    figure.suptitle(f"{experiment.name}: accuracy on the worst group of the test data\n{limits}; {shares}", fontsize=10)
    if entries.keys() - {"nothing", "gain"}:
        notes += _coarseness(table, keys)
    notes.append(f"fixed: {_fixed(experiment, keys)}")
    handles = [*entries.values(), *(Line2D([], [], linestyle="none", label=fill(note, WIDTH)) for note in notes)]
    figure.legend(handles=handles, loc="outside lower left", ncols=1)
    return figure


def heat_map(rows: Sequence[Row], keys: tuple[str, str], ax: Axes, *, vmin: float, vmax: float) -> Any:
    """Draw the worst-group accuracy of one method; the mesh, for a colour bar."""
    x, y, wga = _table(rows, keys, "predicted_wga")
    ax.set_facecolor(GREY)
    ax.grid(visible=False)
    for axis, values in (("x", x), ("y", y)):
        if is_log_spaced(values.tolist()):
            getattr(ax, f"set_{axis}scale")("log")
    return ax.pcolormesh(
        _edges(x), _edges(y), np.ma.masked_invalid(wga), cmap="cividis", vmin=vmin, vmax=vmax, rasterized=True
    )


def _separability(rows: Sequence[Row], keys: tuple[str, str], ax: Axes, entries: dict[str, Any]) -> list[str]:
    """The lines where n/d is at the threshold of separability; in words where a sample is on one side throughout."""
    told = []
    for sample, name in SAMPLES.items():
        surveyed = [row for row in rows if row.get(f"{sample}_separable_below") is not None]
        if not surveyed:
            continue
        apart = [
            {**row, "above": np.log(row[f"{sample}_rows_per_dim"]) - np.log(row[f"{sample}_separable_below"])}
            for row in surveyed
        ]
        label = f"n/d of the {name} rows at the threshold below which they are separable"
        if _contour(apart, keys, "above", ax, colors="white", linestyles=_STYLES[sample]):
            entries[sample] = Line2D(
                [], [], color="white", linestyle=_STYLES[sample], linewidth=2.0, path_effects=_STROKE, label=label
            )
        else:
            side = "everywhere" if apart[0]["above"] < 0 else "nowhere"
            told.append(f"no line for the {name} rows: they are linearly separable {side} here")
    return told


def _equal_shares(
    rows: Sequence[Row], keys: tuple[str, str], ax: Axes, entries: dict[str, Any], label: str
) -> list[str]:
    """The line where balance and collapse have equal Shapley shares; which is larger where, in words."""
    split = [
        {**row, "difference": row["balance_share"] - row["collapse_share"]}
        for row in rows
        if row.get("balance_share") is not None
    ]
    sides = _signs(split, "difference")
    if _contour(split, keys, "difference", ax, colors=VERMILLION, linestyles="--"):
        entries["shares"] = Line2D(
            [], [], color=VERMILLION, linestyle="--", linewidth=2.0,
            label="balance and uncollapsed features have equal shares of the gain over ERM (Shapley values)",
        )  # fmt: skip
        _name_sides(split, keys, ax, "difference", ("balance", "collapse"))
        places = f"at {(sides > 0).sum()} of {len(sides)} settings surveyed, collapse at {(sides < 0).sum()}"
        return [f"{label}: the share of balance is the larger {places}"]
    return [f"{label}: no line of equal shares; {'balance' if sides.sum() > 0 else 'collapse'} is larger everywhere"]


def _no_gain(rows: Sequence[Row], keys: tuple[str, str], ax: Axes, entries: dict[str, Any], label: str) -> list[str]:
    """The line where a method is as accurate as ERM on the worst group; in words where it gains or loses throughout."""
    gained = [row for row in rows if row["gain"] is not None]
    sides = _signs(gained, "gain")
    if not sides.any():
        return [f"{label}: as accurate as ERM everywhere here"] if gained else []
    places = f"{label}: gains over ERM at {(sides > 0).sum()} of {len(sides)} settings, loses at {(sides < 0).sum()}"
    if _contour(gained, keys, "gain", ax, colors=VERMILLION, linestyles="-."):
        entries["gain"] = Line2D(
            [], [], color=VERMILLION, linestyle="-.", label="no gain over ERM in worst-group accuracy"
        )
        _name_sides(gained, keys, ax, "gain", ("gain", "loss"))
    return [places]


def _is_split(rows: Sequence[Row]) -> bool:
    """Whether somewhere balance has a share of a method's gain, and somewhere uncollapsed features have one."""
    return all(any(abs(row.get(name) or 0.0) > ZERO for row in rows) for name in ("balance_share", "collapse_share"))


def _with_gains(
    rows: Sequence[Row], table: Sequence[Row], keys: tuple[str, str], experiment: Experiment
) -> list[dict[str, Any]]:
    """The rows of a method with its `gain` over the first ERM; None for ERM itself, and where one has no head."""
    baseline = next((method.label for method in experiment.method if method.kind == "erm"), None)
    erm = {(row[keys[0]], row[keys[1]]): row["predicted_wga"] for row in table if row["method"] == baseline}

    def gain(row: Row) -> float | None:
        sides = row["predicted_wga"], erm.get((row[keys[0]], row[keys[1]]))
        return None if row["method"] == baseline or None in sides else sides[0] - sides[1]

    return [{**row, "gain": gain(row)} for row in rows]


def _signs(rows: Sequence[Row], column: str) -> np.ndarray:
    values = np.array([row[column] for row in rows])
    return np.where(np.abs(values) > ZERO, np.sign(values), 0.0)


def _name_sides(rows: Sequence[Row], keys: tuple[str, str], ax: Axes, column: str, names: tuple[str, str]) -> None:
    """Write what holds where a column is above and below zero, where there is most room on that side of the line."""
    x, y, values = _table(rows, keys, column)
    for name, side in zip(names, (values > ZERO, values < -ZERO), strict=True):
        room = distance_transform_edt(np.pad(side, 1))[1:-1, 1:-1]
        if room.max() > ROOM * min(room.shape):
            row, column = np.unravel_index(room.argmax(), room.shape)
            place = float(x[column]), float(y[row])
            ax.text(*place, name, color="white", ha="center", va="center", path_effects=_STROKE)


def _coarseness(table: Sequence[Row], keys: tuple[str, str]) -> list[str]:
    """What a reader should know where the lines rest on fewer values of the axes than the heat map."""
    surveyed = [row for row in table if any(row.get(f"{sample}_rows_per_dim") is not None for sample in SAMPLES)]
    drawn, of_lines = ([len({row[key] for row in rows}) for key in keys] for rows in (table, surveyed))
    told = f"lines are interpolated from {of_lines[0]} x {of_lines[1]} of the {drawn[0]} x {drawn[1]} settings"
    return [told] if of_lines != drawn else []


def _contour(rows: Sequence[Row], keys: tuple[str, str], column: str, ax: Axes, **look: Any) -> bool:
    """Draw where a column is zero; False where it has one sign."""
    x, y, values = _table(rows, keys, column)
    finite = values[np.isfinite(values)]
    if min(values.shape) < 2 or not finite.size or finite.min() > 0 or finite.max() < 0:
        return False
    lines = ax.contour(x, y, np.ma.masked_invalid(values), levels=[0.0], linewidths=2.0, **look)
    if look["colors"] == "white":
        lines.set_path_effects(_STROKE)
    return True


def _table(rows: Sequence[Row], keys: tuple[str, str], column: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values of the two axes in rising order, and (y, x) a column; nan for what is not there."""
    x, y = (np.unique([row[key] for row in rows]) for key in keys)
    values = np.full((len(y), len(x)), np.nan)
    for row in rows:
        if row[column] is not None:
            values[np.searchsorted(y, row[keys[1]]), np.searchsorted(x, row[keys[0]])] = row[column]
    return x, y, values


def _edges(values: np.ndarray) -> np.ndarray:
    """Ends of the cells around values, halfway to the next one, on a logarithmic axis in its logarithm."""
    logarithmic = is_log_spaced(values.tolist())
    centres = np.log(values) if logarithmic else values.astype(np.float64)
    middle = (centres[1:] + centres[:-1]) / 2 if len(centres) > 1 else np.array([])
    half = np.diff(centres)[[0, -1]] / 2 if len(centres) > 1 else np.array([0.5, 0.5])
    edges = np.concatenate([[centres[0] - half[0]], middle, [centres[-1] + half[1]]])
    return np.exp(edges) if logarithmic else edges


def _companions(experiment: Experiment, key: str) -> tuple[list[str], list[str]]:
    """The keys that move together with an axis, and those of them that have its values."""
    values = Grid(experiment).axes
    others = [axis.key for group in experiment.sweep.zip if group[0].key == key for axis in group[1:]]
    return others, [other for other in others if values[other] == values[key]]


def _fixed(experiment: Experiment, keys: tuple[str, str]) -> str:
    swept = Grid(experiment).axes
    return style.own_values(Grid(experiment).experiment(0), [key for key in _FIXED if key not in swept])


def _kind(experiment: Experiment, label: str) -> str:
    return experiment.method_of(label).kind


def _reasons(rows: Sequence[Row]) -> str:
    return ", ".join(dict.fromkeys(row["predicted_status"] for row in rows if row["predicted_wga"] is None))
