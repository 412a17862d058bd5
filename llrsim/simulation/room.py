"""Room for the designs of the engine: kept from one call to the next, a worker its own.

Fresh memory costs a page fault every four kilobytes, under a lock that all threads share: as much time as drawing the
numbers that go into it. So every thread keeps what it has, up to a bound, and asks NumPy for it, which gets large
pages from the system.
"""

from __future__ import annotations

import threading
from typing import NamedTuple

import numpy as np

from ..mixture import Array

KEPT = 1 << 28  # bytes of a buffer that are not given back


class Room(NamedTuple):
    """The large arrays that `run` writes to before it reads them."""

    drawn: Array  # (rows of all samples, p)
    gathered: Array  # (most rows that a stage copies, p)
    single: np.ndarray  # (most rows that a second-order solver fits, p), float32


class _Buffers(threading.local):
    def __init__(self) -> None:
        self._held: dict[str, np.ndarray] = {}

    def take(self, name: str, rows: int, columns: int, dtype: type) -> np.ndarray:
        size = rows * columns
        buffer = self._held.get(name)
        if buffer is None or buffer.size < size:
            buffer = np.empty(size, dtype)
            if buffer.nbytes <= KEPT:
                self._held[name] = buffer
        return buffer[:size].reshape(rows, columns)


_buffers = _Buffers()


def room(columns: int, *, drawn: int, gathered: int, single: int) -> Room:
    """Room for so many rows of so many columns. What this thread took before is overwritten."""
    return Room(
        _buffers.take("drawn", drawn, columns, np.float64),
        _buffers.take("gathered", gathered, columns, np.float64),
        _buffers.take("single", single, columns, np.float32),
    )
