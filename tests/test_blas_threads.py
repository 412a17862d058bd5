"""BLAS on one thread while workers compute: entered again and again, by several threads, and put back as it was."""

import subprocess
import sys

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from llrsim._jit import single_blas_thread


def blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def two_threads():
    with threadpool_limits(2, user_api="blas"):
        if blas_threads() != {2}:
            pytest.skip("this BLAS cannot run on two threads")
        yield


def test_the_limit_ends_with_the_last_that_leaves():
    for _ in range(2):
        first, second = single_blas_thread(), single_blas_thread()
        first.__enter__()
        second.__enter__()
        first.__exit__()
        assert blas_threads() == {1}
        second.__exit__()
        assert blas_threads() == {2}


def test_what_the_user_set_in_between_is_put_back():
    with single_blas_thread():
        pass
    with threadpool_limits(1, user_api="blas"):
        with single_blas_thread():
            pass
        assert blas_threads() == {1}


def test_a_library_that_is_loaded_later_is_limited_too():
    """SciPy brings a BLAS of its own, where both come from wheels."""
    script = """
import sys
from threadpoolctl import threadpool_info, threadpool_limits
from llrsim._jit import single_blas_thread
assert "scipy.linalg" not in sys.modules
with single_blas_thread():
    pass
import scipy.linalg
threadpool_limits(2, user_api="blas")
with single_blas_thread():
    print(sum(pool["num_threads"] != 1 for pool in threadpool_info() if pool["user_api"] == "blas"))
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout == "0\n"
