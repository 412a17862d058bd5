"""A plan in the form that the dense engine's kernel takes, and what it writes into: flat arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..drawing import SampleLaw
from ..mixture import Array
from ..planning import Plan, Stage
from ..status import Status
from ..stream import Role
from .fitting import descent_path
from .room import Room, room
from .solvers import NEWTON, recipe


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
