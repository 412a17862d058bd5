"""The statistics of a size study: extrapolation, tests that are calibrated and see what is there, rates of approach."""

import numpy as np
import pytest
from scipy import stats

from llrsim.agreement.judging import judge
from llrsim.agreement.size_study import seed_of_cell
from llrsim.statistics import (
    allowance,
    exponent,
    extrapolate,
    freedom,
    hotelling,
    intercept_weights,
    rejected,
    smallest_t,
)


def test_deterministic_differences_are_certain():
    assert smallest_t(np.array([0.0, 50.0]), np.array([0.0, 1.0]), np.array([23.0])) < 1e-12
    assert smallest_t(np.array([0.1, 0.0]), np.array([0.0, 1.0]), np.array([23.0])) == 0.0
    assert smallest_t(np.zeros(2), np.zeros(2), np.array([23.0])) == 1.0
    assert hotelling(np.array([0.1, 0.0]), np.diag([0.0, 1.0]), 23) == 0.0
    assert hotelling(np.array([0.0, 9.0]), np.diag([0.0, 1.0]), 23) < 1e-6
    assert hotelling(np.zeros(2), np.zeros((2, 2)), 23) == 1.0


def test_tests_of_one_sample_are_students_and_bonferroni_s():
    """SciPy's t-test on each of four columns; Hotelling's test on one of them is Student's too."""
    rows = np.random.default_rng(1).normal(size=(9, 4)) + np.array([0.0, 0.2, -0.4, 0.6])
    mean, covariance = extrapolate([rows], np.ones(1))
    alone = stats.ttest_1samp(rows, 0.0).pvalue
    assert smallest_t(mean, np.sqrt(np.diag(covariance)), np.array([8.0])) == pytest.approx(4 * alone.min(), rel=1e-10)
    assert hotelling(mean[:1], covariance[:1, :1], 8) == pytest.approx(alone[0], rel=1e-10)


def test_the_joint_test_of_one_sample_is_exact():
    """2000 samples of 5 rows in three dimensions, KS on both sides at 1e-3; a degree of freedom more is the control."""
    rng = np.random.default_rng(2)
    samples = [extrapolate([rng.normal(size=(5, 3))], np.ones(1)) for _ in range(2000)]
    assert stats.kstest([hotelling(*sample, 4) for sample in samples], "uniform").pvalue > 1e-3
    assert stats.kstest([hotelling(*sample, 5) for sample in samples], "uniform").pvalue < 1e-3


def test_degrees_of_freedom_are_welchs():
    rng = np.random.default_rng(3)
    few, many = rng.normal(size=(5, 2)), 3.0 * rng.normal(size=(12, 2))
    found = freedom([few, many], np.array([1.0, -1.0]))
    np.testing.assert_allclose(found, stats.ttest_ind(few, many, equal_var=False).df, rtol=1e-12)
    assert freedom([np.ones((5, 1)), np.ones((12, 1))], np.ones(2)).tolist() == [4.0]


def test_heads_are_judged_with_the_least_degrees_of_freedom():
    rng = np.random.default_rng(4)
    x, gaps = np.array([0.2, 0.1]), [0.01 * rng.normal(size=(8, 4)) for _ in range(2)]
    heads = [rng.normal(size=(8, 3)) * [1.0, 5.0, 0.2], rng.normal(size=(8, 3)) * [1.0, 0.2, 5.0]]
    weights = intercept_weights(x, 1)
    degrees = freedom(heads, weights)
    assert degrees.max() > 1.2 * degrees.min()
    found = judge([0.8 + gap for gap in gaps], gaps, heads, x, 1, units=np.ones(3)).p_heads
    assert found == pytest.approx(hotelling(*extrapolate(heads, weights), degrees.min()), rel=1e-12)


def test_cells_have_draws_of_their_own():
    assert len({seed_of_cell(seed, cell) for seed in (0, 1) for cell in range(3)}) == 6


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_extrapolation_is_exact_for_polynomials(degree):
    x = np.array([0.3, 0.1, 0.02, 0.01])
    coefficients = np.array([2.0, -3.0, 5.0, 7.0])
    values = np.vander(x, 4, increasing=True)[:, : degree + 1] @ coefficients[: degree + 1]
    weights = intercept_weights(x, degree)
    assert weights @ values == pytest.approx(2.0, abs=1e-12)
    if degree < 3:
        assert weights @ (values + coefficients[degree + 1] * x ** (degree + 1)) != pytest.approx(2.0, abs=1e-6)


