"""The command line: what it prints, how it refuses, and how it ends."""

import ctypes
import io
import json
import os
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sweep_cases import small

import llrsim
from llrsim.commands import COMMANDS, main, main_sweep
from llrsim.sweep.format import FILE
from llrsim.sweep.stop import Interrupted, interruptible

TESTS = Path(__file__).parent


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(small().to_toml())
    return str(path)


def said(capsys, argv, status=0):
    assert main(argv) == status
    return capsys.readouterr()


def test_predict_and_simulate_print_one_object(capsys, file):
    predicted = json.loads(said(capsys, ["predict", file, "--json"]).out)
    assert predicted == json.loads(json.dumps(llrsim.predict(small()).to_dict()))
    argv = ["simulate", file, "--json", "--replicates", "3", "--seed", "5", "--set", "train.n=90"]
    simulated = json.loads(said(capsys, argv).out)
    expected = llrsim.simulate(small(train__n=90), 3, seed=5).to_dict()
    assert simulated == json.loads(json.dumps(expected))
    assert simulated["methods"]["dfr"]["replicates"] == 3
    assert simulated["methods"]["dfr"]["standard_error"]["wga"] > 0


def test_predict_prints_a_table(capsys, file):
    assert said(capsys, ["predict", file]).out == f"{llrsim.predict(small())}\n"


def test_settings_reach_methods_by_label_and_accept_bare_words(capsys, file):
    argv = ["predict", file, "--json", "--set", "method.dfr.balance=subset", "--set", "head.loss=squared"]
    told = json.loads(said(capsys, argv).out)
    changed = small(method__dfr__balance="subset", head__loss="squared")
    assert told == json.loads(json.dumps(llrsim.predict(changed).to_dict()))


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["predict", "nowhere.toml"], "nowhere.toml: no such file or preset"),
        (["predict", "quick", "--set", "train.m=3"], "train.m: unknown key"),
        (["predict", "quick", "--set", "train.n"], "must be key=value"),
        (["explain", "quick", "--method", "dfrr"], "did you mean method.dfr?"),
        (["check", "quick", "--replicates", "2"], "replicates: 2"),
        (["status", "nowhere"], "nowhere: no results here"),
        (["export", "nowhere", "--csv", "x.csv"], "nowhere: no results here"),
        (["export", "nowhere"], "at least one of --csv"),
        (["sweep", "quick", "--set", "sweep.replicates=-1"], "sweep.replicates"),
    ],
)
def test_refusals_are_one_line_and_exit_status_two(capsys, argv, message):
    told = said(capsys, argv, status=2)
    assert told.out == ""
    assert told.err.startswith("llrsim: error: ")
    assert message in told.err
    assert told.err.count("\n") == 1


def test_warnings_are_one_line(tmp_path):
    path = tmp_path / "empty.toml"
    path.write_text(small(train__proportions=[0.7, 0.0, 0.2, 0.1]).to_toml())
    command = [sys.executable, "-m", "llrsim", "predict", str(path)]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = [line for line in told.stderr.splitlines() if not line.startswith(("compiling", "kernels ready"))]
    assert len(lines) == 1
    assert re.fullmatch(r"llrsim: warning: train: group 1 .* rows.*", lines[0])


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_no_output_is_lost_to_the_encoding_of_the_console(tmp_path, monkeypatch, encoding):
    named = small(sweep__grid={"train.n": [80, 100]}, sweep__replicates=2).replace(name="λ-study")
    file, out = tmp_path / "λ.toml", str(tmp_path / "λ")
    file.write_text(named.to_toml(), encoding="utf-8")
    whole, table = str(file), [str(file), "--jobs", "1"]
    commands = {
        ("predict", whole): r"\u03bb-study",
        ("simulate", *table): r"\u03bb-study",
        ("explain", *table, "--replicates", "2"): "dfr gains",
        ("check", *table, "--cells", "1", "--replicates", "8", "--sizes", "20,40"): "95 %",
        ("sweep", *table, "--out", out): r"\u03bb-study",
        ("sweep", *table, "--out", out, "--dry-run"): r"\u03bb-study",
        ("status", out): r"\u03bb-study",
        ("verify", out, "--rows", "1"): r"\u03bb",
        ("report", out): r"\u03bb",
        ("merge", f"{out}-merged", out): r"\u03bb-merged",
    }
    for argv, shown in commands.items():
        console = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
        monkeypatch.setattr("sys.stdout", console)
        assert main(list(argv)) in (0, 1, 3)
        console.flush()
        assert shown.encode() in console.buffer.getvalue(), argv


