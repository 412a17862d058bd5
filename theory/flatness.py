"""T22: relative flatness of a head in the proportional limit."""

from __future__ import annotations

from sympy import Matrix, S, diff, exp, limit, log, oo, solve, symbols

from .derivation import Derivation
from .envelopes import WEIGHT, P, T


def relative_flatness() -> Derivation:
    """|w|^2 (1/n) sum om_i l''(m_i) |x_i|^2, over d, tends to |w|^2 sum pi_g sigma_g^2 E om_g l''(P)."""
    proof = Derivation(
        "Logistic loss, `d` noise coordinates of variance `sigma_g^2`, `k` signal ones; margins of fitted rows are the "
        "proxes `P` of the fixed point, whose limit law is cited, not derived. The measure is `|w|^2` times the trace "
        "of the loss's Hessian in `w`, over `d`.",
        sizes="one group, two coordinates",
    )
    w = Matrix(symbols("w1 w2", real=True))
    x = Matrix(symbols("x1 x2", real=True))
    label, bias, p = symbols("y b p", real=True)
    loss = proof.say("The loss of a margin", log(1 + exp(-p)))
    bend = proof.equal("has the curvature", diff(loss, p, 2), exp(p) / (1 + exp(p)) ** 2)
    row = loss.subs(p, label * (w.dot(x) + bias))
    trace = proof.equal(
        "A row's part of the trace, for either label as the curvature is even, is `l''(m) |x|^2`",
        Matrix([sum(diff(row, weight, 2) for weight in w).subs(label, side) for side in (1, -1)]),
        bend.subs(p, w.dot(x) + bias) * x.dot(x) * Matrix([1, 1]),
    )[0]
    d, k, sigma = symbols("d k sigma", positive=True)
    signal2 = symbols("s2", positive=True)
    length2 = proof.equal(
        "`|x|^2/d` has the mean `(k s_2 + d sigma^2)/d`, which tends to",
        limit((k * signal2 + d * sigma**2) / d, d, oo),
        sigma**2,
    )
    # Var |z|^2 = d (E z^4 - sigma^4) = 2 d sigma^4.
    proof.control(
        "and a variance of `2 sigma^4/d`, so that it is free of the margin",
        limit(d * (3 * sigma**4 - sigma**4) / d**2, d, oo),
        S.Zero,
    )
    norm2, share = symbols("norm2 pi1", positive=True)
    summand = proof.say(
        "In the limit the margin is the prox: a group of weight `omega` adds to the measure",
        norm2 * share * WEIGHT * (trace / x.dot(x)).subs(solve(w.dot(x) + bias - P, bias, dict=True)[0]) * length2,
    )
    second = symbols("M2", positive=True)
    proof.control(
        "`omega l''(P)` from the envelope's curvature `M'' = omega l''/(1 + t omega l'')`: `M''/(1 - t M'')`",
        (second / (1 - T * second)).subs(second, WEIGHT * bend / (1 + T * WEIGHT * bend)),
        WEIGHT * bend,
    )
    scale = symbols("scale", positive=True)
    measure = w.dot(w) * trace
    proof.control(
        "Scaling features up and weights down changes nothing",
        measure.subs({**{v: v / scale for v in w}, **{v: v * scale for v in x}}, simultaneous=True),
        measure,
    )
    growing = symbols("m", positive=True)
    proof.control(
        "Exact collapse: a class has one margin, `m = |w|` times a constant, and `m^2 l''(m) -> 0` as it grows",
        limit(growing**2 * bend.subs(p, growing), growing, oo),
        S.Zero,
    )
    proof.result = {"summand": summand}
    return proof
