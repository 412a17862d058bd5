"""Trained networks that are kept for the next cell.

Cells of a grid often differ in what heads are fitted on and share the training sample; training is most of their cost.
What is kept changes times alone: networks are looked up by what they are trained on and started from.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from hashlib import blake2b
from threading import Lock
from typing import Generic, TypeVar

from ...mixture import Array

T = TypeVar("T")

KEPT = 128  # networks: two units of replicates
LARGEST = 1 << 21  # bytes of one, so that all of them take a quarter of a gigabyte at most


def digest(*arrays: Array) -> bytes:
    """A key of arrays: equal ones, and in practice no others, have the same."""
    hashed = blake2b(digest_size=20)
    for array in arrays:
        hashed.update(repr(array.shape).encode())
        hashed.update(array.tobytes())
    return hashed.digest()


class Kept(Generic[T]):
    """The latest results by key. Two threads that ask for one at the same time wait for one computation."""

    def __init__(self, most: int = KEPT) -> None:
        self._most = most
        self._lock = Lock()
        self._found: OrderedDict[object, Future[T]] = OrderedDict()

    def of(self, key: object, make: Callable[[], T]) -> T:
        """What was made for this key, or what `make` makes now."""
        with self._lock:
            future = self._found.get(key)
            waiting = future is not None
            if future is None:
                future = self._found[key] = Future()
                if len(self._found) > self._most:
                    self._found.popitem(last=False)
            else:
                self._found.move_to_end(key)
        if not waiting:
            try:
                future.set_result(make())
            except BaseException as error:
                with self._lock:
                    self._found.pop(key, None)
                future.set_exception(error)
                raise
        return future.result()
