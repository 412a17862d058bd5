"""Balance or collapse: predicted worst-group accuracy over training collapse and held-out balance."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from llrsim.plots.phase import phase_figure

from .records import phase_experiment


def draw(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """The diagram that `python -m llrsim.sweep phase --predict-only` leaves, on a coarser grid."""
    return phase_figure(rows, phase_experiment())
