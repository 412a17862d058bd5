"""Sizes for the second leg of the kernels' tests, which runs them without compilation: the same properties, smaller."""

from typing import TypeVar

import numba

T = TypeVar("T")


def sized(compiled: T, interpreted: T) -> T:
    """The first size, or the second where NUMBA_DISABLE_JIT=1 makes a kernel a thousand times slower."""
    return interpreted if numba.config.DISABLE_JIT else compiled
