"""The factorial plan: every combination of the five switches, from the ERM stage's value to the retraining stage's.

| switch      | off (ERM stage)          | on (retraining stage)                                  |
|-------------|--------------------------|--------------------------------------------------------|
| composition | group shares of its rows | group shares of the rows used                          |
| weighting   | none                     | the method's weight om of each group                   |
| collapse    | law of its sample        | law of the retraining sample                           |
| size        | rows used                | rows used                                              |
| solver      | loss, ridge, solver      | the same, and the head it starts from and its anchor   |

Meanings (T21):
- The collapse map is one function of the training law: cells take the plan's two laws and change shares and sizes only.
- A subset sets composition and size, with weighting off. Repeated rows are no new rows, so upsampling is weighting by
  mean repeats, at the composition and size of the rows there are.
- Under annotation noise composition means true groups; weights differ between rows of one group that are annotated
  differently, and every cell splits its groups as the retraining sample does.
- In a cell where a group has no rows, the mass that weighting would put on it falls on the others, in proportion.
  A group without rows in the retraining sample has weight 0.
- Cells are drawn with the role "factorial", so they share random numbers: a group's rows are a prefix of one stream.
  A head that the method starts from is fitted to its own sample, independent of the cells.
- Cells have one head. Where the method averages heads over subsets, one more stage does so on the rows that the
  subsets are drawn from, and what it adds is counted after the five switches.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from msgspec.structs import replace as replace_fields

from ..experiment.groups import apportion
from ..experiment.schema import Descent, FitOptions
from ..model.methods import Counts, Selection
from ..model.mixture import Array, GroupMixture
from ..model.plan import Plan, Sample, Stage, as_checked

SWITCHES = ("composition", "weighting", "collapse", "size", "solver")


@dataclass(frozen=True, eq=False)
class Factorial:
    """The cells of one retraining method in the plan that `build` returns.

    Attributes:
        method: the retraining stage.
        baseline: the ERM stage.
        switches: the m switches whose two values differ.
        left_out: reason, for each switch whose two values coincide.
        cells: (2,) * m labels of the plan's stages.
        averaged: label of the stage that averages heads over subsets, beyond the last cell's single head; or None.
        notes: what a reader should know about particular cells.
    """

    method: Stage
    baseline: Stage
    switches: tuple[str, ...]
    left_out: dict[str, str]
    cells: np.ndarray
    averaged: str | None
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Setting:
    """The values that a stage gives to the switches.

    Attributes:
        selection: the stage's own, whose sections say how rows of a group are annotated.
        rows: (B,) distinct rows used, by section.
        weight: (B,) om = p / pi of each section, mean one over the rows; 0 for a section without rows.
        law: the law of its sample.
        solver: head, anchor strength and index of the stage it starts from.
    """

    selection: Selection
    rows: Counts
    weight: Array
    law: GroupMixture
    solver: tuple[FitOptions, float, int | None]

    @classmethod
    def of(cls, plan: Plan, stage: Stage) -> Setting:
        """What `stage` of `plan` sets."""
        chosen = stage.selection
        rows = np.minimum(chosen.used, chosen.available)
        mass = chosen.used * chosen.weight
        weight = np.divide(mass * rows.sum(), rows, out=np.zeros_like(mass), where=rows > 0)
        head = stage.head
        if isinstance(head.solver, Descent):
            head = replace_fields(head, solver=replace_fields(head.solver, path=()))
        matters = stage.anchor > 0 or isinstance(head.solver, Descent)
        solver = (head, stage.anchor, stage.start if matters else None)
        return cls(chosen, rows, weight, plan.samples[stage.sample].mixture, solver)

    @property
    def counts(self) -> Counts:
        """(G,) distinct rows used, by true group."""
        return np.bincount(self.selection.group, self.rows, len(self.selection.labels)).astype(np.int64)

    def split(self, counts: Counts) -> Counts:
        """(B,) group `counts` (G,) divided over the sections as this stage's rows are."""
        rows = np.zeros_like(self.rows)
        for g, count in enumerate(counts):
            sections = self.selection.group == g
            shares = np.where(self.rows[sections].sum() > 0, self.rows[sections], 1)
            rows[sections] = apportion(int(count), shares / shares.sum())
        return rows


def build(plan: Plan, baseline: Stage, methods: list[Stage], *, sized: bool = True) -> tuple[Plan, list[Factorial]]:
    """One plan with the distinct cells of all methods' factorials against `baseline`, and how to read it.

    `sized = False` is for the population limit, where the size switch has no effect and is left out: a cell then has
    the counts of whichever stage gives its composition.
    """
    cells = _Cells(plan)
    factorials = [_factorial(cells, baseline, method, sized) for method in methods]
    built = Plan(tuple(cells.samples), tuple(cells.stages), plan.test)
    return as_checked(built) if plan.checked else built, factorials


