"""Files with mistakes through `llrsim predict --json` and `llrsim sweep --dry-run`: an answer or a named refusal."""

import contextlib
import io
import json
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from mutated_files import mutated_file

from llrsim.commands import main

COMMANDS = (["predict", "{}", "--json"], ["sweep", "{}", "--dry-run", "--json", "--jobs", "1"])
LONGEST = 60.0  # seconds of processor time for one file, compilation included
SYNTAX = re.compile(
    r"not valid TOML: .*(\(at (line \d+, column \d+|end of document)\)|nested too deeply|digits)|not UTF-8"
)
KEYED = re.compile(
    r'((sweep cell .*?: )?(name|features|train|heldout|test|network|head|method|sweep|study|experiment)[\w.+\-\[\]"]*'
    r'( = |: | beside )|sweep axis "|sweep cell |.*: the key |out of memory: '
    # A key that is not llrsim's own may be any text.
    r"|.*: unknown key; (accepted|did you mean) |.+ = .+: (must be|numbers must|whole numbers must) "
    r"|.+: nested more than \d+ levels deep)"
)
PROGRESS = (
    "compiling the kernels",
    "kernels ready",
    "llrsim: warning: train: group",
    "llrsim: warning: heldout: group",
)


def refuse_constant(name):
    raise AssertionError(f"{name} is not strict JSON")


def judged(path, status, out, err):
    """What is wrong with an answer; "" for a strict object, or a refusal in one line that names a key or a place."""
    lines = [line for line in err.splitlines() if not line.startswith(PROGRESS)]
    if status in (0, 1):
        json.loads(out, parse_constant=refuse_constant)
        return f"unexpected words: {lines[0]}" if lines else ""
    if status != 2 or out or len(lines) != 1 or not lines[0].startswith("llrsim: error: "):
        return f"status {status}, {len(lines)} lines"
    told = lines[0].removeprefix("llrsim: error: ").removeprefix(f"{path}: ")
    return "" if SYNTAX.match(told) or KEYED.match(told) else f"names no key: {told[:200]}"


def answered(words):
    """(status, standard output, standard error) of a command, in process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(words)
    return status, out.getvalue(), err.getvalue()


def fuzz(folder, seed, first, count):
    """Numbers of answers by status; AssertionError with the text of the file that is answered wrongly."""
    path, seen = str(folder / "mutated.toml"), {0: 0, 1: 0, 2: 0}
    for case in range(first, first + count):
        text = mutated_file(np.random.default_rng([seed, case]))
        (folder / "mutated.toml").write_bytes(text.encode("utf-8", "surrogatepass"))
        for words in COMMANDS:
            began = time.process_time()
            try:
                status, out, err = answered([word.format(path) for word in words])
                wrong = judged(path, status, out, err)
            except Exception as error:
                raise AssertionError(f"[{seed}, {case}] {words[0]}: {error!r}\n{text[:5000]}") from error
            assert not wrong, f"[{seed}, {case}] {words[0]}: {wrong}\n{text[:5000]}"
            assert time.process_time() - began < LONGEST, f"[{seed}, {case}] {words[0]}: slow\n{text[:5000]}"
            seen[status] += 1
    return seen


@pytest.mark.filterwarnings("default")  # as at a command line, where a warning is a line
def test_a_hundred_files_are_answered_or_refused(tmp_path):
    seen = fuzz(tmp_path, 1, 0, 100)
    assert seen[0] > 10
    assert seen[2] > 60


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("first", range(0, 10_000, 1000))
def test_ten_thousand_files_are_answered_or_refused(tmp_path, first):
    fuzz(tmp_path, 2, first, 1000)


@pytest.mark.slow
def test_processes_answer_as_calls_do(tmp_path):
    path = tmp_path / "mutated.toml"
    for case in range(30):
        text = mutated_file(np.random.default_rng([3, case]))
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        command = [sys.executable, "-m", "llrsim", "predict", str(path), "--json"]
        told = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST)
        assert not judged(str(path), told.returncode, told.stdout, told.stderr), text[:5000]


@pytest.mark.parametrize(
    ("status", "out", "err"),
    [
        (0, '{"wga": NaN}', ""),
        (2, "", "Traceback (most recent call last):\n"),
        (2, "", "llrsim: error: something went wrong\n"),
        (0, "{}", "llrsim: warning: overflow encountered in multiply\n"),
        (1, "", ""),
    ],
)
def test_a_wrong_answer_is_seen(status, out, err):
    with pytest.raises((AssertionError, json.JSONDecodeError)):
        assert not judged("file.toml", status, out, err)
