"""Predict gradient descent, flow and online SGD on weighted least squares in the proportional limit (T14, T15)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import atan, ceil, expm1, inf, nan, pi, sqrt
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import ellipj, ellipk, ellipkm1

from .._jit import kernel, private
from ..model.head import Head
from ..model.losses import Status
from ..model.mixture import Array
from .problem import ProportionalProblem
from .ridge import ROUNDING, imbalance, solve_response

# Gradient descent and flow on weighted least squares in the proportional limit, without iterating (T14).
#
# With H the Hessian of the sample's objective F, a filter phi (phi_T of T steps, phi_t of flow for a time t) makes
#
#     w = w_0 - phi(H) grad F(w_0) = w_0 - (1/2 pi i) oint phi(z) (w^z - w_0) dz,
#
# because (H - z)^-1 (-grad F(w_0)) = w^z - w_0 for w^z the minimiser of F - z |w - w_0|^2 / 2: ridge regression (T10)
# with an anchor of strength -z, which the fixed point of T8 predicts at complex z just as at real. The noise parts of
# two such heads have v'v' = Q(z, z'), so |v|^2 is a double sum over the same nodes.
#
# The contour goes around [0, L], L the top eigenvalue of H, and must stay where the filter does not grow: at the left
# end, within a distance of order 1/t of the spectrum, t = eta T / (1 - momentum) or the time of flow. On
#
#     z = L (1 - sn(t + i h, k)) / 2,     -K < t < 3K,     h of the order of K' / 4,
#
# nodes equally spaced in t crowd where the gap is narrow, and the trapezoidal rule converges geometrically in their
# number; the number needed grows with log T, not with T. Sources: Hale, Higham & Trefethen (SIAM J. Numer. Anal. 46,
# 2008) for the map; Polyak (1964) for the momentum.


Complex = NDArray[np.complex128]

TOLERANCE = 1e-9  # between the heads of a number of nodes and of twice it, relative to the largest
GROWTH = 3.0  # the filters stay below about e^GROWTH on the outer edge of the strip around the contour
WIDEST = 0.5  # largest -log(k) / 2; short descents need no wider contour
ACCURACY = 23.0  # the first number of nodes leaves an error of e^-ACCURACY, up to a factor
MOST_NODES = 2048  # on the half of the contour that is computed; a double sum takes 0.4 GB then
NEWTON_STEPS = 30
CLOSE = 1e-13  # last step of Newton's method, relative to V: convergence is quadratic, so what follows is rounding
TINY = 1e-300
SHORTEST = 1e-6  # part of the way between two nodes that is given up on


class DescentPath(NamedTuple):
    """Heads along a descent.

    Attributes:
        heads: `Head` with leading axis (S,), one a recorded step or time; nan without a status that is `ok`.
        certificate: largest change of u, b, |v|^2 or q^2 as the nodes were doubled, relative to the largest of them.
        nodes: number of nodes on half the contour.
        largest_stable_step: 2 (1 + momentum) / top eigenvalue of H; inf for flow.
        status: FINISHED; DIVERGED above the largest stable step; NO_PREDICTION where momentum so close to one would
            take more than `MOST_NODES` nodes; NOT_CONVERGED where doubling the nodes did not reach `TOLERANCE`.
    """

    heads: Head
    certificate: float
    nodes: int
    largest_stable_step: float
    status: Status


def descent_path(
    problem: ProportionalProblem,
    steps: Sequence[int],
    step_size: float,
    *,
    momentum: float = 0.0,
    start: ArrayLike | None = None,
) -> DescentPath:
    """Heads after each of `steps` (S,) full-batch steps on the squared loss, whatever loss `problem` has (T14).

    `start` (k + 1,) is the head (u, b) descended from, without noise weights, by default zero. Noise weights v_0 that
    are independent of the sample, as those of a head fitted on another one, are a coordinate of the signal: v_0.z /
    |v_0| with mean 0, variance sigma_g^2 in group g and start |v_0|; this needs isotropic noise. `momentum` is in
    [0, 1).

    >>> from llrsim.model.losses import Loss
    >>> from llrsim.model.mixture import GroupMixture
    >>> toy = GroupMixture.of(means=[[-1.0], [-1.0], [1.0], [1.0]], covariances=[[1.0]], noise_dim=50)
    >>> problem = ProportionalProblem.of(toy, Loss.SQUARED, counts=[40, 10, 10, 40], ridge=0.1)
    >>> path = descent_path(problem, [0, 10, 1000], step_size=0.2)
    >>> path.heads.signal[:, 0].round(6).tolist()
    [0.0, 0.430217, 0.459947]
    """
    stable = largest_stable_step(problem, momentum)
    recorded = np.asarray(steps)
    if step_size > stable:
        return _without_heads(problem, len(recorded), stable, Status.DIVERGED)
    # Heavy ball is stable where 1 + momentum - eta z is in an ellipse of this ratio of axes, from z = 0 to the largest
    # stable curvature. An arc over only the part below the top eigenvalue may rise more steeply.
    flatness = (1.0 - momentum) / (1.0 + momentum) * sqrt(stable / step_size)
    reach = step_size * float(recorded.max(initial=1)) / (1.0 - momentum)
    filters = partial(descent_filters, steps=recorded, step_size=step_size, momentum=momentum)
    contour = _Contour.of(2.0 * (1.0 + momentum) / stable, reach, min(flatness, 1.0))
    return _path(problem, start, filters, contour, stable)


def flow_path(problem: ProportionalProblem, times: ArrayLike, *, start: ArrayLike | None = None) -> DescentPath:
    """Heads of gradient flow at each of `times` (S,) >= 0: `descent_path` as step_size -> 0, steps = time / step_size.

    >>> from llrsim.model.losses import Loss
    >>> from llrsim.model.mixture import GroupMixture
    >>> toy = GroupMixture.of(means=[[-1.0], [-1.0], [1.0], [1.0]], covariances=[[1.0]], noise_dim=50)
    >>> problem = ProportionalProblem.of(toy, Loss.SQUARED, counts=[40, 10, 10, 40], ridge=0.1)
    >>> flow_path(problem, [0.0, 2.0, 200.0]).heads.signal[:, 0].round(6).tolist()
    [0.0, 0.425493, 0.459947]
    """
    t = np.asarray(times, dtype=np.float64)
    contour = _Contour.of(top_eigenvalue(problem), float(t.max(initial=0.0)), 1.0)
    return _path(problem, start, partial(flow_filters, times=t), contour, inf)


def descent_filters(z: Complex, steps: ArrayLike, step_size: float, momentum: float = 0.0) -> Complex:
    """(S, M) phi_T(z) of T14 with heavy ball, for each T of `steps` (S,) and z (M,) not 0 and not a double root's.

    (1 - psi_T) / z, with r_1, r_2 the roots of r^2 - (1 + momentum - eta z) r + momentum and
    psi_T = (r_1^(T+1) (1 - r_2) - r_2^(T+1) (1 - r_1)) / (r_1 - r_2), which is (1 - eta z)^T without momentum.

    >>> descent_filters(np.array([0.5 + 0j, 1.5]), [2], step_size=1.0).real.round(12).tolist()
    [[1.5, 0.5]]
    """
    power = np.asarray(steps) + 1
    middle = 0.5 * (1.0 + momentum - step_size * z)
    gap = np.sqrt(middle * middle - momentum)
    # A root is 0 where there is no momentum, and has a logarithm all the same.
    first, second = (np.exp(np.multiply.outer(power, np.log(root + TINY))) for root in (middle + gap, middle - gap))
    left = (first * (1.0 - middle + gap) - second * (1.0 - middle - gap)) / (2.0 * gap)
    return (power > 1)[:, None] * (1.0 - left) / z  # no steps do nothing, rounding included


def flow_filters(z: Complex, times: Array) -> Complex:
    """(S, M) (1 - e^(-tz)) / z of T14 for each t of `times` (S,) and z != 0 (M,)."""
    return -np.expm1(-np.multiply.outer(times, z)) / z


def best_step(steps: ArrayLike, heads: Head, wga: Callable[[Head], Array]) -> tuple[int, float]:
    """The recorded step at which worst-group accuracy is largest, the first of several, and its value.

    `wga` maps the heads of a path (S,) to worst-group accuracies (S,), for instance by `read_out` on the test law. Only
    the `steps` (S,) of that path are looked at: the best of all counts takes a path with every step on it.
    """
    values = np.asarray(wga(heads))
    best = int(values.argmax())
    return int(np.asarray(steps)[best]), float(values[best])


class _Nodes(NamedTuple):
    """The half of a contour above the real axis: nodes z (M,), left to right, and dz / (2 pi i) at each; `tip` < 0."""

    tip: float
    z: Complex
    measure: Complex


class _Contour(NamedTuple):
    """A contour around [0, length]: quarter-period K(k), complement 1 - k^2, and h, the Im t that it keeps."""

    length: float
    quarter: float
    complement: float
    height: float

    @classmethod
    def of(cls, length: float, reach: float, flatness: float) -> _Contour:
        """For filters that grow like e^(reach |z|) left of 0 and stay bounded below an arc from 0 to `length`.

        `flatness` <= 1 is the height of the arc over half its length. With k near 1 the line Im t = 2 h is mapped to
        that arc, but for ends that leave the interval by `length` decay sin^2(2 h), decay = -log(k) / 2; the
        trapezoidal rule's line is midway.
        """
        decay = min(GROWTH * (1.0 + flatness**-2) / (reach * length), WIDEST) if reach * length > 0.0 else WIDEST
        complement = -expm1(-4.0 * decay)
        return cls(length or 1.0, ellipkm1(complement), complement, ellipk(complement) * atan(flatness) / pi)

    @property
    def enough(self) -> int:
        """Nodes on half the contour that leave an error of about e^-ACCURACY: on either side is a strip of width h."""
        return ceil(ACCURACY * self.quarter / (pi * self.height))

    def nodes(self, count: int) -> _Nodes:
        """`count` nodes, by Jacobi's functions of t - i h from those of t and, at the complementary parameter, of h."""
        spacing = 2.0 * self.quarter / count
        t = self.quarter - spacing * (np.arange(count + 1) - 0.5)
        t[0] = self.quarter
        k2 = 1.0 - self.complement
        sn, cn, dn, _ = ellipj(t, k2)
        sn_, cn_, dn_, _ = ellipj(self.height, self.complement)
        below = cn_**2 + k2 * (sn * sn_) ** 2
        z = 0.5 * self.length * (1.0 - (sn * dn_ - 1j * cn * dn * sn_ * cn_) / below)
        slope = (cn * cn_ + 1j * sn * dn * sn_ * dn_) * (dn * cn_ * dn_ + 1j * k2 * sn * cn * sn_) / below**2
        return _Nodes(float(z[0].real), z[1:], 0.5 * self.length * spacing / (2j * pi) * slope[1:])


