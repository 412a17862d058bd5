"""What `simulate` and `predict` both return: for each method its head, what follows from it, and how it came about."""

from .features import LearnedFeatures
from .interval import binomial_interval, half_width, half_width_of, interval_of_least, of_least_mean
from .method import Estimate, Limit, MethodOutcome, Path, bias_intervals
from .observed import Observed
from .outcome import Outcome
from .record import plain

__all__ = [
    "Estimate",
    "LearnedFeatures",
    "Limit",
    "MethodOutcome",
    "Observed",
    "Outcome",
    "Path",
    "bias_intervals",
    "binomial_interval",
    "half_width",
    "half_width_of",
    "interval_of_least",
    "of_least_mean",
    "plain",
]
