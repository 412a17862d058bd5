"""T8's solver: equations and Jacobian, solutions against a generic root finder, limits (T13), named outcomes."""

import naive_proportional as naive
import numpy as np
import pytest
from proportional_cases import random_mixture, random_problem, twin

from llrsim.model.losses import Loss, Status
from llrsim.model.mixture import GroupMixture
from llrsim.prediction.equations import equations
from llrsim.prediction.fixed_point import fixed_point
from llrsim.prediction.objective import PopulationObjective
from llrsim.prediction.population import minimise
from llrsim.prediction.problem import ProportionalProblem
from llrsim.prediction.ridge import ridge_head
from llrsim.prediction.separability import separable

KINKED = (Loss.HINGE, Loss.SQUARED_HINGE, Loss.MAX_MARGIN)
SPECTRUM = np.repeat([0.3, 1.0, 4.0], 40)
VARIANTS = {
    "plain": {},
    "spectrum": {"spectrum": SPECTRUM},
    "anchored": {"anchor": 0.3, "centre": [0.5, -0.4, 0.2]},
    "one signal": {"signal_dim": 1},
    "three signals": {"signal_dim": 3},
}


def written(problem, x, softness=0.0):
    residual, jacobian = np.empty(len(x)), np.empty((len(x), len(x)))
    relative = equations(problem, problem.ridge, softness, 1.0, x, residual, jacobian)
    return residual, jacobian, relative


@pytest.mark.parametrize("loss", list(Loss))
@pytest.mark.parametrize("variant", VARIANTS)
def test_jacobian_is_the_derivative_of_the_equations(loss, variant):
    problem = random_problem(2, loss, **VARIANTS[variant])
    x = np.random.default_rng(7).normal(size=problem.means.shape[1] + 3) * 0.5
    steps = 1e-6 * np.eye(len(x))
    differences = np.array([written(problem, x + h)[0] - written(problem, x - h)[0] for h in steps]).T / 2e-6
    assert written(problem, x)[1] == pytest.approx(differences, abs=5e-8)


def check_solution(problem, found, *, vector_scaling=False):
    """The solution solves the printed equations, with expectations by adaptive quadrature."""
    assert found.status is Status.CONVERGED
    assert found.certificate <= 1e-10
    described = twin(problem, vector_scaling=vector_scaling)
    nodes = None if Loss(problem.loss) in KINKED else 150  # fixed nodes do for smooth losses
    left = naive.residual(described, found.signal, found.bias, found.noise_spread, found.envelope, nodes)
    assert np.abs(left).max() < 1e-8


@pytest.mark.filterwarnings("ignore::scipy.integrate.IntegrationWarning")
@pytest.mark.parametrize("loss", [loss for loss in Loss if loss != Loss.MAX_MARGIN])
@pytest.mark.parametrize("variant", VARIANTS)
def test_solutions_solve_the_printed_equations(loss, variant):
    problem = random_problem(11, loss, **VARIANTS[variant])
    check_solution(problem, fixed_point(problem))


@pytest.mark.filterwarnings("ignore::scipy.integrate.IntegrationWarning")
def test_vector_scaling_and_hard_margins_solve_the_printed_equations():
    scaling = random_problem(4, scales=[0.5, 1.0, 2.0, 1.3], shifts=[0.4, 0.0, -0.7, 1.0])
    check_solution(scaling, fixed_point(scaling), vector_scaling=True)
    hard = random_problem(4, Loss.MAX_MARGIN, alpha=0.8, margins=[1.0, 0.5, 2.0, 1.5])
    check_solution(hard, fixed_point(hard))


@pytest.mark.filterwarnings("ignore::scipy.integrate.IntegrationWarning")
@pytest.mark.parametrize("loss", list(Loss))
def test_a_generic_root_finder_agrees(loss):
    problem = random_problem(21, loss, alpha=1.2 if loss == Loss.MAX_MARGIN else 3.0)
    found, other = fixed_point(problem), naive.solve(twin(problem), nodes=None if loss in KINKED else 120)
    assert found.signal == pytest.approx(other["u"], abs=1e-7)
    assert [found.bias, found.noise_spread] == pytest.approx([other["b"], other["q"]], abs=1e-7)


def test_squared_loss_is_its_closed_form():
    for variant in VARIANTS.values():
        problem = random_problem(31, Loss.SQUARED, **variant)
        general, closed = fixed_point(problem), ridge_head(problem)
        assert general.signal == pytest.approx(closed.signal, abs=1e-9)
        assert general.bias == pytest.approx(closed.bias, abs=1e-9)
        assert general.noise_spread == pytest.approx(closed.noise_spread, abs=1e-9)
        assert general.noise_norm == pytest.approx(closed.noise_norm, abs=1e-9)
        assert general.envelope == pytest.approx(closed.response, abs=1e-9)


