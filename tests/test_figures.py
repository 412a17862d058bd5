"""The README's figures: redrawn from records alone, the same every time, and the fit of the convergence figure."""

import csv

import numpy as np
import pytest

import llrsim
from figures import __main__ as redrawing
from figures import convergence, cost_record, finite_size_record, reading, records
from llrsim import prediction, simulation
from llrsim.experiment.identity import study_hash
from llrsim.plots import path_table

RATIOS = np.array([5.0, 10, 20, 40, 80, 160, 320])


def made_up_rows(slope, factor=0.3, *, sign=-1.0, noise=0.0, bend=0.0):
    """Two groups of one method whose gaps follow a power law, the second group's half the first's."""
    rng = np.random.default_rng(0)
    return [
        {
            "n_per_dim": ratio,
            "method": "dfr",
            "kind": "dfr",
            "group": group,
            "simulated": 0.9 + sign * size * (1 - bend / ratio) + noise * ratio**-0.5 * rng.normal(),
            "standard_error": max(noise, 1e-3) * ratio**-0.5,
            "predicted": 0.9,
            "replicates": 400,
            "noise_dim": 40,
        }
        for ratio in RATIOS
        for group, size in (("(-,+)", factor * ratio**slope), ("(+,-)", 0.5 * factor * ratio**slope))
    ]


@pytest.mark.parametrize("slope", [-1.0, -0.5])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_the_fit_finds_a_power_law_exactly(slope, sign):
    gap = convergence.worst_gap(made_up_rows(slope, sign=sign))
    assert gap.group == "(-,+)"
    np.testing.assert_allclose(gap.size, 0.3 * RATIOS**slope, rtol=1e-12)
    factor, fitted, _ = gap.power_law
    assert (factor, fitted) == (pytest.approx(0.3, rel=1e-6), pytest.approx(slope, abs=1e-6))


def test_the_fit_leaves_out_small_sizes():
    """A bend of 40 % at the least n/d and of 10 % at n/d = 20 moves the slope by less than a tenth."""
    _, slope, _ = convergence.worst_gap(made_up_rows(-1.0, bend=2.0)).power_law
    assert slope == pytest.approx(-1.0, abs=0.1)
    assert slope != pytest.approx(-1.0, abs=1e-3)


def test_the_error_of_the_slope_is_that_of_least_squares():
    """Against the textbook formula for log-linear least squares, to first order in the relative errors."""
    gap = convergence.worst_gap(made_up_rows(-1.0))
    kept = gap.ratio >= convergence.FIRST_FITTED
    weight = (gap.size[kept] / gap.error[kept]) ** 2
    x = np.log(gap.ratio[kept])
    spread = (weight * (x - np.average(x, weights=weight)) ** 2).sum()
    assert gap.power_law[2] == pytest.approx(spread**-0.5, rel=1e-4)


def test_panels_draw_the_gaps():
    rows = made_up_rows(-1.0)
    (ax,) = convergence.draw(rows).axes
    gap = convergence.worst_gap(rows)
    points = ax.containers[0].lines[0]
    np.testing.assert_array_equal(points.get_xdata(), RATIOS)
    np.testing.assert_array_equal(points.get_ydata(), gap.size)
    comparison = next(line for line in ax.lines if line.get_label().startswith("d/n"))
    np.testing.assert_allclose(comparison.get_ydata(), 1 / RATIOS)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert "slope -1.00" in ax.texts[0].get_text()


@pytest.fixture
def alone(monkeypatch):
    """Simulation and prediction refuse."""

    def refuse(*_, **__):
        raise AssertionError("a figure simulated or predicted")

    for door in ("simulate", "simulate_plan"):
        monkeypatch.setattr(simulation, door, refuse)
    for door in ("predict", "predict_plan"):
        monkeypatch.setattr(prediction, door, refuse)


@pytest.mark.parametrize("name", redrawing.FIGURES)
def test_every_figure_is_drawn_from_its_record_alone(name, alone):
    assert redrawing.FIGURES[name](reading.read(name)).axes


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(("quick", "early_stopping"), id="two"),
        pytest.param(tuple(redrawing.FIGURES), id="all", marks=pytest.mark.slow),
    ],
)
def test_redrawing_is_byte_identical(names, alone, tmp_path, monkeypatch):
    monkeypatch.setattr(redrawing, "FIGURES", {name: redrawing.FIGURES[name] for name in names})
    first, second = (redrawing.redraw(tmp_path / folder) for folder in ("first", "second"))
    assert [path.name for path in first] == [f"{name}{end}" for name in names for end in (".png", ".pdf")]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
        # The numbers beside a figure are the record it was drawn from.
        for drawn in (one, other):
            assert drawn.with_suffix(".csv").read_bytes() == (reading.DATA / f"{one.stem}.csv").read_bytes()


