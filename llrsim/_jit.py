"""The compile policy: every kernel of llrsim is compiled by one of the two decorators below.

Both cache to disk (a second process compiles nothing), release the GIL (threads run in parallel) and use NumPy's
error model (a division by zero gives inf, not an exception). Neither uses full fastmath: its `nnan` flag would make
`isnan(nan)` False, and the guards in the solvers rest on that.
"""

from threading import Lock

from numba import njit
from threadpoolctl import threadpool_limits

kernel = njit(cache=True, nogil=True, error_model="numpy")

# For inner loops that are sums: lets LLVM reorder and contract the additions, so that they vectorise. Results are
# deterministic on one machine, but not bitwise those of a left-to-right sum.
reduction = njit(
    cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "arcp", "nsz"}
)


class _SingleBlasThread:
    """Process-wide and counted: the first to enter lowers the limit, the last to leave restores it.

    A limit per call would be restored by whichever thread ends first, under the feet of the others.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._limits: threadpool_limits | None = None

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._limits = threadpool_limits(1, user_api="blas")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0 and self._limits is not None:
                self._limits.restore_original_limits()
                self._limits = None


_single_blas_thread = _SingleBlasThread()


def single_blas_thread() -> _SingleBlasThread:
    """Context in which BLAS runs on one thread, because the workers are the parallelism. Re-entrant, thread-safe."""
    return _single_blas_thread
