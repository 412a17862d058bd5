"""NC3 and NC4: against their definitions, bivariate normal probabilities, and counting."""

from dataclasses import replace

import naive_neural_collapse as naive
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm
from test_neural_collapse import draw, general_mixture, orthogonal_mixture

from llrsim.model.duality import from_data, from_mixture
from llrsim.model.head import Head
from llrsim.model.neural_collapse import units_of_mixture


def full_weights(rng, mixture, head):
    """A weight vector with the head's summary: its noise part in a random direction."""
    noise = rng.normal(size=mixture.noise_dim)
    return np.concatenate([head.signal, head.noise_norm * noise / np.linalg.norm(noise)])


@pytest.mark.parametrize("level", ["class", "group"])
def test_nc3_of_a_mixture_equals_the_definition(level):
    rng = np.random.default_rng(2)
    mixture = general_mixture(rng)
    units = [0, 0, 1, 1] if level == "class" else [0, 1, 2, 3]
    means, _ = naive.mixture_moments(
        units, mixture.proportions, mixture.means, mixture.covariances, mixture.noise_std, mixture.spectrum
    )
    labels = [-1, 1] if level == "class" else [-1, -1, 1, 1]
    head = Head.of(rng.normal(size=3), 0.3, 0.7)
    expected = naive.duality(full_weights(rng, mixture, head), means, labels)
    assert from_mixture(head, mixture, level).nc3 == pytest.approx(expected, rel=1e-12)


def by_quadrature(a, c, r):
    """P(f and h differ in sign), standardised means a and c, correlation r, by integrating over h."""

    def density(x):
        return norm.pdf(x - c) * norm.cdf(-np.sign(x) * (a + r * (x - c)) / np.sqrt(1 - r * r))

    return sum(quad(density, *piece, epsabs=1e-13, epsrel=1e-12)[0] for piece in ((c - 12, 0), (0, c + 12)))


@pytest.mark.parametrize(
    ("u", "bias", "q"),
    [((1.0, 0.4), 0.2, 0.5), ((-1.0, 2.0), 0.0, 0.3), ((0.2, 1.0), -0.9, 0.0), ((1.0, 1.0), 5.0, 1.0)],
)
def test_nc4_of_a_mixture_equals_quadrature(u, bias, q):
    mixture = orthogonal_mixture(0.6).with_proportions([0.4, 0.1, 0.2, 0.3])
    lower, upper = units_of_mixture(mixture, "class").means
    direction, middle = upper - lower, (upper @ upper - lower @ lower) / 2
    head = Head.of(u, bias, q)
    expected = 0.0
    for g in range(4):
        covariance, mean = mixture.covariances[g], mixture.means[g]
        deviation_f = np.sqrt(head.signal @ covariance @ head.signal + (mixture.noise_std[g] * q) ** 2)
        deviation_h = np.sqrt(direction @ covariance @ direction)
        correlation = head.signal @ covariance @ direction / (deviation_f * deviation_h)
        expected += mixture.proportions[g] * by_quadrature(
            (head.signal @ mean + bias) / deviation_f, (direction @ mean - middle) / deviation_h, correlation
        )
    assert from_mixture(head, mixture).nc4 == pytest.approx(expected, abs=1e-10)


def test_nc4_special_cases():
    mixture = orthogonal_mixture(0.6)
    lower, upper = units_of_mixture(mixture, "class").means
    direction = upper - lower
    dual = from_mixture(Head.of(0.3 * direction, 0.0, 0.0), mixture)
    assert dual.nc3 == pytest.approx(0.0, abs=1e-15)
    assert dual.nc4 == pytest.approx(0.0, abs=1e-7)
    opposite = from_mixture(Head.of(-direction, 0.0, 0.0), mixture)
    assert opposite.nc3 == pytest.approx(2.0, rel=1e-14)
    assert opposite.nc4 == pytest.approx(1.0, rel=1e-7)
    # A head that sees only noise tosses coins, in every group.
    uneven = mixture.with_proportions([0.4, 0.1, 0.2, 0.3])
    assert from_mixture(Head.of([0.0, 0.0], 0.0, 1.0), uneven).nc4 == pytest.approx(0.5, abs=1e-15)
    # Without noise and spread the logits are constants; the rule follows the attribute in the minority groups (0.2).
    point = replace(mixture, covariances=np.zeros((4, 2, 2)), noise_std=np.zeros(4))
    assert from_mixture(Head.of([0.0, 1.0], 0.0, 1.0), point).nc4 == pytest.approx(0.0, abs=1e-15)
    assert from_mixture(Head.of([1.0, 0.0], 0.0, 1.0), point).nc4 == pytest.approx(0.2, abs=1e-15)


