"""Problems of the proportional limit for tests: random ones, and their literal twins."""

import naive_proportional as naive
import numpy as np

from llrsim.model.losses import Loss
from llrsim.model.mixture import GroupMixture
from llrsim.prediction.problem import ProportionalProblem

LABELS = (-1.0, -1.0, 1.0, 1.0)


def random_mixture(rng, *, signal_dim=2, noise_dim=120, spectrum=None):
    """Four groups with means, covariances and noise scales of their own."""
    factors = rng.normal(size=(4, signal_dim, signal_dim))
    return GroupMixture.of(
        means=rng.normal(size=(4, signal_dim)),
        covariances=0.3 * factors @ factors.transpose(0, 2, 1) + 0.05 * np.eye(signal_dim),
        noise_dim=noise_dim,
        noise_std=rng.uniform(0.5, 1.5, size=4),
        spectrum=spectrum,
    )


def random_problem(seed, loss=Loss.LOGISTIC, *, alpha=2.0, signal_dim=2, spectrum=None, **options):
    """A problem at n/d = alpha with random shares and masses; `options` are those of `ProportionalProblem.of`."""
    rng = np.random.default_rng(seed)
    mixture = random_mixture(rng, signal_dim=signal_dim, spectrum=spectrum)
    counts = rng.dirichlet(3 * np.ones(4)) * alpha * mixture.noise_dim
    options = {"ridge": 0.05, "mass": rng.dirichlet(5 * np.ones(4))} | options
    return ProportionalProblem.of(mixture, loss, counts=counts, **options)


def twin(problem, *, vector_scaling=False):
    """The same problem for `naive_proportional`; the vector-scaling loss has a name of its own there."""
    return naive.Problem(
        loss="vs_logistic" if vector_scaling else Loss(problem.loss).label,
        ratio=problem.ratio,
        shares=problem.shares,
        weights=problem.weights,
        labels=problem.labels,
        means=problem.means,
        covariances=problem.covariances,
        noise_std=problem.noise_std,
        ridge=1.0 if problem.loss == Loss.MAX_MARGIN else problem.ridge,
        anchor=problem.anchor,
        centre=problem.centre,
        eigenvalues=problem.eigenvalues,
        eigenvalue_shares=problem.eigenvalue_shares,
        kappas=problem.margins,
        iotas=problem.shifts,
        deltas=problem.scales,
    )
