"""No step of a derivation is idle: with what any one link has shown taken away, the end is not reached."""

from functools import cache

import pytest
from sympy import symbols
from test_theory import NAMES
from theory_links import is_idle, links_of

import theory
from theory.derivation import Derivation

DERIVE = {name.removeprefix("theory."): result.derive for name, result in zip(NAMES, theory.RESULTS, strict=True)}


@cache
def chain(name):
    """The links of a derivation and its result."""
    return links_of(DERIVE[name])


def idle(name, which=slice(None)):
    """Sentences of the links that can be taken away, among those in the slice `which`."""
    links, result = chain(name)
    return [links[place].sentence for place in range(len(links))[which] if is_idle(DERIVE[name], place, result)]


QUICK = sorted(DERIVE.keys() - {"proportional.jacobian", "lazy.conditioning", "lazy.new_direction", "lazy.image"})


@pytest.mark.parametrize("name", QUICK)
def test_a_derivation_is_more_than_definitions_and_controls(name):
    links, _ = chain(name)
    assert len(links) >= 2
    assert any(step.right is not None for step in links)


@pytest.mark.parametrize("name", QUICK)
def test_the_middle_link_cannot_be_taken_away(name):
    middle = len(chain(name)[0]) // 2
    assert not idle(name, slice(middle, middle + 1))


@pytest.mark.slow
@pytest.mark.parametrize("name", DERIVE)
def test_no_link_can_be_taken_away(name):
    links, _ = chain(name)
    assert len(links) >= 2
    assert any(step.right is not None for step in links)
    assert not idle(name)


X = symbols("x", positive=True)


def with_idle_steps():
    """Its third link leads nowhere; the second would too, were it not for the third."""
    proof = Derivation("None.")
    square = proof.say("The square", X**2)
    cube = proof.equal("The cube", X * square, X**3)
    proof.equal("Its slope", cube.diff(X), 3 * square)
    proof.control("The cube again", cube, X**3)
    proof.result = {"half": proof.equal("Half of it", square / 2, X**2 / 2)}
    return proof


def test_idle_links_are_found():
    links, result = links_of(with_idle_steps)
    assert len(links) == 4
    assert [place for place in range(4) if is_idle(with_idle_steps, place, result)] == [2]
