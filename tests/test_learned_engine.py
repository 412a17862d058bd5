"""The learned simulator: raw features are the dense one's, the readout is empirical, and nothing else can take part."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom, chi2

import llrsim
from llrsim import prediction
from llrsim.experiment import ExperimentError
from llrsim.model.losses import Status
from llrsim.model.plan import plan
from llrsim.outcome import binomial_interval
from llrsim.simulation import memory, simulate_plan
from llrsim.simulation import network as engine
from llrsim.simulation.network import Kept

TEST_ROWS = 400
LEARNED = {"kind": "trained", "width": 12, "steps": 60, "step_size": 0.5, "momentum": 0.9, "test_rows": TEST_ROWS}
TABLES = {
    "features": {
        "core": {"mean": 1.0, "std": 0.6},
        "spurious": {"mean": 1.5, "std": 0.3},
        "noise": {"dim": 6, "std": 0.7},
    },
    "train": {"n": 60, "proportions": [0.4, 0.1, 0.1, 0.4]},
    "heldout": {"n": 48, "minority_ratio": 0.5, "class_prior": 0.3, "annotation_noise": 0.1},
    "head": {"ridge": 0.05},
    "method": [
        {"kind": "erm"},
        {"kind": "llr-on-train"},
        {"kind": "llr", "anchor": 0.3, "from": "erm"},
        {"kind": "dfr", "balance": "upsample", "head": {"loss": "squared_hinge"}},
        {"kind": "dfr", "name": "averaged", "balance": "subset", "average": 3},
        {"kind": "dfr", "name": "weighted"},
        {"kind": "cb-llr", "head": {"solver": {"steps": 30, "step_size": 0.2}}},
    ],
}


def experiment(**network):
    return llrsim.load(TABLES | {"network": LEARNED | network})


@pytest.fixture(scope="module")
def dense():
    return llrsim.simulate(llrsim.load(TABLES), 12)


@pytest.fixture(scope="module")
def raw():
    return llrsim.simulate(experiment(kind="raw"), 12)


def test_raw_features_give_the_dense_heads(dense, raw):
    """The same rows, weights, subsets, anchors and starts: the same heads, to the solvers' tolerance."""
    for method in dense:
        found = raw[method.label]
        np.testing.assert_allclose(found.heads.bias, method.heads.bias, atol=1e-6, err_msg=method.label)
        np.testing.assert_array_equal(found.status, method.status)
        np.testing.assert_array_equal(found.mass, method.mass)


def _distance(observed, exact, rows):
    """Sum of squared z-scores of counts, over the replicates of one method: test rows are drawn anew for each."""
    return (((observed - exact) ** 2 * rows) / (exact * (1 - exact))).sum()


def test_raw_accuracies_are_the_exact_ones_within_binomial_error(dense, raw):
    """48 counts a method with chi-square law; seven methods, false alarm 1e-4 each. A shift of 3 % must be seen."""
    for method in dense:
        exact, observed = method.readout.group_accuracy, raw[method.label].readout.group_accuracy
        assert _distance(observed, exact, TEST_ROWS) < chi2.isf(1e-4, exact.size), method.label
        shifted = np.clip(exact - 0.03, 0.01, 0.99)
        assert _distance(observed, shifted, TEST_ROWS) > chi2.isf(1e-4, exact.size), method.label


def test_the_readout_of_counts_is_that_of_accuracies(raw):
    found = raw["erm"]
    readout, test = found.readout, found.test
    np.testing.assert_array_equal(readout.wga, readout.group_accuracy.min(axis=1))
    np.testing.assert_allclose(readout.average_accuracy, readout.group_accuracy @ test.proportions)
    by_class = readout.group_accuracy.reshape(-1, 2, 2) @ np.array([[0.8, 0.2], [0.2, 0.8]]).T
    np.testing.assert_allclose(readout.worst_class_accuracy, np.minimum(by_class[:, 0, 0], by_class[:, 1, 1]))
    assert (readout.bias_part <= 0).all()
    assert np.isnan(readout.class_cosine).all()


