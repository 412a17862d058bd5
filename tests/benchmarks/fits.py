"""Draws, exact fits and descents of the dense and the lazy simulator.

A replicate is drawn, fitted and read out on both sides. Small replicates are timed several at a time, because that is
how the engine runs them.
"""

import numpy as np
from benchmarks.instance import (
    engine,
    experiment,
    group_counts,
    numpy_descent,
    numpy_ridge,
    numpy_sample,
    reference,
    scikit_learn_fit,
)
from benchmarks.pairs import Sides
from benchmarks.triad import dgemm, passes

from llrsim.model.draws import Role, draw, root_key, sample_law
from llrsim.model.plan import plan
from llrsim.simulation import fit

RIDGE, STEP_SIZE = 0.01, 0.5


def draws(n: int, d: int) -> Sides:
    """A sample of the mixture into a design that is there already, and as many standard normals by NumPy."""
    sample = plan(experiment(n, d, RIDGE)).samples[0]
    mixture = sample.mixture
    law = sample_law(
        labels=mixture.labels,
        means=mixture.means,
        covariances=mixture.covariances,
        noise_std=mixture.noise_std,
        spectrum=np.ones(d),
    )
    state, root, counts = np.empty(4, np.uint64), root_key(0), sample.counts
    design, labels, normals = np.empty((n, d + 3)), np.empty(n), np.empty((n, d + 2))
    rng = np.random.default_rng(0)
    return Sides(
        lambda: draw(state, root, int(Role.SAMPLE), 0, law, counts, design, labels),
        lambda: rng.standard_normal(out=normals),
    )


def logistic(n: int, d: int, replicates: int, *, ridge: float = RIDGE, simulator: str = "dense") -> Sides:
    """Exact logistic replicates, and the same by scikit-learn."""
    ours = engine(experiment(n, d, ridge), replicates, simulator=simulator)
    return Sides(ours, reference(scikit_learn_fit(n, ridge), n, d, replicates))


def least_squares(n: int, d: int, replicates: int) -> Sides:
    """Exact ridge replicates, and the same by NumPy's normal equations."""
    ours = engine(experiment(n, d, RIDGE, loss="squared"), replicates, simulator="dense")
    return Sides(ours, reference(numpy_ridge(RIDGE), n, d, replicates))


def least_squares_alone(n: int, d: int) -> Sides:
    """One exact ridge fit of given rows, and dgemm of the size of its X'X, which gains nothing from symmetry."""
    head = experiment(n, d, RIDGE, loss="squared").head
    X, y = numpy_sample(np.random.default_rng(0), group_counts(n, d), d)
    return Sides(lambda: fit(X, y, head=head), dgemm(d + 2, n, d + 2))


def descent(n: int, d: int, replicates: int, *, steps: int) -> Sides:
    """Replicates of full-batch descent on the logistic loss, and the same by NumPy."""
    described = experiment(n, d, RIDGE, solver={"steps": steps, "step_size": STEP_SIZE})
    theirs = reference(numpy_descent(RIDGE, steps=steps, step_size=STEP_SIZE), n, d, replicates)
    return Sides(engine(described, replicates, simulator="dense"), theirs)


def lazy_descent(n: int, *, steps: int) -> Sides:
    """A lazy replicate of descent with n = d on one thread, and a triad of as many bytes as it moves."""
    described = experiment(n, n, RIDGE, solver={"steps": steps, "step_size": STEP_SIZE})
    moved = float(n * moved_bytes(steps))
    return Sides(engine(described, 1, simulator="lazy"), passes(moved))


ALL_NEW = 16
"""Steps of a descent at n = d whose gradients are all new to working precision; of later ones every third is."""


def moved_bytes(steps: int) -> int:
    """Bytes that a lazy descent moves for each row, as long as every gradient reveals a direction.

    After step t it looks: t left directions of 8 bytes, the last one being finished and written back, t right ones of
    4, two signal columns, the label, scale and weight are read, the margin and its slope written. Then it asks: weight,
    slope, scale and the left directions again are read, and a direction of each kind is written. As with a triad, what
    the memory reads before a store is not counted.
    """
    look = sum(12 * t + 8 * (3 + 2 + 2 + min(t, 1)) for t in range(steps + 1))
    ask = sum(8 * t + 8 * 3 + 12 for t in range(steps + 1))
    return look + ask


def lazy_exact(n: int, d: int) -> Sides:
    """An exact logistic replicate by the lazy simulator, and by the dense one."""
    described = experiment(n, d, RIDGE)
    lazy, dense = (engine(described, 1, simulator=simulator) for simulator in ("lazy", "dense"))
    return Sides(lazy, dense)
