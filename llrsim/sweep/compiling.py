"""Compiling before the work starts, with a word to the person who waits."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from threading import Timer
from time import perf_counter
from typing import TYPE_CHECKING

from ..experiment.errors import EmptyGroupWarning, ExperimentError

if TYPE_CHECKING:
    from ..experiment import Experiment, FitOptions, Grid
    from ..simulation.choice import Chosen

PATIENCE = 1.0  # seconds of waiting that need no explanation


def heads_of(grid: Grid) -> list[FitOptions] | None:
    """How the methods of a grid's cells are fitted, which decides the solvers they need; None for any way at all.

    Where heads are swept nothing short of the whole grid would tell.
    """
    if any("head" in key.split(".") for key in grid.axes):
        return None
    experiment = grid.experiment(0)
    return [experiment.head_of(method) for method in experiment.method]


def simulators_of(grid: Grid) -> tuple[Chosen, ...]:
    """The simulators of a grid's first and last cells, where sizes are least and largest.

    A cell between them with another one, or one of these that cannot be simulated, is met when it is computed.
    """
    simulators: set[Chosen] = set()
    for cell in {0, grid.size - 1}:
        with suppress(ExperimentError):
            simulators.add(simulator_of(grid.experiment(cell)))
    return tuple(simulators)


def simulator_of(experiment: Experiment) -> Chosen:
    """The simulator of an experiment; ExperimentError where the one it asks for cannot simulate it."""
    from ..planning import plan
    from ..simulation.choice import chosen

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EmptyGroupWarning)  # it is told where the experiment is simulated
        return chosen(plan(experiment), experiment.sweep.simulator)


def compile_kernels(
    heads: Iterable[FitOptions] | None, say: Callable[[str], None], *, simulators: tuple[Chosen, ...] = ()
) -> None:
    """Compile what predicting these heads (None: all), and simulating them, takes, or load it; tell a person who waits.

    `simulators` are those that are going to run, none where nothing is simulated.
    """
    needed = None if heads is None else list(heads)
    with compiling(say):
        from .. import prediction

        prediction.warm_up(needed)
        if simulators:
            from .. import simulation

            simulation.warm_up(needed, simulators)


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
