"""An agreement in words: what a terminal shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .statistics import Exponent

if TYPE_CHECKING:
    from .result import Agreement, MethodAgreement


def told(agreement: Agreement) -> str:
    """Cell by cell the methods with their tables, then the verdict over all."""
    growth, judged = agreement.growth, agreement.judged
    title = f"{agreement.name}: simulation against prediction, {growth.limit} limit"
    lines = [f"{title}, {agreement.replicates} replicates a size"]
    for cell in agreement.cells:
        where = ", ".join(f"{key} = {_value(value)}" for key, value in cell.axes.items()) or "as given"
        lines += ["", f"cell: {where}"]
        for method in cell.methods:
            lines += _method(agreement, method)
    right = sum(method.verdict == "agrees" for method in judged)
    lines += [
        "",
        f"{growth.limit} limit: {agreement.verdict} ({right} of {len(judged)} methods x cells; "
        f"family-wise false alarm {agreement.false_alarm:g})",
    ]
    if agreement.exponent is not None:
        lines.append(_rate(agreement.exponent, growth.unit))
    if any(method.verdict == "undecided" for method in judged):
        lines.append("undecided: larger sizes (--sizes) tell a slow approach from a wrong limit")
    return "\n".join(lines)


def _method(agreement: Agreement, method: MethodAgreement) -> list[str]:
    if not method.judged:
        return [f"  {method.label:<14} {method.verdict}"]
    names, growth = agreement.group_names, agreement.growth
    own = f"    at its own {growth.unit} = {method.own_size:.3g}: {growth.away}, "
    if np.isfinite(method.own_gap).all():
        place = int(np.abs(method.own_gap).argmax())
        spread = method.own_half_width[place]
        told_spread = f" ± {spread:.4f}" if np.isfinite(spread) else ""
        own += f"largest gap {method.own_gap[place]:+.4f}{told_spread} in group {names[place]}"
    else:
        own += "no head in simulation or prediction"
    lines = [
        f"  {method.label:<14} {method.verdict} in the limit: p = {method.p_value:.2g} "
        f"(heads {method.p_heads:.2g}, groups {method.p_groups:.2g}, "
        f"worst group {names[method.worst_group or 0]} {method.p_worst:.2g})",
        own,
        *([] if method.verdict != "undecided" else [_undecided(method, growth.unit)]),
        f"    {'group':<8}{'prediction':>11}"
        + "".join(f"{f'{growth.unit} {size:g}':>11}" for size in method.sizes)
        + f"{'limit':>11}{'± 95 %':>9}{'z':>6}{f'C in {growth.leading}':>13}{'± 95 %':>9}",
    ]
    for g, name in enumerate(names):
        lines.append(
            f"    {name:<8}{method.prediction[g]:11.4f}"
            + "".join(f"{gap:+11.4f}" for gap in method.gaps[:, g])
            + f"{method.extrapolated[g]:+11.4f}{method.half_width[g]:9.4f}{method.z[g]:+6.1f}"
            + f"{method.allowance.coefficient[g]:+13.2f}{method.allowance.half_width[g]:9.2f}"
        )
    return lines


def _undecided(method: MethodAgreement, unit: str) -> str:
    rate = "" if method.exponent is None else f" and accuracies approach as {unit}^{method.exponent.value:.2f}"
    return (
        f"    at {unit} = {min(method.sizes):g} heads differ by {method.distance:.0%}{rate}: what is left in the limit "
        f"may be the remainder of the extrapolation (beyond it p = {method.p_beyond:.2g})"
    )


def _rate(power: Exponent, unit: str) -> str:
    if power.low is None and power.high is None:
        return f"gaps are too small against their errors to tell how they shrink with {unit}"
    low, high = ("unknown" if end is None else f"{end:.2f}" for end in (power.low, power.high))
    return f"gaps shrink as a power of {unit}: exponent {power.value:.2f}, 95 % interval {low} to {high}"


def _value(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
