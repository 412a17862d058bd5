"""Compiling apart: another process fills the cache once, and what goes wrong there stops nobody."""

import subprocess
from io import BytesIO

import pytest

from llrsim import _jit
from llrsim.experiment import FitOptions
from llrsim.sweep import compiling

HEADS = [FitOptions(loss="squared", ridge=0.1), FitOptions(loss="squared", ridge=0.2)]


@pytest.fixture
def started(monkeypatch, tmp_path):
    """Commands that are run, with their input and result; no cache is there but an empty one."""
    ran = []

    def run(command, *, input, env, start_new_session, check):
        ran.append((command, input))
        return subprocess.CompletedProcess(command, run.status)

    run.status = 0
    monkeypatch.setattr(compiling.subprocess, "run", run)
    monkeypatch.setattr(_jit, "_CACHE_DIRECTORY", str(tmp_path / "cache"))
    monkeypatch.setattr(_jit.settings, "DISABLE_JIT", 0)
    return ran, run


def test_each_kind_of_fit_is_compiled_once(started):
    ran, _ = started
    for ridge in (0.1, 0.3):
        compiling.compile_apart([FitOptions(loss="squared", ridge=ridge)], ("dense",))
    assert len(ran) == 1
    compiling.compile_apart([FitOptions(loss="hinge")], ("dense",))
    compiling.compile_apart(HEADS, ("lazy",))
    compiling.compile_apart(None, ("lazy",))
    assert len(ran) == 4


def test_a_process_that_fails_leaves_no_mark(started):
    ran, run = started
    run.status = 1
    compiling.compile_apart(HEADS, ())
    compiling.compile_apart(HEADS, ())
    assert len(ran) == 2


def test_nothing_is_started_where_no_cache_is_kept(started, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(_jit, "_CACHE_DIRECTORY", str(tmp_path / "file" / "below"))
    compiling.compile_apart(HEADS, ())
    monkeypatch.setattr(_jit.settings, "DISABLE_JIT", 1)
    compiling.compile_apart(HEADS, ())
    assert not started[0]


def test_the_other_process_compiles_what_it_is_told(started, monkeypatch):
    ran, _ = started
    compiling.compile_apart(HEADS, ("dense",))
    asked = []
    monkeypatch.setattr(compiling, "_compile", lambda *given: asked.append(given))
    monkeypatch.setattr(compiling.sys, "stdin", type("In", (), {"buffer": BytesIO(ran[0][1])}))
    compiling.main()
    assert asked == [(HEADS, ("dense",))]
