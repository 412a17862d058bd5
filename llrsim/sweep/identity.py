"""What a results folder may hold: everything an experiment says but its name, its replicates and its grid.

Replicates and axes may grow; rows are keyed by law and method, so what was computed before stays of use. Any other
change makes another sweep, which needs another folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from .errors import StoreError

if TYPE_CHECKING:
    from ..experiment import Experiment

NUMERICS = 1
"""Version of the numbers: raised whenever the same row would come out differently, so that rows never mix."""

ABSENT = "(not there)"


def fixed_keys(experiment: Experiment) -> dict[str, Any]:
    """Dotted path -> value of everything that a folder fixes; methods by label."""
    tables = msgspec.to_builtins(experiment)
    tables["method"] = {method["name"]: method for method in tables["method"]}
    del tables["name"]
    for key in ("replicates", "grid", "zip"):
        del tables["sweep"][key]
    return dict(_flat(tables, ""))


def folder_name(experiment: Experiment) -> str:
    """The name of the sweep and eight digits of what the folder fixes."""
    from ..experiment import Sweep

    name = re.sub(r"[^\w.-]+", "-", experiment.name).strip(".-") or "sweep"
    fixed = experiment.replace(sweep=Sweep(seed=experiment.sweep.seed, simulator=experiment.sweep.simulator))
    return f"{name}-{fixed.hash[:8]}"


def check_same(folder: Path, stored: Experiment, asked: Experiment) -> None:
    """StoreError with a diff where the folder holds another sweep."""
    before, after = fixed_keys(stored), fixed_keys(asked)
    changed = [key for key in before | after if before.get(key, ABSENT) != after.get(key, ABSENT)]
    if changed:
        lines = [f"  {key}: stored {before.get(key, ABSENT)}, asked {after.get(key, ABSENT)}" for key in changed]
        raise StoreError(
            f"{folder} holds another sweep; nothing was changed. Only sweep.replicates and the grid may grow. "
            "Choose another --out, or undo:\n" + "\n".join(lines)
        )


def _flat(value: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _flat(item, f"{prefix}.{key}" if prefix else key)
    else:
        yield prefix, value
