"""What one command shows: the worst-group accuracies of the `quick` sweep."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

import llrsim
from llrsim.plots.wga import layouts_of, wga_figure


def draw(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """The first figure that `python -m llrsim.sweep` leaves."""
    experiment = llrsim.load("quick")
    return wga_figure(rows, layouts_of(experiment)[0], title=experiment.name)
