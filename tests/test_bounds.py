"""The kernels' own tests once more with every index checked, and an index out of range that must be noticed.

Kernels are compiled anew for it: one that is cached keeps the flags it was compiled with.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from llrsim._jit import settings
from llrsim.model.losses import Loss
from llrsim.simulation.solvers import DESCENT, NEWTON, RIDGE, SOLVERS, Recipe

HERE = Path(__file__).parent
KERNELS = [
    "test_losses.py", "test_stream.py", "test_smooth_solvers.py", "test_descent.py", "test_interior_point.py",
    "test_envelope.py", "test_separability.py", "test_proportional_least_squares.py", "test_engine.py",
    "test_rules.py", "test_lazy_engine.py", "test_exchangeable.py", "test_learned_engine.py", "test_bounds.py",
]  # fmt: skip


@pytest.mark.skipif(not settings.BOUNDSCHECK, reason="an index out of range would overwrite memory")
@pytest.mark.parametrize(("solver", "loss"), [(RIDGE, Loss.SQUARED), (NEWTON, Loss.LOGISTIC), (DESCENT, Loss.LOGISTIC)])
def test_a_start_that_is_too_short_is_an_index_out_of_range(solver, loss):
    X, y, c = np.ones((6, 4)), np.tile([-1.0, 1.0], 3), np.full(6, 1 / 6)
    X[:, :3] = np.random.default_rng(0).normal(size=(6, 3))
    how = Recipe(solver, int(loss), steps=3, step_size=0.1)
    short, single, stream = np.zeros(2), np.empty((6, 4), np.float32), np.ones(4, np.uint64)
    with pytest.raises(IndexError):
        SOLVERS[solver](
            how, X, y, c, 0 * c, np.full(4, 0.1), np.zeros(4), short, single, stream, np.empty(0, np.int64),
            np.empty((0, 4)),
        )  # fmt: skip


@pytest.mark.slow
def test_no_kernel_reads_or_writes_beyond_its_arrays(tmp_path):
    environment = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "pytest", "-n", "0", "-q", "-x", "-rs", *(str(HERE / name) for name in KERNELS)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=HERE.parent, check=False)
    assert ran.returncode == 0, ran.stdout[-5000:]
    assert "would overwrite memory" not in ran.stdout
    assert any(tmp_path.rglob("*.nbc")), "nothing was compiled here"
