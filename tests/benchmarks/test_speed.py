"""Draws, exact fits and descents against NumPy, scikit-learn and the machine's own limits; compiling; start-up."""

import json
import subprocess
import sys
from time import perf_counter

import numpy as np
import pytest
from benchmarks.fits import STEP_SIZE, descent, draws, least_squares, least_squares_alone, logistic
from benchmarks.instance import experiment, group_counts, numpy_descent, numpy_sample, scikit_learn
from benchmarks.pairs import Sides

from llrsim.model.plan import plan
from llrsim.simulation import fit, simulate_plan

SIZES = [(500, 50), (2000, 200), (5000, 500)]
BATCH = {500: 20, 2000: 4, 5000: 1}  # replicates a timing: the engine is built for many, and the clock for milliseconds
STEPS = 100


@pytest.mark.parametrize(
    ("what", "sides"),
    [
        ("draws, n=5000 d=500, against NumPy's normals", lambda: draws(5000, 500)),
        ("ridge n=2000 d=200, against NumPy", lambda: least_squares(2000, 200, 4)),
        ("ridge n=4000 d=400 of given rows, against dgemm of X'X", lambda: least_squares_alone(4000, 400)),
    ],
)
def test_against_numpy(compare, what, sides):
    compare(what, sides())


def relative_gradient(X, y, ridge, w, b):
    """Norm of the objective's gradient at (w, b) over that at zero."""

    def gradient(w, b):
        pull = -y / (1 + np.exp(y * (X @ w + b))) / len(y)
        return np.append(pull @ X + ridge * w, pull.sum())

    return np.linalg.norm(gradient(w, b)) / np.linalg.norm(gradient(0 * w, 0.0))


@pytest.mark.parametrize("ridge", [1e-2, 1e-4])
@pytest.mark.parametrize(("size", "wanted"), list(zip(SIZES, [">= 8x", ">= 2x", ">= 2x"], strict=True)))
def test_exact_logistic_replicate_against_scikit_learn(compare, size, wanted, ridge):
    n, d = size
    X, y = numpy_sample(np.random.default_rng(1), group_counts(n, d), d)
    ours, theirs = fit(X, y, head=experiment(n, d, ridge).head), scikit_learn(n, ridge).fit(X, y)
    left = [
        relative_gradient(X, y, ridge, *solution)
        for solution in ((ours.weights, ours.bias), (theirs.coef_[0], theirs.intercept_[0]))
    ]
    assert left[0] <= 1e-8
    what = f"logistic n={n} d={d} ridge={ridge:g} (relative gradients {left[0]:.0e}, scikit-learn {left[1]:.0e})"
    compare(what, logistic(n, d, BATCH[n], ridge=ridge), wanted)


@pytest.mark.parametrize(("n", "d"), SIZES)
def test_descent_against_numpy(compare, n, d):
    head = experiment(n, d, 0.01, solver={"steps": STEPS, "step_size": STEP_SIZE}).head
    X, y = numpy_sample(np.random.default_rng(1), group_counts(n, d), d)
    ours, (w, b) = fit(X, y, head=head), numpy_descent(0.01, steps=STEPS, step_size=STEP_SIZE)(X, y)
    np.testing.assert_allclose(np.append(ours.weights, ours.bias), np.append(w, b), rtol=1e-8, atol=1e-12)
    compare(f"descent n={n} d={d}, {STEPS} steps, against NumPy", descent(n, d, BATCH[n], steps=STEPS), ">= 2x")


def test_two_workers_against_one(compare):
    planned = plan(experiment(500, 50, 0.01))
    two, one = (lambda jobs=jobs: simulate_plan(planned, replicates=1000, jobs=jobs) for jobs in (2, 1))
    compare("two workers against one", Sides(two, one), ">= 1.8x")


def python(*arguments, **environment):
    """Run the interpreter; its output."""
    import os

    ran = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=True, env=os.environ | environment
    )
    return ran.stdout


def test_help_is_instant(benchmark, report):
    benchmark.pedantic(lambda: python("-m", "llrsim.sweep", "--help"), rounds=20, warmup_rounds=1)
    report("python -m llrsim.sweep --help", f"{benchmark.stats.stats.median:.2f} s", "<= 0.5 s")


COMPILE = """
import json, sys, time
from numba.core import event
from llrsim.experiment import FitOptions
from llrsim.simulation import warm_up

compiled = []

class Count(event.Listener):
    def on_start(self, started):
        compiled.append(started)
    def on_end(self, ended):
        pass

event.register("numba:compile", Count())
began, cpu = time.perf_counter(), time.process_time()
warm_up(None if sys.argv[1] == "all" else [FitOptions()])
print(json.dumps([time.perf_counter() - began, time.process_time() - cpu, len(compiled)]))
"""


@pytest.mark.parametrize(("what", "wanted"), [("logistic", "<= 8 s"), ("all", "<= 15 s")])
def test_compiling(report, tmp_path, what, wanted):
    (seconds, cpu, _), (again, _, compiled) = (
        json.loads(python("-c", COMPILE, what, NUMBA_CACHE_DIR=str(tmp_path))) for _ in range(2)
    )
    report(f"compiling: {what} kernels", f"{seconds:.1f} s ({cpu:.1f} s of processor)", wanted)
    report("  a second process", f"{again:.1f} s, compiles {compiled}", "0")
    assert compiled == 0


DRY_RUN = """
import resource, subprocess, sys
subprocess.run([sys.executable, "-m", "llrsim.sweep", sys.argv[1], "--dry-run"], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""


@pytest.mark.parametrize("cells", [100, 1_000_000])
def test_dry_run_of_a_large_grid(report, tmp_path, cells):
    side = round(cells**0.5)
    file = tmp_path / "grid.toml"
    axes = {"head.ridge": np.geomspace(0.01, 1, side), "heldout.minority_ratio": np.linspace(0.5, 1, side)}
    grid = "\n".join(f'"{key}" = {values.tolist()}' for key, values in axes.items())
    file.write_text(
        f"""
        [features]
        core = {{ mean = 1.0, std = 0.6 }}
        noise = {{ dim = 5 }}
        [train]
        n = 80
        proportions = [0.25, 0.25, 0.25, 0.25]
        [heldout]
        n = 60
        minority_ratio = 1.0
        [[method]]
        kind = "llr"
        [sweep.grid]
        {grid}
        """
    )
    began = perf_counter()
    megabytes = float(python("-c", DRY_RUN, str(file)))
    report(
        f"--dry-run of {side**2} cells",
        f"{perf_counter() - began:.1f} s, {megabytes:.0f} MB at its peak",
        "seconds, flat",
    )
