"""What runs in the workers of a cluster: work given by another process, with a flag that it can raise."""

from __future__ import annotations

import socket
from collections.abc import Callable
from threading import Event
from typing import Any, TypeVar

from .. import __version__
from .folder import NUMERICS
from .interruption import leave_signals_to_parent

T = TypeVar("T")


_stops: dict[str, Event] = {}  # of the sweeps that this process has worked for


def numbers() -> str:
    """What this process's rows are computed by, in words; workers and sweep must agree on it."""
    from .._jit import KERNELS

    return f"llrsim {__version__}, numbers version {NUMERICS}, kernels {KERNELS}"


class ClusterError(RuntimeError):
    """A dask cluster that cannot be used: no scheduler answers, or its workers are not of this llrsim."""


def perform(wanted: str, sweep: str, work: Callable[..., T], given: tuple[Any, ...]) -> T:
    """`work(*given, stop)` for a sweep of these numbers; ClusterError where this worker's would be others."""
    if wanted != numbers():
        raise ClusterError(
            f"the worker on {socket.gethostname()} has {numbers()}, this sweep {wanted}; what was computed is kept, "
            "and without that worker the same command goes on"
        )
    from .. import prediction, simulation  # noqa: F401  all that loads a BLAS, before it is held to one thread
    from .._jit import single_blas_thread

    with single_blas_thread():
        return work(*given, _stop_of(sweep))


def stop_here(sweep: str) -> None:
    """Raise the flag of a sweep: what this process computes for it ends early, and what comes later at once."""
    _stop_of(sweep).set()


def _stop_of(sweep: str) -> Event:
    return _stops.setdefault(sweep, Event())


def dask_setup(worker: object) -> None:
    """Called by dask in each process of a local cluster as it begins."""
    leave_signals_to_parent()
