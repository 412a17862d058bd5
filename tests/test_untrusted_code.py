"""Nothing that llrsim reads becomes code: what could do that is called nowhere but at the one door for it."""

import ast
from pathlib import Path

import pytest

import llrsim
from llrsim.studies import study

PACKAGE = Path(llrsim.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
DOOR = "commands/formula_file.py"  # the user's own formula, named on the command line

NAMED = {
    "__init__.py": ["import_module(_MODULES[name], __name__)", "import_module(_HOME[name], __name__)"],
    "sweep/__init__.py": ["import_module(_HOME[name], __name__)"],
    "studies/__init__.py": ["import_module(f'.{name}', __name__)"],
    "_io.py": ["import_module(name)"],
}
"""Imports of modules of llrsim's own by name, of a study among `STUDIES`, and of optional packages."""

RUNNERS = {"eval", "exec", "compile", "__import__", "sympify", "parse_expr", "parse_latex", "lambdify", "unpickle"}
LOADERS = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "runpy", "code", "codeop", "imp"}
IMPORTERS = {"import_module", "spec_from_file_location", "module_from_spec", "exec_module", "load_module", "run_path"}
SHELLS = {"system", "popen", "execv", "execvp", "spawnv"}


def dangers(source: str) -> list[str]:
    """What of a module's text could run text, or load a module that is not named in it."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            found += [name for name in names if name.partition(".")[0] in LOADERS and not getattr(node, "level", 0)]
        elif isinstance(node, ast.Call):
            found += _of_call(node)
    return found


def _of_call(node):
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    of_module = ast.unparse(node.func).partition(".")[0]
    constant = bool(node.args) and isinstance(node.args[0], ast.Constant)
    if name == "compile" and of_module in ("re", "kernel"):  # patterns, and numba's own
        return []
    if name in RUNNERS or (name in SHELLS and of_module == "os") or (name in IMPORTERS and not constant):
        return [ast.unparse(node)]
    shell = any(keyword.arg == "shell" for keyword in node.keywords)
    pickles = any(keyword.arg == "allow_pickle" for keyword in node.keywords)
    return [ast.unparse(node)] if shell or pickles else []


@pytest.mark.parametrize(
    "source",
    [
        "eval(text)",
        "import pickle",
        "from pickle import loads",
        "sympy.sympify(name)",
        "importlib.import_module(name)",
        "builtins.exec(text)",
        "numpy.load(path, allow_pickle=True)",
        "subprocess.run(words, shell=True)",
        "os.system(text)",
    ],
)
def test_the_search_finds_what_it_is_for(source):
    assert dangers(source)


@pytest.mark.parametrize("source", ["re.compile(text)", "importlib.import_module('llrsim.plots')", "model.evaluate()"])
def test_the_search_leaves_the_rest_alone(source):
    assert not dangers(source)


def test_no_module_runs_what_it_reads():
    found = {str(path.relative_to(PACKAGE)): dangers(path.read_text(encoding="utf-8")) for path in MODULES}
    assert found.pop(DOOR)
    assert {path: told for path, told in found.items() if told} == NAMED


def test_the_door_is_opened_by_the_command_line_alone():
    users = [path for path in MODULES if "formula_file" in path.read_text(encoding="utf-8")]
    assert [str(path.relative_to(PACKAGE)) for path in users] == ["commands/check.py"]


@pytest.mark.parametrize("name", ["os", "..commands", "e99", "e01.os", "/tmp/evil", ""])
def test_no_module_is_named_by_a_file(name):
    with pytest.raises(llrsim.ExperimentError, match=r"study\.id"):
        llrsim.load("e12").replace(study={"id": name, "question": "?", "claim": "!", "rule": "."})
    with pytest.raises(ValueError, match="expected one of"):
        study(name)
