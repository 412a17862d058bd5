"""The figures of the lazy simulator: finite-size errors and costs, what they draw and what their records say."""

from itertools import pairwise

import numpy as np
import pytest

import llrsim
from figures import cost, cost_record, finite_size, finite_size_record, reading
from figures.cost_record import Fit, Point
from figures.power_law import power_law

SIZES = np.array([100, 200, 500, 1000, 10**4, 10**5, 10**6])


def made_up_errors(noise=1e-3):
    """Fluctuations 0.3 / sqrt(d) of single replicates, a mean gap -0.4 / d; the standard error of the mean is given."""
    return [
        {
            "loss": "squared",
            "limit": "proportional",
            "noise_dim": int(d),
            "mean_gap": -0.4 / d,
            "standard_error": noise * d**-0.5,
            "root_mean_square": 0.3 * d**-0.5,
            "replicates": 1000,
        }
        for d in SIZES
    ]


@pytest.fixture
def small_studies(monkeypatch):
    studies = tuple(study._replace(replicates={100: 3}) for study in finite_size_record.STUDIES)
    monkeypatch.setattr(finite_size_record, "STUDIES", studies)


@pytest.mark.parametrize("slope", [-1.0, -0.5])
def test_a_power_law_is_found_over_four_decades(slope):
    fit = power_law(SIZES, 0.3 * SIZES**slope, 1e-3 * SIZES**slope)
    assert (fit.factor, fit.slope) == (pytest.approx(0.3, rel=1e-6), pytest.approx(slope, abs=1e-6))
    np.testing.assert_allclose(fit.at(SIZES), 0.3 * SIZES**slope, rtol=1e-5)


def test_points_lost_in_noise_widen_a_slope_and_do_not_move_it():
    """Three hundred fits whose last four points are noise, of either sign: the slope and its error are right."""
    truth, error = 0.4 / SIZES, 0.02 * SIZES**-0.5 / 10
    rng = np.random.default_rng(0)
    fits = [power_law(SIZES, truth + error * rng.normal(size=len(SIZES)), error) for _ in range(300)]
    scores = np.array([(fit.slope + 1) / fit.error for fit in fits])
    assert abs(scores.mean()) < 4.5 / np.sqrt(300) + 0.2  # the fit is not linear: a bias of a fifth of the error
    assert scores.std() == pytest.approx(1.0, abs=0.25)


def test_means_lost_in_noise_are_drawn_as_what_they_may_be_at_most():
    rows = made_up_errors(noise=3e-3)
    errors = finite_size.Errors.of(rows)
    assert errors.seen.tolist() == [3 * 1.962 / 1e3 * d**-0.5 < 0.4 / d for d in SIZES]
    (ax,) = finite_size.draw(rows).axes
    bounds = next(line for line in ax.lines if line.get_marker() == "v")
    np.testing.assert_array_equal(bounds.get_xdata(), SIZES[~errors.seen])
    np.testing.assert_allclose(bounds.get_ydata(), (0.4 / SIZES + 1.962e-3 * 3 * SIZES**-0.5)[~errors.seen], rtol=1e-3)
    means = ax.containers[1].lines[0]
    np.testing.assert_array_equal(means.get_xdata(), SIZES[errors.seen])
    np.testing.assert_allclose(means.get_ydata(), (0.4 / SIZES)[errors.seen])
    told = [text.get_text() for text in ax.texts]
    assert any(text.startswith("slope -0.50") for text in told)
    assert any(text.startswith("slope -1.00") for text in told)


def test_a_finite_size_row_is_what_simulation_and_prediction_say(small_studies):
    rows = list(finite_size_record.finite_size(jobs=1))
    assert [(row["loss"], row["limit"], row["n"]) for row in rows] == [
        ("squared", "proportional", 200),
        ("logistic", "proportional", 200),
        ("squared", "population", 10**4),
    ]
    for row in rows:
        cell = llrsim.load(finite_size_record.FINITE_SIZE).with_values({"train.n": row["n"], "head.loss": row["loss"]})
        outcome = llrsim.simulate(cell, replicates=3, pairing="independent")
        assert outcome.simulator == "lazy"
        accuracy = outcome["erm"].readout.group_accuracy
        worst = outcome["erm"].test.group_names.index(row["group"])
        predicted = llrsim.predict(cell, row["limit"])["erm"].group_accuracy
        assert worst == np.argmin(predicted)
        assert row["predicted"] == predicted[worst]
        gaps = accuracy[:, worst] - predicted[worst]
        assert row["mean_gap"] == pytest.approx(gaps.mean(), rel=1e-12)
        assert row["standard_error"] == pytest.approx(gaps.std(ddof=1) / np.sqrt(3), rel=1e-12)
        assert row["root_mean_square"] == pytest.approx(np.sqrt((gaps**2).mean()), rel=1e-12)


