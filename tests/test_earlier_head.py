"""Heads that know an earlier one (T20): slices against the printed equations, and against fits of drawn samples."""

import naive_proportional as naive
import numpy as np
import pytest
from proportional_cases import twin

from llrsim.experiment import FitOptions
from llrsim.model.head import Head
from llrsim.model.losses import Loss, Status
from llrsim.model.mixture import GroupMixture
from llrsim.prediction.fixed_point import fixed_point
from llrsim.prediction.problem import ProportionalProblem
from llrsim.prediction.scores import afr_weight, weighted_by_score, with_noise_direction
from llrsim.simulation import fit
from llrsim.simulation.solvers import Fit

FIRST = Head.of([1.2, 1.5], -0.3, 1.1)
COUNTS = np.array([200.0, 40.0, 32.0, 128.0])


def mixture(noise_dim=200):
    means = [[-1.0, -1.5], [-1.0, 1.5], [1.0, -1.5], [1.0, 1.5]]
    return GroupMixture.of(
        means=means, covariances=np.diag([0.36, 0.09]), noise_dim=noise_dim, noise_std=[1.0, 1.2, 0.8, 1.0]
    )


def problem(loss=Loss.LOGISTIC, *, anchor=0.0, scale=1.0, ridge=0.02):
    law = mixture(int(200 * scale))
    centre = np.append(FIRST.signal, FIRST.bias)
    return ProportionalProblem.of(law, loss, counts=scale * COUNTS, ridge=ridge, anchor=anchor, centre=centre)


def afr(loss, gamma, anchor, **options):
    described = problem(loss, anchor=anchor)
    return weighted_by_score(described, FIRST, afr_weight(gamma, described.labels, described.shares), **options)


@pytest.mark.parametrize("loss", [Loss.LOGISTIC, Loss.SQUARED])
@pytest.mark.parametrize(("gamma", "anchor"), [(1.0, 0.1), (4.0, 0.1), (4.0, 0.0)])
def test_slices_solve_the_printed_equations(loss, gamma, anchor):
    sliced = afr(loss, gamma, anchor)
    found = fixed_point(sliced.problem)
    described = twin(problem(loss, anchor=anchor))
    first = naive.FirstStage(u=FIRST.signal, b=float(FIRST.bias), q=float(FIRST.noise_norm), gamma=gamma)
    u, c = found.signal[:-1], found.signal[-1]
    grid = naive.afr_weights(described, first)
    left = naive.afr_residual(described, first, u, found.bias, c, found.noise_norm, found.envelope, grid)
    assert np.abs(left).max() < 1e-7
    mass = described.shares * (grid[2] * grid[3]).sum(axis=(1, 2))
    assert sliced.mass == pytest.approx(mass, abs=1e-9)


@pytest.mark.parametrize("gamma", [1.0, 4.0, 10.0])
def test_twice_the_slices_change_nothing(gamma):
    once, twice = (fixed_point(afr(Loss.LOGISTIC, gamma, 0.1, refinement=r).problem) for r in (1, 2))
    assert twice.unknowns == pytest.approx(once.unknowns, abs=1e-8)


def test_without_score_dependence_it_is_class_balanced_retraining():
    """gamma = 0 is T8 at CB-LLR's weights, with an anchor in the direction of the earlier noise; c = 0 without one."""
    described = problem()
    balanced = described._replace(weights=0.5 / np.where(described.labels > 0, 160 / 400, 240 / 400))
    sliced, plain = fixed_point(afr(Loss.LOGISTIC, 0.0, 0.0).problem), fixed_point(balanced)
    assert sliced.signal == pytest.approx([*plain.signal, 0.0], abs=1e-9)
    assert [sliced.bias, sliced.noise_norm] == pytest.approx([plain.bias, plain.noise_norm], abs=1e-9)
    pulled = fixed_point(with_noise_direction(balanced._replace(anchor=0.1), float(FIRST.noise_norm)))
    sliced = fixed_point(afr(Loss.LOGISTIC, 0.0, 0.1).problem)
    assert sliced.unknowns == pytest.approx(pulled.unknowns, abs=1e-9)
    assert pulled.signal[-1] > 0.1


