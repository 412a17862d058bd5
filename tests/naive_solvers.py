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


def standardised_newton(loss, X, y, ridge):
    """Weights and bias by damped Newton steps on standardised columns, in NumPy's longest floats."""
    long = np.longdouble
    mean, std = X.mean(axis=0), X.std(axis=0)
    Z = np.column_stack([(X.astype(long) - mean) / std, np.ones(len(y), long)])
    penalty, c, w = np.append(ridge / std**2, 0.0).astype(long), long(1) / len(y), np.zeros(Z.shape[1], long)
    for _ in range(200):
        grad, value = gradient(loss, Z, y, c, penalty, 0.0, w), objective(loss, Z, y, c, penalty, 0.0, w)
        margins = y * (Z @ w)
        bend = c * np.asarray(LOSSES[loss][2](margins), long)
        root = np.linalg.cholesky(((Z.T * bend) @ Z + np.diag(penalty)).astype(float))
        step = -np.linalg.solve(root.T, np.linalg.solve(root, grad.astype(float)))
        if -(grad @ step) <= 1e-15 * value:
            weights = (w[:-1] / std).astype(float)
            return weights, float(w[-1] - mean @ weights)
        length = 1.0
        while objective(loss, Z, y, c, penalty, 0.0, w + length * step) > value + 0.1 * length * (grad @ step):
            length /= 2
        w = w + length * step
    raise AssertionError("Newton on standardised columns: not converged")