def _factorial(cells: _Cells, baseline: Stage, method: Stage, sized: bool) -> Factorial:
    off, on = Setting.of(cells.plan, baseline), Setting.of(cells.plan, method)
    left_out = _coinciding(off, on, sized)
    switches = tuple(name for name in SWITCHES if name not in left_out)
    labels = np.empty((2,) * len(switches), dtype=object)
    emptied = set()
    for bits in product((0, 1), repeat=len(switches)):
        turned = {name for name, bit in zip(switches, bits, strict=True) if bit}
        counts = _counts(off, on, turned, sized)
        selection = _selection(counts, on, "weighting" in turned)
        emptied |= set(np.flatnonzero((counts == 0) & ((off.counts > 0) | (on.counts > 0))).tolist())
        law = (on if "collapse" in turned else off).law
        labels[bits] = cells.stage(law, counts, selection, (on if "solver" in turned else off).solver)
    averaged = None
    if method.average > 1 and sized:
        pool = np.bincount(on.selection.group, on.selection.available, len(counts)).astype(np.int64)
        averaged = cells.stage(on.law, pool, on.selection, on.solver, average=method.average)
    notes = []
    if emptied:
        names = ", ".join(cells.plan.test.group_names[g] for g in sorted(emptied))
        notes.append(f"some cells have no rows of {names}: the mass there falls on the other groups")
    if not sized and "composition" in left_out and not _proportional(off.counts, on.counts):
        notes.append("the stages' group shares differ by rounding to whole rows, which this limit leaves out")
    if method.average > 1 and not sized:
        notes.append("population limit: averaging heads over subsets has no effect")
    return Factorial(method, baseline, switches, left_out, labels, averaged, tuple(notes))


def _coinciding(off: Setting, on: Setting, sized: bool) -> dict[str, str]:
    """The switches whose two values are the same, each with the reason."""
    left_out = {}
    shares = off.counts / max(1, off.counts.sum())
    same_size = off.counts.sum() == on.counts.sum()
    # Proportions that differ only as whole counts must are the same composition: rounding goes with the size.
    if np.array_equal(apportion(int(on.counts.sum()), shares), on.counts):
        left_out["composition"] = "both stages use the groups in the same proportions"
    if np.allclose(on.weight[on.rows > 0], 1.0, rtol=0, atol=1e-9):
        left_out["weighting"] = "the method weighs its rows equally"
    if _law_key(off.law) == _law_key(on.law):
        left_out["collapse"] = "both samples have the same features"
    if same_size:
        left_out["size"] = "both stages use as many rows"
    elif not sized:
        left_out["size"] = "population limit: size has no effect"
    if off.solver == on.solver:
        left_out["solver"] = "both heads are fitted in the same way"
    return left_out


def _proportional(first: Counts, second: Counts) -> bool:
    return np.array_equal(first * second.sum(), second * first.sum())


def _counts(off: Setting, on: Setting, turned: set[str], sized: bool) -> Counts:
    shares = (on if "composition" in turned else off).counts
    size = (on if "size" in turned else off).counts.sum() if sized else shares.sum()
    return apportion(int(size), shares / max(1, shares.sum()))


def _selection(counts: Counts, on: Setting, weighted: bool) -> Selection:
    """All rows of a sample with `counts` (G,), weighted as the method does or equally."""
    labels = on.selection.labels
    if weighted:
        group, annotated, rows, weight = on.selection.group, on.selection.annotated, on.split(counts), on.weight
    else:
        group = annotated = np.arange(len(counts))
        rows, weight = counts, np.ones(len(counts))
    total = float(rows @ weight)
    return Selection(group, annotated, rows, rows, weight / total if total > 0 else 0 * weight, labels)


class _Cells:
    """The samples and stages of a factorial plan; equal ones are shared."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.samples: list[Sample] = []
        self.stages: list[Stage] = []
        self._sample_index: dict[tuple, int] = {}
        self._stage_label: dict[tuple, str] = {}

    def stage(
        self,
        law: GroupMixture,
        counts: Counts,
        selection: Selection,
        solver: tuple[FitOptions, float, int | None],
        average: int = 1,
    ) -> str:
        """Label of the stage that fits this selection of a sample with `counts` (G,) rows."""
        sample = self._sample("factorial", law, counts)
        head, anchor, start = solver
        key = (sample, *(getattr(selection, name).tobytes() for name in ("group", "used", "weight")), solver, average)
        if key not in self._stage_label:
            index = None if start is None else self._original(start)
            label = f"cell {len(self._stage_label)}"
            self.stages.append(Stage(label, "cell", sample, selection, head, anchor, index, average))
            self._stage_label[key] = label
        return self._stage_label[key]

    def _sample(self, role: str, law: GroupMixture, counts: Counts) -> int:
        key = (role, *_law_key(law), counts.tobytes())
        if key not in self._sample_index:
            mixture = law.with_proportions(counts) if counts.sum() > 0 else law
            self.samples.append(Sample(role, mixture, counts))
            self._sample_index[key] = len(self.samples) - 1
        return self._sample_index[key]

    def _original(self, index: int) -> int:
        """Index of a copy of one of the plan's own stages, on its own sample, after those it starts from."""
        stage = self.plan.stages[index]
        label, known = f"start: {stage.label}", [earlier.label for earlier in self.stages]
        if label not in known:
            start = None if stage.start is None else self._original(stage.start)
            own = self.plan.samples[stage.sample]
            sample = self._sample(own.role, own.mixture, np.asarray(own.counts))
            self.stages.append(replace(stage, label=label, sample=sample, start=start))
            return len(self.stages) - 1
        return known.index(label)


def _law_key(law: GroupMixture) -> tuple[bytes, ...]:
    return law.means.tobytes(), law.covariances.tobytes(), law.noise_std.tobytes()
