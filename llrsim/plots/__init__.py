"""Figures: functions that take and return matplotlib Axes, never call show, and leave no pyplot state behind.

Lines are theory, points are simulation with 95 % intervals (Student's t), and like is compared with like: a
prediction gives the least of the groups' accuracies, so the simulation's point is the least of the groups' *mean*
accuracies (`wga`), not the mean of the least one (`wga_per_run`).
"""

from .attribution import attribution_bars
from .margins import margin_table, margins
from .path import path_table, wga_path
from .style import save
from .table import wga_table
from .wga import sweep_figures, wga_lines

__all__ = [
    "attribution_bars",
    "margin_table",
    "margins",
    "path_table",
    "save",
    "sweep_figures",
    "wga_lines",
    "wga_path",
    "wga_table",
]
