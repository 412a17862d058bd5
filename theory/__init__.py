"""SymPy derivations of what llrsim predicts; imports nothing of llrsim. README.md is the ledger.

`RESULTS` lists every derivation: id, name and a function without arguments that returns a `Derivation`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from . import (
    averaging,
    balance_or_collapse,
    class_collapse,
    collapse,
    descent,
    earlier_head,
    effective_weights,
    envelopes,
    exchangeable,
    expected_losses,
    finite_data,
    flatness,
    hardest_rows,
    head_summary,
    interactions,
    lazy,
    least_squares,
    limits,
    losses,
    margin_law,
    max_margin,
    methods,
    mismatch,
    neural_collapse,
    online,
    other_losses,
    proportional,
    readout,
    reliance,
    shapley,
    stability,
)
from .derivation import Derivation


class Result(NamedTuple):
    """One entry of the ledger: T-id, short name, derivation."""

    id: str
    name: str
    derive: Callable[[], Derivation]


RESULTS = (
    Result("T0", "accuracy of a group", readout.accuracy),
    Result("T0", "best bias of two groups", readout.best_bias),
    Result("T0", "mean of heads", head_summary.mean_of_heads),
    Result("T0", "accuracies of classes", head_summary.accuracy_of_classes),
    Result("T1", "normal equations", least_squares.normal_equations),
    Result("T1", "least-squares direction", least_squares.direction),
    Result("T1", "least-squares accuracies", least_squares.accuracies),
    Result("T2", "population objective", limits.population),
    Result("T2", "expected losses", expected_losses.closed_forms),
    Result("T2", "gradient and Hessian", expected_losses.expansion),
    Result("T3", "effective correlation", least_squares.effective_correlation),
    Result("T4", "collapsed groups", collapse.collapsed_groups),
    Result("T5", "class collapse keeps the direction", class_collapse.class_collapse),
    Result("T5", "class collapse moves the bias", class_collapse.collapse_and_bias),
    Result("T5", "ridge under class collapse", class_collapse.collapse_and_ridge),
    Result("T5", "unequal collapse factors", class_collapse.unequal_collapse),
    Result("T5", "full collapse", class_collapse.full_collapse),
    Result("T5", "reliance on collapsed features", reliance.collapsed_reliance),
    Result("T5", "reliance and the worst group", reliance.worst_group),
    Result("T5", "sign in the collapse factors", reliance.unequal_factors),
    Result("T5", "sign of collapse under ridge", reliance.ridge),
    Result("T5", "any loss, one group a class", other_losses.one_group_a_class),
    Result("T5", "any loss, two groups a class", other_losses.any_loss),
    Result("T5", "the exponential loss turns", other_losses.exponential_loss),
    Result("T6", "moments of collapsed classes", neural_collapse.moments),
    Result("T6", "NC1 and CDNV", neural_collapse.nc1_and_cdnv),
    Result("T6", "VCI", neural_collapse.vci),
    Result("T6", "inverse covariance of data", finite_data.inverse_covariance),
    Result("T6", "metrics of data", finite_data.data_limit),
    Result("T7", "readout on another law", mismatch.readout_on_another_law),
    Result("T8", "Moreau envelope", envelopes.slope_and_curvature),
    Result("T8", "derivatives of Gaussian moments", envelopes.gaussian_derivatives),
    Result("T8", "logistic prox and vector scaling", losses.logistic),
    Result("T8", "piecewise linear slopes", losses.piecewise_linear),
    Result("T8", "moments of a clipped slope", losses.clipped_moments),
    Result("T8", "moments for the squared loss", losses.squared_moments),
    Result("T8", "scalar saddle function", proportional.gordon),
    Result("T8", "fixed-point equations", proportional.stationarity),
    Result("T8", "heads on shared rows", averaging.shared_rows),
    Result("T8", "density of fitted margins", margin_law.smooth_losses),
    Result("T8", "fitted margins at a kink", margin_law.kinks),
    Result("T8", "averages over fitted margins", margin_law.averages),
    Result("T9", "Jacobian of the fixed point", proportional.jacobian),
    Result("T10", "effective weights", effective_weights.effective_weights),
    Result("T10", "weights that do nothing", effective_weights.inert_weights),
    Result("T10", "weights that balance the direction", effective_weights.balanced_weights),
    Result("T11", "expected squared hinge", max_margin.squared_positive_part),
    Result("T11", "margin program", max_margin.margin_program),
    Result("T12", "separability threshold", max_margin.separability),
    Result("T13", "large ridge", limits.large_ridge),
    Result("T13", "hard margins by class", limits.margins_by_class),
    Result("T14", "filters of descent and flow", descent.filters),
    Result("T14", "filter with momentum", descent.momentum),
    Result("T14", "stable steps", stability.stable_steps),
    Result("T14", "contour integral", descent.resolvent),
    Result("T14", "noise of two ridge heads", descent.noise_products),
    Result("T14", "edge of the bulk", descent.bulk_edge),
    Result("T15", "one step of online SGD", online.one_step),
    Result("T15", "stable online steps", online.stability),
    Result("T17", "Gaussian matrix given products", lazy.conditioning),
    Result("T17", "new direction of an answer", lazy.new_direction),
    Result("T17", "image of a new direction", lazy.image),
    Result("T17", "normals in single precision", lazy.single_precision),
    Result("T18", "axes of exchangeable rows", exchangeable.axes),
    Result("T19", "effective masses", methods.masses),
    Result("T19", "balanced classes", methods.class_balance),
    Result("T19", "adjusted logits", methods.adjusted_logits),
    Result("T19", "worst-case masses", methods.worst_masses),
    Result("T20", "slices of equal score", earlier_head.slices),
    Result("T20", "weights by score", earlier_head.score_weighted),
    Result("T20", "hardest rows", hardest_rows.hardest_rows),
    Result("T21", "Shapley values of two switches", shapley.two_switches),
    Result("T21", "Shapley values of five switches", shapley.five_switches),
    Result("T21", "interactions of switches", interactions.alternating_differences),
    Result("T21", "balance or collapse", balance_or_collapse.larger_share),
    Result("T21", "class collapse without ridge", balance_or_collapse.under_class_collapse),
    Result("T21", "unequal collapse factors", balance_or_collapse.under_unequal_collapse),
    Result("T21", "class collapse with ridge", balance_or_collapse.under_ridge),
    Result("T22", "relative flatness", flatness.relative_flatness),
)

__all__ = ["RESULTS", "Derivation", "Result"]
