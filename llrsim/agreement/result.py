"""The result of a size study: for every method in every cell the differences, their extrapolation, the verdict."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np

from ..mixture import Array

Verdict = Literal["agrees", "disagrees", "no prediction", "no simulation"]


@dataclass(frozen=True, eq=False)
class MethodAgreement:
    """One method in one cell; differences are simulation minus prediction.

    Attributes:
        label: the method.
        own_ratio: rows the method uses over d in the experiment itself, and `own_gap` (G,) the difference there.
        ratios: (N,) n/d of the size study, and `gaps` (N, G) the differences of group accuracies there.
        extrapolated: (G,) difference at d/n = 0, with `standard_error` (G,).
        prediction: (G,) predicted group accuracies.
        z: (G,) extrapolated / standard_error.
        wga_z: the same for the worst group, chosen on a first quarter of the replicates and judged on the rest.
        p_value: for the method in this cell, before Holm's correction; nan when it cannot be judged.
        verdict: after the correction.
    """

    label: str
    own_ratio: float
    own_gap: Array
    ratios: Array
    gaps: Array
    extrapolated: Array
    standard_error: Array
    prediction: Array
    z: Array
    wga_z: float
    p_value: float
    verdict: Verdict


@dataclass(frozen=True, eq=False)
class CellAgreement:
    """One cell of the grid: its axes and its methods."""

    axes: dict[str, Any]
    methods: tuple[MethodAgreement, ...]


@dataclass(frozen=True, eq=False)
class Agreement:
    """The verdict over all cells, with what it rests on."""

    name: str
    limit: str
    replicates: int
    false_alarm: float
    group_names: tuple[str, ...]
    cells: tuple[CellAgreement, ...]

    @property
    def judged(self) -> list[MethodAgreement]:
        """Every method in every cell that has both a prediction and a simulation."""
        return [method for cell in self.cells for method in cell.methods if np.isfinite(method.p_value)]

    @property
    def agrees(self) -> bool:
        """Whether something was judged and nothing disagrees."""
        return bool(self.judged) and all(method.verdict == "agrees" for method in self.judged)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: the verdict and, for every cell and method, gaps, extrapolation, z and p-value."""
        return {
            "name": self.name,
            "limit": self.limit,
            "agrees": self.agrees,
            "replicates": self.replicates,
            "false_alarm": self.false_alarm,
            "groups": list(self.group_names),
            "cells": [
                {
                    "axes": cell.axes,
                    "methods": {method.label: _entries(method) for method in cell.methods},
                }
                for cell in self.cells
            ],
        }

    def __str__(self) -> str:
        lines = [f"{self.name}: simulation against prediction, {self.limit} limit, {self.replicates} replicates a size"]
        for cell in self.cells:
            where = ", ".join(f"{key} = {value:.4g}" for key, value in cell.axes.items()) or "as given"
            lines += ["", f"cell: {where}"]
            for method in cell.methods:
                lines += self._describe(method)
        verdict = "agrees" if self.agrees else ("disagrees" if self.judged else "nothing could be judged")
        wrong = sum(method.verdict == "disagrees" for method in self.judged)
        lines += [
            "",
            f"{self.limit} limit: {verdict} ({len(self.judged) - wrong} of {len(self.judged)} methods x cells; "
            f"family-wise false alarm {self.false_alarm:g})",
        ]
        return "\n".join(lines)

    def _describe(self, method: MethodAgreement) -> list[str]:
        if not np.isfinite(method.p_value):
            return [f"  {method.label:<14} {method.verdict}"]
        worst = int(np.abs(method.own_gap).argmax())
        lines = [
            f"  {method.label:<14} {method.verdict} in the limit, p = {method.p_value:.2g}, "
            f"worst group z = {method.wga_z:+.1f}",
            f"    at its own n/d = {method.own_ratio:.3g}: outside the {self.limit} limit, largest gap "
            f"{method.own_gap[worst]:+.4f} in group {self.group_names[worst]}",
            f"    {'group':<8}{'prediction':>11}"
            + "".join(f"{f'n/d {ratio:g}':>11}" for ratio in method.ratios)
            + f"{'limit':>11}{'± 95 %':>9}{'z':>6}",
        ]
        for g, name in enumerate(self.group_names):
            lines.append(
                f"    {name:<8}{method.prediction[g]:11.4f}"
                + "".join(f"{gap:+11.4f}" for gap in method.gaps[:, g])
                + f"{method.extrapolated[g]:+11.4f}{1.96 * method.standard_error[g]:9.4f}{method.z[g]:+6.1f}"
            )
        return lines


def _entries(method: MethodAgreement) -> dict[str, Any]:
    """The fields as JSON has them: lists for arrays, None for nan."""

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return [plain(entry) for entry in value.tolist()]
        if isinstance(value, list):
            return [plain(entry) for entry in value]
        return None if isinstance(value, float) and not np.isfinite(value) else value

    return {field.name: plain(getattr(method, field.name)) for field in fields(method)}
