"""T11, T12: the margin program as the saddle function of hard margins, and when it has a solution."""

from __future__ import annotations

from functools import partial

from sympy import Matrix, Rational, S, diff, oo, solve, sqrt, symbols

from .derivation import Derivation
from .gaussian import Cdf, Density, X, in_numbers, integrated, truncated_expectation
from .proportional import BETA, BIAS, EIGENVALUES, GROUPS, PARTS, RATIO, TAU, U, V, W

C = symbols("c", real=True)
SPREAD = symbols("t", positive=True)


def positive_part(power):
    """E (c + tG)_+^power in Phi and phi; G and -G have the same law, so the tail is taken from below."""
    return truncated_expectation((C - SPREAD * X) ** power, -oo, C / SPREAD)


def squared_positive_part() -> Derivation:
    """E (c + tG)_+^2 = (t^2 + c^2) Phi(c/t) + c t phi(c/t) and its derivatives in c and t^2."""
    proof = Derivation("`t > 0`; `-G` has the law of `G`, so that the tail is taken from below.")
    below, at = Cdf(C / SPREAD), Density(C / SPREAD)

    def tail(sentence, power):
        line = (C - SPREAD * X) ** power
        return integrated(proof, sentence, line * Density(X), partial(truncated_expectation, line), (-oo, C / SPREAD))

    value = proof.equal("that is", tail("The expected square is", 2), (SPREAD**2 + C**2) * below + C * SPREAD * at)
    first = proof.equal("that is", tail("and the first moment", 1), C * below + SPREAD * at)

    def in_t2(expression):
        return diff(expression, SPREAD) / (2 * SPREAD)

    proof.control("The square rises with `c`, by `2 E(c + t G)_+`,", diff(value, C), 2 * first)
    proof.control("and with `t^2`, by `Phi(c/t)`", in_t2(value), below)
    second = Matrix([diff(value, C, 2), diff(in_t2(value), C), in_t2(in_t2(value))])
    proof.control("Second derivatives", second, Matrix([2 * below, at / SPREAD, -C * at / (2 * SPREAD**3)]))
    proof.result = {"square": in_numbers(value), "first": in_numbers(first)}
    return proof


def shortfall(q, demand):
    """H(u, b, q) = sum pi_g E (t_g G + c_g)_+^2 at margins `demand` kappa_g."""
    total = S.Zero
    for group in GROUPS:
        kappa = symbols(f"kappa{group.index}", positive=True)
        mean, s = group.margin(q**2)
        c, t = (demand * kappa - mean) / group.noise, s / group.noise
        total += group.share * positive_part(2).subs({C: c, SPREAD: t}, simultaneous=True)
    return total


def margin_program() -> Derivation:
    """The saddle function of hard margins is least norm subject to sqrt(alpha H) <= sum_j sqrt(s_j) w_j."""
    proof = Derivation(
        "Hard margins `kappa_g`, ridge `1`, no anchor; `H = sum_g pi_g E (kappa_g - a)_+^2/sigma_g^2`.",
        sizes="two groups, two signal coordinates, two eigenvalues",
    )
    miss, t, short, load = symbols("miss t H L", positive=True)
    noise = GROUPS[0].noise
    envelope = proof.say("Where a margin is missed the envelope is", miss**2 / (2 * t))
    rate = proof.equal(
        "at `t = sigma_g^2 tau/beta`, so that they sum to `beta H/(2 tau)`,",
        envelope.subs(t, noise**2 * TAU / BETA),
        BETA / (2 * TAU) * miss**2 / noise**2,
    )
    value = BETA * TAU / 2 + rate * short * noise**2 / miss**2
    best = proof.equal("The least over `tau` is at `tau = sqrt(H)`", solve(diff(value, TAU), TAU)[0], sqrt(short))
    norm2 = sum(w**2 / e for w, e in zip(W, EIGENVALUES, strict=True)) + U.dot(U)
    pulls = sum(w * sqrt(RATIO * part) for w, part in zip(W, PARTS, strict=True))
    saddle = proof.say("which leaves", value.subs(TAU, best) - BETA * pulls + norm2 / 2)
    excess = proof.equal(
        "It is linear in `beta >= 0`: a Lagrange function of half the squared norm, with the constraint that this is "
        "at most zero,",
        diff(saddle, BETA),
        sqrt(RATIO) * (sqrt(short / RATIO) - sum(w * sqrt(part) for w, part in zip(W, PARTS, strict=True))),
    )
    proof.control("and of `beta` nothing else", diff(saddle, BETA, 2), S.Zero)
    demand, q = symbols("demand q", positive=True)
    moment = proof.say("With `E (t G + c)_+^2`,", positive_part(2))
    missed = S.Zero
    for group in GROUPS:
        mean, s = group.margin(q**2)
        kappa = demand * symbols(f"kappa{group.index}", positive=True)
        missed += group.share * moment.subs({C: kappa - mean, SPREAD: s}, simultaneous=True) / group.noise**2
    total = proof.equal("`H` is, in units of the noise,", missed, shortfall(q, demand))
    one = dict(zip(W, (q * sqrt(part) for part in PARTS), strict=True))
    proof.control("`V = tau/beta` and `M'^2 = miss^2/(sigma_g^2 V)^2`: `beta^2 = H/V^2`", best**2 / V**2, short / V**2)
    response = proof.say(
        "Isotropic noise: `nu = L/V` with `L = sum_g pi_g P(a < kappa_g)`, and zero is", V * (1 + load / V) - RATIO
    )
    left = proof.equal("so that `V = delta - L`", solve(response, V)[0], RATIO - load)
    proof.result = {
        "H": in_numbers(total),
        "V": left,
        "excess": excess.subs(one).subs(PARTS[1], 1 - PARTS[0]).subs(short, in_numbers(total)),
    }
    for i, x in enumerate((*U, BIAS, q)):
        proof.result[f"gradient_{i + 1}"] = in_numbers(diff(total, x, simplify=False))
    return proof


