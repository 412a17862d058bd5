"""Damaged rows taken out of a results folder: nothing else goes, and the sweep computes the same ones again."""

import re
import sqlite3

import pytest
from sweep_cases import small
from test_learned_sweep import experiment as learned
from test_verify import ALTERED, change

from llrsim.commands import main
from llrsim.experiment.grid import Grid
from llrsim.sweep import StoreError, open_results, run_sweep
from llrsim.sweep import verify_results as verify
from llrsim.sweep.folder import locked
from llrsim.sweep.format import CHECKED, FILE
from llrsim.sweep.store import Reader, Store
from llrsim.sweep.verify import remove_damaged


@pytest.fixture
def copy(tmp_path):
    """A small sweep that may be damaged."""
    return run_sweep(small(sweep__replicates=4), out=tmp_path / "copy", jobs=1).folder


MENDED = sorted(set(CHECKED) - {"sweep", "runs"})  # what a sweep computes or registers


def computed(folder):
    """Every row of them, sorted."""
    with Reader(folder) as reader:
        return {table: sorted(reader.sealed(table), key=repr) for table in MENDED}


@pytest.mark.parametrize("table", MENDED)
def test_damaged_rows_are_taken_out_and_the_sweep_computes_the_same_ones_again(tmp_path, table):
    experiment = learned(replicates=2) if table == "networks" else small(sweep__replicates=4)
    run_sweep(experiment, out=tmp_path, jobs=1)
    before = computed(tmp_path)
    assert before[table]
    change(tmp_path, f"UPDATE {table} SET {ALTERED[table]} = 0.25")
    assert remove_damaged(tmp_path) >= len(before[table])
    assert verify(tmp_path, rows=0).damage == ()
    assert computed(tmp_path)[table] == []
    run_sweep(experiment, out=tmp_path, jobs=1)
    assert computed(tmp_path) == before


@pytest.mark.parametrize("table", ["masses", "networks"])
def test_deleted_rows_that_others_belong_to_are_missed_and_come_again(tmp_path, table):
    experiment = learned(replicates=2) if table == "networks" else small(sweep__replicates=4)
    run_sweep(experiment, out=tmp_path, jobs=1)
    assert verify(tmp_path, rows=0).fine
    before = computed(tmp_path)
    change(tmp_path, f"DELETE FROM {table} WHERE law = (SELECT min(law) FROM {table})")
    missed = len(before[table]) - len(computed(tmp_path)[table])
    damage = verify(tmp_path).damage
    assert len(damage) == missed
    assert all(line.startswith(table) and line.endswith("the row is gone") for line in damage)
    assert remove_damaged(tmp_path) >= missed
    assert verify(tmp_path, rows=0).fine
    run_sweep(experiment, out=tmp_path, jobs=1)
    assert computed(tmp_path) == before


def test_one_damaged_row_costs_no_other(copy, capsys):
    before = computed(copy)
    change(copy, "UPDATE rows SET wga = 0.25 WHERE replicate = 2 AND method = (SELECT min(method) FROM rows)")
    assert main(["verify", str(copy), "--mend"]) == 0
    assert "4 rows are removed; run the same sweep again to compute them" in capsys.readouterr().err
    left = computed(copy)["rows"]
    assert len(left) == len(before["rows"]) - 4
    assert set(left) < set(before["rows"])
    assert remove_damaged(copy) == 0
    run_sweep(small(sweep__replicates=4), out=copy, jobs=1)
    assert computed(copy) == before


EXPERIMENTS = {
    "replicates": ("UPDATE sweep SET experiment = replace(experiment, ?, ?)", '"replicates":4', '"replicates":3'),
    "a key that the folder fixes": (
        "UPDATE sweep SET experiment = replace(experiment, ?, ?)",
        '"std":0.6',
        '"std":0.7',
    ),
    "no JSON": ("UPDATE sweep SET experiment = replace(experiment, ?, ?)", '"features":', '"features";'),
    "no text": ("UPDATE sweep SET experiment = CAST(X'7bff' || substr(experiment, 2) AS TEXT)",),
    "schema": ("UPDATE sweep SET schema = 7",),
    "numerics": ("UPDATE sweep SET numerics = 1",),
    "shard": ("UPDATE sweep SET shard = '1/3'",),
}