def test_records_are_of_the_experiments_they_name():
    """Fails when the preset or an experiment of a record changes without its record."""
    given = {
        "convergence": records.CONVERGENCE,
        "quick": "quick",
        "early_stopping": records.EARLY_STOPPING,
        "margins": records.MARGINS,
        "phase": records.phase_experiment(),
        "finite_size": finite_size_record.FINITE_SIZE,
        "cost": cost_record.COST,
        **{name: name for name in records.STUDIED},
    }
    assert given.keys() == records.RECORDS.keys()
    assert list(redrawing.FIGURES) == list(records.RECORDS)
    for name, source in given.items():
        experiment = source if isinstance(source, llrsim.Experiment) else llrsim.load(source)
        rows = reading.read(name)
        assert {row["experiment"] for row in rows} == {experiment.hash}
        assert {row["llrsim"] for row in rows} == {llrsim.__version__}
        if experiment.study is not None:  # the rule that decides the record is the one it was made under
            assert {row["rule"] for row in rows} == {study_hash(experiment.study)}


def test_recorded_gaps_shrink_as_one_over_n():
    """Four slopes, each within 4.5 standard errors of -1 and away from -1/2: false alarms below 1e-4 in all."""
    rows = reading.read("convergence")
    for method in dict.fromkeys(row["method"] for row in rows):
        _, slope, error = convergence.worst_gap([row for row in rows if row["method"] == method]).power_law
        assert abs(slope + 1) < 4.5 * error, method
        assert abs(slope + 0.5) > 4.5 * error, method


def test_a_record_row_is_what_simulation_and_prediction_say(monkeypatch):
    monkeypatch.setattr(records, "REPLICATES", {5: 3})
    rows = list(records.convergence(jobs=1))
    cell = llrsim.load(records.CONVERGENCE).with_values({"train.n": 200, "heldout.n": 200, "sweep.zip": []})
    simulated, predicted = (
        llrsim.simulate(cell, replicates=3, pairing="independent"),
        llrsim.predict(cell, "population"),
    )
    assert len(rows) == 16
    for row, (method, g) in zip(rows, [(one, g) for one in simulated for g in range(4)], strict=True):
        accuracy = method.readout.group_accuracy[:, g]
        assert row["simulated"] == accuracy.mean()
        assert row["standard_error"] == pytest.approx(accuracy.std(ddof=1) / np.sqrt(3), rel=1e-12)
        assert row["predicted"] == predicted[method.label].group_accuracy[g]


def test_the_recorded_descents_are_what_is_predicted_now_and_near_what_was_simulated():
    """Seven steps up to the exact fit, two descents: each within 4.5 standard errors and 2/d of its prediction."""
    rows = reading.read("early_stopping")
    now = path_table(llrsim.load(records.EARLY_STOPPING))
    recorded = {(row["method"], row["steps"]): row["predicted_wga"] for row in rows}
    for row in now:
        assert recorded[row["method"], row["steps"]] == pytest.approx(row["predicted_wga"], abs=1e-8)
    simulated = [row for row in rows if row["simulated_wga"] is not None]
    assert len(simulated) == 30
    for row in simulated:
        error = (row["interval_high"] - row["interval_low"]) / (2 * 1.97)
        assert abs(row["simulated_wga"] - row["predicted_wga"]) < 4.5 * error + 2 / row["noise_dim"], row["steps"]
    for row in {row["method"]: row for row in rows}.values():
        assert row["best_wga"] > row["exact_wga"] + 0.02


def test_the_recorded_histograms_have_the_predicted_shape():
    """About 950 bins and two shares at the kink, in standard errors of a count with 2/d allowed for finite size."""
    rows = reading.read("margins")
    d = records.MARGINS["features"]["noise"]["dim"]
    assert {row["replicates"] for row in rows} == {records.MARGINS_REPLICATES}
    for row in rows:
        # The bins beside a kink hold rows that a solver left a little off it.
        if row["kink"] is None or abs(row["margin"] - row["kink"]) > row["width"]:
            error = np.sqrt(max(row["training"], 1e-3) / (row["simulated_rows"] * row["width"]))
            assert abs(row["simulated"] - row["training"]) < 4.5 * np.hypot(error, 2 / d), row["margin"]
        if row["kink"] is not None:
            error = np.sqrt(row["atom"] * (1 - row["atom"]) / row["simulated_rows"])
            assert abs(row["simulated_atom"] - row["atom"]) < 4.5 * np.hypot(error, 2 / d), row["group"]


def test_reading_gives_back_what_was_written(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "DATA", tmp_path)
    with (tmp_path / "one.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["a", "b", "c", "experiment"], [1, 0.1, None, "0123456789012345"]])
    assert reading.read("one") == [{"a": 1, "b": 0.1, "c": None, "experiment": "0123456789012345"}]
