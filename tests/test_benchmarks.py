"""What the benchmarks time: both sides do the same, and every pair is built and runs. No test is of how fast."""

import sqlite3

import numpy as np
import pytest
from benchmarks import fits, pairs, predictions, scipy_root, sweeps
from benchmarks.instance import (
    engine,
    experiment,
    group_counts,
    numpy_descent,
    numpy_ridge,
    numpy_sample,
    scikit_learn_fit,
)
from benchmarks.pairs import Pairs, Quartiles, Sides
from benchmarks.triad import BYTES, passes, triad
from lazy_bytes import bytes_moved

from llrsim.model.losses import Loss
from llrsim.prediction.fixed_point import fixed_point
from llrsim.prediction.ridge import ridge_head
from llrsim.simulation import fit
from llrsim.simulation.lazy.noise import CHUNK

N, D, RIDGE = 200, 6, 0.01


class Clock:
    """A clock that each call moves by as much as it is said to take."""

    def __init__(self, monkeypatch):
        self.now, self.calls = 0.0, []
        monkeypatch.setattr(pairs, "perf_counter", lambda: self.now)

    def taking(self, name, *seconds):
        """Return a call that takes these seconds, the last of them from then on."""
        left = list(seconds)

        def run():
            self.calls.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return run


def test_sides_take_turns_and_the_first_pair_does_not_count(monkeypatch):
    clock = Clock(monkeypatch)
    timed = Pairs(Sides(clock.taking("ours", 100.0, 1.0), clock.taking("theirs", 200.0, 3.0)))
    before = pairs.CLOCK.now
    for _ in range(4):
        timed()
    assert timed.times.tolist() == [[1.0, 3.0]] * 3
    assert timed.ratio == Quartiles(3.0, 3.0, 3.0)
    assert clock.calls == ["theirs", "ours", "ours", "theirs"] * 2
    assert pairs.CLOCK.now - before == pytest.approx(0.5 + 3 / 3)


def test_short_calls_are_timed_together(monkeypatch):
    clock = Clock(monkeypatch)
    timed = Pairs(Sides(clock.taking("ours", 0.5), clock.taking("theirs", 8.0), calls=(4, 1)))
    timed()
    timed()
    assert timed.times.tolist() == [[0.5, 8.0]]
    assert clock.calls.count("ours") == 4 * clock.calls.count("theirs")


def test_a_machine_that_slows_both_sides_leaves_the_ratio_alone(monkeypatch):
    clock, slowed = Clock(monkeypatch), [1.0, 1.0, 40.0, 3.0, 500.0, 2.0]
    timed = Pairs(Sides(clock.taking("ours", *slowed), clock.taking("theirs", *(2.5 * s for s in slowed))))
    for _ in slowed:
        timed()
    assert timed.ratio == Quartiles(2.5, 2.5, 2.5)


def test_a_rate_is_the_amount_a_second(monkeypatch):
    clock = Clock(monkeypatch)
    assert pairs.rate(clock.taking("run", 9.0, 2.0), 10.0) == 5.0
    assert len(clock.calls) == 6


@pytest.mark.parametrize(
    ("outside", "head", "tolerance"),
    [
        (scikit_learn_fit(N, RIDGE), {}, 1e-5),
        (numpy_ridge(RIDGE), {"loss": "squared"}, 1e-9),
        (numpy_descent(RIDGE, steps=30, step_size=0.5), {"solver": {"steps": 30, "step_size": 0.5}}, 1e-9),
    ],
)
def test_references_come_to_the_same_head(outside, head, tolerance):
    X, y = numpy_sample(np.random.default_rng(3), group_counts(N, D), D)
    ours = fit(X, y, head=experiment(N, D, RIDGE, **head).head)
    w, b = outside(X, y)
    np.testing.assert_allclose(w, ours.weights, rtol=0, atol=tolerance)
    assert b == pytest.approx(ours.bias, abs=tolerance)


def test_the_plain_scipy_solution_is_the_prediction():
    logistic, squared = (predictions.problem(loss) for loss in (Loss.LOGISTIC, Loss.SQUARED))
    found = scipy_root.solve(logistic)
    np.testing.assert_allclose(found, fixed_point(logistic).unknowns, atol=1e-8)
    head = ridge_head(squared)
    np.testing.assert_allclose(scipy_root.solve(squared)[:3], [*head.signal, head.bias], atol=1e-8)
    near = fixed_point(logistic._replace(ridge=2 * logistic.ridge)).unknowns
    np.testing.assert_allclose(scipy_root.solve(logistic, near), found, atol=1e-8)


def test_a_triad_moves_what_is_asked_for():
    a, b, c = np.zeros(5), np.arange(5.0), np.ones(5)
    triad(a, b, c)
    assert a.tolist() == [3.0, 4.0, 5.0, 6.0, 7.0]
    passes(24.0 * 10)()
    passes(24.0 * 10, workers=2)()
    assert BYTES == 3 * 8 * (1 << 23)


def test_the_bytes_of_a_lazy_descent_are_those_its_sweeps_move():
    n, steps = 2 * CHUNK, fits.ALL_NEW
    described = experiment(n, n, RIDGE, solver={"steps": steps, "step_size": 0.5})
    with bytes_moved() as moved:
        engine(described, 1, jobs=2, simulator="lazy")()
    assert sum(moved) == n * fits.moved_bytes(steps)


@pytest.mark.parametrize(
    "build",
    [
        lambda _: fits.draws(N, D),
        lambda _: fits.logistic(N, D, 2),
        lambda _: fits.least_squares(N, D, 2),
        lambda _: fits.least_squares_alone(N, D),
        lambda _: fits.descent(N, D, 2, steps=3),
        lambda _: fits.lazy_descent(N, steps=3),
        lambda _: fits.lazy_exact(N, D),
        lambda _: predictions.cold(),
        lambda _: predictions.warm(),
        lambda _: predictions.squared(),
        lambda folder: sweeps.writing(1, folder),
    ],
)
def test_both_sides_run_and_leave_nothing_behind(build, tmp_path):
    sides = build(tmp_path)
    for _ in range(2):
        sides.ours()
        sides.theirs()
    assert list(tmp_path.iterdir()) == []


def test_a_finished_sweep_is_run_again_over_what_is_there(tmp_path):
    sides = sweeps.resuming(3, 1, tmp_path)
    (file,) = tmp_path.rglob("*.sqlite")
    before = file.read_bytes()
    sides.ours()
    sides.theirs()
    with sqlite3.connect(file) as connection:
        ((rows,),) = connection.execute("SELECT count(*) FROM rows").fetchall()
    connection.close()
    assert rows == 3 * 64
    assert len(file.read_bytes()) == len(before)
