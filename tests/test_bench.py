"""The benchmark command: its statistic, its records and their comparison; no test is of how fast anything is."""

import json
from io import StringIO

import msgspec
import numpy as np
import pytest
from rich.console import Console

from llrsim.bench import limits, measuring, pairs, telling
from llrsim.bench.comparing import changes, other_surroundings
from llrsim.bench.measuring import Effort, measure
from llrsim.bench.pairs import Quartiles, Sides, ratios, timed_pairs
from llrsim.bench.record import FORMAT, Limit, Measured, Record, Skipped, read_record
from llrsim.bench.rows import Row
from llrsim.commands import main, main_bench


class Clock:
    """A clock that goes on only where it is told to, and remembers by whom."""

    def __init__(self, monkeypatch, module):
        self.now, self.heard = 0.0, []
        monkeypatch.setattr(module, "perf_counter", lambda: self.now)

    def taking(self, name, *seconds):
        """A call that takes these seconds, the last of them from then on."""
        left = list(seconds)

        def run():
            self.heard.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return run


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch, pairs)


def test_sides_take_turns_and_the_first_pair_does_not_count(clock):
    times = timed_pairs(Sides(clock.taking("ours", 100.0, 1.0), clock.taking("theirs", 200.0, 3.0)), least=3)
    assert times.tolist() == [[1.0, 3.0]] * 3
    assert clock.heard == ["theirs", "ours", "ours", "theirs"] * 2


def test_short_calls_are_timed_together_and_told_singly(clock):
    times = timed_pairs(Sides(clock.taking("ours", 0.5), clock.taking("theirs", 8.0), calls=(4, 1)), least=1)
    assert times.tolist() == [[0.5, 8.0]]
    assert clock.heard.count("ours") == 4 * clock.heard.count("theirs")


@pytest.mark.parametrize(("seconds", "count"), [(0.0, 3), (21.0, 6), (1e9, 8)])
def test_pairs_go_on_while_seconds_last(clock, seconds, count):
    """Compiling, in the first pair, is not taken off them."""
    sides = Sides(clock.taking("ours", 500.0, 1.0), clock.taking("theirs", 3.0))
    assert len(timed_pairs(sides, seconds=seconds, least=3, most=8)) == count


def test_what_slows_both_sides_leaves_the_ratio_alone():
    slowed = np.array([1.0, 40.0, 3.0, 500.0, 2.0])
    assert ratios(np.column_stack([slowed, 2.5 * slowed])) == Quartiles(2.5, 2.5, 2.5)
    assert ratios(np.column_stack([np.ones(5), [1.0, 5.0, 3.0, 2.0, 4.0]])) == Quartiles(3.0, 2.0, 4.0)


def test_a_rate_is_the_amount_a_second(monkeypatch):
    clock = Clock(monkeypatch, limits)
    assert limits.rate(clock.taking("run", 9.0, 2.0), 10.0, seconds=0.0) == Quartiles(5.0, 5.0, 5.0)
    assert len(clock.heard) == 6
    limits.rate(clock.taking("run", 2.0), 10.0, seconds=15.0)
    assert len(clock.heard) == 6 + 9


def measured(name, median, spread=0.01, **values):
    around = Quartiles(median, median - spread, median + spread)
    time = Quartiles(1e-3, 0.9e-3, 1.1e-3)
    return Measured(name=name, reference="NumPy", ratio=around, llrsim=time, reference_time=time, pairs=7, **values)


MACHINE = {
    "llrsim": "0.1.0",
    "python": "3.12.1",
    "numpy": "2.1.0",
    "scipy": "1.14.0",
    "numba": "0.61.0",
    "scikit-learn": None,
    "git": None,
    "blas": [
        {
            "user_api": "blas",
            "internal_api": "openblas",
            "version": "0.3.27",
            "architecture": "Zen",
            "num_threads": 1,
        }
    ],
    "cpu": "a processor",
    "cpu_count": 4,
    "system": "a system",
}


def record(*rows, **environment):
    limit = Limit("dgemm, one thread", Quartiles(4e10, 3e10, 5e10), "FLOP/s")
    skipped = Skipped("logistic", "scikit-learn", "scikit-learn is not installed")
    return Record(format=FORMAT, environment=MACHINE | environment, limits=(limit,), rows=rows, skipped=(skipped,))


