"""An attribution as plain data: one JSON-ready object, or flat rows."""

from __future__ import annotations

from math import isinf
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .attribution import Attribution


def as_dict(split: Attribution) -> dict[str, Any]:
    """The split, its interactions and the table of cells; without replicates only why there is no split."""
    told: dict[str, Any] = {
        "method": split.label,
        "baseline": split.baseline,
        "side": split.side,
        "limit": split.limit,
        "replicates": split.replicates,
        "failed": split.failed,
        "left_out": dict(split.left_out),
        "notes": list(split.notes),
        "verdict": split.verdict,
        "sentence": split.sentence,
    }
    if split.failure:
        told["failure"] = split.failure
    if split.replicates == 0:
        return told
    return told | {
        "gain": split.gain.to_dict(),
        "balance": split.balance.to_dict(),
        "shapley": {name: effect.to_dict() for name, effect in split.effects.items()},
        "main_effects": {name: effect.to_dict() for name, effect in split.main_effects.items()},
        "interactions": {" x ".join(names): effect.to_dict() for names, effect in split.interactions.items()},
        "balance_by_collapse": split.balance_by_collapse.to_dict(),
        "cells": cells(split),
    }


def cells(split: Attribution) -> list[dict[str, Any]]:
    """One dict a cell: the setting (0 or 1) of each switch that differs, and accuracies averaged over replicates."""
    return [
        {
            "switches": dict(zip(split.switches, map(int, bits), strict=True)),
            "wga": float(split.cells.wga[bits].mean()),
            "direction_wga": float(split.cells.direction_wga[bits].mean()),
            "group_accuracy": split.cells.group_accuracy[bits].mean(axis=0).tolist(),
        }
        for bits in np.ndindex(split.cells.wga.shape[:-1])
    ]


def rows(split: Attribution) -> list[dict[str, Any]]:
    """One flat dict an effect; `low` and `high` are None for a single replicate."""
    if split.replicates == 0:
        return []
    told = []
    for name, effect in {**split.effects, "balance": split.balance, "gain": split.gain}.items():
        low, high = effect.interval
        told.append(
            {
                "method": split.label,
                "baseline": split.baseline,
                "side": split.side,
                "limit": split.limit,
                "replicates": split.replicates,
                "effect": name,
                "mean": effect.mean,
                "low": None if isinf(low) else low,
                "high": None if isinf(high) else high,
                "direction_part": effect.direction_part,
                "bias_part": effect.bias_part,
                "of_means": effect.of_means,
            }
        )
    return told
