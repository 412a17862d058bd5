"""Full-batch gradient descent on a lazy sample: the steps of `simulation.descent` on what has been revealed."""

from math import inf, isnan, nan

from ..._jit import kernel
from ...descent_rule import DIVERGENCE, clipping, move
from ...status import DIVERGED, FINISHED
from .query import CEILING, DONE, RECORDED, REFERENCE, ROOM, look
from .reveal import penalty
from .revealed import GRADIENT, HEAD, PATH, RIGHT, TOLD_OBJECTIVE, VELOCITY


@kernel
def descend(sweep, how, state, path, progress):
    """Descend from HEAD to `how.steps` steps; returns (status, relative gradient).

    `sweep` does a task over all rows. `path` (S,) lists sorted steps; the state's vectors from PATH on receive the
    heads after them, nan for those not reached. Statuses, the relative gradient and the mark of divergence are those of
    `simulation.descent`; ROOM asks for larger arrays, and `progress` remembers where to go on.
    """
    while True:
        done = int(progress[DONE])
        while progress[RECORDED] < path.size and path[int(progress[RECORDED])] == done:
            for q in range(state.vectors.shape[1]):
                state.vectors[PATH + int(progress[RECORDED]), q] = state.vectors[HEAD, q]
            progress[RECORDED] += 1
        size = look(sweep, how.loss, 0.0, state)
        if size < 0.0:
            return ROOM, nan
        objective = state.numbers[TOLD_OBJECTIVE] + penalty(state)
        if isnan(progress[REFERENCE]):
            progress[REFERENCE] = size if size > 0.0 else 1.0
        if isnan(progress[CEILING]):
            progress[CEILING] = DIVERGENCE * (1.0 + objective)
        diverged = not objective <= progress[CEILING] < inf
        if diverged or done == how.steps:
            break
        _move(state, size, how)
        progress[DONE] += 1
    for s in range(int(progress[RECORDED]), path.size):
        state.vectors[PATH + s] = nan
    return DIVERGED if diverged else FINISHED, size / progress[REFERENCE]


@kernel
def _move(state, size, how):
    """One step of the head along its gradient, which has this size."""
    known = state.signal.shape[0] + state.known[RIGHT]
    rate = how.step_size * clipping(size, how.clip)
    head, velocity, gradient = state.vectors[HEAD], state.vectors[VELOCITY], state.vectors[GRADIENT]
    move(head[:known], velocity, gradient, rate, how.momentum, how.nesterov)