def test_schema_is_a_json_schema(capsys):
    assert "Experiment" in json.loads(said(capsys, ["schema"]).out)["$defs"]


def test_explain_prints_its_sentence(capsys, file):
    told = said(capsys, ["explain", file, "--replicates", "3", "--jobs", "1"]).out
    assert "Verdict" in told
    argv = ["explain", file, "--side", "prediction", "--method", "dfr", "--json"]
    told = json.loads(said(capsys, argv).out)
    assert [split["side"] for split in told["attributions"]] == ["prediction"]


def test_check_exits_by_its_verdict(capsys, file, monkeypatch):
    from types import SimpleNamespace

    statuses = {"agrees": 0, "disagrees": 1, "undecided": 3, "nothing could be judged": 3}
    for verdict, status in statuses.items():
        found = SimpleNamespace(verdict=verdict, to_dict=lambda verdict=verdict: {"verdict": verdict})
        monkeypatch.setattr("llrsim.agreement.check", lambda *_, found=found, **__: found)
        assert json.loads(said(capsys, ["check", file, "--json"], status).out) == {"verdict": verdict}


def test_no_head_at_all_is_exit_status_one(capsys, file):
    settings = ["--set", "head.ridge=0", "--set", "features.noise.dim=300"]
    assert "separable" in said(capsys, ["simulate", file, *settings], status=1).out
    minibatches = "head.solver={steps = 5, step_size = 0.1, batch = 4}"
    assert "no-prediction" in said(capsys, ["predict", file, "--set", minibatches], status=1).out
    hard = ["predict", file, "--limit", "population", "--set", "head.loss=max_margin"]
    assert "no-prediction" in said(capsys, hard, status=1).out


def test_sweep_leaves_a_table_a_csv_and_figures(capsys, file, tmp_path):
    out = tmp_path / "out"
    told = said(capsys, ["sweep", file, "--out", str(out), "--jobs", "1", "--set", "sweep.replicates=3"])
    assert "worst-group accuracy" in told.out
    assert "per run: wga_per_run, the mean over replicates" in told.out
    assert not re.search("wga.of.means|mean worst", told.out)
    own, verdict = told.out.index("heldout.minority_ratio = 1.0, train.n = 80):"), told.out.index("Verdict")
    assert own < verdict
    assert f"wrote {out / 'results.csv'}" in told.out.splitlines()
    names = {path.name for path in out.iterdir()}
    assert {"sweep.sqlite", "results.csv", "wga_by_train_n.png", "attribution.png"} <= names
    assert len((out / "results.csv").read_text().splitlines()) == 1 + 8
    status = said(capsys, ["status", str(out)]).out
    assert "24 of 24 rows" in status
    assert f"--out {out}" in status
    copy = tmp_path / "copy.csv"
    said(capsys, ["export", str(out), "--csv", str(copy)])
    assert copy.read_bytes() == (out / "results.csv").read_bytes()


@pytest.mark.filterwarnings("always:.*its stored experiment was damaged")
def test_a_sweep_over_a_damaged_experiment_says_what_its_table_holds_and_is_called(capsys, file, tmp_path, monkeypatch):
    for slow in ("write_figures", "explain_base"):
        monkeypatch.setattr(
            f"llrsim.sweep.finish.{slow}", lambda *_, slow=slow, **__: None if "explain" in slow else []
        )
    out = tmp_path / "out"
    argv = ["sweep", file, "--out", str(out), "--jobs", "1"]
    said(capsys, [*argv, "--set", "sweep.replicates=3"])
    with sqlite3.connect(out / FILE) as connection:
        connection.execute("UPDATE sweep SET experiment = replace(experiment, 'replicates', 'replicatez')")
    connection.close()
    smaller = ["--set", 'sweep.grid={"train.n" = [80]}', "--set", "sweep.replicates=2", "--set", "name=zzz"]
    told = said(capsys, [*argv, *smaller])
    assert "Its former name, study, replicates and grid are lost; the name is now 'zzz'" in told.err
    replaced = "results.csv and the figures now hold 1 cells x 2 replicates, in place of those of the stored experiment"
    assert (
        f"{replaced} that was damaged; 4 more cells, of other grids, are kept in {out} and shown by their own"
        in told.out
    )
    assert "; replicates beyond these are kept too" in told.out
    assert "in place of" not in said(capsys, [*argv, *smaller]).out


