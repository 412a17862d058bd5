"""The size study behind `check`: does simulation approach a prediction as the sizes grow?

A comparison has two errors, sampling (1/sqrt(replicates)) and finite size (a power series in 1/size). So a cell is
simulated at several sizes, the difference to the prediction is extrapolated to 1/size = 0 by a polynomial, and the
extrapolated difference is tested with its variance carried (random numbers are independent between sizes and cells):

- the heads jointly, by Hotelling's T^2 on (u, b), with log q where the limit has noise in the head;
- every group's accuracy, and that of the worst group, by Student's t.

A method in a cell gets one p-value, the least of the three after Bonferroni; over cells and methods Holm's step-down
keeps the chance of any false rejection below `false_alarm`. The polynomial leaves a remainder, which is not small where
the heads are far from their limit at the least size, as at hard margins with very unequal noise: there differences
fall as d^-0.25 to d^-0.7 from d = 100 to 400, whatever they do in the end. So the p-value is taken a second time, of
what the differences have beyond the remainder that their size allows (`remainder`). A method "disagrees" if both are
rejected; if the first alone is, it is "undecided", and larger sizes decide.

What a size is, and so how an experiment grows, is the limit's (`growth`); all else is shared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from .._arguments import checked_array, checked_counts, checked_number, checked_seed, checked_whole, require_choice
from ..experiment.grid import Grid
from ..model.plan import features, require_experiment
from ..outcome import Outcome
from ..prediction import LIMITS, Limit, predict
from ..simulation import require_memory, simulate
from ..statistics import rejected
from .growth import Growth, PopulationGrowth, ProportionalGrowth
from .judging import compare
from .result import Agreement, CellAgreement, MethodAgreement

if TYPE_CHECKING:
    from .._arguments import Seed
    from ..experiment import Experiment


def check(
    experiment: Experiment,
    *,
    limit: Limit = "proportional",
    replicates: int = 24,
    ratios: Sequence[float] | None = None,
    dims: Sequence[int] | None = None,
    seed: Seed | None = None,
    false_alarm: float = 1e-3,
    cells: int = 4,
    jobs: int = 1,
    predictor: Callable[[Experiment], Outcome] | None = None,
    say: Callable[[str], None] = lambda line: None,
    prepare: Callable[[], None] = lambda: None,
) -> Agreement:
    """Compare simulation with prediction, cell by cell, on heads and group accuracies.

    In the proportional limit d grows over `dims` at fixed n/d (`ProportionalGrowth` has the default); in the
    population limit both samples grow to n = ratio * d rows at fixed noise dimension d, for each of `ratios` (default
    30, 100, 300). At the experiment's own size the gap is shown but never called agreement. Of the grid, up to `cells`
    cells spread evenly are judged. `predictor` is what is judged: by default llrsim's own `predict` in this limit.
    `seed` is as in `simulate`. `say` is told what is being simulated; `prepare` is called before, once nothing more can
    be refused.

    Raises:
        TypeError: another type of an argument.
        ValueError: an argument out of range, an unknown limit, sizes of the other limit, fewer than two different
            sizes, no noise coordinates, a group without rows at one of `dims`, or fewer than k + 4 replicates.
        MemoryError: the largest size does not fit.
    """
    require_experiment(experiment)
    growth = growth_towards(limit, ratios, dims)
    replicates = checked_whole("replicates", replicates, 1)
    cells = checked_whole("cells", cells, 1)
    jobs = checked_whole("jobs", jobs, 1)
    if not 0 < checked_number("false_alarm", false_alarm) < 1:
        raise ValueError(f"false_alarm: {false_alarm}; expected between 0 and 1")
    drawn = experiment.sweep.seed if seed is None else checked_seed(seed)
    judge = predictor or partial(predict, limit=limit)
    if replicates < experiment.signal_dim + 4:
        raise ValueError(f"replicates: {replicates}; the joint test needs at least {experiment.signal_dim + 4}")
    grid = Grid(experiment)

    def pair(sized: Experiment, cell: str, cell_seed: int) -> tuple[Outcome, Outcome]:
        say(f"{cell}: {replicates} x {sum(sized.train_counts())} training rows, d = {sized.noise_dim}")
        simulated = simulate(sized, replicates, seed=cell_seed, pairing="independent", jobs=jobs)
        return simulated, judge(sized)

    judged, chosen = [], spread_evenly(grid, cells)
    for i in chosen:
        largest = growth.resized(grid.experiment(i), max(growth.sizes(grid.experiment(i))))
        require_memory(largest, replicates, jobs=jobs)
    prepare()
    for i in chosen:
        axes = grid.cell(i)
        name = ", ".join(f"{key} = {value}" for key, value in axes.items()) or experiment.name
        simulated_at = partial(pair, cell=name, cell_seed=seed_of_cell(drawn, i))
        judged.append(CellAgreement(axes, _compare_methods(grid.experiment(i), growth, simulated_at)))
    return Agreement(
        name=experiment.name,
        growth=growth,
        replicates=replicates,
        false_alarm=false_alarm,
        group_names=features(experiment).group_names,
        cells=_with_verdicts(judged, false_alarm),
        seed=drawn,
    )


def spread_evenly(grid: Grid, cells: int) -> list[int]:
    """Indices of up to `cells` cells of the grid, from the first to the last."""
    return np.unique(np.linspace(0, len(grid) - 1, min(cells, len(grid))).round().astype(int)).tolist()


def growth_towards(limit: str, ratios: Sequence[float] | None, dims: Sequence[int] | None) -> Growth:
    """How sizes grow towards a limit, through these sizes or its default; ValueError for those of the other."""
    require_choice("limit", limit, LIMITS)
    if ratios is not None:
        checked_array("ratios", ratios, ("S",))
    given = None if ratios is None else tuple(ratios)
    sizes = None if dims is None else tuple(checked_counts("dims", dims, ("S",)).tolist())
    if limit == "population":
        if sizes is not None:
            raise ValueError(f"dims: {sizes}; in the population limit sizes are `ratios` n/d")
        return PopulationGrowth() if given is None else PopulationGrowth(given)
    if given is not None:
        raise ValueError(f"ratios: {given}; in the proportional limit sizes are `dims` d")
    return ProportionalGrowth(sizes)


def seed_of_cell(seed: int, cell: int) -> int:
    """A seed for each cell: cells that differ in the head alone have one law, and one seed would pair their draws."""
    return int(np.random.SeedSequence((seed, cell)).generate_state(1, np.uint64)[0])


def _compare_methods(
    cell: Experiment, growth: Growth, pair: Callable[[Experiment], tuple[Outcome, Outcome]]
) -> tuple[MethodAgreement, ...]:
    sizes = growth.sizes(cell)
    grown = {size: growth.resized(cell, size) for size in sizes}
    # The largest first: what does not fit is refused at once.
    found = {size: pair(grown[size]) for size in sorted(sizes, reverse=True)}
    own = pair(cell)
    return tuple(
        compare(
            label,
            sizes,
            [(simulated[label], predicted[label]) for simulated, predicted in (found[size] for size in sizes)],
            degree=growth.degree,
            own=(own[0][label], own[1][label]),
            own_size=growth.own_size(own[0][label]),
        )
        for label in cell.method_labels
    )


def _with_verdicts(cells: list[CellAgreement], false_alarm: float) -> tuple[CellAgreement, ...]:
    """Mark what disagrees or is undecided, by Holm's step-down over all methods and cells that can be judged."""
    judged = [method for cell in cells for method in cell.methods if method.judged]
    suspect = iter(rejected(np.array([m.p_value for m in judged]), false_alarm))
    wrong = iter(rejected(np.array([max(m.p_value, m.p_beyond) for m in judged]), false_alarm))

    def verdict(method: MethodAgreement) -> MethodAgreement:
        if not method.judged:
            return method
        differs, beyond = next(suspect), next(wrong)
        return replace(method, verdict="disagrees" if beyond else "undecided" if differs else "agrees")

    return tuple(replace(cell, methods=tuple(verdict(m) for m in cell.methods)) for cell in cells)
