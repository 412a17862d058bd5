"""The max-margin program (T11) against the hard channel of T8, quadratic programs on drawn samples, and T13's shift."""

import clarabel
import naive_proportional as naive
import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.sparse import csc_matrix, diags
from scipy.stats import norm

from llrsim.model.losses import Loss, Status
from llrsim.model.mixture import GroupMixture
from llrsim.prediction.max_margin import max_margin
from llrsim.prediction.problem import ProportionalProblem
from llrsim.prediction.separability import threshold

MEANS = np.array([[-1.4, -1.2], [-1.4, 1.2], [1.4, -1.2], [1.4, 1.2]])
COVARIANCES = np.array([np.eye(2), 0.5 * np.eye(2), [[1.0, 0.3], [0.3, 0.6]], np.diag([0.2, 2.0])])
SPECTRUM = {"eigenvalues": np.array([0.1, 1.0, 4.0]), "eigenvalue_shares": np.array([0.2, 0.5, 0.3])}


def problem(margins=(1.0, 2.0, 1.5, 0.7), ratio=0.5, **changed):
    mixture = GroupMixture.of(means=MEANS, covariances=COVARIANCES, noise_std=[1.0, 0.5, 1.2, 0.9], noise_dim=40)
    case = ProportionalProblem.of(mixture, Loss.MAX_MARGIN, counts=[30, 6, 4, 40], margins=margins)
    return case._replace(ratio=ratio, **changed)


def twin(case):
    return naive.Problem(
        "max_margin",
        case.ratio,
        case.shares,
        case.weights,
        case.labels,
        case.means,
        case.covariances,
        case.noise_std,
        1.0,
        eigenvalues=case.eigenvalues,
        eigenvalue_shares=case.eigenvalue_shares,
        kappas=case.margins,
    )


def envelope(case, found):
    """(V, nu) of the hard channel: nu V = sum_g pi_g P(a < kappa_g), V = delta sum_j share_j e_j / (1 + nu e_j)."""
    active = 0.0
    for pi, y, m, S, sigma, kappa in zip(
        case.shares, case.labels, case.means, case.covariances, case.noise_std, case.margins, strict=True
    ):
        spread = np.sqrt(found.signal @ S @ found.signal + (sigma * found.noise_spread) ** 2)
        active += pi * norm.cdf((kappa - y * (found.signal @ m + found.bias)) / spread)
    e, share = case.eigenvalues, case.eigenvalue_shares
    log_V = brentq(lambda x: case.ratio * share @ (e / (np.exp(x) + active * e)) - 1.0, -60, 40, xtol=1e-14)
    return np.exp(log_V), active / np.exp(log_V)


@pytest.mark.parametrize("spectrum", [{}, SPECTRUM], ids=["isotropic", "spectrum"])
@pytest.mark.parametrize("load", [0.02, 0.3, 0.9, 0.99])
def test_is_a_root_of_the_hard_channel(load, spectrum):
    case = problem(**spectrum)
    case = case._replace(ratio=1.0 / (load * threshold(case).threshold))
    found = max_margin(case)
    assert found.status is Status.CONVERGED
    assert found.certificate < 1e-12
    V, nu = envelope(case, found)
    residual = naive.residual(twin(case), found.signal, found.bias, found.noise_spread, V)
    assert np.abs(residual).max() < 1e-9
    if not spectrum:
        assert V + nu * V == pytest.approx(case.ratio, rel=1e-9)  # V = delta - sum pi_g P(a < kappa_g)
    # |v|^2 differs from q^2 by one power of e_j.
    e, share = case.eigenvalues, case.eigenvalue_shares
    ratio = share @ (e / (1 + nu * e) ** 2) / (share @ (e / (1 + nu * e)) ** 2)
    assert found.noise_norm == pytest.approx(found.noise_spread * np.sqrt(ratio), rel=1e-9)
    assert found.margin == pytest.approx(1 / np.sqrt(found.signal @ found.signal + found.noise_norm**2), rel=1e-12)


def test_matches_a_generic_root_finder():
    case = problem(ratio=1.0)
    found, expected = max_margin(case), naive.solve(twin(case))
    np.testing.assert_allclose(found.signal, expected["u"], atol=1e-9)
    assert [found.bias, found.noise_spread] == pytest.approx([expected["b"], expected["q"]], abs=1e-9)


