"""Compiling before the work starts, with a word to the person who waits.

It is done in a process of its own, and this one only loads what that left in the cache. A process that compiles a
kernel has its callees twice, once by themselves and once as they were optimised inside of it, and which copy a call
then reaches is the linker's choice; sums in them may differ in a last digit, and with them a row from the same row
computed later.
"""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from threading import Timer
from time import perf_counter
from typing import TYPE_CHECKING

import msgspec

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
        compile_apart(needed, simulators)
        _compile(needed, simulators)


def _compile(heads: list[FitOptions] | None, simulators: tuple[Chosen, ...]) -> None:
    from .. import prediction

    prediction.warm_up(heads)
    if simulators:
        from .. import simulation

        simulation.warm_up(heads, simulators)


def compile_apart(heads: list[FitOptions] | None, simulators: tuple[Chosen, ...]) -> None:
    """Have another process fill the cache, unless one has; whatever goes wrong, this one compiles in its stead."""
    from .. import _jit

    kinds = None if heads is None else sorted({(head.loss, isinstance(head.solver, str)) for head in heads})
    mark = _jit.cache_mark(sha256(repr((kinds, sorted(simulators))).encode()).hexdigest()[:16])
    if mark is None or mark.exists():
        return
    with suppress(OSError):
        code = f"from {__name__} import main; main()"
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        given = msgspec.json.encode((heads, simulators))
        # In a session of its own Ctrl-C does not reach it, and it ends without a word when this one is interrupted.
        ran = subprocess.run(
            [sys.executable, "-c", code], input=given, env=environment, start_new_session=True, check=False
        )
        if ran.returncode == 0:
            mark.touch()


def main() -> None:
    """Compile what standard input names; a parent that waits has asked for it."""
    from ..experiment.schema import FitOptions

    heads, simulators = msgspec.json.decode(sys.stdin.buffer.read(), type=tuple[list[FitOptions] | None, list[str]])
    _compile(heads, tuple(simulators))  # type: ignore[arg-type]  # what a parent of this version wrote


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
