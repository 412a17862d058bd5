"""No step of a derivation is idle: with what any one link has shown taken away, the end is not reached.

What is called derived is such a link, for all that is stated; what is only checked, or cited, is not called so.
"""

import re
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
    """The links of a derivation, and the derivation without its controls."""
    return links_of(DERIVE[name])


def idle(name, which=slice(None)):
    """Sentences of the links that can be taken away, among those in the slice `which`."""
    links, proof = chain(name)
    return [links[place].sentence for place in range(len(links))[which] if is_idle(DERIVE[name], place, proof.result)]


QUICK = sorted(DERIVE.keys() - {"proportional.jacobian", "lazy.conditioning", "lazy.new_direction", "lazy.image"})


@pytest.mark.parametrize("name", QUICK)
def test_a_derivation_is_more_than_definitions_and_controls(name):
    """And what it calls derived is a link, which the tests below take away."""
    require_honest_kinds(name)


@pytest.mark.parametrize("name", QUICK)
def test_the_middle_link_cannot_be_taken_away(name):
    middle = len(chain(name)[0]) // 2
    assert not idle(name, slice(middle, middle + 1))


@pytest.mark.slow
@pytest.mark.parametrize("name", DERIVE)
def test_no_link_can_be_taken_away(name):
    require_honest_kinds(name)
    assert not idle(name)


STATED = {
    "class_collapse.unequal_collapse": "u1, u2: one core and one spurious coordinate",
    "reliance.collapsed_reliance": "u1, u2: one core and one spurious coordinate",
    "other_losses.any_loss": "slope_0, slope_1: majority and minority",
    "descent.momentum": "r1, r2: two roots of a quadratic",
    "limits.margins_by_class": "b1: at kappa = 1",
    "descent.resolvent": "w0: where descent begins",
    "max_margin.separability": "pi1: one of two classes",
    "shapley.two_switches": "v_0, ...: settings of two switches",
    "shapley.five_switches": "v_0, ...: settings of five switches",
    "balance_or_collapse.larger_share": "v_0, v_1: settings of two switches",
}
"""Derivations whose numbered symbols are as many as the ledger's row states, so that they stand for no others."""

NAMED_OTHERWISE = {"collapse.collapsed_groups", "exchangeable.axes", "lazy.image"}
"""Derivations at certain sizes whose symbols have no numbers."""


def require_honest_kinds(name):
    """Raise unless what is derived are the links, sizes that stand for any are named, and citations are complete."""
    links, proof = chain(name)
    assert len(links) >= 2
    assert any(step.right is not None for step in links)
    derived = [step for step in proof.steps if proof.kind(step) == "derived"]
    assert derived == ([] if proof.sizes else links)
    for step in proof.steps:
        assert (step.left is None) == bool(step.source) == bool(step.conditions), "words alone are cited"
        assert not step.source or re.search(r"\b(1[89]|20)\d\d\b|\bT\d+\b|^elementary \(", step.source), step.source
    sides = [side for step in links for side in (step.left, step.right) if side is not None]
    numbered = {symbol.name for side in sides for symbol in side.free_symbols if re.search(r"\d", symbol.name)}
    assert bool(proof.sizes) == (bool(numbered) and name not in STATED) or name in NAMED_OTHERWISE, sorted(numbered)


def test_kinds_are_told_apart():
    proof = Derivation("None.")
    proof.say("One", X)
    proof.equal("Two", X + X, 2 * X)
    proof.control("Three", X, X)
    proof.value("Four", X.subs(X, 1), "1")
    proof.cite("Five", source="Gauss 1809", conditions="errors are normal")
    assert [proof.kind(step) for step in proof.steps] == ["derived", "derived", "checked", "checked", "cited"]
    assert proof.summary() == "2 derived, 2 checked, 1 cited: Gauss 1809"
    proof.sizes = "two rows"
    assert proof.summary() == "4 checked at two rows, 1 cited: Gauss 1809"


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
    links, proof = links_of(with_idle_steps)
    assert len(links) == 4
    assert [place for place in range(4) if is_idle(with_idle_steps, place, proof.result)] == [2]
