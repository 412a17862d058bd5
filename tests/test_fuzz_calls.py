"""Random calls of every public name, in processes of their own: a result that holds, or an exception by name."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import random_calls
from random_calls import checked, raised_by_llrsim

import llrsim
from llrsim import FitOptions

SCRIPT = str(Path(__file__).with_name("random_calls.py"))
LONGEST = 1200.0  # seconds for a batch, on a machine that does other things, too


def batch(*command, longest=LONGEST):
    """How many calls of each name ended in what; AssertionError with the call that ended otherwise."""
    try:
        ran = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=longest, check=False)
    except subprocess.TimeoutExpired as late:
        raise AssertionError(f"{command}: no end after {longest} s of call {(late.stdout or b'')[-80:]!r}") from None
    lines = ran.stdout.splitlines() or [""]
    assert ran.returncode == 0, f"{command}: exit status {ran.returncode} in call {lines[-1]}\n{ran.stderr[-3000:]}"
    ends = json.loads(lines[-1])
    wrong = ends.pop("wrong", [])
    assert not wrong, f"{len(wrong)} calls\n" + "\n\n".join(wrong[:5])
    return ends


def uncalled(ends):
    """Public names that none of these calls reached, through a function, a class or a method."""
    found = set()
    for name in llrsim.__all__:
        value = getattr(llrsim, name)
        own = f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}"
        module = getattr(value, "__name__", name)
        if not any(key.startswith((f"{own}:", f"{own}.", f"{module}.")) for key in ends):
            found.add(name)
    return found


def test_three_hundred_calls_end_in_a_result_or_a_named_exception():
    ends = batch(SCRIPT, "2", "0", "300")
    assert sum(ends.values()) == 300
    assert sum(count for key, count in ends.items() if key.endswith(": result")) > 80
    assert uncalled(ends) == {"__version__"}


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 10_000, 1000))
def test_ten_thousand_calls_end_in_a_result_or_a_named_exception(first):
    ends = batch(SCRIPT, "3", str(first), "1000")
    assert sum(ends.values()) == 1000
    assert uncalled(ends) == {"__version__"}


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import ctypes\nprint(7, flush=True)\nctypes.string_at(0)", r"exit status -?\d+ in call 7"),
        ("import time\nprint(8, flush=True)\ntime.sleep(60)", "no end after 5.0 s of call b'8"),
        ('print(9)\nprint(\'{"wrong": ["fit of nothing"]}\')', "fit of nothing"),
    ],
)
def test_a_crash_a_hang_and_a_wrong_end_are_seen(code, message):
    with pytest.raises(AssertionError, match=message):
        batch("-c", code, longest=5.0)


def test_a_fit_that_claims_too_much_is_refuted():
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(30, 3)), rng.choice([-1.0, 1.0], 30)
    for loss in ("squared", "logistic", "hinge", "squared_hinge"):
        arguments = {"features": features, "labels": labels, "head": FitOptions(loss=loss, ridge=0.1)}
        found = llrsim.fit(**arguments)
        checked(llrsim.fit, arguments, found)
        found.weights[:] += 0.01
        with pytest.raises(AssertionError, match="elsewhere"):
            checked(llrsim.fit, arguments, found)


def test_an_exception_from_below_is_not_llrsims():
    with pytest.raises(ValueError) as own:
        llrsim.fit([[1.0]], [2], head=FitOptions())
    with pytest.raises(ValueError) as numpys:
        llrsim.neural_collapse.Units([], np.ones(1), np.ones((2, 0)), np.ones(1), np.ones(1), 0.0).root @ np.ones(2)
    with pytest.raises(AttributeError) as missing:
        llrsim.neural_collapse.Units.centred.fget(None)
    assert [raised_by_llrsim(error.value) for error in (own, numpys, missing)] == [True, False, False]


def test_odd_values_are_of_many_types():
    drawn = [random_calls.odd(np.random.default_rng(seed)) for seed in range(500)]
    assert len({type(value) for value in drawn}) > 25
