"""T5 beyond the squared loss: class collapse turns the head only where classes have groups, and by one number kappa.

From the population objective of T2, whose gradient is that of T8 at V = q = 0; E l', E l'' are expectations over the
Gaussian margin of a group.
"""

from __future__ import annotations

from sympy import Function, Matrix, S, Symbol, diff, exp, limit, oo, series, solve, sqrt, symbols, together

from .derivation import Derivation
from .envelopes import expected, named
from .gaussian import X
from .least_squares import RHO
from .limits import population
from .proportional import GROUPS, RIDGE, U
from .reliance import MU_C, MU_S, SIGMA_C, SIGMA_S, TAU_A, TAU_N

FACTOR = symbols("kappa", positive=True)


def one_group_a_class() -> Derivation:
    """One Gaussian a class, one covariance S: every convex loss has the direction S^-1 Delta, at every tau."""
    proof = Derivation(
        "One group a class, `y = -1` and `y = 1`; class collapse `S_g -> tau^2 S_g`; any convex loss; no ridge.",
        sizes="two signal coordinates",
    )
    tau = symbols("tau", positive=True)
    first, second = GROUPS
    of_t2 = population().result
    at = {RIDGE: 0, first.label: -1, second.label: 1}
    gradient = proof.say(
        "The gradient of the population objective in `u` and `b`",
        Matrix([of_t2[f"gradient_{i}"] for i in (1, 2, 3)]).subs(at),
    )
    slopes = [Symbol(f"slope_{g.index}", real=True) for g in GROUPS]
    bends = [Symbol(f"curvature_{g.index}", real=True) for g in GROUPS]
    balance = solve(gradient[2], slopes[0])[0]
    in_u = proof.equal(
        "The bias makes both classes pull as hard: what is left in `u` is a pull along `Delta = m_+ - m_-` and spread",
        gradient[:2, :].subs(slopes[0], balance),
        second.share * slopes[1] * (second.mean - first.mean)
        + sum((g.share * bend * g.covariance * U for g, bend in zip(GROUPS, bends, strict=True)), Matrix.zeros(2, 1)),
    )
    s11, s12, s22 = symbols("s11 s12 s22", real=True)
    common = Matrix([[s11, s12], [s12, s22]])
    entries = ((0, 0), (0, 1), (1, 1))
    one = {g.covariance[i, j]: tau**2 * common[i, j] for g in GROUPS for i, j in entries}
    bend = first.share * bends[0] + second.share * bends[1]
    in_common = in_u.subs(one)
    nowhere = dict.fromkeys(U, 0)
    head = proof.equal(
        "With one covariance `S` it vanishes at a head along `S^-1 Delta`",
        -in_common.jacobian(U).inv() * in_common.subs(nowhere),
        -second.share * slopes[1] / (bend * tau**2) * common.inv() * (second.mean - first.mean),
    )
    direction = common.inv() * (second.mean - first.mean)
    slope = proof.equal("Neither loss nor `tau` turn it", head[1] / head[0], direction[1] / direction[0])
    shares = symbols("k1 k2", positive=True)
    each = {g.covariance[i, j]: tau**2 * g.covariance[i, j] for g in GROUPS for i, j in entries}
    mixed = sum((k * g.covariance for k, g in zip(shares, GROUPS, strict=True)), Matrix.zeros(2, 2))
    proof.control(
        "With two covariances it is `(k_1 S_1 + k_2 S_2)^-1 Delta`, `k_g` the shares of the curvature `pi_g E "
        "l''`, which the squared loss alone fixes",
        in_u.subs(each).subs(
            {b: k / g.share for b, k, g in zip(bends, shares, GROUPS, strict=True)}, simultaneous=True
        ),
        second.share * slopes[1] * (second.mean - first.mean) + tau**2 * mixed * U,
    )
    proof.result = {"slope": slope}
    return proof


