"""The third leg: every derivation holds and can be printed; the ledger names what exists."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from test_theory_numbers import derived
from theory_latex import faults

import llrsim
import theory
from theory.typeset import paragraph

CLONE = Path(__file__).parents[1]
PACKAGE = Path(llrsim.__file__).parent
NAMES = [result.derive.__module__ + "." + result.derive.__name__ for result in theory.RESULTS]


@pytest.mark.parametrize(("place", "result"), list(enumerate(theory.RESULTS)), ids=NAMES)
def test_every_derivation_holds(place, result):
    """It prints, and its row says how many of its steps are derived, checked and cited, where and by whom."""
    proof = derived(f"{result.derive.__module__.removeprefix('theory.')}.{result.derive.__name__}")
    assert proof.assumptions
    assert proof.result
    assert not faults(paragraph(f"{result.id}: {result.name}", proof))
    assert ledger()[place][7].strip() == proof.summary()


def ledger():
    """Rows of the ledger as lists of cells."""
    text = (CLONE / "theory" / "README.md").read_text(encoding="utf-8")
    return [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if line.startswith("| T")]


LINK = r"\[`([^`]+)`\]\(([^)]+)\)"


def linked(cell):
    """(name, file) of the links in a cell: one, or several with commas between them."""
    assert re.fullmatch(rf"\s*{LINK}(, {LINK})*\s*", cell), cell
    return [(name, (CLONE / "theory" / file).resolve()) for name, file in re.findall(LINK, cell)]


def named(cell):
    """The names in a cell."""
    return [name for name, _ in linked(cell)]


def test_the_ledger_links_to_what_exists():
    rows = ledger()
    for row in rows:
        assert len(row) == 8
        assert all(cell.strip() for cell in row)
        for cell in row[4:6]:
            for name, file in linked(cell):
                module, _, attribute = name.rpartition(".")
                found = getattr(importlib.import_module(module), attribute)
                assert callable(found), name
                assert found.__module__ == ".".join(file.relative_to(CLONE).with_suffix("").parts), name
        for name, file in linked(row[6]):
            path, _, function = name.partition("::")
            assert file == CLONE / path, name
            assert f"def {function}(" in file.read_text(encoding="utf-8"), name


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
    assert steps.returncode == 0
    assert steps.stdout.startswith("\\paragraph{T3: effective correlation.} Balanced classes, ")
    assert not faults(steps.stdout)
    refused = run("T99")
    assert refused.returncode == 2
    assert "unknown result 'T99'" in refused.stderr