@pytest.mark.parametrize("loss", [loss for loss in Loss if loss != Loss.MAX_MARGIN])
def test_many_rows_a_coordinate_give_the_population_limit(loss):
    """T13: delta -> 0 is T2, with a difference of order delta."""
    rng = np.random.default_rng(41)
    mixture, mass = random_mixture(rng), rng.dirichlet(5 * np.ones(4))
    limit = minimise(PopulationObjective.of(mixture, mass, loss, ridge=0.05)).theta
    gaps = []
    for alpha in (1e4, 1e6, 1e8):
        problem = ProportionalProblem.of(mixture, loss, counts=alpha * 30 * np.ones(4), mass=mass, ridge=0.05)
        found = fixed_point(problem)
        gaps.append(np.abs(np.append(found.signal, found.bias) - limit).max())
    assert gaps[0] > 10 * gaps[1] > 100 * gaps[2]
    assert gaps[-1] < 1e-6


def test_a_large_ridge_gives_the_mean_difference_with_its_own_effect_on_the_bias():
    """T13: balanced weighted labels and lam -> infinity, the Hebb rule u ~ sum p y m."""
    mixture = random_mixture(np.random.default_rng(51))
    p = np.array([0.2, 0.3, 0.1, 0.4])
    problem = ProportionalProblem.of(mixture, Loss.LOGISTIC, counts=[50, 20, 30, 60], mass=p, ridge=1e6)
    found = fixed_point(problem)
    v = (p * mixture.labels) @ mixture.means
    own = problem.ratio * p * problem.weights * mixture.noise_std**2
    scale = found.signal[0] / v[0]
    assert found.signal == pytest.approx(scale * v, rel=1e-5)
    assert found.noise_norm == pytest.approx(scale * np.sqrt(own.sum()), rel=1e-5)
    assert found.bias == pytest.approx(-scale * (p @ (mixture.means @ v) + own @ mixture.labels), rel=1e-4)


def test_as_the_ridge_vanishes_the_head_turns_to_the_margin_program():
    """T13: below the threshold T12, slowly in log(1/ridge)."""
    problem = random_problem(61, alpha=0.7)
    assert separable(problem)
    hard = fixed_point(problem._replace(loss=int(Loss.MAX_MARGIN)))

    def direction(found):
        w = np.append(found.signal, found.noise_norm)
        return w / np.linalg.norm(w)

    gaps = [
        np.linalg.norm(direction(fixed_point(problem._replace(ridge=ridge))) - direction(hard))
        for ridge in (1e-2, 1e-4, 1e-6, 1e-8)
    ]
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] < 0.3 * gaps[0]
    assert fixed_point(problem._replace(ridge=0.0)).status is Status.SEPARABLE


def test_the_hinge_has_a_phase_without_weights():
    """Where the heavier class can hold the lighter one from within its margin: w = 0 and b = its label."""
    toy = GroupMixture.of(means=[[-0.1], [-0.1], [0.1], [0.1]], covariances=[[1.0]], noise_dim=10)
    problem = ProportionalProblem.of(toy, Loss.HINGE, counts=[400, 400, 20, 20], ridge=0.01)
    found = fixed_point(problem)
    assert (found.status, found.bias, found.noise_norm) == (Status.CONVERGED, -1.0, 0.0)
    assert found.signal.tolist() == [0.0]
    assert fixed_point(problem._replace(ridge=1.0)).bias == -1.0
    balanced = fixed_point(problem._replace(weights=0.25 / problem.shares))
    assert balanced.signal[0] > 0.1


def test_weights_that_are_small_for_a_while_have_not_vanished():
    """Few noise coordinates a row: q falls with the softness for decades while u stays, and then it does not."""
    toy = GroupMixture.of(
        means=[[-0.05, -0.2], [-0.05, 0.2], [0.05, -0.2], [0.05, 0.2]],
        covariances=np.diag([1e-4, 0.07]),
        noise_dim=20,
        noise_std=2.0,
    )
    problem = ProportionalProblem.of(toy, Loss.HINGE, counts=np.array([0.1, 0.1, 0.35, 0.45]) * 2e5, ridge=1e-3)
    found = fixed_point(problem)
    assert found.signal[0] > 10
    check_solution(problem, found)


