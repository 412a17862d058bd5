"""The law of the features and the collapse map."""

from dataclasses import replace

import numpy as np
import pytest

from llrsim.model.collapse import class_centres, collapse
from llrsim.model.mixture import GroupMixture


@pytest.fixture
def mixture():
    rng = np.random.default_rng(0)
    factor = rng.normal(size=(4, 2, 2))
    return GroupMixture.of(
        means=rng.normal(size=(4, 2)),
        covariances=factor @ factor.transpose(0, 2, 1),
        noise_dim=3,
        noise_std=[1.0, 0.5, 2.0, 1.5],
        spectrum=[0.5, 1.0, 4.0],
        proportions=[0.6, 0.1, 0.05, 0.25],
    )


ROWS = 60_000


@pytest.fixture
def sample(mixture):
    X, y, a = mixture.sample(counts=[ROWS] * 4, seed=1)
    assert (y == np.repeat(mixture.labels, ROWS)).all()
    assert (a == np.repeat(mixture.attributes, ROWS)).all()
    return X.reshape(4, ROWS, 5)


def deviations(mixture, sample):
    """Largest |deviation| of a mean and of a covariance from the mixture's, in standard errors, for each group."""
    for g, rows in enumerate(sample):
        mean = np.append(mixture.means[g], np.zeros(3))
        covariance = np.zeros((5, 5))
        covariance[:2, :2] = mixture.covariances[g]
        covariance[2:, 2:] = np.diag(mixture.noise_std[g] ** 2 * mixture.spectrum)
        variance = np.diag(covariance)
        of_means = np.abs(rows.mean(axis=0) - mean) / np.sqrt(variance / ROWS)
        errors = np.sqrt((np.outer(variance, variance) + covariance**2) / ROWS)
        yield of_means.max(), (np.abs(np.cov(rows, rowvar=False) - covariance) / errors).max()


def test_samples_have_the_laws_moments(mixture, sample):
    """Means and covariances of 60 000 rows a group, entries within 5 standard errors (false alarm 5e-5)."""
    assert (np.array(list(deviations(mixture, sample))) < 5).all()


def test_moments_five_per_cent_off_are_seen(mixture, sample):
    """The control: a mean, a covariance or a noise scale off by 5 %, in any one group."""
    for g in range(4):
        for name, place in (("means", 0), ("covariances", 1), ("noise_std", 1)):
            changed = getattr(mixture, name).copy()
            changed[g] *= 1.05
            off = np.array(list(deviations(replace(mixture, **{name: changed}), sample)))
            assert off[g, place] > 5, (g, name)
            assert (np.delete(off, g, axis=0) < 5).all()


def test_samples_are_prefixes_and_keyed(mixture):
    short, long = mixture.sample(counts=[2, 3, 1, 4], seed=1)[0], mixture.sample(counts=[5, 5, 5, 5], seed=1)[0]
    assert (short[2:5] == long[5:8]).all()
    assert (mixture.sample(10, seed=1)[0] != mixture.sample(10, seed=2)[0]).all()
    with pytest.raises(ValueError, match="exactly one of n and counts"):
        mixture.sample()


def test_collapse_is_the_map_applied_to_points(mixture):
    """Moments of mbar + tau_a (m_g - mbar) + tau_n (x - m_g), from the literal map on drawn rows."""
    tau_n, tau_a = np.array([0.3, 1.0, 0.5, 0.0]), np.array([0.2, 0.0, 1.0, 0.7])
    centres = class_centres(mixture)
    for y in (-1, 1):
        inside = mixture.labels == y
        share = mixture.proportions[inside] / mixture.proportions[inside].sum()
        np.testing.assert_allclose(centres[inside], [share @ mixture.means[inside]] * 2, atol=1e-15)
    collapsed = collapse(mixture, centres, noise=tau_n, attribute=tau_a)
    X, _, _ = mixture.sample(counts=[200] * 4, seed=2)
    for g, rows in enumerate(X.reshape(4, 200, 5)):
        mean, centre = np.append(mixture.means[g], np.zeros(3)), np.append(centres[g], np.zeros(3))
        moved = centre + tau_a[g] * (mean - centre) + tau_n[g] * (rows - mean)
        deviation = rows - mean
        np.testing.assert_allclose(moved.mean(axis=0)[:2], collapsed.means[g] + tau_n[g] * deviation.mean(axis=0)[:2])
    np.testing.assert_allclose(collapsed.covariances, tau_n[:, None, None] ** 2 * mixture.covariances)
    np.testing.assert_allclose(collapsed.noise_std, tau_n * mixture.noise_std)


def test_no_collapse_is_the_identity_and_class_means_stay(mixture):
    centres = class_centres(mixture)
    same = collapse(mixture, centres)
    np.testing.assert_allclose(same.means, mixture.means, atol=1e-15)
    np.testing.assert_allclose(class_centres(collapse(mixture, centres, noise=0.1, attribute=0.4)), centres, atol=1e-15)


def test_collapse_refuses_factors_outside_the_unit_interval(mixture):
    with pytest.raises(ValueError, match=r"noise: .*1.2.* in \[0, 1\]"):
        collapse(mixture, class_centres(mixture), noise=1.2)


def test_effects_are_class_and_attribute_directions():
    mu_y, mu_a = np.array([1.0, 0.2]), np.array([-0.3, 1.5])
    y, a = np.array([-1, -1, 1, 1]), np.array([-1, 1, -1, 1])
    mix = GroupMixture.of(means=np.outer(y, mu_y) + np.outer(a, mu_a), covariances=np.eye(2), noise_dim=0)
    np.testing.assert_allclose(mix.effects(), [mu_y, mu_a], atol=1e-14)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"means": [[1.0], [2.0]]}, "means"),
        ({"proportions": [0.5, 0.5, 0.5, 0.5]}, "proportions"),
        ({"spectrum": [1.0]}, "spectrum"),
        ({"labels": [0, 1, 2, 3]}, "labels"),
    ],
)
def test_bad_arguments_are_named(change, message):
    good = {"means": [[0.0]] * 4, "covariances": [[1.0]], "noise_dim": 2}
    with pytest.raises(ValueError, match=message):
        GroupMixture.of(**good | change)
