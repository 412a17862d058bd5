"""The separability threshold (T12) against adaptive quadrature, linear programs on drawn samples, and known values.

no signal, balanced classes: 2 (Cover)      one class, or collapse onto separate points: inf
the same for any loss, penalty, positive weights and margins; a spectrum counts by its positive part
"""

from math import inf, sqrt

import naive_proportional as naive
import numpy as np
import pytest
from scipy.optimize import linprog, minimize

from llrsim.model.losses import Loss
from llrsim.model.mixture import GroupMixture
from llrsim.prediction.problem import ProportionalProblem
from llrsim.prediction.separability import separable, shortfall, threshold

QUAD, MEANS = 1e-9, np.array([[-1.4, -1.2], [-1.4, 1.2], [1.4, -1.2], [1.4, 1.2]])


def problem(*, counts=(36, 4, 4, 36), collapse=1.0, **law):
    mixture = GroupMixture.of(
        **{"means": MEANS, "covariances": collapse**2 * np.eye(2), "noise_std": collapse, "noise_dim": 40} | law
    )
    return ProportionalProblem.of(mixture, Loss.LOGISTIC, counts=counts)


def uneven(seed):
    """Four groups with random means, covariances, noise scales and counts."""
    rng = np.random.default_rng(seed)
    factors = rng.standard_normal((4, 2, 2))
    return problem(
        counts=rng.integers(5, 60, 4),
        means=rng.standard_normal((4, 2)),
        covariances=factors @ factors.transpose(0, 2, 1),
        noise_std=np.exp(0.5 * rng.standard_normal(4)),
    )


def naive_shortfall(case, theta):
    u, b = theta[:-1], theta[-1]
    total = 0.0
    for pi, y, m, S, sigma in zip(case.shares, case.labels, case.means, case.covariances, case.noise_std, strict=True):
        spread, mean = sqrt(1 + u @ S @ u / sigma**2), -y * (u @ m + b) / sigma
        total += pi * naive.expectation(lambda a: max(a, 0.0) ** 2, mean, spread, (0.0,))
    return total


