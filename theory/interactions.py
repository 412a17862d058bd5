"""T21: interactions of switches as alternating differences, and what they have to do with Shapley values."""

from __future__ import annotations

from itertools import combinations

from sympy import S, Symbol

from .derivation import Derivation
from .shapley import by_subsets, table


def difference(values, switches, blocks):
    """The alternating difference over blocks of switches that move together, averaged over the other switches."""
    inside = set().union(*blocks)
    others = [i for i in range(switches) if i not in inside]
    total = S.Zero
    for size in range(len(others) + 1):
        for around in combinations(others, size):
            for count in range(len(blocks) + 1):
                for on in combinations(blocks, count):
                    sign = (-1) ** (len(blocks) - count)
                    total += sign * values[frozenset(around).union(*on)]
    return total / 2 ** len(others)


def alternating_differences() -> Derivation:
    """Main effects, pairs and blocks of three switches; the Shapley value of a switch in the effects of all subsets."""
    proof = Derivation("Three switches, any value for each of the 8 settings.", sizes="three switches")
    values, switches = table(3), range(3)
    main = [difference(values, 3, [{i}]) for i in switches]
    for i in switches:
        on = sum(value for key, value in values.items() if i in key) / 4
        off = sum(value for key, value in values.items() if i not in key) / 4
        proof.result[f"main_{i}"] = proof.equal(
            f"Main effect of switch {i}: the mean with it on less that with it off", main[i], on - off
        )
    pair = proof.equal(
        "Two switches: the mean over the third one of what the effect of the first one gains by the second",
        difference(values, 3, [{0}, {1}]),
        sum(
            (values[around | {0, 1}] - values[around | {1}]) - (values[around | {0}] - values[around])
            for around in (frozenset(), frozenset({2}))
        )
        / 2,
    )
    dividends = {
        on: sum((-1) ** (len(on) - len(part)) * values[part] for part in values if part <= on) for on in values
    }
    everything = frozenset(switches)
    proof.control(
        "A value is the sum of the differences from nothing on, over all subsets of what is on",
        sum(dividends.values()),
        values[everything],
    )
    triple = proof.equal(
        "The highest is the interaction of all three", dividends[everything], difference(values, 3, [{0}, {1}, {2}])
    )
    shapley = by_subsets(values, 3)
    for i in switches:
        proof.result[f"phi_{i}"] = proof.equal(
            f"Shapley shares each of them evenly among its switches: switch {i}",
            shapley[i],
            sum(value / len(on) for on, value in dividends.items() if i in on),
        )
    proof.control(
        "so it is the main effect and a twelfth of the triple interaction",
        shapley[0] - main[0],
        triple / 12,
    )
    one, both = Symbol("v_0"), Symbol("v_012")
    joint = proof.equal(
        "Switches that are turned together are one switch",
        difference(values, 3, [{0}, {1, 2}]),
        (both - values[frozenset({1, 2})]) - (one - values[frozenset()]),
    )
    proof.result |= {"pair": pair, "triple": triple, "joint": joint}
    return proof
