"""An attribution: a split gain told in words, as a table for a terminal, and as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from math import isinf
from typing import Any

import numpy as np

from .dominance import DOMINANCE, SMALLEST_GAIN
from .effects import Effect
from .factorial import SWITCHES
from .split import Split, Verdict

MEANING: dict[Verdict, str] = {
    "balance": (
        f"balance carries the gain: it is more than {DOMINANCE:g} times what uncollapsed held-out features contribute"
    ),
    "collapse": (
        f"uncollapsed held-out features carry the gain: they contribute more than {DOMINANCE:g} times what balance does"
    ),
    "both": f"both carry the gain, neither more than {DOMINANCE:g} times the other",
    "balance more than collapse": (
        "balance contributes more than uncollapsed held-out features do; whether more than "
        f"{DOMINANCE:g} times as much is undecided"
    ),
    "collapse more than balance": (
        "uncollapsed held-out features contribute more than balance does; whether more than "
        f"{DOMINANCE:g} times as much is undecided"
    ),
    "neither": "neither: sample size or solver carry more than balance and collapse together",
    "interaction larger than either": (
        "the interaction of balance and collapse is larger than either, so the gain belongs to the pair"
    ),
    "no gain to split": f"no gain to split: it does not exceed {SMALLEST_GAIN:g}",
    "undecided": "undecided: the intervals do not single out a cause; more replicates may",
}

NOTHING = "0 by construction"


@dataclass(frozen=True, eq=False)
class Attribution(Split):
    """Why the worst-group accuracy of one method differs from ERM's: the numbers of a `Split`, and their telling."""

    @property
    def sentence(self) -> str:
        """Gain, parts with intervals, and the verdict, which `verdict_of` reads from the intervals."""
        where = self._replicates_told if self.side == "simulation" else f"{self.limit} limit"
        if self.replicates == 0:
            return f"{self.label} against {self.baseline}: no split, because a cell has no head ({self.failure})."
        if not self.effects:
            return f"{self.label} coincides with {self.baseline} in every switch ({where}): no gain to split."
        gain = self.gain
        verb = "gains" if gain.mean > 0 else "does not gain:"
        halves = {name: self.effects[name] for name in SWITCHES[:2] if name in self.effects}
        inside = ", ".join(f"{name} {effect.mean:+.3f}" for name, effect in halves.items())
        parts = [f"balance {self.balance} ({inside})" if halves else f"balance {NOTHING}"]
        parts += [f"{name} {self.effects.get(name, NOTHING)}" for name in SWITCHES[2:]]
        parts += [f"{name} {effect}" for name, effect in self.effects.items() if name not in SWITCHES]
        return (
            f"{self.label} {verb} {gain} worst-group accuracy over {self.baseline} "
            f"({where}; direction {gain.direction_part:+.3f}, bias {gain.bias_part:+.3f}): {', '.join(parts)}. "
            f"Verdict: {MEANING[self.verdict]}."
        )

    @property
    def _replicates_told(self) -> str:
        if self.paired is None:
            return f"{self.replicates} replicates"
        return f"{self.replicates} paired replicates" if self.paired else f"{self.replicates} replicates, not paired"

    def table(self) -> str:
        """Plain text: Shapley values with intervals, their direction and bias parts, main effects, interactions."""
        title = f"{self.label} against {self.baseline}: {self.side}, {self.limit}"
        if self.side == "simulation":
            title += f", {self._replicates_told}"
        lines = [title]
        if self.failure:
            lines.append(f"  {self.failed} replicates left out; {self.failure}")
        if self.replicates and self.effects:
            spread = "" if self.side == "prediction" else f"{'95 % interval':>20}"
            lines.append(f"  {'':<14}{'Shapley':>9}{spread}{'direction':>11}{'bias':>9}{'main':>9}")
            lines += [_line(name, effect, self.main_effects.get(name)) for name, effect in self.effects.items()]
            lines += [_line("gain", self.gain), _line("balance", self.balance)]
            if self.largest_interaction is not None:
                names, effect = self.largest_interaction
                lines.append(f"  balance x collapse interaction {self.balance_by_collapse}")
                lines.append(f"  largest interaction {effect}: {' x '.join(names)}")
        lines += [f"  {name} left out: {reason}" for name, reason in self.left_out.items()]
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """One JSON-ready object: the split, its interactions and its cells; only the reason where there is no split."""
        told: dict[str, Any] = {
            "method": self.label,
            "baseline": self.baseline,
            "side": self.side,
            "limit": self.limit,
            "replicates": self.replicates,
            "paired": self.paired,
            "failed": self.failed,
            "left_out": dict(self.left_out),
            "notes": list(self.notes),
            "verdict": self.verdict,
            "sentence": self.sentence,
        }
        if self.failure:
            told["failure"] = self.failure
        if self.replicates == 0:
            return told
        return told | {
            "gain": self.gain.to_dict(),
            "balance": self.balance.to_dict(),
            "shapley": {name: effect.to_dict() for name, effect in self.effects.items()},
            "main_effects": {name: effect.to_dict() for name, effect in self.main_effects.items()},
            "interactions": {" x ".join(names): effect.to_dict() for names, effect in self.interactions.items()},
            "balance_by_collapse": self.balance_by_collapse.to_dict(),
            "cells": self._cell_rows(),
        }

    def rows(self) -> list[dict[str, Any]]:
        """One flat dict an effect: a switch, `averaging`, `balance` or `gain`; without an interval `low` is None."""
        if self.replicates == 0:
            return []
        told = []
        for name, effect in {**self.effects, "balance": self.balance, "gain": self.gain}.items():
            low, high = effect.interval
            told.append(
                {
                    "method": self.label,
                    "baseline": self.baseline,
                    "side": self.side,
                    "limit": self.limit,
                    "replicates": self.replicates,
                    "effect": name,
                    "mean": effect.mean,
                    "low": None if isinf(low) else low,
                    "high": None if isinf(high) else high,
                    "direction_part": effect.direction_part,
                    "bias_part": effect.bias_part,
                }
            )
        return told

    def _cell_rows(self) -> list[dict[str, Any]]:
        """One dict a cell: the setting (0 or 1) of each switch that differs, and mean accuracies over replicates."""
        return [
            {
                "switches": dict(zip(self.switches, map(int, bits), strict=True)),
                "wga": float(self.cells.worst_accuracy[bits].mean()),
                "direction_wga": float(self.cells.direction_wga[bits].mean()),
                "group_accuracy": self.cells.group_accuracy[bits].mean(axis=0).tolist(),
            }
            for bits in np.ndindex(self.cells.direction_wga.shape[:-1])
        ]

    def __str__(self) -> str:
        return f"{self.table()}\n  {self.sentence}"


def _line(name: str, effect: Effect, main: Effect | None = None) -> str:
    low, high = effect.interval
    spread = "none" if isinf(low) else f"[{low:+.4f}, {high:+.4f}]"
    return (
        f"  {name:<14}{effect.mean:+9.4f}"
        + ("" if effect.exact else f"{spread:>20}")
        + f"{effect.direction_part:+11.4f}{effect.bias_part:+9.4f}"
        + (f"{main.mean:+9.4f}" if main is not None else "")
    )
