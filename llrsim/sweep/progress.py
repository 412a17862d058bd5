"""How far a sweep is: a bar where standard error is a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import sys
from datetime import timedelta
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

EVERY = 5.0  # seconds between plain lines


class SweepProgress:
    """Counts units and rows and shows cells done, rows a second and the time left; a context manager."""

    def __init__(self, cells: int, units_per_cell: int, *, shown: bool = True) -> None:
        self._cells = cells
        self._units_per_cell = units_per_cell
        self._shown = shown
        self._present = self._computed = self._rows = 0
        self._began = self._last_line = monotonic()
        self._bar: Progress | None = None
        if shown and sys.stderr.isatty():
            console = Console(stderr=True)
            self._bar = Progress(BarColumn(), TextColumn("{task.description}"), console=console, transient=True)
            self._task = self._bar.add_task("", total=cells * units_per_cell)

    def __enter__(self) -> SweepProgress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def start_clock(self) -> None:
        """The workers begin now: rates and times are counted from here."""
        self._began = self._last_line = monotonic()

    def present(self, units: int) -> None:
        """So many units were there already."""
        self._present += units

    def computed(self, units: int, rows: int) -> None:
        """So many units, of so many rows, were computed and committed."""
        self._computed += units
        self._rows += rows
        if self._bar is not None:
            self._bar.update(self._task, completed=self._present + self._computed, description=self.line())
        elif monotonic() - self._last_line >= EVERY:
            self._last_line = monotonic()
            self.say(self.line())

    def line(self) -> str:
        """For example `120 of 400 cells, 5300 rows/s, 0:01:32 left`."""
        done = self._present + self._computed
        total = self._cells * self._units_per_cell
        elapsed = max(monotonic() - self._began, 1e-9)
        left = timedelta(seconds=round(elapsed * (total - done) / self._computed)) if self._computed else "?"
        cells = min(done // self._units_per_cell, self._cells)
        return f"{cells} of {self._cells} cells, {self._rows / elapsed:.0f} rows/s, {left} left"

    def say(self, text: str) -> None:
        """A line of its own on standard error."""
        if not self._shown:
            return
        if self._bar is not None:
            self._bar.console.print(text, highlight=False, markup=False)
        else:
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()
