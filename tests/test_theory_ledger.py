"""Every public prediction of llrsim has a row in the ledger, a derivation, and a test that compares the two.

A prediction is a function that returns numbers of the theory: one that a file of `FILES` defines under a name without
an underscore. Not so `@private` kernels, which only other kernels can call, and functions that return nothing or a
whole `Outcome`, which assemble the predictions of others; nor the few of `WITHOUT_THEORY`.
"""

import ast
import importlib
import re
from pathlib import Path

import pytest
from test_theory import CLONE, PACKAGE, ledger, named

FILES = [
    *(PACKAGE / "prediction").rglob("*.py"),
    *(PACKAGE / "model" / f"{name}.py" for name in ("head", "collapse", "neural_collapse", "methods")),
    PACKAGE / "attribution" / "split.py",
]

# What holds no theory: how a number is found, or what is done with it.
WITHOUT_THEORY = {
    "objective.logistic_stride": "nodes of a quadrature",
    "fixed_point.doubled_nodes": "nodes of a quadrature",
    "equations.newton": "root of given equations",
    "fixed_point.solve": "root of given equations, from easier ones",
    "descent.follow": "root of a given equation, along a contour",
    "fixed_point.kept_from_zero": "a problem that kernels can divide by, for the given one",
    "fixed_point.in_units_of_features": "the given problem in other units",
    "free_bias.optimal_biases": "where a slope, given as a function, is rounding",
    "free_bias.nearest_to_zero": "a point of an interval",
    "separability.noisy": "a problem that kernels can divide by, for the given one",
    "descent.best_step": "largest of given numbers",
    "weightings.weightings": "search over weights, by the scores of each",
    "weightings.weighed": "the same search for a stage",
    "split.interval": "of replicates",
    "split.dominates": "a decision by intervals",
    "split.has_gain": "a decision by intervals",
    "split.verdict_of": "a decision by intervals",
}


def functions(source):
    """Names of the functions in a module's text that are predictions by the rule."""
    for node in ast.parse(source).body:
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
            continue
        private = any(ast.unparse(decorator) == "private" for decorator in node.decorator_list)
        returned = None if node.returns is None else ast.unparse(node.returns)
        if not private and returned not in ("None", "Outcome"):
            yield node.name


def module_of(file):
    return ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


def short(name):
    return ".".join(name.split(".")[-2:])


def home(name):
    """The name under which a function is defined, for one under which it is offered."""
    module, _, attribute = name.rpartition(".")
    found = getattr(importlib.import_module(module), attribute)
    return f"{found.__module__}.{found.__name__}"


PUBLIC = [f"{module_of(file)}.{name}" for file in FILES for name in functions(file.read_text(encoding="utf-8"))]
PREDICTIONS = [name for name in PUBLIC if short(name) not in WITHOUT_THEORY]
ROWS = [row for row in ledger() if {home(name) for name in named(row[5])} & set(PREDICTIONS)]


def test_every_prediction_has_its_row():
    listed = {home(name) for row in ledger() for name in named(row[5])}
    assert set(PREDICTIONS) <= listed, sorted(set(PREDICTIONS) - listed)


def test_what_holds_no_theory_exists_and_has_no_row():
    assert set(WITHOUT_THEORY) <= set(map(short, PUBLIC))
    assert not {short(home(name)) for row in ledger() for name in named(row[5])} & set(WITHOUT_THEORY)


def test_what_counts_as_a_prediction():
    source = """
def formula(x: float) -> float: ...
@kernel
def sums(x): ...
@private
def inner(x): ...
def _own(x: float) -> float: ...
def assemble(plan) -> Outcome: ...
class Path: ...
"""
    assert list(functions(source)) == ["formula", "sums"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: named(row[4])[0].removeprefix("theory."))
def test_a_row_is_checked_against_its_derivation(row):
    """The files of its tests evaluate the derivation and name every function of the code."""
    files = {name.partition("::")[0] for name in named(row[6])}
    text = "\n".join((CLONE / Path(file)).read_text(encoding="utf-8") for file in files)
    (derivation,) = named(row[4])
    assert f'"{derivation.removeprefix("theory.")}"' in text
    for name in named(row[5]):
        assert re.search(rf"\b{name.rpartition('.')[2]}\b", text), name
