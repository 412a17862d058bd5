"""Calls of a user's code that end, whether or not the code does."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import TypeVar

Result = TypeVar("Result")


class _Stopped(BaseException):
    """Raised in the thread of a call that ran out of time."""


def within(seconds: float, call: Callable[[], Result]) -> Result:
    """Return what `call` returns, or raise what it raises; TimeoutError if it takes longer than `seconds`.

    The call runs in a thread of its own, which is told to stop when its time is over. One that waits outside of Python
    is left behind, and ends with the process; one that holds the interpreter, as a loop in C may, is waited for.

    >>> within(60.0, lambda: 2 + 2)
    4
    """
    returned: list[Result] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            returned.append(call())
        except BaseException as error:  # whatever it is, it is raised again where the call was asked for
            raised.append(error)

    thread = threading.Thread(target=copy_context().run, args=(run,), daemon=True)
    thread.start()
    try:
        thread.join(min(seconds, threading.TIMEOUT_MAX))
    finally:
        if thread.is_alive():
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(_Stopped))
    if raised and not isinstance(raised[0], _Stopped):
        raise raised[0]
    if not returned:
        raise TimeoutError(f"it did not return within {seconds:.3g} s")
    return returned[0]