def test_outcomes_say_which_readout_they_have(dense, raw):
    assert (dense.readout, dense.features) == ("exact", None)
    assert (raw.readout, raw.simulator, raw.paired) == ("empirical", "learned", True)
    assert raw.to_dict()["readout"] == "empirical"
    assert "learned), empirical readout" in repr(raw)
    assert raw.to_dict()["methods"]["erm"]["test_rows"] == TEST_ROWS
    one = llrsim.simulate(experiment(kind="raw"))
    low, high = one.to_dict()["methods"]["erm"]["group_accuracy_interval"]
    told = one["erm"].readout.group_accuracy[0]
    assert (np.array(low) < told).all()
    assert (told < np.array(high)).all()


@pytest.mark.parametrize("rows", [7, 400])
def test_binomial_intervals_cover(rows):
    """The probability that the interval covers, summed over all counts; a tenth less width must fail somewhere."""
    hits = np.arange(rows + 1)
    low, high = binomial_interval(hits / rows, rows)
    truths = np.linspace(0.005, 0.995, 199)
    law = binom.pmf(hits[:, None], rows, truths)

    def least(low, high):
        return (law * ((low[:, None] <= truths) & (truths <= high[:, None]))).sum(axis=0).min()

    assert least(low, high) >= 0.95
    assert least(low + 0.1 * (high - low), high - 0.1 * (high - low)) < 0.95


def test_numbers_do_not_depend_on_jobs_or_on_how_replicates_are_split():
    resolved = plan(experiment())
    whole = simulate_plan(resolved, replicates=5, seed=4)
    parts = [
        simulate_plan(resolved, replicates=3, seed=4, jobs=2),
        simulate_plan(resolved, replicates=2, first=3, seed=4),
    ]
    for method in whole:
        got = [part[method.label] for part in parts]
        for read in ("group_accuracy", "direction_wga"):
            split = np.concatenate([getattr(one.readout, read) for one in got])
            np.testing.assert_array_equal(getattr(method.readout, read), split)
        np.testing.assert_array_equal(method.heads.bias, np.concatenate([one.heads.bias for one in got]))
    for name, values in vars(whole.features).items():
        np.testing.assert_array_equal(values, np.concatenate([getattr(part.features, name) for part in parts]))
    other = simulate_plan(resolved, replicates=5, seed=4, law="another")
    assert not np.isin(whole["erm"].heads.bias, other["erm"].heads.bias).any()
    assert (whole.paired, other.paired) == (True, False)


def test_networks_and_test_rows_are_shared_over_held_out_compositions():
    one, other = (llrsim.simulate(experiment().with_values({"heldout.minority_ratio": r}), 2) for r in (0.2, 1.0))
    np.testing.assert_array_equal(one["erm"].readout.group_accuracy, other["erm"].readout.group_accuracy)
    np.testing.assert_array_equal(one.features.nc1_train, other.features.nc1_train)
    assert (one.features.nc1_heldout != other.features.nc1_heldout).all()
    assert (one["llr"].readout.group_accuracy != other["llr"].readout.group_accuracy).any()


def test_test_rows_are_none_of_those_that_heads_are_fitted_on():
    """With more dimensions than rows a head fits its own rows without error, and fresh ones with some."""
    memorising = experiment(kind="raw", test_rows=12).with_values(
        {"features.noise.dim": 200, "features.noise.std": 2.0}
    )
    memorising = memorising.replace(heldout={"n": 48, "minority_ratio": 1.0}, head={"ridge": 1e-4})
    memorising = memorising.replace(train={"counts": [12] * 4}, method=[{"kind": "erm"}, {"kind": "llr"}])
    for method in llrsim.simulate(memorising, 2):
        assert (method.readout.average_accuracy < 0.95).all()


@pytest.mark.parametrize(
    "change", [{"network.width": 13}, {"network.steps": 59}, {"network.ridge": 0.01}, {"features.core.mean": 1.1}]
)
def test_networks_that_are_kept_are_those_that_are_asked_for(change, monkeypatch):
    """One that was trained from another start, otherwise or on other rows is not taken for it."""
    llrsim.simulate(experiment())
    kept = llrsim.simulate(experiment().with_values(change)).features
    monkeypatch.setattr(engine, "_kept", Kept())
    assert kept.to_dict() == llrsim.simulate(experiment().with_values(change)).features.to_dict()


