"""Sweeps end to end on the real engine: numbers that depend on the experiment alone, resuming, failing well."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from threading import Event, Thread

import numpy as np
import pytest
from sweep_cases import small

import llrsim
from llrsim.experiment.grid import Grid
from llrsim.sweep import Interrupted, StoreError, SweepFailed, open_results, run_sweep, units
from llrsim.sweep.folder import is_held, locked
from llrsim.sweep.results import status_of, write_csv
from llrsim.sweep.run import LARGEST_BLOCK, SweepProgress, _next_size, dry_run
from llrsim.sweep.store import Reader
from llrsim.sweep.units import Block


def csv_of(results, path):
    write_csv(results.rows(), path)
    return path.read_bytes()


def stored_rows(folder):
    with Reader(folder) as reader:
        return sorted(reader._rows("SELECT * FROM rows", ()))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    return run_sweep(small(), out=folder, jobs=1)


def test_stored_cells_are_what_simulate_and_predict_give(finished):
    grid = Grid(small())
    found = list(finished.outcomes())
    assert [cell.axes for cell in found] == [grid.cell(i) for i in range(4)]
    for index, cell in enumerate(found):
        experiment = grid.experiment(index)
        assert cell.simulation["dfr"].to_dict() == llrsim.simulate(experiment, 6)["dfr"].to_dict()
        stored, cold = cell.prediction["erm"], llrsim.predict(experiment)["erm"]
        np.testing.assert_allclose(stored.heads.signal, cold.heads.signal, rtol=1e-9)
        np.testing.assert_allclose(stored.readout.group_accuracy, cold.readout.group_accuracy, rtol=1e-9)
        assert (stored.outcome, stored.limit) == (cold.outcome, cold.limit)


def test_cells_are_paired_through_common_random_numbers(finished):
    """ERM does not see the held-out ratio: its rows must be equal across that axis, replicate by replicate."""
    found = list(finished.outcomes())
    assert np.array_equal(found[0].simulation["erm"].heads.signal, found[2].simulation["erm"].heads.signal)
    assert not np.array_equal(found[0].simulation["dfr"].heads.signal, found[2].simulation["dfr"].heads.signal)


def test_the_numbers_do_not_depend_on_jobs_or_blocks(finished, tmp_path, monkeypatch):
    monkeypatch.setattr(units, "REPLICATES", 4)
    monkeypatch.setattr(units, "CHUNK", 3)
    again = run_sweep(small(), out=tmp_path / "two", jobs=2)
    assert csv_of(again, tmp_path / "a.csv") == csv_of(finished, tmp_path / "b.csv")
    assert stored_rows(again.folder) == stored_rows(finished.folder)


def test_running_again_computes_nothing(finished, monkeypatch):
    monkeypatch.setattr(units, "simulate_unit", pytest.fail)
    run_sweep(small(), out=finished.folder)
    with Reader(finished.folder) as reader:
        assert len(list(reader.runs())) == 1


def test_replicates_and_axes_grow(tmp_path):
    run_sweep(small(sweep__replicates=2, sweep__grid={"train.n": [80]}), out=tmp_path, jobs=1)
    grown = run_sweep(small(sweep__replicates=3), out=tmp_path, jobs=1)
    whole = run_sweep(small(sweep__replicates=3), out=tmp_path / "whole", jobs=1)
    assert csv_of(grown, tmp_path / "a.csv") == csv_of(whole, tmp_path / "b.csv")
    fewer = run_sweep(small(sweep__replicates=2), out=tmp_path)
    assert {row["replicates"] for row in fewer.rows()} == {2}


def test_another_sweep_is_refused(finished):
    with pytest.raises(StoreError, match=r"head\.ridge: stored 0\.1, asked 0\.3"):
        run_sweep(small(head__ridge=0.3), out=finished.folder)


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be made"):
        run_sweep(small(), out=tmp_path / "file" / "below")


def test_a_cell_that_fails_is_named_and_the_others_are_kept(tmp_path, monkeypatch):
    whole = units.simulate_unit

    def broken(experiment, first, replicates):
        if experiment.train.n == 120:
            raise RuntimeError("no luck")
        return whole(experiment, first, replicates)

    monkeypatch.setattr(units, "simulate_unit", broken)
    with pytest.raises(SweepFailed, match=r"heldout.minority_ratio = 0.25, train.n = 120: RuntimeError: no luck"):
        run_sweep(small(), out=tmp_path, jobs=2)
    kept = [cell for cell in open_results(tmp_path).outcomes() if cell.simulation]
    assert [cell.axes["train.n"] for cell in kept] == [80, 80]
    monkeypatch.undo()
    assert all(cell.simulation for cell in run_sweep(small(), out=tmp_path, jobs=1).outcomes())


def test_cells_whose_values_do_not_go_together_are_named(tmp_path):
    """Averaging over subsets does not go with weights, the other axis's value."""
    grid = {"method.dfr.balance": ["subset", "weights"], "method.dfr.average": [1, 2]}
    with pytest.raises(SweepFailed, match=r"method.dfr.average = 2"):
        run_sweep(small(sweep__grid=grid), out=tmp_path, jobs=1)
    kept = {(row["method.dfr.balance"], row["method.dfr.average"]) for row in open_results(tmp_path).rows()}
    assert kept == {("subset", 1), ("subset", 2), ("weights", 1)}


