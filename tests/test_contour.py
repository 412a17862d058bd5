"""T14: descent and flow by one contour against loops on samples, T14 on a plain circle, and the limits."""

import naive_contour as naive
import numpy as np
import pytest
from sizes import sized

from llrsim.model.head import Head, read_out
from llrsim.model.losses import Loss, Status
from llrsim.model.mixture import GroupMixture
from llrsim.prediction.descent import (
    MOST_NODES,
    TOLERANCE,
    best_step,
    descent_filters,
    descent_path,
    flow_path,
    largest_stable_step,
)
from llrsim.prediction.objective import PopulationObjective
from llrsim.prediction.population import descend, descent_filter, gradient_flow
from llrsim.prediction.problem import ProportionalProblem
from llrsim.prediction.ridge import ridge_head

ALARM = 1e-5  # false alarms of one joint test; three dozen are made
START = np.array([-0.5, 0.4, 0.2])
SHARES = np.array([0.2, 0.1, 0.15, 0.55])
MASS = [0.2, 0.3, 0.3, 0.2]
SPECTRUM = ([0.2, 1.0, 4.0], [0.5, 0.375, 0.125])


def mixture(dim, *, spectrum=([1.0], [1.0]), tau=1.0):
    values, shares = spectrum
    return GroupMixture.of(
        means=tau * np.array([[-1.0, -1.2], [-1.0, 1.2], [1.0, -1.2], [1.0, 1.2]]),
        covariances=tau**2 * np.array([[0.5, 0.1], [0.1, 0.3]]) * np.array([1.0, 0.5, 2.0, 1.0])[:, None, None],
        noise_dim=dim,
        noise_std=tau * np.array([0.8, 1.2, 1.0, 0.6]),
        spectrum=np.repeat(values, np.rint(np.array(shares) * dim).astype(int)),
    )


def problem_of(law, rows, **options):
    options = {"mass": MASS, **options}
    return ProportionalProblem.of(law, Loss.SQUARED, counts=np.rint(SHARES * rows * law.noise_dim), **options)


def summary(heads):
    """(S, k + 3) u, b, |v|^2, q^2."""
    return np.column_stack([heads.signal, heads.bias, heads.noise_norm**2, heads.noise_spread**2])


def p_value(predicted, runs):
    """Joint test of u, b, log |v|^2, log q^2 (5,), the last two being one number where the noise is isotropic."""
    count = len(predicted) - np.allclose(runs[:, -1], runs[:, -2])
    noise = slice(len(predicted) - 2, count)
    predicted, found = predicted[:count].copy(), runs[:, :count].copy()
    predicted[noise], found[:, noise] = np.log(predicted[noise]), np.log(found[:, noise])
    return naive.joint_p_value(predicted, found)


CELLS = {
    "few rows, weights": {"rows": 0.5, "ridge": 0.02},
    "many rows, weights, no ridge": {"rows": 2.0},
    "collapse": {"rows": 2.0, "tau": 0.4, "ridge": 0.05, "mass": SHARES},
    "spectrum, start": {"rows": 0.5, "spectrum": SPECTRUM, "start": START},
    "momentum, anchor": {"rows": 2.0, "momentum": 0.6, "start": START, "anchor": 0.05, "centre": [0.3, -0.2, 0.1]},
    "spectrum, momentum": {"rows": 2.0, "spectrum": SPECTRUM, "momentum": 0.6, "ridge": 0.02},
}
STEPS = [2, 5, 12, 30]  # after one step from zero the bias is the same in every sample


