"""The [network] section: what it accepts, what it means for identity, and how it is swept."""

import tomllib

import pytest

import llrsim
from llrsim.experiment import ExperimentError, Grid, Network

TRAINED = {"kind": "trained", "steps": 50, "step_size": 0.5}
TABLES = {
    "features": {"core": {"mean": 1.0, "std": 0.6}, "spurious": {"mean": 1.0, "std": 0.3}, "noise": {"dim": 3}},
    "train": {"n": 40, "proportions": [0.4, 0.1, 0.1, 0.4]},
    "heldout": {"n": 40, "minority_ratio": 1.0},
    "network": TRAINED,
}


def experiment(**network):
    return llrsim.load(TABLES | {"network": TRAINED | network})


@pytest.mark.parametrize(
    ("method", "key"),
    [
        ({"kind": "afr"}, "gamma"),
        ({"kind": "group-dro"}, "kind"),
        ({"kind": "llr", "control": {"kind": "size-matched", "of": "erm"}}, "control"),
    ],
)
def test_heads_on_features_have_fixed_weights(method, key):
    with pytest.raises(ExperimentError, match=rf"method\.m\.{key}: beside .* heads are fitted with fixed weights"):
        llrsim.load(TABLES | {"method": [{"kind": "erm"}, method | {"name": "m"}]})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"network.kind": "deep"}, r"network\.kind = 'deep': accepted: raw, random-relu, trained"),
        ({"network.depth": 2}, r"network\.depth: unknown key.*accepted in network: kind, width"),
        ({"network.width": 0}, r"network\.width = 0: must be from 1 to 100000 hidden units"),
        ({"network.steps": None}, r"network\.steps: missing; a trained network needs steps and step_size"),
        ({"network.step_size": None}, r"network\.step_size: missing"),
        ({"network.steps": 0}, r"network\.steps = 0: must be at least 1"),
        ({"network.step_size": 0.0}, r"network\.step_size = 0\.0: must be above 0"),
        ({"network.momentum": 1.0}, r"network\.momentum = 1\.0: must be in \[0, 1\)"),
        ({"network.ridge": -1.0}, r"network\.ridge = -1\.0: must be at least 0"),
        ({"network.test_rows": 0}, r"network\.test_rows = 0: must be from 1 to 10000000 rows of each group"),
        ({"train.collapse.noise": 0.5}, r"train\.collapse\.noise = 0\.5: must be 1 beside \[network\]"),
        ({"heldout.collapse.attribute": [1.0, 1.0, 0.5, 1.0]}, r"heldout\.collapse\.attribute = \[1\.0, 1\.0, 0\.5"),
        ({"test.collapse": {"noise": 0.9}}, r"test\.collapse\.noise = 0\.9: must be 1 beside \[network\]"),
        ({"sweep.simulator": "lazy"}, r"sweep\.simulator = 'lazy': must be auto or dense beside \[network\]"),
        (
            {"method": [{"kind": "erm"}, {"kind": "afr"}]},
            r"method\.afr\.gamma: beside \[network\] heads are fitted with fixed weights",
        ),
        (
            {"method": [{"kind": "erm"}, {"kind": "llr", "angle_to": "erm"}]},
            r"method\.llr\.angle_to: beside \[network\]",
        ),
        (
            {"method.erm.head": {"solver": {"steps": 5, "step_size": 0.1, "path": [5]}}},
            r"method\.erm\.head\.solver\.path = \[5\]: heads on a network's features are tested at the end only",
        ),
    ],
)
def test_errors_name_the_key_the_value_and_what_is_accepted(values, message):
    with pytest.raises(ExperimentError, match=message):
        experiment().with_values(values)


def test_keys_without_a_network_are_free():
    """The control: what is refused beside a network is accepted without one."""
    free = llrsim.load({name: value for name, value in TABLES.items() if name != "network"})
    assert free.with_values({"train.collapse.noise": 0.5, "sweep.simulator": "lazy"}).network is None


def test_a_kind_needs_only_its_own_keys():
    assert llrsim.load(TABLES | {"network": {"kind": "raw"}}).network == Network(kind="raw")
    assert llrsim.load(TABLES | {"network": {"kind": "random-relu", "width": 7}}).network.width == 7


def test_the_network_is_part_of_the_law():
    laws = {
        experiment(**change).cell_law_hash
        for change in (
            {}, {"kind": "raw"}, {"kind": "random-relu"}, {"steps": 51}, {"step_size": 0.4}, {"momentum": 0.5},
            {"ridge": 0.1}, {"width": 201}, {"test_rows": 10},
        )
    }  # fmt: skip
    assert len(laws) == 9


def test_keys_that_a_kind_has_no_use_for_leave_its_law():
    for change in ({"steps": 51}, {"step_size": 0.4}, {"momentum": 0.5}, {"ridge": 0.1}):
        for kind in ("raw", "random-relu"):
            assert experiment(kind=kind, **change).cell_law_hash == experiment(kind=kind).cell_law_hash
    assert experiment(kind="raw", width=3).cell_law_hash == experiment(kind="raw").cell_law_hash
    assert experiment(kind="random-relu", width=3).cell_law_hash != experiment(kind="random-relu").cell_law_hash


def test_experiments_without_a_network_keep_their_hashes():
    """Hashes of a shipped preset from before there were networks; they key stored results."""
    quick = llrsim.load("quick")
    assert quick.cell_law_hash == "c492537d6857eef8"
    assert experiment().hash != experiment(width=3).hash


def test_files_with_a_network_are_written_as_they_are_read():
    told = experiment(kind="random-relu", width=12)
    assert llrsim.load(tomllib.loads(told.to_toml())) == told


def test_kinds_are_swept():
    axes = {"network.kind": ["raw", "trained"], "network.width": [5, 9]}
    grid = Grid(experiment().replace(sweep={"grid": axes}))
    found = [grid.experiment(cell).network for cell in range(len(grid))]
    assert [(network.kind, network.width) for network in found] == [
        ("raw", 5), ("raw", 9), ("trained", 5), ("trained", 9),
    ]  # fmt: skip
    with pytest.raises(ExperimentError, match=r"network\.kind"):
        Grid(experiment().replace(sweep={"grid": {"network.kind": ["raw", "deep"]}}))