def _path(
    problem: ProportionalProblem,
    start: ArrayLike | None,
    filters: Callable[[Complex], Complex],
    contour: _Contour,
    stable: float,
) -> DescentPath:
    """The heads, with the contour's number of nodes doubled once, and what that changed."""
    origin = np.zeros(len(problem.centre)) if start is None else np.asarray(start, dtype=np.float64)
    count = contour.enough
    if 2 * count > MOST_NODES:
        return _without_heads(problem, len(filters(np.ones(1, dtype=np.complex128))), stable, Status.NO_PREDICTION)
    rough, exact = (_sum(problem, origin, nodes, filters(nodes.z)) for nodes in map(contour.nodes, (count, 2 * count)))
    certificate = float(np.abs(exact - rough).max(initial=0.0) / (np.abs(exact).max(initial=0.0) or 1.0))
    if not certificate <= TOLERANCE:
        return _without_heads(problem, len(exact), stable, Status.NOT_CONVERGED)._replace(certificate=certificate)
    norm, spread = np.sqrt(np.maximum(exact[:, -2:].T, 0.0))  # rounding makes the zero of step 0 negative
    return DescentPath(Head(exact[:, :-3], exact[:, -3], norm, spread), certificate, 2 * count, stable, Status.FINISHED)


def _sum(problem: ProportionalProblem, origin: Array, nodes: _Nodes, filters: Complex) -> Array:
    """(S, k + 3) u, b, |v|^2 and q^2, from the filters (S, M) at the nodes."""
    pi_g, sigma, y, e = problem.shares, problem.noise_std, problem.labels, problem.eigenvalues
    groups, k = problem.means.shape
    filters = filters * nodes.measure
    a = problem.ridge + problem.anchor - nodes.z
    V = np.empty(len(a), dtype=np.complex128)
    follow(problem, a, problem.ridge + problem.anchor - nodes.tip, V)
    pull = problem.weights / (1.0 + np.multiply.outer(V, problem.weights * sigma**2))
    points, _ = design(problem)
    weights = pi_g * pull
    target = weights @ (y[:, None] * points) + problem.anchor * problem.centre - np.multiply.outer(nodes.z, origin)
    theta = np.linalg.solve(normal_matrix(problem, weights, nodes.z), target[..., None])[..., 0]
    residual = y - theta @ points.T

    def factor(along: NDArray, scale: NDArray) -> NDArray:
        """(M, G (1 + k)) what z, or z', gives to sum_g (r_g r_g' + u'S_g u') times a scale (M, G)."""
        return (np.concatenate([residual[:, :, None], along], axis=2) * scale[:, :, None]).reshape(len(a), -1)

    left = factor(np.einsum("mi,gij->mgj", theta[:, :k], problem.covariances), weights * sigma**2)
    right = factor(np.repeat(theta[:, None, :k], groups, axis=1), pull)
    spectrum = 1.0 / (a[:, None] + np.multiply.outer(weights @ sigma**2, e))
    traced = [spectrum * (problem.ratio * problem.eigenvalue_shares * e**power) for power in (1, 2)]
    sums = np.zeros((2, len(filters)))
    # Nodes below the axis are the conjugates: first the pairs of two nodes on one side, then those across.
    for partner in (np.asarray, np.conj):
        norm, spread = (part @ partner(spectrum).T for part in traced)
        forcing = left @ partner(right).T / (1.0 - spread * ((weights * sigma**4) @ partner(pull).T))
        for total, trace in zip(sums, (norm, spread), strict=True):
            total += 2.0 * ((filters @ (trace * forcing)) * partner(filters)).sum(axis=1).real
    moved = 2.0 * (filters @ (theta - origin)).real
    return np.column_stack([origin + moved, *sums])