def simulate(cell, dim, runs):
    """Path predicted for a cell, (steps, 5), and the paths of runs (runs, steps, 5)."""
    options = dict(CELLS[cell])
    rows, momentum = options.pop("rows"), options.pop("momentum", 0.0)
    start = options.pop("start", np.zeros(3))
    law = mixture(dim, spectrum=options.pop("spectrum", ([1.0], [1.0])), tau=options.pop("tau", 1.0))
    problem = problem_of(law, rows, **options)
    step_size = 0.7 * largest_stable_step(problem, momentum)
    path = descent_path(problem, STEPS, step_size, momentum=momentum, start=start)
    assert path.status is Status.FINISHED
    random, counts = np.random.default_rng(9), np.rint(SHARES * rows * dim).astype(int)
    centre, first = (np.append(head, np.zeros(dim)) for head in (problem.centre, start))
    heads = []
    for _ in range(runs):
        X, y, groups = naive.draw(random, counts, law.labels, law.means, law.covariances, law.noise_std, law.spectrum)
        penalties = 2, problem.ridge, problem.anchor, centre
        found = naive.descend(X, y, problem.weights[groups], *penalties, first, STEPS[-1], step_size, momentum)
        heads.append(found[STEPS])
    return summary(path.heads), naive.summaries(np.array(heads), law.spectrum, 2)


@pytest.mark.parametrize("cell", CELLS)
def test_descent_on_samples_agrees_and_a_formula_5_percent_off_does_not(cell):
    path, runs = simulate(cell, 400, 60)
    wrong_signal, wrong_noise = path * [1.05, 1.05, 1, 1, 1], path * [1, 1, 1, 1.1, 1.1]
    for s in range(len(STEPS)):
        assert p_value(path[s], runs[:, s]) > ALARM
        assert p_value(wrong_noise[s], runs[:, s]) < ALARM
    assert p_value(wrong_signal[-1], runs[:, -1]) < ALARM


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
def test_descent_on_samples_approaches_the_limit(cell):
    gaps = []
    for dim, count in ((40, 3000), (320, 400)):
        path, runs = simulate(cell, dim, count)
        gaps.append(np.linalg.norm(runs.mean(axis=0) - path))
        error = np.linalg.norm(runs.std(axis=0)) / np.sqrt(count)
    # C/d is an eighth of what it was; the rest is allowed for sampling.
    assert gaps[1] < gaps[0] / 8 + 4.0 * error


def test_independent_noise_weights_at_the_start_are_a_coordinate_of_the_signal():
    dim, length, random = 400, 0.8, np.random.default_rng(2)
    law = mixture(dim)
    problem = problem_of(law, 1.0, ridge=0.02)
    means, covariances = np.zeros((4, 3)), np.zeros((4, 3, 3))
    means[:, :2], covariances[:, :2, :2], covariances[:, 2, 2] = law.means, law.covariances, law.noise_std**2
    wider = problem._replace(means=means, covariances=covariances, centre=np.zeros(4))
    step_size = 0.5 * largest_stable_step(problem)
    heads = descent_path(wider, STEPS, step_size, start=np.append(START[:2], [length, START[2]])).heads
    noise = np.hypot(heads.signal[:, 2], heads.noise_norm)
    path = summary(Head(heads.signal[:, :2], heads.bias, noise, noise))
    found = []
    for _ in range(60):
        X, y, groups = naive.draw(
            random, (SHARES * dim).astype(int), law.labels, law.means, law.covariances, law.noise_std, law.spectrum
        )
        direction = random.normal(size=dim)
        first = np.append(START, length * direction / np.linalg.norm(direction))
        run = naive.descend(X, y, problem.weights[groups], 2, 0.02, 0.0, 0.0 * first, first, STEPS[-1], step_size)
        found.append(run[STEPS])
    runs = naive.summaries(np.array(found), law.spectrum, 2)
    for s in range(len(STEPS)):
        assert p_value(path[s], runs[:, s]) > ALARM
        assert p_value(path[s] * [1, 1, 1, 1.1, 1.1], runs[:, s]) < ALARM


