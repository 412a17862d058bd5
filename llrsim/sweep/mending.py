"""Taking damaged rows out of a results folder, so that its sweep computes them anew."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from .damage import all_rows, gone_rows
from .folder import StoreError, check_inside, locked, sqlite_errors
from .format import CHECKED, FILE
from .reader import Reader

_NETWORK = ("law", "seed", "numerics", "replicate")

# What goes with a damaged row, by its table: (table, the columns in which its rows are like the damaged one). A sweep
# computes a network with its rows and a mass with its prediction, and registers a cell with its methods.
_WITH: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "rows": (("rows", ("law", "method", "seed", "numerics", "replicate")),),
    "networks": (("networks", _NETWORK), ("rows", _NETWORK)),
    "predictions": (("predictions", ("law", "method", "numerics")),),
    "masses": (("masses", ("law", "method")), ("predictions", ("law", "method"))),
    "cells": (("cells", ("axes",)),),
    "cell_methods": (("cells", ("axes",)),),
    "methods": (("methods", ("method",)),),
    "runs": (("runs", CHECKED["runs"]),),
}
_ORPHANS = "DELETE FROM cell_methods WHERE cell NOT IN (SELECT cell FROM cells)"


def remove_damaged(folder: Path) -> int:
    """Take the damaged rows out, and what is computed together with them; returns how many rows are gone.

    So is what lacks a row that is written with it. The experiment stays, which the next sweep writes anew, and what a
    damaged run ran on is lost.

    Raises StoreError where the file's structure is damaged, or a process is writing to the folder.
    """
    path = folder / FILE
    with locked(folder):
        with Reader(folder, checked=False) as reader:
            if found := reader.integrity(1):
                raise StoreError(
                    f"{path}: its structure is damaged, not only rows ({found[0]}); `sqlite3 FILE .recover` saves what "
                    "can be read"
                )
            damaged = [(table, values) for table, values, whole in all_rows(reader) if not whole and table in _WITH]
        removed = _remove_all(path, damaged)
        with Reader(folder, checked=False) as reader:
            gone = list(gone_rows(reader))
        return removed + _remove_all(path, gone)


def _remove_all(path: Path, damaged: Iterable[tuple[str, Sequence[Any]]]) -> int:
    check_inside(path)
    with sqlite_errors(path), closing(sqlite3.connect(path)) as connection, connection:
        removed = sum(_remove(connection, table, values) for table, values in damaged)
        return removed + connection.execute(_ORPHANS).rowcount


def _remove(connection: sqlite3.Connection, table: str, damaged: Sequence[Any]) -> int:
    named = dict(zip(CHECKED[table], damaged, strict=True))
    gone = 0
    for other, columns in _WITH[table]:
        values = [named[name] for name in columns]
        # A damaged text may hold bytes that no text does.
        stored = [value.encode(errors="surrogateescape") if isinstance(value, str) else value for value in values]
        read = ["CAST(? AS TEXT)" if isinstance(value, str) else "?" for value in values]
        same = " AND ".join(f"{name} IS {one}" for name, one in zip(columns, read, strict=True))
        gone += connection.execute(f"DELETE FROM {other} WHERE {same}", stored).rowcount
    return gone