def _without_heads(problem: ProportionalProblem, count: int, stable: float, status: Status) -> DescentPath:
    nowhere = np.full(count, nan)
    heads = Head(np.full((count, len(problem.centre) - 1), nan), nowhere, nowhere, nowhere)
    return DescentPath(heads, nan, 0, stable, status)


@kernel
def follow(problem, strengths, tip, responses):
    """Writes V at a = `strengths` (M,), complex, to `responses` (M,), nan where Newton lost it.

    From V > 0 at the real a = `tip` > 0 it is followed from node to node, in shorter steps where they are too long. A
    root with Im V > 0 at Im a < 0 is the only one (Silverstein & Choi 1995, isotropic noise): it has that sign.
    """
    at, V = complex(tip), complex(solve_response(problem, tip))
    for m in range(strengths.size):
        done, part = 0.0, 1.0
        while done < 1.0 and part >= SHORTEST:
            goal = min(done + part, 1.0)
            found, good = _newton(problem, at + goal * (strengths[m] - at), V)
            if good:
                V, done = found, goal
            else:
                part *= 0.5
        if done < 1.0:
            V = complex(nan)
        at = strengths[m]
        responses[m] = V


@private
def _newton(problem, strength, V):
    """The root near V and whether Newton arrived at it, with the sign that it must have."""
    if V == 0.0:  # noise without variance
        return V, True
    for _ in range(NEWTON_STEPS):
        value, slope = imbalance(problem, strength, V)
        step = value / slope
        V -= step
        if abs(step) <= CLOSE * abs(V):
            return V, V.imag > 0.0
    return V, False


