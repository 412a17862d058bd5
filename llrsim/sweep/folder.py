"""A results folder: what it may hold, one writer at a time, and what goes wrong with it in its owner's words.

A folder holds everything an experiment says but its name, its study, its replicates and its grid. Replicates and axes
may grow; rows are keyed by law and method, so what was computed before stays of use. Any other change makes another
sweep, which needs another folder.

The lock is SQLite's own write lock on a small file, so it works the same on every system and falls away by itself when
its holder dies, however it dies. While it is held others can still read from the file who holds it.
"""

from __future__ import annotations

import os
import re
import socket
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from ..experiment import Experiment


class StoreError(RuntimeError):
    """A results folder that cannot be used as asked; the message names it and says what to do."""


_TORN = (
    "is damaged, and cannot be read to its end; `sqlite3 FILE .recover | sqlite3 NEW` saves what can be read: put NEW "
    "in place of FILE, then `llrsim verify DIR --mend`, and run the sweep again"
)

_MEANINGS = (
    ("disk is full", "the disk is full; free some space and run the same command to resume"),
    ("readonly", "cannot be written; it, or its folder, is read-only"),
    ("unable to open", "cannot be opened; check that the folder exists and may be read and written"),
    ("not a database", "is damaged or is not a results file; move the folder away and run the sweep again"),
    ("malformed", _TORN),
    ("no such column", _TORN),
    ("decode", "is damaged; `llrsim verify` tells where"),
    ("disk i/o error", "the disk reports an error"),
    ("no such table", "is not a results file of llrsim"),
    ("locked", "is locked by another process; wait for it, then run the same command"),
)


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors on the file into a StoreError; what was committed stays committed."""
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        text = str(error).lower()
        meaning = next((words for sign, words in _MEANINGS if sign in text), "cannot be used")
        raise StoreError(f"{path}: {meaning} ({error})") from error


STRANGE = (
    ValueError, LookupError, TypeError, ArithmeticError, AttributeError, AssertionError, RecursionError,
    msgspec.MsgspecError, struct.error,
)  # fmt: skip
"""What reading numbers that llrsim did not write, or not so, may end in."""


@contextmanager
def foreign_content(folder: Path) -> Iterator[None]:
    """Turn what strange content of a folder ends in into a StoreError; whoever reads a folder reads anyone's."""
    try:
        yield
    except STRANGE as error:
        raise StoreError(
            f"{folder}: holds what this llrsim did not write ({type(error).__name__}: {str(error)[:200]})"
        ) from error


NUMERICS = 6
"""Version of the numbers: raised whenever the same row would come out differently, so that rows never mix."""

ABSENT = "(not there)"


def fixed_keys(experiment: Experiment) -> dict[str, Any]:
    """Dotted path -> value of everything that a folder fixes; methods by label."""
    tables = msgspec.to_builtins(experiment)
    tables["method"] = {method["name"]: method for method in tables["method"]}
    del tables["name"], tables["study"]
    for key in ("replicates", "grid", "zip"):
        del tables["sweep"][key]
    return dict(_flat(tables, ""))


def folder_name(experiment: Experiment) -> str:
    """The name of the sweep and eight digits of what the folder fixes."""
    from ..experiment import Sweep

    name = re.sub(r"[^\w.-]+", "-", experiment.name).strip(".-") or "sweep"
    fixed = experiment.replace(sweep=Sweep(seed=experiment.sweep.seed, simulator=experiment.sweep.simulator))
    return f"{name}-{fixed.hash[:8]}"


def check_same_sweep(folder: Path, stored: Experiment, asked: Experiment) -> None:
    """StoreError with a diff where the folder holds another sweep."""
    if lines := differing_keys(stored, asked, words=("stored", "asked")):
        raise StoreError(
            f"{folder} holds another sweep; nothing was changed. Only sweep.replicates and the grid may grow. "
            "Choose another --out, or undo:\n" + "\n".join(lines)
        )


def differing_keys(one: Experiment, other: Experiment, *, words: tuple[str, str]) -> list[str]:
    """A line for each key that a folder fixes in which two experiments differ; `words` say which is which."""
    before, after = fixed_keys(one), fixed_keys(other)
    return [
        f"  {key}: {words[0]} {before.get(key, ABSENT)}, {words[1]} {after.get(key, ABSENT)}"
        for key in before | after
        if before.get(key, ABSENT) != after.get(key, ABSENT)
    ]


