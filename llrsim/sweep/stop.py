"""Ctrl-C and SIGTERM: stop at the end of the units being computed, keep them, and say how to resume."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer, current_thread, main_thread
from typing import TYPE_CHECKING, NoReturn, Protocol

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

SOON = 0.05  # seconds after which a signal is raised again that was raised where nothing passes it on


class Flag(Protocol):
    """An event, of threads or of processes."""

    def is_set(self) -> bool:
        """Whether to stop."""

    def set(self) -> None:
        """Tell all that look at it to stop."""


class Interrupted(KeyboardInterrupt):
    """A sweep that a signal stopped; everything that was computed is in the folder."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        self.exit_status = 128 + number

    def __str__(self) -> str:
        return f"stopped by {signal.Signals(self.number).name}"


class WorkerDied(RuntimeError):
    """Workers that came to an end by themselves, as processes do that the system kills where memory is short."""

    def __init__(
        self, told: str = "a worker process died", advice: str = ", with fewer --jobs if memory was short"
    ) -> None:
        super().__init__(told, advice)

    def __str__(self) -> str:
        told, advice = self.args
        return f"{told}; what was computed is kept. Run the same command to resume{advice}"


def leave_signals_to_parent() -> None:
    """In a worker process: the parent, which gets them too, decides what becomes of the work."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise Interrupted where a signal arrives, or as soon as it can be raised.

    Compiling runs through foreign code, which may make another error of it, as the import of a compiled module does,
    or print it and go on, as a callback from C does.
    """
    received: list[int] = []

    def receive(number: int) -> NoReturn:
        received.append(number)
        raise Interrupted(number)

    with _handled_by(receive), _raised_again():
        try:
            yield
        except Exception as error:
            if received:
                raise Interrupted(received[0]) from error
            raise
        if received:
            raise Interrupted(received[0])


@contextmanager
def finishing(stop: Flag) -> Iterator[None]:
    """Let the first signal set `stop`, and raise Interrupted at the end; the second ends the process at once."""
    received: list[int] = []

    def receive(number: int) -> None:
        if received:
            # Nothing is lost: units are committed whole, and the lock falls away with the process.
            os._exit(128 + number)
        received.append(number)
        stop.set()

    with _handled_by(receive):
        yield
    if received:
        raise Interrupted(received[0])


@contextmanager
def _handled_by(receive: Callable[[int], None]) -> Iterator[None]:
    """Handle both signals; outside the main thread, where Python cannot catch signals, nothing changes."""
    if current_thread() is not main_thread():
        yield
        return
    before = {
        number: signal.signal(number, lambda number, _: receive(number)) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _raised_again() -> Iterator[None]:
    """Send a signal once more whose Interrupted Python had to drop; in the main thread, which gets them."""
    if current_thread() is not main_thread():
        yield
        return
    before, waiting = sys.unraisablehook, list[Timer]()

    def dropped(told: UnraisableHookArgs) -> None:
        if not isinstance(told.exc_value, Interrupted):
            before(told)
            return
        waiting.append(Timer(SOON, signal.raise_signal, [told.exc_value.number]))
        waiting[-1].start()

    sys.unraisablehook = dropped
    try:
        yield
    finally:
        sys.unraisablehook = before
        for timer in waiting:
            timer.cancel()
            timer.join()
