"""T11, T12: the margin program as the saddle function of hard margins, and when it has a solution."""

from __future__ import annotations

from sympy import Matrix, Rational, S, diff, oo, solve, sqrt, symbols

from .derivation import Derivation
from .gaussian import Cdf, Density, X, in_numbers, truncated_expectation
from .proportional import BETA, BIAS, EIGENVALUES, GROUPS, PARTS, RATIO, TAU, U, V, W

C = symbols("c", real=True)
SPREAD = symbols("t", positive=True)


def positive_part(power):
    """E (c + tG)_+^power in Phi and phi; G and -G have the same law, so the tail is taken from below."""
    return truncated_expectation((C - SPREAD * X) ** power, -oo, C / SPREAD)


def squared_positive_part() -> Derivation:
    """E (c + tG)_+^2 = (t^2 + c^2) Phi(c/t) + c t phi(c/t) and its derivatives in c and t^2."""
    proof = Derivation("t > 0; a truncated second moment.")
    value = positive_part(2)
    below, at = Cdf(C / SPREAD), Density(C / SPREAD)
    proof.equal("The value", value, (SPREAD**2 + C**2) * below + C * SPREAD * at)
    first = positive_part(1)
    proof.equal("The first moment", first, C * below + SPREAD * at)

    def in_t2(expression):
        return diff(expression, SPREAD) / (2 * SPREAD)

    proof.equal("It rises with c, by 2 E(c + tG)_+", diff(value, C), 2 * first)
    proof.equal("and with t^2, by Phi(c/t)", in_t2(value), below)
    second = Matrix([diff(value, C, 2), diff(in_t2(value), C), in_t2(in_t2(value))])
    proof.equal("Second derivatives", second, Matrix([2 * below, at / SPREAD, -C * at / (2 * SPREAD**3)]))
    proof.result = {"square": in_numbers(value), "first": in_numbers(first)}
    return proof


def shortfall(q, demand):
    """H(u, b, q) = sum pi_g E (t_g G + c_g)_+^2 at margins `demand` kappa_g, and what it is made of."""
    total, parts = S.Zero, []
    for group in GROUPS:
        kappa = symbols(f"kappa{group.index}", positive=True)
        mean, s = group.margin(q**2)
        c, t = (demand * kappa - mean) / group.noise, s / group.noise
        total += group.share * positive_part(2).subs({C: c, SPREAD: t}, simultaneous=True)
        parts.append((group, kappa, c, t))
    return total, parts


