"""The result of a size study: for every method in every cell the differences, their extrapolation, the verdict."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, Self

import numpy as np

from ..mixture import Array
from ..outcome import plain
from .growth import Growth
from .statistics import Allowance, Exponent, exponent
from .telling import told

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
