"""The table that the benchmarks print at their end, and the libraries they ran with."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy loads its BLAS

from pprint import pformat

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from llrsim.bench.pairs import Sides, ratios, timed_pairs

ROUNDS = 21
_rows: list[tuple[str, str, str]] = []


@pytest.fixture(scope="session", autouse=True)
def one_blas_thread():
    with threadpool_limits(1, user_api="blas"):
        yield


@pytest.fixture
def report():
    """`report(what, measured, wanted)` adds a line to the table."""
    return lambda what, measured, wanted: _rows.append((what, measured, wanted))


@pytest.fixture
def compare(report):
    """`compare(what, ours, theirs, wanted)` times both by turns and reports the ratio theirs / ours of each pair."""

    def run(what, ours, theirs, wanted, rounds=ROUNDS):
        times = timed_pairs(Sides(ours, theirs), least=rounds)
        ratio = ratios(times)
        ours_ms, theirs_ms = 1e3 * np.median(times, axis=0)
        spread = f"[{ratio.low:.2f}, {ratio.high:.2f}]"
        report(what, f"{ratio.median:.2f}x {spread} of {ours_ms:.2f} ms to {theirs_ms:.2f} ms", wanted)

    return run


def pytest_terminal_summary(terminalreporter):
    if not _rows:
        return
    terminalreporter.section(f"llrsim: medians of {ROUNDS} pairs (sweeps: fewer) [quartiles], one BLAS thread")
    widths = [max(len(row[column]) for row in _rows) for column in range(2)]
    for what, measured, wanted in _rows:
        terminalreporter.write_line(f"{what:{widths[0]}}  {measured:{widths[1]}}  wanted {wanted}")
    terminalreporter.write_line(pformat(threadpool_info()))
