"""Split a gain in worst-group accuracy into balance and uncollapsed features (T21)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from .._arguments import checked_seed, checked_whole, require_choice, require_labels
from ..experiment.errors import ExperimentError
from ..model.plan import plan
from ..prediction import LIMITS, Limit, predict_plan
from ..simulation import simulate_plan
from ..simulation.choice import chosen, chosen_for_factorial
from .factorial import SWITCHES, Factorial, build
from .split import Attribution, CellAccuracies, Effect, Side, Split, interaction, joint_interaction, shapley, verdict_of
from .weightings import WeightingTable

if TYPE_CHECKING:
    from .._arguments import Seed
    from ..experiment import Experiment


# Attribution (T21): what explains the gain in worst-group accuracy, balance or uncollapsed held-out features?
#
# A full factorial over five switches between the ERM stage and a retraining stage, its main effects, interactions and
# Shapley values, from simulation with paired random numbers and from prediction, and a verdict by a written rule.


__all__ = [
    "SWITCHES",
    "Attribution",
    "CellAccuracies",
    "Effect",
    "Explanation",
    "Factorial",
    "Split",
    "build",
    "explain",
    "interaction",
    "joint_interaction",
    "shapley",
    "verdict_of",
]


# `explain`: split every retraining method's gain over ERM, by simulation, by prediction, or both.


@dataclass(frozen=True, eq=False)
class Explanation:
    """The attributions of one experiment's retraining methods, simulation before prediction for each method.

    `weightings` are those of the held-out groups, with what each is predicted to reach at the sample's n/d (T10); None
    without prediction in the proportional limit. `seed` keyed the simulation; None without one.
    """

    name: str
    attributions: tuple[Attribution, ...]
    weightings: WeightingTable | None = None
    seed: int | None = None

    def of(self, label: str, side: Side | None = None) -> Attribution:
        """The attribution of a method, on the side asked for; by default the simulation's where there is one."""
        for split in self.attributions:
            if split.label == label and side in (None, split.side):
                return split
        known = ", ".join(f"{split.label} ({split.side})" for split in self.attributions)
        raise KeyError(f"no attribution of {label!r}{f' by {side}' if side else ''}; there are {known or 'none'}")

    def __getitem__(self, label: str) -> Attribution:
        return self.of(label)

    def __iter__(self) -> Iterator[Attribution]:
        return iter(self.attributions)

    @property
    def sentence(self) -> str:
        """The sentences of all attributions, a line each."""
        return "\n".join(split.sentence for split in self.attributions)

    def table(self) -> str:
        """The tables of all attributions."""
        return "\n\n".join(split.table() for split in self.attributions)

    def to_dict(self) -> dict[str, Any]:
        """One JSON-ready object."""
        told: dict[str, Any] = {"name": self.name}
        told |= {} if self.seed is None else {"seed": self.seed}
        told["attributions"] = [split.to_dict() for split in self.attributions]
        return told | ({"weightings": self.weightings.to_dict()} if self.weightings else {})

    def rows(self) -> list[dict[str, Any]]:
        """One flat dict an effect, of all methods and sides."""
        return [row for split in self.attributions for row in split.rows()]

    def __str__(self) -> str:
        """The answers first, then the tables they rest on."""
        parts = [self.name, *(split.sentence for split in self.attributions), self.table()]
        return "\n\n".join([*parts, str(self.weightings)] if self.weightings else parts)


