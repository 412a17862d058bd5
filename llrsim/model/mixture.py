"""The law of the features: a Gaussian mixture over groups with low-dimensional signal and many noise coordinates.

Group g = (y, a) has proportion pi_g, signal s ~ N(m_g, S_g) in R^k and noise z ~ N(0, sigma_g^2 diag(e)) in R^d (T0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arguments import checked_array, checked_counts, checked_reals, checked_seed, checked_whole
from ..experiment.groups import apportion
from .draws import SampleLaw, draw_sample, sample_law

if TYPE_CHECKING:
    from .._arguments import Seed

Array = NDArray[np.float64]

MOST = 10**12
"""Rows of a sample, and noise coordinates of a mixture, as in files."""


def _runs(values: ArrayLike, multiplicities: ArrayLike | None) -> tuple[Array, NDArray[np.int64]]:
    """Runs of equal eigenvalues and their lengths, (E,) each, in the order given; those of length zero are left out."""
    value = checked_array("spectrum", values, ("E",))
    if not (value >= 0).all():
        raise ValueError(f"spectrum: {value.min():g}; expected nonnegative eigenvalues")
    if multiplicities is None:
        length = np.ones(value.shape, np.int64)
    else:
        length = checked_counts("multiplicities", multiplicities, value.shape)
    value, length = value[length > 0], length[length > 0]
    first = np.flatnonzero(np.diff(value, prepend=np.nan) != 0)
    return value[first], np.add.reduceat(length, first)


def _broadcast(name: str, values: ArrayLike, shape: tuple[int, ...]) -> Array:
    """A copy of `shape`, of values that have it or the end of it."""
    value = checked_reals(name, values)
    if value.shape != shape[len(shape) - value.ndim :]:
        raise ValueError(f"{name}: shape {value.shape}; expected {shape}, or one for all groups")
    return np.broadcast_to(value, shape).copy()


def _check_covariances(covariances: Array) -> None:
    """Raise ValueError unless matrices (G, k, k) are symmetric and positive semidefinite."""
    size = np.abs(covariances).max(initial=0.0)
    if np.abs(covariances - covariances.swapaxes(1, 2)).max(initial=0.0) > 1e-12 * size:
        raise ValueError("covariances: not symmetric")
    least = np.linalg.eigvalsh(covariances).min(initial=0.0)
    if least < -1e-12 * size:
        raise ValueError(f"covariances: smallest eigenvalue {least:.3g}; must be positive semidefinite")


@dataclass(frozen=True, eq=False)
class GroupMixture:
    """A mixture of G groups in k signal and d noise coordinates.

    Attributes:
        labels: (G,) class of each group, -1 or +1.
        attributes: (G,) spurious attribute of each group, -1 or +1 by default.
        proportions: (G,) share of each group, nonnegative, summing to one.
        means: (G, k) signal means m_g.
        covariances: (G, k, k) signal covariances S_g.
        noise_std: (G,) noise scale sigma_g.
        eigenvalues: (E,) value of each run of equal entries of `spectrum`; [1] for isotropic noise, [] without noise.
        multiplicities: (E,) length of each run, positive. No more is stored of the d noise coordinates.
    """

    labels: Array
    attributes: Array
    proportions: Array
    means: Array
    covariances: Array
    noise_std: Array
    eigenvalues: Array
    multiplicities: NDArray[np.int64]

    def __post_init__(self) -> None:
        groups = (len(checked_array("labels", self.labels, ("G",))),)
        k = (checked_array("means", self.means, (*groups, "k")).shape[1],)
        runs = checked_array("eigenvalues", self.eigenvalues, ("E",)).shape
        shapes = {
            "labels": groups,
            "attributes": groups,
            "proportions": groups,
            "means": groups + k,
            "covariances": groups + k + k,
            "noise_std": groups,
            "eigenvalues": runs,
        }
        for name, shape in shapes.items():
            object.__setattr__(self, name, checked_array(name, getattr(self, name), shape))
        object.__setattr__(self, "multiplicities", checked_counts("multiplicities", self.multiplicities, runs))
        if not groups[0] or not np.isin(self.labels, (-1.0, 1.0)).all():
            raise ValueError(f"labels: {self.labels.tolist()}; expected -1 or +1 for each group, of at least one")
        for name in ("proportions", "noise_std", "eigenvalues"):
            value = getattr(self, name)
            if value.size and value.min() < 0:
                raise ValueError(f"{name}: {value.min():g}; expected at least 0")
        if abs(self.proportions.sum() - 1) > 1e-6:
            raise ValueError(f"proportions: {self.proportions.tolist()}; expected numbers that sum to one")
        if not self.multiplicities.all():
            raise ValueError("multiplicities: 0; expected runs of at least one coordinate")
        checked_whole("multiplicities: their sum", self.noise_dim, 0, MOST)
        _check_covariances(self.covariances)

    @classmethod
    def of(
        cls,
        *,
        means: ArrayLike,
        covariances: ArrayLike,
        noise_dim: int,
        noise_std: ArrayLike = 1.0,
        spectrum: ArrayLike | None = None,
        multiplicities: ArrayLike | None = None,
        labels: ArrayLike = (-1, -1, 1, 1),
        attributes: ArrayLike = (-1, 1, -1, 1),
        proportions: ArrayLike | None = None,
    ) -> GroupMixture:
        """Build from array-likes, broadcasting one covariance or noise scale over the groups.

        `spectrum` lists the d noise eigenvalues, by default ones; or each value once for `multiplicities` (of the same
        length) coordinates in a row. Proportions default to equal shares. Raises ValueError, naming the argument, for
        wrong shapes or values.

        >>> toy = GroupMixture.of(means=[[-1.0], [-1.0], [1.0], [1.0]], covariances=[[0.36]], noise_dim=3)
        >>> toy.group_count, toy.signal_dim, toy.noise_dim
        (4, 1, 3)
        >>> spiked = GroupMixture.of(
        ...     means=[[-1.0], [-1.0], [1.0], [1.0]], covariances=[[0.36]],
        ...     noise_dim=10**9, spectrum=[9.0, 1.0], multiplicities=[1, 10**9 - 1],
        ... )
        >>> spiked.noise_dim, spiked.eigenvalues.tolist()
        (1000000000, [9.0, 1.0])
        """
        label = checked_array("labels", labels, ("G",))
        groups = len(label)
        mean = checked_array("means", means, (groups, "k"))
        k = mean.shape[1]
        share = np.full(groups, 1.0 / max(groups, 1))
        if proportions is not None:
            share = checked_array("proportions", proportions, (groups,))
            if not abs(share.sum() - 1) <= 1e-6:
                raise ValueError(f"proportions: {share.tolist()}; expected {groups} numbers that sum to one")
        noise_dim = checked_whole("noise_dim", noise_dim, 0, MOST)
        if spectrum is None:
            spectrum, multiplicities = [1.0], [noise_dim] if multiplicities is None else multiplicities
        eigenvalues, lengths = _runs(spectrum, multiplicities)
        if lengths.sum() != noise_dim:
            raise ValueError(f"spectrum: {lengths.sum()} eigenvalues; expected noise_dim = {noise_dim}")
        return cls(
            labels=label,
            attributes=checked_array("attributes", attributes, (groups,)),
            proportions=share / share.sum(),
            means=mean,
            covariances=_broadcast("covariances", covariances, (groups, k, k)),
            noise_std=_broadcast("noise_std", noise_std, (groups,)),
            eigenvalues=eigenvalues,
            multiplicities=lengths,
        )

    @property
    def group_count(self) -> int:
        """G, the number of groups."""
        return len(self.labels)

    @property
    def signal_dim(self) -> int:
        """k, the number of signal coordinates."""
        return self.means.shape[1]

    @property
    def noise_dim(self) -> int:
        """d, the number of noise coordinates."""
        return int(self.multiplicities.sum())

    @property
    def spectrum(self) -> Array:
        """(d,) common noise eigenvalues e_j, laid out anew: for code that holds designs of d columns anyway."""
        return np.repeat(self.eigenvalues, self.multiplicities)

    @property
    def group_names(self) -> tuple[str, ...]:
        """Each group as its signs, e.g. `(-,+)`: class first, attribute second."""

        def sign(value: float) -> str:
            return {-1.0: "-", 1.0: "+"}.get(value, f"{value:g}")

        return tuple(f"({sign(y)},{sign(a)})" for y, a in zip(self.labels, self.attributes, strict=True))

    def eigenspaces(self) -> tuple[Array, NDArray[np.int64]]:
        """Distinct noise eigenvalues, ascending, and the dimension of each one's eigenspace, (E',) each.

        >>> toy = GroupMixture.of(means=[[0.0]] * 4, covariances=[[1.0]], noise_dim=4, spectrum=[2.0, 1.0, 1.0, 2.0])
        >>> [found.tolist() for found in toy.eigenspaces()]
        [[1.0, 2.0], [2, 2]]
        """
        if len(self.eigenvalues) < 2:  # the usual case, and a phase diagram asks for it in every cell
            return self.eigenvalues, self.multiplicities
        values, of_run = np.unique(self.eigenvalues, return_inverse=True)
        return values, np.bincount(of_run, self.multiplicities, len(values)).astype(np.int64)

    def with_proportions(self, proportions: ArrayLike) -> GroupMixture:
        """The same groups in other shares (normalised to sum to one)."""
        share = checked_array("proportions", proportions, (self.group_count,))
        if not share.sum() > 0:
            raise ValueError(f"proportions: {share.tolist()}; expected a positive sum")
        return replace(self, proportions=share / share.sum())

    def in_groups(self, group: ArrayLike) -> GroupMixture:
        """The mixture with group g listed as often as `group` (B,) names it, in equal shares."""
        index = np.asarray(group)
        own = {
            name: getattr(self, name)[index] for name in ("labels", "attributes", "means", "covariances", "noise_std")
        }
        return replace(self, proportions=np.full(len(index), 1.0 / len(index)), **own)

    def class_share(self, mass: ArrayLike | None = None) -> Array:
        """(G,) share of each group inside its class, under `mass` (default the proportions); 0/0 is read as 0."""
        share = self.proportions if mass is None else np.asarray(mass, dtype=np.float64)
        total = np.where(self.labels > 0, share[self.labels > 0].sum(), share[self.labels < 0].sum())
        return np.divide(share, total, out=np.zeros_like(share), where=total > 0)

    def effects(self) -> tuple[Array, Array]:
        """Directions of the class and of the attribute, (k,) each: m_g regressed on (1, y, a), groups equal.

        In the balanced two-by-two design these are mu_y and mu_a of m_g = y mu_y + a mu_a (T1). With one attribute
        value only, the attribute's direction is zero.
        """
        design = np.column_stack([np.ones(self.group_count), self.labels, self.attributes])
        coefficients = np.linalg.pinv(design) @ self.means
        return coefficients[1], coefficients[2]

    def kernel_law(self) -> SampleLaw:
        """The mixture as the kernels that draw samples take it."""
        return sample_law(
            labels=self.labels,
            means=self.means,
            covariances=self.covariances,
            noise_std=self.noise_std,
            spectrum=self.spectrum,
        )

    def sample(
        self, n: int | None = None, *, counts: Sequence[int] | None = None, seed: Seed = 0
    ) -> tuple[Array, Array, Array]:
        """Draw features X (n, k + d), labels y (n,) and attributes a (n,), rows ordered by group.

        Group counts are fixed: `counts` as given, or `n` apportioned by largest remainder. The rows of a group are
        a prefix of one sequence: more rows extend it. `seed` is a whole number in [0, 2^64), or a NumPy Generator or
        SeedSequence to draw one from. Raises ValueError and TypeError, naming the argument.

        >>> toy = GroupMixture.of(means=[[-1.0], [-1.0], [1.0], [1.0]], covariances=[[0.36]], noise_dim=3)
        >>> X, y, a = toy.sample(8, seed=1)
        >>> X.shape, y.tolist()
        ((8, 4), [-1.0, -1.0, -1.0, -1.0, 1.0, 1.0, 1.0, 1.0])
        """
        if (n is None) == (counts is None):
            raise ValueError("sample: give exactly one of n and counts")
        if n is not None:
            rows = apportion(checked_whole("n", n, 0, MOST), self.proportions)
        else:
            rows = checked_counts("counts", counts, (self.group_count,))
            checked_whole("counts: their sum", int(rows.sum()), 0, MOST)
        features, classes = draw_sample(self.kernel_law(), rows, checked_seed(seed))
        return features, classes, np.repeat(self.attributes, rows)
