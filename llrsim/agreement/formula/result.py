"""The result of judging a formula: a verdict for every cell, and the smallest cell in which it fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...experiment import Grid
from ...mixture import Array
from ...outcome import Limit, plain
from ...planning import plan
from .claim import Claim
from .judging import Judgement, Verdict
from .telling import told

if TYPE_CHECKING:
    from ...experiment import Experiment


@dataclass(frozen=True, eq=False)
class FormulaCell:
    """One cell of the grid: its index, axes and experiment, what the formula claims, and what was found.

    `sizes` are those that were simulated: d, n/d, or nan for the cell as it is.
    """

    index: int
    axes: dict[str, Any]
    experiment: Experiment
    sizes: tuple[float, ...]
    claim: Claim
    judgement: Judgement

    @property
    def verdict(self) -> Verdict:
        """Whether the formula agrees here."""
        return self.judgement.verdict

    @property
    def gap(self) -> Array:
        """Found less claimed, shaped as the claim's accuracy."""
        return self.judgement.found - self.claim.accuracy

    @property
    def rows_by_columns(self) -> int:
        """Numbers in its designs, by which cells are small or large."""
        resolved = plan(self.experiment)
        return sum(int(sample.counts.sum()) for sample in resolved.samples) * (1 + self.experiment.noise_dim)


@dataclass(frozen=True, eq=False)
class FormulaAgreement:
    """The verdicts over a grid.

    Attributes:
        name: the experiment.
        formula: the formula's name, `method` whose accuracies it is for.
        against: "simulation" or "predict".
        limit: that it was judged in.
        eps: largest difference that is none.
        false_alarm: probability of any wrong verdict over all cells.
        group_names: of the groups.
        grid: of the experiment, and the `cells` of it that were judged.
        seed: of the simulations; None against "predict".
    """

    name: str
    formula: str
    method: str
    against: str
    limit: Limit
    eps: float
    false_alarm: float
    group_names: tuple[str, ...]
    grid: Grid
    cells: tuple[FormulaCell, ...]
    seed: int | None

    @property
    def verdict(self) -> Verdict:
        """Agrees everywhere, disagrees somewhere, or undecided."""
        verdicts = {cell.verdict for cell in self.cells}
        if "disagrees" in verdicts:
            return "disagrees"
        return "undecided" if "undecided" in verdicts else "agrees"

    @property
    def agrees(self) -> bool:
        """Whether it agrees in all cells."""
        return self.verdict == "agrees"

    @property
    def failing(self) -> Experiment | None:
        """The smallest experiment in which the formula disagrees, with no other methods than it needs; None without.

        Smallest is the one with the fewest numbers in its samples, then the one of the largest difference.
        """
        wrong = [cell for cell in self.cells if cell.verdict == "disagrees"]
        if not wrong:
            return None
        least = min(wrong, key=lambda cell: (cell.rows_by_columns, -float(abs(cell.gap).max())))
        return _with_only(least.experiment, self.method)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: the verdict, every cell's with its intervals, and the smallest failing experiment as TOML."""
        failing = self.failing
        return {
            "name": self.name,
            "formula": self.formula,
            "method": self.method,
            "against": self.against,
            "limit": self.limit,
            "verdict": self.verdict,
            "eps": self.eps,
            "false_alarm": self.false_alarm,
            "seed": self.seed,
            "cells": [self._cell(cell) for cell in self.cells],
            "failing": failing and failing.to_toml(),
        }

    def _cell(self, cell: FormulaCell) -> dict[str, Any]:
        found = cell.judgement
        columns = {"claimed": cell.claim.accuracy, "found": found.found, "low": found.low, "high": found.high}
        of = self.group_names if cell.claim.of_groups else ("wga",)
        return {
            "axes": cell.axes,
            "sizes": plain(cell.sizes),
            "verdict": cell.verdict,
            "reason": found.reason or None,
            "draws": found.draws,
            "looks": found.looks,
            "accuracies": {
                name: {column: plain(values[g]) for column, values in columns.items()} for g, name in enumerate(of)
            },
        }

    def __repr__(self) -> str:
        return told(self)


def _with_only(experiment: Experiment, label: str) -> Experiment:
    """The experiment with one method and those that it refers to."""
    needed = {label}
    for method in reversed(experiment.method):
        if method.label in needed:
            control = method.control.of if method.control else None
            needed |= {other for other in (method.start, method.against, method.angle_to, control) if other}
    return experiment.replace(method=tuple(method for method in experiment.method if method.label in needed))