@pytest.mark.parametrize("rows", [0.5, 2.0])
@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_the_formulas_on_a_plain_circle_agree(rows, ridge):
    problem = problem_of(mixture(400), rows, ridge=ridge)
    stable = largest_stable_step(problem)
    for steps, step_size in ((1, stable), (5, 0.9 * stable), (sized(60, 20), 0.4 * stable)):
        path = descent_path(problem, [steps], step_size)
        law = problem.shares, problem.weights, problem.labels, problem.means, problem.covariances, problem.noise_std
        circle = naive.circle(steps, step_size, ridge, problem.ratio, *law)
        assert summary(path.heads)[0, :4] == pytest.approx(circle, abs=1e-9)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
@pytest.mark.parametrize("rows", [0.5, 2.0])
def test_many_steps_are_ridge(rows, momentum):
    for spectrum in (([1.0], [1.0]), SPECTRUM):
        problem = problem_of(mixture(400, spectrum=spectrum), rows, ridge=0.02, anchor=0.05, centre=[0.3, -0.2, 0.1])
        head = ridge_head(problem)
        ridge = np.concatenate([head.signal, [head.bias, head.noise_norm**2, head.noise_spread**2]])
        step_size = 0.9 * largest_stable_step(problem, momentum)
        path = descent_path(problem, [5000], step_size, momentum=momentum, start=START)
        assert summary(path.heads)[0] == pytest.approx(ridge, abs=1e-9)
        assert summary(flow_path(problem, [5000.0], start=START).heads)[0] == pytest.approx(ridge, abs=1e-9)


def test_many_steps_without_ridge_interpolate():
    # Descent keeps to the span of its rows, so the bias counts in the norm that is least: the limit of a small anchor.
    problem = problem_of(mixture(400), 0.5)
    head = ridge_head(problem._replace(anchor=1e-10))
    path = descent_path(problem, [10**6], 0.9 * largest_stable_step(problem))
    found = np.append(path.heads.signal[0], [path.heads.bias[0], path.heads.noise_norm[0]])
    assert found == pytest.approx(np.append(head.signal, [head.bias, head.noise_norm]), abs=1e-8)


def test_many_rows_are_the_population():
    law, centre = mixture(400), [0.3, -0.2, 0.1]
    options = {"ridge": 0.1, "anchor": 0.05, "centre": centre}
    problem = problem_of(law, 1.0, **options)
    objective = PopulationObjective.of(law, MASS, Loss.SQUARED, **options)
    at = [0, 1, 2, 7, 40]
    descents = descend(objective, START, at, step_size=0.3, momentum=0.5)
    flows = np.array([gradient_flow(objective, time, START) for time in at])
    gaps = []
    for ratio in (1e-5, 1e-6):
        near = problem._replace(ratio=ratio)
        paths = descent_path(near, at, 0.3, momentum=0.5, start=START), flow_path(near, np.array(at), start=START)
        found = np.array([np.column_stack([path.heads.signal, path.heads.bias]) for path in paths])
        gaps.append(np.abs(found - [descents, flows]).max(axis=(1, 2)))
        assert max(path.heads.noise_norm.max() for path in paths) < 3.0 * np.sqrt(ratio)
    assert gaps[0].max() < 1e-3
    assert gaps[1] == pytest.approx(0.1 * gaps[0], rel=1e-2)


def test_flow_is_descent_in_small_steps():
    problem = problem_of(mixture(400, spectrum=SPECTRUM), 1.0)
    flow = summary(flow_path(problem, [0.0, 0.7, 3.0], start=START).heads)
    assert flow[0] == pytest.approx([*START, 0.0, 0.0], abs=1e-9)
    gaps = []
    for n in (1000, 2000):
        path = descent_path(problem, [n * 7, n * 30], 0.1 / n, start=START)
        gaps.append(np.linalg.norm(summary(path.heads) - flow[1:]))
    assert gaps[0] < 1e-2
    assert gaps[0] / gaps[1] == pytest.approx(2.0, rel=0.02)


def test_no_steps_are_the_start():
    problem = problem_of(mixture(400), 1.0)
    for at in ([0], [0, 4]):
        assert summary(descent_path(problem, at, 0.05, start=START).heads)[0].tolist() == [*START, 0.0, 0.0]
        assert summary(flow_path(problem, at).heads)[0].tolist() == [0.0] * 5
        assert descent_path(problem, at, 0.05).status is Status.FINISHED


