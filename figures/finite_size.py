"""How fast simulations of finite size approach the predicted limit, from a hundred dimensions to a million."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from llrsim.model.mixture import Array
from llrsim.outcome import half_width_of
from llrsim.plots import style as words
from llrsim.plots.style import BLUE, VERMILLION, blank

from .finite_size_record import FINITE_SIZE, N_PER_DIM
from .power_law import PowerLaw, power_law

ROWS = {"proportional": f"n = {N_PER_DIM}d rows", "population": "n = d² rows"}
LOSSES = {"squared": "least squares", "logistic": "logistic loss"}


class Errors(NamedTuple):
    """How far simulated accuracies lie from one limit's prediction, at each size (S,)."""

    d: Array
    mean: Array  # positive where it has the sign it has at the least d
    mean_error: Array  # its standard error
    root_mean_square: Array  # over single replicates
    replicates: Array

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]]) -> "Errors":
        """From the rows of one loss and limit."""
        ordered = sorted(rows, key=lambda row: row["noise_dim"])
        mean, error, spread, d, count = (
            np.array([row[key] for row in ordered], dtype=np.float64)
            for key in ("mean_gap", "standard_error", "root_mean_square", "noise_dim", "replicates")
        )
        return cls(d, np.sign(mean[0]) * mean, error, spread, count)

    @property
    def half_width(self) -> Array:
        """(S,) of the 95 % interval of the mean."""
        return half_width_of(self.mean_error, self.replicates - 1)

    @property
    def seen(self) -> np.ndarray:
        """(S,) whether the mean's interval leaves zero out on the side it lies on at the least d."""
        told: np.ndarray = self.mean > self.half_width
        return told

    @property
    def root_mean_square_error(self) -> Array:
        """(S,) standard error of the root mean square: that of R normal gaps, which have no larger one with a mean."""
        found: Array = self.root_mean_square / np.sqrt(2 * self.replicates)
        return found

    @property
    def mean_law(self) -> PowerLaw:
        """Fitted to the mean at all sizes, those lost in noise included."""
        return power_law(self.d, self.mean, self.mean_error)

    @property
    def root_mean_square_law(self) -> PowerLaw:
        """Fitted to the root mean square, first with the errors above, then with those that the first fit gives.

        An error in proportion to the point itself would give points that are low by chance too much weight.
        """
        first = power_law(self.d, self.root_mean_square, self.root_mean_square_error, slope=-0.5)
        expected = first.at(self.d) / np.sqrt(2 * self.replicates)
        return power_law(self.d, self.root_mean_square, expected, slope=-0.5)


def draw(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """A panel for each loss and limit, on shared logarithmic axes."""
    studies = list(dict.fromkeys((row["loss"], row["limit"]) for row in rows))
    figure = blank(10.2, 5.0)
    panels = figure.subplots(1, len(studies), sharex=True, sharey=True, squeeze=False).ravel()
    for ax, (loss, limit) in zip(panels, studies, strict=True):
        _draw_errors(Errors.of([row for row in rows if (row["loss"], row["limit"]) == (loss, limit)]), ax)
        ax.set_title(f"{LOSSES[loss]}, {ROWS[limit]}\n{words.LIMITS[limit]}")
        ax.set_xlabel("noise dimensions, d")
    panels[0].set_ylabel("simulated less predicted accuracy\nof the worst group, absolute value")
    figure.suptitle(
        "Finite-size error: a replicate fluctuates about the limit, the mean lies nearer to it", fontsize=10
    )
    figure.legend(handles=_legend([row["replicates"] for row in rows]), loc="outside lower left", ncols=2)
    return figure


def _draw_errors(errors: Errors, ax: Axes) -> None:
    ax.set(xscale="log", yscale="log")
    for power, name in ((-0.5, "1/√d"), (-1.0, "1/d")):
        guide = errors.d**power
        ax.plot(errors.d, guide, color="0.6", linestyle="--", linewidth=1.0)
        ax.annotate(
            name, (errors.d[-1], guide[-1]), xytext=(3, 0), textcoords="offset points", va="center", color="0.45"
        )
    ax.errorbar(
        errors.d,
        errors.root_mean_square,
        yerr=half_width_of(errors.root_mean_square_error),
        color=BLUE,
        marker="o",
        markersize=4.5,
        linestyle="none",
        capsize=2,
    )
    seen, half = errors.seen, errors.half_width
    ax.errorbar(
        errors.d[seen],
        errors.mean[seen],
        yerr=half[seen],
        color=VERMILLION,
        marker="s",
        markersize=4.5,
        linestyle="none",
        capsize=2,
    )
    ax.plot(
        errors.d[~seen],
        (np.abs(errors.mean) + half)[~seen],
        color=VERMILLION,
        marker="v",
        markersize=6,
        markerfacecolor="none",
        linestyle="none",
    )
    for line, (law, colour) in enumerate(((errors.root_mean_square_law, BLUE), (errors.mean_law, VERMILLION))):
        ax.plot(errors.d, law.at(errors.d), color=colour, linewidth=1.3)
        ax.text(0.04, 0.13 - 0.07 * line, law.told, transform=ax.transAxes, color=colour, fontsize=8)


def _legend(replicates: Sequence[int]) -> list[Line2D]:
    def entry(label: str, **style: Any) -> Line2D:
        return Line2D([], [], **{"linestyle": "none", "markersize": 5, **style}, label=label)

    return [
        entry("root mean square over replicates, 95 % interval", color=BLUE, marker="o"),
        entry("absolute mean over replicates, 95 % interval", color=VERMILLION, marker="s"),
        entry(
            "mean lost in sampling noise: |mean| + half its 95 % interval",
            color=VERMILLION,
            marker="v",
            markerfacecolor="none",
        ),
        entry("power laws fitted to all sizes, slope ± 95 % interval", color="0.3", linestyle="-"),
        entry("for comparison", color="0.6", linestyle="--"),
        entry(
            f"{min(replicates):,} to {max(replicates):,} lazy replicates a point; ridge {FINITE_SIZE['head']['ridge']}"
        ),
    ]