def test_a_record_comes_back_as_it_was(tmp_path):
    written = record(measured("draws", 2.0, amount=1e6, unit="normals/s"), measured("fit", 0.75))
    written.write(tmp_path / "new" / "bench.json")
    assert read_record(tmp_path / "new" / "bench.json") == written
    told = json.loads((tmp_path / "new" / "bench.json").read_text(), parse_constant=pytest.fail)
    assert told["rows"][0]["ratio"] == {"median": 2.0, "low": 1.99, "high": 2.01}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda told: told.pop("rows"), "missing required field `rows`"),
        (lambda told: told.update(extra=1), "unknown field `extra`"),
        (lambda told: told.update(format=FORMAT + 1), rf"format = {FORMAT + 1}: must be {FORMAT}"),
        (
            lambda told: told["rows"][0]["ratio"].update(median="2"),
            r"Expected `float`, got `str` - at `\$.rows\[0\].rat",
        ),
        (lambda told: told["rows"][0]["ratio"].update(low=-1.0), r"> 0.0 - at `\$.rows\[0\].ratio.low`"),
        (lambda told: told["rows"][0]["ratio"].update(low=3.0), r"must have low <= median <= high, not 3.0, 2.0, 2.01"),
        (lambda told: told["rows"][0].update(pairs=0), r">= 1 - at `\$.rows\[0\].pairs`"),
        (lambda told: told.update(rows=2 * told["rows"]), "'draws' is there 2 times"),
    ],
)
def test_a_record_that_is_none_is_refused_with_what_is_wrong(tmp_path, change, message):
    told = msgspec.to_builtins(record(measured("draws", 2.0)))
    change(told)
    path = tmp_path / "old.json"
    path.write_text(json.dumps(told))
    with pytest.raises(ValueError, match=message) as refused:
        read_record(path)
    assert str(refused.value).startswith(f"{path}: not a record of this benchmark: ")


@pytest.mark.parametrize("text", [b"", b"{", b"[1, 2]", b"\xff\xfe", b'{"format": NaN}', b"[" * 100_000])
def test_files_of_other_kinds_are_refused(tmp_path, text):
    (tmp_path / "old.json").write_bytes(text)
    with pytest.raises(ValueError, match=r"old.json: not a record"):
        read_record(tmp_path / "old.json")


def test_changes_are_noted_where_they_are_large_and_beyond_the_spread():
    before = record(
        measured("faster", 2.0), measured("slower", 2.0), measured("small", 2.0), measured("noisy", 2.0, 0.3),
        measured("gone", 1.0),
    )  # fmt: skip
    now = record(
        measured("faster", 2.3), measured("slower", 1.7), measured("small", 2.15), measured("noisy", 2.4, 0.3),
        measured("new", 1.0),
    )  # fmt: skip
    found = {change.name: change for change in changes(before, now)}
    assert [name for name, change in found.items() if change.noted] == ["faster", "slower"]
    assert found["faster"].relative == pytest.approx(0.15)
    assert found["slower"].relative == pytest.approx(-0.15)
    assert found["new"].relative is found["gone"].relative is None
    lines = shown(telling.changes_shown(tuple(found.values()), []))
    marks = {name: line.split("│")[-2].strip() for name, line in lines.items() if name in found}
    assert marks == {"faster": "faster", "slower": "slower", "small": "", "noisy": "", "gone": "", "new": ""}
    assert "+15%" in lines["faster"]


def test_another_machine_is_told_and_another_commit_is_not():
    one, other = record(git={"commit": "a", "modified": False}), record(git={"commit": "b", "modified": True})
    assert other_surroundings(one, other) == []
    assert other_surroundings(one, record(cpu_count=8)) == ["cpu_count: 4, now 8"]


def shown(told):
    """Lines of what is told, by the first cell."""
    console = Console(file=StringIO(), width=160)
    console.print(told)
    lines = console.file.getvalue().splitlines()
    return {line.strip("│┃ ").split("│")[0].strip(): line for line in lines}


