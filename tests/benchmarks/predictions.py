"""Predictions at finite n/d, a solve at a time, against a plain SciPy solution of the same equations."""

from typing import Any

import numpy as np
from benchmarks import scipy_root
from benchmarks.instance import CENTRES, SCALES
from benchmarks.pairs import Sides

from llrsim.model.losses import Loss
from llrsim.model.mixture import GroupMixture
from llrsim.prediction.fixed_point import fixed_point
from llrsim.prediction.problem import ProportionalProblem
from llrsim.prediction.ridge import ridge_head

COUNTS = [584, 31, 9, 176]
"""Rows of each group: Waterbirds' shares at n/d = 2."""

NEAR = 1.05
"""A warm start is the solution at a ridge this much larger, as along an axis of a sweep."""


def problem(loss: Loss, ridge: float = 0.01, **options: Any) -> ProportionalProblem:
    """Four groups balanced by weights; `options` are those of `ProportionalProblem.of`."""
    mixture = GroupMixture.of(means=CENTRES, covariances=np.diag(SCALES**2), noise_dim=400)
    return ProportionalProblem.of(mixture, loss, counts=COUNTS, ridge=ridge, mass=[0.25] * 4, **options)


def cold() -> Sides:
    """The logistic fixed point from nothing."""
    described = problem(Loss.LOGISTIC)
    return Sides(lambda: fixed_point(described), lambda: scipy_root.solve(described), calls=(20, 1))


def warm() -> Sides:
    """The logistic fixed point from that of a neighbour."""
    described = problem(Loss.LOGISTIC)
    near = fixed_point(described._replace(ridge=NEAR * described.ridge)).unknowns
    return Sides(lambda: fixed_point(described, near), lambda: scipy_root.solve(described, near), calls=(100, 1))


def squared() -> Sides:
    """The head of the squared loss, which on llrsim's side is in closed form but for one unknown."""
    described = problem(Loss.SQUARED)
    return Sides(lambda: ridge_head(described), lambda: scipy_root.solve(described), calls=(200, 1))
