"""What is damaged in a results folder's database: its structure by SQLite's own check, its rows by their checksums."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from .checksums import checksum
from .format import CHECKED
from .reader import Reader

SHOWN = 10  # findings of SQLite's check that are told
_NAMES = ("axes", "label", "law", "method", "replicate")


class Damage(NamedTuple):
    """What was found, in words, and how many rows were looked at."""

    found: tuple[str, ...]
    rows: int


def damage_in(reader: Reader) -> Damage:
    """Look at the whole file, what SQLite's check finds first; StoreError where it cannot be read to its end."""
    found = [f"sqlite: {line}" for line in reader.integrity(SHOWN)]
    rows = 0
    for table, values, whole in all_rows(reader):
        rows += 1
        if not whole:
            found.append(f"{place_in(reader, table, values)}: the row is not what was written")
    return Damage(tuple(found), rows)


def all_rows(reader: Reader) -> Iterator[tuple[str, list[Any], bool]]:
    """(table, values of its columns in `CHECKED`, whether they are what was written) of every row of the file."""
    for table in CHECKED:
        for *values, stored in reader.sealed(table):
            yield table, values, _whole(values, stored)


def _whole(values: Sequence[Any], stored: Any) -> bool:
    try:
        return bool(checksum(values) == stored)
    except UnicodeEncodeError:  # a text with a byte that no text has
        return False


def place_in(reader: Reader, table: str, values: Sequence[Any]) -> str:
    """Where a row belongs, in words: its cell's axes, its method's label, its replicate, as far as it has them."""
    named = dict(zip(CHECKED[table], map(_readable, values), strict=True))
    if "law" in named and "method" in named and (known := reader.place(named["law"], named["method"])):
        named |= zip(("axes", "label"), known, strict=True)
        del named["law"], named["method"]
    return ", ".join([table, *(f"{name} {named[name]}" for name in _NAMES if name in named)])


def _readable(value: Any) -> Any:
    """A damaged text with its stray bytes replaced."""
    return value.encode(errors="surrogateescape").decode(errors="replace") if isinstance(value, str) else value
