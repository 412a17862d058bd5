"""The look of every figure: colours, markers, fonts; what an axis of values is drawn on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

BLACK, BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY = (
    "#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9",
)  # fmt: skip
GREY = "#999999"
COLOURS = (BLACK, BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
"""Okabe and Ito's colours, told apart with every common colour blindness; without yellow, too pale for lines."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""One more than the colours, so that no pair of colour and marker comes back before the 56th method."""

LINES = ("-", "-", ":", "--", "-.")
"""Line styles with gaps for later methods, so that a line they coincide with shows through."""

RC: dict[str, Any] = {
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.labelsize": 9.0,
    "legend.fontsize": 8.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # fonts embedded as TrueType, which journals ask for
    "savefig.dpi": 160,
}
"""matplotlib settings, over its own defaults, that the figures written to files are drawn and saved under."""


@contextmanager
def settings(**more: Any) -> Iterator[None]:
    """Draw and save figures under matplotlib's defaults, RC and `more`, whatever the user's own settings are.

    >>> import matplotlib
    >>> with matplotlib.rc_context({"text.usetex": True}), settings():
    ...     matplotlib.rcParams["text.usetex"], matplotlib.rcParams["font.size"]
    (False, 9.0)
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(RC | more)
        yield


def blank(width: float = 6.4, height: float = 4.4) -> Figure:
    """An empty figure in inches that belongs to no window and no pyplot."""
    return Figure(figsize=(width, height), layout="constrained")


def look(place: int) -> dict[str, Any]:
    """Colour and open marker of the method at this place in the experiment; later ones fit inside earlier ones."""
    return {
        "color": COLOURS[place % len(COLOURS)],
        "marker": MARKERS[place % len(MARKERS)],
        "markersize": max(8.5 - 1.1 * place, 4.0),
        "markerfacecolor": "none",
    }


def line(place: int) -> str:
    """Line style of the method at this place in the experiment."""
    return LINES[place % len(LINES)]


def is_numeric(values: Sequence[Any]) -> bool:
    """Whether all values are finite numbers (True and False are not)."""
    return all(isinstance(v, int | float) and not isinstance(v, bool) and np.isfinite(v) for v in values)


def is_log_spaced(values: Sequence[Any]) -> bool:
    """Whether three or more positive numbers are spaced more evenly in their logarithm than as they are.

    >>> is_log_spaced([100, 200, 400]), is_log_spaced([0.25, 0.5, 0.75]), is_log_spaced([0, 1, 10])
    (True, False, False)
    """
    if len(values) < 3 or not is_numeric(values) or min(values) <= 0:
        return False
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    unevenness = [float(np.std(gaps) / np.mean(gaps)) for gaps in (np.diff(np.log(ordered)), np.diff(ordered))]
    return unevenness[0] < unevenness[1]