# Hessian of weighted least squares in the proportional limit: its top eigenvalue and the largest stable step (T14).


BRACKET = 1e-12  # widens brackets whose ends may be roots


def largest_stable_step(problem: ProportionalProblem, momentum: float = 0.0) -> float:
    """2 (1 + momentum) / top eigenvalue of the sample's Hessian: a larger step size diverges (Polyak 1964)."""
    top = top_eigenvalue(problem)
    return 2.0 * (1.0 + momentum) / top if top > 0.0 else inf


def top_eigenvalue(problem: ProportionalProblem) -> float:
    """The largest eigenvalue of the Hessian H of the squared-loss objective, from a large sample.

    It is the upper edge of the bulk that the noise makes, or an eigenvalue above it that the signal does. Right of the
    bulk, z is an increasing function of V < 0; at the edge its derivative is zero (Silverstein & Choi 1995). There
    the resolvent on (u, b) is the inverse of a matrix M(z) that falls with z, so an eigenvalue lies where the largest
    one of M crosses zero.
    """
    strength = problem.ridge + problem.anchor
    scale = problem.weights * problem.noise_std**2
    kept = (problem.eigenvalues > 0.0) & (problem.eigenvalue_shares > 0.0)
    e, parts = problem.eigenvalues[kept], problem.eigenvalue_shares[kept] * problem.ratio
    heaviest = float(scale.max())
    if heaviest == 0.0 or not len(e):
        return max(strength, _largest(problem, 0.0, 0.0))

    ratios = e.max() / e

    def pulls(s: float) -> tuple[float, float, Array]:
        """V = -s / (largest om sigma^2), y = a V, and x_j = y / e_j + rho > 0, where rho = V nu < 0."""
        V = -s / heaviest
        rho = float(problem.shares @ (scale * V / (1.0 + scale * V)))

        def harmonic(x: float) -> Array:
            """All x_j from that of the largest eigenvalue, as sums of positive numbers."""
            return x * ratios - rho * (ratios - 1.0)

        # Between what the largest eigenvalue alone would give and what all would give if they were as large.
        low, high = float(parts[ratios == 1.0].sum()), float(parts.sum())
        low, high = low * (1.0 - BRACKET), high * (1.0 + BRACKET)
        x = brentq(lambda x: float(parts @ (1.0 / harmonic(x))) - 1.0, low, high, xtol=1e-300, rtol=1e-14)
        return V, float(e.max()) * (x - rho), harmonic(x)

    def steepness(s: float) -> float:
        """dz/dV, up to a factor that is negative for V < 0: it rises from -1 at V = 0 through its one zero."""
        V, _, x = pulls(s)
        share = scale * V / (1.0 + scale * V)
        return float(parts @ x**-2.0) * float(problem.shares @ share**2) - 1.0

    edge = brentq(steepness, 0.0, 1.0 - 1e-12, xtol=1e-14)
    V, y, _ = pulls(edge)
    bulk = strength - y / V

    def height(s: float) -> float:
        V, y, _ = pulls(s)
        return _largest(problem, V, strength - y / V)

    if height(edge) <= 0.0:
        return max(strength, bulk)
    low = edge
    while height(low) > 0.0:
        low *= 0.5
    V, y, _ = pulls(brentq(height, low, edge, xtol=1e-15, rtol=1e-14))
    return strength - y / V


