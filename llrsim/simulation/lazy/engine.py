"""The lazy engine: replicates of a plan, each head on a sample of its own that is revealed as the fit asks.

What is drawn depends on what is asked, so heads do not share random numbers: a stage's key is its label. Only a head
that starts from another one of the same sample sees the rows of that one, whose fit is repeated for it: so the numbers
of a method do not depend on which other methods there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from math import nan
from typing import TYPE_CHECKING

import numpy as np

from ..._jit import single_blas_thread
from ...model.draws import Role, root_key, square_roots
from ...model.head import Head
from ...model.losses import Status
from ...model.methods import Reweighting
from ...model.mixture import Array
from ...model.plan import Plan, Stage
from ...outcome import MethodOutcome, Outcome, Path, bias_intervals
from ..engine import Draws, reweigh
from ..memory import lazy_rows
from ..solvers import descent_path
from .exchangeable import ExchangeableSample
from .noise import CHUNK, LazyFit, LazyHead, SectionLaw
from .sample import LazySample
from .support import by_sections, sees_start

if TYPE_CHECKING:
    from ...experiment import FitOptions

Sample = LazySample | ExchangeableSample


def simulate_lazily(plan: Plan, draws: Draws) -> Outcome:
    """Simulate replicates of a plan, as `simulate_plan` says.

    `draws.jobs` threads share the replicates, or the rows of each where these are many. Raises MemoryError, with the
    numbers, when more directions are revealed than fit.
    """
    by_rows = max(lazy_rows(plan, stage) for stage in plan.stages) > CHUNK
    laws = [_law(plan, stage) for stage in plan.stages]
    with single_blas_thread(), ThreadPoolExecutor(draws.jobs) if draws.jobs > 1 else nullcontext() as pool:
        if pool is None or by_rows:
            drawn = [_Replicate(plan, laws, draws, number, pool).heads() for number in draws.numbers]
        else:
            drawn = list(pool.map(lambda number: _Replicate(plan, laws, draws, number, None).heads(), draws.numbers))
        stable = [
            _largest_stable_step(drawn, m, lambda place: _Replicate(plan, laws, draws, draws.numbers[place], pool))
            for m in range(len(plan.stages))
        ]
    outcomes = {
        stage.label: _outcome(plan, stage, [heads[m] for heads in drawn], stable[m])
        for m, stage in enumerate(plan.stages)
    }
    gram = np.full((draws.replicates, len(outcomes), len(outcomes)), nan)
    for m, method in enumerate(outcomes.values()):
        gram[:, m, m] = method.heads.noise_norm**2
    return Outcome(name="plan", methods=outcomes, side="simulation", simulator="lazy", gram=gram)


class _Replicate:
    """One replicate of a plan."""

    def __init__(
        self, plan: Plan, laws: list[SectionLaw], draws: Draws, number: int, pool: ThreadPoolExecutor | None
    ) -> None:
        self._plan, self._laws, self._draws, self._number, self._pool = plan, laws, draws, number, pool

    def heads(self) -> list[LazyFit]:
        """The fits of all stages."""
        found: list[LazyFit] = []
        for m in range(len(self._plan.stages)):
            found.append(self._fit(m, found)[1])
        return found

    def _root(self, stage: Stage) -> np.uint64:
        return root_key(self._draws.seed, f"{self._draws.law}:{stage.label}")

    def largest_stable_step(self, m: int, found: list[LazyFit]) -> float:
        """That of a stage's descent, whose fit is repeated for it; nan if it had no head to start from."""
        stage = self._plan.stages[m]
        if stage.start is not None and not found[stage.start].status.ok:
            return nan
        return self._fit(m, found)[0].largest_stable_step(stage.head)

    def _fit(self, m: int, earlier: list[LazyFit]) -> tuple[Sample, LazyFit]:
        """The stage's sample and its fit, given the fits of earlier stages."""
        stage, start, sample = self._plan.stages[m], None, None
        if stage.start is not None:
            begun = earlier[stage.start]
            if not begun.status.ok:
                return self._sample(m), LazyFit(begun.head, begun.status, nan, 0, 0)
            if sees_start(stage):
                if self._plan.stages[stage.start].sample == stage.sample:
                    sample, begun = self._fit(stage.start, earlier)
                start = begun.head
        sample = self._sample(m) if sample is None else sample
        return sample, self._fit_on(sample, stage, start)

    def _sample(self, m: int) -> Sample:
        stage = self._plan.stages[m]
        root = self._root(stage)
        if by_sections(stage):
            return ExchangeableSample(self._laws[m], root, self._number)
        return LazySample(self._laws[m], root, self._number, pool=self._pool)

    def _fit_on(self, sample: Sample, stage: Stage, start: LazyHead | None) -> LazyFit:
        """The stage's fit on a sample, of its sections or, where it is the whole of the plan's sample, of its rows."""
        kept = stage.selection.used > 0
        distinct = stage.selection.distinct[kept]
        if stage.reweighting is not None and start is not None and isinstance(sample, LazySample):
            return self._fit_scored(sample, stage, stage.reweighting, start)
        if isinstance(sample, ExchangeableSample) or np.array_equal(sample.sections, distinct):
            weight = stage.selection.weight[kept] * stage.selection.used[kept] / distinct
            return sample.fit(stage.head, weight, anchor=stage.anchor, start=start)
        fits = [
            sample.fit(stage.head, row_weights, anchor=stage.anchor, start=start)
            for row_weights in self._row_weights(stage)
        ]
        return sample.average(fits)

    def _fit_scored(self, sample: LazySample, stage: Stage, rule: Reweighting, start: LazyHead) -> LazyFit:
        """The stage's fit on all rows of a sample, with weights made of their scores under the head it starts from."""
        chosen, scores = stage.selection, sample.score(start)
        labels, weight = np.repeat(chosen.labels[chosen.group], chosen.available), np.empty(len(scores))
        reweigh(int(rule.rule), rule.strength, labels, scores, scores, weight)
        found = sample.fit(stage.head, weight, anchor=stage.anchor, start=start)
        group = np.repeat(chosen.group, chosen.available)
        mass = np.bincount(group, weight, len(chosen.labels))
        share = np.bincount(group, weight > 0, len(chosen.labels)) / np.count_nonzero(weight)
        return replace(found, mass=mass.astype(np.float64), share=share)

    def _row_weights(self, stage: Stage) -> Iterator[Array]:
        """(n,) weight of every row of the plan's sample, for each of the heads that are averaged.

        Rows of a section are exchangeable, so one head may take the first ones; several take random ones.
        """
        chosen = stage.selection
        for head in range(stage.average):
            words = [int(self._root(stage)), self._number, Role.SUBSET << 32 | head]
            random = np.random.Generator(np.random.SFC64(words))
            rows = []
            for n, used, weight in zip(chosen.available, chosen.used, chosen.weight, strict=True):
                repeats = used // max(n, 1) + (np.arange(n) < used % max(n, 1))
                rows.append(weight * (random.permutation(repeats) if stage.average > 1 else repeats))
            yield np.concatenate(rows)


