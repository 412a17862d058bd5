"""Shares of a sweep for machines that do not know of each other."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .block import Unit


class Shard(NamedTuple):
    """The share `number` of so many, counted from one.

    >>> Shard.parse("1/3"), str(Shard(1, 3))
    (Shard(number=1, of=3), '1/3')
    """

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """The share that "K/N" names; ValueError unless 1 <= K <= N."""
        number, slash, of = text.partition("/")
        if not (slash and number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
            raise ValueError(f"{text!r}: must be K/N with 1 <= K <= N, for example 1/3")
        return cls(int(number), int(of))

    def holds(self, unit: Unit) -> bool:
        """Whether a unit is in this share; that depends on what the unit is, not on where in a grid it stands."""
        kind = "simulation" if unit.replicates else "prediction"
        what = [f"{place.law} {' '.join(sorted(place.methods.values()))}" for place in unit.places]
        digest = sha256(f"{kind} {unit.first} {what}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % self.of == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"
