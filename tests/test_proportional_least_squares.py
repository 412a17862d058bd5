"""T8 for the squared loss and T10: the fixed point against dense ridge, its limits, and the balanced weights."""

import naive_contour as naive
import numpy as np
import pytest

from llrsim.model.collapse import class_centres, collapse
from llrsim.model.losses import Loss, Status
from llrsim.model.mixture import GroupMixture
from llrsim.prediction.formulas import least_squares
from llrsim.prediction.objective import PopulationObjective
from llrsim.prediction.problem import ProportionalProblem
from llrsim.prediction.ridge import TOLERANCE, balanced_direction_weights, ridge_head

EXACT = 1e-12
ALARM = 1e-5  # false alarms of one joint test; a dozen are made
CENTRE = np.array([0.3, -0.2, 0.1])
SHARES = np.array([0.2, 0.1, 0.15, 0.55])
MASS = [0.2, 0.3, 0.3, 0.2]


def mixture(dim, *, spectrum=None, tau=1.0, noise_std=(0.8, 1.2, 1.0, 0.6)):
    plain = GroupMixture.of(
        means=[[-1.0, -1.2], [-1.0, 1.2], [1.0, -1.2], [1.0, 1.2]],
        covariances=np.array([[0.5, 0.1], [0.1, 0.3]]) * np.array([1.0, 0.5, 2.0, 1.0])[:, None, None],
        noise_dim=dim,
        noise_std=noise_std,
        spectrum=spectrum,
        proportions=SHARES,
    )
    return collapse(plain, class_centres(plain), noise=tau, attribute=tau)


def problem_of(law, rows, **options):
    counts = np.rint(SHARES * rows).astype(int)
    return ProportionalProblem.of(law, Loss.SQUARED, counts=counts, **options), counts


def random_problem(random):
    return ProportionalProblem(loss=int(Loss.SQUARED), **naive.random_fields(random))


def summary(head):
    return np.concatenate([head.signal, [head.bias, head.noise_norm**2, head.noise_spread**2]])


def p_value(head, runs):
    """Joint test of u, b, log |v|, log q, the last two being one number where the noise is isotropic."""
    count = 4 if np.allclose(runs[:, -1], runs[:, -2]) else 5
    predicted, found = summary(head)[:count], runs[:, :count].copy()
    predicted[3:], found[:, 3:] = np.log(predicted[3:]), np.log(found[:, 3:])
    return naive.joint_p_value(predicted, found)


CELLS = {
    "few rows, weights, anchor": {"rows": 0.5, "mass": MASS, "anchor": 0.05, "centre": CENTRE, "ridge": 0.02},
    "many rows, weights": {"rows": 2.0, "mass": MASS, "ridge": 0.05},
    "spectrum": {"rows": 1.0, "spectrum": ([0.2, 1.0, 4.0], [0.5, 0.375, 0.125]), "mass": MASS, "ridge": 0.02},
    "collapse": {"rows": 1.0, "tau": 0.3, "ridge": 0.02},
}


def simulate(cell, dim, runs):
    """The problem of a cell, its law, and the summaries (runs, 5) of ridge heads of samples."""
    options = dict(CELLS[cell])
    values, shares = options.pop("spectrum", ([1.0], [1.0]))
    spectrum = np.repeat(values, np.rint(np.array(shares) * dim).astype(int))
    law = mixture(dim, spectrum=spectrum, tau=options.pop("tau", 1.0))
    problem, counts = problem_of(law, options.pop("rows") * dim, **options)
    random, heads = np.random.default_rng(7), []
    centre = np.append(problem.centre, np.zeros(dim))
    for _ in range(runs):
        X, y, groups = naive.draw(random, counts, law.labels, law.means, law.covariances, law.noise_std, law.spectrum)
        heads.append(naive.ridge_head(X, y, problem.weights[groups], 2, problem.ridge, problem.anchor, centre))
    return problem, naive.summaries(np.array(heads), spectrum, 2)


