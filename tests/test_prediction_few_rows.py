"""Predictions where rows are few or weights extreme: the limit says so, or names the outcome that samples have."""

import numpy as np
import pytest

import llrsim
from llrsim.model.losses import Status


def experiment(
    methods, *, heldout=None, std=1.0, core=1.0, spread=0.6, n=1000, dim=50, proportions=(0.25,) * 4, ridge=0.01
):
    return llrsim.load(
        {
            "features": {
                "core": {"mean": core, "std": spread},
                "spurious": {"mean": 1.0, "std": 0.5},
                "noise": {"dim": dim, "std": std},
            },
            "train": {"n": n, "proportions": list(proportions)},
            "heldout": {"n": 200, "minority_ratio": 0.5, "class_prior": 0.05} | (heldout or {}),
            "head": {"loss": "logistic", "ridge": ridge},
            "method": [{"kind": "erm"}, *methods],
        }
    )


def chosen_by(k):
    return experiment([{"kind": "self", "k": k}], n=2000, core=3.0, spread=0.3)


@pytest.mark.parametrize("k", [3, 5])
def test_rows_chosen_of_one_class_are_named_as_in_most_samples(k):
    asked = chosen_by(k)
    predicted = llrsim.predict(asked)["self"]
    simulated = llrsim.simulate(asked, 40, seed=1)["self"]
    assert (simulated.status == Status.ONE_CLASS).mean() > 0.5
    assert predicted.outcome is simulated.outcome is Status.ONE_CLASS
    assert "rows of class +1 in expectation" in predicted.message
    assert "set a larger k" in predicted.message


def test_a_few_rows_of_a_class_carry_a_word():
    """20 of 200 rows, about one of them of the small class, as the mean over samples of its share says."""
    asked = chosen_by(20)
    predicted = llrsim.predict(asked)["self"]
    simulated = llrsim.simulate(asked, 100, seed=1)["self"]
    rows = 20 * simulated.shares[:, 2:].sum(axis=1)
    expected = 20 * predicted.shares[0, 2:].sum()
    assert rows.mean() == pytest.approx(expected, abs=4.5 * rows.std(ddof=1) / 10)
    assert predicted.outcome is Status.CONVERGED
    assert predicted.few_rows.startswith(f"few rows ({expected:.2g} of class +1)")
    assert simulated.few_rows == ""


@pytest.mark.parametrize("limit", ["proportional", "population"])
def test_groups_of_one_to_three_rows_carry_a_word(limit):
    """120 held-out rows, 6 of class +, of which 1 to 5 are of the minority."""
    for ratio, rows in ((0.2, 1), (0.5, 2), (1.0, 3)):
        asked = experiment([{"kind": "dfr"}, {"kind": "llr-on-train"}], heldout={"n": 120, "minority_ratio": ratio})
        found = llrsim.predict(asked, limit)
        assert found["dfr"].stage.selection.counts[2:].min() == rows
        assert f"{rows} of (+,-)" in found["dfr"].few_rows
        assert found["dfr"].to_dict()["remark"] == found["dfr"].row()["remark"] == found["dfr"].few_rows
        assert f"({found['dfr'].few_rows})" in repr(found)
        assert found["erm"].few_rows == found["llr-on-train"].few_rows == ""
        assert "remark" not in found["erm"].to_dict()


@pytest.mark.parametrize(("gamma", "few"), [(12.0, True), (1.0, False)])
def test_weights_that_sit_on_few_rows_of_a_group_carry_a_word(gamma, few):
    """AFR at gamma 12 and unequal noise, on 60, 15, 15 and 60 rows: the effective rows of a Monte Carlo of the scores.

    Within 4.5 standard errors of 40 blocks of 20000 rows, a rate of false alarms below 1e-4 for the 8 numbers.
    """
    options = {"std": [0.1, 1.0, 3.0, 0.5], "n": 600, "spread": 0.8, "proportions": (0.4, 0.1, 0.1, 0.4)}
    heldout = {"n": 600, "minority_ratio": 0.3, "class_prior": 0.5}
    asked = experiment([{"kind": "afr", "gamma": gamma}], heldout=heldout, **options)
    found = llrsim.predict(asked)
    head, rows = found["erm"].heads, found["afr"].stage.selection.counts
    rng, effective = np.random.default_rng(0), []
    for g, (core, spurious) in enumerate([(-1, -1), (-1, 1), (1, -1), (1, 1)]):
        blocks = (40, 20000)
        score = head.bias[0] + options["std"][g] * head.noise_norm[0] * rng.standard_normal(blocks)
        score += head.signal[0, 0] * (core + 0.8 * rng.standard_normal(blocks))
        score += head.signal[0, 1] * (spurious + 0.5 * rng.standard_normal(blocks))
        weight = np.exp(-gamma / (1 + np.exp(-core * score)))
        square, plain = (weight**2).mean(axis=1), weight.mean(axis=1)
        ratio = plain.mean() ** 2 / square.mean()
        error = ratio * np.std(2 * plain / plain.mean() - square / square.mean(), ddof=1) / np.sqrt(40)
        effective.append(rows[g] * ratio)
        assert abs(found["afr"].evenness[0, g] - ratio) <= 4.5 * error + 1e-6
    assert found["erm"].few_rows == ""
    assert found["afr"].outcome is Status.CONVERGED
    names = [name for name, count in zip(found["afr"].test.group_names, effective, strict=True) if count <= 3]
    assert bool(names) == few
    assert [name for name in found["afr"].test.group_names if f"of {name}" in found["afr"].few_rows] == names
    assert llrsim.simulate(asked, 2, seed=0)["afr"].few_rows == ""


@pytest.mark.parametrize(
    ("anchor", "ridge", "options"),
    [
        (1.0, 0.0013, {"std": [2.757, 2.994, 0.068, 0.638], "n": 800, "dim": 400, "ridge": 0.025, "spread": 0.05}),
        (0.1, 0.011, {"std": [3.952, 2.915, 0.031, 0.466], "dim": 100, "ridge": 1e-4, "core": 0.5, "spread": 0.3}),
    ],
)
def test_an_anchored_head_at_extreme_weights_is_that_of_samples(anchor, ridge, options):
    """Gamma 12 and unequal noise put nearly all of the weight on few rows: within 4.5 standard errors of 12 samples.

    Beside them 0.002 for terms in 1/d. False alarms: under 1e-3 for the 8 numbers. The head without its anchor is away.
    """
    shares = (0.108, 0.514, 0.218, 0.16) if anchor == 1.0 else (0.04, 0.062, 0.114, 0.784)
    method = {"kind": "afr", "gamma": 12.0, "anchor": anchor, "head": {"ridge": ridge}}
    asked = experiment([method], proportions=shares, **options)
    predicted = llrsim.predict(asked)["afr"]
    simulated = llrsim.simulate(asked, 12, seed=3)["afr"]
    allowed = 4.5 * simulated.standard_error(simulated.readout.group_accuracy) + 0.002
    assert predicted.outcome is Status.CONVERGED
    assert (np.abs(simulated.group_accuracy - predicted.group_accuracy) <= allowed).all()
    free = experiment([method | {"anchor": 0.0}], proportions=shares, **options)
    away = llrsim.predict(free)["afr"].group_accuracy
    assert (np.abs(simulated.group_accuracy - away) > allowed).any()
