"""Draw what explains the gain: the Shapley value of every switch as a bar, with its prediction beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from .._arguments import require_type
from ..attribution import Explanation
from . import style
from .style import BLACK, BLUE, GREEN, GREY, PURPLE, SKY, VERMILLION, blank

if TYPE_CHECKING:
    from ..attribution import Attribution

_COLOURS = {
    "composition": BLUE,
    "weighting": SKY,
    "collapse": VERMILLION,
    "size": GREY,
    "solver": PURPLE,
    "averaging": GREEN,
}


def attribution_bars(explanation: Explanation, ax: Axes | None = None) -> Axes:
    """Draw how the gain in worst-group accuracy of each retraining method splits over the switches (T21).

    Bars are simulated Shapley values with 95 % intervals, or predicted ones where nothing was simulated; a diamond is
    the prediction. Under a method stand its gain and the verdict of `attribution.verdict_of`. A switch whose two values
    coincide has no bar.

    >>> import llrsim
    >>> ax = attribution_bars(llrsim.explain(llrsim.load("quick"), methods=["dfr"], side="prediction"))
    >>> [tick.get_text().splitlines()[0] for tick in ax.get_xticklabels()]
    ['dfr']
    """
    require_type("explanation", explanation, Explanation, ", from llrsim.explain")
    ax = draw(explanation, blank().subplots() if ax is None else ax)
    ax.legend(handles=legend_entries(explanation))
    return ax


def draw(explanation: Explanation, ax: Axes) -> Axes:
    """The bars and diamonds, without the legend."""
    methods: dict[str, list[Attribution]] = {}
    for split in explanation:
        methods.setdefault(split.label, []).append(split)
    slots = _switches(explanation)
    for place, splits in enumerate(methods.values()):
        for split in splits:
            if split.replicates:
                _draw(split, ax, place=place, slots=slots, bars=split is splits[0])
    ax.axhline(0.0, color=BLACK, linewidth=0.8)
    ax.set_xticks(range(len(methods)), [_told(splits[0]) for splits in methods.values()])
    ax.set_xlim(-0.6, len(methods) - 0.4)
    ax.grid(axis="x", visible=False)
    baseline = next(iter(explanation)).baseline if methods else "erm"
    ax.set_ylabel(f"share of the gain in worst-group accuracy\nover {baseline} (Shapley value)")
    return ax


def legend_entries(explanation: Explanation) -> list[Patch | Line2D]:
    """Handles for the switches that differ somewhere, and for what bars and diamonds are."""
    drawn = [split for split in explanation if split.replicates]
    entries: list[Patch | Line2D] = [
        Patch(color=_COLOURS[name], label=style.SWITCHES[name]) for name in _switches(explanation)
    ]
    simulated = [split for split in drawn if split.side == "simulation"]
    predicted = [split for split in drawn if split.side == "prediction"]
    if simulated:
        count = max(split.replicates for split in simulated)
        bars = f"bars: simulation, mean with 95 % interval, {count} replicates"
        entries.append(Line2D([], [], color=BLACK, marker="|", markersize=8, linestyle="none", label=bars))
    limits = dict.fromkeys(split.limit for split in predicted)
    diamond: dict[str, Any] = {"color": BLACK, "marker": "d", "markersize": 5, "linestyle": "none"}
    shares = style.SHARES["realised"]  # those of a plan
    labels = [f"closed-form prediction, {style.LIMITS[limit]},\n{shares}" for limit in limits]
    return entries + [Line2D([], [], **diamond, label=label) for label in labels]


def _switches(explanation: Explanation) -> list[str]:
    """The switches that differ for some method, in a fixed order."""
    found = {name for split in explanation if split.replicates for name in split.effects}
    return [name for name in _COLOURS if name in found]


def _draw(split: Attribution, ax: Axes, *, place: int, slots: list[str], bars: bool) -> None:
    """One side of a method around x = `place`, where every switch has its slot, whether or not it differs here."""
    names = [name for name in slots if name in split.effects]
    step = 0.8 / len(slots) if slots else 0.0
    x = place + step * (np.array([slots.index(name) for name in names]) - (len(slots) - 1) / 2)
    effects = [split.effects[name] for name in names]
    means = np.array([effect.mean for effect in effects])
    if bars:
        ax.bar(x, means, width=0.9 * step, color=[_COLOURS[name] for name in names])
        # A single replicate leaves the whole line as its interval; none is drawn then.
        half = np.array([effect.interval[1] - effect.mean for effect in effects])
        ax.errorbar(x, means, yerr=np.where(np.isfinite(half), half, 0.0), color=BLACK, linestyle="none", capsize=2.0)
    if split.side == "prediction":
        ax.plot(x + 0.3 * step, means, color=BLACK, marker="d", markersize=4.5, linestyle="none")


def _told(split: Attribution) -> str:
    """A method with its gain and verdict, or why there is no split."""
    if not split.replicates:
        return f"{split.label}\n{split.failure}"
    return f"{split.label}\ngain {split.gain.mean:+.3f}\nverdict: {split.verdict}"