def any_loss() -> Derivation:
    """u_s/u_c = rho (mu_s/mu_c) sigma_c^2 / (sigma_s^2 + kappa (tau_a/tau_n)^2 (1 - rho^2) mu_s^2), any convex loss."""
    proof = Derivation(
        "T5's core and spurious coordinate, balanced classes, `E a = 0`, no ridge; `kappa` is `E l'` of a majority row "
        "less that of a minority row, over what their mean margins differ by times the mean of `E l''`."
    )
    core, spurious = symbols("u_c u_s", real=True)
    spread = TAU_N * sqrt(SIGMA_C**2 * core**2 + SIGMA_S**2 * spurious**2)
    shares, means = [(1 + RHO) / 2, (1 - RHO) / 2], []
    for side in (1, -1):
        means.append(MU_C * core + MU_S * spurious * (RHO + TAU_A * (side - RHO)))
    value = sum(
        p * expected("envelope", i, mean, spread, S.Zero) for i, (p, mean) in enumerate(zip(shares, means, strict=True))
    )
    proof.cite(
        "`x -> -x` exchanges the classes, so `b = 0`, and two margins are left",
        source="elementary (symmetry)",
        conditions="the objective has one minimiser, as it has where it is strictly convex in `(u, b)`",
    )
    slopes = [Symbol(f"slope_{i}", real=True) for i in (0, 1)]
    bend = symbols("nu", positive=True)  # the mean of E l''
    curvatures = {Symbol("curvature_0", real=True): bend, Symbol("curvature_1", real=True): bend}
    first = named(Matrix([diff(value, core), diff(value, spurious)])).subs(curvatures)
    average = shares[0] * slopes[0] + shares[1] * slopes[1]
    gradient = proof.equal(
        "Its gradient",
        first,
        Matrix(
            [
                MU_C * average + TAU_N**2 * SIGMA_C**2 * bend * core,
                MU_S * (RHO * average + TAU_A * (1 - RHO**2) / 2 * (slopes[0] - slopes[1]))
                + TAU_N**2 * SIGMA_S**2 * bend * spurious,
            ]
        ),
    )
    gap = proof.equal(
        "The mean margins of majority and minority differ by", means[0] - means[1], 2 * TAU_A * MU_S * spurious
    )
    stationary = gradient.subs(slopes[0], slopes[1] + FACTOR * gap * bend)
    found = solve(list(stationary), [slopes[1], spurious], dict=True)[0]
    ratio = proof.equal(
        "Write the difference of the slopes with `kappa`. Both equations are linear, and the loss has left "
        "but for `kappa`",
        found[spurious] / core,
        RHO * MU_S / MU_C * SIGMA_C**2 / (SIGMA_S**2 + FACTOR * (TAU_A / TAU_N) ** 2 * (1 - RHO**2) * MU_S**2),
    )
    mean_margin = symbols("m", real=True)
    slope = mean_margin - 1
    proof.control(
        "For the squared loss `E l'` is linear in the mean margin and `E l''` one: `kappa = 1` at every `tau`",
        (slope.subs(mean_margin, means[0]) - slope.subs(mean_margin, means[1])) / gap,
        S.One,
    )
    proof.control(
        "At `|rho| = 1` a class has one group: any `kappa`, the direction of one Gaussian a class",
        ratio.subs(RHO, 1),
        MU_S / MU_C * SIGMA_C**2 / SIGMA_S**2,
    )
    proof.control("At `rho = 0` no loss relies on the attribute", ratio.subs(RHO, 0), S.Zero)
    proof.result = {"ratio": ratio}
    return proof


