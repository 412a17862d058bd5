"""Simulation: draw the features, fit the heads, read them out exactly.

Imports nothing of `llrsim.prediction`; agreement between the two is evidence because they share only the plan and the
readout.
"""

from .fitting import Fit, FitError, fit
from .simulating import require_memory, simulate, simulate_plan, warm_up

__all__ = ["Fit", "FitError", "fit", "require_memory", "simulate", "simulate_plan", "warm_up"]