def separability() -> Derivation:
    """Margins can be met iff alpha min H(u, b, 1) < 1 at kappa = 0; with no signal and balanced labels alpha* = 2."""
    proof = Derivation("Isotropic noise; `H` as in the margin program; `alpha = n/d`.")
    scale, kappa, noise = symbols("scale kappa sigma", positive=True)
    value = proof.say("A group's part of `H`", positive_part(2))
    scaled = proof.equal(
        "is homogeneous of degree two in `(u, b, q, kappa)`, which enter `c` and `t` linearly, so that `alpha H <= "
        "q^2` at spread `q` and margin `kappa` is `alpha H <= 1` at spread `1` and margin `kappa/q`",
        value.subs({C: scale * C, SPREAD: scale * SPREAD}, simultaneous=True),
        scale**2 * value,
    )
    at_one = scaled / scale**2
    asked = at_one.subs(C, kappa / noise - C)
    proof.control(
        "`H` rises with `kappa`, by `2 E (..)_+/sigma > 0`: the best chance is `q -> infinity`, `kappa/q -> 0`",
        diff(asked, kappa),
        2 / noise * positive_part(1).subs(C, kappa / noise - C),
    )
    proof.cite(
        "Margins can be met iff `alpha H < 1` at the least `H` over `(u, b)`, `q = 1`, `kappa = 0`: weights, ridge and "
        "`kappa` have no say",
        source="Montanari et al. 2019 (1911.01544), Candes and Sur 2020 (1804.09753)",
        conditions="the noise is Gaussian and isotropic, `n, d -> infinity` at fixed `alpha`, and `alpha H` is not `1`",
    )
    proof.control(
        "Without signal `u = 0` is best: `H` rises with `t^2` by `Phi > 0`",
        diff(at_one, SPREAD) / (2 * SPREAD),
        Cdf(C / SPREAD),
    )
    bias, share = symbols("b pi1", real=True)
    no_signal = proof.equal(
        "There, with a share `pi_1` of positive labels,",
        share * at_one.subs({C: -bias, SPREAD: 1}) + (1 - share) * at_one.subs({C: bias, SPREAD: 1}),
        (1 + bias**2) * (share * Cdf(-bias) + (1 - share) * Cdf(bias))
        + bias * ((1 - share) * Density(bias) - share * Density(-bias)),
    )
    balanced = no_signal.subs(share, Rational(1, 2))
    slope = diff(balanced, bias)
    proof.control("Balanced labels: `b = 0` is stationary", slope.subs(bias, 0), S.Zero)
    even = {Density(-bias): Density(bias)}
    proof.control("and `H` is convex in `b`", diff(slope, bias).subs(even), Cdf(bias) + Cdf(-bias))
    proof.control("`H = 1/2` there: `alpha = 2`, Cover's number", in_numbers(1 / balanced.subs(bias, 0)), S(2))
    proof.result = {"no_signal": in_numbers(no_signal)}
    return proof