def test_recorded_errors_fall_at_the_rates_of_theory():
    """Six slopes within 4.5 standard errors: a replicate's error as d^-1/2, or n^-1/2 = 1/d; the mean's as 1/d."""
    rows = reading.read("finite_size")
    assert max(row["largest_certificate"] for row in rows) <= 1e-9
    for study in finite_size_record.STUDIES:
        own = [row for row in rows if (row["loss"], row["limit"]) == (study.loss, study.limit)]
        assert {row["noise_dim"]: row["replicates"] for row in own} == study.replicates
        errors = finite_size.Errors.of(own)
        single, mean = errors.root_mean_square_law, errors.mean_law
        assert abs(single.slope + (0.5 if study.limit == "proportional" else 1.0)) < 4.5 * single.error, study
        assert abs(mean.slope + 1) < 4.5 * mean.error, study
        assert mean.error < 0.4, study  # small enough for the figure to say something


def test_memory_that_is_counted():
    """A dense replicate holds its design twice, rows drawn and rows used; a lazy one does not know d."""
    n, d = 200, 3000
    for simulator in ("dense", "lazy"):
        cost_record.timed(
            Point("d", n, 2, Fit("logistic", simulator, 5)).experiment()
        )  # what compiling takes is not counted
    dense = cost_record.allocated(Point("d", n, d, Fit("logistic", "dense", 5)).experiment())
    assert 1.0 <= dense / (8 * n * (d + 3)) < 3.0
    small, large = (
        cost_record.allocated(Point("d", n, size, Fit("logistic", "lazy", 5)).experiment()) for size in (d, 10**6)
    )
    assert large == pytest.approx(small, rel=0.05)
    assert large < dense / 5


def test_cost_rows_say_what_was_measured(monkeypatch):
    points = [Point("d", 100, 20, Fit("squared", "lazy", None)), Point("steps", 100, 20, Fit("logistic", "dense", 3))]
    monkeypatch.setattr(cost_record, "points", lambda: iter(points))
    first, second = cost_record.cost(jobs=1)
    assert (first["varied"], first["noise_dim"], first["steps"], first["simulator"]) == ("d", 20, None, "lazy")
    assert (second["varied"], second["n"], second["steps"], second["simulator"]) == ("steps", 100, 3, "dense")
    assert min(first["seconds"], first["bytes"], second["seconds"], second["bytes"]) > 0


def test_recorded_costs_are_flat_in_d_and_linear_in_n():
    """Memory, whose numbers no other load of a machine disturbs; of time only what is off by an order of magnitude."""
    rows = reading.read("cost")
    points = [
        (row["varied"], row["n"], row["noise_dim"], Fit(row["loss"], row["simulator"], row["steps"])) for row in rows
    ]
    assert points == [tuple(point) for point in cost_record.points()]

    def column(varied, quantity, fit):
        return np.array(
            [
                row[quantity]
                for row in rows
                if (row["varied"], row["loss"], row["simulator"], row["steps"]) == (varied, *fit)
            ]
        )

    for steps in (cost_record.STEPS, None):
        lazy, dense = Fit("logistic", "lazy", steps), Fit("logistic", "dense", steps)
        memory = column("d", "bytes", lazy)
        assert memory.max() < 1.05 * memory.min()
        n, memory = column("n", "n", lazy), column("n", "bytes", lazy)
        slopes = np.diff(np.log(memory[n >= 10**4])) / np.diff(np.log(n[n >= 10**4]))
        np.testing.assert_allclose(slopes, 1.0, atol=0.1)
        assert memory[-1] < 7e8
        # Dense takes less memory in few dimensions, and more of all in many.
        d = column("d", "noise_dim", dense)
        ratio = column("d", "seconds", dense) / column("d", "seconds", lazy)[: len(d)]
        assert column("d", "bytes", dense)[0] < column("d", "bytes", lazy)[0]
        assert ratio[-1] > 50 * ratio[0]
        assert ratio[-1] > 100
        assert (column("d", "bytes", dense) > 8 * 10**4 * d).all()
    assert column("n", "seconds", Fit("squared", "lazy", None)).max() < 1.0


def test_labels_are_moved_apart_and_no_further():
    rng = np.random.default_rng(0)
    for _ in range(50):
        places = rng.uniform(size=5)
        moved = cost.apart(places, 0.1)
        order = np.argsort(places)
        assert all(second - first > 0.1 - 1e-12 for first, second in pairwise(moved[order]))
        assert moved.mean() == pytest.approx(places.mean())
    np.testing.assert_array_equal(cost.apart(np.array([0.8, 0.1]), 0.1), [0.8, 0.1])
