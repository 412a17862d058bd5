"""A row of the table: its name, what it is compared with, and how its two sides are made ready."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from .pairs import Sides


class Row(NamedTuple):
    """A measurement to make.

    Attributes:
        name, reference: as the table shows them; with `name`, sizes included, two records find each other's rows.
        sides: builds what is timed, outside of the clock; its argument is a folder to write into.
        needs: the distribution that the reference is from, where it is none of llrsim's own dependencies.
    """

    name: str
    reference: str
    sides: Callable[[Path], Sides]
    needs: str = ""

    @property
    def lacking(self) -> str:
        """Why the row cannot be measured here; "" where it can."""
        if not self.needs:
            return ""
        try:
            version(self.needs)
        except PackageNotFoundError:
            return f"{self.needs} is not installed"
        return ""
