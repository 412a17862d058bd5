"""State the population objective, n -> infinity at fixed d (T1, T2), and the expected losses in it."""

from __future__ import annotations

from math import exp, log1p, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .._jit import kernel
from ..model.gaussian import DENSITY_TABLE, FINEST, REACH, cumulative, density, positive_part, squared_positive_part
from ..model.losses import HINGE, LOGISTIC, SQUARED, Loss
from ..model.mixture import Array, GroupMixture

# Expected losses of a Gaussian margin m = mu + t G, G ~ N(0, 1), and the moments that their derivatives need.
#
# Squared, hinge and squared hinge are closed forms in Phi and phi; the logistic loss uses the trapezoid rule.


@kernel
def expected_loss(loss, mu, t, table):
    """(E l, E l', E l'', E l'' G, E l'' G^2) at m = mu + t G; any loss but MAX_MARGIN, t >= 0, hinges t > 0.

    By Stein's lemma E l' G = t E l''. For the hinge l'' is a point mass at m = 1, so E l'' is the margin's density
    there. `table` is `gaussian.DENSITY_TABLE`, an argument so that it is not compiled in.

    >>> from llrsim.model.gaussian import DENSITY_TABLE
    >>> from llrsim.model.losses import HINGE
    >>> [round(moment, 6) for moment in expected_loss(HINGE, 1.0, 1.0, DENSITY_TABLE)]
    [0.398942, -0.5, 0.398942, 0.0, 0.0]
    """
    if loss == SQUARED:
        return 0.5 * ((1.0 - mu) * (1.0 - mu) + t * t), mu - 1.0, 1.0, 0.0, 1.0
    if loss == LOGISTIC:
        return expected_logistic(mu, t, table, logistic_stride(t))
    c = 1.0 - mu
    z = c / t
    below, at = cumulative(z), density(z)
    if loss == HINGE:
        mass = at / t
        return positive_part(c, t), -below, mass, mass * z, mass * z * z
    return 0.5 * squared_positive_part(c, t), -(c * below + t * at), below, -at, below - z * at


@kernel
def logistic_stride(t):
    """Stride of the table for a step of at most 0.4/t and 1/2.

    In G the loss has its poles a = pi/t from the real line, so the trapezoid rule leaves exp(a^2/2 - 2 pi a / step),
    at most e^-41. Beyond t = 205, which no minimiser reaches (its t is about twice mu/t), the table ends and precision
    falls off.
    """
    stride = FINEST // 2
    while stride > 1 and stride * 2.5 * t > FINEST:
        stride //= 2
    return stride


@kernel
def expected_logistic(mu, t, table, stride):
    """`expected_loss` of the logistic loss at a given stride; halving it must change nothing."""
    value = slope = 0.0
    curvature = curvature_x = curvature_xx = 0.0  # E l'', E l'' G, E l'' G^2
    step = stride / FINEST
    for i in range(0, table.size, stride):
        x = i / FINEST - REACH
        m = mu + t * x
        e = exp(-abs(m))
        weight = step * table[i]
        right = 1.0 / (1.0 + e)
        second = weight * e * right * right
        value += weight * (log1p(e) + max(-m, 0.0))
        slope -= weight * (e * right if m > 0.0 else right)
        curvature += second
        curvature_x += second * x
        curvature_xx += second * x * x
    return value, slope, curvature, curvature_x, curvature_xx


# The population objective: what a stage minimises when n -> infinity at fixed d (T1, T2).
#
#     F(u, b) = sum_g p_g E l(y_g (u.m_g + b) + sqrt(u'S_g u) G) + ridge |u|^2 / 2 + anchor |(u,b) - (u0,b0)|^2 / 2
#
# The noise coordinates carry no label, so their weights are zero and they have left the problem.


# Spread given to the margins of the hinge losses, so that the kink has a slope where a group has no spread of its
# own: it moves their expectation by less than 1e-9, and by 1e-18 where the spread is of order one.
SMOOTHING = 1e-9
CANCELLED = 1e-3  # part of its terms below which a gradient, to the tolerance of 1e-11, would be rounding


