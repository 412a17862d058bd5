"""The dense simulator: whole designs in memory, every loss and solver."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from ..descent_rule import stability
from ..drawing import SampleLaw, draw
from ..head import Head
from ..outcome import MethodOutcome, Outcome, Path
from ..planning import Plan, Stage, plan
from ..reweighting import Rule
from ..status import Status
from ..stream import root_key
from .descent import largest_stable_step
from .draws import Draws
from .engine import run
from .fitting import descent_path, penalties
from .robust import fit_worst_case, no_worst_case
from .solvers import INTERIOR_POINT, NEWTON, RIDGE, SOLVERS, call_with_solvers, only, recipe
from .tables import Records, Tables, by_section, records, room_for, tabulate

if TYPE_CHECKING:
    from ..experiment import FitOptions


def simulate_densely(plan: Plan, draws: Draws) -> Outcome:
    """Simulate replicates of a plan, as `simulate_plan` says."""
    laws, tables = tabulate(plan)
    solvers = only(tables.codes[:, 0].tolist())
    worst_case = fit_worst_case if (tables.rule == Rule.WORST).any() else no_worst_case
    root = root_key(draws.seed, draws.law)
    out = records(plan, draws.replicates, tables)
    # A few chunks a worker even out replicates of unequal cost; the split changes no number.
    chunks = np.array_split(np.arange(draws.replicates), min(draws.replicates, 4 * draws.jobs if draws.jobs > 1 else 1))

    def work(rows: np.ndarray) -> None:
        part = Records(*(field[rows[0] : rows[-1] + 1] for field in out))
        room = room_for(tables, plan.test.signal_dim + plan.test.noise_dim + 1)
        call_with_solvers(run, solvers, worst_case, laws, tables, room, root, draws.first + int(rows[0]), part)

    if draws.jobs > 1:
        with ThreadPoolExecutor(draws.jobs) as pool:
            list(pool.map(work, chunks))
    else:
        for rows in chunks:
            work(rows)
    stable = [_largest_stable_step(plan, m, laws, tables, root, draws.first, out) for m in range(len(plan.stages))]
    outcomes = {
        stage.label: MethodOutcome(
            stage=stage,
            test=plan.test,
            heads=_heads(out.heads[:, m]),
            status=out.status[:, m],
            certificate=out.certificate[:, m],
            iterations=out.iterations[:, m],
            limit="finite",
            path=_path(plan, m, out),
            largest_stable_step=stable[m],
            masses=out.mass[:, m] if stage.reweighting else None,
            shares=out.share[:, m] if stage.reweighting else None,
            cosine=None if stage.angle_to is None else _cosine(out, stage.angle_to, m),
            bias_interval=out.bias_interval[:, m] if (out.status[:, m] == Status.BIAS_NOT_UNIQUE).any() else None,
        )
        for m, stage in enumerate(plan.stages)
    }
    return Outcome(name="plan", methods=outcomes, side="simulation", simulator="dense", gram=out.gram)


def _heads(summary: np.ndarray) -> Head:
    return Head(summary[..., :-3], summary[..., -3], summary[..., -2], summary[..., -1])


def _cosine(out: Records, first: int, second: int) -> np.ndarray:
    """(R,) cosine between the weight vectors of two stages; nan where one of them is zero."""
    u, v = out.heads[:, first], out.heads[:, second]
    k = u.shape[1] - 3
    lengths = np.sqrt([(w[:, :k] ** 2).sum(axis=1) + w[:, k + 1] ** 2 for w in (u, v)])
    inner = (u[:, :k] * v[:, :k]).sum(axis=1) + out.gram[:, first, second]
    with np.errstate(invalid="ignore"):
        cosine: np.ndarray = inner / (lengths[0] * lengths[1])
    return cosine


def _path(plan: Plan, m: int, out: Records) -> Path | None:
    steps = descent_path(plan.stages[m].head)
    return Path(steps, _heads(out.path_heads[:, m, : len(steps)])) if len(steps) else None


def _largest_stable_step(
    plan: Plan, m: int, laws: SampleLaw, tables: Tables, root: np.uint64, first: int, out: Records
) -> float:
    """The largest stable step of the first replicate that diverged; nan if none did, or if a rule makes the weights."""
    stage = plan.stages[m]
    diverged = np.flatnonzero(out.status[:, m] == Status.DIVERGED)
    if not diverged.size or stage.reweighting is not None:
        return float("nan")
    sample = plan.samples[stage.sample]
    n, p = int(sample.counts.sum()), plan.test.signal_dim + plan.test.noise_dim + 1
    X, y = np.empty((n, p)), np.empty(n)
    law = SampleLaw(
        laws.labels, laws.means[stage.sample], laws.factors[stage.sample], laws.noise_scale[stage.sample],
        laws.spectrum_root,
    )  # fmt: skip
    state = np.empty(4, np.uint64)
    draw(state, root, int(tables.role[stage.sample]), first + int(diverged[0]), law, sample.counts, X, y)
    c = _row_weights(stage)
    penalty, _ = penalties(stage.head.ridge, stage.anchor, np.zeros(p))
    how = recipe(stage.head)
    return float(largest_stable_step(how.loss, X, c, penalty, stability(how.momentum, how.nesterov > 0)))


def _row_weights(stage: Stage) -> np.ndarray:
    """(n,) total weight of every row of the sample, as the engine uses rows: a prefix of a section, or it in cycles.

    Random subsets (`average` above one) are read as prefixes: they differ in rows that are exchangeable.
    """
    # Features that are scaled by s bend the loss by s^2.
    weight = stage.selection.weight * by_section(stage, "scales", 1.0) ** 2
    sections = zip(stage.selection.available, stage.selection.used, weight, strict=True)
    return np.concatenate(
        [weight * (used // max(n, 1) + (np.arange(n) < used % max(n, 1))) for n, used, weight in sections]
    )


def warm_up(heads: Iterable[FitOptions] | None = None) -> None:
    """Compile what simulating these heads takes (default: any head), or load it from the cache.

    By one tiny plan that passes through each of their solvers.
    """
    from ..experiment import load

    solvers = range(len(SOLVERS)) if heads is None else {recipe(head).solver for head in heads}
    exact = {RIDGE: "squared", NEWTON: "logistic", INTERIOR_POINT: "hinge"}
    tiny = {
        "features": {"core": {"mean": 1.0, "std": 0.6}, "noise": {"dim": 2}},
        "train": {"n": 40, "proportions": [0.25] * 4},
        "head": {"ridge": 0.1},
        "method": [
            {
                "kind": "erm",
                "name": str(solver),
                "head": {"loss": exact[solver]} if solver in exact else {"solver": {"steps": 2, "step_size": 0.1}},
            }
            for solver in solvers
        ],
    }
    simulate_densely(plan(load(tiny)), Draws())
