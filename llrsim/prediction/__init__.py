"""Prediction: the heads of an experiment's methods in a stated limit, without drawing a sample.

`predict(experiment)` and `predict_plan(plan)` return the same `Outcome` as simulation does, one head a method, in a
limit: proportional (n/d fixed) or population (n -> infinity at fixed d). `margin_law(experiment, method)` is the law of
the margins of training and test rows. Beside them stand the closed forms, as functions of a few numbers:
`orthogonal_least_squares`, `fully_collapsed_accuracies`, `spurious_weight_ratio`, `effective_correlation`; and of a
`PopulationObjective`: `least_squares` and `gradient_flow`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from .._arguments import require_choice
from ..model.plan import Plan, Shares, checked_plan, plan, reported_plan
from ..outcome import MethodOutcome, Outcome
from . import population
from .formulas import (
    Accuracies,
    effective_correlation,
    fully_collapsed_accuracies,
    least_squares,
    orthogonal_least_squares,
    spurious_weight_ratio,
)
from .objective import PopulationObjective
from .population import gradient_flow
from .stage import Guesses, predict_stage
from .training import MarginLaw, margin_law

if TYPE_CHECKING:
    from ..experiment import Experiment, FitOptions

Limit = Literal["proportional", "population"]
LIMITS: tuple[Limit, ...] = ("proportional", "population")

__all__ = [
    "LIMITS",
    "Accuracies",
    "MarginLaw",
    "PopulationObjective",
    "effective_correlation",
    "fully_collapsed_accuracies",
    "gradient_flow",
    "least_squares",
    "margin_law",
    "orthogonal_least_squares",
    "predict",
    "predict_plan",
    "spurious_weight_ratio",
    "warm_up",
]


def predict(experiment: Experiment, limit: Limit = "proportional", *, shares: Shares = "realised") -> Outcome:
    """The outcome of every method of `experiment` in a limit, one head a method; accuracies are exact (T0, T7).

    "proportional": n and d -> infinity at the experiment's own n/d (T8, T10, T14). "population": n -> infinity at fixed
    d (T1, T2, T14 at d/n = 0). A method without a prediction says so in its `status`. Prior theory of the setting:
    Welfert, Stromberg & Sankar (2405.05934), Stromberg et al. (2402.11039); of the limit: Loureiro et al. (2106.03791).

    Groups have the shares of a simulation's whole rows, or with `shares` "nominal" those that the file states, for
    curves: along an axis whole rows jump from one value to the next.

    Raises ExperimentError where a method needs a sample that `experiment` does not have, ValueError for another limit
    or other shares.

    >>> import llrsim
    >>> quick = llrsim.load("quick")
    >>> [round(predict(quick)[method].wga, 4) for method in ("erm", "llr", "dfr")]
    [0.4503, 0.7792, 0.9467]
    >>> [round(predict(quick, "population")[method].wga, 4) for method in ("erm", "llr", "dfr")]
    [0.4515, 0.7838, 0.9522]
    """
    found = predict_plan(plan(experiment, shares), limit, name=experiment.name)
    if shares == "realised":
        return found
    stages = {stage.label: stage for stage in reported_plan(experiment, shares).stages}
    return replace(found, methods={own.label: replace(own, stage=stages[own.label]) for own in found})


def predict_plan(
    resolved: Plan,
    limit: Limit = "proportional",
    *,
    name: str = "plan",
    axes: Mapping[str, Any] | None = None,
    guesses: Guesses | None = None,
) -> Outcome:
    """The outcome of every stage of a plan; `axes` are the coordinates of its cell, carried into the rows.

    `guesses` carries solutions from one plan to the next one nearby, to start from; it changes times, and numbers only
    within their certificates. Raises ExperimentError for options that a file is refused for, TypeError and ValueError
    for another limit and where the parts of a plan do not go together.
    """
    require_choice("limit", limit, LIMITS)
    resolved = checked_plan(resolved)
    methods: list[MethodOutcome] = []
    for stage in resolved.stages:
        if limit == "population":
            methods.append(
                population.predict_stage(resolved, stage, None if stage.start is None else methods[stage.start])
            )
        else:
            methods.append(predict_stage(resolved, stage, methods, guesses))
    return Outcome(name=name, methods={found.label: found for found in methods}, side="prediction", axes=axes or {})


def warm_up(heads: Iterable[FitOptions] | None = None) -> None:
    """Compile what predicting these heads in the proportional limit takes (default: any head), or load it.

    By one tiny plan with each of their losses.
    """
    from ..experiment import load
    from ..experiment.schema import LOSSES

    losses = LOSSES if heads is None else sorted({head.loss for head in heads})
    tiny = {
        "features": {"core": {"mean": 1.0, "std": 0.6}, "noise": {"dim": 60}},
        "train": {"n": 40, "proportions": [0.25] * 4},
        "head": {"ridge": 0.1},
        "method": [{"kind": "erm", "name": loss, "head": {"loss": loss}} for loss in losses],
    }
    predict_plan(plan(load(tiny)))
