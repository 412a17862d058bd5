"""What a simulator's samples need and what is free, in numbers, before anything is compiled or allocated."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .lazy.support import by_sections, obstacle

if TYPE_CHECKING:
    from ..experiment.schema import Network
    from ..model.plan import Plan, Stage


def shortage_of(plan: Plan, simulator: str, workers: int) -> str | None:
    """Why a plan does not fit in memory with so many workers on a simulator, with the numbers; None if it does."""
    if simulator == "lazy":
        from .lazy.noise import CHUNK, FIRST_ROOM

        rows = max(lazy_rows(plan, stage) for stage in plan.stages)
        return lazy_shortage(rows, FIRST_ROOM, 1 if rows > CHUNK else workers)
    if plan.network is not None:
        return learned_shortage(plan, plan.network, workers)
    return shortage(plan, workers)


def lazy_rows(plan: Plan, stage: Stage) -> int:
    """Rows that a stage's lazy sample holds in memory: none where it is known by its sections alone."""
    if by_sections(stage):
        return 0
    return int(plan.samples[stage.sample].counts.sum() if stage.average > 1 else stage.selection.distinct.sum())


def free_bytes() -> int | None:
    """Memory that can be had without swapping; None where the system does not tell."""
    try:
        with open("/proc/meminfo", encoding="ascii") as told:  # counts what caches would give back, as sysconf does not
            return next(1024 * int(line.split()[1]) for line in told if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def shortage(plan: Plan, workers: int) -> str | None:
    """Why the designs of a plan do not fit in memory `workers` times, with the numbers and what to do; None if they do.

    Reads only sizes, so a plan of any size is judged at once.
    """
    width = plan.test.signal_dim + plan.test.noise_dim + 1
    drawn = sum(int(sample.counts.sum()) for sample in plan.samples)
    used = max(int(stage.selection.used.sum()) for stage in plan.stages)
    # Doubles for the designs and the rows copied out of them, singles for the second-order solver's copy.
    needed = width * (8 * (drawn + used) + 4 * used) * workers
    free = free_bytes()
    if free is None or needed <= free:
        return None
    instead = 'choose simulator = "lazy", or ' if obstacle(plan) is None else ""
    return (
        f"the dense designs need {needed / 1e9:.1f} GB ({drawn} rows drawn and {used} used, {width} columns, "
        f"{workers} workers) and {free / 1e9:.1f} GB are free; {instead}lower train.n, heldout.n or features.noise.dim"
    )


def learned_shortage(plan: Plan, network: Network, workers: int) -> str | None:
    """Why the inputs and features of a plan with a network do not fit, with the numbers and what to do; None if so."""
    inputs = plan.test.signal_dim + plan.test.noise_dim + 1
    features = inputs if network.kind == "raw" else network.width
    tested = plan.test.group_count * network.test_rows
    rows = sum(int(sample.counts.sum()) for sample in plan.samples) + tested
    used = max(int(stage.selection.used.sum()) for stage in plan.stages)
    # Doubles for inputs and features; rows of a fit are copied twice in doubles and once in singles; a network, its
    # gradient, its moves and its start.
    trained = 32 * inputs * network.width if network.kind == "trained" else 0
    needed = (8 * rows * (inputs + features) + 20 * used * features + trained) * workers
    free = free_bytes()
    if free is None or needed <= free:
        return None
    return (
        f"inputs and features need {needed / 1e9:.1f} GB ({rows} rows, {tested} of them for the test, {inputs} inputs, "
        f"{features} features, {workers} workers) and {free / 1e9:.1f} GB are free; lower network.test_rows, "
        "network.width, train.n, heldout.n or features.noise.dim"
    )


def lazy_shortage(rows: int, directions: int, workers: int) -> str | None:
    """Why lazy samples of so many rows with so many directions do not fit, with the numbers; None if they do."""
    # A left direction in doubles and a right one in singles, and about ten numbers a row besides.
    needed = rows * (12 * directions + 80) * workers
    free = free_bytes()
    if free is None or needed <= free:
        return None
    return (
        f"a lazy sample of {rows} rows needs {needed / 1e9:.1f} GB for {directions} directions in {workers} workers, "
        f'and {free / 1e9:.1f} GB are free; lower train.n or heldout.n, or take loss = "squared", which needs no rows'
    )
