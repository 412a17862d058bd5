"""T14 at delta = 0: descent in the population as a recursion, in closed form on least squares."""

import naive_population as naive
import numpy as np
import pytest

from llrsim.model.losses import Loss
from llrsim.model.mixture import GroupMixture
from llrsim.prediction.formulas import least_squares
from llrsim.prediction.objective import PopulationObjective
from llrsim.prediction.population import (
    descend,
    descent_filter,
    flow_filter,
    gradient_flow,
    largest_stable_step,
    minimise,
)

EXACT = 1e-12
START = np.array([0.6, -0.2, 0.1])


def objective(loss, **options):
    random = np.random.default_rng(11)
    roots = random.normal(size=(4, 2, 2))
    mixture = GroupMixture.of(
        means=random.normal(size=(4, 2)),
        covariances=roots @ roots.transpose(0, 2, 1) + 0.1 * np.eye(2),
        noise_dim=1,
        noise_std=0.1,
    )
    mass = np.array([0.4, 0.1, 0.2, 0.3])
    groups = list(zip(mass, mixture.labels, mixture.means, mixture.covariances, strict=True))
    return PopulationObjective.of(mixture, mass, loss, **options), groups


@pytest.mark.parametrize("momentum", [0.0, 0.7])
@pytest.mark.parametrize("clip", [None, 0.05])
def test_least_squares_descent_is_the_loop(momentum, clip):
    options = {"ridge": 0.1, "anchor": 0.05, "centre": START}
    problem, groups = objective(Loss.SQUARED, **options)
    at = [0, 1, 2, 7, 40]
    found = descend(problem, START, at, step_size=0.3, momentum=momentum, clip=clip)
    loop = naive.descend(
        lambda theta: naive.least_squares_gradient(theta, groups, 0.1, 0.05, START), START, 40, 0.3, momentum, clip
    )
    # With a clip, the 1e-6 in PyTorch's denominator shortens each clipped step by 2e-5 of its length.
    assert found == pytest.approx(loop[at], abs=EXACT if clip is None else 2e-5)


def test_nesterovs_momentum_is_the_loop():
    problem, groups = objective(Loss.SQUARED, ridge=0.1)
    found = descend(problem, START, range(9), step_size=0.3, momentum=0.7, nesterov=True)
    x = ahead = START
    for point in found:
        assert point == pytest.approx(ahead, abs=EXACT)
        before, x = x, ahead - 0.3 * naive.least_squares_gradient(ahead, groups, 0.1, 0.0, 0.0 * START)
        ahead = x + 0.7 * (x - before)


@pytest.mark.parametrize("loss", ["logistic", "hinge", "squared_hinge"])
def test_other_losses_are_the_loop_on_quadrature(loss):
    problem, groups = objective(Loss[loss.upper()], ridge=0.1)
    found = descend(problem, START, [0, 3, 8], step_size=0.5, momentum=0.5)
    loop = naive.descend(lambda theta: naive.gradient(theta, loss, groups, 0.1), START, 8, 0.5, 0.5)
    assert found == pytest.approx(loop[[0, 3, 8]], abs=1e-9)


def test_a_loose_clip_changes_nothing():
    problem, _ = objective(Loss.SQUARED, ridge=0.1)
    free, loose = (descend(problem, START, [25], step_size=0.3, clip=clip) for clip in (None, 1e3))
    assert loose == pytest.approx(free, abs=EXACT)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_many_steps_of_least_squares_reach_the_ridge_head(momentum):
    problem, _ = objective(Loss.SQUARED, ridge=0.1)
    (theta,) = descend(problem, np.zeros(3), [100_000], step_size=0.3, momentum=momentum)
    assert theta == pytest.approx(least_squares(problem), abs=1e-11)


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge", "hinge"])
def test_many_steps_of_other_losses_reach_the_minimiser(loss):
    problem, _ = objective(Loss[loss.upper()], ridge=0.1)
    (theta,) = descend(problem, np.zeros(3), [3000], step_size=0.3)
    assert theta == pytest.approx(minimise(problem).theta, abs=1e-9)


def test_the_filter_is_the_geometric_sum():
    z, steps, eta = np.array([1e-3, 0.4, 1.0, 3.0]), 9, 0.5
    assert descent_filter(z, steps, eta) == pytest.approx((1 - (1 - eta * z) ** steps) / z, rel=1e-11)
    assert descent_filter([0.0], steps, eta) == pytest.approx([eta * steps], rel=EXACT)


def test_flow_is_descent_in_small_steps():
    problem, _ = objective(Loss.SQUARED, ridge=0.1)
    flow = gradient_flow(problem, 3.0, START)
    gaps = [np.linalg.norm(descend(problem, START, [n], step_size=3.0 / n)[0] - flow) for n in (1000, 2000)]
    assert gaps[0] < 1e-2
    assert gaps[0] / gaps[1] == pytest.approx(2.0, rel=0.02)
    assert gradient_flow(problem, 1e6) == pytest.approx(least_squares(problem), abs=1e-10)
    assert flow_filter([0.0, 1e-12], 2.0) == pytest.approx([2.0, 2.0], abs=1e-10)


@pytest.mark.parametrize("momentum", [0.0, 0.6])
def test_the_largest_stable_step_is_sharp_for_least_squares(momentum):
    problem, _ = objective(Loss.SQUARED, ridge=0.1)
    stable = largest_stable_step(problem, momentum)
    below, above = (
        problem.value(descend(problem, START, [5000], step_size=scale * stable, momentum=momentum)[0])
        for scale in (0.99, 1.01)
    )
    assert below == pytest.approx(problem.value(least_squares(problem)), rel=1e-6)
    assert above > 1e6 * below


def test_loud_noise_coordinates_bound_the_stable_step():
    mixture = GroupMixture.of(means=np.zeros((4, 1)), covariances=[[1.0]], noise_dim=5, noise_std=3.0)
    quadratic = PopulationObjective.of(mixture, mixture.proportions, Loss.SQUARED, ridge=1.0)
    logistic = PopulationObjective.of(mixture, mixture.proportions, Loss.LOGISTIC, ridge=1.0)
    steps = [largest_stable_step(problem) for problem in (quadratic, logistic)]
    assert steps == pytest.approx([2 / 10, 2 / (9 / 4 + 1)])


def test_the_hinge_has_no_largest_stable_step():
    problem, _ = objective(Loss.HINGE, ridge=1.0)
    assert np.isnan(largest_stable_step(problem))
