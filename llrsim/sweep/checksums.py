"""A checksum for every row of a results folder's database.

SQLite's own check is of its structure: a number that has changed on the disk is a number like any other to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zlib import crc32

import msgspec

_encode = msgspec.msgpack.Encoder().encode


def as_read(values: Sequence[Any]) -> list[Any]:
    """Values as they come back from the database, which has no nan, and no zero below zero."""
    return [None if value is None or value != value else value or 0.0 for value in values]


def checksum(values: Sequence[Any]) -> int:
    """CRC-32 of a row's other columns: any change of up to 32 bits in a row is found."""
    return crc32(_encode(as_read(values)))


def is_whole(values: Sequence[Any], stored: Any) -> bool:
    """Whether a row's other columns have the checksum that is stored with them."""
    try:
        return bool(checksum(values) == stored)
    except UnicodeEncodeError:  # a text with a byte that no text has
        return False


def tolerant(text: bytes) -> str:
    """A text of the database, damaged or not, so that it can be read and found again."""
    return text.decode(errors="surrogateescape")


def sealed(*values: Any) -> tuple[Any, ...]:
    """A row with its checksum, to be made where its numbers are, so that every way from there is watched."""
    return (*values, checksum(values))
