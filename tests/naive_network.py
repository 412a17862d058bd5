"""A two-layer ReLU network written out in loops."""

import itertools
import math


def features(hidden, offset, x):
    """Activations of the hidden units on one input."""
    raised = [sum(weights[j] * value for weights, value in zip(hidden, x, strict=True)) for j in range(len(offset))]
    return [max(0.0, value + shift) for value, shift in zip(raised, offset, strict=True)]


def objective(hidden, offset, output, bias, inputs, labels, ridge):
    """Mean logistic loss of the margins, and half the ridge times the squared norm of both layers' weights."""
    total = 0.0
    for x, y in zip(inputs, labels, strict=True):
        logit = sum(a * h for a, h in zip(output, features(hidden, offset, x), strict=True)) + bias[0]
        total += math.log1p(math.exp(-y * logit)) / len(labels)
    squares = sum(value**2 for weights in hidden for value in weights) + sum(value**2 for value in output)
    return total + ridge / 2 * squares


def best_wga(scores, labels):
    """The largest worst-group accuracy over biases: every score, every midpoint and two beyond are tried."""
    every = sorted(value for row in scores for value in row)
    tried = [*every, *((a + b) / 2 for a, b in itertools.pairwise(every)), every[0] - 1, every[-1] + 1]
    return max(
        min(
            sum(1.0 if y * (value - t) > 0 else 0.5 if value == t else 0.0 for value in row) / len(row)
            for row, y in zip(scores, labels, strict=True)
        )
        for t in tried
    )
