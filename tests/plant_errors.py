"""Plant errors in a copy of llrsim, one at a time, and tell which of them the tests notice.

    python tests/plant_errors.py                    # all of `planted_errors`, half an hour on one core
    python tests/plant_errors.py head lazy/query   # those in modules of these names
    python tests/plant_errors.py --plain            # a survivor meets the whole plain tier too, for minutes more each

Each error meets the tests that are listed with it, as plain Python (a kernel that changes would compile for a minute),
until one fails that passes without the error. Ends with the survivors, and with status 1 where fewer than 95 % of the
errors are noticed.
"""

import argparse
import os
import shutil
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from multiprocessing import get_context
from pathlib import Path

from planted_errors import PLANTS

CLONE = Path(__file__).parents[1]
COPIED = ("llrsim", "tests", "pyproject.toml")
LIMIT = 240  # seconds for an error in one file of tests
WANTED = 0.95
LIBRARIES = ["msgspec", "numba", "numpy", "pytest", "rich", "scipy.optimize", "scipy.special", "scipy.stats"]
PROCESSES = get_context("forkserver")


class _FirstFailure:
    """A plugin of pytest that sends what failed, a test or the reading of a file, through a pipe."""

    def __init__(self, pipe):
        self._pipe = pipe

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self._pipe.send(report.nodeid)

    pytest_collectreport = pytest_runtest_logreport


def run_tests(clone, tests, pipe):
    """Pytest on some tests of a clone, to the first failure: the body of a process."""
    import pytest

    os.chdir(clone)
    sys.path.insert(0, str(clone))
    # Whole numbers wrap around in the streams, of which plain Python warns.
    options = ["-q", "-x", "-n", "0", "-p", "no:cacheprovider", "-W", "ignore:overflow encountered:RuntimeWarning"]
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        pytest.main([*options, tests], plugins=[_FirstFailure(pipe)])
    pipe.send(None)


def first_failure(clone, tests):
    """The first test that fails, or file that cannot be read, by its name; None if there is none within the limit."""
    here, there = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=run_tests, args=(clone, tests, there))
    process.start()
    failed = here.recv() if here.poll(LIMIT) else None
    process.kill()
    process.join()
    return failed


def path_of(name):
    """Where pytest finds a file of tests, or one test of it after `::`."""
    file, *test = name.split("::")
    return "::".join([f"tests/{file}.py", *test])


def file_of(module):
    """Return the file of a key of `PLANTS`."""
    return Path("llrsim", f"{module.partition(':')[0]}.py")


def plant(clone, module, right, wrong):
    """Write a module of the clone with its right text replaced."""
    path = clone / file_of(module)
    source = (CLONE / file_of(module)).read_text(encoding="utf-8")
    if source.count(right) != 1:
        raise ValueError(f"{module}: {right!r} stands there {source.count(right)} times; expected once")
    path.write_text(source.replace(right, wrong), encoding="utf-8")


def restore(clone, module):
    """Write a module of the clone as it was."""
    shutil.copy(CLONE / file_of(module), clone / file_of(module))


def main():
    parser = argparse.ArgumentParser(description="Which planted errors do the tests notice?")
    parser.add_argument("modules", nargs="*", help="parts of the names of modules; default all")
    parser.add_argument("--plain", action="store_true", help="survivors meet the whole plain tier")
    chosen = parser.parse_args()
    os.environ |= {"NUMBA_DISABLE_JIT": "1", "OMP_NUM_THREADS": "1"}
    PROCESSES.set_forkserver_preload(LIBRARIES)
    sys.dont_write_bytecode = True
    survivors, count = [], 0
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder)
        for name in COPIED:
            source = CLONE / name
            shutil.copytree(source, clone / name) if source.is_dir() else shutil.copy(source, clone / name)

        @cache
        def passes(test):
            return first_failure(clone, test) is None

        def notice(tests, module, right, wrong):
            """Whether one of the tests fails because of an error."""
            plant(clone, module, right, wrong)
            failed = first_failure(clone, tests)
            restore(clone, module)
            return failed is not None and passes(failed)

        for module, (names, plants) in PLANTS.items():
            if chosen.modules and not any(part in module for part in chosen.modules):
                continue
            files = [path_of(name) for name in names] + ["tests"] * chosen.plain
            for right, wrong in plants:
                seen = any(notice(file, module, right, wrong) for file in files)
                count += 1
                survivors += [] if seen else [(module, right, wrong)]
                print(f"{'noticed ' if seen else 'SURVIVED'} {module}: {wrong!r} for {right!r}", flush=True)
    print(f"{count - len(survivors)} of {count} errors noticed")
    for module, right, wrong in survivors:
        print(f"survivor: {module}: {wrong!r} for {right!r}")
    return 1 if count - len(survivors) < WANTED * count else 0


if __name__ == "__main__":
    sys.exit(main())
