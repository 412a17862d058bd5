"""Rules of gradient descent that hold on samples and in limits alike: a step, its clipping, and when it has diverged.

One step is

    step <- momentum * step - step_size * gradient        theta <- theta + step

with gradients longer than `clip` scaled down to it. References: Polyak (1964) for the momentum; the clipping is
PyTorch's `clip_grad_norm_`.
"""

from ._jit import private

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


@private
def move(theta, step, gradient, step_size, momentum):
    """One step of theta and `step` (p,), in place, along a gradient that is clipped through its `step_size`."""
    for q in range(theta.size):
        step[q] = momentum * step[q] - step_size * gradient[q]
        theta[q] += step[q]
