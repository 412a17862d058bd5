"""Pairwise covers: a few cases in which every two values of two factors that can stand together do so at least once."""

from itertools import combinations, product

import numpy as np


def pairs_of(case):
    """The pairs ((factor, value), (factor, value)) of a case, a dict."""
    return list(combinations(case.items(), 2))


def every_pair(factors):
    """The pairs of values of two factors."""
    return [
        ((one, a), (other, b))
        for one, other in combinations(factors, 2)
        for a, b in product(factors[one], factors[other])
    ]


def cover(factors, allowed):
    """Cases, dicts of one value a factor, and the pairs that no allowed case has.

    Greedy: of all allowed cases the one with most pairs that are missing so far, the first of several. `factors` lists
    each one's values, and `allowed` tells which cases can be.
    """
    cases = [dict(zip(factors, values, strict=True)) for values in product(*factors.values())]
    cases = [case for case in cases if allowed(case)]
    pairs = every_pair(factors)
    number = {pair: place for place, pair in enumerate(pairs)}
    holds = np.zeros((len(cases), len(pairs)), dtype=np.int16)
    for row, case in zip(holds, cases, strict=True):
        row[[number[pair] for pair in pairs_of(case)]] = 1
    possible = holds.any(axis=0)
    missing, chosen = possible.copy(), []
    while missing.any():
        best = int((holds @ missing).argmax())
        chosen.append(cases[best])
        missing &= holds[best] == 0
    return chosen, {pair for pair, can in zip(pairs, possible, strict=True) if not can}
