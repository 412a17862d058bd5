"""`llrsim check --formula`: its exit statuses and refusals, and that the README shows what it prints."""

import decimal
import json
import re
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path

import pytest
from formula_cases import BALANCED

import llrsim
from llrsim._io import within
from llrsim.agreement import formula as study
from llrsim.agreement.claim import FormulaError
from llrsim.commands import main

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
THEORY = """
import numpy as np
from formula_cases import t1, t1_off
from sympy import symbols

half = symbols("rho") / 2
number = 3

def broken(rho):
    x = rho - rho
    return 1 / x
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "balanced.toml").write_text(llrsim.load(BALANCED).to_toml())
    (tmp_path / "theory.py").write_text(THEORY)
    (tmp_path / "fails.py").write_text("import math\n\nmath.sqrt(-1)\n")
    (tmp_path / "typo.py").write_text("def wga(rho:\n")
    return tmp_path


def said(capsys, *argv, status):
    assert main(["check", "balanced.toml", "--limit", "population", "--jobs", "1", *argv]) == status
    return capsys.readouterr()


def test_exit_statuses_are_the_verdicts(capsys, here):
    assert "agrees everywhere" in said(capsys, "--formula", "theory.py:t1", "--eps", "0.008", status=0).out
    wrong = said(capsys, "--formula", "theory.py:t1_off", "--eps", "0.001", "--json", status=1)
    assert json.loads(wrong.out)["verdict"] == "disagrees"
    spent = said(capsys, "--formula", "theory.py:t1", "--budget", "100", status=3).out
    assert "undecided after 100 draws" in spent
    assert "undecided" in said(capsys, "--formula", "theory.py:t1", "--budget", "0.01s", status=3).out
    assert "disagrees" in said(capsys, "--formula", "theory.py:half", "--against", "predict", status=1).out


def test_all_cells_are_judged_or_it_says_how_many(capsys, here):
    (here / "theory.py").write_text("def f(rho, n): return .2 + .0 * n")
    swept = llrsim.load(BALANCED).replace(sweep={"grid": {"train.n": [1000 * k for k in range(1, 13)]}})
    (here / "balanced.toml").write_text(swept.to_toml())
    whole = ["--formula", "theory.py:f", "--against", "predict"]
    assert "f: disagrees (0 of 12 cells agree)" in said(capsys, *whole, status=1).out
    assert "f: disagrees (0 of the 5 of 12 cells judged agree)" in said(capsys, *whole, "--cells", "5", status=1).out
    easy = said(capsys, *whole, "--cells", "2", "--eps", "0.99", status=0).out
    assert "f: agrees (2 of the 2 of 12 cells judged agree)" in easy


def test_what_cannot_run_is_refused_before_anything_is_compiled(capsys, here, monkeypatch):
    monkeypatch.setattr("llrsim.simulation.warm_up", lambda *_: pytest.fail("compiles"))
    too_large = ["--set", "train.n=1000000", "--set", "features.noise.dim=1000000", "--simulator", "dense"]
    assert main(["simulate", "balanced.toml", *too_large]) == 2
    assert "the dense designs need" in capsys.readouterr().err
    assert "eps = nan" in said(capsys, "--formula", "theory.py:t1", "--eps", "nan", status=2).err
    assert (
        "budget: 10; expected at least 64" in said(capsys, "--formula", "theory.py:t1", "--budget", "10", status=2).err
    )
    finite = ["--limit", "finite", "--formula", "theory.py:t1", "--jobs", "1", *too_large]
    assert main(["check", "balanced.toml", *finite]) == 2
    assert "the dense designs need" in capsys.readouterr().err
    assert main(["check", "balanced.toml", "--sizes", "1000000,2000000", "--simulator", "dense", "--jobs", "1"]) == 2
    assert "the dense designs need" in capsys.readouterr().err


ENDLESS = {
    "in Python": "def f(rho):\n    while True:\n        rho = -rho\n",
    "asleep": "import time\n\ndef f(rho):\n    time.sleep(1000)\n",
    "stubborn": "def f(rho):\n    while True:\n        try:\n            while True: rho = -rho\n"
    "        except Exception: pass\n",
    "in the file": "while True:\n    f = 1\n",
}


@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=() if k in ("in Python", "in the file") else pytest.mark.slow) for k in ENDLESS]
)
def test_a_formula_that_does_not_return_is_stopped_by_the_budget(here, kind):
    (here / "endless.py").write_text(ENDLESS[kind])
    argv = ["check", "balanced.toml", "--limit", "population", "--formula", "endless.py:f", "--budget", "0.2s"]
    code = (
        "import sys, llrsim.agreement.formula as study; study.LEAST_SECONDS = 1.0\n"
        f"from llrsim.commands import main; sys.exit(main({argv}))"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done.stderr
    assert "TimeoutError: it did not return within" in done.stderr
    assert time.monotonic() - began < 40
    assert len(done.stderr.splitlines()) == 1


def test_what_is_stopped_leaves_no_thread_at_work(monkeypatch):
    monkeypatch.setattr(study, "LEAST_SECONDS", 0.3)

    def endless(rho):
        while True:
            rho = -rho

    before = threading.active_count()
    with pytest.raises(
        FormulaError, match=r"endless raised TimeoutError: it did not return within 0\.\d+ s \(cell: as"
    ):
        llrsim.check(llrsim.load(BALANCED), formula=endless, limit="population", seconds=0.1)
    deadline = time.monotonic() + 20
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


def test_a_call_in_time_is_as_it_is_without_a_limit():
    decimal.getcontext().prec = 7
    assert within(60, lambda: decimal.Decimal(1) / 3) == decimal.Decimal("0.3333333")
    with pytest.raises(SystemExit):
        within(60, lambda: sys.exit(3))
    with pytest.raises(KeyError, match="a") as told:
        within(60, lambda: {}["a"])
    assert any(frame.name == "<lambda>" for frame in told.traceback)


def test_the_failing_experiment_in_print_is_a_file(capsys, here):
    told = said(capsys, "--formula", "theory.py:t1_off", "--eps", "0.001", status=1).out
    failing = here / "failing.toml"
    failing.write_text(told[told.index("# The smallest") :])
    assert llrsim.load(str(failing)) == llrsim.load(BALANCED)
    argv = ["check", str(failing), "--limit", "population", "--formula", "theory.py:t1_off", "--eps", "0.001"]
    assert main(argv) == 1


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--formula", "nowhere.py:f"], "nowhere.py: no such file"),
        (
            ["--formula", "theory.py:t2"],
            "theory.py: defines no 't2'; it has np, t1, t1_off, symbols, half, number, broken",
        ),
        (["--formula", "fails.py:f"], "fails.py, line 3: ValueError: "),
        (["--formula", "typo.py:wga"], "typo.py, line 1: SyntaxError: "),
        (["--formula", "theory.py:broken"], "theory.py, line 11) raised ZeroDivisionError: "),
        (["--formula", "theory.py:number"], "formula number: a int; expected a function"),
        (["--formula", "theory.py:t1", "--method", "emr"], "did you mean method.erm?"),
        (["--formula", "theory.py:t1", "--replicates", "5"], "--replicates: a formula is judged until"),
        (["--formula", "theory.py:t1", "--eps", "-1"], "eps: -1.0"),
        (["--formula", "theory.py:t1", "--limit", "finite", "--sizes", "1,2"], "nothing grows"),
        (["--limit", "finite"], "--limit finite: only with --formula"),
        (["--eps", "0.1"], "--eps: only with --formula"),
        (["--against", "predict"], "--against: only with --formula"),
    ],
)
def test_refusals_are_one_line(capsys, here, argv, message):
    told = said(capsys, *argv, status=2)
    assert told.out == ""
    assert message in told.err
    assert [line for line in told.err.splitlines() if "kernels" not in line] == told.err.splitlines()[-1:]


@pytest.mark.parametrize("argv", [["--formula", "theory.py"], ["--formula", "theory:f"], ["--budget", "soon"]])
def test_words_that_are_no_formula_or_budget(capsys, here, argv):
    with pytest.raises(SystemExit):
        said(capsys, *argv, status=2)
    assert "must be" in capsys.readouterr().err


def masked(text):
    """The text with its numbers taken out, and the numbers that are accuracies or differences."""
    number = r"[+-]?\d+(?:\.\d+)?"
    return re.sub(number, "#", text), [float(found) for found in re.findall(r"[+-]?\d\.\d{4}", text)]


def test_the_readme_shows_what_is_printed(capsys, tmp_path, monkeypatch):
    """Verdicts and words as they are; accuracies to .002, as draws may differ in the last digit between machines."""
    section = README.split("## From a formula on paper to a verdict")[1].split("\n## ")[0]
    described, theory, *shown = re.findall(r"```(?:python)?\n(.*?)```", section, flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "balance.toml").write_text(described)
    (tmp_path / "my_theory.py").write_text(theory)
    statuses = []
    for block in shown:
        command, printed = block.split("\n", 1)
        statuses.append(main(command.removeprefix("$ llrsim ").split()))
        words, numbers = masked(capsys.readouterr().out)
        expected_words, expected_numbers = masked(printed)
        assert re.sub(" +", " ", words) == re.sub(" +", " ", expected_words)
        assert numbers == pytest.approx(expected_numbers, abs=0.002)
    assert statuses == [0, 1]
    assert tomllib.loads(shown[1][shown[1].index("# The smallest") :])["name"] == "balance"


def test_the_readme_lists_the_names():
    from llrsim.agreement import claim as names

    listed = re.findall(r"^\| (`.*?`) \|", names.__doc__, flags=re.MULTILINE)
    assert listed == [row for row in re.findall(r"^\| (`.*?`) \|", README, flags=re.MULTILINE) if row in listed]
    every = names.names_of(llrsim.load("quick"), "llr")
    assert len(listed) == 8
    for row in listed:
        assert set(re.findall(r"`(\w+)`", row)) <= set(every)
