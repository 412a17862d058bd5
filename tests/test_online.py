"""T15: online SGD in the limit against literal runs, an integrator on the equations as printed, and its stability."""

import naive_contour as naive
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from llrsim.model.losses import Loss, Status
from llrsim.model.mixture import GroupMixture
from llrsim.prediction.descent import online_path
from llrsim.prediction.objective import PopulationObjective
from llrsim.prediction.population import gradient_flow
from llrsim.prediction.problem import ProportionalProblem

ALARM = 1e-5  # false alarms of one joint test; nine are made
START = np.array([-0.5, 0.4, 0.2])
SHARES = np.array([0.2, 0.1, 0.15, 0.55])
MASS = np.array([0.2, 0.3, 0.3, 0.2])
SPECTRUM = ([0.2, 1.0, 4.0], [0.5, 0.375, 0.125])


def mixture(dim, spectrum=([1.0], [1.0])):
    values, shares = spectrum
    return GroupMixture.of(
        means=[[-1.0, -1.2], [-1.0, 1.2], [1.0, -1.2], [1.0, 1.2]],
        covariances=np.array([[0.5, 0.1], [0.1, 0.3]]) * np.array([1.0, 0.5, 2.0, 1.0])[:, None, None],
        noise_dim=dim,
        noise_std=[0.8, 1.2, 1.0, 0.6],
        spectrum=np.repeat(values, np.rint(np.array(shares) * dim).astype(int)),
    )


def problem_of(law, **options):
    return ProportionalProblem.of(law, Loss.SQUARED, counts=1000 * SHARES, mass=MASS, **options)


def summary(heads):
    return np.column_stack([heads.signal, heads.bias, heads.noise_norm**2, heads.noise_spread**2])


def p_value(predicted, runs):
    """Joint test of u, b, log |v|^2, log q^2, the last two being one number where the noise is isotropic."""
    count = 4 if np.allclose(runs[:, -1], runs[:, -2]) else 5
    predicted, found = predicted[:count].copy(), runs[:, :count].copy()
    predicted[3:], found[:, 3:] = np.log(predicted[3:]), np.log(found[:, 3:])
    return naive.joint_p_value(predicted, found)


@pytest.mark.parametrize(
    ("draw", "spectrum", "batch"),
    [("weights", ([1.0], [1.0]), 1), ("mass", ([1.0], [1.0]), 1), ("weights", SPECTRUM, 4)],
)
def test_runs_agree_and_a_formula_5_percent_off_does_not(draw, spectrum, batch):
    dim, runs, eta, length, times = 400, 40, 0.3, 0.7, np.array([0.25, 0.75, 2.0])
    law = mixture(dim, spectrum)
    problem = problem_of(law, ridge=0.05)
    path = online_path(problem, times, eta, draw=draw, start=START, noise_norm=length)
    assert path.status is Status.FINISHED
    random = np.random.default_rng(12)
    direction = random.normal(size=(runs, dim))
    noise = length * direction / np.linalg.norm(direction, axis=1)[:, None]
    rows = (problem.shares, problem.weights) if draw == "weights" else (MASS, np.ones(4))
    groups = law.labels, law.means, law.covariances, law.noise_std, law.spectrum
    at = np.rint(times * dim / batch).astype(int)
    # t = steps B / d and eta = step d / B.
    first = np.column_stack([np.tile(START, (runs, 1)), noise])
    heads = naive.online(random, groups, *rows, 0.05, eta * batch / dim, at[-1], batch, first)
    found = naive.summaries(heads[at], law.spectrum, 2)
    for s, predicted in enumerate(summary(path.heads)):
        assert p_value(predicted, found[s]) > ALARM
        assert p_value(predicted * [1.05, 1.05, 1.05, 1.1, 1.1], found[s]) < ALARM


@pytest.mark.slow
def test_runs_approach_the_limit():
    gaps = []
    for dim, runs in ((25, 8000), (200, 1000)):
        problem, law = problem_of(mixture(dim)), mixture(dim)
        predicted = summary(online_path(problem, [1.0], 0.4).heads)[0]
        groups = law.labels, law.means, law.covariances, law.noise_std, law.spectrum
        first = np.zeros((runs, 3 + dim))
        rows = problem.shares, problem.weights
        heads = naive.online(np.random.default_rng(1), groups, *rows, 0.0, 0.4 / dim, dim, 1, first)
        gaps.append(np.abs(naive.summaries(heads[-1], law.spectrum, 2).mean(axis=0) - predicted).max())
    assert gaps[1] < 0.4 * gaps[0]


