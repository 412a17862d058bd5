"""One run of the table as strict JSON, names, medians, quartiles and environment, so that commits can be compared."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import msgspec

from ..files import replace_file
from .pairs import Quartiles

FORMAT = 1
"""Version of the file's keys and of what they mean."""


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the machine can do: `rate` in `unit`."""

    name: str
    rate: Quartiles
    unit: str


class Measured(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A measurement.

    Attributes:
        name, reference: what was measured, and what it was compared with.
        ratio: of the reference's time to llrsim's over pairs, so that larger is faster.
        llrsim, reference_time: seconds a call.
        pairs: timings that the quartiles are over.
        amount, unit: what a call handles, and the unit of that a second; 0 and "" where there is only a time.
    """

    name: str
    reference: str
    ratio: Quartiles
    llrsim: Quartiles
    reference_time: Quartiles
    pairs: Annotated[int, msgspec.Meta(ge=1)]
    amount: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    unit: str = ""


class Skipped(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A measurement that this installation cannot make, and why."""

    name: str
    reference: str
    reason: str


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One run of the table; `environment` is as in `llrsim.sweep.provenance`."""

    format: int
    environment: dict[str, Any]
    limits: tuple[Limit, ...]
    rows: tuple[Measured, ...]
    skipped: tuple[Skipped, ...] = ()

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise ValueError(f"format = {self.format}: must be {FORMAT}, which this version of llrsim reads")
        for name, count in Counter(row.name for row in self.rows).items():
            if count > 1:
                raise ValueError(f"{name!r} is there {count} times; must be once")

    def write(self, path: Path) -> None:
        """Put the record into a file; OSError where that cannot be."""
        text = msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

        def write(unfinished: Path) -> None:
            unfinished.write_bytes(text)

        replace_file(path, write)


def read_record(path: Path) -> Record:
    """The record in a file; ValueError, which says what is wrong, for one that holds none."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Record)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: not a record of this benchmark: {error}") from error