def margin_program() -> Derivation:
    """The saddle function of hard margins is least norm subject to sqrt(alpha H) <= sum_j sqrt(s_j) w_j."""
    proof = Derivation("Hard margins kappa_g, ridge 1, no anchor; H = sum pi_g E (kappa_g - a)_+^2 / sigma_g^2.")
    miss, t, short, load = symbols("miss t H L", positive=True)
    noise = GROUPS[0].noise
    envelope = miss**2 / (2 * t)
    proof.equal(
        "Where a margin is missed the envelope is miss^2 / (2t); at t = sigma_g^2 tau / beta, summed: beta H / (2 tau)",
        envelope.subs(t, noise**2 * TAU / BETA),
        BETA / (2 * TAU) * miss**2 / noise**2,
    )
    value = BETA * TAU / 2 + BETA * short / (2 * TAU)
    best = solve(diff(value, TAU), TAU)[0]
    proof.equal("The least over tau is at tau = sqrt H", best, sqrt(short))
    norm2 = sum(w**2 / e for w, e in zip(W, EIGENVALUES, strict=True)) + U.dot(U)
    pulls = sum(w * sqrt(RATIO * part) for w, part in zip(W, PARTS, strict=True))
    saddle = value.subs(TAU, best) - BETA * pulls + norm2 / 2
    proof.equal(
        "What is left is linear in beta >= 0: a Lagrange function of |w|^2 / 2 with the constraint",
        diff(saddle, BETA),
        sqrt(RATIO) * (sqrt(short / RATIO) - sum(w * sqrt(part) for w, part in zip(W, PARTS, strict=True))),
    )
    proof.equal("and of beta nothing else", diff(saddle, BETA, 2), S.Zero)
    mean, s = GROUPS[0].margin(sum(w**2 for w in W))
    kappa = symbols("kappa1", positive=True)
    moment = positive_part(2)
    proof.equal(
        "In units of the noise, E (kappa - a)_+^2 / sigma^2 is E (t G + c)_+^2",
        moment.subs({C: kappa - mean, SPREAD: s}, simultaneous=True) / noise**2,
        moment.subs({C: (kappa - mean) / noise, SPREAD: s / noise}, simultaneous=True),
    )
    proof.equal("V = tau / beta and M'^2 = miss^2 / (sigma_g^2 V)^2: beta^2 = H / V^2", best**2 / V**2, short / V**2)
    proof.equal(
        "Isotropic noise, nu = L/V with L = sum pi_g P(a < kappa_g): V = delta / (1 + nu) is V = delta - L",
        solve(V * (1 + load / V) - RATIO, V)[0],
        RATIO - load,
    )
    demand, q = symbols("demand q", positive=True)
    total, _ = shortfall(q, demand)
    proof.result = {"H": in_numbers(total), "V": RATIO - load}
    for i, x in enumerate((*U, BIAS, q)):
        proof.result[f"gradient_{i + 1}"] = in_numbers(diff(total, x, simplify=False))
    return proof


def separability() -> Derivation:
    """Margins can be met iff alpha min H(u, b, 1) < 1 at kappa = 0; with no signal and balanced labels alpha* = 2."""
    proof = Derivation("Isotropic noise; H as in the margin program; alpha = n/d.")
    scale, c, t, kappa, noise = symbols("scale c0 t0 kappa sigma", positive=True)
    value = positive_part(2)
    at = value.subs({C: c, SPREAD: t}, simultaneous=True)
    proof.equal(
        "H is homogeneous of degree two in (u, b, q, kappa), which enter c and t linearly",
        value.subs({C: scale * c, SPREAD: scale * t}, simultaneous=True),
        scale**2 * at,
    )
    proof.say("so alpha H(scale (u, b, 1); kappa) <= scale^2 is alpha H(u, b, 1; kappa / scale) <= 1")
    asked = value.subs({C: kappa / noise - C}, simultaneous=True)
    proof.equal(
        "It rises with kappa, by 2 E (..)_+ / sigma > 0: the best chance is scale -> infinity, kappa / scale -> 0",
        diff(asked, kappa),
        2 / noise * positive_part(1).subs(C, kappa / noise - C),
    )
    proof.say("Margins can be met iff alpha min over (u, b) of H(u, b, 1; 0) < 1: weights, ridge and kappa have no say")
    bias, share = symbols("b pi1", real=True)
    no_signal = Rational(1, 2) * sum(value.subs({C: -label * bias, SPREAD: 1}, simultaneous=True) for label in (1, -1))
    proof.equal(
        "Without signal u = 0 is best: H rises with t^2 by Phi > 0", diff(value, SPREAD) / (2 * SPREAD), Cdf(C / SPREAD)
    )
    slope = diff(no_signal, bias)
    proof.equal("Balanced labels: b = 0 is stationary", slope.subs(bias, 0), S.Zero)
    proof.equal("and H is convex in b", diff(slope, bias), Cdf(bias) + Cdf(-bias))
    proof.equal("H = 1/2 there: alpha* = 2, Cover's number", in_numbers(1 / no_signal.subs(bias, 0)), S(2))
    unequal = share * value.subs({C: -bias, SPREAD: 1}) + (1 - share) * value.subs({C: bias, SPREAD: 1})
    proof.result = {"no_signal": in_numbers(unequal)}
    return proof