def explain(
    experiment: Experiment,
    *,
    methods: Iterable[str] | None = None,
    replicates: int = 20,
    seed: Seed | None = None,
    side: Side | Literal["both"] = "both",
    limit: Limit = "proportional",
    jobs: int = 1,
) -> Explanation:
    """Split the gain in worst-group accuracy of retraining methods over ERM into five switches (T21).

    The switches are those of `factorial`: composition, weighting, collapse, size, solver; the baseline is the first
    method of kind `erm`. `methods` are labels, by default all others
    whose weights are fixed and whose loss is as it is (`Plan.splits`). `seed` is as in `simulate`, and `jobs`
    threads share the replicates. Predicted cells are in `limit`, and have no size switch in the population limit, where
    the number of rows does not matter.

    All simulated cells have one simulator. Dense cells share random numbers within a replicate; lazy ones, taken where
    `sweep.simulator` asks for them or where it is "auto" and memory does not hold the dense designs, do not. Effects
    are contrasts taken replicate by replicate, and replicates are independent either way: without pairing they are as
    unbiased and their intervals as honest, only wider.

    Raises ExperimentError for an unknown label, a method that does not split, beside a network, and where there is no
    ERM, or nothing beside it; ValueError for another side or limit, and for fewer than one replicate.

    >>> import llrsim
    >>> split = llrsim.explain(llrsim.load("quick"), methods=["dfr"], side="prediction")["dfr"]
    >>> split.verdict in ("balance", "both"), abs(sum(e.mean for e in split.effects.values()) - split.gain.mean) < 1e-12
    (True, True)
    """
    require_choice("side", side, ("both", "simulation", "prediction"))
    require_choice("limit", limit, LIMITS)
    replicates = checked_whole("replicates", replicates, 1)
    jobs = checked_whole("jobs", jobs, 1)
    seed = None if seed is None else checked_seed(seed)
    if methods is not None:
        methods = methods if isinstance(methods, str) or not isinstance(methods, Iterable) else list(methods)
        require_labels("methods", methods)
    resolved = plan(experiment)
    baseline = next((stage for stage in resolved.stages if stage.kind == "erm"), None)
    if resolved.network is not None:
        raise ExperimentError(
            f"network.kind = {resolved.network.kind!r}: explain switches the laws of features, and a network makes its "
            "own; compare methods, such as llr with llr-on-train, or leave [network] out"
        )
    if baseline is None:
        raise ExperimentError("method: explain compares with a method of kind 'erm', and this experiment has none")
    wanted = experiment.method_labels if methods is None else [experiment.method_of(label).label for label in methods]
    retraining = [stage for stage in resolved.stages if stage.label in wanted and stage is not baseline]
    split = [stage for place, stage in enumerate(resolved.stages) if resolved.splits(place)]
    whole = [stage.label for stage in retraining if stage not in split]
    if whole and methods is not None:
        raise ExperimentError(
            f"method.{whole[0]}: its weights or its loss are made by a rule, which is no switch to split the gain by; "
            'compare it with a control = { kind = "mass-matched", of = ... }'
        )
    retraining = [stage for stage in retraining if stage in split]
    if not retraining:
        others = f"; {', '.join(whole)}: made by a rule, which is no switch" if whole else ""
        raise ExperimentError(f"method: explain needs a method beside {baseline.label!r} to compare with it{others}")
    found: list[Attribution] = []
    weightings = drawn = None
    if side != "prediction":
        drawn = experiment.sweep.seed if seed is None else seed
        # What is refused is told by the methods' names first: cells have numbers.
        compared = [resolved.stages.index(stage) for stage in (baseline, *retraining)]
        chosen(resolved.restricted(compared), experiment.sweep.simulator)
        cells, factorials = build(resolved, baseline, retraining)
        outcome = simulate_plan(
            cells,
            name=experiment.name,
            replicates=replicates,
            seed=drawn,
            jobs=jobs,
            simulator=chosen_for_factorial(cells, experiment.sweep.simulator, min(jobs, replicates)),
        )
        found += [Attribution.of(factorial, outcome) for factorial in factorials]
    if side != "simulation":
        # Without noise every prediction is that of the population limit.
        limits = {outcome.limit for outcome in predict_plan(resolved, limit)}
        cells, factorials = build(resolved, baseline, retraining, sized=limits != {"population"})
        outcome = predict_plan(cells, limit, name=experiment.name)
        found += [Attribution.of(factorial, outcome) for factorial in factorials]
        if limit == "proportional":
            weightings = WeightingTable.of(resolved, retraining)
    order = {stage.label: place for place, stage in enumerate(retraining)}
    return Explanation(experiment.name, tuple(sorted(found, key=lambda split: order[split.label])), weightings, drawn)
