"""Heads from elsewhere in the coordinates of a lazy sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.linalg import norm

from ...mixture import Array
from .law import LazyHead

TOLERANCE = 1e-12
"""The part of a head that is new beside related ones is none if it is smaller than this fraction of the head."""


class _Visitor(NamedTuple):
    """A noise direction that entered from elsewhere: a unit vector in the coordinates there, and in those here."""

    origin: object
    space: int
    there: Array
    here: Array


class Visitors:
    """The heads of other samples that fits and scores have asked a sample about."""

    def __init__(self) -> None:
        self._known: list[_Visitor] = []

    def coordinates(self, head: LazyHead, size: int, enter: Callable[[int, list[Array]], Array]) -> Array:
        """(M,) the head in the coordinates of the sample, which knows `size` of them before.

        `enter(space, apart)` is the sample's: a uniformly random unit vector of an eigenspace in its coordinates (M,),
        M as many as it then knows, orthogonal to those of `apart`. That is what the noise direction of an independent
        head is to it, but for what lies along heads of the same origin: their angles are kept. Heads of different
        origins are taken to be independent of each other too.
        """
        origin = head if head.sample is None else head.sample
        found = np.zeros(size)
        found[: len(head.signal) + 1] = np.append(head.signal, head.bias)
        for space in np.flatnonzero(head.noise).tolist():
            rest = head.noise_in(space)
            whole = norm(rest)
            related = [known for known in self._known if known.origin is origin and known.space == space]
            for known in related:
                along = rest[: len(known.there)] @ known.there
                rest[: len(known.there)] -= along * known.there
                found[: len(known.here)] += along * known.here
            length = norm(rest)
            if length > TOLERANCE * whole:
                here = enter(space, [known.here for known in related])
                self._known.append(_Visitor(origin, space, rest / length, here))
                found = np.pad(found, (0, len(here) - len(found)))
                found += length * here
        return found
