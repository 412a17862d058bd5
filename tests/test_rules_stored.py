"""Methods whose weights are made by a rule, through the store, the hashes and the attribution."""

import numpy as np
import pytest
from sweep_cases import small

import llrsim
from llrsim.experiment import ExperimentError
from llrsim.model.plan import plan
from llrsim.sweep import open_results, run_sweep

METHODS = [
    {"kind": "erm"},
    {"kind": "llr"},
    {"kind": "afr"},
    {"kind": "llr", "name": "matched", "control": {"kind": "mass-matched", "of": "afr"}, "angle_to": "afr"},
    {"kind": "self", "k": 9},
]


@pytest.fixture(scope="module")
def experiment():
    return small().replace(method=METHODS)


@pytest.fixture(scope="module")
def results(experiment, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rules")
    run_sweep(experiment, out=folder)
    return open_results(folder)


def test_masses_shares_and_angles_come_back(experiment, results):
    cell = next(iter(results.outcomes()))
    fresh = llrsim.simulate(experiment.with_values(cell.axes), experiment.sweep.replicates)
    for label in ("afr", "matched", "self"):
        np.testing.assert_array_equal(cell.simulation[label].masses, fresh[label].masses)
        np.testing.assert_array_equal(cell.simulation[label].shares, fresh[label].shares)
        predicted = llrsim.predict(experiment.with_values(cell.axes))[label]
        np.testing.assert_allclose(cell.prediction[label].masses, predicted.masses, atol=1e-8)
    np.testing.assert_array_equal(cell.simulation["matched"].cosine, fresh["matched"].cosine)
    assert cell.simulation["llr"].masses is cell.simulation["llr"].cosine is None


def test_predictions_of_neighbours_on_one_law_keep_their_own_masses(experiment, tmp_path):
    swept = experiment.replace(sweep={"grid": {"method.afr.gamma": [1.0, 2.0, 8.0]}})
    run_sweep(swept, out=tmp_path, predict_only=True)
    for cell in open_results(tmp_path).outcomes():
        alone = llrsim.predict(experiment.with_values(cell.axes))["afr"]
        np.testing.assert_allclose(cell.prediction["afr"].masses, alone.masses, atol=1e-8)


def test_an_anchor_that_sets_in_along_a_run_is_predicted_as_it_is_alone(experiment, tmp_path):
    """From 0 on the earlier head's noise is one more coordinate, which the cell before has no solution for."""
    methods = [{"kind": "erm"}, {"kind": "llr", "from": "erm", "data": "fresh-train"}]
    swept = experiment.replace(method=methods, sweep={"grid": {"method.llr.anchor": [0.0, 0.1, 1.0]}})
    run_sweep(swept, out=tmp_path, predict_only=True)
    for cell in open_results(tmp_path).outcomes():
        alone = llrsim.predict(swept.replace(sweep={}).with_values(cell.axes))["llr"]
        np.testing.assert_allclose(cell.prediction["llr"].heads.signal, alone.heads.signal, rtol=1e-6)
        np.testing.assert_allclose(cell.prediction["llr"].heads.noise_norm, alone.heads.noise_norm, rtol=1e-6)


def test_rows_tell_mean_masses_shares_and_cosines(results):
    cell = next(iter(results.outcomes()))
    rows = {row["method"]: row for row in results.rows()[: len(METHODS)]}
    names = cell.simulation["afr"].test.group_names
    for label in ("afr", "self"):
        told = [[rows[label][f"{kind}{name}"] for name in names] for kind in ("mass", "share")]
        method = cell.simulation[label]
        np.testing.assert_allclose(told, [method.mean(method.masses), method.mean(method.shares)], rtol=1e-12)
    assert rows["self"]["share(-,+)"] != rows["self"]["mass(-,+)"]
    assert rows["matched"]["cosine"] == pytest.approx(cell.simulation["matched"].cosine.mean())
    assert rows["llr"]["share(-,+)"] is rows["llr"]["cosine"] is None
    assert sum(rows["llr"][f"mass{name}"] for name in names) == pytest.approx(1.0)


def test_a_method_is_what_it_refers_to(experiment):
    """Its hash changes with the scoring head, and that of a control with what is controlled; not with names."""
    changed = experiment.with_values({"method.afr.gamma": 5.0})
    same = {label: experiment.method_hash(label) == changed.method_hash(label) for label in experiment.method_labels}
    assert same == {"erm": True, "llr": True, "afr": False, "matched": False, "self": True}
    other_head = experiment.with_values({"method.erm.head.ridge": 0.2})
    assert other_head.method_hash("self") != experiment.method_hash("self")


def test_only_what_splits_is_explained(experiment):
    told = llrsim.explain(experiment, side="prediction")
    assert [split.label for split in told] == ["llr"]
    with pytest.raises(ExperimentError, match=r"method\.afr: its weights or its loss are made by a rule.*mass-matched"):
        llrsim.explain(experiment, methods=["afr"])


def test_restricted_plans_keep_what_is_needed(experiment):
    kept = plan(experiment).restricted([3])
    assert [stage.label for stage in kept.stages] == ["erm", "afr", "matched"]
    assert kept.stages[2].reweighting.first == kept.stages[2].angle_to == 1
    alone = plan(experiment).restricted([1])
    assert [stage.label for stage in alone.stages] == ["llr"]


def test_a_size_study_selects_the_same_share(experiment):
    from llrsim.agreement.growth import ProportionalGrowth

    grown = ProportionalGrowth((30, 60)).resized(experiment, 30)
    assert grown.method_of("self").k == 90
    assert sum(grown.heldout_counts()) == 10 * sum(experiment.heldout_counts())
