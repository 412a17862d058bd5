"""Averaged subset heads: the overlap of their noise parts against its limits and against drawn samples."""

import numpy as np
import pytest
from proportional_cases import random_problem

import llrsim
from llrsim.model.losses import Loss
from llrsim.prediction.fixed_point import fixed_point
from llrsim.prediction.scores import mean_norm, subset_overlap


@pytest.mark.parametrize("loss", [Loss.SQUARED, Loss.LOGISTIC, Loss.HINGE])
def test_the_overlap_runs_from_disjoint_rows_to_equal_ones(loss):
    problem = random_problem(3, loss)
    head = fixed_point(problem)
    cosines = [subset_overlap(problem, head, np.full(4, share)) for share in (0.0, 0.3, 0.7, 0.99, 1.0)]
    assert cosines == sorted(cosines)
    assert cosines[0] == 0.0
    assert cosines[-1] == pytest.approx(1.0, abs=1e-9)
    assert 0.05 < cosines[1] < 0.3  # below the share of rows in common: the rest is independent


def test_squared_loss_has_a_linear_equation():
    """M' is linear in a, so that E M'(a1) M'(a2) = c^2 ((mean - 1)^2 + covariance): the overlap is elementary."""
    problem, share = random_problem(4, Loss.SQUARED), np.array([0.2, 0.5, 0.9, 0.4])
    head = fixed_point(problem)
    sigma2, q2 = problem.noise_std**2, head.noise_spread**2
    c = problem.weights / (1 + problem.weights * sigma2 * head.envelope)
    mean = problem.labels * (problem.means @ head.signal + head.bias) - 1
    signal = np.einsum("i,gij,j->g", head.signal, problem.covariances, head.signal)
    h = problem.shares * sigma2 * c**2
    # q^2 = F sum h (mean^2 + signal + sigma^2 q^2) gives F; r obeys the same with the shares in it.
    factor = q2 / (h @ (mean**2 + signal + sigma2 * q2))
    r = factor * (h * share) @ (mean**2 + signal) / (1 - factor * (h * share) @ sigma2)
    assert subset_overlap(problem, head, share) == pytest.approx(r / q2, abs=1e-9)


def test_mean_norm_interpolates():
    assert mean_norm(3.0, 0.25, 1) == pytest.approx(3.0)
    assert mean_norm(3.0, 0.25, 10**9) == pytest.approx(1.5)


def z_of_noise_norm(replicates, wrong_share=None):
    """z of the averaged head's noise norm, simulation against prediction, 1/d allowed for finite size."""
    experiment = llrsim.load("quick").with_values(
        {"features.noise.dim": 200, "heldout.n": 1200, "heldout.minority_ratio": 0.25, "head.ridge": 0.05}
    )
    experiment = experiment.replace(method=[{"kind": "dfr", "balance": "subset", "average": 8}])
    drawn = llrsim.simulate(experiment, replicates)["dfr"].heads.noise_norm
    predicted = llrsim.predict(experiment)["dfr"].heads.noise_norm[0]
    if wrong_share is not None:
        single = experiment.replace(method=[{"kind": "dfr", "balance": "subset"}])
        predicted = mean_norm(llrsim.predict(single)["dfr"].heads.noise_norm[0], wrong_share, 8)
    error = np.hypot(drawn.std(ddof=1) / np.sqrt(replicates), predicted / 200)
    return (drawn.mean() - predicted) / error


def test_drawn_averages_agree():
    """One z-score: beyond 4 once in 10^4 suites; independent subsets in place of overlapping ones are seen."""
    assert abs(z_of_noise_norm(60)) < 4
    assert abs(z_of_noise_norm(60, wrong_share=0.0)) > 4
