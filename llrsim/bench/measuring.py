"""All rows of the table, one after the other, into a record."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from .._jit import single_blas_thread
from ..sweep.provenance import environment
from . import fits, predictions, sweeps
from .limits import machine_limits
from .pairs import Quartiles, ratios, timed_pairs
from .record import FORMAT, Measured, Record, Skipped
from .rows import Row


class Effort(NamedTuple):
    """Seconds for the pairs of a row, and how many pairs there are whatever they take."""

    seconds: float
    least: int


FULL, QUICK = Effort(6.0, 7), Effort(0.6, 3)


def table() -> tuple[Row, ...]:
    """Every row."""
    return (*fits.rows(), *predictions.rows(), *sweeps.rows())


def measure(rows: Iterable[Row], effort: Effort, *, say: Callable[[str], None]) -> Record:
    """Measure the machine's limits and then every row; `say` is told what is being measured."""
    measured: list[Measured] = []
    skipped: list[Skipped] = []
    with single_blas_thread(), TemporaryDirectory(prefix="llrsim-bench-") as folder:
        say("the machine's limits")
        limits = machine_limits(effort.seconds / 3)
        for row in rows:
            if row.lacking:
                skipped.append(Skipped(row.name, row.reference, row.lacking))
                continue
            say(row.name)
            measured.append(measured_row(row, effort, Path(folder)))
        return Record(
            format=FORMAT,
            environment=surroundings(),
            limits=limits,
            rows=tuple(measured),
            skipped=tuple(skipped),
        )


def measured_row(row: Row, effort: Effort, folder: Path) -> Measured:
    """Time the two sides of a row."""
    sides = row.sides(folder)
    times = timed_pairs(sides, seconds=effort.seconds, least=effort.least)
    return Measured(
        name=row.name,
        reference=row.reference,
        ratio=ratios(times),
        llrsim=Quartiles.of(times[:, 0]),
        reference_time=Quartiles.of(times[:, 1]),
        pairs=len(times),
        amount=float(sides.amount),
        unit=sides.unit,
    )


def surroundings() -> dict[str, Any]:
    """`sweep.provenance.environment` with BLAS in a fixed order, and scikit-learn's version, None without it."""
    try:
        found = version("scikit-learn")
    except PackageNotFoundError:
        found = None
    told = environment()
    blas = sorted((pool for pool in told["blas"] if pool["user_api"] == "blas"), key=lambda pool: str(pool["version"]))
    return told | {"blas": blas, "scikit-learn": found}
