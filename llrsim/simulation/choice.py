"""Which simulator runs a plan: by the experiment alone, so that every machine and every run decides alike.

Up to SMALL numbers in its largest design a plan is dense: a replicate takes milliseconds, and dense replicates are
paired. Beyond that it is lazy where that is estimated to take less time. Either simulator holds `columns` for its rows,
fills them once and passes over them as often as the fit asks:

    seconds = rows * columns * (fill + sweep * passes)

|         | rows                  | columns                    | passes                                           |
|---------|-----------------------|----------------------------|--------------------------------------------------|
| dense   | drawn once for a plan | k + d + 1                  | `_dense_passes`: what the loss's solver takes    |
| lazy    | drawn for each fit    | k + 1 + K (1 + E)          | steps + K of a descent, SWEEPS K of an exact fit |

K is the number of queries that are numerically new, each of which adds a left direction and one right direction in each
of the E eigenspaces of the noise (T17). Least squares asks of the rows of a section only their inner products, so there
the lazy simulator holds at most as many rows a section as columns (T18). K does not depend on d, and is not lowered to
d either: there the dense columns are the fewer, and so a plan that is lazy at some d is lazy at every larger one.

Exact fits of the squared hinge whose ridge is small beside the noise are dense (`LEAST_RIDGE`).
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from .._arguments import require_choice
from ..experiment import ExperimentError
from ..experiment.schema import Simulator
from .lazy.support import obstacle
from .memory import shortage

if TYPE_CHECKING:
    from ..model.plan import Plan, Stage

Chosen = Literal["dense", "lazy", "learned"]

SMALL = 2e6
"""Numbers in the design of a plan's largest sample up to which it is always dense."""


class Cost(NamedTuple):
    """Seconds for a number of a design."""

    fill: float  # to draw it
    sweep: float  # to use it in one pass


DENSE = Cost(fill=6.5e-9, sweep=0.5e-9)
"""Measured on one thread, designs of 10^5 to 10^7 numbers."""

LAZY = Cost(fill=4.0e-9, sweep=0.6e-9)
"""As DENSE. Only the right directions, about half of the columns, are drawn. A pass of a replicate took 0.3 to 0.54 ns
a number, from exact fits of 4 000 rows to descents of 10^5; rounded up, because ties go to paired replicates."""

PRODUCT, UNIT = 0.12e-9, 8e-9
"""Seconds that a step of a network's training takes for each row and hidden unit: an input's two products, and what
does not depend on the inputs. Measured on one thread, 1000 to 4000 rows of 100 to 300 inputs, 200 to 400 units."""

NEWTON = 45
"""Passes of a dense logistic or squared hinge fit, most of them Hessian products in single precision."""

GRAM = 0.25
"""Passes that adding one row to a Gram matrix costs for each of its columns: triangular, and from the cache."""

INTERIOR_POINT = 15
"""Gram matrices of a dense hinge or max margin fit."""

QUERIES = 40
"""New directions of a lazy descent, or of an exact fit of a loss with a slope: 42 of the latter at n = d = 20 000, and
fewer where n is larger than d."""

MANY_QUERIES = 150
"""New directions of a lazy hinge or max margin fit."""

KINKED_QUERIES = 24
"""New directions of a lazy squared hinge fit, over the cube root of the ridge beside the noise's mean square: 17 to 24,
50 and 110 were seen at 1, 0.1 and 0.01 with 600 and 2100 rows in 300 to 10^5 dimensions."""

LEAST_RIDGE = 1e-3
"""Ridge of a squared hinge beside the noise's mean square below which a lazy fit need not converge: nearly all that is
wrong there is which rows bend, and every query shows a few. At 1e-3 it takes 200 to 310 queries, at 1e-4 over 500."""

SWEEPS = 3
"""Passes of a lazy exact fit for each of its queries: to ask, to project, to search."""


def chosen(plan: Plan, simulator: Simulator) -> Chosen:
    """The simulator of a plan: the one that is asked for, or for "auto" by the rule above; with a network "learned".

    Raises:
        ExperimentError: "lazy" is asked for, and the plan has an `obstacle`.
        ValueError: no such simulator.
    """
    require_choice("simulator", simulator, get_args(Simulator))
    if simulator == "lazy" and (found := obstacle(plan)) is not None:
        raise ExperimentError(found)
    if plan.network is not None:
        return "learned"
    if simulator != "auto":
        return simulator
    rows = max(int(sample.counts.sum()) for sample in plan.samples)
    if rows * _columns(plan) <= SMALL or not _lazy_stands(plan):
        return "dense"
    return "lazy" if lazy_seconds(plan) < dense_seconds(plan) else "dense"


