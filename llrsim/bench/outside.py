"""The fits of the instance outside llrsim: what a person would write with scikit-learn or NumPy."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from ..mixture import Array
from .instance import Fitted


def scikit_learn(n: int, ridge: float) -> Any:
    """scikit-learn's lbfgs on the same objective, to about the accuracy that llrsim certifies; not fitted yet."""
    linear = import_module("sklearn.linear_model")
    return linear.LogisticRegression(C=1 / (n * ridge), tol=1e-8, max_iter=10_000)


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
