"""T10: the fixed point for the squared loss is population ridge under effective weights; when weights do nothing."""

from __future__ import annotations

from sympy import Matrix, S, diag, limit, oo, solve, symbols

from .derivation import Derivation
from .envelopes import MEAN, MOMENTS, SPREAD, WEIGHT, Expected, T
from .losses import squared_moments
from .proportional import (
    ANCHOR,
    BIAS,
    CENTRE,
    EIGENVALUES,
    GROUPS,
    PARTS,
    RATIO,
    RIDGE,
    U,
    V,
    head_equations,
    response,
    sums,
)

WEIGHTS = symbols("omega1 omega2", positive=True)
LABELS = {GROUPS[0].label: S.NegativeOne, GROUPS[1].label: S.One}
THETA = U.col_join(Matrix([BIAS]))


def effective(group, weight):
    """c_g = pi_g om_g / (1 + om_g sigma_g^2 V)."""
    return group.share * weight / (1 + weight * group.noise**2 * V)


def second_moment(group):
    """m~ m~' + S~, the second moment of (s, 1)."""
    point = group.mean.col_join(Matrix([1]))
    return point * point.T + diag(group.covariance, 0), point


def effective_weights() -> Derivation:
    """sum c_g (m~m~' + S~) and the penalties on (u, b) = sum c_g y_g m~; one equation for V; q^2 in closed form."""
    proof = Derivation("Squared loss; two groups, one a class; any spectrum, ridge and anchor.")
    formulas = squared_moments().result
    weight_of = dict(zip((1, 2), WEIGHTS, strict=True))

    def at_squared_loss(index, group, mean, s, t):
        at = {MEAN: mean, SPREAD: s, T: t, WEIGHT: weight_of[group]}
        return formulas[MOMENTS[index]].subs(at, simultaneous=True)

    q2 = symbols("q2", positive=True)
    weights = [effective(group, weight) for group, weight in zip(GROUPS, WEIGHTS, strict=True)]
    left, right = diag(RIDGE + ANCHOR, RIDGE + ANCHOR, ANCHOR), ANCHOR * CENTRE
    for group, c in zip(GROUPS, weights, strict=True):
        moment, point = second_moment(group)
        left += c * moment
        right += c * group.label * point
    normal = (left * THETA - right).subs(LABELS)
    proof.equal(
        "With M' = c (a - 1) and M'' = c, and y_g^2 = 1, the equations of u and b are weighted normal equations",
        head_equations(q2, V).replace(Expected, at_squared_loss).subs(LABELS),
        normal,
    )
    nu, square, first, second = (value.replace(Expected, at_squared_loss) for value in sums(q2, V))
    variances = sum(group.noise**2 * c for group, c in zip(GROUPS, weights, strict=True))
    proof.equal("nu = sum sigma_g^2 c_g does not see the head", nu, variances)
    any_nu, miss2, back = symbols("nu R F", positive=True)
    harmonic = sum(
        part * e / ((RIDGE + ANCHOR) * V + any_nu * V * e) for part, e in zip(PARTS, EIGENVALUES, strict=True)
    )
    proof.equal("V is the root of one scalar equation", V / response(any_nu), 1 / (RATIO * harmonic))
    residual, feedback = S.Zero, S.Zero
    for group, c in zip(GROUPS, weights, strict=True):
        miss = group.label - U.dot(group.mean) - BIAS
        pull = (group.noise * c) ** 2 / group.share
        residual += pull * (miss**2 + (U.T * group.covariance * U)[0])
        feedback += pull * group.noise**2
    proof.equal(
        "E M'^2 = (c_g/pi_g)^2 (r_g^2 + u'S_g u + sigma_g^2 q^2): linear in q^2",
        square.subs(LABELS),
        (residual + feedback * q2).subs(LABELS),
    )
    trace, trace2 = symbols("K1 K2", positive=True)
    found = solve(q2 - trace2 * (miss2 + back * q2), q2)[0]
    proof.equal(
        "so q^2 = K_2 (R + F q^2) is explicit, K_2 = delta sum s_j e_j^2 / D_j^2",
        found,
        trace2 * miss2 / (1 - trace2 * back),
    )
    proof.say("and |v|^2 / q^2 = K_1 / K_2, K_1 with e_j for e_j^2", trace / trace2)
    isotropic = V**2 / RATIO  # delta / (lambda + nu)^2 at e_j = 1
    pulls = [
        group.share * (weight * group.noise * V / (1 + weight * group.noise**2 * V)) ** 2 / RATIO
        for group, weight in zip(GROUPS, WEIGHTS, strict=True)
    ]
    proof.equal(
        "Isotropic noise: K_2 sum pi_g ... = sum h_g sigma_g^2",
        isotropic * feedback,
        sum(h * group.noise**2 for group, h in zip(GROUPS, pulls, strict=True)),
    )
    proof.result = {f"normal_{i + 1}": entry for i, entry in enumerate(normal)}
    proof.result |= {
        "V_ratio": V / response(nu),
        "q2": found.subs({trace2: RATIO * second, miss2: residual, back: feedback}).subs(LABELS),
    }
    proof.result["norm2"] = proof.result["q2"] * first / second
    return proof


