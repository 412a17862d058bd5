"""T21: Shapley values of a table of switches (Shapley 1953), from the average over orders of switching on."""

from __future__ import annotations

from itertools import combinations, permutations

from sympy import Expr, Matrix, Rational, Symbol, factorial

from .derivation import Derivation


def table(switches: int) -> dict[frozenset[int], Expr]:
    """A value for each set of switches that are on: v, v_0, v_01, ..."""
    sets = (frozenset(on) for size in range(switches + 1) for on in combinations(range(switches), size))
    return {on: Symbol("v_" + "".join(map(str, sorted(on)))) for on in sets}


def by_orders(values: dict[frozenset[int], Expr], switches: int) -> list[Expr]:
    """The definition: each switch's step, averaged over all orders of switching on."""
    total: list[Expr] = [Rational(0)] * switches
    for order in permutations(range(switches)):
        for place, switch in enumerate(order):
            before = frozenset(order[:place])
            total[switch] += values[before | {switch}] - values[before]
    return [value.expand() / factorial(switches) for value in total]


def by_subsets(values: dict[frozenset[int], Expr], switches: int) -> list[Expr]:
    """phi_i = sum over S without i of |S|! (m - |S| - 1)! / m! (v(S and i) - v(S))."""
    return [
        sum(
            factorial(len(on))
            * factorial(switches - len(on) - 1)
            / factorial(switches)
            * (values[on | {i}] - values[on])
            for on in values
            if i not in on
        )
        for i in range(switches)
    ]


def _derive(switches: int) -> Derivation:
    proof = Derivation(f"{switches} switches, any value for each of the {2**switches} settings.")
    values = table(switches)
    everything, nothing = values[frozenset(range(switches))], values[frozenset()]
    orders = proof.say(
        "By definition a switch's value is its step, averaged over all orders of switching on",
        Matrix(by_orders(values, switches)),
    )
    shapley = proof.equal(
        f"The {factorial(switches)} orders collected by who came before", orders, Matrix(by_subsets(values, switches))
    )
    proof.control("Efficiency: the values sum to the whole gain", sum(shapley), everything - nothing)
    swap = {0: 1, 1: 0}
    exchanged = {values[on]: values[frozenset(swap.get(i, i) for i in on)] for on in values}
    proof.control(
        "Symmetry: exchanging two switches exchanges their values",
        shapley[0].subs(exchanged, simultaneous=True),
        shapley[1],
    )
    idle = {values[on]: values[on - {0}] for on in values}
    proof.control("A switch that changes nothing gets nothing", shapley[0].subs(idle, simultaneous=True), Rational(0))
    proof.result = {f"phi_{i}": value for i, value in enumerate(shapley)}
    return proof


def two_switches() -> Derivation:
    """For two switches the Shapley value is the main effect: the mean of the effect with the other off and on."""
    proof = _derive(2)
    v, v0, v1, v01 = (table(2)[frozenset(on)] for on in ((), (0,), (1,), (0, 1)))
    proof.control(
        "Two switches: the mean of the effect with the other off and on",
        proof.result["phi_0"],
        ((v0 - v) + (v01 - v1)) / 2,
    )
    return proof


def five_switches() -> Derivation:
    """The five switches of the factorial: composition, weighting, collapse, sample size, solver."""
    return _derive(5)
