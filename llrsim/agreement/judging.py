"""One method in one cell, judged: three p-values for a difference that should vanish in the limit.

They are taken twice: of the extrapolated differences as they are, and of what these have beyond the `remainder` that
extrapolation may leave of a right prediction. Differences that are only in the first sense too large are undecided.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..model.head import logit_law
from ..model.mixture import Array
from ..outcome import MethodOutcome, half_width, half_width_of
from ..statistics import (
    allowance,
    beyond,
    exponent,
    extrapolate,
    freedom,
    hotelling,
    intercept_weights,
    remainder,
    smallest_t,
)
from .result import MethodAgreement


class Judgement(NamedTuple):
    """What three tests say of the extrapolated differences.

    Attributes:
        gap: (G,) extrapolated difference of group accuracies, its `error` (G,) and degrees of `freedom` (G,).
        worst_group: the group chosen as the worst, and `worst_z` its difference over its standard error.
        p_heads: Hotelling's T^2 on the heads.
        p_groups: Student's t on every group's accuracy, Bonferroni over the groups.
        p_worst: Student's t on the worst group's accuracy.
        distance: largest difference of the heads at the least size, relative, at most 1.
        p_beyond: the three together of what the differences have beyond the remainder.
    """

    gap: Array
    error: Array
    freedom: Array
    worst_group: int
    worst_z: float
    p_heads: float
    p_groups: float
    p_worst: float
    distance: float
    p_beyond: float

    @property
    def p_value(self) -> float:
        """The least of the three after Bonferroni."""
        return _together(self.p_heads, self.p_groups, self.p_worst)


def judge(
    accuracy: Sequence[Array],
    accuracy_gaps: Sequence[Array],
    head_gaps: Sequence[Array],
    x: Array,
    degree: int,
    *,
    units: Array,
) -> Judgement:
    """Test whether differences extrapolate to zero at x = 0.

    The worst group is chosen on a first quarter of the replicates of the largest size and judged on the rest:
    choosing and judging on the same replicates would favour low draws where groups tie.

    Args:
        accuracy: for each size, simulated group accuracies (R, G).
        accuracy_gaps: for each size, their differences to the prediction (R, G).
        head_gaps: for each size, those of the heads (R, p).
        x: (N,) the small parameter of each size, in which the differences are a power series.
        degree: of the polynomial that extrapolates them; at most N - 1 is taken.
        units: (p,) differences of the heads that are as large as the head itself.
    """
    degree = min(degree, len(x) - 1)
    weights = intercept_weights(x, degree)
    gap, covariance = extrapolate(accuracy_gaps, weights)
    error, degrees = np.sqrt(np.diag(covariance)), freedom(accuracy_gaps, weights)
    quarter = max(1, len(accuracy[0]) // 4)
    worst = int(accuracy[int(x.argmin())][:quarter].mean(axis=0).argmin())
    rest = [rows[quarter:, [worst]] for rows in accuracy_gaps]
    worst_gap, worst_covariance = extrapolate(rest, weights)
    worst_error = np.sqrt(np.diag(worst_covariance))
    heads, head_covariance = extrapolate(head_gaps, weights)
    head_degrees, worst_degrees = float(freedom(head_gaps, weights).min()), freedom(rest, weights)
    least = int(x.argmax())
    distance = float(min(1.0, np.abs(head_gaps[least].mean(axis=0) / units).max()))
    left = remainder(distance, degree)
    share = left / distance if distance > 0 else 0.0
    allowed = share * np.abs(accuracy_gaps[least].mean(axis=0)).max()
    return Judgement(
        gap=gap,
        error=error,
        freedom=degrees,
        worst_group=worst,
        worst_z=float(_over(worst_gap, worst_error)[0]),
        p_heads=hotelling(heads, head_covariance, head_degrees),
        p_groups=smallest_t(gap, error, degrees),
        p_worst=smallest_t(worst_gap, worst_error, worst_degrees),
        distance=distance,
        p_beyond=_together(
            hotelling(beyond(heads, head_covariance, left * units), head_covariance, head_degrees),
            smallest_t(_shrunk(gap, allowed), error, degrees),
            smallest_t(_shrunk(worst_gap, allowed), worst_error, worst_degrees),
        ),
    )


def compare(
    label: str,
    sizes: Sequence[float],
    pairs: Sequence[tuple[MethodOutcome, MethodOutcome]],
    *,
    degree: int,
    own: tuple[MethodOutcome, MethodOutcome],
    own_size: float,
) -> MethodAgreement:
    """The method's simulations and predictions, one pair for each size, compared; `own` is the pair at its own size.

    `degree` is that of the extrapolating polynomial.
    A method that lacks a prediction, or a head in some replicate, at one of the sizes is not judged.
    """
    if not all(predicted.outcome.ok for _, predicted in pairs):
        return MethodAgreement.unjudged(label, own_size, "no prediction")
    if not all(simulated.outcome.ok for simulated, _ in pairs):
        return MethodAgreement.unjudged(label, own_size, "no simulation")
    x = 1.0 / np.array(sizes)
    accuracy = [simulated.readout.group_accuracy for simulated, _ in pairs]
    differences = [rows - predicted.group_accuracy for rows, (_, predicted) in zip(accuracy, pairs, strict=True)]
    heads = _head_differences(pairs)
    units = _head_units(pairs[int(x.argmax())][1])[: heads[0].shape[1]]
    found = judge(accuracy, differences, heads, x, degree, units=units)
    gaps = np.array([rows.mean(axis=0) for rows in differences])
    errors = np.array([rows.std(axis=0, ddof=1) / np.sqrt(len(rows)) for rows in differences])
    simulated, predicted = own
    return MethodAgreement(
        label=label,
        own_size=own_size,
        own_gap=simulated.group_accuracy - predicted.group_accuracy,
        own_half_width=half_width(simulated.readout.group_accuracy[simulated.kept]),
        sizes=np.array(sizes),
        gaps=gaps,
        gap_errors=errors,
        extrapolated=found.gap,
        standard_error=found.error,
        half_width=half_width_of(found.error, found.freedom),
        prediction=pairs[int(x.argmin())][1].group_accuracy,
        z=_over(found.gap, found.error),
        allowance=allowance(gaps, errors, x),
        exponent=exponent([(gaps, errors, x)]),
        worst_group=found.worst_group,
        worst_z=found.worst_z,
        p_heads=found.p_heads,
        p_groups=found.p_groups,
        p_worst=found.p_worst,
        p_value=found.p_value,
        distance=found.distance,
        p_beyond=found.p_beyond,
        verdict="agrees",
    )


def _head_differences(pairs: Sequence[tuple[MethodOutcome, MethodOutcome]]) -> list[Array]:
    """Differences of (u, b), and of log q where the predicted heads have a noise part: in the population limit none."""
    noisy = all((predicted.heads.noise_spread > 0).all() for _, predicted in pairs)

    def vector(method: MethodOutcome) -> Array:
        columns = [method.heads.signal, method.heads.bias]
        if noisy:  # a simulated head without noise then differs by a huge number, not by an infinite one
            columns.append(np.log(np.maximum(method.heads.noise_spread, np.finfo(float).tiny)))
        return np.column_stack(columns)

    return [vector(simulated) - vector(predicted) for simulated, predicted in pairs]


def _head_units(predicted: MethodOutcome) -> Array:
    """(k + 2,) differences of (u, b, log q) that move logits by as much as they are: by their root mean square."""
    law = predicted.test
    mean, deviation = (rows[0] for rows in logit_law(predicted.heads, law))
    logit = np.sqrt(((mean + predicted.heads.bias[0]) ** 2 + deviation**2).mean())
    signal = np.sqrt((law.means**2 + np.diagonal(law.covariances, axis1=1, axis2=2)).mean(axis=0))
    units = np.concatenate([logit / np.where(signal > 0, signal, 1.0), [logit, 1.0]])
    return np.asarray(np.maximum(units, np.finfo(float).tiny))


def _together(*p_values: float) -> float:
    """The least of them after Bonferroni."""
    return min(1.0, len(p_values) * min(p_values))


def _shrunk(gap: Array, allowed: float) -> Array:
    """What is left of every difference beyond the allowed one."""
    return np.asarray(np.sign(gap) * np.maximum(np.abs(gap) - allowed, 0.0))


def _over(gap: Array, error: Array) -> Array:
    return np.divide(gap, error, out=np.full(gap.shape, np.nan), where=error > 0)
