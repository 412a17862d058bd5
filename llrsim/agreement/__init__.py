"""Judge simulation against prediction, or against a user's formula, by calibrated tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from . import size_study
from .formula import FormulaAgreement, FormulaCell, FormulaError, check_formula
from .result import Agreement, CellAgreement, MethodAgreement

if TYPE_CHECKING:
    from ..experiment import Experiment


# Agreement: simulation against prediction, or against a user's formula, judged by calibrated tests.


__all__ = [
    "Agreement",
    "CellAgreement",
    "FormulaAgreement",
    "FormulaCell",
    "FormulaError",
    "MethodAgreement",
    "check",
]


# `check`: one door to both judges, of llrsim's own predictions and of a user's formula.


@overload
def check(experiment: Experiment, *, formula: None = None, **options: Any) -> Agreement: ...


@overload
def check(experiment: Experiment, *, formula: Any, **options: Any) -> FormulaAgreement: ...


def check(experiment: Experiment, *, formula: Any = None, **options: Any) -> Agreement | FormulaAgreement:
    """Does simulation approach llrsim's prediction, or with `formula` a theorist's own?

    The options are those of `size_study.check` (limit, replicates, ratios, dims, seed, false_alarm, cells, jobs,
    predictor, say, prepare), or with a formula those of `check_formula` (method, limit, against, eps, budget, seconds,
    ratios, dims, seed, false_alarm, cells, jobs, name, say, prepare).

    >>> import llrsim
    >>> quick = llrsim.load("quick")
    >>> found = llrsim.check(quick, formula=lambda rho: (1 + rho) / 2, method="dfr", against="predict", cells=1)
    >>> found.verdict, found.cells[0].claim.accuracy.round(4).tolist()
    ('disagrees', [0.952])
    """
    if formula is None:
        return size_study.check(experiment, **options)
    return check_formula(experiment, formula, **options)
