"""A run of a sweep as a row of a table; what a folder tells of it is read whole, before a page is begun."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from ..sweep.provenance import commit_of, processor_of

COLUMNS = ("run", "began (UTC)", "took", "workers", "llrsim", "commit", "processor")


class Run(NamedTuple):
    """The command of a run, and one text for each of COLUMNS; None where there is no commit."""

    command: str
    row: list[str | None]


def told(run: dict[str, Any]) -> Run:
    """What a page tells of a run as it is stored; whatever strange content ends in, where it is strange."""
    machine = run["environment"]
    numbers = [str(run["run"]), str(run["started"]), _took(run), str(run["jobs"])]
    return Run(str(run["command"] or ""), [*numbers, str(machine["llrsim"]), commit_of(machine), processor_of(machine)])


def _took(run: dict[str, Any]) -> str:
    if run["finished"] is None:
        return "not ended"
    seconds = (datetime.fromisoformat(run["finished"]) - datetime.fromisoformat(run["started"])).total_seconds()
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
