"""Shards of a sweep and their merging: byte for byte the rows of one run, or a refusal that names the place."""

import json
import shutil
import sqlite3

import pytest
from sweep_cases import every, small
from test_learned_sweep import experiment as learned

from llrsim.commands import main
from llrsim.sweep import Shard, StoreError, merge_results, run_sweep, units
from llrsim.sweep.folder import NUMERICS
from llrsim.sweep.format import CHECKED, FILE, checksum
from llrsim.sweep.store import Reader
from llrsim.sweep.units import Place, Unit


def stored(folder):
    """Every row of numbers with its checksum, sorted."""
    with Reader(folder) as reader:
        return {
            table: sorted(reader.sealed(table), key=repr) for table in ("rows", "predictions", "masses", "networks")
        }


def sharded(experiment, folder, of=3, **options):
    """The folders of all shards."""
    folders = [folder / f"{number}-of-{of}" for number in range(1, of + 1)]
    for number, out in enumerate(folders, 1):
        run_sweep(experiment, out=out, jobs=2, shard=Shard(number, of), command=f"--shard {number}/{of}", **options)
    return folders


@pytest.fixture
def few_replicates_a_unit(monkeypatch):
    monkeypatch.setattr(units, "REPLICATES", 2)


CASES = {
    "dense": every("dense"),
    "lazy": every("lazy"),
    "both": small(sweep__grid={"features.noise.dim": [3, 100_000], "head.ridge": [0.1, 0.2]}),
    "learned": learned(),
}

SIMULATORS = {"both": {"dense", "lazy"}}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.usefixtures("few_replicates_a_unit")
def test_workers_and_shards_give_the_same_bytes(tmp_path, case):
    experiment = CASES[case]
    run_sweep(experiment, out=tmp_path / "one", jobs=1)
    run_sweep(experiment, out=tmp_path / "two", jobs=2)
    folders = sharded(experiment, tmp_path)
    shares = [sum(map(len, stored(folder).values())) for folder in folders]
    assert min(shares) > 0
    merged = merge_results(tmp_path / "merged", folders)
    assert merged.missing == 0
    one = stored(tmp_path / "one")
    assert one["rows"]
    assert one["predictions"]
    assert {row[CHECKED["rows"].index("simulator")] for row in one["rows"]} == SIMULATORS.get(case, {case})
    assert stored(tmp_path / "two") == one
    assert stored(tmp_path / "merged") == one
    # Whatever the order of the folders.
    merge_results(tmp_path / "backwards", folders[::-1])
    assert stored(tmp_path / "backwards") == one


def test_of_predictions_of_one_key_that_stays_which_one_run_would_have_stored(tmp_path):
    """Some cells round to the same counts, and are predicted from elsewhere: only the first one's number is kept."""
    grid = {
        "heldout.class_prior": [0.3, 0.35, 0.4, 0.45, 0.5],
        "heldout.minority_ratio": [0.2, 0.35, 0.6, 1.0],
    }
    experiment = small(heldout__n=10, sweep__grid=grid, sweep__replicates=1)
    run_sweep(experiment, out=tmp_path / "one", jobs=1)
    folders = sharded(experiment, tmp_path)
    found = {row for folder in folders for row in stored(folder)["predictions"]}
    assert len(found) > len({row[:2] for row in found})
    for order in (1, -1):
        merged = merge_results(tmp_path / f"merged{order}", folders[::order])
        assert merged.missing == 0
        assert stored(merged.folder) == stored(tmp_path / "one")


@pytest.mark.usefixtures("few_replicates_a_unit")
def test_more_replicates_keep_the_rows_that_were_there(tmp_path):
    before = run_sweep(small(sweep__replicates=20), out=tmp_path / "grown", jobs=2).folder
    first = stored(before)["rows"]
    run_sweep(small(sweep__replicates=50), out=before, jobs=2)
    at = CHECKED["rows"].index("replicate")
    grown = stored(before)["rows"]
    assert [row for row in grown if row[at] < 20] == first
    run_sweep(small(sweep__replicates=50), out=tmp_path / "whole", jobs=1)
    assert grown == stored(tmp_path / "whole")["rows"]


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return sharded(small(), tmp_path_factory.mktemp("shards"), of=2)


