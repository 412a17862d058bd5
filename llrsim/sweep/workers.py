"""Run blocks of a sweep in threads, in processes, or in the workers of a dask cluster."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import re
import socket
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import connection
from threading import Event, Thread
from time import monotonic
from typing import Any, TypeVar
from uuid import uuid4

from .. import __version__
from .._io import dask_package
from .folder import NUMERICS
from .stop import Flag, WorkerDied, finishing, leave_signals_to_parent

# Who computes: threads, or processes for predictions.
#
# Simulation spends its time in kernels that let go of the interpreter, so threads share it well. A prediction is mostly
# Python's own work, which only processes do side by side; they are forked, where the system can, from a parent that has
# loaded everything, and never touch its database. The numbers are the same.


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
            pass

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
        connection.wait([parent.sentinel])
        os._exit(1)

    Thread(target=follow, daemon=True).start()


def _in_process(work: Callable[..., T], given: tuple[Any, ...]) -> T:
    return work(*given, _stop)


# What runs in the workers of a cluster: work given by another process, with a flag that it can raise.


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
            "and without that worker the same command resumes"
        )
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


# Who computes beyond this process: the workers of a dask cluster, started here or running elsewhere.
#
# They are given units and give blocks back; this process alone opens the database. Where a worker dies dask has its
# blocks computed by another, and as blocks are committed in the order of the grid, the numbers are those of one thread.


LOCAL = "local"
ANSWER = 5.0  # seconds within which a scheduler answers
UNSTAFFED = 60.0  # seconds without any worker after which a sweep gives up


def checked_address(text: str) -> str:
    """The text, if it says where workers are; ValueError unless it is "local" or a scheduler's address."""
    address = re.fullmatch(r"(tcp|tls)://\S+:(\d{1,5})", text)
    if text != LOCAL and not (address and 0 < int(address[2]) < 65536):
        raise ValueError(f"{text!r}: must be local, or tcp://HOST:PORT or tls://HOST:PORT of a dask scheduler")
    return text


def check_scheduler(address: str) -> None:
    """ClusterError unless a scheduler answers there.

    dask's client by itself waits without end for what listens at the port and is no scheduler, as its dashboard.
    """

    async def greet() -> None:
        from distributed import Security
        from distributed.comm import connect

        greeting = connect(address, timeout=ANSWER, **Security().get_connection_args("client"))
        comm = await asyncio.wait_for(greeting, ANSWER)
        await comm.close()

    try:
        with ThreadPoolExecutor(1) as thread:  # where this one has an event loop already, as in notebooks
            thread.submit(asyncio.run, greet()).result()
    except Exception as error:
        told = str(error) or f"no greeting within {ANSWER:g} s"
        raise ClusterError(f"{address}: no dask scheduler answers: {told}") from error


def local_cluster(jobs: int) -> Any:
    """So many processes of one thread each and a scheduler, on the loopback interface alone; a context manager."""
    from distributed import LocalCluster

    try:
        return LocalCluster(
            n_workers=jobs,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            # Without a dashboard too the scheduler serves its state, at a port that another one may have.
            scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
            memory_limit=0,  # as threads have none; by default dask kills a worker above its share
            preload=[__name__],
            silence_logs=logging.CRITICAL,
        )
    except RuntimeError as error:
        guard = 'if __name__ == "__main__"'
        raise ClusterError(f"{LOCAL}: {error} A script must start processes under `{guard}`") from error


class ClusterWorkers:
    """The workers of a scheduler, or with "local" so many processes of this machine; for the rest as `Workers`.

    The processes of a local cluster have one thread each, listen on the loopback interface alone, and end with this
    process. Elsewhere workers may come and go while a sweep runs.

    Raises:
        ValueError: not an address.
        ImportError: the extra `[dask]` is not installed.
        ClusterError: no scheduler answers, or scheduler and workers are not of this llrsim.
        WorkerDied: the scheduler did, or all workers, or those that a block was given to, one after the other.
    """

    def __init__(self, address: str, jobs: int) -> None:
        self._address, self._jobs = checked_address(address), jobs
        self._dask = dask_package("--dask")
        self._sweep = uuid4().hex
        self._unstaffed_since: float | None = None
        self._open = ExitStack()
        self.stop = Event()

    def __enter__(self) -> ClusterWorkers:
        from distributed.utils import silence_logging_cmgr

        with ExitStack() as opening:
            # What is wrong is said here, in one line; dask would say it in many.
            opening.enter_context(silence_logging_cmgr(logging.CRITICAL))
            with finishing(self.stop):  # a cluster that is half started cannot be closed
                if self._address == LOCAL:
                    where = opening.enter_context(local_cluster(self._jobs))
                else:
                    check_scheduler(where := self._address)
                self._client = opening.enter_context(self._dask.Client(where, timeout=ANSWER, set_as_default=False))
            self._pool = self._client.get_executor(pure=False)
            self._open = opening.pop_all()
        self._telling = Thread(target=self._pass_on_stop, daemon=True)
        self._telling.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self._telling.join(ANSWER)
        self._open.close()

    @property
    def count(self) -> int:
        """The threads of all workers at present; one where there is none, so that something waits for the first."""
        with self._named_errors():
            return max(1, self._threads())

    def submit(self, work: Callable[..., T], *given: Any) -> Future[T]:
        """Have `work(*given, stop)` computed; `work` must be a function of a module."""
        with self._named_errors():
            return self._pool.submit(perform, numbers(), self._sweep, work, given)

    def awaited(self, future: Future[T], seconds: float) -> T:
        """What came of it; TimeoutError if it is still being computed after so many seconds."""
        wait([future], seconds)
        with self._named_errors():
            if future.done():
                return future.result()
            staffed = self._threads() > 0
        now = monotonic()
        self._unstaffed_since = None if staffed else self._unstaffed_since or now
        if self._unstaffed_since and now - self._unstaffed_since > UNSTAFFED:
            raise WorkerDied(f"{self._address} has had no workers for {UNSTAFFED:g} s", advice=" when there are some")
        raise TimeoutError

    def _threads(self) -> int:
        return sum(self._client.nthreads().values())

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except self._dask.KilledWorker as error:
            raise WorkerDied from error
        except (CancelledError, OSError) as error:
            raise WorkerDied(f"the scheduler at {self._address} does not answer any more", advice="") from error
        except ClusterError:
            raise
        except Exception as error:
            # Whatever goes wrong in a cell is in its block; this is what was sent and could not be read.
            raise ClusterError(
                f"{self._address}: {type(error).__name__}: {error}; the scheduler and the workers need the packages of "
                "this process, in the same versions"
            ) from error

    def _pass_on_stop(self) -> None:
        self.stop.wait()
        with suppress(Exception):  # workers that cannot be told are let go
            self._client.run(stop_here, self._sweep, on_error="ignore")
