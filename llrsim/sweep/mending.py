"""Taking damaged rows out of a results folder, so that its sweep computes them anew."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from .damage import SHOWN, all_rows
from .folder import StoreError, check_inside, locked, sqlite_errors
from .format import CHECKED, FILE
from .reader import Reader

_ROW = ("law", "method", "seed", "numerics", "replicate")
_NETWORK = ("law", "seed", "numerics", "replicate")
_CELL = ("law", "method")

# What goes with a damaged row, by its table: (table, the columns in which its rows are like the damaged one). A sweep
# computes a network with its rows, a mass with its prediction, and registers all cells together.
_WITH: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "rows": (("rows", _ROW),),
    "networks": (("networks", _NETWORK), ("rows", _NETWORK)),
    "predictions": (("predictions", (*_CELL, "numerics")),),
    "masses": (("masses", _CELL), ("predictions", _CELL)),
    **dict.fromkeys(("cells", "cell_methods", "methods"), (("cells", ()), ("cell_methods", ()), ("methods", ()))),
}


def remove_damaged(folder: Path) -> int:
    """Take the damaged rows out, and what is computed together with them; returns how many rows are gone.

    What no sweep computes stays: the experiment, and what earlier runs ran on.

    Raises StoreError where the file's structure is damaged, or a process is writing to the folder.
    """
    path = folder / FILE
    with locked(folder):
        with Reader(folder) as reader:
            if found := reader.integrity(SHOWN):
                raise StoreError(
                    f"{path}: its structure is damaged, not only rows ({found[0]}); `sqlite3 FILE .recover` saves what "
                    "can be read"
                )
            damaged = [(table, values) for table, values, whole in all_rows(reader) if not whole and table in _WITH]
        check_inside(path)
        with sqlite_errors(path), closing(sqlite3.connect(path)) as connection, connection:
            return sum(_remove(connection, table, values) for table, values in damaged)


def _remove(connection: sqlite3.Connection, table: str, values: list[Any]) -> int:
    named = dict(zip(CHECKED[table], values, strict=True))
    gone = 0
    for other, columns in _WITH[table]:
        same = " AND ".join(["TRUE", *(f"{column} = ?" for column in columns)])
        gone += connection.execute(f"DELETE FROM {other} WHERE {same}", [named[column] for column in columns]).rowcount
    return gone
