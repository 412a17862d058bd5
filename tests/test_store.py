"""The results folder: what is stored comes back, what is missing is found, what must not mix is refused."""

import os
import socket
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pytest
from sweep_cases import small

import llrsim
from llrsim.experiment.identity import canonical_json
from llrsim.model.plan import plan
from llrsim.sweep import StoreError
from llrsim.sweep.folder import NUMERICS, fixed_keys, folder_name, is_network, locked, sqlite_errors
from llrsim.sweep.format import CREATE, FIELDS, FILE, checksum, decode, encode, sealed
from llrsim.sweep.store import Cell, Reader, Store

AXES = [canonical_json({"train.n": n}) for n in range(5)]


def record(status=0, head=b"\0" * 8):
    return (status, 0.5, 0.6, 0.7, 3, 1e-9, None, None, head, None, None)


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path, small()) as opened:
        yield opened


def register(store, count=5):
    cells = [Cell(AXES[i], f"law{i}", (("erm", f"a{i}", "{}"), ("dfr", f"b{i}", "{}"))) for i in range(count)]
    store.register(cells)


def rows(cell, replicates, method="a"):
    return [row(f"law{cell}", f"{method}{cell}", replicate) for replicate in replicates]


def row(law, method, replicate, **changed):
    return sealed(law, method, 0, NUMERICS, replicate, "dense", *record(**changed))


def missing(store, replicates=10, size=4):
    return store.missing_units(AXES, replicates=replicates, size=size)


@pytest.mark.parametrize("path", [(), (2, 5)])
def test_an_outcome_survives_encoding_exactly(path):
    solver = {"steps": 5, "step_size": 0.1, "path": list(path)} if path else "exact"
    experiment = small(head__solver=solver)
    outcome = llrsim.simulate(experiment, 3)["dfr"]
    stage, test = plan(experiment).stages[1], plan(experiment).test
    again = decode(list(encode(outcome)), stage=stage, test=test, limit="finite")
    for name in ("signal", "bias", "noise_norm", "noise_spread"):
        assert np.array_equal(getattr(again.heads, name), getattr(outcome.heads, name))
    assert again.to_dict() == outcome.to_dict()
    assert (again.path is None) == (not path)


def test_the_head_blob_is_what_its_documentation_says():
    outcome = llrsim.simulate(small(), 1)["erm"]
    numbers = np.frombuffer(dict(zip(FIELDS, next(iter(encode(outcome))), strict=True))["head"], "<f8")
    heads = outcome.heads
    expected = [*heads.signal[0], heads.bias[0], heads.noise_norm[0], heads.noise_spread[0]]
    assert numbers.tolist() == [*expected, *outcome.readout.group_accuracy[0]]


def test_a_diverged_descent_keeps_its_largest_stable_step():
    experiment = small(head__loss="squared", head__solver={"steps": 4000, "step_size": 50.0})
    outcome = llrsim.simulate(experiment, 2)["erm"]
    assert outcome.outcome.label == "diverged"
    stage, test = plan(experiment).stages[0], plan(experiment).test
    again = decode(list(encode(outcome)), stage=stage, test=test, limit="finite")
    assert again.outcome == outcome.outcome
    assert again.largest_stable_step == outcome.largest_stable_step
    assert np.isnan(again.heads.bias).all()


def test_every_unit_is_missing_at_first_and_none_when_all_is_written(store):
    register(store)
    assert missing(store) == [(cell, *unit) for cell in range(5) for unit in ((0, 4), (4, 4), (8, 2))]
    for cell in range(5):
        store.write(rows(cell, range(10)) + rows(cell, range(10), "b"), [])
    assert missing(store) == []


def test_units_that_lack_one_row_of_one_method_are_missing(store):
    register(store)
    for cell in range(5):
        store.write(rows(cell, range(10)) + rows(cell, range(10), "b"), [])
    store.connection.execute("DELETE FROM rows WHERE method = 'b3' AND replicate = 5")
    assert missing(store) == [(3, 4, 4)]