def test_the_table_comes_before_any_figure(capsys, file, tmp_path, monkeypatch):
    def failing(*_, **__):
        raise RuntimeError("no figure")

    monkeypatch.setattr("llrsim.sweep.finish.write_figures", failing)
    out = tmp_path / "out"
    with pytest.raises(RuntimeError, match="no figure"):
        main(["sweep", file, "--out", str(out), "--jobs", "1", "--predict-only"])
    assert "worst-group accuracy" in capsys.readouterr().out
    assert (out / "results.csv").exists()


@pytest.mark.parametrize(
    "backend", ["module://matplotlib_inline.backend_inline", pytest.param("nonsense", marks=pytest.mark.slow)]
)
def test_figures_are_drawn_whatever_backend_the_user_has(backend, file, tmp_path):
    """A notebook names its backend to every process that it starts, whether or not that one can import it."""
    out = str(tmp_path / "out")
    sweep = ["sweep", file, "--out", out, "--predict-only", "--jobs", "1"]
    script = f"from llrsim.commands import main; print(main({sweep}), main({['report', out, '--jobs', '1']}))"
    environment = os.environ | {"MPLBACKEND": backend}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 0"
    assert "warning" not in done.stderr
    assert {"results.csv", "wga_by_train_n.png", "attribution.png", "report.html"} <= set(os.listdir(out))


def test_a_folder_whose_name_is_no_text_is_swept_and_read(capsys, file, tmp_path):
    out = os.fsdecode(os.path.join(os.fsencode(tmp_path), b"all", b"out\xff"))
    said(capsys, ["sweep", file, "--out", out, "--jobs", "1", "--predict-only"])
    (command,) = [run["command"] for run in json.loads(said(capsys, ["status", out, "--json"]).out)["runs"]]
    assert r"out\udcff" in command
    for argv in (["verify", out], ["export", out, "--csv", out + ".csv"], ["report", out, "--jobs", "1"]):
        said(capsys, argv)
    shutil.copytree(out, tmp_path / "all" / "copy")
    with open(os.path.join(out, FILE), "r+b") as stored:
        stored.truncate(5000)
    said(capsys, ["report", str(tmp_path / "all"), "--jobs", "1"], 1)
    assert "copy" in (tmp_path / "all" / "report.html").read_text(encoding="utf-8")


def test_a_sweep_says_what_its_table_held_before_and_that_it_is_kept(capsys, file, tmp_path, monkeypatch):
    for slow in ("write_figures", "write_phase_diagram", "explain_base"):
        monkeypatch.setattr(
            f"llrsim.sweep.finish.{slow}", lambda *_, slow=slow, **__: None if "explain" in slow else []
        )
    out = tmp_path / "out"
    argv = ["sweep", file, "--out", str(out), "--predict-only", "--jobs", "1", "--set", "sweep.replicates=2"]
    grid = ["--set", 'sweep.grid={"train.n" = [80, 100, 120]}']
    assert "in place of" not in said(capsys, argv).out
    assert "in place of" not in said(capsys, argv).out
    replaced = "results.csv and the figures now hold 3 cells x 2 replicates, in place of 4 cells x 2 replicates"
    kept = f"; 4 more cells, of other grids, are kept in {out} and shown by their own"
    assert f"{replaced}{kept}" in said(capsys, [*argv, *grid]).out.splitlines()
    assert json.loads(said(capsys, [*argv, *grid, "--json"]).out)["replaced"] is None
    back = json.loads(said(capsys, [*argv[:-1], "sweep.replicates=1", "--json"]).out)
    assert back["replaced"].startswith(
        "results.csv and the figures now hold 4 cells x 1 replicates, in place of 3 cells"
    )
    assert "; 3 more cells, of other grids, are kept" in back["replaced"]
    assert back["replaced"].endswith("; replicates beyond these are kept too")
    status = said(capsys, ["status", str(out)]).out
    assert status.count("run ") == 2


def test_sweep_as_json(capsys, file, tmp_path):
    argv = [file, "--out", str(tmp_path / "out"), "--json", "--predict-only"]
    assert main_sweep(argv) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["name"], told["cells"], len(told["rows"])) == ("small", 4, 8)
    assert all(Path(path).exists() for path in told["files"])


def test_sweep_into_another_sweeps_folder_shows_what_differs(capsys, file, tmp_path):
    argv = ["sweep", file, "--out", str(tmp_path / "out"), "--predict-only"]
    said(capsys, argv)
    told = said(capsys, [*argv, "--set", "head.ridge=0.5"], status=2)
    assert "head.ridge: stored 0.1, asked 0.5" in told.err


