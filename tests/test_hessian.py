"""The top eigenvalue of the Hessian in the proportional limit: samples, spiked covariances, spectra."""

import naive_contour as naive
import numpy as np
import pytest

from llrsim.model.losses import Loss
from llrsim.model.mixture import GroupMixture
from llrsim.prediction.descent import largest_stable_step, top_eigenvalue
from llrsim.prediction.problem import ProportionalProblem

SHARES = np.array([0.2, 0.1, 0.15, 0.55])


@pytest.mark.parametrize("rows", [0.5, 2.0])
@pytest.mark.parametrize(
    "spectrum", [([1.0], [1.0]), ([0.2, 1.0, 4.0], [0.5, 0.375, 0.125]), ([1.0, 20.0], [0.9, 0.1])]
)
@pytest.mark.parametrize("tau", [0.3, 1.0])
def test_the_top_eigenvalue_is_that_of_a_sample(rows, spectrum, tau):
    values, parts = spectrum
    law = GroupMixture.of(
        means=tau * np.array([[-1.0, -1.2], [-1.0, 1.2], [1.0, -1.2], [1.0, 1.2]]),
        covariances=tau**2 * np.array([[0.5, 0.1], [0.1, 0.3]]) * np.array([1.0, 0.5, 2.0, 1.0])[:, None, None],
        noise_dim=400,
        noise_std=tau * np.array([0.8, 1.2, 1.0, 0.6]),
        spectrum=np.repeat(values, np.rint(400 * np.array(parts)).astype(int)),
    )
    counts = np.rint(SHARES * rows * 400).astype(int)
    options = {"mass": [0.2, 0.3, 0.3, 0.2], "ridge": 0.1, "anchor": 0.05}
    problem = ProportionalProblem.of(law, Loss.SQUARED, counts=counts, **options)
    random, found = np.random.default_rng(4), []
    for _ in range(6):
        X, _, groups = naive.draw(random, counts, law.labels, law.means, law.covariances, law.noise_std, law.spectrum)
        H = X.T @ (problem.weights[groups][:, None] * X) / len(X) + np.diag(naive.penalty(X.shape[1], 2, 0.1, 0.05))
        found.append(np.linalg.eigvalsh(H)[-1])
    # An edge fluctuates and is biased by d^(-2/3) of itself, about 2 %.
    assert np.mean(found) == pytest.approx(top_eigenvalue(problem), rel=0.05)


def one_group(**changes):
    """Two labels, but one law for all rows: what is known of spiked covariances applies."""
    law = GroupMixture.of(
        means=np.zeros((2, 1)), covariances=[[1e-9]], noise_dim=100, labels=[-1, 1], attributes=[-1, 1]
    )
    problem = ProportionalProblem.of(law, Loss.SQUARED, counts=[100, 100])
    return problem._replace(**changes)


def test_the_top_eigenvalue_of_known_laws():
    # The bias is a spike of size 1 on noise of variance s^2: out of the bulk if 1 > s^2 (1 + sqrt(delta)).
    for ratio in (0.5, 3.0):
        loud = one_group(ratio=ratio, noise_std=np.full(2, 2.0))
        assert top_eigenvalue(loud) == pytest.approx(4.0 * (1.0 + np.sqrt(ratio)) ** 2, rel=1e-10)
        spike = one_group(ratio=ratio, covariances=np.full((2, 1, 1), 7.0), ridge=0.2)
        assert top_eigenvalue(spike) == pytest.approx(7.0 * (1.0 + ratio / 6.0) + 0.2, rel=1e-10)
        # Isotropic noise given as two nearly equal eigenvalues.
        split = loud._replace(eigenvalues=np.array([1.0 - 1e-13, 1.0]), eigenvalue_shares=np.array([0.5, 0.5]))
        assert top_eigenvalue(split) == pytest.approx(top_eigenvalue(loud), rel=1e-10)
    silent = one_group(eigenvalues=np.zeros(1), covariances=np.full((2, 1, 1), 7.0), anchor=0.3)
    assert top_eigenvalue(silent) == pytest.approx(7.3, rel=1e-12)
    assert largest_stable_step(silent, 0.5) == pytest.approx(3.0 / 7.3, rel=1e-12)
