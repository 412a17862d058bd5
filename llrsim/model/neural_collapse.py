"""How collapsed features are: NC1, NC2, CDNV and VCI, of a mixture in closed form and of data exactly (T6).

Units are classes or groups, C of them, all weighted equally. With unit means mu_c about their plain average, collected
in the (C, p) matrix M, and unit covariances Cov_c (divisor n_c for data, and for a class of a mixture the groups in
their proportions, spread of the group means included),

    Sigma_B = M'M / C,    Sigma_W = sum_c Cov_c / C,    Sigma_T = Sigma_W + Sigma_B,

over all coordinates, noise included. No p x p matrix is formed: the rank of Sigma_B is at most C - 1, so everything but
VCI is a projection on the singular directions of M, and VCI is a least-squares residual. What needs a head besides
(NC3, NC4) is in `duality`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arguments import checked_array, checked_whole, require_choice, require_type
from .mixture import Array, GroupMixture

Level = Literal["class", "group"]


@dataclass(frozen=True)
class NeuralCollapse:
    """Collapse of the features alone; each number is at least 0 and is 0 under full collapse.

    Attributes:
        nc1: tr(Sigma_W Sigma_B^+) / C (Papyan, Han & Donoho 2020, NC1).
        nc2_norms: standard deviation over mean of the lengths |mu_c - mean| (their equinorm measure); 0 for C = 2.
        nc2_angles: mean over pairs of |cos(mu_c - mean, mu_c' - mean) + 1/(C - 1)|, the distance of the angles from
            those of a simplex (their maximal equiangularity); 0 for C = 2. A unit on the average itself counts as
            orthogonal to the others.
        cdnv: mean over pairs of (tr Cov_c + tr Cov_c') / (2 |mu_c - mu_c'|^2) (Galanti, Gyorgy & Hutter 2022); infinite
            when two units share their mean.
        vci: 1 - tr(Sigma_T^+ Sigma_B) / rank Sigma_B, in [0, 1] (Xu & Liu 2023), the share of the unit indicators that
            no linear function of the features explains.
    """

    nc1: float
    nc2_norms: float
    nc2_angles: float
    cdnv: float
    vci: float


@dataclass(frozen=True, eq=False)
class Units:
    """What the metrics need of each unit.

    Attributes:
        names: C names, for errors.
        labels: (C,) class of each unit, -1 or +1.
        means: (C, p) unit means; for a mixture the signal coordinates only, the noise having mean zero.
        variances: (C,) tr Cov_c, over all coordinates.
        root: (r, p) with root' root = Sigma_W on the coordinates of `means`.
        rounding: length of M below which it is the rounding of the sums that the means are made of.
    """

    names: Sequence[str]
    labels: Array
    means: Array
    variances: Array
    root: Array
    rounding: float

    @property
    def centred(self) -> Array:
        """(C, p) the matrix M of unit means about their plain average."""
        return self.means - self.means.mean(axis=0)


def from_mixture(mixture: GroupMixture, level: Level = "class") -> NeuralCollapse:
    """Population metrics of a mixture (T6), exact, over signal and noise coordinates.

    The mixture's proportions weigh the groups inside a class; classes, or groups, count equally. Raises ValueError
    when a unit has no mass or all units share one mean.

    >>> toy = GroupMixture.of(means=[[-1.0], [-1.0], [1.0], [1.0]], covariances=[[0.5]], noise_dim=6, noise_std=0.5)
    >>> found = from_mixture(toy)
    >>> found.nc1, found.cdnv, round(found.vci, 6)
    (0.25, 0.5, 0.333333)
    """
    return _metrics(units_of_mixture(mixture, level))


def from_data(features: ArrayLike, units: ArrayLike, *, expected: Sequence | None = None) -> NeuralCollapse:
    """Metrics of features (n, p) whose rows belong to `units` (n,), any labels; exact, no stochastic trace, no ridge.

    Costs O(n p C), and O(n p min(n, p)) for VCI. `expected` lists units that must have rows. Raises ValueError for
    shapes that do not match, values that are not finite, an expected unit without rows, fewer than two units, and units
    that all share one mean. Estimated means inflate Sigma_B: `data_limit` says by how much. Where the law's unit means
    span fewer than C - 1 directions (four groups with m_g = y mu_y + a mu_a span two), estimated ones span them all,
    and the directions that are only noise dominate NC1 and enter VCI: compare CDNV there.

    >>> found = from_data([[-2.0, 1.0], [-2.0, -1.0], [2.0, 1.0], [2.0, -1.0]], [-1, -1, 1, 1])
    >>> found.nc1, found.cdnv, abs(round(found.vci, 12))
    (0.0, 0.0625, 0.0)
    """
    return _metrics(units_of_data(features, units, expected=expected))


def nc1_of_data(features: ArrayLike, units: ArrayLike) -> float:
    """NC1 of `from_data` alone: O(n p C), without the least-squares problem of VCI. Raises ValueError as there.

    >>> round(nc1_of_data([[-2.0, 1.0], [-1.0, -1.0], [2.0, 1.0], [1.0, -1.0]], [-1, -1, 1, 1]), 6)
    0.055556
    """
    units_found = units_of_data(features, units)
    return _nc1(units_found, *_between(units_found))


def data_limit(mixture: GroupMixture, rows: int) -> NeuralCollapse:
    """Class-level metrics that *data* of `rows` rows tend to as rows and noise dimension grow together (T6).

    With m half the difference of the class means and delta = noise_dim / rows, the noise in the estimated means adds
    delta sigma^2 to |m|^2, and the estimated Sigma_W is singular in the limit delta -> 1:

        NC1 -> (m'Sigma_W m + delta sigma^4) / (2 (|m|^2 + delta sigma^2)^2),
        CDNV -> tr Sigma_W / (4 (|m|^2 + delta sigma^2)),
        VCI -> (1 - delta) / (1 + m'Sigma_W^-1 m) for delta < 1, else 0.

    Raises ValueError unless the two classes are balanced and all groups share one isotropic noise scale.

    >>> toy = GroupMixture.of(means=[[-1.0], [-1.0], [1.0], [1.0]], covariances=[[0.5]], noise_dim=60)
    >>> round(from_mixture(toy).cdnv, 4), round(data_limit(toy, rows=120).cdnv, 4)
    (15.125, 10.0833)
    """
    require_type("mixture", mixture, GroupMixture)
    rows = checked_whole("rows", rows, 1)
    if abs(mixture.labels @ mixture.proportions) > 1e-9:
        raise ValueError(f"proportions: {mixture.proportions.tolist()}; the limit is known for two balanced classes")
    scales = mixture.noise_std[:, None] * np.sqrt(mixture.eigenvalues)
    if scales.size and np.ptp(scales) > 1e-12 * scales.max():
        raise ValueError("noise: the limit is known for one isotropic noise scale common to all groups")
    units = units_of_mixture(mixture, "class")
    half = (units.means[1] - units.means[0]) / 2
    delta, sigma2 = mixture.noise_dim / rows, float(np.mean(scales**2)) if scales.size else 0.0
    length2 = half @ half + delta * sigma2
    along = ((units.root @ half) ** 2).sum()
    return NeuralCollapse(
        nc1=float((along + delta * sigma2**2) / (2 * length2**2)),
        nc2_norms=0.0,
        nc2_angles=0.0,
        cdnv=float(units.variances.mean() / (4 * length2)),
        vci=max(1 - delta, 0.0) * _metrics(units).vci,
    )


def units_of_mixture(mixture: GroupMixture, level: Level) -> Units:
    """The classes (lower label first) or the groups of a mixture, as `Units`."""
    require_type("mixture", mixture, GroupMixture)
    require_choice("level", level, ("class", "group"))
    if level == "group":
        names: Sequence[str] = mixture.group_names
        labels, share = mixture.labels, np.diag((mixture.proportions > 0).astype(np.float64))
    else:
        labels = np.array([-1.0, 1.0])
        names = ("class -1", "class +1")
        share = np.where(labels[:, None] == mixture.labels, mixture.class_share(), 0.0)
    for name, mass in zip(names, share.sum(axis=1), strict=True):
        if mass == 0:
            raise ValueError(f"{name}: no mass in this mixture; every unit needs some")
    means = share @ mixture.means
    apart = mixture.means - means[:, None, :]
    covariances = np.einsum("cg,gij->cij", share, mixture.covariances) + np.einsum(
        "cg,cgi,cgj->cij", share, apart, apart
    )
    noise = share @ mixture.noise_std**2 * (mixture.eigenvalues @ mixture.multiplicities)
    values, axes = np.linalg.eigh(covariances.mean(axis=0))
    return Units(
        names=names,
        labels=labels,
        means=means,
        variances=np.trace(covariances, axis1=1, axis2=2) + noise,
        root=np.sqrt(np.maximum(values, 0.0))[:, None] * axes.T,
        rounding=_rounding_of(len(mixture.labels), len(names), np.abs(mixture.means).max(axis=0)),
    )


def units_of_data(
    features: ArrayLike, units: ArrayLike, *, labels: ArrayLike | None = None, expected: Sequence | None = None
) -> Units:
    """The units of features (n, p) in sorted order, as `Units`; `labels` (n,) default to the units themselves."""
    x, unit = checked_array("features", features, ("n", "p")), np.asarray(units)
    if unit.shape != (len(x),):
        raise ValueError(f"units: shape {unit.shape} for features {x.shape}; expected (n, p) and (n,)")
    if unit.dtype.kind not in "biufUS" or (unit.dtype.kind == "f" and np.isnan(unit).any()):
        raise TypeError(f"units: entries of type {unit.dtype}; expected numbers, none of them nan, or texts")
    for name in expected if expected is not None else ():
        if not (unit == name).any():
            raise ValueError(f"unit {name!r}: no rows; every unit needs some")
    names, first, member, count = np.unique(unit, return_index=True, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise ValueError(f"units: only {names.tolist()}; expected at least two")
    means = np.stack([x[member == c].mean(axis=0) for c in range(len(names))])
    root = (x - means[member]) / np.sqrt(len(names) * count[member])[:, None]
    return Units(
        names=[str(name) for name in names],
        labels=(unit if labels is None else np.asarray(labels))[first],
        means=means,
        variances=len(names) * np.array([(root[member == c] ** 2).sum() for c in range(len(names))]),
        root=root,
        rounding=_rounding_of(int(count.max()), len(names), np.abs(x).mean(axis=0)),
    )


def _rounding_of(terms: int, units: int, sizes: Array) -> float:
    """Bound the error of `units` means of so many terms, of mean sizes (p,), that are added up one after the other."""
    return float(np.finfo(np.float64).eps * terms * np.sqrt(units) * np.linalg.norm(sizes))


def _between(units: Units) -> tuple[Array, Array]:
    """Return singular values (r,) and right singular directions (r, p) of M, those of rounding errors left out."""
    centred = units.centred
    _, lengths, axes = np.linalg.svd(centred, full_matrices=False)
    kept = lengths > max(units.rounding, max(centred.shape) * np.finfo(np.float64).eps * np.abs(units.means).max())
    if not kept.any():
        raise ValueError(f"{', '.join(units.names)}: all share one mean; the metrics need distinct means")
    return lengths[kept], axes[kept]


def _nc1(units: Units, lengths: Array, axes: Array) -> float:
    return float((((units.root @ axes.T) / lengths) ** 2).sum())


def _metrics(units: Units) -> NeuralCollapse:
    centred, count = units.centred, len(units.means)
    lengths, axes = _between(units)
    norms, (left, right) = np.linalg.norm(centred, axis=1), np.triu_indices(count, 1)
    unit_vectors = centred / np.where(norms > 0, norms, 1.0)[:, None]
    cosines = (unit_vectors[left] * unit_vectors[right]).sum(axis=1)
    apart = ((centred[left] - centred[right]) ** 2).sum(axis=1)
    spread = (units.variances[left] + units.variances[right]) / 2
    return NeuralCollapse(
        nc1=_nc1(units, lengths, axes),
        nc2_norms=float(norms.std() / norms.mean()),
        nc2_angles=float(np.abs(cosines + 1 / (count - 1)).mean()),
        cdnv=float(np.divide(spread, apart, out=np.full_like(spread, np.inf), where=apart > 0).mean()),
        vci=_unexplained(lengths[:, None] * axes / np.sqrt(count), units.root),
    )


def _unexplained(between: NDArray[np.float64], root: NDArray[np.float64]) -> float:
    """VCI from roots of Sigma_B (r, p) and Sigma_W.

    Stacked, the roots are a design A with A'A = Sigma_T, and E = [I_r; 0] picks the between rows, so
    tr(Sigma_T^+ Sigma_B) is |projection of E on the range of A|^2. The residual is measured rather than one minus the
    projection: VCI keeps its digits however small it is.
    """
    design = np.vstack([between, root])
    targets = np.eye(len(design), len(between))
    coefficients = np.linalg.lstsq(design, targets, rcond=None)[0]
    return float(((targets - design @ coefficients) ** 2).sum() / len(between))