def _largest(problem: ProportionalProblem, V: float, z: float) -> float:
    """The largest eigenvalue of M(z), whose inverse is the resolvent on (u, b)."""
    weights = problem.shares * problem.weights / (1.0 + problem.weights * problem.noise_std**2 * V)
    return float(np.linalg.eigvalsh(normal_matrix(problem, weights, z))[-1])


def design(problem: ProportionalProblem) -> tuple[Array, Array]:
    """Rows m~_g = (m_g, 1), (G, k + 1), and second moments m~_g m~_g' + S_g, (G, k + 1, k + 1), of a group's (s, 1)."""
    groups, k = problem.means.shape
    points = np.column_stack([problem.means, np.ones(groups)])
    moments = points[:, :, None] * points[:, None, :]
    moments[:, :k, :k] += problem.covariances
    return points, moments


def normal_matrix(problem: ProportionalProblem, weights: NDArray, z: ArrayLike) -> NDArray:
    """M(z) = sum_g c_g (m~_g m~_g' + S_g) + diag(a, .., a, anchor) - z, a = ridge + anchor; (..., k + 1, k + 1).

    `weights` are c_g (..., G) and z (...), both real or complex.
    """
    _, moments = design(problem)
    k = problem.means.shape[1]
    penalty = np.diag(np.append(np.full(k, problem.ridge), 0.0) + problem.anchor)
    return np.tensordot(weights, moments, axes=1) + penalty - np.multiply.outer(z, np.eye(k + 1))


