"""Masses on the simplex at which a smooth concave function is largest, from its values and gradients alone.

For the adversary of group DRO: the function is the minimum of a weighted objective, its gradient the groups' losses
there. Every step maximises a quadratic model with a secant (BFGS) matrix over the simplex, exactly, by active sets, and
is shortened until it brings a share of the rise that its gradient promises.
"""

from __future__ import annotations

from math import inf, sqrt
from typing import NamedTuple

import numpy as np

from .._jit import kernel, private
from .mixture import Array

FIRST_MOVE = 0.2
"""Size of the first step of the masses, before any curvature is known."""

SUFFICIENT, SHORTER = 1e-4, 0.3
SHORTEST = 1e-6


class Ascent(NamedTuple):
    """A maximisation over U masses that is under way: ask at `trial`, tell `advance`."""

    trial: Array  # (U,) masses to look at next
    base: Array  # (U,) the best masses so far
    rise: Array  # (U,) the gradient there
    step: Array  # (U,) from base towards the trial, at length one
    bend: Array  # (U, U) secant matrix of the negative function
    known: Array  # (3,) HEIGHT at base (-inf at first), LENGTH of the step tried, SECANTS taken


HEIGHT, LENGTH, SECANTS = range(3)


@kernel
def begin(units):
    """An ascent from equal masses."""
    known, equal = np.zeros(3), np.empty(units)
    known[HEIGHT], known[LENGTH] = -inf, 1.0
    for u in range(units):
        equal[u] = 1.0 / units
    return Ascent(equal, np.zeros(units), np.zeros(units), np.zeros(units), np.zeros((units, units)), known)


@kernel
def advance(ascent, rise, height):
    """Take in the gradient (U,) and the function at `ascent.trial`, and set the next trial."""
    trial, base, known, bend = ascent.trial, ascent.base, ascent.known, ascent.bend
    U = trial.size
    promised = 0.0
    for u in range(U):
        promised += known[LENGTH] * ascent.rise[u] * ascent.step[u]
    enough = known[HEIGHT] + SUFFICIENT * promised - 1e-13 * abs(known[HEIGHT])
    if known[HEIGHT] > -inf and height < enough and known[LENGTH] > SHORTEST:
        known[LENGTH] *= SHORTER
        for u in range(U):
            trial[u] = base[u] + known[LENGTH] * ascent.step[u]
        return
    if known[HEIGHT] > -inf:
        moved, fall = np.empty(U), np.empty(U)
        along = 0.0
        for u in range(U):
            moved[u], fall[u] = trial[u] - base[u], ascent.rise[u] - rise[u]
            along += moved[u] * fall[u]
        if known[SECANTS] == 0.0 and along > 0.0:
            # The first secant sets the scale of the whole matrix; a gradient's part along all ones moves no mass.
            _spread(bend, U * _variance(fall) / along)
            known[SECANTS] = 1.0
        learn(bend, moved, fall)
    else:
        _spread(bend, max(sqrt(_variance(rise)), 1e-12) / FIRST_MOVE)
    step = propose(trial, rise, bend)
    for u in range(U):
        base[u], ascent.rise[u], ascent.step[u] = trial[u], rise[u], step[u]
        trial[u] = max(base[u] + step[u], 0.0)
    known[HEIGHT], known[LENGTH] = height, 1.0


@private
def _variance(values):
    mean = square = 0.0
    for value in values:
        mean += value / values.size
    for value in values:
        square += (value - mean) * (value - mean) / values.size
    return square


@private
def _spread(bend, scale):
    """bend = scale times the identity."""
    for u in range(len(bend)):
        for v in range(len(bend)):
            bend[u, v] = scale if u == v else 0.0


@kernel
def propose(masses, rise, bend):
    """(U,) the step d that maximises rise.d - d'bend d / 2 with masses + d on the simplex.

    `masses` (U,) are on it already, `rise` (U,) is the gradient and `bend` (U, U) positive definite.
    """
    U = masses.size
    step, free = np.zeros(U), np.zeros(U, np.bool_)
    for u in range(U):
        free[u] = masses[u] > 0.0
    for _ in range(10 * U):
        target, level = _on_face(free, masses, rise, bend)
        # As far towards the face's maximum as all masses stay positive.
        reach, stops = 1.0, -1
        for u in range(U):
            if free[u] and masses[u] + target[u] < 0.0:
                part = (masses[u] + step[u]) / (step[u] - target[u])
                if part < reach:
                    reach, stops = part, u
        for u in range(U):
            step[u] += reach * (target[u] - step[u])
        if stops >= 0:
            free[stops] = False
            step[stops] = -masses[stops]
            continue
        best, gain = -1, 1e-14 * (1.0 + abs(level))
        for u in range(U):
            if not free[u]:
                above = rise[u] - level
                for v in range(U):
                    above -= bend[u, v] * step[v]
                if above > gain:
                    best, gain = u, above
        if best < 0:
            break
        free[best] = True
    return step


@private
def _on_face(free, masses, rise, bend):
    """The step to the maximum with all masses outside of `free` at zero, and the multiplier of their sum."""
    U = masses.size
    system, right = np.zeros((U + 1, U + 1)), np.zeros(U + 1)
    for u in range(U):
        if free[u]:
            right[u] = rise[u]
            system[u, U] = system[U, u] = 1.0
            for v in range(U):
                system[u, v] = bend[u, v]
        else:
            system[u, u] = 1.0
            right[u] = -masses[u]
            right[U] += masses[u]
    # In the rows of masses that are held, the steps of the others stand on the right already.
    _eliminate(system, right)
    return right[:U], right[U]


@private
def _eliminate(system, right):
    """Solve a small system (n, n) in place, its solution into `right` (n,): Gaussian elimination, partial pivoting.

    By hand, because numba compiles LAPACK's in seconds.
    """
    n = right.size
    for j in range(n):
        best = j
        for i in range(j + 1, n):
            if abs(system[i, j]) > abs(system[best, j]):
                best = i
        for k in range(j, n):
            system[j, k], system[best, k] = system[best, k], system[j, k]
        right[j], right[best] = right[best], right[j]
        for i in range(j + 1, n):
            factor = system[i, j] / system[j, j]
            for k in range(j, n):
                system[i, k] -= factor * system[j, k]
            right[i] -= factor * right[j]
    for j in range(n - 1, -1, -1):
        for k in range(j + 1, n):
            right[j] -= system[j, k] * right[k]
        right[j] /= system[j, j]


@private
def learn(bend, step, fall):
    """Update the secant matrix in place: after `step` (U,) the gradient has fallen by `fall` (U,) (BFGS)."""
    U = step.size
    product, curvature, along = np.zeros(U), 0.0, 0.0
    for u in range(U):
        for v in range(U):
            product[u] += bend[u, v] * step[v]
        curvature += step[u] * product[u]
        along += step[u] * fall[u]
    if not along > 1e-12 * curvature:
        return
    for u in range(U):
        for v in range(U):
            bend[u, v] += fall[u] * fall[v] / along - product[u] * product[v] / curvature