def test_the_table_tells_times_rates_and_what_it_ran_on():
    lines = shown(telling.shown(record(measured("draws", 2.0, amount=1e6, unit="normals/s"), measured("fit", 0.75))))
    assert [cell.strip() for cell in lines["draws"].split("│")[1:-1]] == [
        "draws", "NumPy", "1 G normals/s", "1 G normals/s", "2 (1.99 to 2.01)",
    ]  # fmt: skip
    assert lines["fit"].split("│")[3].strip() == "1 ms"
    assert "40 GFLOP/s" in lines["dgemm, one thread"]
    assert "BLAS: openblas 0.3.27, Zen, threads: 1" in lines
    assert "llrsim 0.1.0, numpy 2.1.0, scipy 1.14.0, numba 0.61.0, python 3.12.1" in lines
    assert "not measured: logistic against scikit-learn: scikit-learn is not installed" in lines


@pytest.fixture
def small_machine(monkeypatch):
    """Limits that are measured in no time."""
    monkeypatch.setattr(limits, "ORDER", 8)
    monkeypatch.setattr(limits, "BYTES", 24 * 64)


TINY = Row("sum", "Python", lambda _: Sides(lambda: np.ones(10).sum(), lambda: sum([1.0] * 10), calls=(5, 5)))
LACKING = Row("logistic", "a package", lambda _: pytest.fail("was built"), needs="no-such-distribution")


def test_a_row_is_measured_on_both_sides(clock, tmp_path):
    sides = Sides(clock.taking("ours", 1.0), clock.taking("theirs", 4.0), amount=6, unit="rows/s")
    row = Row("write", "SQLite", lambda folder: sides if folder == tmp_path else None)
    assert measuring.measured_row(row, Effort(0.0, 3), tmp_path) == Measured(
        name="write",
        reference="SQLite",
        ratio=Quartiles(4.0, 4.0, 4.0),
        llrsim=Quartiles(1.0, 1.0, 1.0),
        reference_time=Quartiles(4.0, 4.0, 4.0),
        pairs=3,
        amount=6.0,
        unit="rows/s",
    )


def test_a_measurement_runs_to_its_end(small_machine):
    said = []
    found = measure([TINY, LACKING], Effort(0.0, 3), say=said.append)
    assert [row.name for row in found.rows] == ["sum"]
    assert found.rows[0].pairs == 3
    assert found.skipped == (Skipped("logistic", "a package", "no-such-distribution is not installed"),)
    assert [limit.unit for limit in found.limits] == ["FLOP/s", "B/s", "B/s"]
    assert {"numpy", "blas", "cpu_count", "scikit-learn"} <= set(found.environment)
    assert all(pool["num_threads"] == 1 for pool in found.environment["blas"])
    assert other_surroundings(found, measure([], Effort(0.0, 1), say=said.append)) == []
    assert said[:2] == ["the machine's limits", "sum"]


def test_the_command_writes_a_record_and_compares_with_it(capsys, tmp_path, monkeypatch, small_machine):
    monkeypatch.setattr(measuring, "table", lambda: (TINY,))
    path = tmp_path / "bench.json"
    assert main(["bench", "--quick", "--json", str(path)]) == 0
    assert "sum" in capsys.readouterr().out
    assert [row.name for row in read_record(path).rows] == ["sum"]
    assert main_bench(["--quick", "--against", str(path)]) == 0
    assert "ratios, before and now" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--against", "nowhere.json"], "argument --against: nowhere.json: No such file or directory"),
        (["--against", "bad.json"], "argument --against: bad.json: not a record of this benchmark"),
        (["--json", "."], "argument --json: .: is a folder"),
    ],
)
def test_refusals_come_before_anything_is_measured(capsys, tmp_path, monkeypatch, argv, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.json").write_text("{}")
    monkeypatch.setattr(measuring, "measure", lambda *_, **__: pytest.fail("measured"))
    with pytest.raises(SystemExit) as stopped:
        main_bench(argv)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_help_tells_the_options(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["bench", "--help"])
    assert stopped.value.code == 0
    told = capsys.readouterr().out
    assert all(option in told for option in ("--quick", "--json FILE", "--against OLD.json"))