def test_a_path_is_its_steps_one_by_one():
    problem = problem_of(mixture(400), 0.5)
    step_size = 0.9 * largest_stable_step(problem)
    whole = summary(descent_path(problem, range(301), step_size).heads)
    for steps in (1, 17, 120):
        assert summary(descent_path(problem, [steps], step_size).heads)[0] == pytest.approx(whole[steps], abs=1e-9)


@pytest.mark.parametrize("momentum", [0.0, 0.4, 0.9])
def test_the_filters_are_the_recursion(momentum):
    z = np.array([1e-4 + 1e-3j, 0.3 - 0.1j, 1.0 + 0.2j, 1.7 + 0j])
    for steps in (0, 1, 2, 30):
        recursion = naive.recursion_filter(z, steps, 0.8, momentum)
        assert descent_filters(z, [steps], 0.8, momentum)[0] == pytest.approx(recursion, rel=1e-9, abs=1e-9)
    real = np.array([0.3, 1.0, 2.0])
    found = descent_filters(real + 0j, [9], 0.8, momentum)[0]
    assert found == pytest.approx(descent_filter(real, 9, 0.8, momentum), rel=1e-10)


def test_unstable_steps_are_named_and_the_limit_is_sharp():
    problem = problem_of(mixture(400), 2.0)
    for momentum in (0.0, 0.6):
        stable = largest_stable_step(problem, momentum)
        path = descent_path(problem, [1, 5], 1.001 * stable, momentum=momentum)
        assert path.status is Status.DIVERGED
        assert path.largest_stable_step == stable
        assert np.isnan(summary(path.heads)).all()
        below = descent_path(problem, [4000], 0.999 * stable, momentum=momentum)
        assert below.status is Status.FINISHED
    assert largest_stable_step(problem, 0.6) == pytest.approx(1.6 * largest_stable_step(problem), rel=1e-12)


def test_momentum_near_one_takes_more_nodes_than_there_are():
    problem = problem_of(mixture(400), 2.0)
    path = descent_path(problem, [100_000], largest_stable_step(problem, 0.999), momentum=0.999)
    assert path.status is Status.NO_PREDICTION
    assert path.nodes == 0


def test_random_problems_are_solved_or_named():
    random, finished = np.random.default_rng(6), 0
    count = sized(150, 3)
    for _ in range(count):
        problem = ProportionalProblem(loss=int(Loss.SQUARED), **naive.random_fields(random))
        momentum, last = random.choice([0.0, 0.3, 0.8]), int(10 ** random.uniform(0, 3.5))
        step_size = random.choice([1e-4, 0.1, 0.99, 1.5]) * largest_stable_step(problem, momentum)
        at, start = sorted({1, last // 7, last}), random.normal(size=len(problem.centre))
        path = descent_path(problem, at, step_size, momentum=momentum, start=start)
        if path.status is Status.FINISHED:
            assert path.certificate <= TOLERANCE
            assert path.nodes <= MOST_NODES
            assert np.isfinite([*path.heads.signal.ravel(), *path.heads.bias, *path.heads.noise_spread]).all()
        else:
            assert path.status is Status.DIVERGED
        finished += path.status is Status.FINISHED
    assert finished >= 0.6 * count


def test_the_best_step_is_where_stopping_early_pays():
    law = mixture(400)
    problem = problem_of(law, 1.05, mass=SHARES)
    steps = range(1, 301)
    heads = descent_path(problem, steps, 0.15).heads
    step, value = best_step(steps, heads, lambda found: read_out(found, law).wga)
    alone = [read_out(heads[[s]], law).wga[0] for s in range(300)]
    assert step == 1 + int(np.argmax(alone))
    assert value == max(alone)
    assert 1 < step < 300
    assert best_step([5, 6, 9], heads[:3], lambda found: np.array([0.5, 0.7, 0.7])) == (6, 0.7)
