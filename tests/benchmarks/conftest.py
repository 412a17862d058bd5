"""The table of ratios that the benchmarks print at their end, and the libraries they ran with.

    python -m pytest -o addopts= tests/benchmarks

`--benchmark-json FILE` keeps a record and `--benchmark-compare FILE` shows what changed since: its "times" are
llrsim's in units of the reference's, so 100 ms there means a tenth of the reference's time.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy loads its BLAS

import numpy as np
import pytest
from benchmarks.pairs import CLOCK, Pairs
from threadpoolctl import threadpool_info, threadpool_limits

ROUNDS = 21
_rows: list[tuple[str, str, str]] = []
_blas: list[str] = []


def pytest_collection_modifyitems(items):
    for item in items:
        if "compare" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.benchmark(timer=CLOCK))


@pytest.fixture(scope="session", autouse=True)
def one_blas_thread():
    with threadpool_limits(1, user_api="blas"):
        yield
        for pool in threadpool_info():  # while the limit holds, and with the libraries that the benchmarks loaded
            if pool["user_api"] == "blas":
                about = f"{pool['internal_api']} {pool['version']}, {pool['architecture']}"
                _blas.append(f"BLAS: {about}, threads: {pool['num_threads']}")


@pytest.fixture
def report():
    """`report(what, measured, wanted)` adds a line to the table."""
    return lambda what, measured, wanted="-": _rows.append((what, measured, wanted))


@pytest.fixture
def compare(report, benchmark):
    """`compare(what, sides, wanted)` times both sides by turns and reports the ratio theirs / ours of each pair."""

    def measure(what, sides, wanted="-", rounds=ROUNDS):
        pairs = Pairs(sides)
        benchmark.pedantic(pairs, rounds=rounds, warmup_rounds=1)
        ours, theirs = 1e3 * np.median(pairs.times, axis=0)
        benchmark.extra_info |= {"what": what, "ratio": pairs.ratio._asdict()}
        report(what, f"{pairs.ratio} of {ours:.3g} ms to {theirs:.3g} ms", wanted)

    return measure


def pytest_terminal_summary(terminalreporter):
    if not _rows:
        return
    terminalreporter.section(f"llrsim: medians of {ROUNDS} pairs (sweeps: fewer) [quartiles], one BLAS thread")
    widths = [max(len(row[column]) for row in _rows) for column in range(2)]
    for what, measured, wanted in _rows:
        terminalreporter.write_line(f"{what:{widths[0]}}  {measured:{widths[1]}}  wanted {wanted}")
    for line in _blas:
        terminalreporter.write_line(line)
