"""The size study: calibrated where simulation and prediction agree, and not fooled by a formula a few per cent off."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import llrsim
from llrsim.agreement import check
from llrsim.agreement.size_study import resized
from llrsim.agreement.statistics import extrapolate, hotelling, intercept_weights, rejected, smallest_t
from llrsim.head import Head

SMALL = {
    "name": "small",
    "features": {
        "core": {"mean": 1.0, "std": 0.7},
        "spurious": {"mean": 0.8, "std": 0.6},
        "noise": {"dim": 10, "std": 0.8},
    },
    "train": {"n": 600, "proportions": [0.6, 0.1, 0.05, 0.25], "collapse": {"noise": 0.6, "attribute": 0.4}},
    "heldout": {"n": 300, "minority_ratio": 0.4, "class_prior": 0.4},
    "head": {"ridge": 0.02},
    "method": [{"kind": "erm"}, {"kind": "llr"}, {"kind": "cb-llr"}, {"kind": "dfr"}],
}


def wrong_by(change):
    """A predictor whose heads are changed."""

    def predictor(experiment):
        outcome = llrsim.predict(experiment)
        changed = {label: replace(method, heads=change(method.heads)) for label, method in outcome.methods.items()}
        return replace(outcome, methods=changed)

    return predictor


def scaled_core(heads):
    return Head(heads.signal * np.array([1.05, 1.0]), heads.bias, heads.noise_norm, heads.noise_spread)


def scaled_head(heads):
    """No accuracy changes: only the joint test of heads can see it."""
    return Head(1.05 * heads.signal, 1.05 * heads.bias, heads.noise_norm, heads.noise_spread)


def shifted_bias(heads):
    return Head(heads.signal, 1.05 * heads.bias, heads.noise_norm, heads.noise_spread)


@pytest.fixture(scope="module")
def agreement():
    return check(llrsim.load(SMALL), seed=1, jobs=2)


def test_simulation_approaches_the_prediction(agreement):
    """Family-wise false alarm 1e-3 over four methods; fixed seed."""
    assert agreement.agrees, str(agreement)
    assert len(agreement.judged) == 4
    for method in agreement.judged:
        largest = np.abs(method.gaps).max(axis=1)
        assert largest[0] > largest[2], "the gap shrinks with n/d"


@pytest.mark.parametrize(("change", "replicates"), [(scaled_core, 24), (scaled_head, 24), (shifted_bias, 150)])
def test_a_formula_five_per_cent_off_disagrees(change, replicates):
    """The bias moves the accuracies less than the core weight does, so it takes more replicates to see."""
    assert not check(llrsim.load(SMALL), seed=1, jobs=2, replicates=replicates, predictor=wrong_by(change)).agrees
    assert check(llrsim.load(SMALL), seed=1, jobs=2, replicates=replicates).agrees


def test_a_wrong_group_order_disagrees():
    def swapped(experiment):
        outcome = llrsim.predict(experiment)
        test = outcome["erm"].test
        turned = replace(test, means=test.means[[1, 0, 3, 2]])
        return replace(outcome, methods={k: replace(m, test=turned) for k, m in outcome.methods.items()})

    assert not check(llrsim.load(SMALL), seed=1, jobs=2, predictor=swapped).agrees


def test_at_its_own_sizes_nothing_is_said_to_agree(agreement):
    for line in str(agreement).splitlines():
        if "at its own n/d" in line:
            assert "outside the population limit, largest gap" in line
            assert "agree" not in line
    ratios = {method.label: method.own_ratio for method in agreement.judged}
    assert ratios["erm"] == 60
    assert ratios["llr"] == 30


def test_saturated_groups_hide_nothing():
    """Two groups at accuracy one in every replicate, and a predictor whose test means are halved."""
    features = SMALL["features"] | {"core": {"mean": 1.0, "std": 0.1}, "spurious": {"mean": 0.8, "std": 0.05}}
    saturated = llrsim.load(SMALL | {"features": features | {"noise": {"dim": 10, "std": 0.05}}})

    def halved(experiment):
        outcome = llrsim.predict(experiment)
        turned = replace(outcome["erm"].test, means=0.02 * outcome["erm"].test.means)
        return replace(outcome, methods={k: replace(m, test=turned) for k, m in outcome.methods.items()})

    assert (llrsim.predict(saturated)["llr"].group_accuracy == 1.0).any()
    assert not check(saturated, seed=1, replicates=12, predictor=halved).agrees


def test_deterministic_heads_are_compared_too():
    """Full collapse turns the training rows into points: the head does not vary, and is compared all the same."""
    collapsed = llrsim.load(SMALL).with_values({"train.collapse.noise": 0.0})
    assert check(collapsed, seed=1, jobs=2).agrees
    assert not check(collapsed, seed=1, jobs=2, predictor=wrong_by(scaled_core)).agrees


def test_sizes_are_independent(monkeypatch):
    """The extrapolation adds the sizes' variances, so they must not share random numbers."""
    from llrsim.agreement import size_study

    asked = []

    def recorded(experiment, replicates, **options):
        asked.append(options["pairing"])
        return llrsim.simulate(experiment, replicates, **options)

    monkeypatch.setattr(size_study, "simulate", recorded)
    check(llrsim.load(SMALL), seed=1, replicates=6, ratios=(10, 20))
    assert set(asked) == {"independent"}


