"""Simulation: draw the features, fit the heads, read them out exactly.

Imports nothing of `llrsim.prediction`; agreement between the two is evidence because they share only the plan and the
readout.
"""

from .dense import simulate, simulate_plan, warm_up
from .fitting import Fit, FitError, fit

__all__ = ["Fit", "FitError", "fit", "simulate", "simulate_plan", "warm_up"]
