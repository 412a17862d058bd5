"""Verification of a results folder: what was stored comes out again, and what was changed on the disk is found."""

import json
import random
import re
import sqlite3

import numpy as np
import pytest
from sweep_cases import every, small

import llrsim
from llrsim.commands import main
from llrsim.sweep import StoreError, run_sweep
from llrsim.sweep import verify as verifying
from llrsim.sweep import verify_results as verify
from llrsim.sweep.environment import environment
from llrsim.sweep.format import CHECKED, FIELDS, FILE, as_read, checksum, encode, sealed
from llrsim.sweep.store import Reader
from llrsim.sweep.verify import difference


@pytest.fixture(scope="module", params=["dense", "lazy"])
def finished(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    run_sweep(every(request.param, sweep__replicates=3), out=folder, jobs=2)
    return folder


@pytest.fixture
def copy(tmp_path_factory):
    """A small sweep that may be damaged."""
    folder = tmp_path_factory.mktemp("copy")
    run_sweep(small(sweep__replicates=4), out=folder, jobs=1)
    return folder


def change(folder, statement, *values):
    connection = sqlite3.connect(folder / FILE, isolation_level=None)
    try:
        assert connection.execute(statement, values).rowcount
    finally:
        connection.close()


def test_every_row_comes_out_again_bit_for_bit_and_every_prediction_within_its_certificate(finished):
    found = verify(finished, rows=1000)
    assert found.exact
    assert found.fine, str(found)
    methods = len(every("dense" if "dense" in str(finished) else "lazy").method)
    assert found.simulated == 6 * 3 * methods - 4 * 3 * (methods - 1)  # only one method sees the inner axis
    assert found.predicted == 6 * methods - 4 * (methods - 1)
    assert f"{found.simulated} simulated rows (bit for bit)" in str(found)


def test_the_draw_follows_its_seed_and_takes_both_kinds_of_rows(finished, monkeypatch):
    module = verifying

    drawn = []
    monkeypatch.setattr(module, "_wrong", lambda reader, table, row, exact: drawn.append((table, *row[:5])) or ())
    found = [verify(finished, rows=6, seed=seed) for seed in (1, 1, 2)]
    assert {(one.simulated, one.predicted) for one in found} == {(3, 3)}
    assert drawn[:6] == drawn[6:12] != drawn[12:]
    assert len(set(drawn[:6])) == 6


def test_a_row_that_was_computed_otherwise_is_named_though_it_is_sealed(copy, capsys):
    """As a fault of the machine would leave it: a last digit that was wrong before its checksum was made."""
    with Reader(copy) as reader:
        (*values, _) = next(reader.sealed("rows", "WHERE method = (SELECT method FROM methods WHERE label = 'dfr')"))
    at = CHECKED["rows"].index("wga")
    values[at] = float(np.nextafter(values[at], 1.0))
    law, method, *_, replicate = values[:5]
    change(
        copy,
        "UPDATE rows SET wga = ?, checksum = ? WHERE law = ? AND method = ? AND replicate = ?",
        values[at],
        checksum(values),
        law,
        method,
        replicate,
    )
    assert main(["verify", str(copy), "--rows", "1000"]) == 1
    told = capsys.readouterr().out
    assert "0 findings of damage" in told
    assert re.search(rf"rows, axes .*train\.n.*, label dfr, replicate {replicate}: wga is stored as", told)


ALTERED = {
    "sweep": "shard",
    "cells": "law",
    "cell_methods": "method",
    "methods": "definition",
    "masses": "mass",
    "rows": "cosine",
    "predictions": "wga",
    "networks": "record",
    "runs": "command",
}


@pytest.mark.parametrize("table", CHECKED)
def test_a_changed_value_in_any_table_is_found_and_named(copy, table):
    row = sealed("law", 0, 2, 0, "{}")
    change(copy, "INSERT INTO networks VALUES (?, ?, ?, ?, ?, ?)", *row)
    assert verify(copy, rows=1).fine
    change(copy, f"UPDATE {table} SET {ALTERED[table]} = 0.25")
    found = verify(copy)
    assert not found.fine
    assert all(line.startswith(table) for line in found.damage)
    assert all("the row is not what was written" in line for line in found.damage)
    assert (found.simulated, found.predicted) == (0, 0)


def test_a_damaged_row_is_named_by_cell_method_and_replicate(copy, capsys):
    change(copy, "UPDATE rows SET head = zeroblob(72) WHERE replicate = 3")
    assert main(["verify", str(copy), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert not told["fine"]
    named = [re.fullmatch(r"rows, axes ({.*}), label (erm|dfr), replicate 3: .*", line) for line in told["damage"]]
    assert {json.loads(name[1])["train.n"] for name in named} == {80, 120}
    # Every cell has laws of its own here.
    assert len(named) == 8


def contents(folder):
    """Every table as it is read, or the words of the refusal."""
    try:
        with Reader(folder) as reader:
            return {table: list(reader.sealed(table)) for table in CHECKED}
    except (StoreError, ValueError) as error:
        return str(error)


@pytest.mark.parametrize("table", ["rows", "predictions"])
def test_a_damaged_row_goes_into_no_table(copy, table, tmp_path, capsys):
    change(copy, f"UPDATE {table} SET wga = wga + 1e-12")
    for command in (["export", str(copy), "--csv", str(tmp_path / "rows.csv")], ["report", str(copy)]):
        assert main(command) == 2
        assert "is damaged; `llrsim verify --mend` removes all that is" in capsys.readouterr().err
    assert not (tmp_path / "rows.csv").exists()


@pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_flipped_bit_is_told_wherever_it_changes_what_is_read(copy, count):
    """Bits that no row is made of, in free space and in some of the header, may flip unseen: nothing reads them."""
    path, draw, told = copy / FILE, random.Random(count), 0
    whole, written = path.read_bytes(), contents(copy)
    for _ in range(count):
        place, bit = draw.randrange(len(whole)), draw.randrange(8)
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
        try:
            fine = verify(copy, rows=0).fine
        except StoreError:
            fine = False
        told += not fine
        assert not fine or contents(copy) == written, (place, bit)
    assert told > count / 8


@pytest.mark.parametrize("count", [300, pytest.param(3000, marks=pytest.mark.slow)])
def test_rows_with_a_flipped_bit_are_the_same_or_refused(copy, count, tmp_path):
    """A flipped bit in a key or an index page hides rows; neither fewer rows nor an unnamed exception comes of it."""
    path, draw, refused = copy / FILE, random.Random(count), 0
    whole, rows = path.read_bytes(), llrsim.open_results(copy).rows()
    table = tmp_path / "rows.csv"
    assert main(["export", str(copy), "--csv", str(table)]) == 0
    exported = table.read_bytes()
    for number in range(count):
        place, bit = draw.randrange(len(whole)), draw.randrange(8)
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
        try:
            assert llrsim.open_results(copy).rows() == rows, (place, bit)
            status = 0
        except StoreError:
            refused, status = refused + 1, 2
        if number % 10 == 0:
            table.unlink(missing_ok=True)
            assert main(["export", str(copy), "--csv", str(table)]) == status
            assert table.exists() == (status == 0)
            assert status or table.read_bytes() == exported
    assert count / 8 < refused < count / 2  # some flips are in free space


def test_results_that_are_open_are_looked_at_again_where_their_file_has_changed(copy):
    results = llrsim.open_results(copy)
    rows = results.rows()
    change(copy, "UPDATE rows SET replicate = 99 WHERE replicate = 3")
    for read in (results.rows, lambda: list(results.outcomes()), results.select):
        with pytest.raises(StoreError, match="a row of rows is damaged; `llrsim verify --mend` removes"):
            read()
    change(copy, "UPDATE rows SET replicate = 3 WHERE replicate = 99")
    assert results.rows() == rows


def test_an_empty_blob_or_text_has_not_the_checksum_of_zero():
    assert checksum(["a", 0]) == checksum(["a", -0.0])
    assert len({checksum(["a", value]) for value in (0, b"", "", None)}) == 4


def test_the_status_two_says_what_cannot_be_read(copy, capsys, tmp_path):
    assert main(["verify", str(tmp_path / "nowhere")]) == 2
    assert "no results here" in capsys.readouterr().err
    content = (copy / FILE).read_bytes()
    (copy / FILE).write_bytes(content[: len(content) // 2])
    assert main(["verify", str(copy)]) == 2
    assert "damaged" in capsys.readouterr().err


def test_verification_writes_nothing(copy):
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    assert verify(copy, rows=2).fine
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before


def test_rows_of_another_machine_agree_within_a_tolerance(copy, monkeypatch):
    module = verifying

    here = module.environment()
    monkeypatch.setattr(module, "environment", lambda: here | {"cpu": "another processor"})
    found = verify(copy, rows=100)
    assert found.fine
    assert not found.exact
    assert "from another machine" in str(found)


def test_what_counts_as_a_difference():
    (row,) = encode(llrsim.simulate(small(), 1)["dfr"])
    assert difference(row, row, exact=True) is None

    def changed(name, value):
        fields = dict(zip(FIELDS, row, strict=True))
        return tuple((fields | {name: value(fields[name])}).values())

    slightly, clearly = changed("wga", lambda value: value + 1e-10), changed("wga", lambda value: value + 1e-5)
    assert "wga is stored as" in difference(row, slightly, exact=True)
    assert difference(row, slightly, exact=False) is None
    assert "wga is stored as" in difference(row, clearly, exact=False)
    turned = changed("head", lambda head: (np.frombuffer(head) * (1 + 1e-5)).tobytes())
    assert "head is stored as" in difference(row, turned, exact=False)
    assert "status" in difference(row, changed("status", lambda _: 6), exact=False)
    longer = changed("iterations", lambda count: count + 1)
    assert "iterations" in difference(row, longer, exact=True)
    assert difference(row, longer, exact=False) is None
    assert "cosine" in difference(row, changed("cosine", lambda _: 0.5), exact=False)
    assert "path" in difference(row, changed("path", lambda _: b"12345678"), exact=False)


def test_a_checksum_is_of_what_the_database_gives_back():
    values = ("text", 3, 0.5, -0.0, float("nan"), -float("nan"), None, b"bytes", 2.0, 0)
    connection = sqlite3.connect(":memory:")
    connection.execute(f"CREATE TABLE t ({', '.join(f'c{i} {kind}' for i, kind in enumerate(KINDS))})")
    connection.execute(f"INSERT INTO t VALUES ({', '.join('?' * len(values))})", values)
    read = connection.execute("SELECT * FROM t").fetchone()
    assert as_read(values) == list(read)
    assert checksum(values) == checksum(read)
    for at in range(len(values)):
        assert checksum((*values[:at], 7.25, *values[at + 1 :])) != checksum(values)
    assert sealed(*values)[-1] == checksum(values)


KINDS = ("TEXT", "INTEGER", "REAL", "REAL", "REAL", "REAL", "REAL", "BLOB", "REAL", "INTEGER")


def as_before_checksums(folder):
    """The folder as an earlier llrsim wrote it."""
    connection = sqlite3.connect(folder / FILE, isolation_level=None)
    for table in CHECKED:
        connection.execute(f"ALTER TABLE {table} DROP COLUMN checksum")
    connection.execute("ALTER TABLE sweep DROP COLUMN shard")
    connection.execute("UPDATE sweep SET schema = 3")
    connection.close()


def test_folders_from_before_checksums_are_read_and_get_them_by_the_next_sweep(copy, capsys):
    rows = llrsim.open_results(copy).rows()
    as_before_checksums(copy)
    assert llrsim.open_results(copy).rows() == rows
    assert main(["verify", str(copy)]) == 2
    assert "run its sweep again" in capsys.readouterr().err
    run_sweep(small(sweep__replicates=5), out=copy, jobs=1)
    found = verify(copy, rows=1000)
    assert found.fine
    assert found.simulated == 5 * 8
    change(copy, "UPDATE cell_methods SET method = 'x' WHERE cell = 1")
    assert len(verify(copy).damage) == 2


MISTOLD = {
    "cells": "law = (SELECT max(law) FROM cells) WHERE law = (SELECT min(law) FROM cells)",
    "cell_methods": "method = (SELECT max(method) FROM cell_methods) WHERE cell = 1",
    "masses": "mass = replace(mass, '0.', '0.9')",
}


@pytest.mark.parametrize("table", MISTOLD)
def test_what_says_whose_the_rows_are_is_read_with_its_checksums_too(copy, table, tmp_path, capsys):
    change(copy, f"UPDATE {table} SET {MISTOLD[table]}")
    for command in (["export", str(copy), "--csv", str(tmp_path / "rows.csv")], ["report", str(copy)]):
        assert main(command) == 2
        assert "is damaged; `llrsim verify --mend` removes all that is" in capsys.readouterr().err


def test_a_blas_is_known_whatever_the_order_and_the_threads(copy, monkeypatch):
    here = environment()
    other = {**here, "blas": [pool | {"num_threads": 7} for pool in here["blas"][::-1]]}
    monkeypatch.setattr(verifying, "environment", lambda: other)
    assert verify(copy).exact
    other["blas"][0]["version"] = "0.0"
    assert not verify(copy).exact
