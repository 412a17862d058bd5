"""The instance that the benchmarks time, ERM with Waterbirds' group shares: by llrsim, scikit-learn and NumPy."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import ndtr
from sklearn.linear_model import LogisticRegression

from llrsim.experiment import Experiment, load
from llrsim.model.mixture import Array
from llrsim.model.plan import plan
from llrsim.simulation import simulate_plan

SHARES = [0.7295, 0.0384, 0.0117, 0.2204]
LABELS, ATTRIBUTES = np.array([-1.0, -1.0, 1.0, 1.0]), np.array([-1.0, 1.0, -1.0, 1.0])
CENTRES, SCALES = np.column_stack([LABELS, 1.5 * ATTRIBUTES]), np.array([0.6, 0.3])

Fitted = Callable[[Array, Array], tuple[Array, float]]
"""Features (n, d + 2) and labels (n,) to weights (d + 2,) and bias."""


def experiment(n: int, d: int, ridge: float, **head: Any) -> Experiment:
    """ERM on n rows with d noise coordinates; further keys of `[head]` as they are in files."""
    return load(
        {
            "features": {
                "core": {"mean": 1.0, "std": 0.6},
                "spurious": {"mean": 1.5, "std": 0.3},
                "noise": {"dim": d},
            },
            "train": {"n": n, "proportions": SHARES},
            "head": {"ridge": ridge} | head,
            "method": [{"kind": "erm"}],
        }
    )


def engine(described: Experiment, replicates: int, **how: Any) -> Callable[[], Array]:
    """Draw, fit and read out by llrsim; `how` goes to `simulate_plan`."""
    planned = plan(described)
    return lambda: simulate_plan(planned, replicates=replicates, **how)["erm"].readout.wga


def reference(fitted: Fitted, n: int, d: int, replicates: int) -> Callable[[], None]:
    """Draw, fit by `fitted` and read out, outside llrsim."""
    counts = group_counts(n, d)
    rng = np.random.default_rng(0)

    def run() -> None:
        for _ in range(replicates):
            numpy_accuracies(*fitted(*numpy_sample(rng, counts, d)))

    return run


def group_counts(n: int, d: int) -> np.ndarray:
    """(4,) rows of each group among n."""
    return plan(experiment(n, d, 0.01)).samples[0].counts


def numpy_sample(rng: np.random.Generator, counts: np.ndarray, d: int) -> tuple[Array, Array]:
    """Features and labels of one replicate by NumPy."""
    group = np.repeat(np.arange(4), counts)
    X = rng.standard_normal((len(group), d + 2))
    X[:, :2] = X[:, :2] * SCALES + CENTRES[group]
    return X, LABELS[group]


def numpy_accuracies(w: Array, b: float) -> Array:
    """Exact accuracy of each group (T0)."""
    accuracies: Array = ndtr(
        LABELS * (CENTRES @ w[:2] + b) / np.sqrt((w[:2] * SCALES) @ (w[:2] * SCALES) + w[2:] @ w[2:])
    )
    return accuracies


def scikit_learn(n: int, ridge: float) -> Any:
    """scikit-learn's lbfgs on the same objective, to about the accuracy that llrsim certifies; not fitted yet."""
    return LogisticRegression(C=1 / (n * ridge), tol=1e-8, max_iter=10_000)


def scikit_learn_fit(n: int, ridge: float) -> Fitted:
    """The fit of `scikit_learn`."""

    def fitted(X: Array, y: Array) -> tuple[Array, float]:
        model = scikit_learn(n, ridge).fit(X, y)
        return model.coef_[0], model.intercept_[0]

    return fitted


def numpy_ridge(ridge: float) -> Fitted:
    """The squared loss with a free bias, by the normal equations of the centred rows."""

    def fitted(X: Array, y: Array) -> tuple[Array, float]:
        middle, level = X.mean(axis=0), y.mean()
        centred = X - middle
        gram = centred.T @ centred / len(y)
        gram[np.diag_indices_from(gram)] += ridge
        w = np.linalg.solve(gram, centred.T @ (y - level) / len(y))
        return w, level - middle @ w

    return fitted


def numpy_descent(ridge: float, *, steps: int, step_size: float) -> Fitted:
    """Full-batch gradient descent of the logistic loss with a free bias: two matrix-vector products a step."""

    def fitted(X: Array, y: Array) -> tuple[Array, float]:
        w, b = np.zeros(X.shape[1]), 0.0
        for _ in range(steps):
            pull = -y / (1 + np.exp(y * (X @ w + b))) / len(y)
            w -= step_size * (pull @ X + ridge * w)
            b -= step_size * pull.sum()
        return w, b

    return fitted
