"""The statements that checks are made of; comparisons are written so that NaN fails them."""

import math
from typing import Any

from ..errors import ExperimentError, shown
from ..groups import per_group


def require(holds: bool, key: str, value: Any, accepted: str) -> None:
    """Raise ExperimentError unless the condition holds."""
    if not holds:
        raise ExperimentError(
            f"{key} = {shown(list(value) if isinstance(value, tuple) else value)}: must be {accepted}"
        )


def require_finite(key: str, value: Any) -> None:
    """Raise ExperimentError for a NaN or an infinity in a number or in nested lists of them."""
    if isinstance(value, tuple):
        for index, item in enumerate(value):
            require_finite(f"{key}[{index}]", item)
    else:
        require(math.isfinite(value), key, value, "a finite number")


def require_per_group(key: str, value: Any, count: int, low: float, high: float, accepted: str) -> None:
    """Raise ExperimentError unless a number, or a list of one per group, is finite and in [low, high]."""
    if isinstance(value, tuple):
        require_length(key, value, count)
    require(all(low <= item <= high and item < math.inf for item in per_group(value, 1)), key, value, accepted)


def require_length(key: str, value: tuple[Any, ...], count: int) -> None:
    """Raise ExperimentError unless there is one entry per group."""
    require(len(value) == count, key, value, f"a list of {count}, one per group")