def _law(plan: Plan, stage: Stage) -> SectionLaw:
    """The law of a stage's own sample: of the rows it uses, or of all of the plan's sample for heads that differ."""
    drawn, chosen = plan.samples[stage.sample], stage.selection
    law = drawn.mixture
    sections, rows = np.arange(law.group_count), drawn.counts
    if stage.average == 1:
        kept = chosen.used > 0
        sections, rows = chosen.group[kept], chosen.distinct[kept]
    eigenvalues, multiplicities = law.eigenspaces()
    return SectionLaw(
        rows=np.asarray(rows, dtype=np.int64),
        labels=law.labels[sections],
        means=law.means[sections],
        factors=square_roots(law.covariances[sections]),
        noise_scale=law.noise_std[sections],
        eigenvalues=eigenvalues,
        multiplicities=multiplicities,
    )


def _largest_stable_step(drawn: list[list[LazyFit]], m: int, replicate: Callable[[int], _Replicate]) -> float:
    """The largest stable step of the first replicate in which a stage diverged; nan if none did."""
    diverged = [number for number, found in enumerate(drawn) if found[m].status is Status.DIVERGED]
    return replicate(diverged[0]).largest_stable_step(m, drawn[diverged[0]]) if diverged else nan


def _outcome(plan: Plan, stage: Stage, fits: list[LazyFit], largest_stable_step: float) -> MethodOutcome:
    steps = descent_path(stage.head)
    values, _ = plan.test.eigenspaces()
    paths = [fit.path if fit.status.ok else (_no_head(plan),) * len(steps) for fit in fits]
    return MethodOutcome(
        stage=stage,
        test=plan.test,
        heads=_summary([fit.head if fit.status.ok else _no_head(plan) for fit in fits], values),
        status=np.array([int(fit.status) for fit in fits]),
        certificate=np.array([fit.certificate for fit in fits]),
        iterations=np.array([fit.iterations for fit in fits]),
        limit="finite",
        masses=_stacked([fit.mass for fit in fits], stage),
        shares=_stacked([fit.share for fit in fits], stage),
        largest_stable_step=largest_stable_step,
        bias_interval=bias_intervals([fit.bias_interval for fit in fits]),
        path=Path(steps, _summary([head for path in paths for head in path], values, len(steps)))
        if len(steps)
        else None,
    )


