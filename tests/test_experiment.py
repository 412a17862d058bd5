"""Reading and changing experiments: round trips, what is derived from a description, and changes by dotted path."""

import json
import pickle
import subprocess
import sys
import tomllib

import msgspec
import numpy as np
import pytest
from experiment_tables import SMALL, changed, examples, experiments
from hypothesis import given

from llrsim import experiment as description
from llrsim.experiment import Axis, Collapse, Descent, Experiment, ExperimentError, FitOptions, load
from llrsim.experiment.experiment import parse_settings

pytestmark = pytest.mark.filterwarnings("ignore::llrsim.experiment.EmptyGroupWarning")


@examples(40)
@given(experiments())
def test_file_round_trip_keeps_every_experiment(tmp_path_factory, tables):
    experiment = load(tables)
    file = tmp_path_factory.mktemp("toml") / "experiment.toml"
    file.write_text(experiment.to_toml(), encoding="utf-8")
    again = load(file)
    if experiment.name == "experiment":  # a file without a name is called after itself, here the same
        assert file.stem == "experiment"
    assert again == experiment
    assert hash(again) == hash(experiment)
    assert (again.hash, again.cell_law_hash) == (experiment.hash, experiment.cell_law_hash)
    assert pickle.loads(pickle.dumps(experiment)) == experiment


def test_names_of_any_script_survive_a_file():
    experiment = load(SMALL | {"name": 'Ω "two" \\ 𐹠'})
    assert load(tomllib.loads(experiment.to_toml())) == experiment


def test_counts_go_by_largest_remainder():
    experiment = load(SMALL)
    assert experiment.train_counts() == (875, 46, 14, 265)
    assert experiment.heldout_counts() == (160, 40, 40, 160)
    assert experiment.with_values({"heldout.n": 10, "heldout.minority_ratio": 1}).heldout_counts() == (3, 3, 2, 2)
    assert experiment.with_values({"heldout.class_prior": 0.25}).heldout_counts() == (240, 60, 20, 80)
    assert experiment.with_values({"heldout.minority_ratio": 0}).heldout_counts() == (200, 0, 0, 200)
    assert experiment.with_values({"train.n_per_dim": 2.0125}).train_counts() == (58, 3, 1, 18)
    assert sum(experiment.train_proportions) == pytest.approx(1.0, abs=1e-15)


def test_geometry_of_the_groups():
    experiment = load(changed({("features", "core"): {"mean": [1.0, 2.0], "std": 0.5}}))
    assert experiment.labels == (-1, -1, 1, 1)
    assert experiment.attributes == (-1.0, 1.0, -1.0, 1.0)
    assert (experiment.group_count, experiment.signal_dim, experiment.noise_dim) == (4, 3, 40)
    assert experiment.signal_means == ((-1, -2, -1.5), (-1, -2, 1.5), (1, 2, -1.5), (1, 2, 1.5))
    assert experiment.signal_covariances[2] == ((0.25, 0, 0), (0, 0.25, 0), (0, 0, 0.09))
    assert load(changed({("features", "noise"): {"spectrum": [4, [1.0, 9]]}})).noise_dim == 10


def test_methods_take_kind_and_name_from_one_another():
    experiment = load(changed({("method",): [{"name": "erm"}, {"kind": "llr", "name": "a.b"}]}))
    assert [(method.kind, method.label) for method in experiment.method] == [("erm", "erm"), ("llr", "a.b")]
    assert experiment.with_values({"method.a.b.head.ridge": 2}).head_of("a.b").ridge == 2.0
    assert load(changed({("method",): None})).method_labels == ("erm", "llr", "cb-llr", "dfr")


def test_test_features_default_to_the_heldout_ones():
    assert load(SMALL).test_collapse == Collapse()
    assert load(changed({("heldout", "collapse"): {"noise": 0.3}})).test_collapse == Collapse(noise=0.3)
    alone = changed({("heldout",): None, ("method",): [{"kind": "erm"}]})
    assert load(alone).test_collapse == Collapse()


