"""Settings of the whole suite."""

import numba
from hypothesis import settings

from llrsim.sweep.run import compile_kernels

# Shared machines pause; a slow example is not a failure.
settings.register_profile("llrsim", deadline=None, derandomize=True)
settings.load_profile("llrsim")


def pytest_configure(config):
    """Before processes share the tests, one compiles for all: they would each compile the same."""
    shared = not hasattr(config, "workerinput") and config.getoption("numprocesses", None)
    if shared and not numba.config.DISABLE_JIT:
        compile_kernels(None, print, simulators=("dense", "lazy", "learned"))
