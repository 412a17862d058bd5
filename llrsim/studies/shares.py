"""Shapley shares of balance and collapse in LLR's gain (T21), for several heads and several ways to choose the ridge.

Per cell of a sweep with methods `erm` and `llr` that differ in composition and collapse alone, the four cells of the
2 x 2 factorial are fitted once for each `Variant`. Three ways to choose the ridge:

- `equal`: the same lam in all four cells;
- `effective`: lam tau_n^2 on collapsed features, so that lam / tau_n^2, by which class collapse acts on a squared loss
  (T5), is the same; with tau_n of each group, the mean of tau_n^2 over the training rows;
- `validated`: in each cell the lam, of a decade grid around the given one, whose predicted worst-group accuracy is
  best: a validation set without end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..attribution import build, shapley
from ..attribution.dominance import DOMINANCE
from ..experiment import Descent, FitOptions, groups
from ..mixture import Array
from ..outcome import MethodOutcome
from ..planning import Plan, Stage, plan
from ..sweep.predicting import Chain
from .measuring import Row, estimate, worst

if TYPE_CHECKING:
    from ..experiment import Experiment

DECADES = (1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0)
"""Ridges that `validated` chooses among, as multiples of the given one."""

ERRORS = ("_se", "_count", "_low", "_high")
RIDGES = ("equal", "effective", "validated")
SWITCHES = ("composition", "collapse")


@dataclass(frozen=True)
class Variant:
    """A head, and how its ridge is chosen in the cells of the factorial."""

    name: str
    loss: str
    ridge: str = "equal"
    factor: float = 1.0  # of the experiment's own ridge
    steps: int = 0  # of a descent from zero without penalty; 0: the exact fit

    @property
    def label(self) -> str:
        """What tells it from the other variants."""
        return f"{self.name}, {self.ridge}"

    def head(self, ridge: float) -> FitOptions:
        """The head at a ridge."""
        if self.steps:
            return FitOptions(loss=self.loss, ridge=0.0, solver=Descent(steps=self.steps, step_size=0.2))
        return FitOptions(loss=self.loss, ridge=self.factor * ridge)


VARIANTS = (
    Variant("least squares", "squared", factor=1e-3),
    *(Variant("squared, ridge", "squared", ridge) for ridge in RIDGES),
    Variant("cross-entropy, 50 steps", "logistic", steps=50),
    *(Variant("cross-entropy, converged", "logistic", ridge) for ridge in RIDGES),
    Variant("max margin", "max_margin"),
)


class Shares:
    """The shares of one run of cells, predicted from one cell to the next, or simulated.

    `predict(experiment)` and `simulate(experiment, replicates)` return a row for each variant: `balance` and `collapse`
    (Shapley values), their sum, the `gain` in worst-group accuracy, their `difference`, `dominance` (balance less
    `DOMINANCE` times collapse), and the least and largest ridge of the four cells.
    """

    def __init__(self, variants: Sequence[Variant] = VARIANTS) -> None:
        self.variants = variants
        self._chain = Chain()

    def predict(self, experiment: Experiment) -> list[Row]:
        """Predicted shares; None where a cell of the factorial has no prediction."""
        cells, names = _factorial(experiment)
        ridges, found = self._solved(experiment, cells, names)
        rows = []
        for variant in self.variants:
            wga = np.array([worst(found[variant.label, name])[0] for name in names.ravel()]).reshape(2, 2)
            rows.append(
                _row(variant, wga[..., None], ridges) if np.isfinite(wga).all() else _row(variant, None, ridges)
            )
        return [{name: value for name, value in row.items() if not name.endswith(ERRORS)} for row in rows]

    def simulate(self, experiment: Experiment, replicates: int, *, jobs: int = 1) -> list[Row]:
        """Simulated shares with their errors, of the variants whose four cells all have heads, at predicted ridges."""
        from ..simulation import simulate_plan

        cells, names = _factorial(experiment)
        ridges, found = self._solved(experiment, cells, names)
        fitted = [
            variant
            for variant in self.variants
            if variant.steps or all(found[variant.label, name].kept.all() for name in names.ravel())
        ]
        stages = [
            _stage(cells, name, variant, ridges[variant.label, name]) for variant in fitted for name in names.ravel()
        ]
        outcome = simulate_plan(
            replace(cells, stages=tuple(stages)),
            name=experiment.name,
            seed=experiment.sweep.seed,
            replicates=replicates,
            jobs=jobs,
            simulator="dense",
        )
        return [
            _row(
                variant,
                np.array([worst(outcome[_label(variant, name)]) for name in names.ravel()]).reshape(2, 2, -1),
                ridges,
            )
            for variant in fitted
        ]

    def _solved(
        self, experiment: Experiment, cells: Plan, names: np.ndarray
    ) -> tuple[dict[tuple[str, str], float], dict[tuple[str, str], MethodOutcome]]:
        """Ridge and predicted head of every variant in every cell of the factorial."""
        given = experiment.head.ridge
        collapsed = {name: setting[1] == 0 for setting, name in np.ndenumerate(names)}
        tried: dict[tuple[str, str], tuple[float, ...]] = {}
        for variant in self.variants:
            for name in names.ravel():
                effective = variant.ridge == "effective" and collapsed[name]
                ridge = given * (_spread_left(experiment) if effective else 1.0)
                options = tuple(given * times for times in DECADES) if variant.ridge == "validated" else (ridge,)
                tried[variant.label, name] = options
        by_label = {variant.label: variant for variant in self.variants}
        stages = [
            replace(stage, label=f"{stage.label}, {ridge / given:.9g}")
            for (label, name), options in tried.items()
            for ridge in options
            for stage in [_stage(cells, name, by_label[label], ridge)]
        ]
        outcomes = iter(self._chain.predict(replace(cells, stages=tuple(stages))))
        ridges, found = {}, {}
        for place, options in tried.items():
            solved = [next(outcomes) for _ in options]
            accuracy = [float(worst(one)[0]) for one in solved]
            best = int(np.nanargmax(accuracy)) if np.isfinite(accuracy).any() else 0
            ridges[place], found[place] = options[best], solved[best]
        return ridges, found


def _factorial(experiment: Experiment) -> tuple[Plan, np.ndarray]:
    """The plan of the four cells and their labels [composition, collapse], 0 as the ERM stage has it."""
    resolved = plan(experiment)
    erm, llr = resolved.stages
    cells, (factorial,) = build(resolved, erm, [llr])
    if factorial.switches != SWITCHES:
        raise ValueError(f"shares: the stages differ in {factorial.switches}; expected {SWITCHES} alone")
    return cells, factorial.cells


def _label(variant: Variant, name: str) -> str:
    return f"{variant.label}: {name}"


def _stage(cells: Plan, name: str, variant: Variant, ridge: float) -> Stage:
    (stage,) = (stage for stage in cells.stages if stage.label == name)
    return replace(stage, label=_label(variant, name), head=variant.head(ridge))


def _spread_left(experiment: Experiment) -> float:
    """Mean over training rows of tau_n^2."""
    factors = np.asarray(groups.per_group(experiment.train.collapse.noise, experiment.group_count))
    return float(np.asarray(experiment.train_proportions) @ factors**2)


def _row(variant: Variant, wga: Array | None, ridges: Mapping[tuple[str, str], float]) -> Row:
    """The columns of a variant from the worst-group accuracies (2, 2, R) of its cells; None where one has no head."""
    row: dict[str, Any] = {"head": variant.name, "ridge": variant.ridge}
    chosen = [ridge for (label, _), ridge in ridges.items() if label == variant.label]
    values = np.full((2, 2, 1), np.nan) if wga is None else wga
    balance, collapse = shapley(values, 2)
    for name, numbers in (("balance", balance), ("collapse", collapse), ("gain", balance + collapse)):
        row |= estimate(name, numbers)
    row |= estimate("dominance", balance - DOMINANCE * collapse) | estimate("difference", balance - collapse)
    return row | {"least_ridge": min(chosen), "largest_ridge": max(chosen)}
