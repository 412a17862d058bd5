"""What the machine itself can do: multiply matrices, and move memory."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np

from .pairs import Quartiles
from .record import Limit
from .triad import BYTES, passes

ORDER = 1000
"""Of the square matrices that dgemm multiplies."""


def dgemm(rows: int, inner: int, columns: int) -> tuple[Callable[[], object], float]:
    """A product of two double-precision matrices of these sizes by NumPy's BLAS, and its floating-point operations."""
    rng = np.random.default_rng(0)
    left, right, product = rng.random((rows, inner)), rng.random((inner, columns)), np.empty((rows, columns))
    return lambda: np.matmul(left, right, out=product), 2.0 * rows * inner * columns


def machine_limits(seconds: float) -> tuple[Limit, ...]:
    """dgemm on one BLAS thread (the caller sees to that) and triad on one and two, each timed for so many seconds."""
    multiply, operations = dgemm(ORDER, ORDER, ORDER)
    return (
        Limit("dgemm, one thread", rate(multiply, operations, seconds), "FLOP/s"),
        *(
            Limit(f"triad, {name}", rate(passes(workers * BYTES, workers=workers), workers * BYTES, seconds), "B/s")
            for workers, name in ((1, "one thread"), (2, "two threads"))
        ),
    )


def rate(run: Callable[[], object], amount: float, seconds: float, least: int = 5) -> Quartiles:
    """Amount a second over at least so many calls of `run`, after one that is not counted, while `seconds` last."""
    run()
    taken: list[float] = []
    end = perf_counter() + seconds
    while len(taken) < least or perf_counter() < end:
        began = perf_counter()
        run()
        taken.append(perf_counter() - began)
    return Quartiles.of(amount / np.array(taken))
