"""What a stage minimises in the proportional limit, n and d -> infinity at delta = d/n (T8).

    (1/n) sum_i om_i l(y_i f(x_i)) + ridge |w|^2 / 2 + anchor (|(u, b) - (u0, b0)|^2) / 2,   f(x) = u.s + v.z + b

over n rows in groups of shares pi_g; the fixed-point equations, the margin program and the descent formulas all
start from the one description below.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..model.losses import Loss
from ..model.methods import Selection
from ..model.mixture import Array, GroupMixture


class ProportionalProblem(NamedTuple):
    """Arrays that kernels take whole. Build with `of`.

    "Groups" are sets of exchangeable rows with one weight each: those of the mixture, or finer ones where a method
    weights the rows of a group unequally.

    Attributes:
        loss: code of the loss.
        ratio: delta = d/n > 0.
        shares: (G,) pi_g > 0, summing to one.
        weights: (G,) om_g >= 0; sum pi_g om_g = 1 in the convention of T0, which nothing here relies on.
        labels: (G,) y_g = +-1.
        means: (G, k) m_g.
        covariances: (G, k, k) S_g.
        noise_std: (G,) sigma_g > 0.
        eigenvalues: (J,) distinct eigenvalues e_j >= 0 of the noise spectrum, [1] for isotropic noise.
        eigenvalue_shares: (J,) share of each among the d, summing to one.
        ridge: lam >= 0, on u and v.
        anchor: lam0 >= 0, strength of the pull to `centre` (and of v to 0).
        centre: (k + 1,) the head (u0, b0), bias last.
        margins: (G,) kappa_g > 0, the margin that MAX_MARGIN asks of each group; unused by other losses.
        scales: (G,) Delta_g > 0 of the vector-scaling loss log(1 + exp(iota_g - Delta_g m)); of LOGISTIC only, else 1.
        shifts: (G,) iota_g of it, else 0. Scales one and shifts log-odds are logit adjustment.
    """

    loss: int
    ratio: float
    shares: Array
    weights: Array
    labels: Array
    means: Array
    covariances: Array
    noise_std: Array
    eigenvalues: Array
    eigenvalue_shares: Array
    ridge: float
    anchor: float
    centre: Array
    margins: Array
    scales: Array
    shifts: Array

    @classmethod
    def of(
        cls,
        mixture: GroupMixture,
        loss: Loss,
        *,
        counts: ArrayLike,
        mass: ArrayLike | None = None,
        ridge: float = 0.0,
        anchor: float = 0.0,
        centre: ArrayLike | None = None,
        margins: ArrayLike = 1.0,
        scales: ArrayLike = 1.0,
        shifts: ArrayLike = 0.0,
    ) -> ProportionalProblem:
        """The problem of `counts` (G,) rows of each group of a mixture, so that n is their sum and d its noise_dim.

        `mass` (G,) are the group masses p_g, by default the shares pi_g (weights one). Groups without rows are left
        out. `centre` (k + 1,) defaults to zero; `margins`, `scales` and `shifts` are one number or one per group.

        >>> toy = GroupMixture.of(means=[[-1.0], [-1.0], [1.0], [1.0]], covariances=[[1.0]], noise_dim=50)
        >>> problem = ProportionalProblem.of(toy, Loss.LOGISTIC, counts=[40, 10, 10, 40], mass=[0.25] * 4)
        >>> problem.ratio, problem.weights.round(6).tolist()
        (0.5, [0.625, 2.5, 2.5, 0.625])
        """
        rows = np.asarray(counts, dtype=np.float64)
        kept = rows > 0
        shares = rows[kept] / rows.sum()
        p = shares if mass is None else np.asarray(mass, dtype=np.float64)[kept]

        def per_group(values: ArrayLike) -> Array:
            array = np.asarray(values, dtype=np.float64)
            return array[kept] if array.ndim else np.full(len(shares), array)

        eigenvalues, multiplicities = mixture.eigenspaces()
        centre = np.zeros(mixture.signal_dim + 1) if centre is None else centre
        return cls(
            loss=int(loss),
            ratio=mixture.noise_dim / float(rows.sum()),
            shares=shares,
            weights=p / shares,
            labels=mixture.labels[kept],
            means=mixture.means[kept],
            covariances=mixture.covariances[kept],
            noise_std=mixture.noise_std[kept],
            eigenvalues=eigenvalues,
            eigenvalue_shares=multiplicities / mixture.noise_dim,
            ridge=float(ridge),
            anchor=float(anchor),
            centre=np.asarray(centre, dtype=np.float64),
            margins=per_group(margins),
            scales=per_group(scales),
            shifts=per_group(shifts),
        )

    @property
    def largest_square(self) -> float:
        """The largest of `squares`."""
        return float(self.squares.max())

    @property
    def squares(self) -> Array:
        """(G,) mean square of a row, its noise counted as often as there are coordinates a row."""
        variances: Array = np.trace(self.covariances, axis1=1, axis2=2)
        return self.noise_std**2 * (1.0 + self.ratio) + (self.means**2).sum(axis=1) + variances

    @classmethod
    def of_selection(
        cls, mixture: GroupMixture, loss: Loss, selection: Selection, *, ridge: float, anchor: float
    ) -> ProportionalProblem:
        """The problem of a method's rows: a "group" for each section of its selection that has rows.

        A row that is repeated counts once, with the weight of its repeats.
        """
        rows = selection.distinct
        mass = selection.used * selection.weight
        if np.array_equal(selection.group, np.arange(mixture.group_count)):
            return cls.of(mixture, loss, counts=rows, mass=mass, ridge=ridge, anchor=anchor)
        return cls.of(mixture.in_groups(selection.group), loss, counts=rows, mass=mass, ridge=ridge, anchor=anchor)
