"""SymPy derivations of what llrsim predicts; imports nothing of llrsim. README.md is the ledger.

`RESULTS` lists every derivation: id, name and a function without arguments that returns a `Derivation`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from . import collapse, descent, least_squares, neural_collapse, readout, shapley
from .derivation import Derivation


class Result(NamedTuple):
    """One entry of the ledger: T-id, short name, derivation."""

    id: str
    name: str
    derive: Callable[[], Derivation]


RESULTS = (
    Result("T0", "accuracy of a group", readout.accuracy),
    Result("T0", "best bias of two groups", readout.best_bias),
    Result("T1", "normal equations", least_squares.normal_equations),
    Result("T1", "least-squares direction", least_squares.direction),
    Result("T1", "least-squares accuracies", least_squares.accuracies),
    Result("T3", "effective correlation", least_squares.effective_correlation),
    Result("T4", "collapsed groups", collapse.collapsed_groups),
    Result("T5", "class collapse keeps the direction", least_squares.class_collapse),
    Result("T5", "class collapse moves the bias", least_squares.collapse_and_bias),
    Result("T5", "ridge under class collapse", least_squares.collapse_and_ridge),
    Result("T5", "unequal collapse factors", least_squares.unequal_collapse),
    Result("T5", "full collapse", least_squares.full_collapse),
    Result("T6", "moments of collapsed classes", neural_collapse.moments),
    Result("T6", "NC1 and CDNV", neural_collapse.nc1_and_cdnv),
    Result("T6", "VCI", neural_collapse.vci),
    Result("T14", "filters of descent and flow", descent.filters),
    Result("T21", "Shapley values of two switches", shapley.two_switches),
    Result("T21", "Shapley values of five switches", shapley.five_switches),
)

__all__ = ["RESULTS", "Derivation", "Result"]
