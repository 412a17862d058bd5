"""The path of a descent is drawn as it is predicted and simulated, with its best step and the exact fit."""

import numpy as np
import pytest
from scipy.stats import t

import llrsim
from llrsim.plots import path_table, wga_path

STEPS = (0, 1, 7, 40, 300)
SOLVER = {"steps": 3000, "step_size": 0.1, "path": list(STEPS)}


@pytest.fixture(scope="module")
def experiment():
    return llrsim.load(
        {
            "name": "small",
            "features": {
                "core": {"mean": 1.0, "std": 0.6},
                "spurious": {"mean": 1.0, "std": 0.5},
                "noise": {"dim": 20},
            },
            "train": {"n": 400, "proportions": [0.6, 0.05, 0.05, 0.3]},
            "heldout": {"n": 25, "minority_ratio": 0.25, "class_prior": 0.4},
            "head": {"loss": "squared", "ridge": 0.01},
            "method": [
                {"kind": "erm"},
                {"name": "warm", "kind": "llr", "from": "erm", "head": {"solver": SOLVER}},
                {"name": "cold", "kind": "llr", "head": {"solver": SOLVER}},
                {"name": "exact", "kind": "llr"},
                {"name": "hinged", "kind": "llr", "head": {"solver": SOLVER, "loss": "logistic"}},
            ],
        }
    )


@pytest.fixture(scope="module")
def simulation(experiment):
    return llrsim.simulate(experiment, replicates=6)


def test_the_line_ends_at_the_exact_fit_and_starts_at_the_earlier_head(experiment):
    predicted = llrsim.predict(experiment)
    rows = path_table(experiment)
    assert list(dict.fromkeys(row["method"] for row in rows)) == ["warm", "cold", "hinged"]
    for label in ("warm", "cold"):
        own = [row for row in rows if row["method"] == label]
        assert (own[0]["steps"], own[-1]["steps"]) == (1, 3000)
        assert own[0]["exact_wga"] == pytest.approx(predicted["exact"].wga, abs=1e-9)
        assert own[-1]["predicted_wga"] == pytest.approx(predicted[label].wga, abs=1e-9)
        assert own[-1]["predicted_wga"] == pytest.approx(own[0]["exact_wga"], abs=1e-3)
        told = predicted[label].to_dict()["early_stopping"]
        assert (own[0]["best_steps"], own[0]["best_wga"]) == (told["steps"], pytest.approx(told["wga"], abs=1e-9))
        assert max(row["predicted_wga"] for row in own) <= told["wga"] + 1e-9
        between = {row["steps"]: row["predicted_wga"] for row in own if row["steps"] in STEPS}
        along = llrsim.read_out(predicted[label].path.heads[0], predicted[label].test).wga
        recorded = {step: wga for step, wga in zip(STEPS, along, strict=True) if step in between}
        assert len(between) > 1
        assert between == pytest.approx(recorded, abs=1e-8)
    warm, cold = (next(row for row in rows if row["method"] == label) for label in ("warm", "cold"))
    assert (warm["start"], warm["start_wga"]) == ("erm", predicted["erm"].wga)
    assert (cold["start"], cold["start_wga"]) == (None, None)


def test_points_are_the_means_of_the_recorded_steps(experiment, simulation):
    rows = [row for row in path_table(experiment, simulation) if row["simulated_wga"] is not None]
    for label in ("warm", "cold", "hinged"):
        own = [row for row in rows if row["method"] == label]
        assert [row["steps"] for row in own] == list(STEPS[1:])
        accuracy = llrsim.read_out(simulation[label].path.heads, simulation[label].test).group_accuracy[:, 1:]
        for row, at in zip(own, np.moveaxis(accuracy, 1, 0), strict=True):
            assert row["simulated_wga"] == pytest.approx(at.mean(axis=0).min(), rel=1e-12)
            half = t.ppf(1 - 0.025 / 4, len(at) - 1) * at.std(axis=0, ddof=1) / np.sqrt(len(at))
            ends = (at.mean(axis=0) - half).min(), (at.mean(axis=0) + half).min()
            assert (row["interval_low"], row["interval_high"]) == pytest.approx(ends, rel=1e-9)
            assert row["replicates"] == 6


def test_axes_hold_lines_points_stars_and_levels(experiment, simulation):
    rows = path_table(experiment, simulation)
    ax = wga_path(experiment, simulation, methods=["warm", "cold"])
    lines = [line for line in ax.lines if len(line.get_xdata()) > 10]
    for line, label in zip(lines, ("warm", "cold"), strict=True):
        own = [row for row in rows if row["method"] == label]
        np.testing.assert_allclose(line.get_xydata(), [[row["steps"], row["predicted_wga"]] for row in own], rtol=1e-9)
    stars = [line.get_xydata()[0].tolist() for line in ax.lines if line.get_marker() == "*"]
    levels = [
        line.get_ydata()[0] for line in ax.lines if line.get_linestyle() in ("--", ":") and len(line.get_xdata()) == 2
    ]
    whole = [next(row for row in rows if row["method"] == label) for label in ("warm", "cold")]
    np.testing.assert_allclose(stars, [[row["best_steps"], row["best_wga"]] for row in whole])
    np.testing.assert_allclose(levels, [whole[0]["exact_wga"], whole[0]["start_wga"], whole[1]["exact_wga"]])
    assert ax.get_xscale() == "log"
    assert (ax.get_xlabel(), "worst-group" in ax.get_ylabel()) == ("steps of gradient descent", True)
    told = [text.get_text() for text in ax.get_legend().get_texts()]
    assert f"warm: best after {whole[0]['best_steps']} steps" in told[1]
    assert "erm: the head that warm starts from" in told


def test_rows_draw_as_the_experiment_does(experiment, simulation):
    first = wga_path(experiment, simulation, methods=["cold"])
    second = wga_path(path_table(experiment, simulation), methods=["cold"])
    for one, other in zip(first.lines, second.lines, strict=True):
        np.testing.assert_array_equal(one.get_xydata(), other.get_xydata())


def test_a_loss_without_a_prediction_shows_its_simulation(experiment, simulation):
    ax = wga_path(experiment, simulation, methods=["hinged"])
    told = [text.get_text() for text in ax.get_legend().get_texts()]
    assert any("(no prediction)" in line for line in told)
    assert not [line for line in ax.lines if line.get_marker() == "*"]
    assert len(ax.containers[0].lines[0].get_xdata()) == 4


def test_what_cannot_be_drawn_is_refused(experiment):
    with pytest.raises(ValueError, match="no steps to draw"):
        wga_path(experiment, methods=["exact"])
    unrecorded = experiment.with_values({"method.cold.head.solver": {"steps": 20, "step_size": 0.1}})
    with pytest.raises(ValueError, match=r"cold: simulated without a path"):
        wga_path(unrecorded, llrsim.simulate(unrecorded))