def test_an_impossible_axis_value_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(llrsim.ExperimentError, match=r"train.n = 3"):
        run_sweep(small(sweep__grid={"train.n": [80, 3]}), out=tmp_path / "never", jobs=1)
    assert not (tmp_path / "never").exists()


def test_predict_only_leaves_the_simulation_for_later(tmp_path):
    predicted = run_sweep(small(), out=tmp_path, predict_only=True)
    assert all(cell.simulation is None and cell.prediction is not None for cell in predicted.outcomes())
    row = predicted.rows()[0]
    assert row["wga"] is None
    assert row["replicates"] == 0
    assert 0 < row["predicted_wga"] < 1
    completed = run_sweep(small(), out=tmp_path, jobs=1)
    assert [list(row) for row in completed.rows()] == [list(row) for row in predicted.rows()]
    assert all(row["wga"] is not None for row in completed.rows())


SWEEP = """
import sys
from sweep_cases import small
from llrsim.sweep import run_sweep, units
units.REPLICATES = 2
run_sweep(small(sweep__replicates=120), out=sys.argv[1], jobs=2)
"""


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)])
def test_a_killed_sweep_goes_on_to_the_same_bytes(tmp_path, monkeypatch, seed):
    killed = subprocess.Popen([sys.executable, "-c", SWEEP, str(tmp_path / "killed")], cwd=os.path.dirname(__file__))
    wait_for_rows(tmp_path / "killed", killed)
    time.sleep(random.Random(seed).uniform(0.0, 0.3))
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    monkeypatch.setattr(units, "REPLICATES", 2)
    experiment = small(sweep__replicates=120)
    resumed = run_sweep(experiment, out=tmp_path / "killed", jobs=2)
    whole = run_sweep(experiment, out=tmp_path / "whole", jobs=1)
    assert csv_of(resumed, tmp_path / "a.csv") == csv_of(whole, tmp_path / "b.csv")
    assert stored_rows(resumed.folder) == stored_rows(whole.folder)


