"""Independent draws of a cell's accuracies in a limit: one simulation at each size, extrapolated to infinite size.

A draw is sum_i a_i acc(size_i), with one replicate of each size and the weights of the least-variance polynomial
extrapolation (`intercept_weights`); sizes are independent, so the draws are independent rows of one law, whose mean is
the extrapolated accuracy and whose spread carries the extrapolation's variance. With the limit "finite" nothing grows:
a draw is one replicate of the cell as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd, lcm
from typing import TYPE_CHECKING

import numpy as np

from ...experiment.schema import Collapse
from ...mixture import Array
from ...outcome import Limit
from ...planning import Plan, plan
from ...simulation import simulate_plan
from ..size_study import growth_towards
from ..statistics import intercept_weights, remainder
from .claim import Claim, Formula

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...experiment import Experiment


SCORES = 4.0
"""Relative difference of a head over that of its accuracies, which have slopes up to .4 in scores of one to two."""


def plan_of(experiment: Experiment, label: str) -> Plan:
    """The plan with one method and those that it needs; the method is the last stage."""
    resolved = plan(experiment)
    return resolved.restricted([next(i for i, stage in enumerate(resolved.stages) if stage.label == label)])


@dataclass(frozen=True)
class Sizes:
    """The experiments of one cell that are simulated, and how their accuracies are combined.

    Attributes:
        experiments: one a size.
        sizes: d, n/d, or nan for the experiment's own.
        weights: (N,) of the sizes in the extrapolation.
        degree: of the polynomial that is extrapolated.
    """

    experiments: tuple[Experiment, ...]
    sizes: tuple[float, ...]
    weights: Array
    degree: int = 0

    @classmethod
    def of(
        cls,
        cell: Experiment,
        label: str,
        limit: Limit,
        *,
        ratios: Sequence[float] | None = None,
        dims: Sequence[int] | None = None,
    ) -> Sizes:
        """The sizes at which a method of a cell is simulated towards a limit; ValueError where it cannot grow so."""
        if limit == "finite":
            if ratios is not None or dims is not None:
                raise ValueError("limit: 'finite'; nothing grows, so there are no sizes to give")
            return cls((cell,), (np.nan,), np.ones(1))
        growth = growth_towards(limit, ratios, dims)
        sizes = growth.sizes(cell)
        if ratios is None and dims is None:
            sizes = _in_proportion(sizes, cell, label, limit)
        x = 1.0 / np.array(sizes)
        degree = min(growth.degree, len(x) - 1)
        return cls(tuple(growth.resized(cell, size) for size in sizes), sizes, intercept_weights(x, degree), degree)

    def uneven(self, cell: Experiment, label: str) -> list[tuple[float, tuple[int, ...]]]:
        """Sizes at which a sample cannot have the shares that it has in the cell, with its group counts there."""
        found = []
        for sized, size in zip(self.experiments, self.sizes, strict=True):
            for now, before in zip(_counts(sized, label), _counts(cell, label), strict=True):
                if not np.allclose(np.array(now) * sum(before), np.array(before) * sum(now), rtol=1e-12):
                    found.append((size, now))
        return found

    def claim(self, formula: Formula, label: str, cell: str) -> Claim:
        """The formula at every size, extrapolated as the simulations are: for a limit it is the same at all sizes."""
        claims = [
            formula.claim(sized, label, cell if np.isnan(size) else f"{cell}, at size {size:g}")
            for sized, size in zip(self.experiments, self.sizes, strict=True)
        ]
        accuracy = sum(a * claim.accuracy for a, claim in zip(self.weights, claims, strict=True))
        return Claim(np.asarray(accuracy), claims[0].of_groups)


class SimulatedDraws:
    """A sampler of a method's extrapolated group accuracies, by whichever simulator the experiment asks for."""

    def __init__(self, sizes: Sizes, label: str, *, seed: int, jobs: int = 1) -> None:
        self._weights, self._seed, self._jobs = sizes.weights, seed, jobs
        self._degree, self._least = sizes.degree, int(np.argmin(sizes.sizes))
        self._at_least: list[Array] = []
        self._simulators = [experiment.sweep.simulator for experiment in sizes.experiments]
        self._laws = [experiment.cell_law_hash for experiment in sizes.experiments]
        self._plans = [plan_of(experiment, label) for experiment in sizes.experiments]

    def __call__(self, first: int, count: int) -> Array:
        """Draws first, ..., first + count - 1: (count, G); nan where a simulation has no head."""
        total: Array = np.zeros((count, self._plans[0].test.group_count))
        parts = zip(self._plans, self._laws, self._simulators, self._weights, strict=True)
        for place, (sized, law, simulator, weight) in enumerate(parts):
            outcome = simulate_plan(
                sized,
                replicates=count,
                first=first,
                seed=self._seed,
                law=law,
                jobs=self._jobs,
                simulator=simulator,
            )
            method = outcome[sized.stages[-1].label]
            accuracy = np.where(method.kept[:, None], method.readout.group_accuracy, np.nan)
            if place == self._least:
                self._at_least.append(accuracy)
            total += weight * accuracy
        return total

    def remainder(self, claim: Claim) -> float:
        """Return the largest difference to a right claim that the extrapolation may leave, by the draws so far.

        Accuracies at the least size say how far from the limit it is: heads differ by about SCORES times as much.
        """
        seen = np.concatenate(self._at_least).mean(axis=0)
        away = np.abs((seen if claim.of_groups else seen.min()) - claim.accuracy).max()
        return remainder(min(1.0, SCORES * float(away)), self._degree) / SCORES if self._degree else 0.0


def _in_proportion(sizes: tuple[float, ...], cell: Experiment, label: str, limit: Limit) -> tuple[float, ...]:
    """The sizes moved to the nearest with exactly the cell's shares in all samples, if none moves by over a fifth.

    A formula for equal shares is else judged at shares that are off by up to half a row a group.
    """
    counted = _counts(cell, label)
    if limit == "population":
        rows = lcm(*(sum(counts) // gcd(*counts) for counts in counted))
        unit = rows / cell.noise_dim
    else:
        spectrum = cell.features.noise.spectrum
        dims = [cell.noise_dim] if spectrum is None else [multiplicity for _, multiplicity in spectrum]
        unit = cell.noise_dim // gcd(*dims, *(count for counts in counted for count in counts))
    return sizes if unit > 0.4 * min(sizes) else tuple(round(size / unit) * unit for size in sizes)


def _counts(experiment: Experiment, label: str) -> list[tuple[int, ...]]:
    """Group counts of the samples that a method's accuracy depends on: those fitted, and what features collapse to."""
    counts = [tuple(sample.counts.tolist()) for sample in plan_of(experiment, label).samples]
    heldout = Collapse() if experiment.heldout is None else experiment.heldout.collapse
    if {experiment.train.collapse, heldout, experiment.test_collapse} != {Collapse()}:
        counts.append(experiment.train_counts())
    return counts