@pytest.mark.parametrize("cell", CELLS)
def test_dense_ridge_agrees_and_a_formula_5_percent_off_does_not(cell):
    # The finite-size bias, about 1/d here, is one standard error.
    problem, runs = simulate(cell, 400, 120)
    head = ridge_head(problem)
    assert head.status is Status.CONVERGED
    assert p_value(head, runs) > ALARM
    assert p_value(head._replace(signal=1.05 * head.signal), runs) < ALARM
    assert p_value(head._replace(noise_norm=1.05 * head.noise_norm), runs) < ALARM


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
def test_dense_ridge_approaches_the_limit(cell):
    gaps = []
    for dim, runs in ((40, 3000), (320, 400)):
        problem, found = simulate(cell, dim, runs)
        gaps.append(np.linalg.norm(found.mean(axis=0) - summary(ridge_head(problem))))
        error = np.linalg.norm(found.std(axis=0)) / np.sqrt(runs)
    # C/d is an eighth of what it was; the rest is allowed for sampling.
    assert gaps[1] < gaps[0] / 8 + 4.0 * error


@pytest.mark.parametrize("seed", range(5))
def test_the_fixed_point_as_it_is_printed(seed):
    random = np.random.default_rng(seed)
    problem = random_problem(random)._replace(ridge=0.1)
    head = ridge_head(problem)
    V, e, s = head.response, problem.eigenvalues, problem.eigenvalue_shares
    pull = problem.weights / (1.0 + problem.weights * problem.noise_std**2 * V)  # M'', and M' = pull (f - y)
    residual = problem.labels - problem.means @ head.signal - head.bias
    square = residual**2 + np.einsum("i,gij,j->g", head.signal, problem.covariances, head.signal)
    square = pull**2 * (square + problem.noise_std**2 * head.noise_spread**2)
    a, nu = problem.ridge + problem.anchor, problem.shares @ (problem.noise_std**2 * pull)
    force = problem.ratio * (problem.shares @ (problem.noise_std**2 * square))
    assert head.response == pytest.approx(problem.ratio * s @ (e / (a + nu * e)), rel=1e-11)
    assert head.noise_spread**2 == pytest.approx(force * s @ (e**2 / (a + nu * e) ** 2), rel=1e-10)
    assert head.noise_norm**2 == pytest.approx(force * s @ (e / (a + nu * e) ** 2), rel=1e-10)
    assert head.effective_weights == pytest.approx(problem.shares * pull, rel=EXACT)


@pytest.mark.parametrize("seed", range(5))
def test_the_head_is_population_least_squares_under_the_effective_weights(seed):
    problem = random_problem(np.random.default_rng(10 + seed))
    head = ridge_head(problem)
    c, total = head.effective_weights, head.effective_weights.sum()
    law = GroupMixture.of(
        labels=problem.labels,
        attributes=problem.labels,
        means=problem.means,
        covariances=problem.covariances,
        noise_dim=1,
    )
    penalties = {"ridge": problem.ridge / total, "anchor": problem.anchor / total, "centre": problem.centre}
    population = least_squares(PopulationObjective.of(law, c / total, Loss.SQUARED, **penalties))
    assert np.append(head.signal, head.bias) == pytest.approx(population, rel=1e-9, abs=1e-9)


def test_many_rows_are_the_population():
    problem, _ = problem_of(mixture(400), 800, mass=MASS, ridge=0.05)
    objective = PopulationObjective.of(mixture(400), MASS, Loss.SQUARED, ridge=0.05)
    gaps = []
    for ratio in (1e-4, 1e-5):
        head = ridge_head(problem._replace(ratio=ratio))
        gaps.append(np.linalg.norm(np.append(head.signal, head.bias) - least_squares(objective)))
        assert head.noise_norm < 2.0 * np.sqrt(ratio)
    assert gaps[0] < 1e-3
    assert gaps[1] == pytest.approx(0.1 * gaps[0], rel=1e-2)


def test_without_ridge_and_with_few_rows_every_weighting_interpolates_alike():
    dim, random = 400, np.random.default_rng(3)
    law = mixture(dim)
    problem, counts = problem_of(law, 200)
    head = ridge_head(problem)
    assert head.status is Status.SEPARABLE
    assert head.response == np.inf
    assert summary(ridge_head(problem_of(law, 200, mass=MASS)[0])) == pytest.approx(summary(head), rel=1e-11)
    # The difference that weights make is O(ridge).
    small = [summary(ridge_head(problem_of(law, 200, mass=MASS, ridge=ridge)[0])) for ridge in (1e-5, 1e-6)]
    gaps = [np.linalg.norm(found - summary(head)) for found in small]
    assert gaps[0] < 1e-3
    assert gaps[1] == pytest.approx(0.1 * gaps[0], rel=1e-2)
    heads = []
    for _ in range(30):
        X, y, _ = naive.draw(random, counts, law.labels, law.means, law.covariances, law.noise_std, law.spectrum)
        heads.append(naive.interpolator(X, y, 2))
    assert p_value(head, naive.summaries(np.array(heads), law.spectrum, 2)) > ALARM


