"""Two records side by side: which ratios changed, and whether by more than either's own spread."""

from __future__ import annotations

from typing import Any, NamedTuple

from .pairs import Quartiles
from .record import Record

NOTED = 0.10
"""Relative change of a ratio that is worth a line in a changelog."""


class Change(NamedTuple):
    """A measurement in two records; None where one has it not."""

    name: str
    before: Quartiles | None
    now: Quartiles | None

    @property
    def relative(self) -> float | None:
        """Change of the median ratio over what it was: 0.2 is a fifth faster; None where one side is missing."""
        return None if self.before is None or self.now is None else self.now.median / self.before.median - 1

    @property
    def noted(self) -> bool:
        """A change of more than `NOTED`, by which the intervals between quartiles have come apart."""
        if self.before is None or self.now is None or self.relative is None:
            return False
        return abs(self.relative) > NOTED and not self.before.overlaps(self.now)


def changes(before: Record, now: Record) -> tuple[Change, ...]:
    """Every measurement of either record, in the order of the new one, those that are gone last."""
    old, new = ({row.name: row.ratio for row in record.rows} for record in (before, now))
    return tuple(Change(name, old.get(name), new.get(name)) for name in new | old)


def other_surroundings(before: Record, now: Record) -> list[str]:
    """A line for each thing but the commit in which the two ran on something else."""
    old, new = (_told(record.environment) for record in (before, now))
    return [f"{key}: {old.get(key)}, now {new.get(key)}" for key in new | old if old.get(key) != new.get(key)]


def _told(environment: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in environment.items() if key not in ("git", "llrsim")}
