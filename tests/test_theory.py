"""The third leg: every derivation holds and fails when an error is planted; the ledger names what exists."""

import importlib
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest
from test_theory_numbers import derived

import llrsim
import theory
from theory.derivation import NotEqual

CLONE = Path(__file__).parents[1]
PACKAGE = Path(llrsim.__file__).parent
NAMES = [result.derive.__module__ + "." + result.derive.__name__ for result in theory.RESULTS]


@pytest.mark.parametrize("result", theory.RESULTS, ids=NAMES)
def test_every_derivation_holds(result):
    proof = derived(f"{result.derive.__module__.removeprefix('theory.')}.{result.derive.__name__}")
    assert any(step.right is not None for step in proof.steps)
    assert proof.assumptions
    assert proof.result
    assert all(step.latex() for step in proof.steps)


PLANTED = [
    ("readout", "accuracy", "sigma**2 * spread", "sigma * spread"),
    ("readout", "best_bias", "-(t * upper + s * lower)", "-(s * upper + t * lower)"),
    ("least_squares", "normal_equations", "label - u.dot(mean)", "label + u.dot(mean)"),
    ("least_squares", "normal_equations", "with_label = lam", "with_label = 2 * lam"),
    ("least_squares", "direction", "correlation.inv() + gram", "correlation.inv() - gram"),
    ("least_squares", "accuracies", "1 + (1 - RHO**2) * spurious, RHO", "1 - (1 - RHO**2) * spurious, RHO"),
    ("least_squares", "accuracies", '".717614"', '".717615"'),
    ("least_squares", "effective_correlation", "(1 - e)) - 1", "(1 - e)) - e"),
    ("collapse", "collapsed_groups", "tau_n**2 * (s**2 + t**2))\n    class", "tau_n * (s**2 + t**2))\n    class"),
    ("collapse", "collapsed_groups", "centre, class_mean), class_mean", "centre, class_mean), mean"),
    ("descent", "filters", "(1 - (1 - eta * z) ** steps) / z", "(1 - (1 - eta * z) ** steps)"),
    ("descent", "filters", "exp(-time * z)", "exp(time * z)"),
    ("least_squares", "class_collapse", "tau**2 + product * separation", "tau + product * separation"),
    ("least_squares", "class_collapse", "centre + tau * shift", "centre + shift"),
    ("least_squares", "collapse_and_bias", "- along\n", "+ along\n"),
    ("least_squares", "collapse_and_ridge", "lam / tau**2", "lam * tau**2"),
    ("least_squares", "unequal_collapse", "(tau_a / tau_n) ** 2", "(tau_n / tau_a) ** 2"),
    ("least_squares", "full_collapse", "core + side * RHO * spurious", "core - side * RHO * spurious"),
    ("neural_collapse", "moments", "(1 - RHO**2)", "(1 + RHO**2)"),
    ("neural_collapse", "nc1_and_cdnv", "/ (2 * length2**2)", "/ (2 * length2)"),
    ("neural_collapse", "nc1_and_cdnv", "/ (4 * length2)", "/ (2 * length2)"),
    ("neural_collapse", "vci", "1 + separation)\n    proof", "1 - separation)\n    proof"),
    ("shapley", "two_switches", "(v01 - v1)) / 2", "(v01 + v1)) / 2"),
    ("shapley", "five_switches", "len(on) - 1)", "len(on))"),
]


@pytest.mark.parametrize(("module", "function", "right", "wrong"), PLANTED)
def test_a_planted_error_is_caught(module, function, right, wrong):
    source = (CLONE / "theory" / f"{module}.py").read_text(encoding="utf-8")
    assert source.count(right) >= 1, "nothing planted: the derivation's text has changed"
    broken = types.ModuleType(f"theory.{module}")
    broken.__package__ = "theory"
    exec(compile(source.replace(right, wrong), f"planted_{module}", "exec"), broken.__dict__)
    with pytest.raises(NotEqual):
        getattr(broken, function)()


def ledger():
    """Rows of the ledger as lists of cells."""
    text = (CLONE / "theory" / "README.md").read_text(encoding="utf-8")
    return [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if line.startswith("| T")]


def named(cell):
    """The names in a cell: one, or several with commas between them."""
    assert re.fullmatch(r"\s*`[^`]+`(, `[^`]+`)*\s*", cell), cell
    return re.findall(r"`([^`]+)`", cell)


def test_the_ledger_names_what_exists():
    rows = ledger()
    for row in rows:
        assert len(row) == 7
        assert all(cell.strip() for cell in row)
        for cell in row[4:6]:
            for name in named(cell):
                module, _, attribute = name.rpartition(".")
                assert callable(getattr(importlib.import_module(module), attribute)), name
        for name in named(row[6]):
            file, _, function = name.partition("::")
            assert f"def {function}(" in (CLONE / file).read_text(encoding="utf-8"), name


def test_the_ledger_lists_every_derivation_once_and_under_its_id():
    listed = [(row[0].strip(), *named(row[4])) for row in ledger()]
    assert listed == [(result.id, name) for result, name in zip(theory.RESULTS, NAMES, strict=True)]


def test_the_ledger_is_in_order():
    numbers = [int(row[0].strip()[1:]) for row in ledger()]
    assert numbers == sorted(numbers)


def cited(text):
    return set(re.findall(r"\bT\d{1,2}\b", text))


def test_every_result_that_the_package_cites_has_its_row():
    known = {row[0].strip() for row in ledger()}
    for path in PACKAGE.rglob("*.py"):
        assert cited(path.read_text(encoding="utf-8")) <= known, path
    assert cited("(T1-T3, T14 at delta = 0)  # noqa: T201") == {"T1", "T3", "T14"}


def test_theory_imports_only_sympy_and_the_standard_library():
    allowed = sys.stdlib_module_names | {"sympy"}
    for path in (CLONE / "theory").glob("*.py"):
        for module in re.findall(r"^\s*(?:from|import)\s+(\w+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            assert module in allowed, f"{path.name} imports {module}"


def test_the_command_runs_prints_latex_and_refuses_unknown_ids():
    def run(*arguments):
        command = [sys.executable, "-m", "theory", *arguments]
        return subprocess.run(command, cwd=CLONE, capture_output=True, text=True, timeout=120, check=False)

    listed = run("T3")
    assert listed.returncode == 0
    assert "effective correlation" in listed.stdout
    assert "all hold" in listed.stdout
    steps = run("T3", "--latex")
    assert steps.stdout.count("\\[") == 5
    refused = run("T99")
    assert refused.returncode == 2
    assert "unknown result 'T99'" in refused.stderr
