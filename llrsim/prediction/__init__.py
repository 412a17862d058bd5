"""Prediction: the heads of an experiment's methods in a stated limit, without drawing a sample.

`predict(experiment)` and `predict_plan(plan)` return the same `Outcome` as simulation does, one head a method, with
`limit = "population"`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..outcome import MethodOutcome, Outcome
from ..planning import Plan, plan
from .population import predict_stage

if TYPE_CHECKING:
    from ..experiment import Experiment


def predict(experiment: Experiment) -> Outcome:
    """The outcome of every method of `experiment` in the population limit, n -> infinity at fixed d."""
    return predict_plan(plan(experiment), name=experiment.name)


def predict_plan(resolved: Plan, *, name: str = "plan", axes: Mapping[str, Any] | None = None) -> Outcome:
    """The outcome of every stage of a plan; `axes` are the coordinates of its cell, carried into the rows."""
    methods: list[MethodOutcome] = []
    for stage in resolved.stages:
        methods.append(predict_stage(resolved, stage, None if stage.start is None else methods[stage.start]))
    return Outcome(name=name, methods={found.label: found for found in methods}, side="prediction", axes=axes or {})
