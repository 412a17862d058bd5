"""Compiling before the work starts, with a word to the person who waits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Timer
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..experiment import FitOptions, Grid

PATIENCE = 1.0  # seconds of waiting that need no explanation


def heads_of(grid: Grid) -> list[FitOptions] | None:
    """How the methods of a grid's cells are fitted, which decides the solvers they need; None for any way at all.

    Where heads are swept nothing short of the whole grid would tell.
    """
    if any("head" in key.split(".") for key in grid.axes):
        return None
    experiment = grid.experiment(0)
    return [experiment.head_of(method) for method in experiment.method]


def compile_kernels(
    heads: Iterable[FitOptions] | None, say: Callable[[str], None], *, predict_only: bool = False
) -> None:
    """Compile the kernels that these heads need (None: all), or load them; tell a person who waits what for."""
    needed = None if heads is None else list(heads)
    with compiling(say):
        from .. import prediction, simulation

        prediction.warm_up(needed)
        if not predict_only:
            simulation.warm_up(needed)


@contextmanager
def compiling(say: Callable[[str], None]) -> Iterator[None]:
    """Says what a person waits for, if it takes long."""
    began = perf_counter()
    notice = Timer(PATIENCE, say, ["compiling the kernels; later runs only load them ..."])
    notice.start()
    try:
        yield
    finally:
        notice.cancel()
    if (took := perf_counter() - began) > PATIENCE:
        say(f"kernels ready after {took:.0f} s")