def test_large_networks_are_not_kept(monkeypatch):
    monkeypatch.setattr(engine, "LARGEST", 10)
    monkeypatch.setattr(engine, "_kept", None)
    assert llrsim.simulate(experiment())["erm"].outcome.ok


def test_training_collapses_the_training_features_most():
    """More dimensions than rows: the network fits every row, its training features collapse, held-out ones less."""
    learning = experiment(width=40, steps=300, ridge=1e-3).with_values({"features.noise.dim": 60, "train.n": 40})
    features = llrsim.simulate(learning, 3).features
    assert (features.train_accuracy == 1).all()
    assert (features.nc1_train < features.nc1_untrained / 5).all()
    assert (features.nc1_train < features.nc1_heldout / 2).all()
    assert features.output_accuracy.shape == (3, 4)
    control = llrsim.simulate(learning.with_values({"network.kind": "random-relu"}), 3).features
    np.testing.assert_array_equal(control.nc1_untrained, features.nc1_untrained)
    np.testing.assert_array_equal(control.nc1_train, control.nc1_untrained)
    assert np.isnan(control.train_accuracy).all()


def test_without_a_held_out_sample_its_collapse_is_unknown():
    tables = {name: value for name, value in TABLES.items() if name != "heldout"}
    outcome = llrsim.simulate(llrsim.load(tables | {"network": LEARNED, "method": [{"kind": "erm"}]}))
    assert np.isnan(outcome.features.nc1_heldout).all()
    assert np.isfinite(outcome.features.nc1_train).all()


def test_the_training_sample_is_drawn_even_where_no_head_is_fitted_on_it():
    outcome = llrsim.simulate(experiment().replace(method=[{"kind": "dfr"}]))
    assert np.isfinite(outcome.features.nc1_train).all()
    np.testing.assert_array_equal(outcome.features.nc1_train, llrsim.simulate(experiment()).features.nc1_train)


def test_a_diverged_network_leaves_no_heads():
    outcome = llrsim.simulate(experiment(step_size=1e12), 2)
    for method in outcome:
        assert method.outcome is Status.DIVERGED
        assert np.isnan(method.readout.wga).all()
    assert np.isfinite(outcome.features.nc1_untrained).all()
    assert np.isnan(outcome.features.nc1_train).all()
    assert "diverged" in repr(outcome)


def test_heads_that_start_from_one_that_failed_share_its_status():
    unlucky = experiment(kind="raw").replace(
        method=[{"kind": "erm", "head": {"loss": "max_margin"}}, {"kind": "llr", "from": "erm", "anchor": 0.1}]
    )
    outcome = llrsim.simulate(unlucky.with_values({"features.noise.dim": 0, "train.n": 400}))
    assert [method.outcome for method in outcome] == [Status.NOT_SEPARABLE] * 2


def test_too_many_rows_are_refused_with_the_numbers(monkeypatch):
    large = experiment(test_rows=10**6)
    message = (
        r"inputs and features need 0\.7 GB \(4000108 rows, 4000000 of them for the test, 9 inputs, 12 features, 1 "
    )
    monkeypatch.setattr(memory, "free_bytes", lambda: 10**8)
    with pytest.raises(MemoryError, match=message):
        llrsim.simulate(large)
    monkeypatch.setattr(memory, "free_bytes", lambda: None)
    assert llrsim.simulate(experiment())["erm"].outcome.ok


def test_there_is_no_prediction():
    for limit in prediction.LIMITS:
        assert {method.outcome for method in llrsim.predict(experiment(kind="raw"), limit)} == {Status.NO_PREDICTION}
    assert llrsim.predict(llrsim.load(TABLES))["erm"].outcome.ok


def test_what_cannot_take_part_says_so():
    resolved = plan(experiment())
    with pytest.raises(ExperimentError, match=r"network\.kind = 'trained': .*lazy simulator.*simulator = \"dense\""):
        simulate_plan(resolved, simulator="lazy")
    with pytest.raises(ExperimentError, match=r"network\.kind = 'trained': explain switches the laws"):
        llrsim.explain(experiment())
    with pytest.raises(ValueError, match="features are those of a network"):
        prediction.margin_law(experiment(), "erm")
    assert simulate_plan(resolved, simulator="dense").simulator == "learned"
    assert simulate_plan(replace(resolved, network=None), simulator="dense").simulator == "dense"
