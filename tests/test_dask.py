"""Sweeps by dask's workers, real processes on the loopback interface: the same bytes, whatever dies or stops."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from threading import Thread

import pytest
from sweep_cases import small
from test_killed import rows_in
from test_shards import CASES, stored
from threadpoolctl import threadpool_info

from llrsim.commands import main
from llrsim.sweep import ClusterError, Interrupted, WorkerDied, run_sweep, units
from llrsim.sweep import run as runner
from llrsim.sweep import workers as cluster
from llrsim.sweep.format import CHECKED
from llrsim.sweep.workers import ClusterWorkers, numbers

MANY = small(sweep__replicates=400)


@pytest.fixture(scope="module")
def local():
    """A cluster of two processes, whose BLAS has two threads each until it is told otherwise."""
    with pytest.MonkeyPatch.context() as patched:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            patched.setenv(name, "2")
        with cluster.local_cluster(2) as local:
            yield local


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(units, "REPLICATES", 16)
    monkeypatch.setattr(runner, "TARGET", 0.05)


@contextmanager
def once_there_are_rows(folder, act):
    """Do something from another thread as soon as rows of a sweep are committed; tells how many there were."""
    seen = []

    def watch():
        while not (rows := rows_in(folder)):
            time.sleep(0.01)
        act()
        seen.append(rows)

    thread = Thread(target=watch, daemon=True)
    thread.start()
    yield seen
    thread.join(60)


def pids(local):
    return [worker.process.pid for worker in local.workers.values()]


@pytest.mark.parametrize("case", CASES)
def test_a_cluster_gives_the_bytes_of_one_worker(tmp_path, monkeypatch, local, case):
    monkeypatch.setattr(units, "REPLICATES", 2)
    monkeypatch.setattr(runner, "TARGET", 0.02)
    run_sweep(CASES[case], out=tmp_path / "one", jobs=1)
    run_sweep(CASES[case], out=tmp_path / "dask", dask=local.scheduler_address)
    assert stored(tmp_path / "dask") == stored(tmp_path / "one")


def test_predictions_alone_too(tmp_path, local):
    experiment = small(sweep__grid={"train.n": [80, 120], "head.ridge": {"log10": [-2, 0], "num": 300}})
    for name, dask in (("one", None), ("dask", local.scheduler_address)):
        run_sweep(experiment, out=tmp_path / name, jobs=1, predict_only=True, dask=dask)
    assert stored(tmp_path / "dask") == stored(tmp_path / "one")


@pytest.mark.usefixtures("small_blocks")
def test_a_worker_that_is_killed_costs_no_row(tmp_path, local):
    before = pids(local)
    with once_there_are_rows(tmp_path / "dask", lambda: os.kill(before[0], signal.SIGKILL)) as seen:
        run_sweep(MANY, out=tmp_path / "dask", dask=local.scheduler_address)
    run_sweep(MANY, out=tmp_path / "whole", jobs=2)
    assert seen[0] < rows_in(tmp_path / "whole")
    assert stored(tmp_path / "dask") == stored(tmp_path / "whole")
    local.wait_for_workers(2, 30)
    assert before[0] not in pids(local)


@pytest.mark.usefixtures("small_blocks")
def test_a_signal_stops_early_and_the_same_again_goes_on(tmp_path, local):
    more = small(sweep__replicates=20_000)
    began = once_there_are_rows(tmp_path, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with began, pytest.raises(Interrupted, match="SIGTERM"):
        run_sweep(more, out=tmp_path, dask=local.scheduler_address)
    kept = stored(tmp_path)["rows"]
    assert 0 < len(kept) < 8 * 20_000
    # The few replicates that the kept rows are of, whole: 16 to a unit.
    at = CHECKED["rows"].index("replicate")
    fewer = small(sweep__replicates=16)
    run_sweep(fewer, out=tmp_path, dask=local.scheduler_address)
    run_sweep(fewer, out=tmp_path / "whole", jobs=1)
    assert [row for row in stored(tmp_path)["rows"] if row[at] < 16] == stored(tmp_path / "whole")["rows"]


def waiting(stop):
    return "stopped" if stop.wait(60) else "not told"


def blas_threads(stop):
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_a_stop_reaches_what_is_at_work_and_what_comes_later(local):
    with ClusterWorkers(local.scheduler_address, 2) as workers:
        assert workers.count == 2
        given = [workers.submit(waiting) for _ in range(4)]
        with pytest.raises(TimeoutError):
            workers.awaited(given[0], 0.2)
        workers.stop.set()
        assert [workers.awaited(future, 30) for future in given] == ["stopped"] * 4


def test_blas_has_one_thread_in_each_worker(local):
    with ClusterWorkers(local.scheduler_address, 2) as workers:
        assert workers.awaited(workers.submit(blas_threads), 30) == {1}


def test_of_a_block_that_kills_its_workers_it_is_told(tmp_path, monkeypatch, local):
    monkeypatch.setattr(local.scheduler, "allowed_failures", 0)
    monkeypatch.setattr(runner, "compute_units", dying)
    with pytest.raises(WorkerDied, match="a worker process died; what was computed is kept"):
        run_sweep(small(), out=tmp_path, dask=local.scheduler_address)


def dying(grid, block, stop):
    os.kill(os.getpid(), signal.SIGKILL)


def failing(grid, block, stop):
    raise AttributeError("no such thing here")


def test_workers_of_other_numbers_are_refused(tmp_path, monkeypatch, local):
    local.wait_for_workers(2, 30)
    monkeypatch.setattr(cluster, "numbers", lambda: "llrsim 0.0.9")
    with pytest.raises(ClusterError, match=f"worker on .* has {numbers()}, this sweep llrsim 0.0.9"):
        run_sweep(small(), out=tmp_path, dask=local.scheduler_address)
    assert not any(stored(tmp_path).values())


def test_what_a_worker_cannot_read_is_told(tmp_path, monkeypatch, local):
    monkeypatch.setattr(runner, "compute_units", failing)
    with pytest.raises(ClusterError, match="AttributeError: no such thing here; the scheduler and the workers need"):
        run_sweep(small(), out=tmp_path, dask=local.scheduler_address)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("nowhere", "'nowhere': must be local, or tcp://HOST:PORT or tls://HOST:PORT"),
        ("tcp://127.0.0.1", "'tcp://127.0.0.1': must be local"),
        ("local:3", "'local:3': must be local"),
    ],
)
def test_an_address_that_is_none_is_refused(tmp_path, capsys, address, told):
    with pytest.raises(SystemExit):
        main(["sweep", "quick", "--out", str(tmp_path), "--dask", address])
    assert told in capsys.readouterr().err
    with pytest.raises(ValueError, match=address):
        run_sweep(small(), out=tmp_path / "never", dask=address)
    assert not (tmp_path / "never").exists()


def test_no_scheduler_at_an_address_is_told(tmp_path, monkeypatch, capsys):
    """Whether nothing listens there, or what listens is no scheduler."""
    monkeypatch.setattr(cluster, "ANSWER", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.create_server(("127.0.0.1", 0)) as gone:
        ports = [server.getsockname()[1] for server in (silent, gone)]
        gone.close()
        for port in ports:
            address = f"tcp://127.0.0.1:{port}"
            assert main(["sweep", "quick", "--out", str(tmp_path / "out"), "--dask", address]) == 2
            (line,) = capsys.readouterr().err.splitlines()
            assert line.startswith(f"llrsim: error: {address}: no dask scheduler answers: ")


def test_the_extra_is_named_where_it_is_absent(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(["sweep", "quick", "--out", str(tmp_path / "out"), "--dask", "local"]) == 2
    assert capsys.readouterr().err == "llrsim: error: --dask needs distributed: pip install 'llrsim[dask]'\n"


@pytest.mark.slow
def test_processes_of_its_own(tmp_path, capfd):
    """What they write to the terminal is seen too: progress is all that is told."""
    run_sweep(small(), out=tmp_path / "dask", jobs=2, dask="local", progress=True)
    assert all(
        re.match("compiling the ker|kernels ready|[0-9]+ of 4 cells", line)
        for line in capfd.readouterr().err.splitlines()
    )
    run_sweep(small(), out=tmp_path / "one", jobs=1)
    assert stored(tmp_path / "dask") == stored(tmp_path / "one")


@contextmanager
def running(*words):
    """A dask process, killed at the end."""
    process = subprocess.Popen([sys.executable, "-m", *words], stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
@pytest.mark.usefixtures("small_blocks")
def test_a_scheduler_without_workers_and_one_that_dies(tmp_path, monkeypatch, capsys):
    file = tmp_path / "many.toml"
    file.write_text(small(sweep__replicates=100_000).to_toml())
    scheduler = ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    with running(*scheduler) as process:
        address = next(found[0] for line in process.stderr if (found := re.search(r"tcp://127.0.0.1:\d+", line)))
        asked = ["sweep", str(file), "--out", str(tmp_path / "out"), "--dask", address]
        monkeypatch.setattr(cluster, "UNSTAFFED", 0.5)
        assert main(asked) == 1
        resume, told = capsys.readouterr().err.splitlines()[-2:]
        assert resume == f"  {shlex.join(['python', '-m', 'llrsim.sweep', *asked[1:]])}"
        assert told.startswith(
            f"llrsim: error: {address} has had no workers for 0.5 s; what was computed is kept. Run "
        )
        monkeypatch.setattr(cluster, "UNSTAFFED", 60.0)
        with (
            running("distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"),
            once_there_are_rows(tmp_path / "out", process.kill),
        ):
            assert main(asked) == 1
    assert f"llrsim: error: the scheduler at {address} does not answer any more; what" in capsys.readouterr().err
    assert rows_in(tmp_path / "out") > 0
