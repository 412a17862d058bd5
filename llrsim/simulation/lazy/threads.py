"""How a driver's sweeps run: inside the compiled driver on one thread, or with the chunks shared out over threads.

A driver (`descend`, `minimise`) is written once. Compiled, it receives `sweep` by address and never enters the
interpreter, which is what many small samples want; interpreted, it receives a function that hands chunks to a pool, and
its own few lines between sweeps over millions of rows cost nothing. Sums are over chunks in their order either way.
What a driver calls must be a `kernel`: `private` ones have no entry from Python.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from types import FunctionType
from typing import Any

import numpy as np
from numba import float64, int64, typeof, types, void
from numba.core.dispatcher import Dispatcher

from ..address import call_by_address
from .law import SectionLaw
from .revealed import Revealed, nothing_revealed
from .sweeps import conclude, sweep, sweep_chunk

Driver = Callable[..., Any]


@cache
def _kind() -> types.FunctionType:
    """The type of `sweep`; that of every state is the same."""
    one, number = np.ones(1), np.ones(1, np.int64)
    tiny = SectionLaw(number, one, np.ones((1, 1)), np.ones((1, 1, 1)), one, one, number)
    state = typeof(nothing_revealed(tiny, np.uint64(0), 0, 1))
    return types.FunctionType(void(int64, int64, float64, float64, state))


def drive(driver: Driver, how: Any, state: Revealed, *arguments: Any, pool: ThreadPoolExecutor | None = None) -> Any:
    """`driver(sweep, how, state, *arguments)`, with the sweeps on this thread or, given a pool, on all of its threads.

    Without a pool, or with one chunk only, the driver runs compiled.
    """
    if pool is None or len(state.sums) == 2:
        return call_by_address(driver, (_kind(),), (sweep,), how, state, *arguments)
    return _interpreted(driver)(sweeping(pool), how, state, *arguments)


@cache
def _interpreted(driver: Driver) -> Driver:
    """A compiled driver as Python, and so are all that it hands its `sweep` to: other kernels stay compiled."""
    if not isinstance(driver, Dispatcher):  # numba is switched off
        return driver
    function = driver.py_func
    known = dict(function.__globals__)
    for name in function.__code__.co_names:
        called = known.get(name)
        if isinstance(called, Dispatcher) and called.py_func.__code__.co_varnames[:1] == ("sweep",):
            known[name] = _interpreted(called)
    return FunctionType(function.__code__, known, function.__name__)


def sweeping(pool: ThreadPoolExecutor | None) -> Callable[[int, int, float, float, Revealed], None]:
    """`sweep`, or the same on all threads of a pool."""
    if pool is None:
        return sweep

    def shared(task: int, loss: int, softness: float, length: float, state: Revealed) -> None:
        chunks = range(len(state.sums) - 1)
        running = [pool.submit(sweep_chunk, task, loss, softness, length, state, chunk) for chunk in chunks]
        try:
            for chunk in running:
                chunk.result()
        finally:
            # Where this is stopped, no chunk may still be written to once the caller goes on.
            for chunk in running:
                chunk.cancel()
            wait(running)
        conclude(task, state)

    return shared