def test_a_composition_replaces_its_alternatives_and_keeps_the_size():
    experiment = load(changed({("heldout",): {"counts": [100, 100, 100, 50]}}))
    assert experiment.with_values({"heldout.minority_ratio": 1}).heldout_counts() == (88, 88, 87, 87)
    assert experiment.with_values({"heldout.minority_ratio": 1, "heldout.n": 8}).heldout_counts() == (2, 2, 2, 2)
    assert experiment.with_values({"heldout.n": 350}).heldout_counts() == (100, 100, 100, 50)
    with pytest.raises(ExperimentError, match=r"heldout\.n = 900: must be 350, the sum of heldout\.counts"):
        experiment.with_values({"heldout.n": 900})
    assert load(SMALL).with_values({"train.n_per_dim": 2}).train.n is None
    assert load(SMALL).with_values({"train.n_per_dim": 2}).with_values({"train.n": 9}).train.n_per_dim is None
    ratio = load(SMALL).with_values({"heldout.class_prior": 0.3, "heldout.minority_ratio": 1})
    assert ratio.with_values({"heldout.counts": [9, 9, 9, 9]}).heldout == description.Heldout(counts=(9, 9, 9, 9))


def test_a_solver_key_of_a_method_changes_its_effective_solver():
    shared = {"steps": 50, "step_size": 0.1}
    experiment = load(changed({("head",): {"solver": shared}}))
    other = experiment.with_values({"method.llr.head.solver.steps": 7})
    assert other.head_of("llr").solver == Descent(steps=7, step_size=0.1)
    assert other.head_of("erm").solver == Descent(steps=50, step_size=0.1)


def test_changes_leave_their_arguments_alone():
    experiment, table = load(SMALL), {"noise": 0.3}
    other = experiment.with_values({"train.collapse": table}).with_values({"train.collapse.attribute": 0.2})
    assert other.train.collapse == Collapse(noise=0.3, attribute=0.2)
    assert table == {"noise": 0.3}
    assert other.with_values({"train.collapse": None}).train.collapse == Collapse()
    assert experiment == load(SMALL)


def test_replace_takes_structs_and_tables():
    experiment = load(SMALL)
    assert experiment.replace(head=FitOptions(ridge=0.5)) == experiment.replace(head={"ridge": 0.5})
    assert experiment.replace(head={"ridge": 0.5}).replace(head=None) == experiment
    axes = description.Sweep(grid=(Axis(key="train.n", values=(400, 800)),))
    assert experiment.replace(sweep=axes) == experiment.with_values({"sweep.grid.train.n": [400, 800]})


def test_structs_and_arrays_make_the_same_experiment_as_tables():
    loaded = load(SMALL)
    built = Experiment(
        name="small",
        features=loaded.features,
        train=description.Train(
            n=1200, proportions=np.array([0.7295, 0.0384, 0.0117, 0.2204]), collapse=Collapse(noise=np.float64(0.5))
        ),
        heldout=loaded.heldout,
        method=list(loaded.method),
    )
    assert built == loaded
    assert hash(built) == hash(loaded)


def test_settings_are_read_as_toml_else_as_text():
    texts = ["train.n = 900", "heldout.proportions=[0.25,0.25,0.25,0.25]", "head.loss=hinge", 'name="a=b"', "x=1\ny=2"]
    expected = [900, [0.25] * 4, "hinge", "a=b", "1\ny=2"]
    assert list(parse_settings(texts).values()) == expected
    with pytest.raises(ExperimentError, match="key=value"):
        parse_settings(["train.n"])


def test_every_preset_loads():
    assert "quick" in description.preset_names()
    for name in description.preset_names():
        assert load(name).name == name


def test_the_json_schema_names_the_keys_of_files():
    schema = json.loads(description.schema_json())
    definitions = schema["$defs"]
    assert set(definitions["Experiment"]["properties"]) == {
        field.encode_name for field in msgspec.structs.fields(Experiment)
    }
    assert "from" in definitions["Method"]["properties"]
    assert definitions["Sweep"]["properties"]["grid"]["type"] == "object"
    assert not definitions["Train"]["additionalProperties"]


def test_importing_a_description_loads_no_numerical_library():
    code = "import sys, llrsim.experiment; sys.exit(any(m in sys.modules for m in ('numpy', 'numba', 'scipy')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
