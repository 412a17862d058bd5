"""Sweeps of experiments with a network: stored, resumed and read back with their empirical readout."""

import numpy as np
import pytest

import llrsim
from llrsim.commands import main
from llrsim.sweep import open_results

TABLES = {
    "name": "learned",
    "features": {
        "core": {"mean": 1.0, "std": 0.6},
        "spurious": {"mean": 1.5, "std": 0.3},
        "noise": {"dim": 5, "std": 0.7},
    },
    "train": {"n": 40, "proportions": [0.4, 0.1, 0.1, 0.4]},
    "heldout": {"n": 40, "minority_ratio": 0.25},
    "network": {"kind": "raw", "width": 8, "steps": 30, "step_size": 0.5, "momentum": 0.9, "test_rows": 50},
    "head": {"ridge": 0.1},
    "method": [{"kind": "erm"}, {"kind": "dfr"}],
    "sweep": {
        "replicates": 4,
        "grid": {"network.kind": ["raw", "random-relu", "trained"], "heldout.minority_ratio": [0.25, 1.0]},
    },
}


def experiment(**sweep):
    return llrsim.load(TABLES | {"sweep": TABLES["sweep"] | sweep})


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return llrsim.run_sweep(experiment(), out=tmp_path_factory.mktemp("learned"), jobs=2)


def test_cells_are_read_back_as_they_were_simulated(results):
    for number, cell in enumerate(results.outcomes()):
        alone = llrsim.simulate(results.grid.experiment(number), 4)
        assert cell.simulation.readout == alone.readout == "empirical"
        assert (cell.simulation.simulator, cell.simulation.paired) == ("learned", True)
        for method in alone:
            for name, values in vars(method.readout).items():
                np.testing.assert_array_equal(getattr(cell.simulation[method.label].readout, name), values, name)
        for name, values in vars(alone.features).items():
            np.testing.assert_array_equal(getattr(cell.simulation.features, name), values, name)
        assert not any(method.outcome.ok for method in cell.prediction)


def test_rows_have_the_counted_accuracies_and_no_weights(results):
    (row,) = results.select(method="dfr", kind="trained", minority_ratio=1.0)
    cell = [cell.simulation for cell in results.outcomes()][-1]
    assert row["simulator"] == "learned"
    assert row["paired"] is True
    assert row["wga"] == pytest.approx(cell["dfr"].wga)
    assert row["accuracy(+,-)"] == pytest.approx(cell["dfr"].group_accuracy[2])
    assert row["bias"] is not None
    assert row["signal1"] is row["noise_norm"] is row["predicted_wga"] is None
    assert row["predicted_status"] == "no-prediction"


def test_a_sweep_grows_to_what_one_run_gives(results, tmp_path):
    """More replicates, then another kind of network, on another number of workers: the same rows as at once."""
    first = experiment(replicates=2, grid=TABLES["sweep"]["grid"] | {"network.kind": ["raw", "trained"]})
    llrsim.run_sweep(first, out=tmp_path, jobs=1)
    grown = llrsim.run_sweep(experiment(), out=tmp_path, jobs=2)
    assert grown.rows() == results.rows()
    for ours, theirs in zip(grown.outcomes(), results.outcomes(), strict=True):
        assert ours.simulation.features.to_dict() == theirs.simulation.features.to_dict()


def test_networks_of_later_units_are_read_back_in_their_place(tmp_path):
    """A unit holds 64 replicates; those of the second have records of their own."""
    one = experiment(replicates=66, grid={"network.kind": ["raw"]})
    (cell,) = llrsim.run_sweep(one, out=tmp_path, jobs=1).outcomes()
    found = llrsim.simulate(one.with_values({"network.kind": "raw"}), 66).features
    np.testing.assert_array_equal(cell.simulation.features.nc1_train, found.nc1_train)


def test_the_command_line_runs_it(tmp_path, capsys):
    path = tmp_path / "learned.toml"
    path.write_text(experiment(replicates=2).to_toml(), encoding="utf-8")
    assert main(["sweep", str(path), "--out", str(tmp_path / "out"), "--jobs", "1"]) == 0
    assert "Attribution" not in capsys.readouterr().out
    assert len(open_results(tmp_path / "out").rows()) == 12
    assert main(["simulate", str(path), "--set", "network.kind=trained"]) == 0
    assert "empirical readout" in capsys.readouterr().out
    assert main(["sweep", str(path), "--out", str(tmp_path / "lazy"), "--simulator", "lazy"]) == 2
    assert "sweep.simulator = 'lazy': must be auto or dense" in capsys.readouterr().err
