"""The record of the cost figure: time and memory of one replicate, lazy and dense. Its times are the machine's.

Everything runs on one thread. Memory is what NumPy and Python allocate at the peak, as `tracemalloc` counts it.
"""

import platform
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

import llrsim
from llrsim._jit import single_blas_thread

COST: dict[str, Any] = {
    "name": "cost",
    "features": {
        "core": {"mean": 1.0, "std": 0.6},
        "spurious": {"mean": 1.0, "std": 0.5},
        "noise": {"dim": 10_000},
    },
    "train": {"n": 10_000, "proportions": [0.4, 0.1, 0.1, 0.4]},
    "head": {"ridge": 0.1},
    "method": [{"kind": "erm"}],
}
STEPS = 60
"""Of a descent, where it is not the steps that vary."""

MANY_DIMENSIONS = 10**6
"""What d is while n varies."""

LARGEST_DENSE = 10**8
"""Numbers in the largest dense design that is measured: about a gigabyte, and ten seconds a fit."""

REPEATS = 3


class Fit(NamedTuple):
    """What is measured: a loss, by a simulator, exactly or so many steps of descent."""

    loss: str
    simulator: str
    steps: int | None


class Point(NamedTuple):
    """At what size it is measured, and which of n, d and steps leads there."""

    varied: str
    n: int
    d: int
    fit: Fit

    def experiment(self) -> llrsim.Experiment:
        """The one to simulate; the step is one that a descent stands at any n/d."""
        given: dict[str, Any] = {
            "train.n": self.n,
            "features.noise.dim": self.d,
            "head.loss": self.fit.loss,
            "sweep.simulator": self.fit.simulator,
        }
        if self.fit.steps is not None:
            given["head.solver"] = {"steps": self.fit.steps, "step_size": 1 / (1 + self.d / self.n)}
        return llrsim.load(COST).with_values(given)


def points() -> Iterator[Point]:
    """All that are measured: dense ones up to a size."""
    n, d = COST["train"]["n"], COST["features"]["noise"]["dim"]
    sizes = [factor * 10**power for power in range(1, 6) for factor in (1, 3)] + [10**6]
    fits = [
        Fit("logistic", "lazy", STEPS),
        Fit("logistic", "lazy", None),
        Fit("squared", "lazy", None),
        Fit("logistic", "dense", STEPS),
        Fit("logistic", "dense", None),
    ]
    for fit in fits:
        dense = fit.simulator == "dense"
        yield from (Point("d", n, size, fit) for size in sizes if not dense or n * size <= LARGEST_DENSE)
        for size in sizes[1:]:
            if not dense or size * MANY_DIMENSIONS <= LARGEST_DENSE:
                yield Point("n", size, MANY_DIMENSIONS, fit)
    for loss, simulator, most in (("logistic", "lazy", 1000), ("squared", "lazy", 1000), ("logistic", "dense", 100)):
        for steps in (1, 3, 10, 30, 60, 100, 300, 1000):
            if steps <= most:
                yield Point("steps", n, d, Fit(loss, simulator, steps))


def cost(jobs: int) -> Iterator[dict[str, Any]]:
    """One row for each point, on one thread whatever `jobs`."""
    for fit in dict.fromkeys(point.fit for point in points()):
        llrsim.simulate(Point("", 100, 10, fit).experiment())  # compiles and loads what the fit takes
    for point in points():
        experiment = point.experiment()
        peak = allocated(experiment)
        with single_blas_thread():
            seconds = median(timed(experiment) for _ in range(REPEATS))
        yield {
            "varied": point.varied,
            "n": point.n,
            "noise_dim": point.d,
            **point.fit._asdict(),
            "seconds": seconds,
            "bytes": peak,
            "processor": processor(),
            "experiment": llrsim.load(COST).hash,
            "llrsim": llrsim.__version__,
        }


def allocated(experiment: llrsim.Experiment) -> int:
    """Bytes that a replicate allocates at its peak, on a new thread: dense simulations keep the room of theirs."""
    tracemalloc.start()
    try:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(llrsim.simulate, experiment).result()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def timed(experiment: llrsim.Experiment) -> float:
    """Seconds that a replicate takes."""
    start = perf_counter()
    llrsim.simulate(experiment)
    return perf_counter() - start


def processor() -> str:
    """The processor's name, or only its family where the system does not tell more."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()
