"""One process at a time writes to a results folder.

The lock is SQLite's own write lock on a small file, so it works the same on every system and falls away by itself when
its holder dies, however it dies. While it is held others can still read from the file who holds it.
"""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import StoreError, reported

FILE = "sweep.lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder; StoreError naming the process and host that hold it already."""
    path = folder / FILE
    with reported(path):
        connection = sqlite3.connect(path, isolation_level=None, timeout=0.0)
    try:
        with reported(path):
            _take(connection, folder)
            connection.execute("DROP TABLE IF EXISTS holder")
            connection.execute("CREATE TABLE holder (pid INTEGER, host TEXT)")
            connection.execute("INSERT INTO holder VALUES (?, ?)", (os.getpid(), socket.gethostname()))
            connection.execute("COMMIT")
            # The name must be committed to be seen, so the lock is let go and taken again at once.
            _take(connection, folder)
        yield
    finally:
        connection.close()


def holder(folder: Path) -> tuple[int, str] | None:
    """(process id, host) of the last process that held the folder; None where none did."""
    path = folder / FILE
    if not path.exists():
        return None
    with reported(path):
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=1.0)
        try:
            row = connection.execute("SELECT pid, host FROM holder").fetchone()
        except sqlite3.OperationalError:  # between the making of the file and its first commit
            return None
        finally:
            connection.close()
    return row


def _take(connection: sqlite3.Connection, folder: Path) -> None:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise
        known = holder(folder)
        who = f"process {known[0]} on {known[1]}" if known else "another process"
        raise StoreError(f"{folder} is being written by {who}; wait for it, or choose another --out") from None
