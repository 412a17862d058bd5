"""Writing files whole: beside the old one first, then in its place, so that a reader never meets half a file."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any


def replace_file(path: Path, write: Callable[[Path], None]) -> None:
    """Have `write` fill a file beside `path`, and put it in place at the end; raises OSError where it cannot."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(unfinished)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_rows(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """A line of CSV for each row; numbers in shortest repr, nothing for None: the bytes depend on the numbers alone."""
    columns = list(dict.fromkeys(key for row in rows for key in row))

    def write(unfinished: Path) -> None:
        with unfinished.open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, columns, lineterminator="\n")
            table.writeheader()
            table.writerows(rows)

    replace_file(path, write)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a file by `write_rows`: numbers as numbers, empty cells as None; hashes and versions as text.

    Raises ValueError for a file that is not such a table.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # a spreadsheet begins a file with a byte order mark
            return [{key: _typed(key, cell) for key, cell in row.items()} for row in csv.DictReader(file, strict=True)]
    except (csv.Error, TypeError) as error:  # a line with too few or too many cells
        raise ValueError(f"{path}: not a table ({error})") from error


def _typed(key: str, cell: str) -> Any:
    if key in ("experiment", "rule", "llrsim"):  # a hash may consist of digits
        return cell
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell or None
