"""Literal twins of the readout: one head, one group at a time, in plain Python."""

import math


def accuracy(u, b, q, label, mean, covariance, noise_std):
    """Phi( y (u.m + b) / sqrt(u' S u + sigma^2 q^2) ), sums written out."""
    centre = sum(u[i] * mean[i] for i in range(len(u))) + b
    variance = sum(u[i] * covariance[i][j] * u[j] for i in range(len(u)) for j in range(len(u)))
    return 0.5 * math.erfc(-label * centre / math.sqrt(variance + noise_std**2 * q**2) / math.sqrt(2))


def best_bias_wga(accuracies_at, low, high, points=20001):
    """Largest worst-group accuracy over a fine grid of biases."""
    step = (high - low) / (points - 1)
    return max(min(accuracies_at(low + i * step)) for i in range(points))
