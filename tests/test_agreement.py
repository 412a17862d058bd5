"""The size study: calibrated where simulation and prediction agree, and not fooled by a formula a few per cent off."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import llrsim
from llrsim.agreement import check
from llrsim.agreement.growth import PopulationGrowth, ProportionalGrowth
from llrsim.model.head import Head

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


population = partial(check, limit="population")


def wrong_by(change):
    """A predictor whose heads are changed."""

    def predictor(experiment):
        outcome = llrsim.predict(experiment, "population")
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
    return population(llrsim.load(SMALL), seed=1, jobs=2)


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
    assert not population(llrsim.load(SMALL), seed=1, jobs=2, replicates=replicates, predictor=wrong_by(change)).agrees
    assert population(llrsim.load(SMALL), seed=1, jobs=2, replicates=replicates).agrees


def test_a_wrong_group_order_disagrees():
    def swapped(experiment):
        outcome = llrsim.predict(experiment, "population")
        test = outcome["erm"].test
        turned = replace(test, means=test.means[[1, 0, 3, 2]])
        return replace(outcome, methods={k: replace(m, test=turned) for k, m in outcome.methods.items()})

    assert not population(llrsim.load(SMALL), seed=1, jobs=2, predictor=swapped).agrees


def test_at_its_own_sizes_nothing_is_said_to_agree(agreement):
    for line in str(agreement).splitlines():
        if "at its own n/d" in line:
            assert "outside the population limit, largest gap" in line
            assert "agree" not in line
    ratios = {method.label: method.own_size for method in agreement.judged}
    assert ratios["erm"] == 60
    assert ratios["llr"] == 30


def test_saturated_groups_hide_nothing():
    """Two groups at accuracy one in every replicate, and a predictor whose test means are halved."""
    features = SMALL["features"] | {"core": {"mean": 1.0, "std": 0.1}, "spurious": {"mean": 0.8, "std": 0.05}}
    saturated = llrsim.load(SMALL | {"features": features | {"noise": {"dim": 10, "std": 0.05}}})

    def halved(experiment):
        outcome = llrsim.predict(experiment, "population")
        turned = replace(outcome["erm"].test, means=0.02 * outcome["erm"].test.means)
        return replace(outcome, methods={k: replace(m, test=turned) for k, m in outcome.methods.items()})

    assert (llrsim.predict(saturated, "population")["llr"].group_accuracy == 1.0).any()
    assert not population(saturated, seed=1, replicates=12, predictor=halved).agrees


def test_deterministic_heads_are_compared_too():
    """Full collapse turns the training rows into points: the head does not vary, and is compared all the same."""
    collapsed = llrsim.load(SMALL).with_values({"train.collapse.noise": 0.0})
    assert population(collapsed, seed=1, jobs=2).agrees
    assert not population(collapsed, seed=1, jobs=2, predictor=wrong_by(scaled_core)).agrees


def test_sizes_are_independent(monkeypatch):
    """The extrapolation adds the sizes' variances, so they must not share random numbers."""
    from llrsim.agreement import size_study

    asked = []

    def recorded(experiment, replicates, **options):
        asked.append(options["pairing"])
        return llrsim.simulate(experiment, replicates, **options)

    monkeypatch.setattr(size_study, "simulate", recorded)
    population(llrsim.load(SMALL), seed=1, replicates=6, ratios=(10, 20))
    assert set(asked) == {"independent"}


def test_what_cannot_be_judged_is_said():
    only = llrsim.load(SMALL).with_values({"head.loss": "max_margin"})
    agreement = population(only, seed=1, replicates=8, ratios=(5, 10))
    assert not agreement.judged
    assert not agreement.agrees
    assert "no prediction" in str(agreement)
    assert agreement.to_dict()["cells"][0]["methods"]["erm"]["p_value"] is None


def test_a_grid_is_judged_cell_by_cell():
    swept = llrsim.load(SMALL | {"sweep": {"grid": {"heldout.minority_ratio": [0.2, 0.5, 1.0]}}})
    agreement = population(swept, seed=1, replicates=8, ratios=(10, 30), cells=2)
    assert [cell.axes for cell in agreement.cells] == [{"heldout.minority_ratio": 0.2}, {"heldout.minority_ratio": 1.0}]


def test_resizing_keeps_the_proportions():
    experiment = llrsim.load(SMALL)
    large = PopulationGrowth().resized(experiment, 500.0)
    assert sum(large.train_counts()) == sum(large.heldout_counts()) == 5000
    np.testing.assert_allclose(large.train_proportions, experiment.train_proportions, atol=1e-3)
    np.testing.assert_allclose(large.heldout_proportions, experiment.heldout_proportions, atol=1e-3)


def test_dimensions_grow_at_fixed_shape():
    """Twice the noise dimension: twice the rows, in the same proportions, and each eigenvalue twice as often."""
    noise = {"spectrum": [[0.5, 6], [2.0, 4]], "std": 0.8}
    experiment = llrsim.load(SMALL | {"features": SMALL["features"] | {"noise": noise}})
    growth = ProportionalGrowth((5, 20))
    assert growth.sizes(experiment) == (5, 20)
    half, double = (growth.resized(experiment, size) for size in growth.sizes(experiment))
    assert half.features.noise.spectrum == ((0.5, 3), (2.0, 2))
    assert double.features.noise.spectrum == ((0.5, 12), (2.0, 8))
    assert double.train_counts() == tuple(2 * n for n in experiment.train_counts())
    assert double.heldout_counts() == tuple(2 * n for n in experiment.heldout_counts())
    assert (sum(half.train_counts()), sum(half.heldout_counts())) == (300, 150)
    assert growth.resized(llrsim.load(SMALL), 20).noise_dim == 20


def test_default_dimensions_are_lower_where_rows_are_many():
    growth = ProportionalGrowth()
    for n, expected in ((20, (100, 200, 400)), (500, (100, 200, 400)), (1000, (50, 100, 200)), (10**6, (10, 20, 40))):
        assert growth.sizes(llrsim.load(SMALL).with_values({"train.n": n})) == expected


def test_a_group_must_keep_a_row():
    rare = llrsim.load(SMALL).with_values({"train.counts": [40, 10, 1, 40]})
    with pytest.raises(ValueError, match=r"dims: 2; train would have \[8, 2, 0, 8\] rows, so a group has none"):
        ProportionalGrowth().resized(rare, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": "finite"}, "limit: 'finite'; expected one of proportional, population"),
        ({"ratios": (10, 20)}, r"ratios: \(10, 20\); in the proportional limit"),
        ({"limit": "population", "dims": (10, 20)}, r"dims: \(10, 20\); in the population limit"),
        ({"limit": "population", "ratios": (10,)}, "ratios"),
        ({"limit": "population", "ratios": (10, 10)}, "ratios"),
        ({"dims": (10,)}, "dims"),
        ({"replicates": 3}, "replicates: 3"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        check(llrsim.load(SMALL), **options)


@pytest.mark.slow
def test_presets_agree():
    for name in ("quick", "waterbirds"):
        agreement = population(llrsim.load(name), seed=2, jobs=2)
        assert agreement.agrees, str(agreement)


@pytest.mark.slow
def test_false_alarms_over_forty_seeds():
    """At 5 % per family, 40 families: at most 7 alarms (probability of more under the null: 1e-3)."""
    alarms = sum(not population(llrsim.load(SMALL), seed=s, jobs=2, false_alarm=0.05).agrees for s in range(40))
    assert alarms <= 7