def test_extrapolation_has_the_least_variance_of_the_exact_ones():
    """Any other line-preserving weights differ by a direction that sees no line, and vary more."""
    x = np.array([0.01, 0.005, 0.0025])
    weights = intercept_weights(x, 1)
    blind = np.linalg.svd(np.vander(x, 2).T)[2][-1]
    for step in (-0.1, 0.1):
        other = weights + step * blind
        assert other @ (2.0 - 3.0 * x) == pytest.approx(2.0, abs=1e-12)
        assert other**2 @ x > weights**2 @ x


def test_p_values_are_uniform_and_move_with_the_mean():
    """800 synthetic studies: KS of both p-values against uniform at 1e-3; a shift of 0.6 deviations is the control.

    The joint test takes the least degrees of freedom of its entries, so its p-values may only be conservative.
    """
    rng = np.random.default_rng(0)
    weights = intercept_weights(np.array([0.5, 0.1]), 1)
    factor = rng.normal(size=(3, 3))

    def study(shift):
        joint, single = [], []
        for _ in range(800):
            rows = [rng.normal(size=(16, 3)) @ factor.T + shift for _ in weights]
            mean, covariance = extrapolate(rows, weights)
            joint.append(hotelling(mean, covariance, 15))
            single.append(smallest_t(mean[:1], np.sqrt(np.diag(covariance))[:1], 15))
        return np.array(joint), np.array(single)

    joint, single = study(0.0)
    assert stats.kstest(single, "uniform").pvalue > 1e-3
    assert stats.kstest(joint, "uniform", alternative="greater").pvalue > 1e-3
    assert (joint < 0.05).mean() < 0.07
    moved_joint, moved_single = study(0.6 * np.sqrt(np.diag(factor @ factor.T)))
    assert stats.kstest(moved_single, "uniform").pvalue < 1e-6
    assert stats.kstest(moved_joint, "uniform", alternative="greater").pvalue < 1e-6


def judged_studies(shift, studies=400):
    """Judgements of four tied groups with correlated noise at two sizes; `shift` (4,) in deviations of a replicate."""
    rng = np.random.default_rng(6)
    mixing = 0.02 * (np.eye(4) + 0.3)
    for _ in range(studies):
        gaps = [rng.normal(size=(16, 4)) @ mixing + 0.02 * np.asarray(shift) for _ in range(2)]
        heads = [rng.normal(size=(16, 3)) for _ in gaps]
        yield gaps, judge([0.8 + gap for gap in gaps], gaps, heads, np.array([0.2, 0.1]), 1, units=np.ones(3))


def test_the_worst_group_is_judged_without_favour():
    """400 studies, KS at 1e-3; choosing and judging on the same replicates is the control, and a shift another."""
    chosen_apart, chosen_alike = [], []
    for gaps, found in judged_studies(np.zeros(4)):
        chosen_apart.append(found.worst_z)
        worst = gaps[1].mean(axis=0).argmin()
        mean, covariance = extrapolate([rows[:, [worst]] for rows in gaps], intercept_weights(np.array([0.2, 0.1]), 1))
        chosen_alike.append(mean[0] / np.sqrt(covariance[0, 0]))
    assert abs(np.mean(chosen_apart)) < 3.3 * np.std(chosen_apart) / 20
    assert np.mean(chosen_alike) < -10 * np.std(chosen_alike) / 20
    worst = [found.p_worst for _, found in judged_studies(np.zeros(4))]
    assert stats.kstest(worst, "uniform").pvalue > 1e-3
    moved = [found.p_worst for _, found in judged_studies(np.full(4, -1.0))]
    assert stats.kstest(moved, "uniform", alternative="greater").pvalue < 1e-6