# Online SGD on weighted least squares: one fresh row a step, in the limit d -> infinity at time t = steps / d (T15).
#
# A step is w += (eta/d) [om_g (y - f) x - ridge w - anchor (w - centre)], the bias without ridge. With p_g = pi_g om_g,
# r_g = y_g - u.m_g - b and Q_j the part of |v|^2 in the eigenspace of e_j, so that q^2 = sum_j e_j Q_j:
#
#     du/dt   = eta [ sum_g p_g (r_g m_g - S_g u) - ridge u - anchor (u - u0) ]
#     db/dt   = eta [ sum_g p_g r_g - anchor (b - b0) ]
#     dQ_j/dt = -2 eta (e_j sum_g p_g sigma_g^2 + ridge + anchor) Q_j
#               + eta^2 s_j e_j sum_g P_g sigma_g^2 (r_g^2 + u'S_g u + sigma_g^2 q^2),     P_g = p_g om_g.
#
# Linear in (u, b), and in Q given those: solved in eigenvectors, with no step in time. A run is O(1/sqrt d) away. The
# setting is that of Jain et al. (2405.18296), who take a teacher for the labels.


class OnlinePath(NamedTuple):
    """Heads along online SGD.

    Attributes:
        heads: `Head` with leading axis (S,), one a time; nan where DIVERGED.
        largest_stable_step: the eta above which the noise norm grows without bound; inf without noise.
        status: FINISHED, or DIVERGED from the largest stable step on.
    """

    heads: Head
    largest_stable_step: float
    status: Status