def test_without_ridge_many_rows_determine_the_head():
    law = mixture(400)
    found, tiny = (ridge_head(problem_of(law, 600, mass=MASS, ridge=ridge)[0]) for ridge in (0.0, 1e-10))
    assert found.status is Status.CONVERGED
    assert summary(found) == pytest.approx(summary(tiny), rel=1e-8)
    # Eigenvalues without variance are not noise dimensions: 300 rows suffice for 200.
    half = mixture(400, spectrum=np.repeat([0.0, 1.0], 200))
    assert ridge_head(problem_of(half, 300)[0]).status is Status.CONVERGED


def test_rows_without_weight_do_not_count():
    law = mixture(400)
    problem, _ = problem_of(law, 800, mass=[0.3, 0.0, 0.3, 0.4])
    assert ridge_head(problem).status is Status.CONVERGED
    assert ridge_head(problem._replace(ratio=0.91)).status is Status.SEPARABLE


def test_directions_without_spread_get_the_weight_of_least_norm():
    law = GroupMixture.of(
        means=[[-0.7, -1.9, 0.3], [0.7, 1.9, -0.3]],
        covariances=np.zeros((3, 3)),
        noise_dim=10,
        labels=[-1, 1],
        attributes=[-1, 1],
    )
    problem = ProportionalProblem.of(law, Loss.SQUARED, counts=[10, 30])
    head, near = (ridge_head(problem._replace(ridge=ridge)) for ridge in (0.0, 1e-6))
    assert head.signal / head.signal[0] == pytest.approx([1.0, 19 / 7, -3 / 7], rel=1e-9)
    assert summary(head) == pytest.approx(summary(near), abs=1e-6)


def test_random_problems_are_solved_or_named():
    random, solved = np.random.default_rng(5), 0
    for _ in range(1000):
        head = ridge_head(random_problem(random))
        assert head.status in (Status.CONVERGED, Status.SEPARABLE)
        assert head.certificate <= TOLERANCE
        assert np.isfinite(summary(head)).all()
        solved += head.status is Status.CONVERGED
    assert solved >= 800


def test_balanced_weights_give_every_group_the_same_effective_weight():
    spectrum = np.repeat([0.2, 1.0, 4.0], [200, 150, 50])
    for options in ({"ridge": 0.05}, {"ridge": 1e-4}, {"anchor": 0.1}):
        for rows in (100, 4000):
            problem, _ = problem_of(mixture(400, spectrum=spectrum), rows, **options)
            weights = balanced_direction_weights(problem)
            assert weights.min() > 0.0
            assert problem.shares @ weights == pytest.approx(1.0, rel=1e-9)
            c = ridge_head(problem._replace(weights=weights)).effective_weights
            assert c == pytest.approx(np.full(4, c[0]), rel=1e-6)


def test_balanced_weights_are_the_inverse_shares_with_many_rows_only():
    problem, _ = problem_of(mixture(400), 800, ridge=0.05)
    far = balanced_direction_weights(problem._replace(ratio=1e-9))
    assert far == pytest.approx(0.25 / problem.shares, rel=1e-7)
    assert balanced_direction_weights(problem).max() > 1.2 * far.max()


def test_without_ridge_balanced_weights_need_rows_in_every_group():
    problem, _ = problem_of(mixture(400), 800)
    variances = problem.noise_std**2
    largest = (problem.shares * variances.sum() / variances).min()
    weights = balanced_direction_weights(problem._replace(ratio=0.99 * largest))
    c = ridge_head(problem._replace(ratio=0.99 * largest, weights=weights)).effective_weights
    assert c == pytest.approx(np.full(4, c[0]), rel=1e-9)
    with pytest.raises(ValueError, match=rf"ridge: 0 .* expected a ridge > 0 or d/n < {largest:g}"):
        balanced_direction_weights(problem._replace(ratio=1.01 * largest))
