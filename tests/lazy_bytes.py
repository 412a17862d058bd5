"""The bytes of columns that sweeps over lazy samples read, counted while they run."""

from contextlib import contextmanager

import pytest

from llrsim.simulation.lazy import sample, sweeps, threads
from llrsim.simulation.lazy.revealed import LEFT, RIGHT


@contextmanager
def bytes_read():
    """A list, to which every sweep adds the bytes of the columns that it reads."""
    read, sweeping = [], threads.sweeping

    def counting(pool):
        inside = sweeping(pool)

        def counted(task, loss, softness, length, state):
            left, right = (int(state.known[which]) for which in (LEFT, RIGHT))
            reads = {sweeps.LOOK: 8 * left + 4 * right, sweeps.PROJECT: 8 * left}
            read.append(state.rows.shape[1] * reads.get(task, 0))
            inside(task, loss, softness, length, state)

        return counted

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sample, "sweeping", counting)
        patched.setattr(threads, "sweeping", counting)
        yield read
