"""Simulate with whole designs in memory: every loss and solver."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..model.descent import stability
from ..model.draws import Role, SampleLaw, draw, root_key
from ..model.head import Head
from ..model.losses import Status
from ..model.methods import Rule
from ..model.mixture import Array
from ..model.plan import Plan, Stage, plan
from ..outcome import MethodOutcome, Outcome, Path
from .engine import Draws, run
from .solvers import INTERIOR_POINT, NEWTON, RIDGE, SOLVERS, call_with_solvers, descent_path, only, penalties, recipe
from .solvers.descent import largest_stable_step
from .solvers.worst_case import fit_worst_case, no_worst_case

if TYPE_CHECKING:
    from ..experiment import FitOptions


# Room for the designs of the engine: kept from one call to the next, a worker its own.
#
# Fresh memory costs a page fault every four kilobytes, under a lock that all threads share: as much time as drawing the
# numbers that go into it. So every thread keeps what it has, up to a bound, and asks NumPy for it, which gets large
# pages from the system.


KEPT = 1 << 28  # bytes of a buffer that are not given back


class Room(NamedTuple):
    """The large arrays that `run` writes to before it reads them."""

    drawn: Array  # (rows of all samples, p)
    gathered: Array  # (most rows that a stage copies, p)
    single: np.ndarray  # (most rows that a second-order solver fits, p), float32


class _Buffers(threading.local):
    def __init__(self) -> None:
        self._held: dict[str, np.ndarray] = {}

    def take(self, name: str, rows: int, columns: int, dtype: type) -> np.ndarray:
        size = rows * columns
        buffer = self._held.get(name)
        if buffer is None or buffer.size < size:
            buffer = np.empty(size, dtype)
            if buffer.nbytes <= KEPT:
                self._held[name] = buffer
        return buffer[:size].reshape(rows, columns)


_buffers = _Buffers()


def room(columns: int, *, drawn: int, gathered: int, single: int) -> Room:
    """Room for so many rows of so many columns. What this thread took before is overwritten."""
    return Room(
        _buffers.take("drawn", drawn, columns, np.float64),
        _buffers.take("gathered", gathered, columns, np.float64),
        _buffers.take("single", single, columns, np.float32),
    )


# A plan in the form that the dense engine's kernel takes, and what it writes into: flat arrays.


class Tables(NamedTuple):
    """A plan as flat arrays: S samples, M stages, B sections a stage at most, P path steps a stage at most."""

    role: np.ndarray  # (S,) stream role
    counts: np.ndarray  # (S, G) rows drawn
    offset: np.ndarray  # (S + 1,) where each sample's rows start
    sample: np.ndarray  # (M,) sample of each stage
    group: np.ndarray  # (M, B) true group of each section
    unit: np.ndarray  # (M, B) group that its rows are annotated with
    available: np.ndarray  # (M, B) rows of each section in the sample
    used: np.ndarray  # (M, B) rows of each section in the fit
    rows: np.ndarray  # (M,) rows in the fit
    weight: np.ndarray  # (M, N) weight of each of them, padded
    scale: np.ndarray  # (M, B) what the features of each section are multiplied by
    shift: np.ndarray  # (M, B) what its margins are lowered by
    gathered: np.ndarray  # (M,) whether the rows have to be copied out of the sample
    codes: np.ndarray  # (M, 5) the integers of a Recipe
    rates: np.ndarray  # (M, 5) the floats of a Recipe
    pulls: np.ndarray  # (M, 2) ridge, anchor
    start: np.ndarray  # (M,) earlier stage, -1 for none
    rule: np.ndarray  # (M,) of `Rule`, -1 for fixed weights
    strength: np.ndarray  # (M,) of the rule
    refers: np.ndarray  # (M, 2) stages that the rule refers to, -1 for none
    average: np.ndarray  # (M,) heads averaged
    path: np.ndarray  # (M, P) path steps, padded
    path_size: np.ndarray  # (M,)


class Records(NamedTuple):
    """Summaries of R replicates; a head is (u_1 .. u_k, b, |v|, q)."""

    heads: Array  # (R, M, k + 3)
    path_heads: Array  # (R, M, P, k + 3)
    gram: Array  # (R, M, M) inner products of the noise parts
    status: np.ndarray  # (R, M)
    certificate: Array  # (R, M)
    iterations: np.ndarray  # (R, M)
    mass: Array  # (R, M, G) effective mass of each group
    share: Array  # (R, M, G) share of each group among the rows of positive weight
    bias_interval: Array  # (R, M, 2) least and largest optimal bias


def tabulate(plan: Plan) -> tuple[SampleLaw, Tables]:
    """The kernel form of a plan: the samples' laws stacked along a leading axis, and everything else as arrays.

    Stacked rather than a tuple of laws, because a tuple's length is part of its type and would compile anew.
    """
    laws = [sample.mixture.kernel_law() for sample in plan.samples]
    stages = plan.stages
    recipes = [recipe(stage.head) for stage in stages]
    paths = [descent_path(stage.head) for stage in stages]
    sizes = [sum(int(n) for n in sample.counts) for sample in plan.samples]
    return (
        SampleLaw(
            labels=laws[0].labels,
            means=np.stack([law.means for law in laws]),
            factors=np.stack([law.factors for law in laws]),
            noise_scale=np.stack([law.noise_scale for law in laws]),
            spectrum_root=laws[0].spectrum_root,
        ),
        Tables(
            role=np.array([int(Role[sample.role.upper().replace("-", "_")]) for sample in plan.samples]),
            counts=np.array([sample.counts for sample in plan.samples], dtype=np.int64),
            offset=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            sample=np.array([stage.sample for stage in stages]),
            group=_padded([stage.selection.group for stage in stages], np.int64),
            unit=_padded([stage.selection.annotated for stage in stages], np.int64),
            available=_padded([stage.selection.available for stage in stages], np.int64),
            used=_padded([stage.selection.used for stage in stages], np.int64),
            rows=np.array([int(stage.selection.used.sum()) for stage in stages]),
            weight=_padded([np.repeat(stage.selection.weight, stage.selection.used) for stage in stages], np.float64),
            scale=_padded([by_section(stage, "scales", 1.0) for stage in stages], np.float64),
            shift=_padded([by_section(stage, "shifts", 0.0) for stage in stages], np.float64),
            gathered=np.array([_is_gathered(stage) for stage in stages]),
            codes=np.array([r[:5] for r in recipes], dtype=np.int64),
            rates=np.array([r[5:] for r in recipes], dtype=np.float64),
            pulls=np.array([(stage.head.ridge, stage.anchor) for stage in stages], dtype=np.float64),
            start=np.array([-1 if stage.start is None else stage.start for stage in stages]),
            rule=np.array([-1 if stage.reweighting is None else int(stage.reweighting.rule) for stage in stages]),
            strength=np.array([0.0 if stage.reweighting is None else stage.reweighting.strength for stage in stages]),
            refers=np.array([_refers(stage) for stage in stages]),
            average=np.array([stage.average for stage in stages]),
            path=_padded(paths, np.int64),
            path_size=np.array([len(path) for path in paths]),
        ),
    )


def by_section(stage: Stage, name: str, default: float) -> Array:
    """(B,) what the adjustment of a stage's loss gives each section."""
    group = stage.selection.group
    values: Array | None = getattr(stage.adjustment, name, None)
    return np.full(len(group), default) if values is None else values[group]


