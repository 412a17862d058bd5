"""What is damaged in a results folder's database: its structure by SQLite's own check, its rows by their checksums."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from .checksums import is_whole
from .format import CHECKED
from .reader import Reader

SHOWN = 10  # findings of SQLite's check that are told
LONGEST = 200  # characters of a value that are told
_GONE = {
    "masses": "SELECT law, method, NULL FROM predictions EXCEPT SELECT law, method, NULL FROM masses",
    "networks": "SELECT law, seed, numerics, replicate, NULL FROM rows "
    "EXCEPT SELECT law, seed, numerics, replicate, NULL FROM networks",
}
"""By table: keys of rows that are not there, though what is written with them is; None for the last of `CHECKED`."""
_NAMES = ("axes", "label", "law", "method", "replicate")


class Damage(NamedTuple):
    """What was found, in words, how many rows were looked at, and how many of them are what was written."""

    found: tuple[str, ...]
    rows: int
    whole: int


def damage_in(reader: Reader) -> Damage:
    """Look at the whole file, what SQLite's check finds first; StoreError where it cannot be read to its end."""
    found = [f"sqlite: {line}" for line in reader.integrity(SHOWN)]
    rows = sound = 0
    for table, values, whole in all_rows(reader):
        rows, sound = rows + 1, sound + whole
        if not whole:
            found.append(f"{place_in(reader, table, values)}: the row is not what was written")
    if not found:  # where keys are damaged, rows that belong together do not find each other
        found += [f"{place_in(reader, table, values)}: the row is gone" for table, values in gone_rows(reader)]
    return Damage(tuple(found), rows, sound)


def all_rows(reader: Reader) -> Iterator[tuple[str, list[Any], bool]]:
    """(table, values of its columns in `CHECKED`, whether they are what was written) of every row of the file."""
    for table in CHECKED:
        for *values, stored in reader.sealed(table):
            yield table, values, is_whole(values, stored)


def gone_rows(reader: Reader) -> Iterator[tuple[str, list[Any]]]:
    """(table, values of its keys in `CHECKED`, else None) of rows that somebody deleted.

    Deleted rows of other tables are not missed: to a sweep they are what it has not computed yet.
    """
    learned = reader.count("networks") if reader.damaged else reader.experiment.network is not None
    tables = ["masses", "networks"] if learned else ["masses"]
    for table in tables:
        for values in reader.found(_GONE[table]):
            yield table, list(values)


def place_in(reader: Reader, table: str, values: Sequence[Any]) -> str:
    """Where a row belongs, in words: its cell's axes, its method's label, its replicate, as far as it has them."""
    named = dict(zip(CHECKED[table], map(_readable, values), strict=True))
    if "law" in named and "method" in named and (known := reader.place(named["law"], named["method"])):
        named |= zip(("axes", "label"), known, strict=True)
        del named["law"], named["method"]
    return ", ".join([table, *(f"{name} {named[name]}" for name in _NAMES if name in named)])


def _readable(value: Any) -> Any:
    """A damaged text with its stray bytes replaced; what is too long for a line is cut."""
    if isinstance(value, str):
        value = value.encode(errors="surrogateescape").decode(errors="replace")
    return f"{str(value)[:LONGEST]}..." if len(str(value)) > LONGEST else value
