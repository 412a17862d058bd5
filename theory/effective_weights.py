"""T10: the fixed point for the squared loss is population ridge under effective weights; when weights do nothing."""

from __future__ import annotations

from sympy import Matrix, S, diag, diff, limit, oo, solve, symbols

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
    proof = Derivation(
        "Squared loss; two groups, one a class; any spectrum, ridge and anchor. `D_j` as in T8.",
        sizes="two groups, two signal coordinates, two eigenvalues",
    )
    q2 = symbols("q2", positive=True)
    equations = proof.say("The fixed point's equations of `u` and `b`", head_equations(q2, V))
    formulas = squared_moments().result
    weight_of = dict(zip((1, 2), WEIGHTS, strict=True))

    def at_squared_loss(index, group, mean, s, t):
        at = {MEAN: mean, SPREAD: s, T: t, WEIGHT: weight_of[group]}
        return formulas[MOMENTS[index]].subs(at, simultaneous=True)

    weights = [effective(group, weight) for group, weight in zip(GROUPS, WEIGHTS, strict=True)]
    left, right = diag(RIDGE + ANCHOR, RIDGE + ANCHOR, ANCHOR), ANCHOR * CENTRE
    for group, c in zip(GROUPS, weights, strict=True):
        moment, point = second_moment(group)
        left += c * moment
        right += c * group.label * point
    normal = proof.equal(
        "With `M' = c (a - 1)` and `M'' = c`, and `y_g^2 = 1`, they are weighted normal equations",
        equations.replace(Expected, at_squared_loss).subs(LABELS),
        (left * THETA - right).subs(LABELS),
    )
    given_nu, square, first, second = (value.replace(Expected, at_squared_loss) for value in sums(q2, V))
    nu = proof.equal(
        "`nu = sum_g sigma_g^2 c_g` does not see the head",
        given_nu,
        sum(group.noise**2 * c for group, c in zip(GROUPS, weights, strict=True)),
    )
    any_nu, miss2, back = symbols("nu R F", positive=True)
    harmonic = sum(
        part * e / ((RIDGE + ANCHOR) * V + any_nu * V * e) for part, e in zip(PARTS, EIGENVALUES, strict=True)
    )
    ratio = proof.equal(
        "so that `V` is the root of one scalar equation: to be one,", V / response(any_nu), 1 / (RATIO * harmonic)
    )
    residual, feedback = S.Zero, S.Zero
    for group, c in zip(GROUPS, weights, strict=True):
        miss = group.label - U.dot(group.mean) - BIAS
        pull = (group.noise * c) ** 2 / group.share
        residual += pull * (miss**2 + (U.T * group.covariance * U)[0])
        feedback += pull * group.noise**2
    strength = proof.equal(
        "`E M'^2 = (c_g/pi_g)^2 (r_g^2 + u'S_g u + sigma_g^2 q^2)`: linear in `q^2`, as `R + F q^2`,",
        square.subs(LABELS),
        (residual + feedback * q2).subs(LABELS),
    )
    trace, trace2 = symbols("K1 K2", positive=True)
    found = proof.equal(
        "so `q^2 = K_2 (R + F q^2)` is explicit, `K_2 = delta sum_j s_j e_j^2/D_j^2`",
        solve(q2 - trace2 * (miss2 + back * q2), q2)[0],
        trace2 * miss2 / (1 - trace2 * back),
    )
    quotient = proof.say("and `|v|^2/q^2` is, `K_1` having `e_j` for `e_j^2`", trace / trace2)
    isotropic = V**2 / RATIO  # delta / (lambda + nu)^2 at e_j = 1
    pulls = [
        group.share * (weight * group.noise * V / (1 + weight * group.noise**2 * V)) ** 2 / RATIO
        for group, weight in zip(GROUPS, WEIGHTS, strict=True)
    ]
    linear = Matrix([strength.subs(q2, 0), diff(strength, q2)])
    proof.control(
        "Isotropic noise: `K_2 F` is `sum_g h_g sigma_g^2`, `h_g = pi_g (omega_g sigma_g V/(1 + t_g))^2/delta`",
        isotropic * linear[1],
        sum(h * group.noise**2 for group, h in zip(GROUPS, pulls, strict=True)),
    )
    proof.result = {f"normal_{i + 1}": entry for i, entry in enumerate(normal)}
    traces = {trace: RATIO * first, trace2: RATIO * second}
    proof.result |= {
        "V_ratio": ratio.subs(any_nu, nu),
        "q2": found.subs({**traces, miss2: linear[0], back: linear[1]}),
    }
    proof.result["norm2"] = proof.result["q2"] * quotient.subs(traces)
    return proof


def inert_weights() -> Derivation:
    """lambda -> 0 with n < d: V grows as (delta - 1)/lambda and the weights cancel, up to O(lambda)."""
    proof = Derivation(
        "Squared loss, isotropic noise, no anchor, `delta > 1`, shares that sum to one.", sizes="two groups"
    )
    group, weight, (p1, p2) = GROUPS[0], WEIGHTS[0], (g.share for g in GROUPS)
    kept = proof.say(
        "`V (lambda + sum_g sigma_g^2 c_g) = delta`, so `lambda V` is `delta` less",
        sum(V * g.noise**2 * effective(g, om) for g, om in zip(GROUPS, WEIGHTS, strict=True)),
    )
    all_kept = proof.equal("This tends to one as `V` grows, and is less", limit(kept, V, oo).subs(p2, 1 - p1), S.One)
    proof.control(
        "by what is positive, here for one weight and one scale: `V` cannot stay finite,",
        p1 + p2 - kept.subs(WEIGHTS[1], WEIGHTS[0]).subs(GROUPS[1].noise, group.noise),
        (p1 + p2) / (1 + WEIGHTS[0] * group.noise**2 * V),
    )
    c = proof.say(
        "so in the normal equations times `V` the ridge is `delta - 1`. With the effective weight",
        effective(group, weight),
    )
    limiting = proof.equal(
        "`V c_g` tends to `pi_g/sigma_g^2`, free of the weight", limit(V * c, V, oo), group.share / group.noise**2
    )
    proof.control(
        "and differs from it by `O(1/V) = O(lambda)`",
        limit(V * (V * c - limiting), V, oo),
        -group.share / (weight * group.noise**4),
    )
    proof.result = {"V_c": limiting, "lambda_V": RATIO - all_kept}
    return proof


def balanced_weights() -> Derivation:
    """om_g = c / (pi_g - c sigma_g^2 V) gives every group the same effective weight c."""
    proof = Derivation("Squared loss; `c sigma_g^2 V < pi_g` in every group.", sizes="two groups")
    group, c, om = GROUPS[0], *symbols("c omega", positive=True)
    sought = proof.say("The effective weight of a group should be `c`; it exceeds it by", effective(group, om) - c)
    weight = proof.equal(
        "which vanishes for the weight", solve(sought, om)[0], c / (group.share - c * group.noise**2 * V)
    )
    nu = proof.equal(
        "`nu`, with which `V` is explicit in `c`, is then",
        sum(g.noise**2 * effective(g, weight.subs({group.share: g.share, group.noise: g.noise})) for g in GROUPS),
        c * sum(g.noise**2 for g in GROUPS),
    )
    proof.control("With `n >> d` they are the inverse shares", weight.subs(V, 0), c / group.share)
    proof.result = {"weight": weight, "V": response(nu)}
    return proof