@pytest.mark.parametrize("collapse", [1.0, 0.2, 0.05])
def test_margins_by_class_shift_the_bias(collapse):
    """T13: w = (k+ + k-)/2 w_1, b = (k+ + k-)/2 b_1 + (k+ - k-)/2, for unbalanced classes and groups too."""
    case = problem(margins=(1.0, 1.0, 1.0, 1.0), covariances=collapse**2 * COVARIANCES)
    plain = max_margin(case)
    above, below = 3.0, 0.4
    moved = max_margin(case._replace(margins=np.where(case.labels > 0, above, below)))
    half = (above + below) / 2
    np.testing.assert_allclose(moved.signal, half * plain.signal, rtol=1e-9)
    assert moved.noise_norm == pytest.approx(half * plain.noise_norm, rel=1e-9)
    assert moved.bias == pytest.approx(half * plain.bias + (above - below) / 2, rel=1e-9)


def test_scales_with_the_features():
    """Large means, and margins asked in other units: the head scales, and the solver does not mind."""
    case = problem()
    found = max_margin(case)
    scale = 1e4
    scaled = max_margin(case._replace(margins=scale * case.margins))
    np.testing.assert_allclose(scaled.signal, scale * found.signal, rtol=1e-9)
    far = case._replace(means=1e3 * MEANS)
    assert max_margin(far).certificate < 1e-9
    assert np.abs(naive.residual(twin(far), *_point(far))).max() < 1e-6


def _point(case):
    found = max_margin(case)
    return found.signal, found.bias, found.noise_spread, envelope(case, found)[0]


def test_weights_do_not_matter():
    case = problem()
    other = max_margin(case._replace(weights=np.array([0.1, 9.0, 3.0, 0.2])))
    np.testing.assert_array_equal(other.signal, max_margin(case).signal)


def test_heads_that_do_not_exist_are_named():
    case = problem()
    alpha = threshold(case).threshold
    assert max_margin(case._replace(ratio=1 / (1.001 * alpha))).status is Status.NOT_SEPARABLE
    assert max_margin(case._replace(ratio=1 / (0.999 * alpha))).status is Status.CONVERGED
    alone = max_margin(case._replace(labels=np.ones(4)))
    assert alone.status is Status.ONE_CLASS
    assert np.isnan(alone.signal).all()
    assert np.isnan([alone.bias, alone.noise_norm, alone.margin, alone.certificate]).all()


@pytest.mark.parametrize("noise_std", [np.ones(4), np.zeros(4)], ids=["many rows", "no noise"])
def test_noise_weights_that_vanish_are_named(noise_std):
    """Groups that are points: beyond two rows a coordinate the noise can only hurt, and q = 0."""
    case = problem(ratio=0.01, covariances=0.0 * COVARIANCES, noise_std=noise_std)
    assert max_margin(case).status is Status.NOT_CONVERGED


def hard_margin(case, d, seed):
    """(u, b, log q) of the exact head on one draw with fixed group counts."""
    rng = np.random.default_rng(seed)
    counts = np.round(case.shares * d / case.ratio).astype(int)
    group = np.repeat(np.arange(4), counts)
    n = len(group)
    factors = np.linalg.cholesky(case.covariances)
    signal = case.means[group] + np.einsum("nij,nj->ni", factors[group], rng.standard_normal((n, 2)))
    scales = np.sqrt(np.repeat(case.eigenvalues, np.round(case.eigenvalue_shares * d).astype(int)))
    noise = case.noise_std[group, None] * scales * rng.standard_normal((n, d))
    rows = case.labels[group, None] * np.column_stack([signal, noise, np.ones(n)])
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    cost = csc_matrix(diags(np.append(np.ones(d + 2), 0.0)))
    solver = clarabel.DefaultSolver(
        cost, np.zeros(d + 3), csc_matrix(-rows), -case.margins[group], [clarabel.NonnegativeConeT(n)], settings
    )
    w = np.array(solver.solve().x)
    v = w[2:-1]
    return np.array([w[0], w[1], w[-1], np.log(np.linalg.norm(scales * v)), np.log(np.linalg.norm(v))])


@pytest.mark.parametrize("spectrum", [{}, SPECTRUM], ids=["isotropic", "spectrum"])
@pytest.mark.parametrize(("d", "draws"), [(160, 10), pytest.param(240, 40, marks=pytest.mark.slow)])
def test_quadratic_programs_on_drawn_rows(d, draws, spectrum):
    case = problem(ratio=0.8, **spectrum)
    heads = np.array([hard_margin(case, d, seed) for seed in range(draws)])
    found = max_margin(case)
    predicted = [*found.signal, found.bias, np.log(found.noise_spread), np.log(found.noise_norm)]
    error = heads.std(axis=0, ddof=1) / np.sqrt(draws)
    # Finite d shifts heads by O(1/d), of the order of one draw's spread over sqrt(d).
    assert (np.abs(heads.mean(axis=0) - predicted) < 4.5 * error + 2.0 / d).all()
