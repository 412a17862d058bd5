"""Moments of a loss of a Gaussian margin, and the Gaussian functions they rest on."""

import naive_population as naive
import numpy as np
import pytest
from scipy.stats import norm

from llrsim.model.gaussian import DENSITY_TABLE, cumulative, density, positive_part, squared_positive_part
from llrsim.model.losses import Loss
from llrsim.prediction.objective import expected_logistic, expected_loss, logistic_stride

QUAD = 1e-9
LAWS = [(-3.0, 0.2), (0.3, 0.7), (1.0, 1.0), (2.0, 3.0), (4.0, 9.0), (30.0, 20.0)]


@pytest.mark.parametrize("z", [-30.0, -8.0, -1.0, 0.0, 0.5, 8.0])
def test_cumulative_and_density_match_scipy_far_into_the_tail(z):
    assert cumulative(z) == pytest.approx(norm.cdf(z), rel=1e-12)
    assert density(z) == pytest.approx(norm.pdf(z), rel=1e-12)


@pytest.mark.parametrize(("c", "t"), [(-2.0, 0.5), (0.3, 1.0), (5.0, 2.0)])
def test_truncated_moments_match_quadrature(c, t):
    # The naive expectation splits at 0, where these kink.
    assert positive_part(c, t) == pytest.approx(naive.expectation(lambda m, x: max(m, 0), c, t), rel=QUAD)
    assert squared_positive_part(c, t) == pytest.approx(naive.expectation(lambda m, x: max(m, 0) ** 2, c, t), rel=QUAD)


@pytest.mark.parametrize(("mu", "t"), LAWS)
@pytest.mark.parametrize("loss", naive.LOSS)
def test_value_and_slope_match_quadrature(loss, mu, t):
    value, slope, curvature, _, _ = expected_loss(int(Loss[loss.upper()]), mu, t, DENSITY_TABLE)
    assert value == pytest.approx(naive.expectation(lambda m, x: naive.LOSS[loss](m), mu, t), rel=QUAD, abs=1e-12)
    assert slope == pytest.approx(naive.expectation(lambda m, x: naive.SLOPE[loss](m), mu, t), rel=QUAD, abs=1e-12)
    stein = naive.expectation(lambda m, x: naive.SLOPE[loss](m) * x, mu, t) / t
    assert curvature == pytest.approx(stein, rel=QUAD, abs=1e-12)


@pytest.mark.parametrize(("mu", "t"), LAWS)
@pytest.mark.parametrize("loss", naive.CURVATURE)
def test_curvature_moments_match_quadrature(loss, mu, t):
    moments = expected_loss(int(Loss[loss.upper()]), mu, t, DENSITY_TABLE)[2:]
    for power, moment in enumerate(moments):
        want = naive.expectation(lambda m, x, power=power: naive.CURVATURE[loss](m) * x**power, mu, t)
        assert moment == pytest.approx(want, rel=QUAD, abs=1e-12)


@pytest.mark.parametrize(("mu", "t"), LAWS)
def test_hinge_curvature_moments_are_those_of_a_point_mass(mu, t):
    # l'' is a point mass at m = 1, that is at G = z with density phi(z) / t.
    z = (1 - mu) / t
    want = [norm.pdf(z) / t * z**power for power in range(3)]
    assert expected_loss(int(Loss.HINGE), mu, t, DENSITY_TABLE)[2:] == pytest.approx(want, rel=1e-12)


@pytest.mark.parametrize("t", [0.0, 0.4, 1.0, 1.7, 6.0, 40.0])
@pytest.mark.parametrize("score", [0.0, 1.0, 4.0])
def test_twice_the_nodes_change_nothing(t, score):
    stride = logistic_stride(t)
    coarse = expected_logistic(score * t, t, DENSITY_TABLE, stride)
    fine = expected_logistic(score * t, t, DENSITY_TABLE, stride // 2)
    assert coarse == pytest.approx(fine, abs=1e-13)


def test_too_few_nodes_are_noticed():
    coarse = expected_logistic(2.0, 6.0, DENSITY_TABLE, 8 * logistic_stride(6.0))
    fine = expected_logistic(2.0, 6.0, DENSITY_TABLE, 4 * logistic_stride(6.0))
    assert np.abs(np.subtract(coarse, fine)).max() > 1e-8


def test_a_margin_without_spread_is_a_point():
    value, slope, *_ = expected_loss(int(Loss.LOGISTIC), 0.7, 0.0, DENSITY_TABLE)
    assert (value, slope) == pytest.approx((np.log1p(np.exp(-0.7)), -1 / (1 + np.exp(0.7))), abs=1e-14)
