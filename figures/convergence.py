"""Simulation approaches the population prediction as n grows at fixed d, by an error of order d/n."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from llrsim.outcome import half_width_of
from llrsim.plots import style as words
from llrsim.plots.style import RC, blank, look

from .power_law import PowerLaw, power_law

FIRST_FITTED = 20.0
"""Least n/d in the fit of the slope: below it, terms beyond d/n bend the curve."""


class Gap(NamedTuple):
    """How far one group's mean simulated accuracy lies from its prediction, at each size."""

    group: str
    ratio: np.ndarray  # (S,) n/d
    size: np.ndarray  # (S,) positive where it has the sign it has at the least n/d
    error: np.ndarray  # (S,) standard error
    replicates: np.ndarray  # (S,) it is estimated from

    @property
    def power_law(self) -> PowerLaw:
        """Fitted to the gaps of large n/d."""
        kept = self.ratio >= FIRST_FITTED
        return power_law(self.ratio[kept], self.size[kept], self.error[kept])


def worst_gap(rows: Sequence[Mapping[str, Any]]) -> Gap:
    """The gap of one method's worst group: the group with the largest gap at the least n/d, kept at all sizes.

    Choosing anew at every size would choose the noise where gaps are small.
    """
    smallest = min(row["n_per_dim"] for row in rows)
    first = max((row for row in rows if row["n_per_dim"] == smallest), key=lambda row: abs(_signed(row)))
    own = sorted((row for row in rows if row["group"] == first["group"]), key=lambda row: row["n_per_dim"])
    return Gap(
        group=first["group"],
        ratio=np.array([row["n_per_dim"] for row in own], dtype=np.float64),
        size=np.sign(_signed(first)) * np.array([_signed(row) for row in own]),
        error=np.array([row["standard_error"] for row in own]),
        replicates=np.array([row["replicates"] for row in own]),
    )


def draw(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """A panel for each method, on shared logarithmic axes."""
    methods = list(dict.fromkeys(row["method"] for row in rows))
    figure = blank(8.6, 3.0 * -(-len(methods) // 2) + 1.2)
    panels = figure.subplots(-(-len(methods) // 2), 2, sharex=True, sharey=True, squeeze=False).ravel()
    gaps = [worst_gap([row for row in rows if row["method"] == method]) for method in methods]
    floor = min(float(gap.size[gap.size > 0].min()) for gap in gaps) / 4
    for place, (ax, method, gap) in enumerate(zip(panels, methods, gaps, strict=False)):
        _draw_gap(gap, ax, floor=floor, style=look(place))
        kind = next(row["kind"] for row in rows if row["method"] == method)
        ax.set_title(f"{method}: {words.METHODS[kind]}")
    panels[0].set_ylim(floor, 2.0 / min(gap.ratio.min() for gap in gaps))
    for ax in panels[len(methods) :]:
        ax.remove()
    dimension, counts = rows[0]["noise_dim"], [row["replicates"] for row in rows]
    figure.suptitle(
        "Simulated accuracy approaches the closed-form prediction as n grows "
        f"(population limit: n → ∞ at fixed d = {dimension})",
        fontsize=10,
    )
    for ax in panels[-2:]:
        ax.set_xlabel("rows fitted to per noise dimension, n/d")
    for ax in panels[::2]:
        ax.set_ylabel("gap between simulated and predicted accuracy,\nin the group where it is largest")
    handles, labels = panels[0].get_legend_handles_labels()
    told = {"points": f"simulation: mean of {words.span(counts)} replicates, 95 % interval", "fit": _fit_label()}
    figure.legend(handles, [told.get(label, label) for label in labels], loc="outside lower center", ncols=3)
    return figure


def _draw_gap(gap: Gap, ax: Axes, *, floor: float, style: dict[str, Any]) -> None:
    fit = gap.power_law
    ax.set_xscale("log")
    ax.set_yscale("log")
    half = half_width_of(gap.error, gap.replicates - 1)
    # On a logarithmic axis an interval that reaches zero runs out of the picture at its floor.
    low = np.minimum(half, np.maximum(gap.size - floor / 10, 0.0))
    ax.errorbar(
        gap.ratio,
        gap.size,
        yerr=[low, half],
        **style | {"markersize": 5},
        linestyle="none",
        capsize=2.5,
        label="points",
    )
    fitted = gap.ratio[gap.ratio >= FIRST_FITTED]
    ax.plot(fitted, fit.at(fitted), color=style["color"], linewidth=1.4, label="fit")
    ax.plot(gap.ratio, 1 / gap.ratio, color="0.6", linestyle="--", linewidth=1.0, label="d/n, for comparison")
    ax.text(
        0.97,
        0.95,
        f"{fit.told}\ngroup (y, a) = {gap.group}",
        transform=ax.transAxes,
        ha="right",
        va="top",
        fontsize=RC["legend.fontsize"],
    )


def _fit_label() -> str:
    return f"power law fitted to n/d ≥ {FIRST_FITTED:g}, slope ± 95 % interval"


def _signed(row: Mapping[str, Any]) -> float:
    return float(row["simulated"] - row["predicted"])
