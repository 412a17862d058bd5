"""Training margins, loss, accuracy and flatness (T8, T22) against fits of drawn samples and against themselves."""

import numpy as np
import pytest
from proportional_cases import random_mixture, random_problem
from scipy.special import ndtr

from llrsim.experiment import FitOptions
from llrsim.model.losses import Loss
from llrsim.model.mixture import GroupMixture
from llrsim.prediction.fixed_point import fixed_point
from llrsim.prediction.problem import ProportionalProblem
from llrsim.prediction.training import training
from llrsim.simulation import fit

COUNTS = np.array([240, 80, 120, 360])
MASS = np.array([0.3, 0.2, 0.3, 0.2])
VALUE = {
    "squared": lambda m: 0.5 * (1 - m) ** 2,
    "logistic": lambda m: np.logaddexp(0, -m),
    "hinge": lambda m: np.maximum(1 - m, 0),
    "squared_hinge": lambda m: 0.5 * np.maximum(1 - m, 0) ** 2,
}
CURVATURE = {
    "squared": np.ones_like,
    "logistic": lambda m: 0.25 / np.cosh(m / 2) ** 2,
    "squared_hinge": lambda m: (m < 1) * 1.0,
}


def sampled(loss, draws=12, noise_dim=400):
    """(draws, 9) of drawn fits: loss and accuracy of the groups, and flatness; then the same predicted."""
    law = random_mixture(np.random.default_rng(17), noise_dim=noise_dim)
    problem = ProportionalProblem.of(law, Loss[loss.upper()], counts=COUNTS, mass=MASS, ridge=0.1)
    rows = np.repeat(np.arange(4), COUNTS)
    weight = problem.weights[rows]
    found = []
    for draw in range(draws):
        X, y, _ = law.sample(counts=COUNTS, seed=draw)
        head = fit(X, y, weight, head=FitOptions(loss=loss, ridge=0.1))
        m = y * (X @ head.weights + head.bias)
        means = [[of[rows == g].mean() for g in range(4)] for of in (VALUE[loss](m), 1.0 * (m > 0))]
        flat = np.nan
        if loss in CURVATURE:
            bend = (weight * CURVATURE[loss](m) * (X**2).sum(axis=1)).mean()
            flat = head.weights @ head.weights * bend / noise_dim
        found.append([*means[0], *means[1], flat])
    seen = training(problem, fixed_point(problem))
    theory = np.array([*seen.loss, *seen.accuracy, seen.flatness])
    return np.array(found), theory


@pytest.mark.parametrize("loss", list(VALUE))
def test_drawn_fits_see_what_is_predicted(loss):
    """Nine z-scores a loss, with 1/d allowed for finite size: beyond 4.5 once in 10^4 suites."""
    found, theory = sampled(loss)
    kept = np.isfinite(found).all(axis=0)
    assert kept.sum() >= 8
    error = np.hypot(found.std(axis=0, ddof=1) / np.sqrt(len(found)), 2.0 * (np.abs(theory) + 0.1) / 400)
    z = (found.mean(axis=0) - theory)[kept] / error[kept]
    assert np.abs(z).max() < 4.5
    # The control: margins of rows that were left out, in place of the fitted ones, are seen.
    left_out = ndtr(theory_margins(loss))
    assert np.abs((found.mean(axis=0)[4:8] - left_out) / error[4:8]).max() > 4.5


def theory_margins(loss):
    """Mean over deviation of each group's margin on rows that were not fitted."""
    law = random_mixture(np.random.default_rng(17), noise_dim=400)
    problem = ProportionalProblem.of(law, Loss[loss.upper()], counts=COUNTS, mass=MASS, ridge=0.1)
    seen = training(problem, fixed_point(problem))
    return seen.mean / seen.deviation


@pytest.mark.parametrize("loss", list(Loss))
def test_the_density_has_the_mass_loss_and_accuracy_it_should(loss):
    problem = random_problem(5, loss, alpha=0.8, scales=1.3 if loss == Loss.LOGISTIC else 1.0, margins=1.2)
    seen = training(problem, fixed_point(problem))
    grid = (np.arange(-160_000, 240_000) + 0.5) * 2.5e-4  # a density may jump at 0 and 1, between two points
    density, atom = seen.margin_density(grid)
    step = grid[1] - grid[0]
    assert density.sum(axis=1) * step + atom == pytest.approx(np.ones(4), abs=1e-4)
    assert density[:, grid > 0].sum(axis=1) * step + atom == pytest.approx(seen.accuracy, abs=1e-4)
    if loss != Loss.MAX_MARGIN:
        scaled = 1.3 * grid if loss == Loss.LOGISTIC else grid
        assert density @ VALUE[loss.label](scaled) * step == pytest.approx(seen.loss, abs=2e-4)
    if loss in (Loss.LOGISTIC, Loss.SQUARED, Loss.SQUARED_HINGE):
        bend = 1.3**2 * CURVATURE["logistic"](1.3 * grid) if loss == Loss.LOGISTIC else CURVATURE[loss.label](grid)
        assert density @ bend * step == pytest.approx(seen.curvature, abs=1e-4)


def test_a_head_without_weights_sees_every_row_at_its_bias():
    """The hinge's phase of zero weights: the heavier class sits at its margin, the lighter one is wrong by two."""
    law = GroupMixture.of(means=[[-0.1], [-0.1], [0.1], [0.1]], covariances=[[1.0]], noise_dim=10)
    problem = ProportionalProblem.of(law, Loss.HINGE, counts=[400, 400, 20, 20], ridge=0.01)
    found = fixed_point(problem)
    assert found.noise_spread == 0.0
    seen = training(problem, found)
    assert seen.accuracy.tolist() == [1.0, 1.0, 0.0, 0.0]
    assert seen.loss == pytest.approx([0.0, 0.0, 2.0, 2.0])
