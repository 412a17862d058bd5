"""The size study behind `check`: does simulation approach a prediction as the sizes grow?

A comparison has two errors, sampling (1/sqrt(replicates)) and finite size (a power series in d/n). So a cell is
simulated at several sizes with independent random numbers, the difference to the prediction is extrapolated to
d/n = 0 by the polynomial through the sizes, and the extrapolated difference is tested with its variance carried:

- the heads jointly, by Hotelling's T^2 on (u, b);
- every group's accuracy, by Student's t.

A method in a cell gets one p-value, the smaller of the two after Bonferroni; over cells and methods Holm's step-down
keeps the chance of any false "disagrees" below `false_alarm`, provided the polynomial's remainder is small against
the sampling error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import structs

from ..experiment.grid import Grid
from ..mixture import Array
from ..outcome import MethodOutcome, Outcome
from ..planning import features
from ..prediction import predict
from ..simulation import simulate
from .result import Agreement, CellAgreement, MethodAgreement
from .statistics import extrapolate, freedom, hotelling, intercept_weights, rejected, smallest_t

if TYPE_CHECKING:
    from ..experiment import Experiment

RATIOS = (30.0, 100.0, 300.0)


def check(
    experiment: Experiment,
    *,
    limit: str = "population",
    replicates: int = 24,
    ratios: Sequence[float] = RATIOS,
    seed: int | None = None,
    false_alarm: float = 1e-3,
    cells: int = 4,
    jobs: int = 1,
    predictor: Callable[[Experiment], Outcome] = predict,
    say: Callable[[str], None] = lambda line: None,
) -> Agreement:
    """Compare simulation with prediction, cell by cell, on heads and group accuracies.

    In the population limit both samples grow to n = ratio * d at fixed noise dimension d, for each of `ratios`; at
    the experiment's own n the gap is shown but never called agreement. Of the grid, up to `cells` cells spread
    evenly are judged. `predictor` is what is judged: by default llrsim's own `predict`. `say` is told what is being
    simulated.

    Raises:
        ValueError: a limit without predictions, fewer than two different ratios, no noise coordinates, or fewer than
            k + 3 replicates.
        MemoryError: the largest size does not fit.
    """
    if limit != "population":
        raise ValueError(f"limit: {limit!r}; this version predicts in: population")
    if len(set(ratios)) < max(2, len(ratios)) or min(ratios) <= 0:
        raise ValueError(f"ratios: {tuple(ratios)}; expected two or more different, positive values of n/d")
    if experiment.noise_dim == 0:
        raise ValueError("features.noise.dim: 0; a size study at n = ratio * dim needs noise coordinates")
    if replicates < experiment.signal_dim + 3:
        raise ValueError(f"replicates: {replicates}; the joint test needs at least {experiment.signal_dim + 3}")
    grid = Grid(experiment)
    chosen = np.unique(np.linspace(0, len(grid) - 1, min(cells, len(grid))).round().astype(int))
    judged = [
        _judge_cell(grid.experiment(int(i)), grid.cell(int(i)), replicates, tuple(ratios), seed, jobs, predictor, say)
        for i in chosen
    ]
    return Agreement(
        name=experiment.name,
        limit=limit,
        replicates=replicates,
        false_alarm=false_alarm,
        group_names=features(experiment).group_names,
        cells=_with_verdicts(judged, false_alarm),
    )


def resized(experiment: Experiment, ratio: float) -> Experiment:
    """The experiment with every sample at n = ratio * d, in its own proportions."""
    n = max(experiment.group_count, round(ratio * experiment.noise_dim))
    sections: dict[str, Any] = {"train": _resize(experiment.train, n, experiment.train_proportions)}
    if experiment.heldout is not None:
        sections["heldout"] = _resize(experiment.heldout, n, experiment.heldout_proportions)
    return experiment.replace(**sections)


def _resize(section: Any, n: int, proportions: tuple[float, ...]) -> Any:
    alternatives = {
        name: None
        for name in ("counts", "n_per_dim", "minority_ratio", "class_prior")
        if name in section.__struct_fields__
    }
    return structs.replace(section, n=n, proportions=proportions, **alternatives)


def _judge_cell(
    cell: Experiment,
    axes: dict[str, Any],
    replicates: int,
    ratios: tuple[float, ...],
    seed: int | None,
    jobs: int,
    predictor: Callable[[Experiment], Outcome],
    say: Callable[[str], None],
) -> CellAgreement:
    def pair(experiment: Experiment) -> tuple[Outcome, Outcome]:
        rows = f"{sum(experiment.train_counts())} training rows"
        say(f"{', '.join(f'{key} = {value}' for key, value in axes.items()) or cell.name}: {replicates} x {rows}")
        simulated = simulate(experiment, replicates, seed=seed, pairing="independent", jobs=jobs)
        return simulated, predictor(experiment)

    # The largest first: what does not fit is refused at once.
    by_ratio = {ratio: pair(resized(cell, ratio)) for ratio in sorted(ratios, reverse=True)}
    sizes = [by_ratio[ratio] for ratio in ratios]
    own = pair(cell)
    methods = []
    for label in cell.method_labels:
        pairs = [(simulated[label], predicted[label]) for simulated, predicted in sizes]
        methods.append(_judge_method(label, (own[0][label], own[1][label]), pairs, ratios))
    return CellAgreement(axes, tuple(methods))


def _judge_method(
    label: str,
    own: tuple[MethodOutcome, MethodOutcome],
    pairs: list[tuple[MethodOutcome, MethodOutcome]],
    ratios: tuple[float, ...],
) -> MethodAgreement:
    groups = own[0].test.group_count
    own_ratio = float(own[0].stage.selection.counts.sum() / own[0].test.noise_dim)
    blank = np.full(groups, np.nan)
    unpredicted = any(not predicted.outcome.ok for _, predicted in pairs)
    if unpredicted or any(not simulated.outcome.ok for simulated, _ in pairs):
        return MethodAgreement(
            label=label,
            own_ratio=own_ratio,
            own_gap=blank,
            ratios=np.array(ratios),
            gaps=np.full((len(ratios), groups), np.nan),
            extrapolated=blank,
            standard_error=blank,
            prediction=blank,
            z=blank,
            wga_z=float("nan"),
            p_value=float("nan"),
            verdict="no prediction" if unpredicted else "no simulation",
        )
    intercept = intercept_weights(1.0 / np.array(ratios))
    accuracy = [s.readout.group_accuracy - p.readout.group_accuracy for s, p in pairs]
    heads = [_head_vector(s) - _head_vector(p) for s, p in pairs]
    gap, covariance = extrapolate(accuracy, intercept)
    error = np.sqrt(np.diag(covariance))
    p_accuracy = smallest_t(gap, error, freedom(accuracy, intercept))
    p_heads = hotelling(*extrapolate(heads, intercept), float(freedom(heads, intercept).min()))
    return MethodAgreement(
        label=label,
        own_ratio=own_ratio,
        own_gap=own[0].group_accuracy - own[1].group_accuracy,
        ratios=np.array(ratios),
        gaps=np.array([rows.mean(axis=0) for rows in accuracy]),
        extrapolated=gap,
        standard_error=error,
        prediction=pairs[-1][1].group_accuracy,
        z=np.divide(gap, error, out=np.full(groups, np.nan), where=error > 0),
        wga_z=_worst_group_z([s.readout.group_accuracy for s, _ in pairs], accuracy, intercept),
        p_value=min(1.0, 2 * min(p_accuracy, p_heads)),
        verdict="agrees",
    )


def _head_vector(outcome: MethodOutcome) -> Array:
    return np.column_stack([outcome.heads.signal, outcome.heads.bias])


def _worst_group_z(accuracy: list[Array], differences: list[Array], weights: Array) -> float:
    """z of the worst group's extrapolated difference: chosen on a first quarter of the replicates, judged on the rest.

    Choosing and judging on the same replicates would favour low draws where groups tie.
    """
    quarter = max(1, len(accuracy[0]) // 4)
    worst = int(accuracy[-1][:quarter].mean(axis=0).argmin())
    gap, covariance = extrapolate([rows[quarter:, [worst]] for rows in differences], weights)
    return float(gap[0] / np.sqrt(covariance[0, 0])) if covariance[0, 0] > 0 else float("nan")


def _with_verdicts(cells: list[CellAgreement], false_alarm: float) -> tuple[CellAgreement, ...]:
    """Mark what disagrees, by Holm's step-down over all methods and cells that can be judged."""
    p_values = np.array([m.p_value for cell in cells for m in cell.methods if np.isfinite(m.p_value)])
    wrong = iter(rejected(p_values, false_alarm))

    def verdict(method: MethodAgreement) -> MethodAgreement:
        if not np.isfinite(method.p_value) or not next(wrong):
            return method
        return replace(method, verdict="disagrees")

    return tuple(replace(cell, methods=tuple(verdict(m) for m in cell.methods)) for cell in cells)
