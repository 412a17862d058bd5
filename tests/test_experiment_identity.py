"""Hashes see every part of a law, and nothing that does not change it."""

import json
import random

import msgspec
import pytest
from experiment_tables import SMALL, STUDY, changed, examples, experiments
from hypothesis import given
from hypothesis import strategies as st

from llrsim.experiment import Experiment, load

pytestmark = pytest.mark.filterwarnings("ignore::llrsim.experiment.EmptyGroupWarning")


@examples(20)
@given(experiments(), st.randoms(use_true_random=False))
def test_hashes_ignore_the_order_of_keys(tables, shuffle):
    assert _hashes(load(_shuffled(tables, shuffle))) == _hashes(load(tables))


@examples(20)
@given(experiments())
def test_canonical_json_is_sorted_and_complete(tables):
    experiment = load(tables)

    def sorted_table(pairs):
        assert [key for key, _ in pairs] == sorted(key for key, _ in pairs)
        return dict(pairs)

    written = json.loads(experiment.to_json(), object_pairs_hook=sorted_table)
    assert set(written["head"]) == {"loss", "ridge", "solver"}
    assert written["train"]["n"] == experiment.train.n


def _hashes(experiment):
    axes = experiment.sweep.grid  # axes keep their order: it is that of the cells
    return experiment.replace(sweep={}).hash, experiment.cell_law_hash, {axis.key for axis in axes}


def _shuffled(value, shuffle: random.Random):
    if isinstance(value, dict):
        items = [(key, _shuffled(item, shuffle)) for key, item in value.items()]
        shuffle.shuffle(items)
        return dict(items)
    return [_shuffled(item, shuffle) for item in value] if isinstance(value, list) else value


LAW_CHANGES = {
    "core mean": {"features.core.mean": 1.1},
    "core std": {"features.core.std": 0.7},
    "spurious mean": {"features.spurious.mean": 1.4},
    "spurious std": {"features.spurious.std": 0.4},
    "noise dimensions": {"features.noise.dim": 41},
    "noise std": {"features.noise.std": 1.1},
    "noise std of one group": {"features.noise.std": [1, 1, 1, 2]},
    "spectrum": {"features.noise.spectrum": [[1.0, 39], [2.0, 1]]},
    "attributes": {"features.attributes": [-1, 2, -1, 1]},
    "train size": {"train.n": 1201},
    "train counts": {"train.counts": [875, 46, 15, 264]},
    "train collapse of the noise": {"train.collapse.noise": 0.4},
    "train collapse of the attribute": {"train.collapse.attribute": [1, 0.5, 0.5, 1]},
    "heldout size": {"heldout.n": 404},
    "heldout composition": {"heldout.minority_ratio": 0.5},
    "heldout classes": {"heldout.class_prior": 0.25},
    "heldout collapse": {"heldout.collapse.noise": 0.9, "test.collapse": {"noise": 1.0}},
    "annotation noise": {"heldout.annotation_noise": 0.1},
    "test proportions": {"test.proportions": [0.25, 0.25, 0.25, 0.25]},
    "test collapse": {"test.collapse": {"attribute": 0.5}},
}


@pytest.mark.parametrize("values", LAW_CHANGES.values(), ids=LAW_CHANGES)
def test_the_law_hash_sees_every_part_of_the_law(values):
    experiment = load(SMALL)
    other = experiment.with_values(values)
    assert other.cell_law_hash != experiment.cell_law_hash
    assert other.hash != experiment.hash
    assert other.method_hash("dfr-5") == experiment.method_hash("dfr-5")


NO_LAW_CHANGES = {
    "name": {"name": "other"},
    "sweep": {"sweep.replicates": 7, "sweep.seed": 3, "sweep.simulator": "dense"},
    "study": {"study": STUDY},
    "axes": {"sweep.grid": {"train.n": [400, 800]}},
    "head": {"head.ridge": 1.0},
    "method": {"method.dfr-5.average": 2},
    "counts for proportions": {"train.counts": [875, 46, 14, 265]},
    "proportions for a ratio": {"heldout.proportions": [0.4, 0.1, 0.1, 0.4]},
    "per dimension": {"train.n_per_dim": 30},
    "collapse per group": {"train.collapse.noise": [0.5] * 4},
    "spectrum of ones": {"features.noise.spectrum": [[1, 30], [1.0, 10]]},
    "standard groups in full": {"features.labels": [-1, -1, 1, 1], "features.attributes": [-1, 1, -1, 1]},
    "test defaults in full": {"test.collapse": {"noise": 1, "attribute": 1}},
}


@pytest.mark.parametrize("values", NO_LAW_CHANGES.values(), ids=NO_LAW_CHANGES)
def test_equal_laws_described_differently_share_a_hash(values):
    experiment = load(SMALL)
    other = experiment.with_values(values)
    assert other != experiment
    assert other.cell_law_hash == experiment.cell_law_hash


def test_explicit_means_share_the_hash_of_coordinates():
    tables = changed({("features", "core"): None, ("features", "spurious"): None})
    tables["features"] |= {
        "means": [[-1, -1.5], [-1, 1.5], [1, -1.5], [1, 1.5]],
        "covariances": [[[0.6 * 0.6, 0.0], [0.0, 0.3 * 0.3]]] * 4,
    }
    assert load(tables).cell_law_hash == load(SMALL).cell_law_hash


def test_the_experiment_hash_ignores_only_name_study_and_replicates():
    experiment = load(SMALL)
    studied = experiment.replace(study=STUDY)
    assert studied.hash == experiment.hash
    assert studied.with_values({"study.rule": "another"}).hash == experiment.hash
    assert [studied.method_hash(label) for label in studied.method_labels] == [
        experiment.method_hash(label) for label in experiment.method_labels
    ]
    assert experiment.with_values({"name": "x", "sweep.replicates": 99}).hash == experiment.hash
    for values in ({"sweep.seed": 1}, {"head.ridge": 0.02}, {"method.llr.anchor": 0.0, "method.llr.from": "erm"}):
        assert experiment.with_values(values).hash != experiment.hash


def test_canonical_json_of_a_descent_reads_back():
    experiment = load(SMALL).with_values({"head.solver": {"steps": 5, "step_size": 0.1}})
    assert msgspec.json.decode(experiment.to_json(), type=Experiment) == experiment


def test_whole_numbers_and_floats_are_one():
    tables = changed({("features", "core", "mean"): 1, ("heldout", "collapse"): {"noise": 1}})
    assert load(tables) == load(SMALL)
    assert load(tables).to_json() == load(SMALL).to_json()


def test_a_method_hash_is_what_the_method_does():
    experiment = load(SMALL)
    as_head = experiment.with_values({"head.ridge": 0.5, "method.erm.head.ridge": 0.01, "method.llr.head.ridge": 0.01})
    assert as_head.method_hash("llr") == experiment.method_hash("llr")
    assert as_head.method_hash("dfr-5") != experiment.method_hash("dfr-5")
    assert experiment.with_values({"method.dfr-5.name": "x"}).method_hash("x") == experiment.method_hash("dfr-5")
    assert experiment.with_values({"method.llr.data": "heldout"}).method_hash("llr") == experiment.method_hash("llr")
    assert experiment.with_values({"method.llr.data": "train"}).method_hash("llr") != experiment.method_hash("llr")
    warm = experiment.with_values({"method.llr.from": "erm"})
    assert warm.method_hash("llr") != experiment.method_hash("llr")
    warmer = warm.with_values({"method.erm.head.ridge": 0.7})
    assert warmer.method_hash("llr") != warm.method_hash("llr")