def test_nc4_at_both_thresholds_is_an_angle():
    # One group a class, equal spread; f and h both cross zero at the mean of group 0: disagreement arccos(r) / pi.
    mixture = replace(orthogonal_mixture(0.0), covariances=np.tile(np.eye(2), (4, 1, 1)))
    mixture = replace(mixture, means=np.array([[-2.0, 0.0], [0.0, 0.0], [1.0, 0.0], [1.0, 0.0]]))
    mixture = mixture.with_proportions([0.25, 0.25, 0.25, 0.25])  # class means -1 and 1: threshold 0, at group 1
    only = Head.of([1.0, np.sqrt(3.0)], 0.0, 0.0)
    lower_share = from_mixture(only, mixture).nc4
    moved = replace(mixture, means=np.array([[-2.0, 0.0], [1e-9, 0.0], [1.0, 0.0], [1.0, 0.0]]))
    assert lower_share == pytest.approx(from_mixture(only, moved).nc4, abs=1e-8)
    others = sum(0.25 * by_quadrature(m / 2, m, 0.5) for m in (-2.0, 1.0, 1.0))
    assert lower_share == pytest.approx(0.25 * np.arccos(0.5) / np.pi + others, abs=1e-10)


def test_data_equal_the_definitions_and_tend_to_the_mixture():
    rng = np.random.default_rng(7)
    mixture = orthogonal_mixture(0.5, d=4)
    head = Head.of([0.8, 0.5], 0.4, 0.6)
    weights = full_weights(rng, mixture, head)
    features, labels, groups = draw(mixture, 400, rng)
    for units, signs in ((None, [-1, 1]), (groups, [-1, -1, 1, 1])):
        found = from_data(features, labels, weights, 0.4, units=units)
        means, _ = naive.moments(features, labels if units is None else units)
        assert found.nc3 == pytest.approx(naive.duality(weights, means, signs), rel=1e-12)
        lower, upper = naive.moments(features, labels)[0]
        assert found.nc4 == naive.disagreements(features, weights, 0.4, lower, upper)
    features, labels, groups = draw(mixture, 200_000, rng)
    expected, found = from_mixture(head, mixture), from_data(features, labels, weights, 0.4)
    assert found.nc3 == pytest.approx(expected.nc3, abs=0.01)
    # 4.5 standard deviations of a share of 200 000 rows
    assert abs(found.nc4 - expected.nc4) < 4.5 * np.sqrt(expected.nc4 * (1 - expected.nc4) / 200_000) + 1e-3


def test_heads_in_a_batch_are_read_one_by_one():
    rng = np.random.default_rng(4)
    mixture = general_mixture(rng)
    heads = Head.of(rng.normal(size=(2, 3, 3)), rng.normal(size=(2, 3)), rng.uniform(size=(2, 3)))
    batch = from_mixture(heads, mixture, "group")
    for index in np.ndindex(2, 3):
        one = from_mixture(heads[index], mixture, "group")
        assert batch.nc3[index] == pytest.approx(one.nc3, rel=1e-14)
        assert batch.nc4[index] == pytest.approx(one.nc4, rel=1e-12)


def test_scale_of_the_head_and_shift_of_the_features_change_nothing():
    rng = np.random.default_rng(5)
    mixture = general_mixture(rng)
    u, bias, shift = rng.normal(size=3), 0.3, np.array([3.0, -1.0, 0.5])
    found = from_mixture(Head.of(u, bias, 0.4), mixture)
    scaled = from_mixture(Head.of(7 * u, 7 * bias, 2.8), mixture)
    moved = from_mixture(Head.of(u, bias - u @ shift, 0.4), replace(mixture, means=mixture.means + shift))
    for other in (scaled, moved):
        assert other.nc3 == pytest.approx(found.nc3, rel=1e-12)
        assert other.nc4 == pytest.approx(found.nc4, rel=1e-11)


def test_errors_name_what_is_wrong():
    features, labels = np.eye(4), np.array([-1.0, -1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match="all weights are zero"):
        from_mixture(Head.of([0.0, 0.0], 1.0, 0.0), orthogonal_mixture(0.5))
    with pytest.raises(ValueError, match="all weights are zero"):
        from_data(features, labels, np.zeros(4), 1.0)
    with pytest.raises(ValueError, match="unit b: rows of both classes"):
        from_data(features, labels, np.ones(4), 0.0, units=np.array(["a", "b", "b", "c"]))
    with pytest.raises(ValueError, match=r"unit 1\.0: no rows"):
        from_data(features, -np.ones(4), np.ones(4), 0.0)
    with pytest.raises(ValueError, match="expected -1 or"):
        from_data(features, [-1, 0, 1, 1], np.ones(4), 0.0)