def _is_gathered(stage: Stage) -> bool:
    """Whether a stage's rows are a copy: some of them, some repeatedly, or with other features."""
    chosen = stage.selection
    scaled = stage.adjustment is not None and (stage.adjustment.scales != 1.0).any()
    return bool(stage.average > 1 or scaled or (chosen.used != chosen.available).any())


def _refers(stage: Stage) -> tuple[int, int]:
    rule = stage.reweighting
    if rule is None:
        return -1, -1
    return -1 if rule.first is None else rule.first, -1 if rule.second is None else rule.second


def _padded(rows: list[np.ndarray], dtype: type) -> np.ndarray:
    out: np.ndarray = np.zeros((len(rows), max(len(row) for row in rows)), dtype=dtype)
    for line, row in zip(out, rows, strict=True):
        line[: len(row)] = row
    return out


def room_for(tables: Tables, columns: int) -> Room:
    """What `run` needs for designs of so many columns, bias included."""
    copied, newton = tables.rows[tables.gathered], tables.rows[tables.codes[:, 0] == NEWTON]
    return room(
        columns,
        drawn=int(tables.offset[-1]),
        gathered=int(copied.max(initial=0)),
        single=int(newton.max(initial=0)),
    )


def records(plan: Plan, replicates: int, tables: Tables) -> Records:
    """Empty records for so many replicates; heads that never come stay nan."""
    m, k, groups = len(plan.stages), plan.test.signal_dim, plan.test.group_count
    chosen = [stage.selection for stage in plan.stages]
    return Records(
        heads=np.full((replicates, m, k + 3), np.nan),
        path_heads=np.full((replicates, m, tables.path.shape[1], k + 3), np.nan),
        gram=np.full((replicates, m, m), np.nan),
        status=np.full((replicates, m), int(Status.EMPTY)),
        certificate=np.full((replicates, m), np.nan),
        iterations=np.zeros((replicates, m), dtype=np.int64),
        mass=np.broadcast_to(np.array([c.mass for c in chosen]), (replicates, m, groups)).copy(),
        share=np.broadcast_to(np.array([c.proportions for c in chosen]), (replicates, m, groups)).copy(),
        bias_interval=np.zeros((replicates, m, 2)),
    )


# The dense simulator: whole designs in memory, every loss and solver.


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
