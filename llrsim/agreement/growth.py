"""How sizes grow towards a limit: the population limit takes n up at fixed d, the proportional one d at fixed n/d.

In both, differences to the limit are a power series in 1/size, which is what a size study extrapolates in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from msgspec import structs

from ..experiment.groups import apportion
from ..outcome import Limit, MethodOutcome

if TYPE_CHECKING:
    from ..experiment import Experiment


class Growth(Protocol):
    """One way to grow.

    Attributes:
        limit: where it leads.
        unit: what a size is, in the notation of tables.
        leading: the leading term of a difference at finite size.
        degree: of the polynomial in 1/size that differences are extrapolated by.
        away: what an experiment is said to be at its own size.
    """

    limit: ClassVar[Limit]
    unit: ClassVar[str]
    leading: ClassVar[str]
    degree: ClassVar[int]
    away: ClassVar[str]

    def sizes(self, experiment: Experiment) -> tuple[float, ...]:
        """The sizes a study of this experiment takes; ValueError where it cannot grow so."""

    def resized(self, experiment: Experiment, size: float) -> Experiment:
        """The experiment at this size."""

    def own_size(self, method: MethodOutcome) -> float:
        """The size at which a method of the experiment itself stands."""


@dataclass(frozen=True)
class PopulationGrowth:
    """Both samples grow to n = ratio * d rows at fixed noise dimension d, in their own realised proportions."""

    ratios: tuple[float, ...] = (30.0, 100.0, 300.0)

    limit: ClassVar[Limit] = "population"
    unit: ClassVar[str] = "n/d"
    leading: ClassVar[str] = "C d/n"
    degree: ClassVar[int] = 2
    away: ClassVar[str] = "outside the population limit"

    def sizes(self, experiment: Experiment) -> tuple[float, ...]:
        """The ratios n/d."""
        return _checked(self.ratios, "ratios", experiment)

    def resized(self, experiment: Experiment, size: float) -> Experiment:
        """The experiment with size * d rows in each sample."""
        n = max(experiment.group_count, round(size * experiment.noise_dim))
        return _selecting_alike(experiment.replace(**_samples(experiment, train=n, heldout=n)), experiment)

    def own_size(self, method: MethodOutcome) -> float:
        """Rows the method uses over d."""
        return float(method.stage.selection.counts.sum() / method.test.noise_dim)


@dataclass(frozen=True)
class ProportionalGrowth:
    """The noise dimension takes each of `dims` at fixed n/d, every sample in its own realised proportions.

    A spectrum of the noise keeps its values in the same shares. By default d = 100, 200, 400, all scaled down alike
    where a sample would have more than MOST_ROWS rows, to no less than 10, 20, 40.

    Differences are extrapolated by a line: sizes a factor of four apart tell a parabola's curvature badly, which would
    multiply the variance by seven, and of a term C2/d^2 the line leaves 2.7e-5 C2 (C2 is of order ten).
    """

    dims: tuple[int, ...] | None = None

    limit: ClassVar[Limit] = "proportional"
    unit: ClassVar[str] = "d"
    leading: ClassVar[str] = "C/d"
    degree: ClassVar[int] = 1
    away: ClassVar[str] = "finite d"

    MOST_ROWS: ClassVar[int] = 20_000

    def sizes(self, experiment: Experiment) -> tuple[float, ...]:
        """The dimensions d."""
        if self.dims is not None:
            return _checked(self.dims, "dims", experiment)
        rows = max(sum(counts) for counts in _counts(experiment).values())
        quarter = round(self.MOST_ROWS * experiment.noise_dim / (4 * rows))
        quarter = min(100, max(10, quarter))
        return _checked((quarter, 2 * quarter, 4 * quarter), "dims", experiment)

    def resized(self, experiment: Experiment, size: float) -> Experiment:
        """The experiment in `size` noise dimensions; ValueError where a group is left without a row."""
        noise, scale = experiment.features.noise, size / experiment.noise_dim
        if noise.spectrum is None:
            noise = structs.replace(noise, dim=round(size))
        else:
            values, multiplicities = zip(*noise.spectrum, strict=True)
            scaled = apportion(round(size), [m / experiment.noise_dim for m in multiplicities]).tolist()
            noise = structs.replace(noise, spectrum=tuple(zip(values, scaled, strict=True)))
        rows = {name: round(scale * sum(counts)) for name, counts in _counts(experiment).items()}
        grown = experiment.replace(
            features=structs.replace(experiment.features, noise=noise), **_samples(experiment, **rows)
        )
        for name, counts in _counts(grown).items():
            if any(now == 0 < before for now, before in zip(counts, _counts(experiment)[name], strict=True)):
                raise ValueError(f"dims: {size:g}; {name} would have {list(counts)} rows, so a group has none")
        return _selecting_alike(grown, experiment)

    def own_size(self, method: MethodOutcome) -> float:
        """The noise dimension."""
        return float(method.test.noise_dim)


def _checked(sizes: tuple[float, ...], name: str, experiment: Experiment) -> tuple[float, ...]:
    if len(set(sizes)) < max(2, len(sizes)) or min(sizes) <= 0:
        raise ValueError(f"{name}: {sizes}; expected two or more different, positive sizes")
    if experiment.noise_dim == 0:
        raise ValueError("features.noise.dim: 0; a size study needs noise coordinates")
    return sizes


def _counts(experiment: Experiment) -> dict[str, tuple[int, ...]]:
    """Realised group counts of the samples the experiment has."""
    counts = {"train": experiment.train_counts()}
    return counts if experiment.heldout is None else counts | {"heldout": experiment.heldout_counts()}


def _selecting_alike(grown: Experiment, experiment: Experiment) -> Experiment:
    """The grown experiment with methods that select k rows selecting the same share of their sample."""
    before, after = _counts(experiment), _counts(grown)
    methods = []
    for method in grown.method:
        if method.k is not None:
            sample = "heldout" if method.source == "heldout" else "train"
            share = sum(after[sample]) / sum(before[sample])
            method = structs.replace(method, k=max(1, round(share * method.k)))
        methods.append(method)
    return grown.replace(method=tuple(methods))


def _samples(experiment: Experiment, **rows: int) -> dict[str, Any]:
    """The sections of the samples with so many rows, in the proportions they have."""
    sections = {}
    for name, counts in _counts(experiment).items():
        section = getattr(experiment, name)
        others = ("counts", "n_per_dim", "minority_ratio", "class_prior")
        dropped = {other: None for other in others if other in section.__struct_fields__}
        shares = tuple(count / sum(counts) for count in counts)
        sections[name] = structs.replace(section, n=rows[name], proportions=shares, **dropped)
    return sections