@pytest.fixture
def pair(shards, tmp_path):
    """Two shards that may be changed."""
    return [shutil.copytree(folder, tmp_path / folder.name) for folder in shards]


def copied(folder, name="copy"):
    return shutil.copytree(folder, folder.with_name(name))


def change(folder, statement, *values):
    connection = sqlite3.connect(folder / FILE, isolation_level=None)
    assert connection.execute(statement, values).rowcount
    connection.close()


def test_a_merge_goes_on_where_it_was_and_adds_nothing_twice(pair, tmp_path):
    out = tmp_path / "out"
    first = merge_results(out, pair[:1])
    assert first.missing > 0
    assert "run the sweep with --out" in str(first)
    second = merge_results(out, pair)
    assert second.missing == 0
    whole = stored(out)
    assert merge_results(out, pair).rows == 0
    assert stored(out) == whole
    with Reader(out) as reader:
        runs = list(reader.runs())
    assert len(runs) == 2
    assert all(run["finished"] for run in runs)


def test_what_a_merge_leaves_a_sweep_completes(pair, tmp_path):
    merge_results(tmp_path / "out", pair[:1])
    run_sweep(small(), out=tmp_path / "out", jobs=1)
    run_sweep(small(), out=tmp_path / "whole", jobs=1)
    assert stored(tmp_path / "out")["rows"] == stored(tmp_path / "whole")["rows"]


def test_the_same_rows_in_two_folders_are_merged_and_other_ones_refused_by_name(pair, tmp_path):
    again = copied(pair[0])
    assert merge_results(tmp_path / "out", [*pair, again]).missing == 0
    with Reader(again) as reader:
        (*values, _) = next(reader.sealed("rows", "WHERE replicate = 3"))
    at = CHECKED["rows"].index("average_accuracy")
    values[at] += 1e-15
    change(
        again,
        "UPDATE rows SET average_accuracy = ?, checksum = ? WHERE law = ? AND method = ? AND replicate = 3",
        values[at],
        checksum(values),
        *values[:2],
    )
    with pytest.raises(StoreError, match=r"differ: rows, axes .*, label (erm|dfr), replicate 3: average_accuracy is"):
        merge_results(tmp_path / "never", [*pair, again])
    assert not (tmp_path / "never").exists()


@pytest.mark.parametrize(("error", "refused"), [(1e-12, False), (1e-4, True)])
def test_predictions_of_one_key_may_differ_within_their_certificates(pair, tmp_path, error, refused):
    one = next(folder for folder in pair if stored(folder)["predictions"])
    again = copied(one)
    with Reader(again) as reader:
        (*values, _) = next(reader.sealed("predictions"))
    at = CHECKED["predictions"].index("wga")
    values[at] += error
    change(
        again,
        "UPDATE predictions SET wga = ?, checksum = ? WHERE law = ? AND method = ?",
        values[at],
        checksum(values),
        *values[:2],
    )
    if refused:
        with pytest.raises(StoreError, match=r"differ: predictions, axes .*: wga is stored as"):
            merge_results(tmp_path / "out", [one, again])
    else:
        merge_results(tmp_path / "out", [one, again])
        assert values[at] not in {row[at] for row in stored(tmp_path / "out")["predictions"]}


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (small(head__ridge=0.5), r"head\.ridge: there 0\.1, here 0\.5"),
        (small(sweep__seed=4), r"sweep\.seed: there 0, here 4"),
        (small(sweep__grid={"train.n": [80, 120]}), r"sweep\.grid: another one"),
    ],
)
def test_folders_of_other_sweeps_are_refused_with_a_diff(pair, tmp_path, other, told):
    run_sweep(other, out=tmp_path / "other", jobs=1, predict_only=True)
    with pytest.raises(StoreError, match=f"nothing was merged:\n.*{told}"):
        merge_results(tmp_path / "never", [*pair, tmp_path / "other"])
    assert not (tmp_path / "never").exists()