def exponential_loss() -> Derivation:
    """The exponential loss turns: d(u_s/u_c)/d tau has the sign of D E'(D) - E(D), which changes with D."""
    proof = Derivation(
        "As for any loss, `l = e^-m`, `tau_a = tau_n = tau`, `0 < rho < 1`; `p = (1 + rho)/2` the majority."
    )
    mean, spread, tau = symbols("mean", real=True), symbols("s", positive=True), symbols("tau", positive=True)
    shifted = proof.equal(
        "Under `phi` the exponent of the loss shifts the normal by `-s`, so that its expectation is what else is there",
        -mean - spread * X - X**2 / 2,
        (spread**2 / 2 - mean) - (X + spread) ** 2 / 2,
    )
    value = proof.say("`E l`, of which `E l'` is minus and `E l''` plus the same", exp(shifted.subs(X, -spread)))
    gap, share = symbols("D", positive=True), (1 + RHO) / 2  # the difference of the mean margins
    of_majority, of_minority = value.subs(mean, mean + gap), value
    average = share * of_majority + (1 - share) * of_minority
    grown = proof.equal(
        "`kappa D = (e^D - 1)/(p + (1 - p) e^D)`, to be called `E(D)`",
        (of_minority - of_majority) / average,
        (exp(gap) - 1) / (share + (1 - share) * exp(gap)),
    )
    core, ratio = symbols("u_c r", positive=True)
    # In the core's equation the mean of E l' is minus that of E l''.
    core_weight = proof.equal(
        "The core's equation gives `u_c`",
        solve(-MU_C + tau**2 * SIGMA_C**2 * core, core)[0],
        MU_C / (tau**2 * SIGMA_C**2),
    )
    of_gap = proof.equal(
        "so that `u_s/u_c` is `D tau` in units of its own",
        solve(2 * tau * MU_S * ratio * core_weight - gap, ratio)[0],
        SIGMA_C**2 * tau * gap / (2 * MU_C * MU_S),
    )
    total = SIGMA_S**2 + FACTOR * (1 - RHO**2) * MU_S**2
    equation = any_loss().result["ratio"].subs({TAU_A: tau, TAU_N: tau})
    E = Function("E")(gap)
    one_unknown = proof.equal(
        "The reliance for any loss is then one equation for `D`",
        ((of_gap - equation) * total * 2 * MU_C * MU_S / SIGMA_C**2).subs(FACTOR, E / gap),
        tau * (SIGMA_S**2 * gap + (1 - RHO**2) * MU_S**2 * E) - 2 * RHO * MU_S**2,
    )
    proof.control(
        "`E` grows, so the root is unique and falls as `tau` grows",
        diff(grown, gap),
        exp(gap) / (share + (1 - share) * exp(gap)) ** 2,
    )
    rise = -diff(one_unknown, tau) / diff(one_unknown, gap)
    turning = proof.equal(
        "Implicit differentiation: `d(u_s/u_c)/d tau` is a positive number times `D E' - E = D^2 d kappa/dD`",
        diff(of_gap, tau) + diff(of_gap, gap) * rise,
        SIGMA_C**2
        / (2 * MU_C * MU_S)
        * (1 - RHO**2)
        * MU_S**2
        * (gap * diff(E, gap) - E)
        / (SIGMA_S**2 + (1 - RHO**2) * MU_S**2 * diff(E, gap)),
    )
    proof.control(
        "It is `rho D^2 / 2` at a small `D`: there collapse lowers the reliance",
        series(gap * diff(grown, gap) - grown, gap, 0, 3).removeO(),
        RHO * gap**2 / 2,
    )
    x = symbols("x", positive=True)  # e^-D
    in_x = together(grown.subs(exp(gap), 1 / x))
    in_slope = -x * diff(in_x, x)
    proof.control(
        "At a large `D` the term `D E'` vanishes as `D e^-D` does",
        (in_slope / x).subs(x, 0) * limit(gap * exp(-gap), gap, oo),
        S.Zero,
    )
    proof.control(
        "and what is left is `-2/(1 - rho)`: there collapse raises the reliance", -in_x.subs(x, 0), -2 / (1 - RHO)
    )
    proof.result = {
        "equation": one_unknown.subs(E, grown),
        "ratio": of_gap,
        "slope": turning.subs(E, grown).doit(),
    }
    return proof