def test_a_failed_cell_gives_exit_status_one_and_the_others_are_shown(capsys, file, tmp_path):
    grid = "sweep.grid={'method.dfr.balance'=['subset', 'weights'], 'method.dfr.average'=[1, 2]}"
    told = said(capsys, ["sweep", file, "--out", str(tmp_path / "out"), "--predict-only", "--set", grid], status=1)
    assert "method.dfr.average = 2" in told.err
    assert "subset" in told.out


def test_dry_run_stores_nothing(capsys, file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    told = said(capsys, ["sweep", file, "--dry-run", "--jobs", "2"]).out
    assert "4 cells x 6 replicates x 2 methods (erm, dfr) = 48 rows" in told
    assert "with 2 workers" in told
    parts = [], ["--shard", "1/100"]
    whole, share = (json.loads(said(capsys, ["sweep", file, "--dry-run", "--json", *part]).out) for part in parts)
    assert whole["rows"] == share["rows"] == 48
    assert (whole["shard"], share["shard"]) == (None, "1/100")
    assert share["seconds"] < whole["seconds"]
    assert "shard 1/100 of them: about 0:00:0" in said(capsys, ["sweep", file, "--dry-run", "--shard", "1/100"]).out
    assert set(tmp_path.iterdir()) == before


def test_a_dry_run_of_a_million_cells_is_quick(capsys, file):
    grid = "sweep.grid={'train.n'={linear=[80,5000],num=1000},'head.ridge'={log10=[-3,0],num=1000}}"
    began = time.perf_counter()
    assert "1000000 cells" in said(capsys, ["sweep", file, "--dry-run", "--predict-only", "--set", grid]).out
    assert time.perf_counter() - began < 10.0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_sweep_prints_a_command_that_completes_it(file, tmp_path, number, status):
    out = tmp_path / "out"
    begun = [sys.executable, "-m", "llrsim.sweep", file, "--out", str(out), "--jobs", "1"]
    settings = ["--set", "sweep.grid={'train.n'=[80]}", "--set", "sweep.replicates=6400"]
    running = subprocess.Popen(begun + settings, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (out / "sweep.sqlite-wal").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.5)
    running.send_signal(number)
    _, told = running.communicate(timeout=120)
    assert running.returncode == status, told
    words = shlex.split(told.splitlines()[-1])
    assert words[:3] == ["python", "-m", "llrsim.sweep"]
    assert words[3:] == [file, *settings, "--out", str(out), "--jobs", "1"]


def import_a_compiled_module():
    """As one does that is stopped while it is loaded."""
    try:
        signal.raise_signal(signal.SIGTERM)
    except KeyboardInterrupt as error:
        raise ImportError("initialization failed") from error


def test_a_signal_that_foreign_code_turns_into_an_error_still_stops():
    with pytest.raises(Interrupted, match="SIGTERM"), interruptible():
        import_a_compiled_module()
    with pytest.raises(ImportError, match="its own"), interruptible():
        raise ImportError("its own")


def call_back_from_c_and_work(seconds):
    """As compiling does: what a callback raises is dropped, and Python's code goes on."""
    ctypes.CFUNCTYPE(None)(lambda: signal.raise_signal(signal.SIGTERM))()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.01)
    if seconds:
        raise AssertionError("nothing was raised while the work went on")


@pytest.mark.parametrize("seconds", [0.0, 60.0])
def test_a_signal_in_a_callback_from_c_still_stops(capsys, seconds):
    with pytest.raises(Interrupted, match="SIGTERM"), interruptible():
        call_back_from_c_and_work(seconds)
    assert capsys.readouterr().err == ""
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_reader_that_leaves_is_no_error(file):
    script = f"{shlex.quote(sys.executable)} -m llrsim schema | head -n 1"
    told = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout == "{\n"
    assert told.stderr == ""


def test_help_is_quick_and_imports_nothing_heavy():
    command = [sys.executable, "-X", "importtime", "-m", "llrsim.sweep", "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in told.stderr.splitlines()}
    assert "argparse" in imported
    assert not imported & {"numpy", "scipy", "numba", "matplotlib", "rich", "msgspec", "sympy", "sqlite3"}
    assert "--dry-run" in told.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(capsys, name):
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert COMMANDS[name].SUMMARY.split(",")[0][:20] in " ".join(capsys.readouterr().out.split())


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root writes anywhere")
def test_a_read_only_folder_is_told(capsys, file, tmp_path):
    out = tmp_path / "out"
    out.mkdir(mode=0o500)
    told = said(capsys, ["sweep", file, "--out", str(out), "--predict-only"], status=2)
    assert str(out) in told.err
