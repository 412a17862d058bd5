"""NC1, NC2, CDNV and VCI: against their literal definitions, T6's closed forms, and what must not change them."""

from dataclasses import asdict, replace
from fractions import Fraction

import naive_neural_collapse as naive
import numpy as np
import pytest

from llrsim.model.collapse import class_centres, collapse
from llrsim.model.mixture import GroupMixture
from llrsim.model.neural_collapse import data_limit, from_data, from_mixture, nc1_of_data, units_of_mixture

NAMES = ("nc1", "nc2_norms", "nc2_angles", "cdnv", "vci")


def general_mixture(rng, *, k=3, d=5):
    """Unequal proportions, non-orthogonal means, covariances and noise scales per group, a noise spectrum."""
    root = rng.normal(size=(4, k, k))
    return GroupMixture.of(
        means=rng.normal(size=(4, k)) + np.outer([-1, -1, 1, 1], np.ones(k)),
        covariances=root @ root.transpose(0, 2, 1) + 0.1 * np.eye(k),
        noise_dim=d,
        noise_std=rng.uniform(0.5, 2, size=4),
        spectrum=rng.uniform(0.2, 3, size=d),
        proportions=rng.dirichlet(np.full(4, 3.0)),
    )


def orthogonal_mixture(rho, *, d=40, sigma=0.7):
    """Balanced classes, core and spurious coordinate: T6's setting. Core (1.0, .6), spurious (1.5, .3)."""
    return GroupMixture.of(
        means=[[-1.0, -1.5], [-1.0, 1.5], [1.0, -1.5], [1.0, 1.5]],
        covariances=np.diag([0.36, 0.09]),
        noise_dim=d,
        noise_std=sigma,
        proportions=[(1 + rho) / 4, (1 - rho) / 4, (1 - rho) / 4, (1 + rho) / 4],
    )


def assert_close(found, expected, rtol=1e-10):
    for name in NAMES:
        assert asdict(found)[name] == pytest.approx(expected[name], rel=rtol, abs=1e-10), name


@pytest.mark.parametrize("level", ["class", "group"])
def test_mixture_equals_the_definitions(level):
    for seed in range(5):
        mixture = general_mixture(np.random.default_rng(seed))
        units = [0, 0, 1, 1] if level == "class" else [0, 1, 2, 3]
        expected = naive.metrics(
            *naive.mixture_moments(
                units, mixture.proportions, mixture.means, mixture.covariances, mixture.noise_std, mixture.spectrum
            )
        )
        assert_close(from_mixture(mixture, level), expected)


def test_group_means_on_a_plane_have_rank_two():
    # Four groups, additive means: Sigma_B has rank 2, not C - 1 = 3, and VCI divides by 2.
    mixture = orthogonal_mixture(0.6)
    moments = naive.mixture_moments(
        [0, 1, 2, 3], mixture.proportions, mixture.means, mixture.covariances, mixture.noise_std, mixture.spectrum
    )
    assert_close(from_mixture(mixture, "group"), naive.metrics(*moments))
    assert from_mixture(mixture, "group").vci == pytest.approx((1 / (1 + 1 / 0.36) + 1 / (1 + 1.5**2 / 0.09)) / 2)


@pytest.mark.parametrize(("tau_n", "tau_a"), [(1.0, 1.0), (0.25, 0.25), (0.1, 0.5), (0.5, 0.0)])
def test_mixture_equals_the_closed_forms_of_t6(tau_n, tau_a):
    rho, d, sigma = 0.8, 40, 0.7
    mixture = orthogonal_mixture(rho, d=d, sigma=sigma)
    found = from_mixture(collapse(mixture, class_centres(mixture), noise=tau_n, attribute=tau_a))
    m = np.array([1.0, 1.5 * rho])
    attribute = np.array([0.0, 1.5])
    within = tau_n**2 * np.diag([0.36, 0.09]) + tau_a**2 * (1 - rho**2) * np.outer(attribute, attribute)
    assert found.nc1 == pytest.approx(m @ within @ m / (2 * (m @ m) ** 2), rel=1e-12)
    assert found.cdnv == pytest.approx((np.trace(within) + tau_n**2 * d * sigma**2) / (4 * m @ m), rel=1e-12)
    assert found.vci == pytest.approx(1 / (1 + m @ np.linalg.solve(within, m)), rel=1e-11)


@pytest.mark.parametrize("tau", [0.5, 0.01, 1e-5])
def test_class_collapse_scales_nc1_and_cdnv_by_tau_squared(tau):
    mixture = general_mixture(np.random.default_rng(1))
    before = from_mixture(mixture)
    after = from_mixture(collapse(mixture, class_centres(mixture), noise=tau, attribute=tau))
    assert after.nc1 == pytest.approx(tau**2 * before.nc1, rel=1e-9)
    assert after.cdnv == pytest.approx(tau**2 * before.cdnv, rel=1e-9)
    separation = 1 / before.vci - 1  # m' Sigma_W^-1 m
    assert after.vci == pytest.approx(tau**2 / (tau**2 + separation), rel=1e-9)


