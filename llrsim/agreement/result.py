"""Hold the result of a size study, and show it in a terminal."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, Self

import numpy as np

from ..model.mixture import Array
from ..outcome import plain
from ..statistics import Allowance, Exponent, exponent
from .growth import Growth

# The result of a size study: for every method in every cell the differences, their extrapolation, the verdict.


Verdict = Literal["agrees", "disagrees", "undecided", "no prediction", "no simulation"]


@dataclass(frozen=True, eq=False)
class MethodAgreement:
    """One method in one cell; differences are simulation minus prediction, in group accuracy.

    Attributes:
        label: the method.
        own_size: the size at which it stands in the experiment itself, and `own_gap` (G,) the difference there with
            the half width of its 95 % interval, `own_half_width` (G,).
        sizes: (N,) of the study, with `gaps` (N, G) there and their standard errors `gap_errors` (N, G).
        extrapolated: (G,) difference in the limit, with `standard_error` (G,) and `half_width` (G,) of 95 %.
        prediction: (G,) predicted group accuracies at the largest size.
        z: (G,) extrapolated / standard_error.
        allowance: C in gap = C / size for each group, and what is left of the gap at the largest size.
        exponent: p in gap = A size^p, over the groups together.
        worst_group: the group chosen as the worst on a first quarter of the replicates, and `worst_z` its
            extrapolated difference over its standard error on the rest.
        p_heads, p_groups, p_worst: of the heads jointly, of the groups' accuracies, of the worst group's.
        p_value: for the method in this cell, Bonferroni over these three and before Holm's correction over methods
            and cells; nan where nothing can be judged, as all other numbers are then.
        distance: largest difference of the heads at the least size, relative to the head, at most 1.
        p_beyond: as `p_value`, of what the differences have beyond the `remainder` of the extrapolation.
        verdict: after the correction: "disagrees" if p_beyond is rejected too, "undecided" if p_value alone is.
    """

    label: str
    own_size: float
    own_gap: Array
    own_half_width: Array
    sizes: Array
    gaps: Array
    gap_errors: Array
    extrapolated: Array
    standard_error: Array
    half_width: Array
    prediction: Array
    z: Array
    allowance: Allowance
    exponent: Exponent | None
    worst_group: int | None
    worst_z: float
    p_heads: float
    p_groups: float
    p_worst: float
    p_value: float
    distance: float
    p_beyond: float
    verdict: Verdict

    @classmethod
    def unjudged(cls, label: str, own_size: float, verdict: Verdict) -> Self:
        """A method that has no prediction or no simulation at one of the sizes."""
        none, nan = np.full(0, np.nan), float("nan")
        return cls(
            label=label, own_size=own_size, own_gap=none, own_half_width=none, sizes=none, gaps=none, gap_errors=none,
            extrapolated=none, standard_error=none, half_width=none, prediction=none, z=none,
            allowance=Allowance(none, none, none), exponent=None, worst_group=None, worst_z=nan,
            p_heads=nan, p_groups=nan, p_worst=nan, p_value=nan, distance=nan, p_beyond=nan,
            verdict=verdict,
        )  # fmt: skip

    @property
    def judged(self) -> bool:
        """Whether there were a prediction and a simulation to compare."""
        return bool(np.isfinite(self.p_value))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: every attribute, None for what is not there."""
        entries = {field.name: getattr(self, field.name) for field in fields(self)}
        entries["allowance"] = {name: plain(value) for name, value in self.allowance._asdict().items()}
        entries["exponent"] = self.exponent and self.exponent._asdict()
        return {name: plain(value) if _is_number(value) else value for name, value in entries.items()}


def _is_number(value: Any) -> bool:
    return isinstance(value, float | np.ndarray)


@dataclass(frozen=True, eq=False)
class CellAgreement:
    """One cell of the grid: its axes and its methods."""

    axes: dict[str, Any]
    methods: tuple[MethodAgreement, ...]


@dataclass(frozen=True, eq=False)
class Agreement:
    """The verdict over all cells, with what it rests on."""

    name: str
    growth: Growth
    replicates: int
    false_alarm: float
    group_names: tuple[str, ...]
    cells: tuple[CellAgreement, ...]
    seed: int

    @property
    def limit(self) -> str:
        """The limit that was judged."""
        return self.growth.limit

    @property
    def judged(self) -> list[MethodAgreement]:
        """Every method in every cell that has both a prediction and a simulation."""
        return [method for cell in self.cells for method in cell.methods if method.judged]

    @property
    def agrees(self) -> bool:
        """Whether something was judged and nothing disagrees."""
        return bool(self.judged) and all(method.verdict == "agrees" for method in self.judged)

    @property
    def verdict(self) -> str:
        """Over all that was judged: "disagrees" if something does, else "undecided" if something is, else "agrees"."""
        found = {method.verdict for method in self.judged}
        return next((one for one in ("disagrees", "undecided", "agrees") if one in found), "nothing could be judged")

    @property
    def exponent(self) -> Exponent | None:
        """p in gap = A size^p over all cells, whose draws are independent; None where nothing was judged."""
        studies = []
        for cell in self.cells:
            judged = [method for method in cell.methods if method.judged]
            if judged:  # the methods of a cell are fitted to the same draws
                gaps, errors = (np.hstack([getattr(m, name) for m in judged]) for name in ("gaps", "gap_errors"))
                studies.append((gaps, errors, 1.0 / judged[0].sizes))
        return exponent(studies) if studies else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: the verdict and, for every cell and method, gaps, extrapolation, z and p-values."""
        power = self.exponent
        return {
            "name": self.name,
            "limit": self.limit,
            "size": self.growth.unit,
            "agrees": self.agrees,
            "verdict": self.verdict,
            "replicates": self.replicates,
            "seed": self.seed,
            "false_alarm": self.false_alarm,
            "exponent": power and power._asdict(),
            "groups": list(self.group_names),
            "cells": [
                {
                    "axes": cell.axes,
                    "methods": {method.label: method.to_dict() for method in cell.methods},
                }
                for cell in self.cells
            ],
        }

    def __str__(self) -> str:
        return told(self)


# An agreement in words: what a terminal shows.


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