def test_more_replicates_leave_whole_units_alone(store):
    register(store, 1)
    store.write(rows(0, range(6)) + rows(0, range(6), "b"), [])
    assert missing(store, replicates=6) == []
    assert missing(store, replicates=10) == [(0, 4, 4), (0, 8, 2)]
    assert missing(store, replicates=3) == []


def test_rows_of_another_seed_are_not_counted(tmp_path):
    with Store(tmp_path / "..", small()) as store:
        register(store, 1)
        store.write(rows(0, range(4)) + rows(0, range(4), "b"), [])
        store.connection.execute("UPDATE rows SET seed = 1")
        assert missing(store, replicates=4) == [(0, 0, 4)]


def test_predictions_are_missing_until_every_method_has_one(store):
    register(store, 2)
    store.write([], [sealed("law0", "a0", NUMERICS, "population", *record())])
    assert store.missing_predictions(AXES) == [0, 1]
    store.write([], [sealed("law0", "b0", NUMERICS, "population", *record())])
    assert store.missing_predictions(AXES) == [1]


def test_unregistered_cells_are_named(store):
    register(store, 3)
    assert store.unknown(AXES) == set(AXES[3:])


def test_writing_a_row_again_adds_nothing(store):
    register(store, 1)
    store.write(rows(0, range(4)), [])
    store.write(rows(0, range(4)), [])
    assert store.connection.execute("SELECT count(*) FROM rows").fetchone() == (4,)


def test_a_failed_write_commits_nothing_and_keeps_what_was_there(store):
    register(store, 1)
    store.write(rows(0, range(4)), [])
    with pytest.raises(StoreError, match=FILE):
        store.write([*rows(0, range(4, 8)), row("law0", "a0", 8, head=None)], [])
    assert store.connection.execute("SELECT count(*) FROM rows").fetchone() == (4,)


def test_a_full_disk_is_told_and_what_was_committed_stays(store):
    register(store, 1)
    store.write(rows(0, range(4)), [])
    pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
    store.connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="disk is full"):
        store.write([row("law0", "a0", r, head=b"\0" * 4000) for r in range(4, 400)], [])
    assert store.connection.execute("SELECT count(*) FROM rows").fetchone() == (4,)


@pytest.mark.parametrize(
    "content", [b"not a database, but long enough to look like one" * 100, b"SQLite format 3\0" + b"x" * 4000]
)
def test_a_damaged_file_is_refused_and_left_alone(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(StoreError, match="damaged"), Store(tmp_path, small()):
        pass
    assert (tmp_path / FILE).read_bytes() == content
    with pytest.raises(StoreError, match="damaged"), Reader(tmp_path):
        pass


def test_a_folder_of_another_sweep_is_refused_with_a_diff_and_left_alone(tmp_path):
    with Store(tmp_path, small()):
        pass
    before = (tmp_path / FILE).read_bytes()
    other = small(head__ridge=0.2, sweep__seed=3)
    with pytest.raises(StoreError) as refusal, Store(tmp_path, other):
        pass
    assert "head.ridge: stored 0.1, asked 0.2" in str(refusal.value)
    assert "sweep.seed: stored 0, asked 3" in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 3
    assert (tmp_path / FILE).read_bytes() == before


def test_replicates_grid_and_name_may_change(tmp_path):
    with Store(tmp_path, small()):
        pass
    grown = small(sweep__replicates=9, name="again", sweep__grid={"train.n": [80, 120, 160]})
    with Store(tmp_path, grown):
        pass
    with Reader(tmp_path) as reader:
        assert reader.experiment == grown


def test_a_change_of_any_other_key_changes_what_is_fixed():
    base = fixed_keys(small())
    changes = ("train.n", 90), ("method.dfr.balance", "subset"), ("features.noise.dim", 4), ("sweep.simulator", "dense")
    for key, value in changes:
        changed = small(**{key.replace(".", "__"): value})
        differing = {name for name, held in fixed_keys(changed).items() if base.get(name) != held}
        assert differing == {key}
        assert folder_name(changed) != folder_name(small())
    assert folder_name(small(sweep__replicates=1, sweep__grid={})) == folder_name(small())


def test_other_versions_are_refused(tmp_path):
    with Store(tmp_path, small()) as store:
        store.connection.execute("UPDATE sweep SET numerics = numerics + 1")
    told = f"numbers version {NUMERICS + 1}"
    with pytest.raises(StoreError, match=told), Store(tmp_path, small()):  # though it may as well be damaged
        pass
    with sqlite3.connect(tmp_path / FILE) as connection:
        (*values, _) = connection.execute("SELECT * FROM sweep").fetchone()
        connection.execute("UPDATE sweep SET checksum = ?", (checksum(values),))
    connection.close()
    with pytest.raises(StoreError, match=told), Store(tmp_path, small()):
        pass
    with pytest.raises(StoreError, match=told), Reader(tmp_path):
        pass


def test_the_table_documentation_names_every_column():
    import llrsim.sweep.format as documented

    connection = sqlite3.connect(":memory:")
    for statement in CREATE:
        connection.execute(statement)
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    columns = {row[1] for name in names for row in connection.execute(f"PRAGMA table_info({name})")}
    assert all(name in documented.__doc__ for name in [*names, *columns])


def test_a_closed_folder_is_one_plain_file(tmp_path):
    with Store(tmp_path, small()):
        assert (tmp_path / f"{FILE}-wal").exists()
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    # Bytes 18 and 19 of the header are 2 in write-ahead mode, which read-only media cannot serve.
    assert (tmp_path / FILE).read_bytes()[18:20] == b"\1\1"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("attempt to write a readonly database", "read-only"),
        ("unable to open database file", "cannot be opened"),
        ("database is locked", "locked by another process"),
        ("disk I/O error", "the disk reports an error"),
        ("something new", "cannot be used"),
    ],
)
def test_errors_of_the_database_are_told_in_words(tmp_path, error, told):
    with pytest.raises(StoreError, match=f"{tmp_path}.*{told}"), sqlite_errors(tmp_path):
        raise sqlite3.OperationalError(error)


