"""Compile before any worker starts, and tell a person who waits what for."""

from __future__ import annotations

from collections.abc import Callable
from threading import Timer
from time import perf_counter

PATIENCE = 1.0  # seconds of silence


def warm_up(say: Callable[[str], None]) -> None:
    """Compile every kernel, or load it from the cache."""
    began = perf_counter()
    notice = Timer(PATIENCE, say, ["compiling the kernels; later runs only load them ..."])
    notice.start()
    try:
        from ..simulation import warm_up as compile_kernels

        compile_kernels()
    finally:
        notice.cancel()
    if (took := perf_counter() - began) > PATIENCE:
        say(f"kernels ready after {took:.0f} s")
