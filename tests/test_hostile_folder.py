"""Results folders from anyone: whatever they hold, commands stay inside them, change nothing and end in a sentence."""

import hashlib
import os
import shutil
import sqlite3
import struct

import numpy as np
import pytest
from report_cases import HOSTILE
from sweep_cases import small

from llrsim.commands import main
from llrsim.sweep import StoreError, run_sweep
from llrsim.sweep.format import CHECKED, FILE, checksum

NAME = f"../../{HOSTILE}"
LOOKING = ("status", "verify", "export", "report", "merge")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile") / "results"
    experiment = small(sweep__replicates=2).replace(name=NAME)
    run_sweep(experiment, out=folder, jobs=1, command="sweep '<b>'")
    return folder


@pytest.fixture
def results(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "given" / "results")


def command(name, folder, out):
    words = {
        "status": [],
        "verify": ["--rows", "2"],
        "export": ["--csv", str(out / "table.csv")],
        "report": ["--out", str(out / "page.html"), "--jobs", "1"],
    }
    if name == "merge":
        return ["merge", str(out / "merged"), str(folder)]
    return [name, str(folder), *words[name]]


def bytes_of(folder):
    """A digest of every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def sealed_change(folder, table, column, value):
    """One value of every row of a table, sealed as if llrsim had written it."""
    with sqlite3.connect(folder / FILE) as connection:
        connection.create_function("checksum", -1, lambda *values: checksum(values))
        connection.execute("PRAGMA ignore_check_constraints = ON")
        try:
            connection.execute(f"UPDATE OR REPLACE {table} SET {column} = ?", (value,))
        except sqlite3.IntegrityError:
            pytest.skip("the table itself refuses such a value")
        columns = ["(SELECT axes FROM cells WHERE cells.cell = cell_methods.cell)" if table == "cell_methods"
                   and name == "axes" else name for name in CHECKED[table]]  # fmt: skip
        connection.execute(f"UPDATE {table} SET checksum = checksum({', '.join(columns)})")
    connection.close()


@pytest.mark.parametrize("name", LOOKING)
def test_looking_changes_nothing_and_writes_only_where_it_is_told(name, results, tmp_path, capsys):
    before = bytes_of(tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    os.chmod(results, 0o500)
    try:
        assert main(command(name, results, out)) in (0, 1)
    finally:
        os.chmod(results, 0o700)
    told = bytes_of(tmp_path)
    assert {path: digest for path, digest in told.items() if not path.startswith("out/")} == before
    assert "Traceback" not in capsys.readouterr().err


def test_a_hostile_name_stays_text_and_makes_no_path(results, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["report", str(results), "--jobs", "1"]) == 0
    page = (results / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;alert" in page
    assert "<b>" not in page
    assert [path.name for path in tmp_path.iterdir()] == ["given"]


@pytest.mark.parametrize("file", [FILE, "sweep.lock"])
def test_nothing_is_written_through_a_link(file, results, tmp_path, capsys):
    outside = tmp_path / "outside"
    shutil.copy(results / FILE, outside)
    before = bytes_of(tmp_path)["outside"]
    out = tmp_path / "out"
    out.mkdir()
    (out / file).symlink_to(outside)
    assert main(["merge", str(out), str(results)]) == 2
    assert "is a link" in capsys.readouterr().err
    assert bytes_of(tmp_path)["outside"] == before


def journal_that_names(victim, database):
    """An unfinished journal of a database, as of a transaction over several of them whose list is `victim`.

    SQLite rolls it back when the database is next opened to be written to, and then deletes the list.
    """
    magic = bytes.fromhex("d9d505f920a163d7")
    name = str(victim).encode()
    header = magic + struct.pack(">5I", 0, 0, database.stat().st_size // 4096, 512, 4096)
    named = struct.pack(">I", 2**30 // 4096 + 1) + name + struct.pack(">II", len(name), sum(name)) + magic
    return header.ljust(512, b"\0") + named


@pytest.mark.parametrize("file", [FILE, "sweep.lock"])
def test_a_journal_that_names_a_file_elsewhere_does_not_delete_it(file, results, finished, tmp_path, capsys):
    victim = tmp_path / "thesis"
    victim.write_text("mine")
    journal = results / f"{file}-journal"
    planted = journal_that_names(victim, results / file)
    for name in LOOKING:
        journal.write_bytes(planted)
        main(command(name, results, tmp_path))
        assert victim.read_text() == "mine", name
    for words in (["merge", str(results), str(finished)], ["verify", str(results), "--mend"]):
        journal.write_bytes(planted)
        assert main(words) == 2
        assert "names a file of another database" in capsys.readouterr().err or file == FILE
        assert victim.read_text() == "mine"
    with pytest.raises(StoreError, match="names a file of another database"):
        run_sweep(small(sweep__replicates=2).replace(name=NAME), out=results)
    assert victim.read_text() == "mine"
    # It is what it is taken for.
    connection = sqlite3.connect(results / file)
    connection.execute("PRAGMA user_version = 7")
    connection.close()
    assert not victim.exists()


def test_a_linked_table_is_replaced_and_not_followed(results, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("mine")
    (results / "results.csv").symlink_to(outside)
    assert main(["export", str(results), "--csv", str(results / "results.csv")]) == 0
    assert outside.read_text() == "mine"
    assert not (results / "results.csv").is_symlink()


def test_views_and_triggers_of_a_database_do_nothing(results, tmp_path, capsys):
    with sqlite3.connect(results / FILE) as connection:
        connection.execute("CREATE TRIGGER more AFTER INSERT ON runs BEGIN DELETE FROM rows; END")
        connection.execute("ALTER TABLE masses RENAME TO old")
        connection.execute("CREATE VIEW masses AS SELECT * FROM old, json_each('[1, 2, 3]')")
    connection.close()
    before = bytes_of(results)
    out = tmp_path / "out"
    out.mkdir()
    for name in LOOKING:
        status = main(command(name, results, out))
        assert status in (0, 1, 2)
        assert "Traceback" not in capsys.readouterr().err
    assert bytes_of(results) == before


HOSTILE_VALUES = [
    None,
    -1,
    2**62,
    1e308,
    "",
    "x",
    HOSTILE,
    "{}",
    "[]",
    "[[1]]",
    '{"numpy": [1]}',
    '{"a":' * 2000,
    b"",
    b"\xff" * 7,
    b"\0" * 4096,
]
PLACES = [
    (table, column)
    for table, columns in CHECKED.items()
    for column in columns
    if (table, column) != ("cell_methods", "axes")
]


def test_a_strange_environment_ends_a_report_in_a_sentence(finished, tmp_path, capsys):
    looked_at(finished, tmp_path, capsys, "runs", "environment", '{"numpy": [1]}', ("report", "status"))


def looked_at(finished, tmp_path, capsys, table, column, value, commands=LOOKING):
    """Every command ends with a status of its own, and refusals in one line."""
    folder = shutil.copytree(finished, tmp_path / "copy")
    out = tmp_path / "out"
    out.mkdir()
    try:
        sealed_change(folder, table, column, value)
        for name in commands:
            status = main(command(name, folder, out))
            told = capsys.readouterr()
            assert status in (0, 1, 2), name
            if status == 2:
                assert told.err.splitlines()[-1].startswith("llrsim: error: "), name
                assert len(told.err) < 4000
    finally:
        shutil.rmtree(folder)
        shutil.rmtree(out)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numbers that overflow are told in a line
@pytest.mark.parametrize("table", CHECKED)
def test_a_hostile_value_ends_in_a_sentence(finished, tmp_path, capsys, table):
    rng = np.random.default_rng([1, *map(ord, table)])
    column = str(rng.choice([name for of, name in PLACES if of == table]))
    value = HOSTILE_VALUES[int(rng.integers(len(HOSTILE_VALUES)))]
    looked_at(finished, tmp_path, capsys, table, column, value, ("status", "verify", "export", "merge"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("table", "column"), PLACES, ids=[".".join(place) for place in PLACES])
@pytest.mark.parametrize("value", HOSTILE_VALUES, ids=range(len(HOSTILE_VALUES)))
def test_every_hostile_value_ends_in_a_sentence(finished, tmp_path, capsys, table, column, value):
    looked_at(finished, tmp_path, capsys, table, column, value)