@pytest.mark.parametrize("damage", EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_a_damaged_experiment_is_not_believed_and_is_written_again_by_its_sweep(copy, capsys, damage):
    rows, before = verify(copy, rows=0).rows, computed(copy)
    change(copy, *damage)
    assert remove_damaged(copy) == 0
    assert [line.split(":")[0] for line in verify(copy).damage] == ["sweep"]
    assert main(["verify", str(copy)]) == 1
    told = capsys.readouterr().out
    assert f"the other {rows - 1} rows are what was written" in told
    assert f"`llrsim sweep FILE --out {copy}`" in told
    assert "verify" not in told
    for command in (["status"], ["export", "--csv", str(copy / "rows.csv")], ["report"]):
        assert main([command[0], str(copy), *command[1:]]) == 2
        assert f"its stored experiment is damaged; `llrsim sweep FILE --out {copy}`" in capsys.readouterr().err
    content = (copy / FILE).read_bytes()
    for other in (small(head__ridge=0.2), small(train__proportions=[0.25] * 4), small(sweep__seed=1)):
        with pytest.raises(
            StoreError, match=r"its stored experiment is damaged, and (cell .* is another one|its rows are)"
        ):
            run_sweep(other, out=copy, jobs=1)
        assert (copy / FILE).read_bytes() == content
    with pytest.warns(UserWarning, match="was damaged; it is written again as asked, and the rows are kept"):
        results = run_sweep(small(sweep__replicates=4), out=copy, jobs=1)
    assert results.experiment == small(sweep__replicates=4)
    assert verify(copy, rows=2).fine
    assert computed(copy) == before


def test_damage_elsewhere_hinders_neither_the_repair_nor_what_is_said_of_other_cells(copy):
    change(copy, *EXPERIMENTS["no text"])
    change(copy, "UPDATE cells SET axes = CAST(X'7bff' || substr(axes, 2) AS TEXT) WHERE cell = 1")
    change(copy, "UPDATE cells SET axes = '{nonsense' WHERE cell = 2")
    with pytest.warns(UserWarning, match="written again"), Store(copy, small(sweep__replicates=4)):
        pass
    with Reader(copy) as reader:
        assert reader.other_cells(Grid(small(sweep__grid={}))) == 2
        assert reader.shares() == "realised"


def test_a_damaged_experiment_of_predictions_is_known_by_its_nominal_cells(tmp_path):
    run_sweep(small(), out=tmp_path, jobs=1, predict_only=True)
    change(tmp_path, *EXPERIMENTS["no JSON"])
    with pytest.raises(StoreError, match="is another one"):
        run_sweep(small(train__proportions=[0.7, 0.1, 0.12, 0.08]), out=tmp_path, jobs=1, predict_only=True)
    with pytest.warns(UserWarning, match="written again"):
        run_sweep(small(), out=tmp_path, jobs=1, predict_only=True)
    assert verify(tmp_path, rows=2).fine


def test_a_damaged_run_is_not_told_and_is_taken_out(copy, capsys):
    change(copy, "UPDATE runs SET command = 0.25")
    for command in ("status", "report"):
        assert main([command, str(copy)]) == 2
        assert "a row of runs is damaged; `llrsim verify --mend` removes" in capsys.readouterr().err
    assert remove_damaged(copy) == 1
    assert verify(copy).fine


@pytest.mark.parametrize("column", ["law", "method"])
def test_a_key_that_is_no_text_any_more_is_taken_out(copy, column):
    before = computed(copy)
    change(
        copy,
        f"UPDATE rows SET {column} = CAST(X'ff41' AS TEXT) WHERE replicate = 3 "
        "AND law = (SELECT min(law) FROM rows) AND method = (SELECT min(method) FROM rows)",
    )
    named = verify(copy).damage
    assert named[0].encode()
    assert "\N{REPLACEMENT CHARACTER}A" in named[0]
    assert remove_damaged(copy) == len(named)
    run_sweep(small(sweep__replicates=4), out=copy, jobs=1)
    assert computed(copy) == before


def test_cells_of_an_earlier_grid_outlive_the_mending_of_others(tmp_path):
    for ridges in ([0.1, 0.2], [0.3, 0.4]):
        run_sweep(small(sweep__replicates=2, sweep__grid={"head.ridge": ridges}), out=tmp_path, jobs=1)
    before = computed(tmp_path)
    change(tmp_path, "UPDATE methods SET label = 'x' WHERE rowid = 1")
    change(tmp_path, "UPDATE cells SET law = 'x' WHERE axes LIKE '%0.4%'")
    assert remove_damaged(tmp_path) > 0
    run_sweep(small(sweep__replicates=2, sweep__grid={"head.ridge": [0.1, 0.2]}), out=tmp_path, jobs=1)
    run_sweep(small(sweep__replicates=2, sweep__grid={"head.ridge": [0.3, 0.4]}), out=tmp_path, jobs=1)
    assert computed(tmp_path) == before
    assert verify(tmp_path, rows=1000).fine


def page_of(folder, name):
    """Page number of the root of a table or index, and the size of a page."""
    connection = sqlite3.connect(folder / FILE)
    size = connection.execute("PRAGMA page_size").fetchone()[0]
    root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()[0]
    connection.close()
    return root, size


def test_a_damaged_index_is_refused_and_built_again_with_every_row(copy, capsys, tmp_path):
    before, rows = computed(copy), open_results(copy).rows()
    root, page = page_of(copy, "sqlite_autoindex_cells_1")
    content = bytearray((copy / FILE).read_bytes())
    at = content.index(b"heldout.minority_ratio", (root - 1) * page, root * page)
    content[at] ^= 1
    (copy / FILE).write_bytes(content)
    assert main(["export", str(copy), "--csv", str(tmp_path / "rows.csv")]) == 2
    assert "its structure is damaged; `llrsim verify --mend`" in capsys.readouterr().err
    assert main(["verify", str(copy)]) == 1
    capsys.readouterr()
    assert main(["verify", str(copy), "--mend", "--rows", "2"]) == 0
    assert "it is built again from the rows of its tables" in capsys.readouterr().err
    assert computed(copy) == before
    assert open_results(copy).rows() == rows


@pytest.mark.parametrize("flipped", ["law", "method"])
def test_a_flipped_key_out_of_its_order_costs_only_its_row(copy, flipped):
    """The key of a row in the middle of its table becomes the least or the largest of all."""
    before, rows = computed(copy), open_results(copy).rows()
    content = bytearray((copy / FILE).read_bytes())
    law, method = before["rows"][len(before["rows"]) // 2][:2]
    key = (law + method).encode()
    at = re.search(
        re.escape(key) + rb".{0,6}dense", content, re.DOTALL
    ).start()  # a row of `rows` alone has a simulator
    content[at + (0 if flipped == "law" else len(law))] ^= 0x10
    (copy / FILE).write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        open_results(copy).rows()
    assert remove_damaged(copy) == 1
    assert verify(copy, rows=0).fine
    assert len(computed(copy)["rows"]) == len(before["rows"]) - 1
    run_sweep(small(sweep__replicates=4), out=copy, jobs=1)
    assert computed(copy) == before
    assert open_results(copy).rows() == rows


def test_a_folder_that_is_written_to_or_torn_is_not_mended(copy):
    with locked(copy), pytest.raises(StoreError, match="is being written by process"):
        remove_damaged(copy)
    root, page = page_of(copy, "cells")
    content = bytearray((copy / FILE).read_bytes())
    content[(root - 1) * page + 3] = 255  # that the page had more rows than it has
    (copy / FILE).write_bytes(content)
    with pytest.raises(StoreError, match=r"cannot be read to its end; `sqlite3 FILE .recover"):
        remove_damaged(copy)
    assert (copy / FILE).read_bytes() == content