class PopulationObjective(NamedTuple):
    """F on points theta = (u, b), (k + 1,) arrays; a tuple, so that kernels take it whole. Build with `of`.

    Attributes:
        loss: code of any loss but MAX_MARGIN.
        mass: (G,) p_g, positive.
        margins: (G, k + 1) rows y_g (m_g, 1), so that `margins @ theta` are the mean margins.
        covariances: (G, k + 1, k + 1) S_g with a zero row and column for the bias.
        penalty: (k + 1,) ridge on the weights, 0 on the bias.
        anchor: strength of the pull to `centre`.
        centre: (k + 1,) the head it is pulled to.
        smoothing: spread added, in squares, to every margin.
        noise: largest second moment of a noise coordinate, max_j e_j sum_g p_g sigma_g^2; it bounds stable steps.
        table: `gaussian.DENSITY_TABLE`.
    """

    loss: int
    mass: Array
    margins: Array
    covariances: Array
    penalty: Array
    anchor: float
    centre: Array
    smoothing: float
    noise: float
    table: Array

    @classmethod
    def of(
        cls,
        mixture: GroupMixture,
        mass: ArrayLike,
        loss: Loss,
        *,
        ridge: float = 0.0,
        anchor: float = 0.0,
        centre: ArrayLike | None = None,
    ) -> PopulationObjective:
        """The objective of groups with mass p_g on a mixture; groups of mass zero are left out.

        `centre` (k + 1,) is the head (u0, b0) that `anchor` pulls to, by default zero.
        """
        p = np.asarray(mass, dtype=np.float64)
        kept, k = p > 0, mixture.signal_dim
        labels = mixture.labels[kept]
        margins = np.ones((len(labels), k + 1))
        margins[:, :k] = mixture.means[kept]
        covariances = np.zeros((len(labels), k + 1, k + 1))
        covariances[:, :k, :k] = mixture.covariances[kept]
        penalty = np.full(k + 1, float(ridge))
        penalty[k] = 0.0
        return cls(
            loss=int(loss),
            mass=p[kept],
            margins=labels[:, None] * margins,
            covariances=covariances,
            penalty=penalty,
            anchor=float(anchor),
            centre=np.zeros(k + 1) if centre is None else np.asarray(centre, dtype=np.float64),
            smoothing=SMOOTHING if loss in (Loss.HINGE, Loss.SQUARED_HINGE) else 0.0,
            noise=float(mixture.eigenvalues.max(initial=0.0) * (p @ mixture.noise_std**2)),
            table=DENSITY_TABLE,
        )

    @property
    def labels(self) -> Array:
        """(G,) y_g of the groups that have mass."""
        return self.margins[:, -1]

    @property
    def penalised(self) -> bool:
        """Whether anything holds the weights."""
        return self.anchor > 0.0 or bool(self.penalty.any())

    @property
    def within(self) -> Array:
        """(k + 1, k + 1) within-group covariance sum_g p_g S_g, zero in the bias."""
        return (self.mass @ self.covariances.reshape(len(self.mass), -1)).reshape(self.covariances.shape[1:])

    @property
    def gradient_scale(self) -> float:
        """What certificates measure gradients against: the gradient at zero, or 1e-3 of its terms where they cancel.

        Of a gradient of larger terms no more is known than their rounding.
        """
        terms = self.mass @ np.abs(self.margins) + self.anchor * np.abs(self.centre)
        at_zero = float(np.linalg.norm(self.gradient(np.zeros_like(self.centre))))
        return max(at_zero, CANCELLED * float(np.linalg.norm(terms)))

    def curvature(self, loss_curvature: float) -> Array:
        """(k + 1, k + 1) Hessian of F if the loss had the constant curvature given: exact for the squared loss at 1."""
        second_moment = self.within + (self.mass * self.margins.T) @ self.margins
        return loss_curvature * second_moment + np.diag(self.penalty + self.anchor)

    def value(self, theta: Array) -> float:
        """F(theta)."""
        return self.expand(theta)[0]

    def gradient(self, theta: Array) -> Array:
        """(k + 1,) gradient of F at theta."""
        return self.expand(theta)[1]

    def expand(self, theta: Array) -> tuple[float, Array, Array]:
        """F, its gradient (k + 1,) and its Hessian (k + 1, k + 1) at theta."""
        gradient, hessian = np.empty_like(theta), np.empty((len(theta), len(theta)))
        return expand(self, theta, gradient, hessian), gradient, hessian


@kernel
def expand(objective, theta, gradient, hessian):
    """F(theta); writes its gradient (p,) and Hessian (p, p).

    With A = y (m, 1) and the margin A.theta + t G, t^2 = u'S u: the gradient is sum_g p_g (E l' A + E l'' S u), by
    Stein's lemma, and penalties. The margin's derivative is A + (S u / t) G, that of t is S u / t, and the second one
    of t is (S - S u u'S / t^2) / t, so that the Hessian is, for each group,

        E l'' (A A' + S) + E l'' G (A u'S + S u A') / t + (E l'' G^2 - E l'') S u u'S / t^2.
    """
    p = theta.size
    value = 0.0
    image = np.empty(p)
    for i in range(p):
        pull = theta[i] - objective.centre[i]
        value += 0.5 * (objective.penalty[i] * theta[i] * theta[i] + objective.anchor * pull * pull)
        gradient[i] = objective.penalty[i] * theta[i] + objective.anchor * pull
        for j in range(p):
            hessian[i, j] = objective.penalty[i] + objective.anchor if i == j else 0.0
    A, S = objective.margins, objective.covariances
    for g in range(objective.mass.size):
        mass, mean, variance = objective.mass[g], 0.0, 0.0
        for i in range(p):
            image[i] = 0.0
            for j in range(p):
                image[i] += S[g, i, j] * theta[j]
            mean += A[g, i] * theta[i]
            variance += image[i] * theta[i]
        spread = sqrt(max(variance, 0.0) + objective.smoothing * objective.smoothing)
        loss, slope, curvature, curvature_x, curvature_xx = expected_loss(objective.loss, mean, spread, objective.table)
        value += mass * loss
        inverse = 1.0 / spread if spread > 0.0 else 0.0
        for i in range(p):
            gradient[i] += mass * (slope * A[g, i] + curvature * image[i])
            for j in range(p):
                cross = inverse * curvature_x * (A[g, i] * image[j] + image[i] * A[g, j])
                along = inverse * inverse * (curvature_xx - curvature) * image[i] * image[j]
                hessian[i, j] += mass * (curvature * (A[g, i] * A[g, j] + S[g, i, j]) + cross + along)
    return value
