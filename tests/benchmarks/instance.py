"""The instance that the speed benchmarks time, drawn and read out outside llrsim: Waterbirds' group shares."""

import numpy as np
from scipy.special import ndtr
from sklearn.linear_model import LogisticRegression

import llrsim
from llrsim.planning import plan

SHARES = [0.7295, 0.0384, 0.0117, 0.2204]
LABELS, ATTRIBUTES = np.array([-1.0, -1.0, 1.0, 1.0]), np.array([-1.0, 1.0, -1.0, 1.0])
CENTRES, SCALES = np.column_stack([LABELS, 1.5 * ATTRIBUTES]), np.array([0.6, 0.3])


def experiment(n, d, ridge, **head):
    return llrsim.load(
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


def numpy_sample(rng, counts, d):
    """Features and labels of one replicate by NumPy."""
    group = np.repeat(np.arange(4), counts)
    X = rng.standard_normal((len(group), d + 2))
    X[:, :2] = X[:, :2] * SCALES + CENTRES[group]
    return X, LABELS[group]


def numpy_accuracies(w, b):
    """Exact accuracy of each group (T0)."""
    return ndtr(LABELS * (CENTRES @ w[:2] + b) / np.sqrt((w[:2] * SCALES) @ (w[:2] * SCALES) + w[2:] @ w[2:]))


def scikit_learn(n, ridge):
    return LogisticRegression(C=1 / (n * ridge), tol=1e-8, max_iter=10_000)


def reference(fitted, n, d, replicates):
    """Draw, fit by `fitted(X, y) -> (w, b)` and read out, outside llrsim."""
    counts = plan(experiment(n, d, 0.01)).samples[0].counts
    rng = np.random.default_rng(0)

    def run():
        for _ in range(replicates):
            numpy_accuracies(*fitted(*numpy_sample(rng, counts, d)))

    return run


def relative_gradient(X, y, ridge, w, b):
    """Norm of the objective's gradient at (w, b) over that at zero."""

    def gradient(w, b):
        pull = -y / (1 + np.exp(y * (X @ w + b))) / len(y)
        return np.append(pull @ X + ridge * w, pull.sum())

    return np.linalg.norm(gradient(w, b)) / np.linalg.norm(gradient(0 * w, 0.0))
