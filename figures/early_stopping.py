"""When to stop gradient descent on a small held-out set: the whole path, predicted and simulated."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from llrsim.plots import path
from llrsim.plots.style import blank

from .records import EARLY_STOPPING


def draw(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Two descents on one axis, with the legend and the fixed values beneath."""
    figure = blank(7.4, 6.4)
    ax = figure.subplots()
    labels = list(dict.fromkeys(row["method"] for row in rows))
    path.draw(rows, ax, labels=labels)
    figure.suptitle(
        "Retraining a last layer on few held-out rows: a descent that is stopped in time\n"
        "does better on the worst group than the exact fit of the same rows",
        fontsize=10,
    )
    entries = path.legend_entries(rows, labels=labels)
    figure.legend(
        handles=[*entries, Line2D([], [], linestyle="none", label=_fixed())], loc="outside lower left", ncols=1
    )
    return figure


def _fixed() -> str:
    train, heldout, head = (EARLY_STOPPING[section] for section in ("train", "heldout", "head"))
    noise = EARLY_STOPPING["features"]["noise"]
    descent = EARLY_STOPPING["method"][1]["head"]["solver"]
    return (
        f"fixed: {noise['dim']} noise dimensions, {heldout['n']} held-out rows, "
        f"minority : majority = {heldout['minority_ratio']}, share of the positive class {heldout['class_prior']},\n"
        f"squared loss, ridge {head['ridge']}, step size {descent['step_size']}; erm: {train['n']} training rows with "
        f"class collapse tau = {train['collapse']['noise']}"
    )
