"""The compile policy: every kernel of llrsim is compiled by one of the four decorators below.

All cache to disk (a second process compiles nothing), release the GIL (threads run in parallel) and use NumPy's
error model (a division by zero gives inf, not an exception). None uses full fastmath: its `nnan` flag would make
`isnan(nan)` False, and the guards in the solvers rest on that.

All are inlined into the kernels that call them. Left as functions, each caller's object would bring a copy of its own,
optimised for that caller; the linker keeps the copy that was loaded first, so that the last digits of sums, and with
them of rows, would depend on what else a process had computed before.
"""

import hashlib
import os
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any

import numba
from numba import njit
from threadpoolctl import ThreadpoolController

settings: Any = numba.config  # its names are set at run time, unseen by type checkers


def _digest() -> str:
    """Of numba's version and of every file that holds kernels."""
    package = Path(__file__).parent
    digest = hashlib.sha256(version("numba").encode())
    for path in sorted(package.rglob("*.py")):
        source = path.read_bytes()
        kernels = any(mark in source for mark in (b"@kernel", b"@private", b"@contracted", b"@reduction"))
        # Kernels freeze the codes of `Status` when they are compiled.
        if kernels or path.name == "losses.py":
            digest.update(str(path.relative_to(package)).encode() + source)
    return digest.hexdigest()[:16]


def _cache_directory() -> str:
    """Where compiled kernels are kept: one folder per numba version and state of the kernels' sources.

    Numba invalidates a cached function when its own file changes, not when a kernel that it calls does, so an
    upgrade could run old callees.
    """
    base = settings.CACHE_DIR or os.path.join(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "llrsim")
    return os.path.join(base, KERNELS)


KERNELS = _digest()
"""Two processes with the same one compile the same kernels, but for their processors."""

_CACHE_DIRECTORY = _cache_directory()


def _cached(**particular: Any) -> Callable[[Callable[..., Any]], Any]:
    options = {"nogil": True, "error_model": "numpy", "forceinline": True, **particular}

    def decorate(function: Callable[..., Any]) -> Any:
        # The cache's place is read from numba's global setting while decorating; other packages keep theirs.
        before, settings.CACHE_DIR = settings.CACHE_DIR, _CACHE_DIRECTORY
        try:
            return njit(function, cache=True, **options)
        except RuntimeError:  # no folder to cache in can be written: compile in every process rather than fail
            return njit(function, **options)
        finally:
            settings.CACHE_DIR = before

    return decorate


# What Python and C call a kernel by. Both take longer to compile than a small kernel itself.
_WITHOUT_ENTRY = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

kernel = _cached()

# For kernels that only other kernels call.
private = _cached(**_WITHOUT_ENTRY)

# For arithmetic in which products may be added without being rounded first, which is faster and no less exact. Private.
contracted = _cached(fastmath={"contract"}, **_WITHOUT_ENTRY)

# For inner loops that are sums: lets LLVM reorder and contract the additions, so that they vectorise. Results are
# deterministic on one machine, but not bitwise those of a left-to-right sum. Private too.
reduction = _cached(fastmath={"reassoc", "contract", "arcp", "nsz"}, **_WITHOUT_ENTRY)


class _SingleBlasThread:
    """Process-wide and counted: the first to enter lowers the limit, the last to leave restores it.

    A limit per call would be restored by whichever thread ends first, under the feet of the others. Finding the
    libraries takes two milliseconds, longer than many fits, so it is done anew only once modules have been loaded.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = self._modules = 0
        self._libraries: ThreadpoolController | None = None
        self._limits: Any = None

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                if self._libraries is None or self._modules != len(sys.modules):
                    self._libraries, self._modules = ThreadpoolController(), len(sys.modules)
                self._limits = self._libraries.limit(limits=1, user_api="blas")
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