def test_weights_that_jump_take_slices_between_the_cuts():
    """Rows right of a score only: halves of a group, so that two exact halves add up to the whole."""
    described = problem()
    whole = weighted_by_score(described, FIRST, lambda f: np.ones_like(f), cuts=np.array([0.4]))
    assert whole.mass == pytest.approx(described.shares, abs=1e-10)
    right = weighted_by_score(described, FIRST, lambda f: (f > 0.4) * 1.0, cuts=np.array([0.4]))
    finer = weighted_by_score(described, FIRST, lambda f: (f > 0.4) * 1.0, cuts=np.array([0.4]), refinement=2)
    assert right.mass == pytest.approx(finer.mass, abs=1e-10)
    a, b = (fixed_point(sliced.problem).unknowns for sliced in (right, finer))
    assert a == pytest.approx(b, abs=1e-8)


def test_noise_with_a_spectrum_is_refused_by_name():
    described = problem()._replace(eigenvalues=np.array([0.5, 2.0]), eigenvalue_shares=np.array([0.5, 0.5]))
    with pytest.raises(ValueError, match="spectrum"):
        with_noise_direction(described, 1.0)


def simulated(gamma, anchor, *, scale, draws, seed):
    """(draws, 4) heads (u, b, log |v|) of AFR on drawn samples; the earlier head's noise is a random direction."""
    law, rng = mixture(int(200 * scale)), np.random.default_rng(seed)
    found = []
    for draw in range(draws):
        X, y, _ = law.sample(counts=(scale * COUNTS).astype(int), seed=10_000 * seed + draw)
        v0 = rng.normal(size=law.noise_dim)
        w0 = np.append(FIRST.signal, FIRST.noise_norm * v0 / np.linalg.norm(v0))
        score = X @ w0 + FIRST.bias
        share = np.where(y > 0, (y > 0).mean(), (y < 0).mean())
        weight = np.exp(-gamma / (1 + np.exp(-y * score))) / share
        start = Fit(
            weights=w0,
            bias=float(FIRST.bias),
            certificate=0.0,
            iterations=0,
            status=Status.CONVERGED,
            path=np.empty((0, len(w0) + 1)),
        )
        head = fit(X, y, weight, head=FitOptions(loss="logistic", ridge=0.02), start=start, anchor=anchor)
        found.append([*head.weights[:2], head.bias, np.log(np.linalg.norm(head.weights[2:]))])
    return np.array(found)


def z_scores(gamma, anchor, *, scale, draws, wrong=1.0):
    sliced = afr(Loss.LOGISTIC, gamma * wrong, anchor)
    found = fixed_point(sliced.problem)
    norm = np.hypot(found.noise_norm, found.signal[-1])
    theory = np.array([*found.signal[:2], found.bias, np.log(norm)])
    drawn = simulated(gamma, anchor, scale=scale, draws=draws, seed=int(7 + gamma * 10 + anchor * 100))
    error = drawn.std(axis=0, ddof=1) / np.sqrt(draws)
    # What is left of a finite size beside the sampling error, 1/d with a constant of order one.
    return (drawn.mean(axis=0) - theory) / np.hypot(error, 1.0 / (200 * scale))


@pytest.mark.parametrize(("gamma", "anchor"), [(0.0, 0.1), (1.0, 0.0), (4.0, 0.1)])
def test_drawn_samples_agree(gamma, anchor):
    """Four z-scores a case: beyond 4.5 once in 10^4 suites."""
    assert np.abs(z_scores(gamma, anchor, scale=1, draws=40)).max() < 4.5


def test_a_wrong_gamma_is_seen():
    assert np.abs(z_scores(4.0, 0.1, scale=1, draws=40, wrong=0.7)).max() > 4.5


@pytest.mark.slow
@pytest.mark.parametrize("gamma", [0.0, 1.0, 4.0])
@pytest.mark.parametrize("anchor", [0.0, 0.1])
def test_drawn_samples_agree_at_twice_the_size(gamma, anchor):
    assert np.abs(z_scores(gamma, anchor, scale=2, draws=100)).max() < 4.5
