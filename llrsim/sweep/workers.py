"""Who computes: threads, or processes for predictions.

Simulation spends its time in kernels that let go of the interpreter, so threads share it well. A prediction is mostly
Python's own work, which only processes do side by side; they are forked, where the system can, from a parent that has
loaded everything, and never touch its database. The numbers are the same.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from threading import Event, Thread
from typing import Any, TypeVar

from .interruption import Flag, WorkerDied, leave_signals_to_parent

T = TypeVar("T")

_stop: Flag = Event()  # of a worker process, put there as it begins


class Workers:
    """So many workers; a context manager, which waits for them at its end; WorkerDied where a process of theirs died.

    Attributes:
        count: their number.
        stop: what is computed gets it as its last argument, and ends early where it is set, as it is at the end.
    """

    def __init__(self, count: int, *, processes: bool) -> None:
        self.count = count
        self._forked = processes and count > 1 and sys.platform == "linux"
        context = multiprocessing.get_context("fork") if self._forked else None
        self.stop: Flag = context.Event() if context else Event()
        self._pool: Executor = (
            ProcessPoolExecutor(count, context, _begin, (self.stop,)) if context else ThreadPoolExecutor(count)
        )

    def submit(self, work: Callable[..., T], *given: Any) -> Future[T]:
        """Have `work(*given, stop)` computed; in processes `work` must be a function of a module."""
        if self._forked:
            return self._pool.submit(_in_process, work, given)
        return self._pool.submit(work, *given, self.stop)

    def awaited(self, future: Future[T], seconds: float) -> T:
        """What came of it; TimeoutError if it is still being computed after so many seconds."""
        return future.result(seconds)

    def __enter__(self) -> Workers:
        if self._forked:
            from .. import prediction  # noqa: F401  loaded once, before the processes are made

        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        # Where committing failed, the workers must not go on for nothing.
        self.stop.set()
        self._pool.shutdown(cancel_futures=True)
        if isinstance(error, BrokenProcessPool):
            raise WorkerDied from error


def _begin(stop: Flag) -> None:
    """In a new process: leave signals to the parent, and end when it ends, however it does."""
    global _stop
    _stop = stop
    leave_signals_to_parent()
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        wait([parent.sentinel])
        os._exit(1)

    Thread(target=follow, daemon=True).start()


def _in_process(work: Callable[..., T], given: tuple[Any, ...]) -> T:
    return work(*given, _stop)
