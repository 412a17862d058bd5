"""The house: imports run downwards only, and the two sides never see each other."""

import ast
from pathlib import Path

import pytest

import llrsim

PACKAGE = Path(llrsim.__file__).parent

# From the ground up; a module may import from lower floors and from its own part.
FLOORS = [
    {"_arguments", "_io", "_jit"},
    {"experiment"},
    {"model"},
    {"statistics"},
    {"outcome"},
    {"simulation", "prediction"},
    {"attribution", "agreement"},
    {"plots"},
    {"sweep"},
    {"studies"},
    {"report"},
    {"commands"},
    {"__main__", "__init__"},
]
FLOOR = {part: floor for floor, parts in enumerate(FLOORS) for part in parts}


def part_of(path: Path) -> str:
    """The floor's name for a file; a package's `__main__` is a door to the commands, wherever it stands."""
    return "__main__" if path.stem == "__main__" else path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_parts(path: Path) -> set[str]:
    """Parts of llrsim that a file imports anywhere, also inside functions; type-checking imports do not count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = []
    package = ("llrsim", *path.relative_to(PACKAGE).parts[:-1])
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            names = ".".join((*base, node.module or "")).strip(".").split(".")
            targets = [names] if len(names) > 1 else [[*names, alias.name] for alias in node.names]
            found |= {target[1] for target in targets if target[0] == "llrsim" and len(target) > 1}
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("llrsim.")}
    return found - {"__version__"}


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_downwards(path):
    here = part_of(path)
    if here == "__init__":
        return
    for there in imported_parts(path) & set(FLOOR):
        assert there == here or FLOOR[there] < FLOOR[here], f"{here} imports {there}"


def test_every_part_has_its_floor():
    assert {part_of(path) for path in FILES} == set(FLOOR)


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_modules(path: Path, modules: set[str]) -> set[str]:
    """Modules of llrsim that a file imports anywhere; type-checking imports do not count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = []
    package = module_of(path).split(".") if path.stem == "__init__" else module_of(path).split(".")[:-1]
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            found |= {full if (full := f"{name}.{alias.name}") in modules else name for alias in node.names}
    return (found & modules) - {module_of(path)}


def cycle_in(imports: dict[str, set[str]]) -> list[str]:
    """Names that import each other in a circle, and those that lead to them; empty without a circle."""
    left = dict(imports)
    while ends := {name for name, to in left.items() if not to & left.keys()}:
        left = {name: to for name, to in left.items() if name not in ends}
    return sorted(left)


def test_no_module_imports_itself_through_others():
    modules = {module_of(path) for path in FILES}
    assert cycle_in({module_of(path): imported_modules(path, modules) for path in FILES}) == []


def test_a_cycle_is_seen():
    assert cycle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == ["a", "b", "c", "d"]
    assert cycle_in({"a": {"b"}, "b": {"c"}, "c": set()}) == []


def test_the_floors_are_seen_to_be_crossed():
    """The control: the same reading finds the imports that are there."""
    assert {"simulation", "prediction"} <= imported_parts(PACKAGE / "agreement" / "size_study.py")
    assert "prediction" not in imported_parts(PACKAGE / "simulation" / "dense.py")


def test_files_stay_small_and_named_for_what_they_hold():
    for path in FILES:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 700, path
        assert path.stem not in {"utils", "util", "helpers", "misc", "common", "base", "core"}, path


def test_theory_imports_nothing_of_llrsim():
    theory = PACKAGE.parent / "theory"
    if not theory.exists():  # an installed package has no clone around it
        theory = Path(__file__).parent.parent / "theory"
    for path in theory.glob("*.py"):
        assert "llrsim" not in {
            name.split(".")[0]
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }, path
