"""Literal twins of the descents: plain NumPy, one line a formula, nothing of the package imported."""

import numpy as np

VALUE = {
    "squared": lambda m: (1 - m) ** 2 / 2,
    "logistic": lambda m: np.logaddexp(0.0, -m),
    "hinge": lambda m: np.maximum(0.0, 1 - m),
    "squared_hinge": lambda m: np.maximum(0.0, 1 - m) ** 2 / 2,
}
SLOPE = {
    "squared": lambda m: m - 1,
    "logistic": lambda m: -1 / (1 + np.exp(m)),
    "hinge": lambda m: -(m < 1).astype(float),
    "squared_hinge": lambda m: -np.maximum(0.0, 1 - m),
}


def objective(loss, X, y, c, penalty, centre, w):
    return np.sum(c * VALUE[loss](y * (X @ w))) + 0.5 * np.sum(penalty * (w - centre) ** 2)


def gradient(loss, X, y, c, penalty, centre, w):
    return X.T @ (c * y * SLOPE[loss](y * (X @ w))) + penalty * (w - centre)


def descend(loss, X, y, c, penalty, centre, w, *, steps, step_size, momentum=0.0, clip=0.0, batches=None):
    """All heads w_0 .. w_steps, shape (steps + 1, p); `batches` lists the row indices of each step."""
    n = len(y)
    heads = [w]
    step = np.zeros_like(w)
    for t in range(steps):
        rows = np.arange(n) if batches is None else batches[t]
        g = gradient(loss, X[rows], y[rows], n / len(rows) * c[rows], penalty, centre, w)
        norm = np.linalg.norm(g)
        if clip > 0 and norm + 1e-6 > clip:
            g = g * clip / (norm + 1e-6)
        step = momentum * step - step_size * g
        w = w + step
        heads.append(w)
    return np.array(heads)


def nesterov(loss, X, y, c, penalty, centre, w, *, steps, step_size, momentum):
    """The points y_0 .. y_steps of Nesterov's gradients: x' = y - eta grad F(y), y' = x' + mu (x' - x)."""
    x = ahead = w
    points = [ahead]
    for _ in range(steps):
        before, x = x, ahead - step_size * gradient(loss, X, y, c, penalty, centre, ahead)
        ahead = x + momentum * (x - before)
        points.append(ahead)
    return np.array(points)
