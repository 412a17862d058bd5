"""What the machine can do: dgemm, and STREAM's triad a = b + 3 c (McCalpin 1995) on arrays that no cache holds."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from math import ceil

import numpy as np

from llrsim._jit import kernel

LENGTH = 1 << 23
BYTES = 3 * 8 * LENGTH
"""Bytes that a pass of one thread moves: two arrays are read, one is written."""


@kernel
def triad(a, b, c):
    """a = b + 3 c."""
    for i in range(a.size):
        a[i] = b[i] + 3.0 * c[i]


def passes(moved: float, *, workers: int = 1) -> Callable[[], None]:
    """A call that moves so many bytes, on threads that each have arrays of their own.

    Arrays are as long as `LENGTH`, or shorter, so that whole passes move what is asked for.
    """
    share = moved / workers
    count = ceil(share / BYTES)
    length = round(share / count / (3 * 8))
    arrays = [[np.ones(length) for _ in range(3)] for _ in range(workers)]

    def run(worker: int) -> None:
        for _ in range(count):
            triad(*arrays[worker])

    def shared() -> None:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(run, range(workers)))

    return shared if workers > 1 else lambda: run(0)


def dgemm(rows: int, inner: int, columns: int) -> Callable[[], object]:
    """A product of two double-precision matrices of these sizes by NumPy's BLAS."""
    rng = np.random.default_rng(0)
    left, right, product = rng.random((rows, inner)), rng.random((inner, columns)), np.empty((rows, columns))
    return lambda: np.matmul(left, right, out=product)
