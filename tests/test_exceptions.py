"""Exceptions survive pickling and copying, so that they pass from a worker process to whoever waits for it."""

import copy
import importlib
import multiprocessing
import pickle
import pkgutil
import signal
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import llrsim
from llrsim import EmptyGroupWarning, ExperimentError, FitError, FitOptions, fit
from llrsim.agreement import FormulaError
from llrsim.agreement.claim import UndefinedName
from llrsim.model.losses import Status
from llrsim.sweep.folder import StoreError
from llrsim.sweep.run import SweepFailed
from llrsim.sweep.stop import Interrupted, WorkerDied
from llrsim.sweep.units import Failure
from llrsim.sweep.workers import ClusterError

EXAMPLES = [
    EmptyGroupWarning("train: group 1 has none of the 9 rows"),
    ExperimentError("train.n = -1: must be at least 1"),
    FormulaError("formula f fails"),
    UndefinedName("no spectrum"),
    FitError(Status.SEPARABLE),
    FitError(Status.ONE_CLASS),
    StoreError("results: damaged"),
    ClusterError("no scheduler"),
    WorkerDied(),
    WorkerDied("a worker was killed", advice=" on a larger machine"),
    Interrupted(signal.SIGTERM),
    SweepFailed(Path("results"), [Failure({"train.n": 5}, "too few rows")]),
]


def defined():
    """Public exceptions and warnings of all modules, by name."""
    found = {}
    for module in pkgutil.walk_packages(llrsim.__path__, "llrsim."):
        if module.name.endswith("__main__"):
            continue
        for value in vars(importlib.import_module(module.name)).values():
            own = isinstance(value, type) and issubclass(value, BaseException) and value.__module__.startswith("llrsim")
            if own and not value.__name__.startswith("_"):
                found[value.__name__] = value
    return found


def test_every_exception_has_an_example():
    assert set(defined().values()) == {type(error) for error in EXAMPLES}


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_exception_survives(error):
    assert str(error)
    copies = [copy.copy(error), copy.deepcopy(error)]
    copies += [pickle.loads(pickle.dumps(error, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    for same in copies:
        assert type(same) is type(error)
        assert str(same) == str(error)
        assert vars(same) == vars(error)


def failing_fit(ridge):
    fit(np.eye(3), [1.0, 1.0, -1.0], head=FitOptions(loss="logistic", ridge=ridge))


def test_a_worker_reports_a_fit_without_a_head():
    with (
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool,
        pytest.raises(FitError, match="separable") as caught,
    ):
        pool.submit(failing_fit, 0.0).result(timeout=120)
    assert caught.value.status is Status.SEPARABLE