def _flat(value: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _flat(item, f"{prefix}.{key}" if prefix else key)
    else:
        yield prefix, value


LOCK = "sweep.lock"


_NAMES_ANOTHER_FILE = bytes.fromhex("d9d505f920a163d7")  # the end of a journal that does; SQLite deletes that file


def check_inside(path: Path) -> None:
    """StoreError where opening a database to write to it could reach out of its folder.

    A file of it may be a link, and its journal may name another database's, which SQLite deletes when it rolls back.
    """
    for file in (path, *(path.with_name(path.name + end) for end in ("-journal", "-wal", "-shm"))):
        if file.is_symlink():
            raise StoreError(
                f"{file}: is a link, and results are not written through links; remove it, or choose another --out"
            )
    journal = path.with_name(path.name + "-journal")
    if journal.is_file() and _end_of(journal) == _NAMES_ANOTHER_FILE:
        raise StoreError(f"{journal}: names a file of another database, as none of llrsim does; choose another --out")


def _end_of(file: Path) -> bytes:
    with file.open("rb") as content:
        content.seek(max(0, file.stat().st_size - len(_NAMES_ANOTHER_FILE)))
        return content.read(len(_NAMES_ANOTHER_FILE))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder; StoreError naming the process and host that hold it already."""
    path = folder / LOCK
    check_inside(path)
    with sqlite_errors(path):
        # Who looks at the holder keeps a commit waiting for a moment.
        connection = sqlite3.connect(path, isolation_level=None, timeout=1.0)
    try:
        with sqlite_errors(path):
            _take(connection, folder)
            connection.execute("DROP TABLE IF EXISTS holder")
            connection.execute("CREATE TABLE holder (pid INTEGER, host TEXT)")
            connection.execute("INSERT INTO holder VALUES (?, ?)", (os.getpid(), socket.gethostname()))
            connection.execute("COMMIT")
            # The name must be committed to be seen, so the lock is let go and taken again at once.
            _take(connection, folder)
        try:
            yield
        finally:
            with suppress(sqlite3.Error):  # of a process that ends without this the number is left, and tells
                connection.execute("DELETE FROM holder")
                connection.execute("COMMIT")
    finally:
        connection.close()


def holder(folder: Path) -> tuple[int, str] | None:
    """(process id, host) of the process that holds the folder, or died while it did; None without one."""
    path = folder / LOCK
    if not path.exists():
        return None
    with sqlite_errors(path):
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=1.0)
        try:
            row = connection.execute("SELECT pid, host FROM holder").fetchone()
        except sqlite3.OperationalError:  # between the making of the file and its first commit
            return None
        finally:
            connection.close()
    return row


def is_held(folder: Path) -> bool | None:
    """Whether a process holds the folder now; None where that cannot be seen, as on another host.

    The lock itself is not tried: that would open it to write, which a reader of anyone's folder must not.
    """
    known = holder(folder)
    if known is None:
        return False
    pid, host = known
    # Elsewhere than on POSIX signal 0 is not a question but a signal.
    if os.name != "posix" or host != socket.gethostname() or not isinstance(pid, int) or pid < 1:
        return None
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def _take(connection: sqlite3.Connection, folder: Path) -> None:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise
        known = holder(folder)
        who = f"process {known[0]} on {known[1]}" if known else "another process"
        raise StoreError(f"{folder} is being written by {who}; wait for it, or choose another --out") from None


_NETWORK = ("nfs", "cifs", "smb", "lustre", "gpfs", "beegfs", "ceph", "glusterfs", "afs", "fuse.sshfs", "9p")


def is_network(folder: Path, mounts: Path = Path("/proc/self/mounts")) -> bool:
    """Whether the folder is on a network file system; False where the system does not list its mounts."""
    try:
        lines = [line.split() for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        return False
    place = folder.resolve()
    points = [(fields[1].replace("\\040", " "), fields[2]) for fields in lines if len(fields) > 2]
    holding = [(len(point), kind) for point, kind in points if place.is_relative_to(point)]
    return bool(holding) and max(holding)[1].startswith(_NETWORK)
