"""Literal, slow twins of the factorial's contrasts; nothing of llrsim is imported."""

from itertools import permutations, product

import numpy as np


def shapley_by_orders(values, switches):
    """Average, over every order of turning the switches on one by one, of what each adds when it is turned on."""
    orders = list(permutations(range(switches)))
    total = np.zeros((switches, *values.shape[switches:]))
    for order in orders:
        setting = [0] * switches
        for switch in order:
            before = values[tuple(setting)]
            setting[switch] = 1
            total[switch] += values[tuple(setting)] - before
    return total / len(orders)


def interaction_by_signs(values, switches, blocks):
    """Sum over on/off settings of the blocks, signed by the number of blocks off, averaged over the other switches."""
    taken = {switch for block in blocks for switch in block}
    others = [switch for switch in range(switches) if switch not in taken]
    total = 0.0
    for rest in product((0, 1), repeat=len(others)):
        for bits in product((0, 1), repeat=len(blocks)):
            setting = [0] * switches
            for switch, bit in zip(others, rest, strict=True):
                setting[switch] = bit
            for block, bit in zip(blocks, bits, strict=True):
                for switch in block:
                    setting[switch] = bit
            total = total + (-1) ** (len(blocks) - sum(bits)) * values[tuple(setting)]
    return total / 2 ** len(others)
