"""What the law of the features must satisfy beyond its types."""

import math

from .. import groups
from ..errors import ExperimentError, require, require_finite, require_length, require_per_group, shown
from ..schema import Coordinates, Features, Noise

MOST_GROUPS = 1000
MOST_SIGNAL = 500  # signal coordinates: their covariances are held whole, pair by pair; noise has as many as one likes
MOST_DIMENSIONS = 10**12  # as many as rows: nothing but the dense simulator holds an array of this length


def check_features(features: Features) -> None:
    """Raise ExperimentError unless the features have a law."""
    if features.labels is not None:
        labels = features.labels
        require(set(labels) == {-1, 1}, "features.labels", labels, "-1 or 1 for every group, both present")
    count = len(groups.group_labels(features))
    require(count <= MOST_GROUPS, "features.labels", features.labels, f"at most {MOST_GROUPS} groups")
    if features.attributes is not None:
        require_length("features.attributes", features.attributes, count)
        require_finite("features.attributes", features.attributes)
    coordinates = {"core": features.core, "spurious": features.spurious}
    given = [key for key, value in coordinates.items() if value is not None]
    if features.means is not None or features.covariances is not None:
        if given:
            raise ExperimentError(f"features.{given[0]}: give either means and covariances or core and spurious")
        _check_moments(features, count)
    elif not given:
        raise ExperimentError("features.core: missing; give core, spurious or both, or means and covariances per group")
    for key in given:
        _check_coordinates(f"features.{key}", coordinates[key])
    if features.spurious is not None and features.labels is not None and features.attributes is None:
        raise ExperimentError("features.attributes: missing; spurious coordinates need one attribute per group")
    _check_noise(features.noise, count)


def _check_coordinates(key: str, coordinates: Coordinates | None) -> None:
    assert coordinates is not None
    mean, std = coordinates.mean, coordinates.std
    for name, value in (("mean", mean), ("std", std)):
        accepted = f"a number or a list of at least one, at most {MOST_SIGNAL}"
        require(not isinstance(value, tuple) or 1 <= len(value) <= MOST_SIGNAL, f"{key}.{name}", value, accepted)
        require_finite(f"{key}.{name}", value)
    if isinstance(mean, tuple) and isinstance(std, tuple):
        require(len(std) == len(mean), f"{key}.std", std, f"a number or {len(mean)} numbers, as many as {key}.mean")
    require(all(s >= 0 for s in groups.per_group(std, 1)), f"{key}.std", std, "at least 0")


def _check_noise(noise: Noise, count: int) -> None:
    if (noise.dim is None) == (noise.spectrum is None):
        raise ExperimentError(f"features.noise.dim = {noise.dim}: give exactly one of dim and spectrum")
    if noise.dim is not None:
        require(0 <= noise.dim <= MOST_DIMENSIONS, "features.noise.dim", noise.dim, f"from 0 to {MOST_DIMENSIONS}")
    require_per_group("features.noise.std", noise.std, count, 0.0, math.inf, "at least 0")
    if noise.spectrum is not None:
        accepted = "a list of [eigenvalue >= 0, multiplicity >= 1], at least one"
        valid = all(0 <= value < math.inf and multiplicity >= 1 for value, multiplicity in noise.spectrum)
        require(bool(noise.spectrum) and valid, "features.noise.spectrum", noise.spectrum, accepted)
        accepted = f"at most {MOST_DIMENSIONS} dimensions in all"
        require(noise.size <= MOST_DIMENSIONS, "features.noise.spectrum", noise.spectrum, accepted)


def _check_moments(features: Features, count: int) -> None:
    means, covariances = features.means, features.covariances
    for key, value in (("means", means), ("covariances", covariances)):
        if value is None:
            raise ExperimentError(f"features.{key}: missing; means and covariances come together")
        require_length(f"features.{key}", value, count)
        require_finite(f"features.{key}", value)
    assert means is not None
    assert covariances is not None
    size = len(means[0])
    shape = f"a list of {count} means of one length, from 1 to {MOST_SIGNAL}"
    require(1 <= size <= MOST_SIGNAL and all(len(mean) == size for mean in means), "features.means", means, shape)
    for group, matrix in enumerate(covariances):
        _check_covariance(f"features.covariances[{group}]", matrix, size)


def _check_covariance(key: str, matrix: tuple[tuple[float, ...], ...], size: int) -> None:
    square = len(matrix) == size and all(len(row) == size for row in matrix)
    require(square, key, matrix, f"{size} rows of {size} numbers, as long as the means")
    for i, row in enumerate(matrix):
        for j in range(i):
            close = math.isclose(row[j], matrix[j][i], rel_tol=1e-12, abs_tol=0.0)
            require(close, f"{key}[{i}][{j}]", row[j], f"{matrix[j][i]}, as [{j}][{i}]: covariances are symmetric")
    from numpy.linalg import eigvalsh  # only here: importing numpy would slow every command line

    eigenvalues = eigvalsh(matrix)
    if not eigenvalues[0] > 1e-12 * eigenvalues[-1]:
        raise ExperimentError(
            f"{key} = {shown(matrix)}: smallest eigenvalue {eigenvalues[0]:.3g}; must be positive definite. "
            "Leave out a coordinate that repeats others; for one without spread use core or spurious with std = 0"
        )
