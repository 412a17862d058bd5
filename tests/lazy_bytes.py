"""The bytes that sweeps over lazy samples move, counted while they run."""

from contextlib import contextmanager

import pytest

from llrsim.simulation.lazy import rows as sweeps
from llrsim.simulation.lazy import rows as threads
from llrsim.simulation.lazy import sample
from llrsim.simulation.lazy.noise import DRAWN, FINISHED, LEFT, RIGHT


def _look(state, left, right):
    finished = 8 if state.sums[0, FINISHED] < left else 0
    signal, scale_and_weight, margin_and_slope = 8 * len(state.signal), 16, 16
    return 8 * left + 4 * right + finished + signal + scale_and_weight + margin_and_slope


def _project(state, left, right):
    drawn = right + sweeps.open_spaces(state) - max(right, int(state.known[DRAWN]))
    scale_weight_and_slope, new_left = 24, 8
    return 8 * left + scale_weight_and_slope + new_left + 4 * max(drawn, 0)


@contextmanager
def bytes_moved():
    """A list, to which every sweep of a descent adds the bytes that it reads and writes."""
    moved, sweeping = [], threads.sweeping
    of_task = {sweeps.LOOK: _look, sweeps.PROJECT: _project}

    def counting(pool):
        inside = sweeping(pool)

        def counted(task, loss, softness, length, state):
            of_row = of_task[task](state, *(int(state.known[which]) for which in (LEFT, RIGHT)))
            moved.append(state.rows.shape[1] * of_row)
            inside(task, loss, softness, length, state)

        return counted

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sample, "sweeping", counting)
        patched.setattr(threads, "sweeping", counting)
        yield moved
