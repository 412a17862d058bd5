"""The tables of studies: every difference is the one its columns name, of the accuracies beside it."""

import numpy as np
import pytest

import llrsim
from llrsim.model.head import Head, read_out
from llrsim.model.losses import Loss
from llrsim.prediction.problem import ProportionalProblem
from llrsim.prediction.separability import threshold
from llrsim.studies import study
from llrsim.studies.attainable import best_attainable
from llrsim.studies.e03 import Shares, Variant
from llrsim.studies.evidence import of_part

SCALES = [
    {
        "features.noise.std": [1.0, s, s, 1.0],
        "features.covariances": [[[0.64 * v, 0.0], [0.0, 0.25 * v]] for v in (1.0, s * s, s * s, 1.0)],
    }
    for s in (1.0, 1.5, 2.0, 3.0)
]
"""Of the cells of e12, the laws."""


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
    best = {row["scale"]: row["best"] for row in of_part(rows, "cell")}
    for row in of_part(rows, "loss"):
        assert row["forced"] == same(wga[1.0, row["method"]] - best[row["scale"]])
    closed = {row["scale"]: row["closed"] for row in of_part(rows, "closed")}
    assert len(closed) == 4
    for row in of_part(rows, "shortfall"):
        assert row["shortfall"] == same(closed[1.0] - closed[row["scale"]])
    for scale, share in closed.items():  # a mean of ratios, and the ratio of means
        ratio = (wga[scale, "dfr"] - wga[scale, "erm"]) / (best[scale] - wga[scale, "erm"])
        assert share == pytest.approx(ratio, abs=0.02)


@pytest.mark.parametrize("number", range(4))
def test_no_linear_head_beats_the_best_attainable(number):
    law = llrsim.plan(llrsim.load("e12").replace(sweep={}).with_values(SCALES[number])).test
    angle, bias = np.meshgrid(np.linspace(-np.pi, np.pi, 721), np.linspace(-2, 2, 401), indexing="ij")
    signal = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    seen = read_out(Head.of(signal, bias, np.zeros_like(bias)), law).group_accuracy.min(axis=-1).max()
    noisy = read_out(Head.of(signal, bias, np.full_like(bias, 0.05)), law).group_accuracy.min(axis=-1).max()
    assert noisy < seen <= best_attainable(law) + 1e-12
    assert best_attainable(law) == pytest.approx(seen, abs=2e-3)


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
    seen = {(row["n"], row["ratio"]): row["wga_per_run"] for row in of_part(rows, "cell")}
    found = {row["part"]: row["difference"] for row in rows if "difference" in row}
    assert found == {"balance": same(seen[80, 1.0] - seen[80, 0.2]), "cost": same(seen[40, 1.0] - seen[80, 0.2])}


def test_dominance_is_balance_less_twice_collapse():
    experiment = llrsim.load("e03").replace(sweep={})
    (row,) = Shares((Variant("ridge", "squared"),)).predict(experiment)
    assert row["dominance"] == same(row["balance"] - 2 * row["collapse"])
    assert row["difference"] == same(row["balance"] - row["collapse"])
    assert row["gain"] == same(row["balance"] + row["collapse"])


def test_each_head_has_the_threshold_of_its_own_rows(tmp_path):
    """A subset's is that of as many balanced rows, less than that of rows with a spurious attribute."""
    sizes = {"train.n_per_dim": [0.5, 6.0], "head.loss": ["squared", "logistic"]}
    experiment = llrsim.load("e11").with_values({"features.noise.dim": 40})
    rows = study("e11").table(
        llrsim.run_sweep(experiment.replace(sweep={"replicates": 2, "grid": sizes}), out=tmp_path)
    )
    for size in sizes["train.n_per_dim"]:
        weights, subset = (
            of_part(rows, "cell", loss="logistic", rows_per_dim=size, method=name)[0] for name in ("weights", "subset")
        )
        least = round(0.0455 * size * 40)
        assert (weights["fitted_per_dim"], subset["fitted_per_dim"]) == (same(size), same(4 * least / 40))
        mixture = llrsim.plan(experiment).samples[0].mixture
        balanced = threshold(ProportionalProblem.of(mixture, Loss.LOGISTIC, counts=[least] * 4)).threshold
        assert subset["threshold"] == pytest.approx(balanced, rel=1e-9)
        assert weights["threshold"] > 1.5 * balanced
    assert {row["threshold"] for row in of_part(rows, "cell", loss="squared")} == {1.0}