def test_where_weights_vanish_no_head_without_noise_is_better():
    """Rigorous one way: were w = 0 not the minimiser, the population objective would not rise from it either."""
    rng = np.random.default_rng(6)
    vanished = 0
    for _ in range(250):
        mixture = random_mixture(rng)
        mass = rng.dirichlet(0.5 * np.ones(4)) + 1e-3
        mass /= mass.sum()
        ridge = 10 ** rng.uniform(-4, 0)
        counts = mass * 120 * 10 ** rng.uniform(1, 3)
        found = fixed_point(ProportionalProblem.of(mixture, Loss.HINGE, counts=counts, mass=mass, ridge=ridge))
        if found.status is Status.CONVERGED and found.noise_spread == 0.0:
            vanished += 1
            objective = PopulationObjective.of(mixture, mass, Loss.HINGE, ridge=ridge)
            at_zero = objective.value(np.append(np.zeros(2), found.bias))
            assert minimise(objective).theta == pytest.approx(np.append(np.zeros(2), found.bias), abs=1e-4)
            assert at_zero == pytest.approx(2 * min(mass[:2].sum(), mass[2:].sum()), abs=1e-6)
    assert vanished > 10


def test_an_anchor_may_hold_every_margin_beyond_the_kink():
    problem = random_problem(5, Loss.HINGE, anchor=1e3, centre=[0.0, 0.0, 0.0])
    far = problem._replace(
        centre=np.array([60.0, 0.0, 0.0]), means=problem.labels[:, None] * np.array([[1.0, 0.0]] * 4)
    )
    found = fixed_point(far)
    assert found.status in (Status.CONVERGED, Status.NOT_CONVERGED)
    assert not found.status.ok or found.signal[0] == pytest.approx(60.0, rel=1e-2)


def test_a_hinge_under_a_large_ridge():
    problem = random_problem(6, Loss.HINGE, ridge=1e3)
    check_solution(problem, fixed_point(problem))


def test_named_outcomes():
    above = random_problem(71, Loss.MAX_MARGIN, alpha=30.0)
    assert fixed_point(above).status is Status.NOT_SEPARABLE
    free = random_problem(71, alpha=30.0, ridge=0.0)
    assert fixed_point(free).status is Status.CONVERGED
    toy = GroupMixture.of(means=[[1.0], [0.5]], covariances=[[1.0]], noise_dim=10, labels=(1, 1), attributes=(-1, 1))
    one_class = ProportionalProblem.of(toy, Loss.LOGISTIC, counts=[10, 20], ridge=0.1)
    assert fixed_point(one_class).status is Status.ONE_CLASS
    found = fixed_point(one_class)
    assert np.isnan(found.signal).all()


def test_fully_collapsed_groups_are_the_limit_of_nearly_collapsed_ones():
    problem = random_problem(81)
    std = problem.noise_std.copy()
    std[1] = 0.0
    exact, near = (fixed_point(problem._replace(noise_std=np.where(std == 0, s, std))) for s in (0.0, 1e-4))
    assert exact.signal == pytest.approx(near.signal, abs=1e-6)


def test_a_hard_margin_of_groups_of_which_some_have_collapsed():
    """Noise gone from two of four groups: as from two that are nearly without, to the order of what they have."""
    means = [[-1.0, -1.5], [-1.0, 0.2], [1.0, -0.2], [1.0, 1.5]]

    def solved(least):
        law = GroupMixture.of(
            means=means, covariances=[np.diag(v) for v in ([0.36, 0.09], [1e-8, 1e-8], [1e-8, 1e-8], [0.36, 0.09])],
            noise_dim=100, noise_std=[1.0, least, least, 1.0],
        )  # fmt: skip
        return fixed_point(ProportionalProblem.of(law, Loss.MAX_MARGIN, counts=[90, 10, 10, 90]))

    exact, near = solved(0.0), solved(1e-3)
    assert exact.status is Status.CONVERGED
    assert exact.signal == pytest.approx(near.signal, abs=2e-3)


def test_a_guess_changes_the_work_and_not_the_answer():
    problem = random_problem(91)
    cold = fixed_point(problem)
    warm = fixed_point(problem._replace(ridge=0.051), cold.unknowns)
    again = fixed_point(problem._replace(ridge=0.051))
    assert warm.evaluations < 0.3 * again.evaluations
    assert warm.unknowns == pytest.approx(again.unknowns, abs=1e-9)
    wild = fixed_point(problem, np.full(5, 40.0))
    assert wild.unknowns == pytest.approx(cold.unknowns, abs=1e-9)
