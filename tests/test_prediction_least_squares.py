"""T1 and T5: least squares in the population, and what collapse does to it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from llrsim.model.collapse import class_centres, collapse
from llrsim.model.head import Head, read_out
from llrsim.model.losses import Loss
from llrsim.model.mixture import GroupMixture
from llrsim.prediction.formulas import (
    fully_collapsed_accuracies,
    least_squares,
    orthogonal_least_squares,
    spurious_weight_ratio,
)
from llrsim.prediction.objective import PopulationObjective

EXACT = 1e-12
SIX_DIGITS = 5e-7
CELEBA = np.array([71629, 66874, 22880, 1387])


def two_coordinates(class_separation, attribute_separation, proportions=None):
    """Isotropic unit covariance, core mean sqrt(S_y), spurious mean sqrt(S_a)."""
    core, spurious = np.sqrt(class_separation), np.sqrt(attribute_separation)
    means = [[y * core, a * spurious] for y in (-1, 1) for a in (-1, 1)]
    return GroupMixture.of(means=means, covariances=np.eye(2), noise_dim=1, proportions=proportions)


def balanced(correlation):
    """Group shares of balanced classes with E y a = correlation."""
    return np.array([1 + correlation, 1 - correlation, 1 - correlation, 1 + correlation]) / 4


def fitted(mixture, mass, **options):
    return least_squares(PopulationObjective.of(mixture, mass, Loss.SQUARED, **options))


def readout(theta, test):
    return read_out(Head.of(theta[:-1], theta[-1], 0.0), test)


def collapsed(mixture, noise, attribute):
    return collapse(mixture, class_centres(mixture), noise=noise, attribute=attribute)


@pytest.mark.parametrize(
    ("correlation", "minority", "majority"),
    [(0.5, 0.870557, None), (0.9, 0.717614, 0.965557), (0.98, 0.636631, 0.967309)],
)
def test_printed_values_of_t1(correlation, minority, majority):
    closed = orthogonal_least_squares(1.96, 1.44, correlation)
    toy = two_coordinates(1.96, 1.44)
    general = readout(fitted(toy, balanced(correlation)), toy).group_accuracy
    assert closed.minority == pytest.approx(minority, abs=SIX_DIGITS)
    if majority is not None:
        assert closed.majority == pytest.approx(majority, abs=SIX_DIGITS)
    assert general == pytest.approx([closed.majority, closed.minority, closed.minority, closed.majority], abs=EXACT)


def test_balanced_groups_give_phi_of_the_root_of_the_class_separation():
    assert orthogonal_least_squares(1.96, 7.0, 0.0) == pytest.approx((ndtr(1.4), ndtr(1.4)), abs=EXACT)


@settings(max_examples=50, deadline=None)
@given(st.floats(0.1, 9), st.floats(0, 9), st.floats(-1, 1))
def test_the_two_parameter_form_is_the_general_one(class_separation, attribute_separation, correlation):
    toy = two_coordinates(class_separation, attribute_separation)
    accuracy = readout(fitted(toy, balanced(correlation)), toy).group_accuracy
    closed = orthogonal_least_squares(class_separation, attribute_separation, correlation)
    assert accuracy[[0, 1]] == pytest.approx(closed, abs=1e-9)


# Groups (-,-), (-,+), (+,-), (+,+): not blond women, not blond men, blond women, blond men.
@pytest.mark.parametrize(("tau", "wga"), [(1.0, 0.5513), (0.25, 0.8516), (0.01, 0.8652)])
def test_printed_values_of_t5_for_celeba(tau, wga):
    share = CELEBA / CELEBA.sum()
    toy = two_coordinates(1.96, 1.44, share)
    found = readout(fitted(collapsed(toy, tau, tau), share), toy)
    untouched = readout(fitted(toy, share), toy)
    assert found.wga == pytest.approx(wga, abs=5e-5)
    assert found.worst_group == 3
    # The threshold alone: the direction is that of untouched features.
    assert found.direction_wga == pytest.approx(untouched.direction_wga, abs=1e-9)


def random_mixture(seed, proportions):
    random = np.random.default_rng(seed)
    roots = random.normal(size=(4, 3, 3))
    return GroupMixture.of(
        means=random.normal(size=(4, 3)),
        covariances=roots @ roots.transpose(0, 2, 1) + 0.1 * np.eye(3),
        noise_dim=1,
        proportions=proportions,
    )


def direction(theta):
    return theta[:-1] / np.linalg.norm(theta[:-1])


@pytest.mark.parametrize("tau", [0.7, 0.1, 0.003])
@pytest.mark.parametrize("weighting", ["erm", "class-balanced"])
def test_class_collapse_leaves_the_direction(tau, weighting):
    share = np.array([0.45, 0.3, 0.2, 0.05])
    mass = share if weighting == "erm" else share / np.repeat([0.75, 0.25], 2) / 2
    mixture = random_mixture(5, share)
    before, after = fitted(mixture, mass), fitted(collapsed(mixture, tau, tau), mass)
    assert direction(after) == pytest.approx(direction(before), abs=1e-9)


def test_class_collapse_moves_the_direction_of_group_balanced_masses():
    mixture = random_mixture(5, [0.45, 0.3, 0.2, 0.05])
    dfr = np.full(4, 0.25)
    before, after = fitted(mixture, dfr), fitted(collapsed(mixture, 0.25, 0.25), dfr)
    assert np.linalg.norm(direction(after) - direction(before)) > 0.05


def test_ridge_on_collapsed_features_is_a_larger_ridge():
    # lam acts as lam / tau^2 on the direction: S tau^2 + Cov + lam, and Cov only changes the length of u.
    share, tau = balanced(0.9), 0.2
    toy = two_coordinates(1.96, 1.44, share)
    small = fitted(collapsed(toy, tau, tau), share, ridge=0.01)
    large = fitted(toy, share, ridge=0.01 / tau**2)
    assert direction(small) == pytest.approx(direction(large), abs=EXACT)


@pytest.mark.parametrize("correlation", [0.3, 0.9])
def test_full_collapse_gives_the_difference_of_class_means(correlation):
    share = balanced(correlation)
    toy = two_coordinates(1.96, 1.44, share)
    accuracy = readout(fitted(collapsed(toy, 0.0, 0.0), share), toy).group_accuracy
    assert accuracy[[0, 1]] == pytest.approx(fully_collapsed_accuracies(1.96, 1.44, correlation), abs=EXACT)
    minority = ndtr((1.96 - correlation * 1.44) / np.sqrt(1.96 + correlation**2 * 1.44))
    assert accuracy[1] == pytest.approx(minority, abs=EXACT)


@pytest.mark.parametrize(("noise", "attribute"), [(1.0, 1.0), (0.5, 1.0), (1.0, 0.2), (0.3, 0.0)])
def test_weight_ratio_under_unequal_collapse(noise, attribute):
    share, core, spurious = balanced(0.8), (1.0, 0.6), (1.5, 0.3)
    means = [[y * core[0], a * spurious[0]] for y in (-1, 1) for a in (-1, 1)]
    covariance = np.diag([core[1] ** 2, spurious[1] ** 2])
    toy = GroupMixture.of(means=means, covariances=covariance, noise_dim=1, proportions=share)
    theta = fitted(collapsed(toy, noise, attribute), share)
    ratio = spurious_weight_ratio(
        core=core, spurious=spurious, correlation=0.8, noise_collapse=noise, attribute_collapse=attribute
    )
    assert theta[1] / theta[0] == pytest.approx(ratio, rel=1e-10)


def test_the_solution_of_least_norm_is_the_limit_of_small_ridges():
    share = balanced(0.9)
    points = collapsed(two_coordinates(1.96, 1.44, share), 0.0, 0.0)
    assert fitted(points, share) == pytest.approx(fitted(points, share, ridge=1e-8), abs=5e-8)


def test_large_samples_approach_it():
    mixture = random_mixture(2, [0.4, 0.3, 0.2, 0.1])
    random, counts = np.random.default_rng(3), (80_000, 60_000, 40_000, 20_000)
    X = np.vstack(
        [random.multivariate_normal(*law) for law in zip(mixture.means, mixture.covariances, counts, strict=True)]
    )
    y, design = np.repeat(mixture.labels, counts), np.column_stack([X, np.ones(len(X))])
    theta = fitted(mixture, mixture.proportions)
    residual = y - design @ theta
    # At the population head the sample gradient is a mean of n independent terms: 4.5 standard errors, 4 numbers,
    # false alarm below 3e-5.
    terms = design * residual[:, None]
    assert np.abs(terms.mean(axis=0) / (terms.std(axis=0) / np.sqrt(len(y)))).max() < 4.5
    wrong = fitted(mixture, mixture.proportions[::-1])
    terms = design * (y - design @ wrong)[:, None]
    assert np.abs(terms.mean(axis=0) / (terms.std(axis=0) / np.sqrt(len(y)))).max() > 4.5