def test_full_collapse_is_zero_for_classes_and_splits_nothing_inside_them():
    mixture = orthogonal_mixture(0.5)
    collapsed = collapse(mixture, class_centres(mixture), noise=0.0, attribute=0.0)
    classes, groups = from_mixture(collapsed), from_mixture(collapsed, "group")
    assert (classes.nc1, classes.cdnv) == (0.0, 0.0)
    assert classes.vci == pytest.approx(0.0, abs=1e-28)
    assert groups.nc1 == 0.0
    assert groups.cdnv == np.inf


def test_classes_that_differ_where_nothing_varies_are_fully_collapsed_by_vci():
    flat = np.array([1.0, 2.0, 3.0]) / np.sqrt(14)  # the only direction with spread; the other eigenvalues are rounding
    means = np.outer([-1, -1, 1, 1], [3.0, 0.0, -1.0])
    mixture = GroupMixture.of(means=means, covariances=np.outer(flat, flat), noise_dim=4)
    assert from_mixture(mixture).vci == pytest.approx(0.0, abs=1e-14)
    assert from_mixture(mixture).nc1 == pytest.approx(0.0, abs=1e-14)
    tilted = replace(mixture, means=means + np.outer([-1, -1, 1, 1], flat))
    assert from_mixture(tilted).vci == pytest.approx(0.0, abs=1e-14)
    assert from_mixture(tilted).nc1 == pytest.approx(1 / (2 * 11**2))


@pytest.mark.parametrize(("n", "p", "units"), [(60, 7, 2), (60, 7, 4), (25, 40, 2), (30, 45, 5), (20, 20, 3)])
def test_data_equal_the_definitions(n, p, units):
    rng = np.random.default_rng(n + p)
    unit = np.concatenate([np.arange(units), rng.integers(units, size=n - units)])
    features = rng.normal(size=(n, p)) @ np.diag(rng.uniform(0.5, 2, p)) + rng.normal(size=(units, p))[unit]
    assert_close(from_data(features, unit), naive.metrics(*naive.moments(features, unit)))


def test_vci_is_zero_when_the_dimension_exceeds_the_rows():
    rng = np.random.default_rng(0)
    assert from_data(rng.normal(size=(30, 50)), np.arange(30) % 2).vci == pytest.approx(0.0, abs=1e-25)


@pytest.mark.parametrize("p", [6, 50])
def test_rotation_translation_and_scale_of_data_change_nothing(p):
    rng = np.random.default_rng(p)
    unit = np.arange(40) % 3
    features = rng.normal(size=(40, p)) + 2 * rng.normal(size=(3, p))[unit]
    rotation = np.linalg.qr(rng.normal(size=(p, p)))[0]
    moved = -3.5 * features @ rotation + rng.normal(size=p)
    assert_close(from_data(moved, unit), asdict(from_data(features, unit)))


def test_order_and_names_of_units_change_nothing():
    rng = np.random.default_rng(3)
    unit = np.arange(40) % 4
    features = rng.normal(size=(40, 6)) + 2 * rng.normal(size=(4, 6))[unit]
    order = rng.permutation(40)
    names = np.array(["d", "b", "a", "c"])
    assert_close(from_data(features[order], names[unit[order]]), asdict(from_data(features, unit)), rtol=1e-12)


def test_a_large_sample_tends_to_the_mixture():
    mixture = orthogonal_mixture(0.6, d=5)
    # Additive means span a plane only and their sample counterparts do not: bend the rectangle out of it.
    means = np.column_stack([mixture.means, [0.0, 0.0, 0.0, 2.0]])
    mixture = replace(mixture, means=means, covariances=np.tile(np.diag([0.36, 0.09, 1.0]), (4, 1, 1)))
    rng = np.random.default_rng(0)
    features, labels, groups = draw(mixture, 200_000, rng)
    for level, units in (("class", labels), ("group", groups)):
        expected, found = from_mixture(mixture, level), from_data(features, units)
        for name in ("nc1", "cdnv", "vci"):
            assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=0.01), (level, name)


