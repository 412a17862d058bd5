"""Studies through the whole path: sweep, table, figure and verdict; the shares of E3 and how they resume."""

import csv
import json

import numpy as np
import pytest

import llrsim
from llrsim.commands import main_sweep
from llrsim.experiment.identity import study_hash
from llrsim.experiment.schema import STUDIES
from llrsim.studies import e03, study
from llrsim.studies.concluding import conclude, record
from llrsim.studies.e03 import Ledger, Shares, Variant
from llrsim.studies.evidence import correlation


def test_a_finished_sweep_leaves_table_figure_and_verdict(tmp_path, capsys):
    asked = ["e12", "--set", "sweep.replicates=3", "--set", "features.noise.dim=20", "--out", str(tmp_path)]
    assert main_sweep([*asked, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"]["study"] == "e12"
    assert str(tmp_path / "study.png") in told["files"]
    with (tmp_path / "study.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    experiment = llrsim.open_results(tmp_path).experiment
    assert {row["experiment"] for row in rows} == {experiment.hash}
    assert {row["rule"] for row in rows} == {study_hash(llrsim.load("e12").study)}
    assert (tmp_path / "study.png").stat().st_size > 10_000
    assert main_sweep(asked) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert told["verdict"]["sentence"] in printed


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(llrsim.preset_names()) & set(STUDIES)))
def test_every_study_goes_the_whole_way(name, tmp_path, capsys):
    assert main_sweep([name, "--set", "sweep.replicates=2", "--out", str(tmp_path), "--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)["verdict"]
    assert verdict["study"] == name
    assert verdict["findings"]
    assert (tmp_path / "study.png").exists()


def test_a_prediction_alone_decides_nothing(tmp_path, capsys):
    assert main_sweep(["e12", "--predict-only", "--out", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] is None
    assert not (tmp_path / "study.csv").exists()


def test_results_without_a_study_are_refused(tmp_path):
    quick = llrsim.load("quick").replace(sweep={"replicates": 2})
    with pytest.raises(ValueError, match=r"quick: no \[study\] section"):
        record(llrsim.run_sweep(quick, out=tmp_path, jobs=1))


def test_rewritten_rules_leave_the_numbers_alone(tmp_path):
    """The same folder takes the study with other words, computes nothing anew, and its record names the new rule."""
    experiment = llrsim.load("e12").with_values({"sweep.replicates": 2, "features.noise.dim": 10})
    first = record(llrsim.run_sweep(experiment, out=tmp_path, jobs=1))
    second = record(llrsim.run_sweep(experiment.with_values({"study.rule": "another"}), out=tmp_path, jobs=1))
    assert {row.pop("rule") for row in first} != {row.pop("rule") for row in second}
    assert first == second


def separation(dim=60, size=2.0):
    """One cell of E3 with each kind of collapse, small enough to simulate at once."""
    factors = [0.25, [0.25] * 4, [1.0, 0.25, 0.25, 1.0]]
    sweep = {
        "replicates": 3,
        "grid": {"heldout.minority_ratio": [1.0]},
        "zip": [
            {"train.n_per_dim": [size], "heldout.n_per_dim": [size]},
            {"train.collapse.noise": factors, "train.collapse.attribute": [0.25, 1.0, factors[2]]},
        ],
    }
    return llrsim.load("e03").with_values({"features.noise.dim": dim}).replace(sweep=sweep)


def test_the_separation_resumes_from_its_ledger(tmp_path, monkeypatch):
    results = llrsim.run_sweep(separation(), out=tmp_path, jobs=1)
    rows = e03.table(results)
    assert {row["kind"] for row in rows if row["part"] == "simulated"} == {"class", "group", "minority"}
    assert {row["head"] for row in rows if row["part"] == "simulated"} >= {"least squares", "cross-entropy, 50 steps"}
    path = tmp_path / "shares.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    assert len(lines) == 6
    computed = []
    for door in ("predict", "simulate"):
        original = getattr(Shares, door)
        monkeypatch.setattr(
            Shares, door, lambda *given, _door=door, _do=original, **more: computed.append(_door) or _do(*given, **more)
        )
    assert e03.table(results) == rows
    assert computed == []
    path.write_text("".join(lines[:-1]) + lines[-1][:50], encoding="utf-8")
    assert e03.table(results) == rows
    assert computed == ["simulate"]
    assert path.read_text(encoding="utf-8").splitlines(keepends=True) == lines
    verdict = study("e03").verdict(rows)
    assert verdict.outcome in {"confirmed", "refuted", "complicated", "undecided"}
    assert e03.figure(rows).axes
    conclude(results, command="test")
    assert (tmp_path / "study.csv").exists()


def test_a_ledger_that_is_not_json_is_not_passed_over(tmp_path):
    (tmp_path / "shares.jsonl").write_text("nonsense\n", encoding="utf-8")
    with pytest.raises(ValueError, match="Expecting value"):
        Ledger(tmp_path / "shares.jsonl")


KNOWN = {0.5: (0.109, 0.016), 5.0: (0.116, 0.074), 100.0: (0.115, 0.105)}
"""Shapley values of balance and of uncollapsed features at n/d, of T21."""


@pytest.mark.parametrize("size", KNOWN)
def test_shares_are_those_of_t21(size):
    dim = 2000
    rows = round(size * dim)
    experiment = llrsim.load(
        {
            "features": {
                "core": {"mean": 1.4, "std": 1.0},
                "spurious": {"mean": 1.2, "std": 1.0},
                "noise": {"dim": dim},
            },
            "train": {
                "n": rows,
                "proportions": [0.475, 0.025, 0.025, 0.475],
                "collapse": {"noise": 0.25, "attribute": 0.25},
            },
            "heldout": {"n": rows, "proportions": [0.325, 0.175, 0.175, 0.325]},
            "head": {"loss": "logistic", "ridge": 0.02 / size},
            "method": [{"kind": "erm"}, {"kind": "llr"}],
        }
    )
    (row,) = Shares((Variant("cross-entropy", "logistic"),)).predict(experiment)
    assert (row["balance"], row["collapse"]) == pytest.approx(KNOWN[size], abs=6e-4)


def test_simulated_shares_are_those_of_the_attribution():
    """Of the least of the groups' means, with which `explain` has the same factorial and the same random numbers."""
    experiment = separation().replace(sweep={})
    (row,) = Shares((Variant("cross-entropy", "logistic"),)).simulate(experiment, 5)
    effects = llrsim.explain(experiment, replicates=5, side="simulation")["llr"].effects
    assert row["balance"] == pytest.approx(effects["composition"].mean, abs=1e-12)
    assert row["collapse"] == pytest.approx(effects["collapse"].mean, abs=1e-12)


@pytest.mark.parametrize(
    ("differences", "tau"),
    [((-0.1, 0.1, -0.1, 0.3), 0.35), ((0.1, 0.2, 0.1, 0.3), None), ((-0.1, -0.1, -0.1, 0.0), 0.5)],
)
def test_the_largest_crossing_counts(differences, tau):
    rows = [{"tau": at, "difference": value} for at, value in zip((0.1, 0.2, 0.3, 0.5), differences, strict=True)]
    assert e03.crossing(rows) == pytest.approx(tau)


def test_ridges_are_chosen_as_they_say():
    experiment = separation().replace(sweep={})
    lam = experiment.head.ridge
    found = {(row["head"], row["ridge"]): row for row in Shares().predict(experiment)}
    assert found["squared, ridge", "equal"]["largest_ridge"] == lam
    assert found["squared, ridge", "effective"]["least_ridge"] == pytest.approx(lam * 0.25**2)
    assert found["squared, ridge", "effective"]["largest_ridge"] == lam
    assert found["least squares", "equal"]["largest_ridge"] == lam
    # The gain of the four cells that each have their best ridge is not that at one ridge.
    gains = [found["squared, ridge", ridge]["gain"] for ridge in ("equal", "validated")]
    assert gains[0] != pytest.approx(gains[1], abs=1e-4)


def test_stages_that_differ_in_more_than_two_switches_are_refused():
    with pytest.raises(ValueError, match=r"shares: the stages differ in \('composition', 'collapse', 'size'\)"):
        Shares().predict(separation().replace(sweep={}).with_values({"heldout.n_per_dim": 3.0}))


def test_the_correlation_is_that_of_the_means_with_the_jackknifes_error():
    """Against the textbook formula 1 - r^2 over sqrt(C) it would be another number: cells are not the sample here."""
    rng = np.random.default_rng(0)
    first = np.linspace(0, 1, 6)[:, None] + 0.3 * rng.normal(size=(6, 40))
    second = first**2 + 0.3 * rng.normal(size=(6, 40))
    row = correlation("r", first, second)
    assert row["r"] == pytest.approx(np.corrcoef(first.mean(axis=1), second.mean(axis=1))[0, 1], rel=1e-12)
    drawn = rng.integers(0, 40, size=(4000, 40))
    resampled = [np.corrcoef(first[:, at].mean(axis=1), second[:, at].mean(axis=1))[0, 1] for at in drawn]
    assert row["r_se"] == pytest.approx(np.std(resampled), rel=0.3)