def test_readers_see_what_is_committed_while_a_writer_is_at_work(store, tmp_path):
    register(store, 1)
    store.write(rows(0, range(4)), [])
    with Reader(tmp_path) as reader:
        assert len(reader.simulated("law0", "a0", 3)) == 3
        assert [reader.row_count(AXES, replicates) for replicates in (10, 3)] == [4, 3]
        assert reader.row_count(AXES[1:], 10) == 0


def test_the_lock_names_its_holder_and_falls_with_it(tmp_path):
    script = (
        "import sys, time, pathlib\nfrom llrsim.sweep.folder import locked\n"
        "with locked(pathlib.Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        who = f"process {holder.pid} on {socket.gethostname()}"
        with pytest.raises(StoreError, match=who), locked(tmp_path):
            pass
    finally:
        holder.kill()
        holder.communicate()
    with locked(tmp_path), pytest.raises(StoreError, match=f"process {os.getpid()}"), locked(tmp_path):
        pass


def test_network_file_systems_are_recognised(tmp_path):
    mounts = tmp_path / "mounts"
    home = tmp_path / "home"
    mounts.write_text(f"/dev/a / ext4 rw 0 0\nserver:/x {home} nfs4 rw 0 0\n/dev/b {home}/local xfs rw 0 0\n")
    assert not is_network(tmp_path, mounts)
    assert is_network(home / "sub", mounts)
    assert not is_network(home / "local", mounts)
    assert not is_network(home, tmp_path / "none")


@pytest.mark.slow
def test_a_hundred_thousand_rows_are_written_and_found_again_quickly(store):
    count = 100_000
    block = [row(f"law{i // 1000}", "a", i % 1000, head=b"\0" * 72) for i in range(count)]
    store.register([Cell(AXES[0][:-1] + f', "i": {i}}}', f"law{i}", (("erm", "a", "{}"),)) for i in range(100)])
    began = time.perf_counter()
    for start in range(0, count, 5000):
        store.write(block[start : start + 5000], [])
    assert count / (time.perf_counter() - began) > 50_000
    axes = [AXES[0][:-1] + f', "i": {i}}}' for i in range(100)]
    began = time.perf_counter()
    assert store.missing_units(axes, replicates=1000, size=64) == []
    assert time.perf_counter() - began < 1.0