@pytest.mark.parametrize("delta", [0.5, 0.8, 1.5])
def test_data_tend_to_their_own_limit_and_not_to_the_mixture(delta):
    n, replicates = 500, 12
    mixture = orthogonal_mixture(0.6, d=int(delta * n))
    expected, population = data_limit(mixture, n), from_mixture(mixture)
    rng = np.random.default_rng(n)
    samples = [from_data(*draw(mixture, n, rng)[:2]) for _ in range(replicates)]
    for name in ("nc1", "cdnv", "vci"):
        values = np.array([getattr(sample, name) for sample in samples])
        limit = getattr(expected, name)
        # Finite size: two signal directions and two means beside d and n, relative to the rows left over.
        finite_size = 4 / (n * abs(1 - delta)) * limit
        allowed = 4.5 * values.std(ddof=1) / np.sqrt(replicates) + finite_size + 1e-12
        assert abs(values.mean() - limit) < allowed, name
        assert abs(values.mean() - getattr(population, name)) > allowed, name  # its own value would not do


def draw(mixture, n, rng):
    """Features, labels and groups of n rows in the mixture's proportions."""
    groups = np.repeat(np.arange(4), np.round(n * mixture.proportions).astype(int))
    k, d = mixture.signal_dim, mixture.noise_dim
    roots = np.linalg.cholesky(mixture.covariances)
    signal = mixture.means[groups] + np.einsum("nij,nj->ni", roots[groups], rng.normal(size=(len(groups), k)))
    noise = mixture.noise_std[groups, None] * np.sqrt(mixture.spectrum) * rng.normal(size=(len(groups), d))
    return np.hstack([signal, noise]), mixture.labels[groups], groups


@pytest.mark.parametrize("offset", [0.0, 1.0, 1e8])
@pytest.mark.parametrize("rows", [3, 400])
def test_means_that_are_equal_up_to_rounding_are_equal(rows, offset):
    """The same rows in another order, and minus rows that add up to zero: the means differ by rounding at most.

    In exact arithmetic, with fractions, the means of the two classes are one.
    """
    rng = np.random.default_rng(rows)
    half = rng.normal(size=(rows, 2)) * [0.1, 30.0]
    balanced = np.concatenate([half, -half])
    for first, second in ((half, half[::-1]), (balanced, rng.permutation(balanced))):
        features = np.concatenate([first, second]) + offset
        units = np.repeat([-1, 1], len(first))
        exact = [[sum(map(Fraction, column)) for column in features[units == label].T] for label in (-1, 1)]
        assert exact[0] == exact[1]
        for measured in (from_data, nc1_of_data):
            with pytest.raises(ValueError, match="all share one mean"):
                measured(features, units)
    apart = features + np.where(units > 0, 1e-6, -1e-6)[:, None] * max(offset, 1.0)
    assert np.isfinite(from_data(apart, units).nc1)


def test_class_means_of_a_mixture_that_cancel_up_to_rounding_are_equal():
    """0.3 * 0.3 - 0.7 * (0.3 * 0.3 / 0.7) comes out as -1e-17, and 0 as 0."""
    mixture = GroupMixture.of(
        means=[[0.3], [-0.3 * 0.3 / 0.7], [0.0], [0.0]],
        covariances=[[1.0]],
        noise_dim=2,
        proportions=[0.15, 0.35, 0.25, 0.25],
    )
    means = units_of_mixture(mixture, "class").means
    assert 0.0 < abs(means[0, 0]) < 1e-16
    assert means[1, 0] == 0.0
    with pytest.raises(ValueError, match="all share one mean"):
        from_mixture(mixture)


def test_errors_name_the_unit_or_the_argument():
    mixture = orthogonal_mixture(0.6)
    with pytest.raises(ValueError, match=r"\(-,\+\): no mass"):
        from_mixture(mixture.with_proportions([0.5, 0.0, 0.25, 0.25]), "group")
    with pytest.raises(ValueError, match=r"class \+1: no mass"):
        from_mixture(mixture.with_proportions([0.5, 0.5, 0.0, 0.0]))
    with pytest.raises(ValueError, match="level: 'unit'"):
        from_mixture(mixture, "unit")
    with pytest.raises(ValueError, match="all share one mean"):
        from_mixture(replace(mixture, means=np.ones((4, 2))))
    with pytest.raises(ValueError, match="unit 2: no rows"):
        from_data(np.eye(4), [0, 0, 1, 1], expected=[0, 1, 2])
    with pytest.raises(ValueError, match="at least two"):
        from_data(np.eye(4), [1, 1, 1, 1])
    with pytest.raises(ValueError, match=r"units: shape \(3,\)"):
        from_data(np.eye(4), [1, 1, 2])
    with pytest.raises(ValueError, match=r"features\[0, 1\] = nan: must be finite"):
        from_data([[0.0, np.nan], [1.0, 2.0]], [0, 1])
    with pytest.raises(ValueError, match="balanced classes"):
        data_limit(mixture.with_proportions([0.4, 0.3, 0.2, 0.1]), 100)
    with pytest.raises(ValueError, match="one isotropic noise scale"):
        data_limit(replace(mixture, noise_std=np.array([1.0, 1.0, 1.0, 2.0])), 100)