def test_deterministic_differences_are_certain():
    assert smallest_t(np.array([0.0, 50.0]), np.array([0.0, 1.0]), np.array([23.0])) < 1e-12
    assert smallest_t(np.array([0.1, 0.0]), np.array([0.0, 1.0]), np.array([23.0])) == 0.0
    assert smallest_t(np.zeros(2), np.zeros(2), np.array([23.0])) == 1.0
    assert hotelling(np.array([0.1, 0.0]), np.diag([0.0, 1.0]), 23) == 0.0
    assert hotelling(np.array([0.0, 9.0]), np.diag([0.0, 1.0]), 23) < 1e-6
    assert hotelling(np.zeros(2), np.zeros((2, 2)), 23) == 1.0


def test_what_cannot_be_judged_is_said():
    only = llrsim.load(SMALL).with_values({"head.loss": "max_margin"})
    agreement = check(only, seed=1, replicates=8, ratios=(5, 10))
    assert not agreement.judged
    assert not agreement.agrees
    assert "no prediction" in str(agreement)
    assert agreement.to_dict()["cells"][0]["methods"]["erm"]["p_value"] is None


def test_a_grid_is_judged_cell_by_cell():
    swept = llrsim.load(SMALL | {"sweep": {"grid": {"heldout.minority_ratio": [0.2, 0.5, 1.0]}}})
    agreement = check(swept, seed=1, replicates=8, ratios=(10, 30), cells=2)
    assert [cell.axes for cell in agreement.cells] == [{"heldout.minority_ratio": 0.2}, {"heldout.minority_ratio": 1.0}]


def test_resizing_keeps_the_proportions():
    experiment = llrsim.load(SMALL)
    large = resized(experiment, 500.0)
    assert sum(large.train_counts()) == sum(large.heldout_counts()) == 5000
    np.testing.assert_allclose(large.train_proportions, experiment.train_proportions, atol=1e-3)
    np.testing.assert_allclose(large.heldout_proportions, experiment.heldout_proportions, atol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": "proportional"}, "limit: 'proportional'"),
        ({"ratios": (10,)}, "ratios"),
        ({"ratios": (10, 10)}, "ratios"),
        ({"replicates": 3}, "replicates: 3"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        check(llrsim.load(SMALL), **options)


def test_extrapolation_is_exact_for_polynomials():
    x = np.array([0.3, 0.1, 0.02])
    weights = intercept_weights(x)
    assert weights @ (2.0 - 3.0 * x + 5.0 * x**2) == pytest.approx(2.0, abs=1e-12)


def test_p_values_are_uniform_and_move_with_the_mean():
    """800 synthetic studies: KS of both p-values against uniform at 1e-3; a shift of 0.6 deviations is the control.

    The joint test takes the least degrees of freedom of its entries, so its p-values may only be conservative.
    """
    rng = np.random.default_rng(0)
    weights = intercept_weights(np.array([0.5, 0.1]))
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


def test_holm_is_the_step_down():
    assert rejected(np.array([0.01, 0.02, 0.03]), 0.05).tolist() == [True, True, True]
    assert rejected(np.array([0.04, 0.01, 0.5]), 0.05).tolist() == [False, True, False]
    assert rejected(np.array([]), 0.05).tolist() == []


@pytest.mark.slow
def test_presets_agree():
    for name in ("quick", "waterbirds"):
        agreement = check(llrsim.load(name), seed=2, jobs=2)
        assert agreement.agrees, str(agreement)


@pytest.mark.slow
def test_false_alarms_over_forty_seeds():
    """At 5 % per family, 40 families: at most 7 alarms (probability of more under the null: 1e-3)."""
    alarms = sum(not check(llrsim.load(SMALL), seed=s, jobs=2, false_alarm=0.05).agrees for s in range(40))
    assert alarms <= 7
