"""What a phase diagram needs beside the predictions of its cells: shares of the gain, and where rows are separable.

Both vary slowly and cost several solves a cell, so a fine grid is surveyed at evenly thinned values of its axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from ..experiment.errors import ExperimentError
from ..experiment.grid import Grid
from ..head import read_out
from ..planning import Plan, Sample, Shares, plan
from .predicting import Chain, stacked
from .workers import Workers

if TYPE_CHECKING:
    from .interruption import Flag

FINEST = 25  # values of an axis that are surveyed at most

Row = dict[str, Any]


def survey(grid: Grid, *, jobs: int, sized: bool = True, shares: Shares = "realised") -> list[Row]:
    """A row for each retraining method (one without a method where there is no gain to split) of the cells surveyed.

    Beside the axes: of the gain over ERM in worst-group accuracy, the Shapley values `balance_share` (composition and
    weighting) and `collapse_share` (T21), None where some cell of the factorial has no head; and, for train and
    heldout, `_rows_per_dim` (n/d) and `_separable_below` (T12), None where there is no such sample or no noise.

    Args:
        grid: two axes or more, of any values.
        jobs: processes to share the runs.
        sized: False in the population limit, where sample sizes have no effect.
        shares: of the groups, as the predictions beside them have.
    """
    thinned = [_thinned(length) for length in grid.shape]
    strides = np.cumprod([1, *reversed(grid.shape[1:])])[::-1]
    runs = [[int(np.dot(strides, (*outer, last))) for last in thinned[-1]] for outer in product(*thinned[:-1])]
    with Workers(jobs, processes=len(runs) > 1) as workers:
        futures = [workers.submit(survey_run, grid, run, sized, shares) for run in runs]
        return [row for future in futures for row in future.result()]


def survey_run(grid: Grid, cells: Sequence[int], sized: bool, shares: Shares, stop: Flag) -> list[Row]:
    """The rows of cells that follow one another; cells whose values do not go together are left out."""
    chain = Chain()
    rows: list[Row] = []
    for cell in cells:
        if stop.is_set():
            break
        try:
            resolved = plan(grid.experiment(cell), shares)
        except ExperimentError:
            continue
        where = grid.cell(cell) | _thresholds(resolved)
        rows += [where | split for split in _split(resolved, chain, sized) or [{"method": None}]]
    return rows


def _thinned(length: int) -> list[int]:
    return np.unique(np.linspace(0, length - 1, min(length, FINEST)).round().astype(int)).tolist()


def _split(resolved: Plan, chain: Chain, sized: bool) -> list[Row]:
    from ..attribution import build, shapley

    baseline = next((stage for stage in resolved.stages if stage.kind == "erm"), None)
    split = [stage for place, stage in enumerate(resolved.stages) if resolved.splits(place)]
    retraining = [stage for stage in split if stage is not baseline]
    if baseline is None or not retraining or resolved.network is not None:
        return []
    cells, factorials = build(resolved, baseline, retraining, sized=sized)
    outcomes = chain.predict(cells)
    heads = stacked([outcome.heads for outcome in outcomes])
    wga = dict(zip((outcome.label for outcome in outcomes), read_out(heads, cells.test).wga, strict=True))
    rows = []
    for factorial in factorials:
        values = np.array([wga[label] for label in factorial.cells.ravel()]).reshape(factorial.cells.shape)
        effects = dict(zip(factorial.switches, shapley(values).tolist(), strict=True))
        shares = {
            "balance_share": effects.get("composition", 0.0) + effects.get("weighting", 0.0),
            "collapse_share": effects.get("collapse", 0.0),
        }
        whole = bool(np.isfinite(values).all())
        rows.append(
            {"method": factorial.method.label} | {name: share if whole else None for name, share in shares.items()}
        )
    return rows


def _thresholds(resolved: Plan) -> Row:
    samples = {sample.role: sample for sample in resolved.samples}
    told: Row = {}
    for role in ("train", "heldout"):
        ratio, below = _threshold(samples[role]) if role in samples else (None, None)
        told |= {f"{role}_rows_per_dim": ratio, f"{role}_separable_below": below}
    return told


def _threshold(sample: Sample) -> tuple[float | None, float | None]:
    from ..losses import Loss
    from ..prediction.proportional.problem import ProportionalProblem
    from ..prediction.proportional.separability import threshold

    law = sample.mixture
    if law.noise_dim == 0 or not law.noise_std.any():
        return None, None
    problem = ProportionalProblem.of(law, Loss.LOGISTIC, counts=sample.counts)
    return float(sample.counts.sum()) / law.noise_dim, threshold(problem).threshold
