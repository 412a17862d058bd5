"""A sweep that is killed at any moment goes on to the rows of one that never was.

Sweeps run in forks of this process, in which the kernels are loaded already, so that a kill is seldom in a start.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest
from sweep_cases import small

from llrsim.commands import main
from llrsim.sweep import StoreError, run_sweep, units
from llrsim.sweep import run as runner
from llrsim.sweep.results import status_of
from llrsim.sweep.store import Reader, Store

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forks"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]

EXPERIMENT = small(sweep__replicates=260)
ROWS = 4 * 2 * 260


@pytest.fixture(scope="module", autouse=True)
def many_small_commits():
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(units, "REPLICATES", 4)
        patched.setattr(runner, "TARGET", 0.01)
        yield


def begin(folder: Path) -> int:
    """The process id of a sweep into the folder."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            run_sweep(EXPERIMENT, out=folder, jobs=2)
            status = 0
        finally:
            os._exit(status)
    return child


def end(child: int) -> int:
    """Its exit status, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def tables(folder: Path) -> dict[str, list]:
    with Reader(folder) as reader:
        assert reader.integrity(1) == []
        return {table: sorted(reader.sealed(table), key=repr) for table in ("rows", "predictions", "masses")}


def rows_in(folder: Path) -> int:
    """Simulated rows committed; none before there is a table for them."""
    try:
        return status_of(folder).rows_done
    except StoreError:
        return 0


@pytest.fixture(scope="module")
def whole(tmp_path_factory, many_small_commits):
    """The tables of an uninterrupted run, and the seconds that it takes."""
    run_sweep(EXPERIMENT, out=tmp_path_factory.mktemp("first"), jobs=2)
    folder = tmp_path_factory.mktemp("whole")
    began = time.perf_counter()
    assert end(begin(folder)) == 0
    return tables(folder), time.perf_counter() - began


@pytest.mark.parametrize("kills", [5, pytest.param(60, marks=pytest.mark.slow)])
def test_a_sweep_killed_at_any_moment_is_resumed_to_the_same_bytes(tmp_path, whole, kills):
    uninterrupted, seconds = whole
    assert len(uninterrupted["rows"]) == ROWS >= 2000
    draw, killed, between = random.Random(kills), 0, 0
    while killed < kills:
        folder = tmp_path / f"{killed}"
        child = begin(folder)
        time.sleep(draw.uniform(0.0, seconds))
        os.kill(child, signal.SIGKILL)
        if end(child) != -signal.SIGKILL:  # it was done before
            continue
        killed += 1
        between += 0 < rows_in(folder) < ROWS
        assert end(begin(folder)) == 0
        assert tables(folder) == uninterrupted
    sys.stdout.write(f"{kills} kills in {seconds:.2f} s, {between} of them between the first and the last commit\n")
    assert between >= kills * 2 // 3


def test_one_sweep_killed_again_and_again_comes_to_its_end(tmp_path, whole):
    uninterrupted, seconds = whole
    draw, done = random.Random(0), [0]
    for _ in range(8):
        child = begin(tmp_path)
        time.sleep(draw.uniform(0.1, 0.4) * seconds)
        os.kill(child, signal.SIGKILL)
        end(child)
        done.append(rows_in(tmp_path))
    assert done == sorted(done)
    assert end(begin(tmp_path)) == 0
    assert tables(tmp_path) == uninterrupted


@pytest.mark.parametrize("table", ["rows", "masses"])
def test_a_kill_inside_a_transaction_leaves_what_was_committed_before(tmp_path, whole, monkeypatch, table):
    """At the fourth transaction, after rows were written into it and before it is committed."""
    uninterrupted, _ = whole
    insert, committed = Store._insert, []

    def killing(store, into, rows):
        insert(store, into, rows)
        if into == table:
            committed.append(store.connection.execute("SELECT count(*) FROM rows").fetchone()[0])
            if len(committed) == 4:
                assert store.connection.in_transaction
                (tmp_path / "before").write_text(str(committed[-1]))
                os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(Store, "_insert", killing)
    assert end(begin(tmp_path)) == -signal.SIGKILL
    monkeypatch.undo()
    assert 0 < rows_in(tmp_path) < int((tmp_path / "before").read_text())
    assert end(begin(tmp_path)) == 0
    assert tables(tmp_path) == uninterrupted


def test_a_disk_that_is_full_in_the_middle_stops_the_sweep_and_loses_nothing(tmp_path, whole, monkeypatch):
    write, writes = Store.write, []

    def filling(store, *tables):
        writes.append(store)
        if len(writes) == 4:
            pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
            store.connection.execute(f"PRAGMA max_page_count = {pages}")
        write(store, *tables)

    monkeypatch.setattr(Store, "write", filling)
    with pytest.raises(StoreError, match="disk is full; free some space and run the same command to resume"):
        run_sweep(EXPERIMENT, out=tmp_path, jobs=2)
    assert 0 < rows_in(tmp_path) < ROWS
    monkeypatch.undo()
    assert end(begin(tmp_path)) == 0
    assert tables(tmp_path) == whole[0]


@pytest.mark.skipif(sys.platform != "linux", reason="predictions are shared by forked processes on Linux alone")
def test_a_worker_process_that_dies_is_told_and_loses_nothing(tmp_path, monkeypatch, capsys):
    file = tmp_path / "many.toml"
    experiment = small(sweep__grid={"heldout.n": list(range(40, 50)), "train.n": list(range(80, 140))})
    file.write_text(experiment.to_toml())
    whole = units.predict_run

    def dying(grid, places, block):
        if places[0].cell >= 300:
            os.kill(os.getpid(), signal.SIGKILL)
        whole(grid, places, block)

    monkeypatch.setattr(units, "predict_run", dying)
    out = tmp_path / "out"
    assert main(["sweep", str(file), "--predict-only", "--jobs", "2", "--out", str(out)]) == 1
    assert (
        capsys.readouterr().err.splitlines()[-1].startswith("llrsim: error: a worker process died; what was computed")
    )
    monkeypatch.undo()
    for folder in (out, tmp_path / "whole"):
        run_sweep(experiment, out=folder, jobs=2, predict_only=True)
    assert tables(out) == tables(tmp_path / "whole")
