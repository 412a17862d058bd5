"""What a lazy sample is made of, and what a fit on it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ...mixture import Array
from ...status import Status


class SectionLaw(NamedTuple):
    """B sections of exchangeable rows in k signal coordinates and E eigenspaces of the noise.

    A row of section b is y = labels[b], s ~ N(means[b], F F') with F = factors[b], and z = noise_scale[b] times
    independent N(0, e I) in the eigenspace of each eigenvalue e.
    """

    rows: np.ndarray  # (B,)
    labels: np.ndarray  # (B,) -1 or +1
    means: np.ndarray  # (B, k)
    factors: np.ndarray  # (B, k, k)
    noise_scale: np.ndarray  # (B,) sigma
    eigenvalues: np.ndarray  # (E,) e >= 0
    multiplicities: np.ndarray  # (E,) dimension of each eigenspace


@dataclass(frozen=True, eq=False)
class LazyHead:
    """A head up to rotations of the noise, which is all that a readout or an independent sample can see of it.

    Attributes:
        signal: (k,) u.
        bias: b.
        noise: (E,) norm of v in each eigenspace of the noise.
        sample: what it was fitted on, if its direction is to be known elsewhere.
        coordinates: (k + 1 + R,) the head in the directions that were revealed of that sample.
        spaces: (R,) eigenspace of each of these.
    """

    signal: Array
    bias: float
    noise: Array
    sample: object | None = None
    coordinates: Array | None = None
    spaces: np.ndarray | None = None

    def noise_in(self, space: int) -> Array:
        """The noise part in one eigenspace, in coordinates of its sample; its norm alone where there are none."""
        if self.coordinates is None or self.spaces is None:
            return self.noise[space : space + 1].copy()
        return np.where(self.spaces == space, self.coordinates[len(self.signal) + 1 :], 0.0)


@dataclass(frozen=True, eq=False)
class LazyFit:
    """A head fitted on a lazy sample.

    Attributes:
        head: the head.
        status: how the fit ended.
        certificate: as `Fit.certificate` of dense fits, with what lies outside of the revealed directions counted in.
        iterations: solver iterations, or descent steps.
        directions: right directions that were revealed, over all eigenspaces.
        path: the heads after the steps of `head.solver.path`.
        mass, share: (G,) effective mass of each group and its share of the rows of positive weight, where a rule made
            the weights; else None.
        bias_interval: the least and the largest optimal bias, where the status is BIAS_NOT_UNIQUE; else None.
    """

    head: LazyHead
    status: Status
    certificate: float
    iterations: int
    directions: int
    path: tuple[LazyHead, ...] = ()
    mass: Array | None = None
    share: Array | None = None
    bias_interval: tuple[float, float] | None = None
