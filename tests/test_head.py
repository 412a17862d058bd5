"""The readout, against its literal twin and against drawn test sets."""

import naive_readout as naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llrsim.model.head import Head, average, group_accuracy, read_out
from llrsim.model.mixture import GroupMixture


def random_mixture(rng, groups=4, k=2, d=6):
    factors = rng.normal(size=(groups, k, k))
    return GroupMixture.of(
        means=rng.normal(size=(groups, k)),
        covariances=factors @ factors.transpose(0, 2, 1) + 0.1 * np.eye(k),
        noise_dim=d,
        noise_std=rng.uniform(0.2, 2.0, groups),
        spectrum=rng.uniform(0.1, 3.0, d),
        proportions=rng.dirichlet(np.ones(groups)),
    )


@given(st.integers(0, 10_000))
def test_group_accuracy_equals_its_literal_twin(seed):
    rng = np.random.default_rng(seed)
    mix = random_mixture(rng)
    u, b, q = rng.normal(size=2), rng.normal(), rng.uniform(0, 2)
    expected = [
        naive.accuracy(u, b, q, mix.labels[g], mix.means[g], mix.covariances[g], mix.noise_std[g]) for g in range(4)
    ]
    np.testing.assert_allclose(group_accuracy(Head.of(u, b, 1.0, q), mix), expected, atol=1e-14)


@given(st.integers(0, 10_000))
def test_best_bias_is_the_best_of_a_fine_grid(seed):
    rng = np.random.default_rng(seed)
    mix = random_mixture(rng)
    u, q = rng.normal(size=2), rng.uniform(0.1, 2)
    out = read_out(Head.of(u, rng.normal(), q), mix)

    def at(bias):
        return group_accuracy(Head.of(u, bias, q), mix)

    grid = naive.best_bias_wga(at, -8, 8, points=801)
    assert grid <= out.direction_wga + 1e-12
    assert out.direction_wga < grid + 0.02
    assert out.bias_part <= 1e-15
    assert out.wga == pytest.approx(out.direction_wga + out.bias_part, abs=1e-15)


def test_accuracy_of_drawn_data_is_the_exact_one():
    """Counts of correct rows against the exact accuracy: |z| below 4.5 in each of four groups, and a wrong q fails."""
    rng = np.random.default_rng(0)
    mix = random_mixture(rng)
    w, b = rng.normal(size=8), 0.3
    rows = 40_000
    X, y, _ = mix.sample(counts=[rows] * 4, seed=3)
    right = (y * (X @ w + b) > 0).reshape(4, rows).mean(axis=1)
    head = Head.of(w[:2], b, np.linalg.norm(w[2:]), np.sqrt(mix.spectrum @ w[2:] ** 2))

    def z(exact):
        return np.abs(right - exact) / np.sqrt(exact * (1 - exact) / rows)

    assert z(group_accuracy(head, mix)).max() < 4.5
    isotropic = Head.of(w[:2], b, np.linalg.norm(w[2:]))
    assert z(group_accuracy(isotropic, mix)).max() > 4.5


def test_worst_group_is_the_least_accurate_not_the_smallest():
    mix = GroupMixture.of(
        means=[[-3.0], [-1.0], [1.0], [3.0]], covariances=[[1.0]], noise_dim=0, proportions=[0.01, 0.4, 0.58, 0.01]
    )
    out = read_out(Head.of([1.0], -0.5, 0.0), mix)
    assert out.worst_group == 2
    assert out.wga == out.group_accuracy[2]


def test_averages_weigh_by_the_test_proportions():
    mix = random_mixture(np.random.default_rng(5))
    out = read_out(Head.of([1.0, -0.5], 0.2, 0.7), mix)
    assert out.average_accuracy == pytest.approx(sum(mix.proportions * out.group_accuracy), abs=1e-15)
    classes = [
        sum(mix.proportions[i] * out.group_accuracy[i] for i in pair) / sum(mix.proportions[i] for i in pair)
        for pair in ((0, 1), (2, 3))
    ]
    assert out.worst_class_accuracy == pytest.approx(min(classes), abs=1e-15)


def test_spurious_reliance_is_the_ratio_of_effects():
    mix = GroupMixture.of(
        means=[[-1.0, -1.5], [-1.0, 1.5], [1.0, -1.5], [1.0, 1.5]], covariances=np.eye(2), noise_dim=0
    )
    assert read_out(Head.of([2.0, 0.4], 0.0, 0.0), mix).spurious_reliance == pytest.approx(0.4 * 1.5 / 2.0)


def test_leading_axes_broadcast():
    rng = np.random.default_rng(2)
    mix = random_mixture(rng)
    heads = Head.of(rng.normal(size=(3, 5, 2)), rng.normal(size=(3, 5)), rng.uniform(size=(3, 5)))
    out = read_out(heads, mix)
    assert out.group_accuracy.shape == (3, 5, 4)
    one = read_out(heads[1, 2], mix)
    for name in ("wga", "direction_wga", "spurious_reliance", "worst_class_accuracy"):
        assert getattr(out, name)[1, 2] == getattr(one, name)


def test_a_constant_logit_is_right_wrong_or_a_coin_toss():
    mix = GroupMixture.of(means=[[0.0]] * 4, covariances=[[0.0]], noise_dim=2)
    assert group_accuracy(Head.of([1.0], 0.5, 0.0), mix).tolist() == [0, 0, 1, 1]
    assert group_accuracy(Head.of([1.0], 0.0, 0.0), mix).tolist() == [0.5] * 4


def test_average_head_adds_noise_parts_as_vectors():
    rng = np.random.default_rng(4)
    V, spectrum = rng.normal(size=(3, 6)), rng.uniform(0.5, 2, 6)
    heads = Head.of(rng.normal(size=(3, 2)), rng.normal(size=3), np.linalg.norm(V, axis=1))
    mean = average(heads, V @ V.T, (V * spectrum) @ V.T)
    assert mean.noise_norm == pytest.approx(np.linalg.norm(V.mean(axis=0)), rel=1e-13)
    assert mean.noise_spread == pytest.approx(np.sqrt(spectrum @ V.mean(axis=0) ** 2), rel=1e-13)
    np.testing.assert_allclose(mean.signal, heads.signal.mean(axis=0))


def test_a_head_that_is_not_there_has_no_accuracy():
    nowhere = Head.of([np.nan], np.nan, np.nan)
    toy = GroupMixture.of(means=[[-1.0], [-1.0], [1.0], [1.0]], covariances=[[1.0]], noise_dim=9)
    assert np.isnan(group_accuracy(nowhere, toy)).all()
    assert np.isnan(read_out(nowhere, toy).wga)