@pytest.mark.parametrize("draw", ["weights", "mass"])
@pytest.mark.parametrize("spectrum", [([1.0], [1.0]), SPECTRUM])
def test_the_equations_as_they_are_printed(draw, spectrum):
    centre, eta = np.array([0.3, -0.2, 0.1]), 0.4
    problem = problem_of(mixture(400, spectrum), ridge=0.02, anchor=0.05, centre=centre)
    e, s = problem.eigenvalues, problem.eigenvalue_shares
    mass = problem.shares * problem.weights
    spread = mass * problem.weights if draw == "weights" else mass
    variances, S = problem.noise_std**2, problem.covariances

    def motion(_, state):
        u, b, Q = state[:2], state[2], state[3:]
        r = problem.labels - problem.means @ u - b
        du = mass @ (r[:, None] * problem.means - S @ u) - 0.02 * u - 0.05 * (u - centre[:2])
        db = mass @ r - 0.05 * (b - centre[2])
        square = r**2 + np.einsum("i,gij,j->g", u, S, u) + variances * (e @ Q)
        dQ = -2.0 * (e * (mass @ variances) + 0.07) * Q + eta * s * e * (spread @ (variances * square))
        return eta * np.concatenate([du, [db], dQ])

    times, first = np.array([0.0, 0.3, 2.0, 9.0]), np.concatenate([START, 0.6**2 * s])
    states = solve_ivp(motion, (0.0, 9.0), first, "DOP853", times, rtol=1e-12, atol=1e-13).y.T
    path = online_path(problem, times, eta, draw=draw, start=START, noise_norm=0.6)
    expected = np.column_stack([states[:, :3], states[:, 3:].sum(axis=1), states[:, 3:] @ e])
    assert summary(path.heads) == pytest.approx(expected, abs=1e-10)


def test_drawing_by_mass_has_the_drift_of_weights_and_less_noise():
    problem = problem_of(mixture(400))
    weights, mass = (online_path(problem, [1.0, 5.0], 0.4, draw=draw) for draw in ("weights", "mass"))
    assert summary(mass.heads)[:, :3] == pytest.approx(summary(weights.heads)[:, :3], abs=1e-14)
    assert (mass.heads.noise_norm < 0.9 * weights.heads.noise_norm).all()
    assert mass.largest_stable_step > weights.largest_stable_step


def test_small_steps_are_population_flow():
    law = mixture(400)
    objective = PopulationObjective.of(law, MASS, Loss.SQUARED, ridge=0.02)
    times = np.array([0.0, 0.5, 3.0])
    flow = np.array([gradient_flow(objective, time, START) for time in times])
    for eta in (1e-2, 1e-4):
        heads = online_path(problem_of(law, ridge=0.02), times / eta, eta, start=START).heads
        assert np.column_stack([heads.signal, heads.bias]) == pytest.approx(flow, abs=1e-10)
        assert heads.noise_norm.max() < 1.5 * np.sqrt(eta)


def test_steps_from_the_largest_stable_one_on_are_named():
    for spectrum in (([1.0], [1.0]), SPECTRUM):
        problem = problem_of(mixture(400, spectrum), ridge=0.1)
        stable = online_path(problem, [1.0], 1e-3).largest_stable_step
        path = online_path(problem, [1.0], stable)
        assert path.status is Status.DIVERGED
        assert np.isnan(summary(path.heads)).all()
        # Just below, the noise settles, though far out: its mean square grows as 1 / (stable - eta).
        far, farther = (
            online_path(problem, [1e6], scale * stable).heads.noise_norm[0] ** 2 for scale in (0.999, 0.9995)
        )
        assert farther / far == pytest.approx(2.0, rel=1e-2)
    plain = problem_of(mixture(400), ridge=0.1)
    variances, mass = plain.noise_std**2, plain.shares * plain.weights
    limit = 2.0 * (mass @ variances + 0.1) / (mass * plain.weights @ variances**2)
    assert online_path(plain, [1.0], 0.1).largest_stable_step == pytest.approx(limit, rel=1e-12)


def test_without_noise_any_step_is_stable():
    problem = problem_of(mixture(400))._replace(eigenvalues=np.zeros(1))
    path = online_path(problem, [0.0, 4.0], 50.0, noise_norm=0.3)
    assert path.largest_stable_step == np.inf
    assert path.heads.noise_norm == pytest.approx([0.3, 0.3], rel=1e-12)
    assert path.heads.noise_spread.tolist() == [0.0, 0.0]