def test_other_versions_and_damage_are_refused(pair, tmp_path):
    change(pair[1], "UPDATE rows SET wga = 0.25")
    with pytest.raises(StoreError, match=r"is damaged, nothing was merged: rows, axes"):
        merge_results(tmp_path / "never", pair)
    change(pair[1], "UPDATE sweep SET numerics = numerics + 1")
    with pytest.raises(StoreError, match="its stored experiment is damaged"):
        merge_results(tmp_path / "never", pair)
    with sqlite3.connect(pair[1] / FILE) as connection:
        (*values, _) = connection.execute("SELECT * FROM sweep").fetchone()
    connection.close()
    change(pair[1], f"UPDATE sweep SET checksum = {checksum(values)}")
    with pytest.raises(StoreError, match=f"numbers version {NUMERICS + 1}; this llrsim has"):
        merge_results(tmp_path / "never", pair)
    with pytest.raises(StoreError, match="is among the folders"):
        merge_results(pair[0], pair)


def test_a_shard_s_folder_is_no_other_shard_s_nor_the_whole_s(shards):
    with pytest.raises(StoreError, match="holds shard 1/2 of this sweep, and shard 2/2 is asked for"):
        run_sweep(small(), out=shards[0], shard=Shard(2, 2))
    with pytest.raises(StoreError, match="holds shard 1/2 of this sweep, and the whole is asked for"):
        run_sweep(small(), out=shards[0])


def test_a_finished_shard_computes_nothing_again(shards, monkeypatch):
    monkeypatch.setattr(units, "simulate_unit", pytest.fail)
    run_sweep(small(), out=shards[0], shard=Shard(1, 2))


def test_every_unit_is_in_one_shard_by_what_it_is():
    places = [Place(cell, f"law{cell}", {"erm": f"a{cell}", "dfr": f"b{cell % 7}"}) for cell in range(300)]
    every_unit = [Unit((place,), 64 * block, 64) for place in places for block in range(3)]
    every_unit += [Unit(tuple(places[start : start + 4]), 0, 0) for start in range(0, 300, 4)]
    for of in (1, 2, 7):
        found = [[Shard(number, of).holds(unit) for number in range(1, of + 1)] for unit in every_unit]
        assert {sum(row) for row in found} == {1}
        counts = [sum(column) for column in zip(*found, strict=True)]
        assert max(counts) < 1.3 * len(every_unit) / of
    # One cell with many replicates is shared out too.
    assert len({Shard(1, 2).holds(Unit((places[0],), 64 * block, 64)) for block in range(20)}) == 2
    elsewhere = Unit((places[5]._replace(cell=90, methods=dict(reversed(places[5].methods.items()))),), 64, 20)
    assert Shard(1, 5).holds(elsewhere) == Shard(1, 5).holds(Unit((places[5],), 64, 64))


def test_the_commands(tmp_path, capsys):
    file = tmp_path / "small.toml"
    file.write_text(small(sweep__replicates=2).to_toml())
    for number in (1, 2):
        argv = ["sweep", str(file), "--shard", f"{number}/2", "--out", str(tmp_path / f"{number}"), "--jobs", "1"]
        assert main(argv) == 0
        assert f"shard {number}/2 is in {tmp_path / str(number)}" in capsys.readouterr().out
    assert main(["merge", str(tmp_path / "half"), str(tmp_path / "1"), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["missing"] > 0
    assert main(["merge", str(tmp_path / "all"), str(tmp_path / "1"), str(tmp_path / "2")]) == 0
    assert "16 simulated rows and 8 predictions; the sweep is complete" in capsys.readouterr().out
    assert main(["status", str(tmp_path / "1")]) == 0
    assert "--shard 1/2" in capsys.readouterr().out
    assert main(["verify", str(tmp_path / "all")]) == 0
    for wrong in ("0/2", "3/2", "1", "a/b", "1/2/3", "-1/2"):
        with pytest.raises(SystemExit):
            main(["sweep", str(file), f"--shard={wrong}"])
        assert "must be K/N" in capsys.readouterr().err


def test_default_folders_of_shards_differ(tmp_path, monkeypatch):
    from llrsim.sweep.run import default_folder

    assert len({default_folder(small(), shard) for shard in (None, Shard(1, 2), Shard(2, 2), Shard(1, 3))}) == 4
