"""What is raised and warned about experiment descriptions, and the statements that checks are made of.

The comparisons of checks are written so that NaN fails them.
"""

import math
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from .._arguments import shown


class ExperimentError(ValueError):
    """A description that cannot be an experiment; the message names the key, its value and what is accepted."""


class EmptyGroupWarning(UserWarning):
    """A group without rows: it takes no part in a fit and subsets leave it out; it is still read out."""


def suggestion(wrong: str, accepted: Iterable[str], prefix: str = "") -> str:
    """`"; did you mean x?"` with the closest accepted name behind `prefix`, or an empty string.

    >>> suggestion("proportion", ["n", "proportions"], "train.")
    '; did you mean train.proportions?'
    """
    close = get_close_matches(wrong, list(accepted), n=1, cutoff=0.6)
    return f"; did you mean {prefix}{close[0]}?" if close else ""


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
    values = value if isinstance(value, tuple) else (value,)
    require(all(low <= item <= high and item < math.inf for item in values), key, value, accepted)


def require_length(key: str, value: tuple[Any, ...], count: int) -> None:
    """Raise ExperimentError unless there is one entry per group."""
    require(len(value) == count, key, value, f"a list of {count}, one per group")
