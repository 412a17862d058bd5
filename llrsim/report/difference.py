"""In what an experiment differs from the preset whose study it names."""

from __future__ import annotations

from typing import Any

from ..experiment import Experiment, load, preset_names
from ..experiment.identity import canonical_json
from ..sweep.folder import ABSENT, fixed_keys

MOST = 8
"""Changes that are told one by one."""


def differences(experiment: Experiment) -> str:
    """Every change from the preset, in words; empty where there is none, or no such preset."""
    study = experiment.study
    if study is None or study.id not in preset_names():
        return ""
    preset = load(study.id)
    before, after = _keys(preset), _keys(experiment)
    changed = [key for key in before | after if before.get(key) != after.get(key)]
    told = [f"{key} ({_short(after.get(key, ABSENT))} for {_short(before.get(key, ABSENT))})" for key in changed]
    if len(told) > MOST:
        told[MOST:] = [f"and {len(told) - MOST} more"]
    if preset.study != study:
        told.insert(0, "the words of its study (a verdict applies the rule as llrsim words and codes it)")
    return f"{', '.join(told)}." if told else ""


def _keys(experiment: Experiment) -> dict[str, str]:
    """Every key with its value as JSON, in which lists and tuples are one."""
    sweep = experiment.sweep
    axes = {f"axis {axis.key}": axis.values for group in (sweep.grid, *sweep.zip) for axis in group}
    told: dict[str, Any] = fixed_keys(experiment) | {"sweep.replicates": sweep.replicates} | axes
    return {key: canonical_json(value) for key, value in told.items()}


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
