"""T22: relative flatness of a head in the proportional limit."""

from __future__ import annotations

from sympy import Matrix, S, diff, exp, limit, log, oo, symbols

from .derivation import Derivation
from .envelopes import WEIGHT, P, T


def relative_flatness() -> Derivation:
    """|w|^2 (1/n) sum om_i l''(m_i) |x_i|^2, over d, tends to |w|^2 sum pi_g sigma_g^2 E om_g l''(P)."""
    proof = Derivation(
        "Logistic loss, d noise coordinates of variance sigma_g^2, k signal ones; margins of fitted rows are the "
        "proxes P of T8, whose limit law is cited, not derived. kappa = |w|^2 tr of the loss's Hessian in w."
    )
    w = Matrix(symbols("w1 w2", real=True))
    x = Matrix(symbols("x1 x2", real=True))
    label, bias, p = symbols("y b p", real=True)
    loss = log(1 + exp(-p))
    bend = exp(p) / (1 + exp(p)) ** 2
    proof.equal("The curvature of the loss", diff(loss, p, 2), bend)
    proof.equal("It is even: that of the logit y m is that of the margin", bend.subs(p, -p), bend)
    row = loss.subs(p, label * (w.dot(x) + bias))
    trace = sum(diff(row, weight, 2) for weight in w).subs(label, 1)
    proof.equal("A row's part of the trace", trace, bend.subs(p, w.dot(x) + bias) * x.dot(x))
    d, k, sigma = symbols("d k sigma", positive=True)
    signal2 = symbols("s2", positive=True)
    mean = (k * signal2 + d * sigma**2) / d
    proof.equal("|x|^2 / d has mean sigma^2 up to O(1/d)", limit(mean, d, oo), sigma**2)
    # Var |z|^2 = d (E z^4 - sigma^4) = 2 d sigma^4.
    spread = d * (3 * sigma**4 - sigma**4) / d**2
    proof.equal("and a variance of 2 sigma^4 / d, so the length is free of the margin", limit(spread, d, oo), S.Zero)
    scale = symbols("scale", positive=True)
    kappa = w.dot(w) * trace
    scaled = kappa.subs({**{v: v / scale for v in w}, **{v: v * scale for v in x}}, simultaneous=True)
    proof.equal("Scaling features up and weights down changes nothing", scaled, kappa)
    second = symbols("M2", positive=True)
    at_prox = bend.subs(p, P)
    curvature = WEIGHT * at_prox / (1 + T * WEIGHT * at_prox)
    proof.equal(
        "om l''(P) from the envelope: M''/(1 - t M'')",
        (second / (1 - T * second)).subs(second, curvature),
        WEIGHT * at_prox,
    )
    growing = symbols("m", positive=True)
    proof.equal(
        "Exact collapse: a class has one margin, m = |w| times a constant, and m^2 l''(m) -> 0 as it grows",
        limit(growing**2 * bend.subs(p, growing), growing, oo),
        S.Zero,
    )
    norm2, share, noise = symbols("norm2 pi1 sigma", positive=True)
    proof.result = {"summand": norm2 * share * noise**2 * WEIGHT * at_prox}
    return proof
