"""The errors that `plant_errors.py` plants still have a place, and planting one is seen."""

import shutil

import pytest
from plant_errors import CLONE, PLANTS, WANTED, file_of, plant, restore
from planted_errors import SURVIVORS


@pytest.mark.parametrize("module", PLANTS)
def test_each_right_text_stands_in_its_module_once(module):
    source = (CLONE / file_of(module)).read_text(encoding="utf-8")
    for right, wrong in PLANTS[module][1]:
        assert source.count(right) == 1, right
        compile(source.replace(right, wrong), module, "exec")
    assert len({wrong for _, wrong in PLANTS[module][1]}) == len(PLANTS[module][1])
    for name in PLANTS[module][0]:
        file, *test = name.split("::")
        assert all(f"def {one}(" in (CLONE / "tests" / f"{file}.py").read_text(encoding="utf-8") for one in test)


WITHOUT_NUMBERS = {"__main__", "_io", "_jit", "simulation/address"}
"""Modules that name, hold, load or wait."""


def test_every_module_of_numbers_has_one():
    package = CLONE / "llrsim"
    modules = {
        *package.glob("*.py"),
        *(package / "model").glob("*.py"),
        *(package / "simulation").rglob("*.py"),
        *(package / "prediction").rglob("*.py"),
    }
    names = {path.relative_to(package).with_suffix("").as_posix() for path in modules}
    names -= {name for name in names if name.endswith("__init__")} | WITHOUT_NUMBERS
    assert names <= {module.partition(":")[0] for module in PLANTS}
    assert set(SURVIVORS) <= set(PLANTS)
    assert sum(len(errors) for _, errors in PLANTS.values()) >= max(60, len(SURVIVORS) / (1 - WANTED))


def test_an_error_is_planted_in_the_copy_and_taken_back(tmp_path):
    shutil.copytree(CLONE / "llrsim", tmp_path / "llrsim", ignore=shutil.ignore_patterns("__pycache__"))
    module, (right, wrong) = "model/collapse", PLANTS["model/collapse"][1][0]
    path = tmp_path / "llrsim" / "model" / "collapse.py"
    whole = path.read_text(encoding="utf-8")
    plant(tmp_path, module, right, wrong)
    assert path.read_text(encoding="utf-8") == whole.replace(right, wrong) != whole
    restore(tmp_path, module)
    assert path.read_text(encoding="utf-8") == whole
    with pytest.raises(ValueError, match="stands there 0 times"):
        plant(tmp_path, module, "no such text", "")