def _stacked(values: list[Array | None], stage: Stage) -> Array | None:
    """(R, G) what a rule made, nan for fits that never came to it; None for stages without a rule."""
    if stage.reweighting is None:
        return None
    nothing = np.full(len(stage.selection.labels), nan)
    return np.array([nothing if value is None else value for value in values])


def _no_head(plan: Plan) -> LazyHead:
    return LazyHead(np.full(plan.test.signal_dim, nan), nan, np.full(len(plan.test.eigenspaces()[0]), nan))


def _summary(heads: list[LazyHead], eigenvalues: Array, columns: int | None = None) -> Head:
    """Heads as summaries with leading axis (R,), or (R, columns)."""
    shape = (-1,) if columns is None else (-1, columns)
    noise = np.array([head.noise for head in heads])
    return Head(
        np.array([head.signal for head in heads]).reshape(*shape, len(heads[0].signal)),
        np.array([head.bias for head in heads]).reshape(shape),
        np.sqrt((noise**2).sum(axis=-1)).reshape(shape),
        np.sqrt(noise**2 @ eigenvalues).reshape(shape),
    )


def warm_up(heads: Iterable[FitOptions] | None = None) -> None:
    """Compile what simulating these heads lazily takes (default: any head), or load it from the cache."""
    from ...experiment import load
    from ...model.plan import plan

    kinds = {"logistic": "exact", "hinge": "exact", "squared_hinge": {"steps": 2, "step_size": 0.1}}
    if heads is not None:
        needed = list(heads)
        exact = {head.loss for head in needed if isinstance(head.solver, str)}
        kinds = {
            loss: solver
            for loss, solver in kinds.items()
            if (
                any(not isinstance(head.solver, str) for head in needed)
                if solver != "exact"
                else exact & ({"hinge", "max_margin"} if loss == "hinge" else {"logistic", "squared_hinge"})
            )
        }
    tiny = {
        "features": {"core": {"mean": 1.0, "std": 0.6}, "noise": {"dim": 2}},
        "train": {"n": 40, "proportions": [0.25] * 4},
        "head": {"ridge": 0.1},
        "method": [
            {"kind": "erm", "name": loss, "head": {"loss": loss, "solver": solver}} for loss, solver in kinds.items()
        ],
    }
    if kinds:
        simulate_lazily(plan(load(tiny)), Draws())
