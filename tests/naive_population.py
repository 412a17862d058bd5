"""Literal twins of the population prediction: adaptive quadrature, a generic minimiser, loops over steps."""

from math import exp, log1p, pi, sqrt

import numpy as np
from scipy.integrate import quad
from scipy.optimize import minimize


def sigmoid(m):
    return 1 / (1 + exp(-m)) if m > 0 else exp(m) / (1 + exp(m))


LOSS = {
    "squared": lambda m: 0.5 * (1 - m) ** 2,
    "logistic": lambda m: max(-m, 0.0) + log1p(exp(-abs(m))),
    "hinge": lambda m: max(1 - m, 0.0),
    "squared_hinge": lambda m: 0.5 * max(1 - m, 0.0) ** 2,
}
SLOPE = {
    "squared": lambda m: m - 1,
    "logistic": lambda m: -sigmoid(-m),
    "hinge": lambda m: -1.0 if m < 1 else 0.0,
    "squared_hinge": lambda m: min(m - 1, 0.0),
}
CURVATURE = {
    "squared": lambda m: 1.0,
    "logistic": lambda m: sigmoid(m) * sigmoid(-m),
    "squared_hinge": lambda m: 1.0 if m < 1 else 0.0,
}


def expectation(function, mean, spread):
    """E h(mean + spread G) by adaptive quadrature, split at the losses' kink m = 1 and at 0."""
    breaks = sorted(min(max((kink - mean) / spread, -12.0), 12.0) for kink in (0.0, 1.0))
    pieces = zip([-12.0, *breaks], [*breaks, 12.0], strict=True)

    def integrand(x):
        return exp(-x * x / 2) / sqrt(2 * pi) * function(mean + spread * x, x)

    return sum(
        quad(integrand, low, high, epsabs=1e-13, epsrel=1e-12, limit=200)[0] for low, high in pieces if high > low
    )


def margin_law(theta, label, mean, covariance):
    """Mean and standard deviation of y (u.s + b) in one group."""
    u, b = theta[:-1], theta[-1]
    return label * (u @ mean + b), np.sqrt(u @ covariance @ u)


def objective(theta, loss, groups, ridge=0.0, anchor=0.0, centre=0.0):
    """F(theta); `groups` is a list of (mass, label, mean, covariance)."""
    total = 0.5 * ridge * theta[:-1] @ theta[:-1] + 0.5 * anchor * np.sum((theta - centre) ** 2)
    for mass, label, mean, covariance in groups:
        total += mass * expectation(lambda m, x: LOSS[loss](m), *margin_law(theta, label, mean, covariance))
    return total


def gradient(theta, loss, groups, ridge=0.0, anchor=0.0, centre=0.0):
    """Gradient of F by differentiating the margin mu(theta) + t(theta) x under the integral."""
    total = np.append(ridge * theta[:-1], 0.0) + anchor * (theta - centre)
    for mass, label, mean, covariance in groups:
        mu, t = margin_law(theta, label, mean, covariance)
        pull = expectation(lambda m, x: SLOPE[loss](m), mu, t)
        widen = expectation(lambda m, x: SLOPE[loss](m) * x, mu, t)
        total[:-1] += mass * (pull * label * mean + widen * covariance @ theta[:-1] / t)
        total[-1] += mass * pull * label
    return total


def minimiser(loss, groups, start, ridge=0.0, anchor=0.0, centre=0.0):
    """Generic quasi-Newton minimiser of F from `start`."""
    rest = (loss, groups, ridge, anchor, centre)
    found = minimize(objective, start, args=rest, jac=gradient, method="BFGS", options={"gtol": 1e-11})
    return found.x


def least_squares_gradient(theta, groups, ridge=0.0, anchor=0.0, centre=0.0):
    """Gradient of F for the squared loss, from E (y f - 1) y x = E x x' w - y E x."""
    total = np.append(ridge * theta[:-1], 0.0) + anchor * (theta - centre)
    for mass, label, mean, covariance in groups:
        point = np.append(mean, 1.0)
        square = np.outer(point, point)
        square[:-1, :-1] += covariance
        total += mass * (square @ theta - label * point)
    return total


def descend(slope, start, steps, step_size, momentum=0.0, clip=None):
    """Every head of a heavy-ball descent, the start included, given the gradient as a function."""
    theta, step, heads = np.array(start, dtype=float), 0.0, [np.array(start, dtype=float)]
    for _ in range(steps):
        force = slope(theta)
        if clip is not None and np.linalg.norm(force) > clip:
            force = force * clip / np.linalg.norm(force)
        step = momentum * step - step_size * force
        theta = theta + step
        heads.append(theta)
    return np.array(heads)
