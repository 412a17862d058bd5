"""What goes wrong with a results folder, in the words of the person who owns it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class StoreError(RuntimeError):
    """A results folder that cannot be used as asked; the message names it and says what to do."""


_MEANINGS = (
    ("disk is full", "the disk is full; free some space and run the same command to go on"),
    ("readonly", "cannot be written; it, or its folder, is read-only"),
    ("unable to open", "cannot be opened; check that the folder exists and may be read and written"),
    ("not a database", "is damaged or is not a results file; move the folder away and run the sweep again"),
    ("malformed", "is damaged; `sqlite3 FILE .recover` saves what can be read, then run the sweep again"),
    ("disk i/o error", "the disk reports an error"),
    ("no such table", "is not a results file of llrsim"),
    ("locked", "is locked by another process; wait for it, then run the same command"),
)


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """Turn SQLite's errors on the file into a StoreError; what was committed stays committed."""
    try:
        yield
    except sqlite3.Error as error:
        text = str(error).lower()
        meaning = next((words for sign, words in _MEANINGS if sign in text), "cannot be used")
        raise StoreError(f"{path}: {meaning} ({error})") from error