def online_path(
    problem: ProportionalProblem,
    times: ArrayLike,
    step_size: float,
    *,
    draw: Literal["weights", "mass"] = "weights",
    start: ArrayLike | None = None,
    noise_norm: float = 0.0,
) -> OnlinePath:
    """Heads after times t = steps / d, `times` (S,) >= 0, at step eta/d, eta = `step_size`, on the squared loss (T15).

    `draw`: "weights" draws a row's group with probability pi_g and weights it by om_g; "mass" draws it with probability
    p_g = pi_g om_g and does not weight it (but by sum p_g, if that is not one). Both have the same drift; "mass" has
    less noise, P_g = p_g. `start` (k + 1,) is the first head (u, b), by default zero, and `noise_norm` the length of
    its noise weights, in a direction drawn uniformly. Steps of size s on batches of B rows, B much less than d, are
    eta = s d / B at t = steps B / d. The problem's ratio d/n is not used: there is no sample.

    >>> from llrsim.model.losses import Loss
    >>> from llrsim.model.mixture import GroupMixture
    >>> toy = GroupMixture.of(means=[[-1.0], [-1.0], [1.0], [1.0]], covariances=[[1.0]], noise_dim=50)
    >>> problem = ProportionalProblem.of(toy, Loss.SQUARED, counts=[40, 10, 10, 40])
    >>> path = online_path(problem, [0.0, 1.0, 1000.0], step_size=0.5)
    >>> path.heads.signal[:, 0].round(6).tolist(), path.heads.noise_spread.round(6).tolist()
    ([0.0, 0.31606, 0.5], [0.0, 0.348772, 0.408248])
    """
    t = np.asarray(times, dtype=np.float64)
    shares, k = problem.shares, problem.means.shape[1]
    mass = shares * problem.weights
    noise_mass = mass * (problem.weights if draw == "weights" else mass.sum())
    variances, e, parts = problem.noise_std**2, problem.eigenvalues, problem.eigenvalue_shares
    decay = e * (mass @ variances) + problem.ridge + problem.anchor
    feedback = float(noise_mass @ variances**2)
    active = e > 0.0
    total = feedback * float(parts[active] @ (e[active] ** 2 / decay[active]))
    stable = 2.0 / total if total > 0.0 else inf
    if step_size >= stable:
        nowhere = np.full(len(t), nan)
        return OnlinePath(Head(np.full((len(t), k), nan), nowhere, nowhere, nowhere), stable, Status.DIVERGED)

    points, moments = design(problem)
    curvature = normal_matrix(problem, mass, 0.0)
    target = mass @ (problem.labels[:, None] * points) + problem.anchor * problem.centre
    origin = np.zeros(k + 1) if start is None else np.asarray(start, dtype=np.float64)
    eigenvalues, vectors = np.linalg.eigh(curvature)
    eigenvalues, vectors = (part[..., eigenvalues > ROUNDING * eigenvalues[-1]] for part in (eigenvalues, vectors))
    rates = step_size * eigenvalues
    way = vectors * ((vectors.T @ (curvature @ origin - target)) / eigenvalues)
    end = origin - way.sum(axis=1)
    theta = end + np.exp(-np.multiply.outer(t, rates)) @ way.T

    # sum_g P_g sigma_g^2 (r_g^2 + u'S_g u) is quadratic in the head, so a double sum over the modes of its motion, of
    # which the first is where it ends.
    weight, rates, way = noise_mass * variances, np.append(0.0, rates), np.column_stack([end, way])
    force = way.T @ np.tensordot(weight, moments, axes=1) @ way
    linear = way.T @ ((weight * problem.labels) @ points)
    force[0] -= linear
    force[:, 0] -= linear
    force[0, 0] += weight.sum()
    # In x_j = Q_j / sqrt(s_j) the feedback is symmetric and has orthogonal modes.
    root = np.sqrt(parts)
    decays, modes = np.linalg.eigh(
        2.0 * step_size * np.diag(decay) - step_size**2 * feedback * np.outer(root * e, root * e)
    )
    response = _convolution(decays[:, None, None], np.add.outer(rates, rates), t[:, None, None, None])
    driven = (response * force).sum(axis=(-2, -1)) * (step_size**2 * (modes.T @ (root * e)))
    free = np.exp(-np.multiply.outer(t, decays)) * (noise_norm**2 * (modes.T @ root))
    noise = (driven + free) @ modes.T * root
    norm, spread = (np.sqrt(np.maximum(noise @ scale, 0.0)) for scale in (np.ones_like(e), e))
    return OnlinePath(Head(theta[:, :k], theta[:, k], norm, spread), stable, Status.FINISHED)


def _convolution(first: Array, second: Array, t: Array) -> Array:
    """(e^(-at) - e^(-bt)) / (b - a), the convolution of the two exponentials; t e^(-at) where a = b."""
    gap = np.abs(first - second)
    rise = np.divide(
        -np.expm1(-gap * t),
        gap,
        out=np.broadcast_to(t, np.broadcast_shapes(t.shape, gap.shape)).copy(),
        where=gap > 0.0,
    )
    return np.exp(-np.minimum(first, second) * t) * rise
