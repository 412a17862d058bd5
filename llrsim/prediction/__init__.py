"""Prediction: the heads of an experiment's methods in a stated limit, without drawing a sample.

`predict(experiment)` and `predict_plan(plan)` return the same `Outcome` as simulation does, one head a method, with
`limit = "population"`. Beside them stand the closed forms, as functions of a few numbers: `orthogonal_least_squares`,
`fully_collapsed_accuracies`, `spurious_weight_ratio`, `effective_correlation`; and of a `PopulationObjective`:
`least_squares` and `gradient_flow`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..outcome import MethodOutcome, Outcome
from ..planning import Plan, plan
from .population import predict_stage
from .population.annotation import effective_correlation
from .population.descent import gradient_flow
from .population.least_squares import (
    Accuracies,
    fully_collapsed_accuracies,
    least_squares,
    orthogonal_least_squares,
    spurious_weight_ratio,
)
from .population.objective import PopulationObjective

if TYPE_CHECKING:
    from ..experiment import Experiment

__all__ = [
    "Accuracies",
    "PopulationObjective",
    "effective_correlation",
    "fully_collapsed_accuracies",
    "gradient_flow",
    "least_squares",
    "orthogonal_least_squares",
    "predict",
    "predict_plan",
    "spurious_weight_ratio",
]


def predict(experiment: Experiment) -> Outcome:
    """The outcome of every method of `experiment` in the population limit, n -> infinity at fixed d (T1, T2, T7, T14).

    Each head minimises its objective's expectation, or descends it; accuracies are exact (T0). A method without a
    prediction says so in its `status`: minibatch descent, a hard margin. Prior theory of the setting: Welfert,
    Stromberg & Sankar (2405.05934), Stromberg et al. (2402.11039).

    Raises ExperimentError where a method needs a sample that `experiment` does not have.

    >>> import llrsim
    >>> outcome = predict(llrsim.load("quick"))
    >>> [round(outcome[method].wga, 4) for method in ("erm", "llr", "dfr")]
    [0.4515, 0.7838, 0.9522]
    """
    return predict_plan(plan(experiment), name=experiment.name)


def predict_plan(resolved: Plan, *, name: str = "plan", axes: Mapping[str, Any] | None = None) -> Outcome:
    """The outcome of every stage of a plan; `axes` are the coordinates of its cell, carried into the rows."""
    methods: list[MethodOutcome] = []
    for stage in resolved.stages:
        methods.append(predict_stage(resolved, stage, None if stage.start is None else methods[stage.start]))
    return Outcome(name=name, methods={found.label: found for found in methods}, side="prediction", axes=axes or {})