def chosen_for_factorial(plan: Plan, simulator: Simulator, workers: int) -> Simulator:
    """As `chosen` for cells that are compared with each other, of no network.

    "auto" is dense as long as memory holds the designs.

    Dense cells are paired, which narrows the intervals of differences more than speed could.
    """
    if simulator == "auto":
        return "lazy" if shortage(plan, workers) is not None and _lazy_stands(plan) else "dense"
    chosen(plan, simulator)
    return simulator


def expected_seconds(plan: Plan, how: Chosen) -> float:
    """Estimated time of a replicate on one thread; of a network what its training takes."""
    if how == "learned":
        return _training_seconds(plan)
    return lazy_seconds(plan) if how == "lazy" else dense_seconds(plan)


def dense_seconds(plan: Plan) -> float:
    """Estimated time of a dense replicate on one thread."""
    columns = _columns(plan)
    drawn = sum(int(sample.counts.sum()) for sample in plan.samples)
    swept = sum(stage.average * _rows(stage) * _dense_passes(stage, columns) for stage in plan.stages)
    return columns * (drawn * DENSE.fill + swept * DENSE.sweep)


def lazy_seconds(plan: Plan) -> float:
    """Estimated time of a lazy replicate on one thread; does not depend on d."""
    return sum(_lazy_seconds(plan, stage) for stage in plan.stages)


def _lazy_seconds(plan: Plan, stage: Stage) -> float:
    head, rows = stage.head, _rows(stage)
    if not isinstance(head.solver, str):
        queries = min(QUERIES, head.solver.steps)
        passes = head.solver.steps + queries
    else:
        queries = QUERIES if head.loss in ("squared", "logistic") else MANY_QUERIES
        if head.loss == "squared_hinge":
            queries = int(KINKED_QUERIES / max(_relative_ridge(plan, stage), LEAST_RIDGE) ** (1 / 3)) + 1
        passes = SWEEPS * queries
    # Every head that is averaged asks of rows of its own.
    queries = min(stage.average * queries, rows)
    columns = plan.test.signal_dim + 1 + queries * (1 + len(plan.test.eigenspaces()[0]))
    if head.loss == "squared" and stage.average == 1:
        rows = sum(min(int(used), columns) for used in stage.selection.used)
    return rows * columns * (LAZY.fill + LAZY.sweep * passes * stage.average)


def _lazy_stands(plan: Plan) -> bool:
    """Whether the lazy simulator takes the plan, and its fits converge."""
    kinked = [stage for stage in plan.stages if stage.head.loss == "squared_hinge" and stage.head.solver == "exact"]
    return obstacle(plan) is None and all(_relative_ridge(plan, stage) >= LEAST_RIDGE for stage in kinked)


def _relative_ridge(plan: Plan, stage: Stage) -> float:
    """A stage's penalty over the mean square of a noise coordinate, where that is largest; inf without noise."""
    values, multiplicities = plan.test.eigenspaces()
    noise = float(plan.samples[stage.sample].mixture.noise_std.max()) ** 2 * float(values @ multiplicities)
    return (stage.head.ridge + stage.anchor) * plan.test.noise_dim / noise if noise > 0.0 else inf


def _training_seconds(plan: Plan) -> float:
    network = plan.network
    if network is None or network.kind != "trained" or network.steps is None:
        return 0.0
    return network.steps * int(plan.samples[0].counts.sum()) * network.width * (_columns(plan) * PRODUCT + UNIT)


def _dense_passes(stage: Stage, columns: int) -> float:
    head, rows = stage.head, _rows(stage)
    if not isinstance(head.solver, str):
        return head.solver.steps * min(1.0, (head.solver.batch or rows) / max(rows, 1))
    if head.loss in ("logistic", "squared_hinge"):
        return NEWTON
    return GRAM * min(rows, columns) * (1 if head.loss == "squared" else INTERIOR_POINT)


def _columns(plan: Plan) -> int:
    return plan.test.signal_dim + plan.test.noise_dim + 1


def _rows(stage: Stage) -> int:
    return int(stage.selection.used.sum())
