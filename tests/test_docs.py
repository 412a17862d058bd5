"""What is written is true: examples in docstrings, the README's code, and the files and commands it names."""

import doctest
import pkgutil
import re
from importlib import import_module
from pathlib import Path

import pytest

import llrsim
from llrsim.commands import COMMANDS
from llrsim.experiment import preset_names

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MODULES = [
    module.name for module in pkgutil.walk_packages(llrsim.__path__, "llrsim.") if not module.name.endswith("__main__")
]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.parametrize("name", ["llrsim", *MODULES])
def test_docstring_examples(name):
    module = import_module(name)
    finder = doctest.DocTestFinder(exclude_empty=True)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for example in finder.find(module, name):
        runner.run(example)
    # Compiled functions are not found by the finder: their docstrings are on the Python function inside.
    for attribute, value in vars(module).items():
        inner = getattr(value, "py_func", None)
        if inner is not None and inner.__module__ == name and inner.__doc__:
            parsed = doctest.DocTestParser().get_doctest(inner.__doc__, dict(vars(module)), attribute, None, None)
            runner.run(parsed)
    assert runner.failures == 0


def test_the_readme_code_runs(capsys):
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), {})
    assert "balance" in capsys.readouterr().out


def test_the_readme_experiment_loads_and_runs():
    (text,) = blocks("toml")
    import tomllib

    experiment = llrsim.load(tomllib.loads(text))
    assert llrsim.simulate(experiment)["dfr-20"].outcome.ok


def test_the_readme_names_what_there_is():
    assert set(re.findall(r"llrsim (\w+)", README.split("## Commands")[1].split("## An experiment")[0])) >= set(
        COMMANDS
    )
    for preset in preset_names():
        assert preset.removesuffix("-full") in README
    for path in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / path).exists(), path


def test_public_names_exist():
    for name in llrsim.__all__:
        assert getattr(llrsim, name) is not None
    # A module of the same name would take the name's place once it is imported.
    assert not {f"llrsim.{name}" for name in llrsim._HOME} & set(MODULES)
    with pytest.raises(AttributeError, match="it offers"):
        _ = llrsim.nothing
