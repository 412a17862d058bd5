"""The tables of studies: every difference is the one its columns name, of the accuracies beside it."""

import pytest

import llrsim
from llrsim.studies import study
from llrsim.studies.measuring import of_part
from llrsim.studies.shares import Shares, Variant


def table(name, folder, **values):
    """The table of a small version of a study, from two replicates."""
    changed = {key.replace("__", "."): value for key, value in values.items()}
    experiment = llrsim.load(name).with_values({"sweep.replicates": 2, **changed})
    return study(name).table(llrsim.run_sweep(experiment, out=folder, jobs=2))


def same(value):
    return pytest.approx(value, abs=1e-12)


def test_losses_are_against_scale_one(tmp_path):
    rows = table("e12", tmp_path, features__noise__dim=10, train__n=400, heldout__n=200)
    wga = {(row["scale"], row["method"]): row["wga"] for row in of_part(rows, "cell")}
    losses = {(row["scale"], row["method"]): row["loss"] for row in of_part(rows, "loss")}
    assert losses == {at: same(wga[1.0, at[1]] - wga[at]) for at in wga if at[0] > 1}
    for row in of_part(rows, "unmended"):
        assert row["excess"] == same(losses[row["scale"], "dfr"] - 0.5 * losses[row["scale"], "erm"])


def test_gains_and_their_order_over_data_sets(tmp_path):
    rows = table("e07", tmp_path, features__noise__dim=10)
    wga = {(row["data_set"], row["method"]): row["wga"] for row in of_part(rows, "cell")}
    gains = {}
    for row in of_part(rows, "gain"):
        gains[row["data_set"], row["method"], row["against"]] = row["gain"]
        assert row["gain"] == same(wga[row["data_set"], row["method"]] - wga[row["data_set"], row["against"]])
        assert row["gain"] == same(row["gain_direction"] + row["gain_bias"])
    assert [row["data_set"] for row in of_part(rows, "order", against="llr")] == [
        "Waterbirds",
        "CivilComments",
        "CelebA",
    ]
    for row in of_part(rows, "order"):
        ahead, behind = (gains[name, "cb-llr", row["against"]] for name in (row["data_set"], row["next"]))
        assert row["difference"] == same(ahead - behind)


def test_pairs_of_training_ratios(tmp_path):
    values = [[0.45, 0.05, 0.05, 0.45], [0.25] * 4]
    small = {"features__noise__dim": 10, "train__n": 200, "heldout__n": 200}
    rows = table("e06", tmp_path, **small, **{"sweep__grid__train.proportions": values})
    llr = of_part(rows, "cell", method="llr")
    wga = {(row["train_ratio"], row["heldout_ratio"], row["heldout_collapse"]): row["wga"] for row in llr}
    pairs = of_part(rows, "pair")
    assert len(pairs) == 10
    for row in pairs:
        ends = [
            wga[row[name], row["heldout_ratio"], row["heldout_collapse"]] for name in ("train_ratio", "other_ratio")
        ]
        assert row["difference"] == same(ends[0] - ends[1])
        if row["heldout_collapse"] == 1.0:  # what holds by construction does
            assert row["difference"] == 0.0


def test_small_and_large_held_out_sets(tmp_path):
    grid = {"heldout.n": [40, 80], "heldout.minority_ratio": [0.2, 1.0]}
    experiment = llrsim.load("e14").with_values({"features.noise.dim": 10, "train.n": 200})
    swept = experiment.replace(sweep={"replicates": 2, "grid": grid})
    rows = study("e14").table(llrsim.run_sweep(swept, out=tmp_path, jobs=2))
    seen = {(row["n"], row["ratio"]): row["seen"] for row in of_part(rows, "cell")}
    found = {row["part"]: row["difference"] for row in rows if row["part"] != "cell"}
    assert found == {"balance": same(seen[80, 1.0] - seen[80, 0.2]), "cost": same(seen[40, 1.0] - seen[80, 0.2])}


def test_dominance_is_balance_less_twice_collapse():
    experiment = llrsim.load("e03").replace(sweep={})
    (row,) = Shares((Variant("ridge", "squared"),)).predict(experiment)
    assert row["dominance"] == same(row["balance"] - 2 * row["collapse"])
    assert row["difference"] == same(row["balance"] - row["collapse"])
    assert row["gain"] == same(row["balance"] + row["collapse"])