def test_three_tests_make_one_p_value():
    """At most 5 % of 400 studies below .05, up to 4.5 binomial errors; the bound is nearly reached, for they are few.

    A difference in one place is seen by its own test: accuracies by the groups', and the worst group by its own.
    """
    judged = [found for _, found in judged_studies(np.zeros(4))]
    together = np.array([found.p_value for found in judged])
    least = [min(found.p_heads, found.p_groups, found.p_worst) for found in judged]
    assert together == pytest.approx(np.minimum(1.0, 3 * np.array(least)), rel=1e-12)
    assert (together < 0.05).mean() < 0.05 + 4.5 * np.sqrt(0.05 * 0.95 / 400)
    assert (together < 0.05).mean() > 0.005
    for _, found in judged_studies(np.array([-8.0, 0, 0, 0]), studies=5):
        assert found.worst_group == 0
        assert found.p_worst < 1e-3
        assert found.p_groups < 1e-3 < found.p_heads
        assert found.p_value == 3 * min(found.p_groups, found.p_worst)
    for _, found in judged_studies(np.array([0, 8.0, 0, 0]), studies=5):
        assert found.worst_group != 1
        assert found.p_groups < 1e-3 < found.p_worst


def test_holm_is_the_step_down():
    assert rejected(np.array([0.01, 0.02, 0.03]), 0.05).tolist() == [True, True, True]
    assert rejected(np.array([0.04, 0.01, 0.5]), 0.05).tolist() == [False, True, False]
    assert rejected(np.array([]), 0.05).tolist() == []


class TestApproach:
    """Gaps C x with independent normal noise at x = 1/100, 1/200, 1/400."""

    x = np.array([0.01, 0.005, 0.0025])

    def study(self, rng, power=1.0, columns=2):
        gaps = np.array([3.0, -1.5])[:columns] * (self.x[:, None] / self.x[0]) ** power
        errors = 0.1 * np.sqrt(self.x[:, None] / self.x[0]) * np.ones(columns)
        return gaps + errors * rng.normal(size=gaps.shape), errors, self.x

    def test_the_allowance_is_unbiased_and_its_interval_covers(self):
        """2000 studies: means within 4.5 errors, 95 % coverage within 4.5 binomial errors; its z is standard normal."""
        rng = np.random.default_rng(0)
        found = [allowance(*self.study(rng)) for _ in range(2000)]
        coefficient, half, z = (np.array(part) for part in zip(*found, strict=True))
        truth = np.array([300.0, -150.0])
        error = coefficient.std(axis=0, ddof=1) / np.sqrt(2000)
        assert (np.abs(coefficient.mean(axis=0) - truth) < 4.5 * error).all()
        assert (np.abs(coefficient.mean(axis=0) - 1.05 * truth) > 4.5 * error).all()
        covered = (np.abs(coefficient - truth) < half).mean(axis=0)
        assert (np.abs(covered - 0.95) < 4.5 * np.sqrt(0.95 * 0.05 / 2000)).all()
        assert stats.kstest(z[:, 0], "norm").pvalue > 1e-4

    def test_what_the_allowance_cannot_take_up_is_left(self):
        """A gap that does not shrink leaves a large z, one that shrinks as 1/d does not."""
        gaps, errors, x = self.study(np.random.default_rng(1))
        assert (np.abs(allowance(gaps, errors, x).z) < 4.5).all()
        assert (np.abs(allowance(gaps + 0.5, errors, x).z) > 4.5).all()

    @pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
    def test_the_exponent_is_found_and_its_interval_covers(self, power):
        """300 studies of one column: 95 % coverage within 4.5 binomial errors."""
        rng = np.random.default_rng(2)
        covered = []
        for _ in range(300):
            found = exponent([self.study(rng, power, columns=1)])
            covered.append(found.low < -power < found.high)
        assert abs(np.mean(covered) - 0.95) < 4.5 * np.sqrt(0.95 * 0.05 / 300)

    def test_studies_pool_and_correlated_columns_do_not_count_twice(self):
        rng = np.random.default_rng(3)
        gaps, errors, x = self.study(rng, columns=1)
        alone = exponent([(gaps, errors, x)])
        assert exponent([(np.hstack([gaps, gaps]), np.hstack([errors, errors]), x)]) == alone
        pooled = exponent([self.study(rng) for _ in range(20)])
        assert pooled.high - pooled.low < 0.4 * (alone.high - alone.low)
        assert pooled.low < -1.0 < pooled.high

    def test_gaps_lost_in_noise_have_no_exponent(self):
        gaps, errors, x = self.study(np.random.default_rng(4))
        found = exponent([(1e-3 * gaps, errors, x)])
        assert (found.low, found.high) == (None, None)