@pytest.mark.parametrize("k", [0, 1, 3])
def test_noise_alone_gives_covers_two(k):
    noise = {"means": np.zeros((4, k)), "covariances": np.eye(k)}
    assert threshold(problem(counts=[5, 5, 5, 5], **noise)).threshold == pytest.approx(2.0, rel=1e-12)
    scaled = problem(counts=[5, 5, 5, 5], noise_std=[0.3, 2.0, 0.3, 2.0], **noise)
    assert threshold(scaled).threshold == pytest.approx(2.0, rel=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_matches_a_generic_minimiser_on_quadrature(seed):
    case = uneven(seed)
    found = threshold(case)
    twin = minimize(lambda theta: naive_shortfall(case, theta), np.zeros(3), method="BFGS", options={"gtol": 1e-8})
    assert 1 / found.threshold == pytest.approx(twin.fun, rel=QUAD)
    np.testing.assert_allclose([*found.signal, found.bias], twin.x, atol=1e-5)
    assert found.certificate < 1e-12


@pytest.mark.parametrize(("collapse", "value"), [(1.0, 8.915648479), (0.5, 268.617337), (0.2, 4.94319e11)])
def test_collapse_raises_the_threshold_fast(collapse, value):
    case = problem(collapse=collapse)
    found = threshold(case)
    assert found.threshold == pytest.approx(value, rel=1e-5)
    # Stationary, for a function that quadrature knows to nine digits.
    theta = np.append(found.signal, found.bias)
    assert naive_shortfall(case, theta) * found.threshold == pytest.approx(1.0, rel=1e-8)
    for direction in np.vstack([np.eye(3), -np.eye(3)]):
        assert naive_shortfall(case, theta + 1e-2 * direction) * found.threshold > 1.0


@pytest.mark.parametrize(
    "case",
    [
        problem(collapse=0.1),
        problem(collapse=1e-5),
        problem(collapse=0.0),
        problem(counts=[0, 0, 9, 9]),
        problem(counts=[9, 0, 0, 0]),
        problem(means=1e6 * MEANS),
    ],
    ids=["collapse", "strong collapse", "full collapse", "two groups of one class", "one group", "large means"],
)
def test_always_separable(case):
    assert threshold(case).threshold == inf
    assert separable(case._replace(ratio=1e-9))


def test_full_collapse_onto_overlapping_points_is_never_separable_without_noise():
    assert threshold(problem(collapse=0.0, means=np.zeros((4, 2)))).threshold == 0.0


def test_is_a_property_of_the_rows_alone():
    case = uneven(7)
    rng = np.random.default_rng(0)
    other = case._replace(
        loss=int(Loss.HINGE), weights=rng.random(4), margins=rng.random(4), ridge=3.0, anchor=1.0, ratio=0.1
    )
    assert threshold(other).threshold == threshold(case).threshold


def test_does_not_depend_on_coordinates():
    """Shifted, stretched, duplicated and empty signal coordinates; coordinates in which the noise vanishes."""
    case = problem()
    plain = threshold(case).threshold
    assert threshold(case._replace(means=1e-6 * MEANS, covariances=1e-12 * case.covariances)).threshold == (
        pytest.approx(plain, rel=1e-9)
    )
    assert threshold(case._replace(means=MEANS + 1e4)).threshold == pytest.approx(plain, rel=1e-6)
    repeat = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
    wider = case._replace(means=MEANS @ repeat.T, covariances=repeat @ case.covariances @ repeat.T)
    assert threshold(wider).threshold == pytest.approx(plain, rel=1e-9)
    spectrum = {"eigenvalues": np.array([0.0, 0.2, 3.0]), "eigenvalue_shares": np.array([0.25, 0.5, 0.25])}
    assert threshold(case._replace(**spectrum)).threshold == pytest.approx(0.75 * plain, rel=1e-12)


def test_rows_of_weight_zero_do_not_count():
    case = problem(counts=[30, 10, 10, 30])
    halved = threshold(case._replace(weights=np.array([1.0, 0.0, 0.0, 1.0]))).threshold
    alone = threshold(problem(counts=[30, 0, 0, 30])).threshold
    assert halved == pytest.approx(alone / 0.75, rel=1e-12)


def test_derivatives_of_the_shortfall():
    case = uneven(3)._replace(margins=np.array([1.0, 2.0, 0.5, 1.5]))
    theta, h = np.array([0.4, -0.3, 0.2, 0.8]), 1e-5

    def expand(at):
        gradient, hessian = np.empty(4), np.empty((4, 4))
        return shortfall(case, at, 0.7, gradient, hessian), gradient, hessian

    _, gradient, hessian = expand(theta)
    for i in range(4):
        ahead, behind = expand(theta + h * np.eye(4)[i]), expand(theta - h * np.eye(4)[i])
        assert (ahead[0] - behind[0]) / (2 * h) == pytest.approx(gradient[i], rel=1e-7)
        np.testing.assert_allclose((ahead[1] - behind[1]) / (2 * h), hessian[i], rtol=1e-6)


def separable_by_linear_program(case, d, n, seed):
    """Whether rows drawn from the groups, in d noise coordinates, are separable."""
    rng = np.random.default_rng(seed)
    group = rng.choice(len(case.shares), size=n, p=case.shares)
    factors = np.linalg.cholesky(case.covariances)
    signal = case.means[group] + np.einsum("nij,nj->ni", factors[group], rng.standard_normal((n, 2)))
    noise = case.noise_std[group, None] * rng.standard_normal((n, d))
    rows = case.labels[group, None] * np.column_stack([signal, noise, np.ones(n)])
    outcome = linprog(np.zeros(d + 3), A_ub=-rows, b_ub=-np.ones(n), bounds=(None, None), method="highs")
    return outcome.status == 0


@pytest.mark.parametrize(("d", "draws"), [(60, 3), pytest.param(200, 10, marks=pytest.mark.slow)])
def test_linear_programs_find_the_transition(d, draws):
    case = uneven(1)
    alpha = threshold(case).threshold
    below = [separable_by_linear_program(case, d, round(0.6 * alpha * d), seed) for seed in range(draws)]
    above = [separable_by_linear_program(case, d, round(1.5 * alpha * d), seed) for seed in range(draws)]
    assert all(below)
    assert not any(above)
    assert separable(case._replace(ratio=1 / (0.999 * alpha)))
    assert not separable(case._replace(ratio=1 / (1.001 * alpha)))