def test_a_signal_stops_with_whole_units_kept_and_the_folder_free(tmp_path, monkeypatch):
    monkeypatch.setattr(units, "REPLICATES", 2)
    whole, calls = units.simulate_unit, []

    def stopping(experiment, first, replicates):
        calls.append(first)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGTERM)
        return whole(experiment, first, replicates)

    monkeypatch.setattr(units, "simulate_unit", stopping)
    with pytest.raises(Interrupted) as stopped:
        run_sweep(small(), out=tmp_path, jobs=1)
    assert stopped.value.exit_status == 143
    state = status_of(tmp_path)
    assert 0 < state.rows_done < state.rows_asked == 48
    assert state.rows_done % 4 == 0
    assert state.runs[0]["finished"] is None
    assert state.running is False
    assert "(stopped before its end), 1 workers" in str(state)
    run_sweep(small(), out=tmp_path, jobs=1)
    assert status_of(tmp_path).rows_done == 48
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_second_process_is_refused(tmp_path):
    script = SWEEP.replace("120", "40000")
    first = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=os.path.dirname(__file__))
    try:
        wait_for_rows(tmp_path, first)
        with pytest.raises(StoreError, match=f"process {first.pid} on {socket.gethostname()}"):
            run_sweep(small(sweep__replicates=40000), out=tmp_path)
        assert status_of(tmp_path).running
        assert " to now, 2 workers" in str(status_of(tmp_path))
    finally:
        first.kill()
        first.wait()
    assert "(stopped before its end)" in str(status_of(tmp_path))


def test_who_looks_whether_a_folder_is_held_keeps_nobody_out_and_writes_nothing(tmp_path):
    run_sweep(small(), out=tmp_path, jobs=1)
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in tmp_path.iterdir()}
    assert is_held(tmp_path) is False
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in tmp_path.iterdir()} == before
    begun, done = Event(), Event()

    def look():
        while not done.is_set():
            is_held(tmp_path)
            begun.set()

    thread = Thread(target=look)
    thread.start()
    try:
        assert begun.wait(60)
        for _ in range(50):
            with locked(tmp_path):
                assert is_held(tmp_path)
    finally:
        done.set()
        thread.join()
    assert is_held(tmp_path) is False


def test_a_holder_elsewhere_is_not_guessed_at(tmp_path, monkeypatch):
    run_sweep(small(), out=tmp_path, jobs=1)
    with locked(tmp_path):
        monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
        assert is_held(tmp_path) is None


def wait_for_rows(folder, process):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if (folder / "sweep.sqlite").exists():
            try:
                if status_of(folder).rows_done:
                    return
            except StoreError:  # the tables are just being made
                pass
        time.sleep(0.02)
    pytest.fail("the sweep in the other process wrote nothing")


def test_a_dry_run_counts_without_expanding():
    axes = {
        "train.n": {"linear": [80, 5000], "num": 1000},
        "head.ridge": {"log10": [-3, 0], "num": 1000},
    }
    size = dry_run(small(sweep__grid=axes), jobs=2, say=pytest.fail)
    assert (size.cells, size.rows) == (10**6, 12 * 10**6)
    assert size.seconds > 0


def test_block_sizes_follow_the_time_that_units_take():
    assert _next_size(1, Block(units=1, seconds=1e-6)) == 4
    assert _next_size(100, Block(units=100, seconds=1.0)) == 150
    assert _next_size(100, Block(units=10, seconds=100.0)) == 1
    assert _next_size(LARGEST_BLOCK, Block(units=LARGEST_BLOCK, seconds=1e-3)) == LARGEST_BLOCK
    assert _next_size(7, Block()) == 7


def test_progress_counts_cells_and_estimates_what_is_left():
    shown = SweepProgress(10, 2, shown=False)
    shown.present(4)
    assert shown.line().startswith("2 of 10 cells, 0 rows/s, ? left")
    shown.computed(8, 100)
    assert shown.line().startswith("6 of 10 cells")
    assert shown.line().endswith("left")


def test_state_counts_rows_of_the_grid_asked_for(finished):
    state = status_of(finished.folder)
    assert (state.cells, state.rows_done, state.rows_asked) == (4, 48, 48)
    assert {"llrsim", "numpy", "numba", "blas", "cpu", "git"} <= set(state.runs[0]["environment"])
