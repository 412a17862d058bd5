"""Shapley values and interactions against their literal twins and axioms; intervals of effects."""

import numpy as np
import pytest
from attribution_cases import EXACT, split_of
from naive_attribution import interaction_by_signs, shapley_by_orders
from scipy import stats

from llrsim.attribution import Effect, interaction, joint_interaction, shapley


class TestContrasts:
    @pytest.mark.parametrize("m", [1, 2, 3, 5])
    def test_shapley_is_the_average_over_orders_and_sums_to_the_total(self, m):
        values = np.random.default_rng(m).normal(size=(2,) * m + (3, 2))
        found = shapley(values, m)
        np.testing.assert_allclose(found, shapley_by_orders(values, m), atol=EXACT)
        np.testing.assert_allclose(found.sum(axis=0), values[(1,) * m] - values[(0,) * m], atol=EXACT)

    def test_shapley_axioms(self):
        rng = np.random.default_rng(0)
        values, other = rng.normal(size=(2, 2, 2, 2))
        np.testing.assert_allclose(shapley(values + 2 * other), shapley(values) + 2 * shapley(other), atol=EXACT)
        alike = values + values.swapaxes(0, 2)
        assert shapley(alike)[0] == pytest.approx(shapley(alike)[2], abs=EXACT)
        assert shapley(alike)[0] != pytest.approx(shapley(alike)[1], abs=0.01)
        idle = np.stack([values[:, 0], values[:, 0]], axis=1)
        assert shapley(idle)[1] == pytest.approx(0.0, abs=EXACT)
        np.testing.assert_allclose(shapley(idle)[[0, 2]], shapley(values[:, 0]), atol=EXACT)

    def test_no_switch_has_no_values(self):
        assert shapley(np.zeros(7), 0).shape == (0, 7)

    @pytest.mark.parametrize("blocks", [[[0]], [[3]], [[0], [2]], [[3], [1]], [[0, 1], [3]], [[2], [0, 3], [1]], [[]]])
    def test_interactions_are_signed_sums(self, blocks):
        values = np.random.default_rng(1).normal(size=(2,) * 4 + (3,))
        expected = interaction_by_signs(values, 4, blocks) if all(blocks) else np.zeros(3)
        np.testing.assert_allclose(joint_interaction(values, 4, blocks), expected, atol=EXACT)
        if all(len(block) == 1 for block in blocks):
            np.testing.assert_allclose(interaction(values, 4, [block[0] for block in blocks]), expected, atol=EXACT)

    def test_of_two_switches_the_main_effect_is_the_shapley_value(self):
        values = np.random.default_rng(2).normal(size=(2, 2))
        np.testing.assert_allclose([interaction(values, 2, [i]) for i in (0, 1)], shapley(values), atol=EXACT)


class TestEffect:
    def test_interval_is_the_t_interval(self):
        draws = np.random.default_rng(3).normal(0.1, 0.02, 12)
        low, high = Effect(draws, draws, False).interval
        expected = stats.t.interval(0.95, 11, loc=draws.mean(), scale=stats.sem(draws))
        np.testing.assert_allclose((low, high), expected, atol=EXACT)

    def test_a_prediction_is_exact_and_one_replicate_knows_nothing(self):
        one = np.array([0.25])
        assert Effect(one, one, True).interval == (0.25, 0.25)
        assert Effect(one, one, False).to_dict()["interval"] is None
        assert split_of([[0.5], [0.9]], ("collapse",)).verdict == "undecided"
