"""Every derivation fails when an error is planted in it."""

import types

import pytest
import theory_plants
import theory_plants_population
from test_theory import CLONE

import theory
from theory.derivation import NotEqual

PLANTS = theory_plants.PLANTS | theory_plants_population.PLANTS
AT_ONCE = 2  # errors a module that the plain suite plants; the slow one plants all


def cases():
    for module, plants in PLANTS.items():
        for place, plant in enumerate(plants):
            yield pytest.param(module, *plant, marks=[pytest.mark.slow] if place >= AT_ONCE else [])


@pytest.mark.parametrize(("module", "function", "right", "wrong"), list(cases()))
def test_a_planted_error_is_caught(module, function, right, wrong):
    source = (CLONE / "theory" / f"{module}.py").read_text(encoding="utf-8")
    broken = types.ModuleType(f"theory.{module}")
    broken.__package__ = "theory"
    exec(compile(source.replace(right, wrong), f"planted_{module}", "exec"), broken.__dict__)
    with pytest.raises(NotEqual):
        getattr(broken, function)()


def test_five_errors_are_planted_in_every_module_and_one_in_every_derivation():
    derivations = {
        (result.derive.__module__.removeprefix("theory."), result.derive.__name__) for result in theory.RESULTS
    }
    planted = {(module, function) for module, plants in PLANTS.items() for function, *_ in plants}
    assert planted == derivations
    for module, plants in PLANTS.items():
        assert len({(right, wrong) for _, right, wrong in plants}) >= 5, module


@pytest.mark.parametrize("module", PLANTS)
def test_there_is_something_to_plant_them_in(module):
    source = (CLONE / "theory" / f"{module}.py").read_text(encoding="utf-8")
    for _, right, wrong in PLANTS[module]:
        assert right in source, f"the derivation's text has changed: {right}"
        assert right != wrong
