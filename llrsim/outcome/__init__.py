"""What `simulate` and `predict` both return: for each method its head, what follows from it, and how it came about."""

from .interval import half_width, half_width_of
from .method import Estimate, Limit, MethodOutcome, Path
from .outcome import Outcome
from .record import plain

__all__ = ["Estimate", "Limit", "MethodOutcome", "Outcome", "Path", "half_width", "half_width_of", "plain"]
