"""A network with one hidden layer of ReLU units: its features, its output, and its training.

    features h(x) = max(0, x W + b),    output f(x) = h(x).a + c

It is trained by full-batch gradient descent with heavy ball momentum on the mean logistic loss of y f(x), plus
ridge / 2 times the squared norm of W and a. Such training makes the features of the training rows collapse once they
are fitted, of themselves (Papyan, Han & Donoho 2020): nothing here asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import expit

from ...descent_rule import ceiling
from ...mixture import Array
from ...stream import Role, fill_normal, key

if TYPE_CHECKING:
    from ...experiment.schema import Network


class Raw(NamedTuple):
    """No network: the features are the inputs."""

    def features(self, inputs: Array) -> Array:
        """The inputs (n, p) themselves."""
        return inputs


class TwoLayer(NamedTuple):
    """Weights of p inputs on m hidden units and of these on the output."""

    hidden: Array  # (p, m) W
    offset: Array  # (m,) b
    output: Array  # (m,) a
    bias: Array  # (1,) c

    def features(self, inputs: Array) -> Array:
        """(n, m) activations of the hidden units on inputs (n, p)."""
        raised = inputs @ self.hidden
        raised += self.offset
        return np.maximum(raised, 0.0, out=raised)

    def logit(self, features: Array) -> Array:
        """(n,) the output on features (n, m)."""
        return features @ self.output + self.bias


def untrained(network: Network, inputs: int, *, root: np.uint64, replicate: int) -> Raw | TwoLayer:
    """What makes the features before any training: W ~ N(0, 2/p) (He et al. 2015), a ~ N(0, 1/m), offsets zero.

    A function of root, replicate and the sizes alone.
    """
    if network.kind == "raw":
        return Raw()
    state, drawn = np.empty(4, np.uint64), np.empty((inputs + 1, network.width))
    key(state, root, int(Role.NETWORK), replicate, 0)
    fill_normal(state, drawn)
    return TwoLayer(
        hidden=drawn[:-1] * np.sqrt(2 / inputs),
        offset=np.zeros(network.width),
        output=drawn[-1] / np.sqrt(network.width),
        bias=np.zeros(1),
    )


def loss_and_gradient(network: TwoLayer, inputs: Array, labels: Array, ridge: float, gradient: TwoLayer) -> float:
    """The training objective; its gradient is written to `gradient`, an array for each of the network's.

    `inputs` (n, p) and `labels` (n,) of -1 or +1. The offsets b and c are not penalised.
    """
    features = network.features(inputs)
    margins = labels * network.logit(features)
    pull = -labels * expit(-margins) / len(labels)
    np.dot(features.T, pull, out=gradient.output)
    gradient.bias[0] = pull.sum()
    # The features are not needed any more: their memory takes the gradient with respect to them.
    back = np.multiply(features > 0, network.output, out=features)
    back *= pull[:, None]
    np.dot(inputs.T, back, out=gradient.hidden)
    np.sum(back, axis=0, out=gradient.offset)
    penalty = 0.0
    if ridge > 0:
        for weights, change in ((network.hidden, gradient.hidden), (network.output, gradient.output)):
            change += ridge * weights
            penalty += 0.5 * ridge * float(np.vdot(weights, weights))
    return float(np.logaddexp(0.0, -margins).mean()) + penalty


def trained(
    start: TwoLayer, inputs: Array, labels: Array, *, steps: int, step_size: float, momentum: float, ridge: float
) -> TwoLayer | None:
    """The network after so many steps from `start`; None where the descent diverged (`descent_rule.ceiling`)."""
    network = TwoLayer(*(weights.copy() for weights in start))
    moves, gradient = (TwoLayer(*(np.zeros_like(weights) for weights in start)) for _ in range(2))
    inputs = np.ascontiguousarray(inputs)
    highest = np.inf
    for done in range(steps):
        objective = loss_and_gradient(network, inputs, labels, ridge, gradient)
        if done == 0:
            highest = ceiling(objective)
        if not objective <= highest:
            return None
        # The step of `descent_rule.move`, by array statements.
        for weights, move, slope in zip(network, moves, gradient, strict=True):
            move *= momentum
            slope *= step_size
            move -= slope
            weights += move
    return network if all(np.isfinite(weights).all() for weights in network) else None
