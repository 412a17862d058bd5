"""Literal oracles for the smooth solvers, in plain NumPy and SciPy; nothing of llrsim is imported."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

LOSSES = {
    "squared": (lambda m: 0.5 * (1 - m) ** 2, lambda m: m - 1, lambda m: np.ones_like(m)),
    "logistic": (lambda m: np.logaddexp(0, -m), lambda m: -expit(-m), lambda m: expit(m) * expit(-m)),
    "squared_hinge": (
        lambda m: 0.5 * np.maximum(1 - m, 0) ** 2,
        lambda m: -np.maximum(1 - m, 0),
        lambda m: (m < 1).astype(float),
    ),
}


def objective(loss, X, y, c, penalty, centre, w):
    value, _, _ = LOSSES[loss]
    return np.sum(c * value(y * (X @ w))) + 0.5 * np.sum(penalty * (w - centre) ** 2)


def gradient(loss, X, y, c, penalty, centre, w):
    _, slope, _ = LOSSES[loss]
    return X.T @ (c * y * slope(y * (X @ w))) + penalty * (w - centre)


def hessian(loss, X, y, c, penalty, w):
    _, _, curvature = LOSSES[loss]
    return (X * (c * curvature(y * (X @ w)))[:, None]).T @ X + np.diag(penalty)


def relative_gradient(loss, X, y, c, penalty, centre, w):
    reference = np.linalg.norm(gradient(loss, X, y, c, penalty, centre, np.zeros_like(w)))
    return np.linalg.norm(gradient(loss, X, y, c, penalty, centre, w)) / (reference or 1.0)


def fit(loss, X, y, c, penalty, centre):
    """A minimiser by SciPy's quasi-Newton method: first order, no Hessian, unlike Newton."""
    found = minimize(
        lambda w: objective(loss, X, y, c, penalty, centre, w),
        np.zeros(X.shape[1]),
        jac=lambda w: gradient(loss, X, y, c, penalty, centre, w),
        method="BFGS",
        options={"gtol": 1e-10, "maxiter": 5000},
    )
    return found.x


def ridge(X, y, c, penalty, centre):
    """The squared-loss minimiser from its normal equations."""
    return np.linalg.solve((X.T * c) @ X + np.diag(penalty), X.T @ (c * y) + penalty * centre)
