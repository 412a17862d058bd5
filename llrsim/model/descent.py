"""Rules of gradient descent that hold on samples and in limits alike: a step, its clipping, and when it has diverged.

One step is

    step <- momentum * step - step_size * gradient        theta <- theta + step

with gradients longer than `clip` scaled down to it; with Nesterov's momentum, theta <- theta + momentum * step -
step_size * gradient, where theta is the point ahead at which the next gradient is taken. References: Polyak (1964) and
Nesterov (1983) for the momenta, in the form of Sutskever et al. (2013), PyTorch's; the clipping is PyTorch's
`clip_grad_norm_`.
"""

from .._jit import private

# Added by PyTorch to the norm that it divides by.
CLIP_SHIFT = 1e-6

DIVERGENCE = 1e6


def ceiling(objective: float) -> float:
    """The objective that a descent from `objective` has diverged at: so much above the first does not come back.

    >>> ceiling(0.5)
    1500000.0
    """
    return DIVERGENCE * (1.0 + objective)


@private
def clipping(norm, clip):
    """What a gradient of this norm is multiplied by; 1 where `clip` is 0, which stands for none."""
    return min(1.0, clip / (norm + CLIP_SHIFT)) if clip > 0.0 else 1.0


def stability(momentum: float, nesterov: bool) -> float:
    """The largest stable step times the top curvature of a quadratic.

    2 (1 + momentum) for heavy ball; less by a factor of 1 + 2 momentum for Nesterov's, whose modes at curvature z are
    the roots of r^2 - (1 + momentum) x r + momentum x with x = 1 - step_size z.

    >>> stability(0.0, False), stability(0.5, False), stability(0.5, True)
    (2.0, 3.0, 1.5)
    """
    return 2.0 * (1.0 + momentum) / (1.0 + 2.0 * momentum if nesterov else 1.0)


@private
def move(theta, step, gradient, step_size, momentum, nesterov):
    """One step of theta and `step` (p,), in place, along a gradient that is clipped through its `step_size`.

    `nesterov` is 0 or 1.
    """
    for q in range(theta.size):
        step[q] = momentum * step[q] - step_size * gradient[q]
        theta[q] += momentum * step[q] - step_size * gradient[q] if nesterov else step[q]
