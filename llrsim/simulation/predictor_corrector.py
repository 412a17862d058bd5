"""Mehrotra's predictor-corrector step for the quadratic programs of `interior_point`, and the linear algebra of both.

The state of n rows is (4, n): a, u = 1 - a, s, t > 0. The dual point is alpha = c a, u its distance to the upper bound,
and s, t are the slacks of z_i.v - e_i = s_i - t_i. The step aims at c_i a_i s_i = c_i u_i t_i = mu, one mu for all
rows. Without an upper bound (max margin, `boxed` False) u stays 1 and t stays 0.

Sources: Mehrotra (1992); Ferris & Munson (2002), "Interior-point methods for massive support vector machines".
"""

from math import sqrt

import numpy as np

from .._jit import private
from .passes import inner
from .semidefinite import PANEL, add_gram, factorise, solve

DAMPING = 0.995  # part of the way to the boundary that a step goes


@private
def transposed_times(Z, alpha, out):
    """out (p,) = Z' alpha."""
    out[:] = 0.0
    for i in range(alpha.size):
        for j in range(out.size):
            out[j] += alpha[i] * Z[i, j]


@private
def weighted_factor(A, weights, penalty):
    """Triangular factor of A' diag(weights) A + diag(penalty) for A (n, p), weights (n,) >= 0, penalty (p,)."""
    n, p = A.shape
    L = np.empty((p, p))
    panel = np.empty((p, PANEL))
    for i in range(p):
        for j in range(i):
            L[i, j] = 0.0
        L[i, i] = penalty[i]
    for start in range(0, n, PANEL):
        for k in range(PANEL):
            i = min(start + k, n - 1)
            root = sqrt(weights[i]) if start + k < n else 0.0
            for j in range(p):
                panel[j, k] = root * A[i, j]
        add_gram(panel, L)
    factorise(L, p)
    return L


@private
def _direction(boxed, F, P, L, weights, state, targets, residual_rows, residual_v, dv, move):
    """Newton step for one choice of complementarity targets; writes dv (p,) and move (4, n).

    `targets` (2, n) are the wanted changes of a s and u t.
    """
    n, p = F.shape
    gain = np.empty(n)
    scaled = np.empty(n)
    wanted = np.empty(p)
    correction = np.empty(p)
    for i in range(n):
        gain[i] = targets[0, i] / state[0, i] - targets[1, i] / state[1, i] + residual_rows[i]
        scaled[i] = weights[i] * gain[i]
    transposed_times(F, scaled, wanted)
    for j in range(p):
        wanted[j] += residual_v[j]
        correction[j] = wanted[j]
        dv[j] = 0.0
    for refine in range(2):  # once more, because the system's condition grows like one over the gap
        if refine:
            for i in range(n):
                scaled[i] = weights[i] * inner(F[i], dv)
            transposed_times(F, scaled, correction)
            for j in range(p):
                correction[j] = wanted[j] - P[j] * dv[j] - correction[j]
        solve(L, correction.size, correction)
        for j in range(p):
            dv[j] += correction[j]
    for i in range(n):
        a, u, s, t = state[0, i], state[1, i], state[2, i], state[3, i]
        da = (gain[i] - inner(F[i], dv)) / (s / a + t / u)
        move[0, i] = da
        move[1, i] = -da if boxed else 0.0
        move[2, i] = (targets[0, i] - s * da) / a
        move[3, i] = (targets[1, i] + t * da) / u


@private
def _longest(state, move):
    """Largest step, at most 1 / damping, that keeps every entry of state (4, n) nonnegative."""
    length = 1.0 / DAMPING
    for k in range(4):
        for i in range(state.shape[1]):
            if move[k, i] < 0.0:
                length = min(length, -state[k, i] / move[k, i])
    return length


@private
def advance(boxed, F, P, mass, surplus, v, state, cautious):
    """One predictor-corrector step of v and state in place; its length.

    Steps as long as the bounds allow are fast and find Farkas rays, but once in thousands of problems they run in a
    cycle. If `cautious`, a step ends where the complementarity products' sum, a parabola along it, is least.
    """
    n, p = F.shape
    weights = np.empty(n)
    residual_rows = np.empty(n)
    alpha = np.empty(n)
    targets = np.empty((2, n))
    residual_v = np.empty(p)
    dv = np.empty(p)
    move = np.empty((4, n))
    now, barriers = 0.0, 0.0
    for i in range(n):
        a, u, s, t = state[0, i], state[1, i], state[2, i], state[3, i]
        weights[i] = mass[i] / (s / a + t / u)
        residual_rows[i] = s - t - surplus[i]
        alpha[i] = mass[i] * a
        targets[0, i] = -a * s
        targets[1, i] = -u * t
        now += mass[i] * (a * s + u * t)
        barriers += 2.0 if boxed else 1.0
    transposed_times(F, alpha, residual_v)
    for j in range(p):
        residual_v[j] -= P[j] * v[j]
    L = weighted_factor(F, weights, P)

    centring = 0.0
    for corrector in range(2):
        if corrector:
            length = min(1.0, _longest(state, move))
            ahead = 0.0
            for i in range(n):
                after_a, after_u = state[0, i] + length * move[0, i], state[1, i] + length * move[1, i]
                after_s, after_t = state[2, i] + length * move[2, i], state[3, i] + length * move[3, i]
                ahead += mass[i] * (after_a * after_s + after_u * after_t)
            centring = (ahead / now) ** 3 * now / barriers
            for i in range(n):
                targets[0, i] += centring / mass[i] - move[0, i] * move[2, i]
                if boxed:
                    targets[1, i] += centring / mass[i] - move[1, i] * move[3, i]
        _direction(boxed, F, P, L, weights, state, targets, residual_rows, residual_v, dv, move)
    length = DAMPING * _longest(state, move)
    if cautious:
        fall, bend = 0.0, 0.0
        for i in range(n):
            fall -= mass[i] * (state[0, i] * move[2, i] + state[2, i] * move[0, i])
            fall -= mass[i] * (state[1, i] * move[3, i] + state[3, i] * move[1, i])
            bend += mass[i] * (move[0, i] * move[2, i] + move[1, i] * move[3, i])
        if fall > 0.0 and bend > 0.0:
            length = min(length, 0.5 * fall / bend)
    for j in range(p):
        v[j] += length * dv[j]
    for k in range(4):
        for i in range(n):
            state[k, i] += length * move[k, i]
    return length
