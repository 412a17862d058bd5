"""Prox and envelope moments (T8, T9) against adaptive quadrature, over fourteen decades of the envelope's parameter."""

import naive_proportional as naive
import numpy as np
import pytest
from proportional_cases import random_problem, twin

from llrsim.model.losses import Loss
from llrsim.prediction.envelope import Moments, logistic_moments, logistic_prox, moments

LOSSES = list(Loss)


@pytest.mark.parametrize("t", 10.0 ** np.arange(-6, 7))
def test_logistic_prox_solves_its_equation_where_newton_cycles(t):
    for a in np.concatenate([np.linspace(-2 * t, t, 41), np.linspace(-30, 30, 41), [-0.5 * t, -1e8, 1e8]]):
        p = logistic_prox(float(a), t)
        pull = t * np.exp(-np.logaddexp(0.0, p))
        assert abs(p - a - pull) <= 4e-15 * (1 + abs(a) + t)


def test_plain_newton_would_not_do():
    """The control: from P = a, undamped Newton does not solve the equation at large t."""
    a, t = -50.0, 1e4
    p = a
    for _ in range(100):
        right = np.exp(-np.logaddexp(0.0, p))
        p -= (p - a - t * right) / (1 + t * right * (1 - right))
    assert abs(p - logistic_prox(a, t)) > 1.0


def naive_moments(problem, g, mean, s, t):
    """The eight moments by adaptive quadrature of M' and M'' at bracketed proximal points."""
    described = twin(problem, vector_scaling=problem.loss == Loss.LOGISTIC)
    envelope = naive.Envelope(
        described.loss, t, described.weights[g], problem.margins[g], problem.shifts[g], problem.scales[g]
    )

    def expect(of):
        def integrand(a):
            return of(*envelope.derivatives(a), (a - mean) / s)

        return naive.expectation(integrand, mean, s, envelope.breaks())

    return Moments(
        expect(lambda m, c, x: m),
        expect(lambda m, c, x: c),
        expect(lambda m, c, x: c * x),
        expect(lambda m, c, x: c * (x * x - 1)),
        expect(lambda m, c, x: m * m),
        expect(lambda m, c, x: m * c),
        expect(lambda m, c, x: m * c * x),
        expect(lambda m, c, x: m * m * c),
    )


@pytest.mark.filterwarnings("ignore::scipy.integrate.IntegrationWarning")  # it asks for more than rounding allows
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    ("mean", "s", "t"),
    [(0.3, 1.2, 0.7), (-2.0, 0.4, 5.0), (1.5, 3.0, 0.02), (-30.0, 20.0, 80.0), (0.9, 1e-3, 0.5), (0.5, 0.7, 1e-5)],
)
def test_moments_match_adaptive_quadrature(loss, mean, s, t):
    options = {"scales": [0.5, 1.0, 2.0, 1.3], "shifts": [0.4, 0.0, -0.7, 1.0]} if loss == Loss.LOGISTIC else {}
    problem = random_problem(3, loss, margins=[1.0, 0.5, 2.0, 1.5], **options)
    for g in range(4):
        found = moments(problem, g, mean, s, t, 0.0, 1.0)
        assert found == pytest.approx(naive_moments(problem, g, mean, s, t), rel=1e-8, abs=1e-10)


def test_softness_is_the_penalty_it_says():
    """A softened constraint is the squared hinge of weight 1/softness, and a softened hinge has its kink rounded."""
    hard = random_problem(3, Loss.MAX_MARGIN, margins=1.0)
    soft = random_problem(3, Loss.SQUARED_HINGE)._replace(weights=np.full(4, 2.5))
    assert moments(hard, 0, 0.2, 1.0, 0.6, 0.4, 1.0) == pytest.approx(moments(soft, 0, 0.2, 1.0, 0.6, 0.0, 1.0))
    hinge = random_problem(3, Loss.HINGE)
    rounded, sharp = moments(hinge, 0, 0.2, 1.0, 0.6, 1e-9, 1.0), moments(hinge, 0, 0.2, 1.0, 0.6, 0.0, 1.0)
    assert rounded == pytest.approx(sharp, abs=1e-7)


def test_doubling_the_nodes_changes_nothing():
    rng = np.random.default_rng(5)
    for _ in range(2000):
        t, s = 10 ** rng.uniform(-6, 6), 10 ** rng.uniform(-2, 3)
        mean = s * rng.normal() * 2 if rng.random() < 0.5 else rng.normal() * 10 ** rng.uniform(-1, 2)
        once, finer = (np.array(logistic_moments(mean, s, t, refinement)) for refinement in (1.0, 3.0))
        curvature = max(finer[1], 1e-3 / (1 + t))
        # Powers of G weigh the tails, by up to 8.5 and 72.
        curvatures = curvature * np.array([1.0, 8.5, 72.0])
        scale = np.array([abs(finer[0]) + 1e-3, *curvatures, finer[4] + 1e-3, *curvatures])
        assert np.abs((once - finer) / scale).max() < 4e-9


def test_doubling_the_nodes_changes_nothing_where_gaussian_and_loss_set_the_same_step():
    rng = np.random.default_rng(6)
    for _ in range(1000):
        s = 10 ** rng.uniform(-1, 3)
        t = s * 10 ** rng.uniform(0.7, 1.7)
        mean = s * rng.uniform(-3, 3) - 0.5 * t * rng.random()
        once, finer = (np.array(logistic_moments(mean, s, t, refinement)) for refinement in (1.0, 3.0))
        sizes = np.array([finer[0], *[finer[1]] * 3, *finer[[4, 5]], finer[5], finer[7]])
        assert np.abs((once - finer) / sizes).max() < 4e-11