def inert_weights() -> Derivation:
    """lambda -> 0 with n < d: V grows as (delta - 1)/lambda and the weights cancel, up to O(lambda)."""
    proof = Derivation("Squared loss, isotropic noise, no anchor, delta > 1, shares that sum to one.")
    group, weight, (p1, p2) = GROUPS[0], WEIGHTS[0], (g.share for g in GROUPS)
    c = effective(group, weight)
    kept = sum(V * g.noise**2 * effective(g, om) for g, om in zip(GROUPS, WEIGHTS, strict=True))
    proof.say("V (lambda + sum sigma_g^2 c_g) = delta, so lambda V is delta less", kept)
    proof.equal("which tends to one as V grows", limit(kept, V, oo).subs(p2, 1 - p1), S.One)
    proof.equal(
        "and is less than that: V cannot stay finite",
        p1 + p2 - kept.subs(WEIGHTS[1], WEIGHTS[0]).subs(GROUPS[1].noise, group.noise),
        (p1 + p2) / (1 + WEIGHTS[0] * group.noise**2 * V),
    )
    proof.equal(
        "V c_g tends to pi_g / sigma_g^2, free of the weight", limit(V * c, V, oo), group.share / group.noise**2
    )
    proof.equal(
        "and differs from it by O(1/V) = O(lambda)",
        limit(V * (V * c - group.share / group.noise**2), V, oo),
        -group.share / (weight * group.noise**4),
    )
    proof.say("Normal equations times V: c_g enters as V c_g, lambda as lambda V -> delta - 1; no weight is left")
    proof.result = {"V_c": limit(V * c, V, oo), "lambda_V": RATIO - 1}
    return proof


def balanced_weights() -> Derivation:
    """om_g = c / (pi_g - c sigma_g^2 V) gives every group the same effective weight c."""
    proof = Derivation("Squared loss; c sigma_g^2 V < pi_g in every group.")
    group, c = GROUPS[0], symbols("c", positive=True)
    weight = c / (group.share - c * group.noise**2 * V)
    proof.equal("The effective weight of every group is c", effective(group, weight), c)
    noises = sum(g.noise**2 for g in GROUPS)
    explicit = RATIO * sum(
        part * e / (RIDGE + ANCHOR + c * noises * e) for part, e in zip(PARTS, EIGENVALUES, strict=True)
    )
    proof.equal("so V is explicit in c", response(sum(g.noise**2 * c for g in GROUPS)), explicit)
    proof.equal("With n >> d they are the inverse shares", weight.subs(V, 0), c / group.share)
    proof.result = {"weight": weight, "V": explicit}
    return proof
