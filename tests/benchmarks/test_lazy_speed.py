"""The lazy simulator: against scikit-learn in one run, and at sizes whose designs no memory holds."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from time import perf_counter

import numpy as np
import pytest
from instance import experiment, reference, scikit_learn
from numba import njit

from llrsim.planning import plan
from llrsim.simulation import simulate_plan
from llrsim.simulation.lazy import sample, sweeps, threads
from llrsim.simulation.lazy.revealed import CHUNK, LEFT, RIGHT

MILLION = 1_000_000
AGAINST = [((500, 50), 20, ">= 8x"), ((5000, 500), 4, ">= 40x"), ((20000, 2000), 1, ">= 200x")]


def engine(described, replicates, jobs=1):
    """Draw, fit and read out lazily."""
    planned = plan(described)
    return lambda: simulate_plan(planned, replicates=replicates, jobs=jobs, simulator="lazy")["erm"].readout.wga


@pytest.mark.parametrize(("size", "batch", "wanted"), AGAINST)
def test_exact_logistic_replicate_against_scikit_learn(compare, size, batch, wanted):
    n, d = size

    def fitted(X, y):
        model = scikit_learn(n, 0.01).fit(X, y)
        return model.coef_[0], model.intercept_[0]

    compare(f"lazy logistic n={n} d={d}", engine(experiment(n, d, 0.01), batch), reference(fitted, n, d, batch), wanted)


@njit(nogil=True)
def triad(a, b, c):
    for i in range(a.size):
        a[i] = b[i] + 3.0 * c[i]


def triad_bandwidth(workers):
    """Bytes a second of a = b + 3 c on this many threads, each with arrays of its own; the best of five."""
    arrays = [[np.ones(1 << 23) for _ in range(3)] for _ in range(workers)]
    triad(*(array[:1] for array in arrays[0]))
    best = 0.0
    with ThreadPoolExecutor(workers) as pool:
        for _ in range(5):
            began = perf_counter()
            list(pool.map(lambda three: triad(*three), arrays))
            best = max(best, workers * 3 * arrays[0][0].nbytes / (perf_counter() - began))
    return best


def test_bytes_moved_by_a_descent(report, monkeypatch):
    """The bytes of the columns that each sweep reads, as `sweeps` counts them, over the time of the whole replicate."""
    moved, sweeping = 0, threads.sweeping

    def counting(pool):
        inside = sweeping(pool)

        def counted(task, loss, softness, length, state):
            nonlocal moved
            left, right = (int(state.known[which]) for which in (LEFT, RIGHT))
            reads = {sweeps.LOOK: 8 * left + 4 * right, sweeps.PROJECT: 8 * left}
            moved += state.rows.shape[1] * reads.get(task, 0)
            inside(task, loss, softness, length, state)

        return counted

    described = experiment(MILLION, MILLION, 0.01, solver={"steps": 60, "step_size": 0.5})
    simulate = engine(described, 1, jobs=2)
    engine(experiment(2 * CHUNK, 100, 0.01, solver={"steps": 2, "step_size": 0.5}), 1, jobs=2)()  # compiles
    with monkeypatch.context() as patched:
        patched.setattr(sample, "sweeping", counting)
        patched.setattr(threads, "sweeping", counting)
        simulate()  # and the system has found the memory
    times, bandwidth = [], triad_bandwidth(2)
    for _ in range(3):
        began = perf_counter()
        simulate()
        times.append(perf_counter() - began)
    bandwidth, seconds = max(bandwidth, triad_bandwidth(2)), median(times)
    share = moved / seconds / bandwidth
    report("lazy descent n = d = 1e6, 60 steps, two threads", f"{seconds:.2f} s", "<= 6 s")
    report(
        f"  {moved / 1e9:.1f} GB of columns read, triad {bandwidth / 1e9:.1f} GB/s",
        f"{share:.0%} of the triad",
        ">= 50 %",
    )


ALONE = """
import json, pathlib, sys
from time import perf_counter
import llrsim
from llrsim.planning import plan
from llrsim.simulation import simulate_plan

described, n = json.loads(sys.argv[1]), int(sys.argv[2])
def prepared(n):
    features, train = described["features"] | {"noise": {"dim": n}}, described["train"] | {"n": n}
    planned = plan(llrsim.load(described | {"features": features, "train": train}))
    return lambda: simulate_plan(planned, jobs=2, simulator="lazy")["erm"]
prepared(40000)()
began = perf_counter()
method = prepared(n)()
seconds = perf_counter() - began
told = pathlib.Path("/proc/self/status").read_text().splitlines()  # getrusage would count what came before exec
peak = next(int(line.split()[1]) / 1024 for line in told if line.startswith("VmHWM:"))
print(json.dumps([seconds, peak, float(method.certificate[0]), method.outcome.label]))
"""


@pytest.mark.parametrize(
    ("what", "n", "head", "wanted"),
    [
        ("descent, 60 steps", MILLION, {"solver": {"steps": 60, "step_size": 0.5}}, "<= 6 s, <= 700 MB"),
        ("exact logistic fit", MILLION, {}, "<= 8 s"),
        ("exact ridge", 1000 * MILLION, {"loss": "squared"}, "<= 0.05 s"),
    ],
)
def test_alone_in_a_process(report, what, n, head, wanted):
    described = {
        "features": {"core": {"mean": 1.0, "std": 0.6}, "spurious": {"mean": 1.5, "std": 0.3}},
        "train": {"proportions": [0.7295, 0.0384, 0.0117, 0.2204]},
        "head": {"ridge": 0.01} | head,
        "method": [{"kind": "erm"}],
    }
    found = []
    for _ in range(2):  # the first may compile
        ran = subprocess.run(
            [sys.executable, "-c", ALONE, json.dumps(described), str(n)],
            capture_output=True, text=True, check=True, env=os.environ,
        )  # fmt: skip
        found = json.loads(ran.stdout)
    seconds, peak, certificate, status = found
    told = f"{seconds:.3g} s, peak {peak:.0f} MB, certificate {certificate:.0e}, {status}"
    report(f"lazy {what}, n = d = {n:.0e}", told, wanted)
