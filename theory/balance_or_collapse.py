"""T21 in the population limit: when the Shapley value of balance exceeds that of collapse, with T1's two coordinates.

Off, a switch is as in the ERM stage: masses of correlation rho, features collapsed towards the training centres. On,
balance has masses of correlation rho', 0 <= rho' < rho, and collapse leaves features untouched. All four cells are read
out on one law.
"""

from __future__ import annotations

from sympy import S, Symbol, diff, limit, oo, solve, sqrt, symbols

from .derivation import Derivation
from .least_squares import RHO
from .reliance import FIT, MU_C, MU_S, RIDGE, SIGMA_C, SIGMA_S, TAU_A, TAU_N, collapsed_reliance, worst_group
from .shapley import two_switches

FRESH = {TAU_A: 1, TAU_N: 1}
STRENGTH = symbols("S_a", positive=True)  # mu_s^2 / sigma_s^2
FACTOR = symbols("kappa", positive=True)  # (tau_a / tau_n)^2


def cells():
    """u_s/u_c with neither switch on, balance alone (0), collapse alone (1), and both (01)."""
    ratio = collapsed_reliance().result["ratio"]
    off = {FIT: RHO}
    return {"none": ratio.subs(off), "0": ratio, "1": ratio.subs(off | FRESH), "01": ratio.subs(FRESH)}


def larger_share() -> Derivation:
    """Balance's Shapley value less collapse's is v_0 - v_1: positive where balance alone leaves less reliance."""
    proof = Derivation(
        "Two switches and any outcome `v`; then `v` the WGA in T1's groups with one core and one spurious "
        "coordinate, balanced classes, ridge `lam >= 0`, `rho > rho' >= 0`."
    )
    shapley = two_switches().result
    difference = proof.equal(
        "What either switch does by itself decides: `v_0` with balance alone on, `v_1` with collapse alone",
        shapley["phi_0"] - shapley["phi_1"],
        Symbol("v_0") - Symbol("v_1"),
    )
    proof.control(
        "Where both leave as much, the shares are equal", difference.subs(Symbol("v_0"), Symbol("v_1")), S.Zero
    )
    reliance = cells()
    score = proof.say("The score `Phi^-1(WGA)` of a reliance `r >= 0`", worst_group().result["score"])
    r = symbols("r", nonnegative=True)
    proof.control(
        "falls as `r` grows",
        diff(score, r) * (SIGMA_C**2 + r**2 * SIGMA_S**2) ** S("3/2"),
        -(MU_S * SIGMA_C**2 + r * MU_C * SIGMA_S**2),
    )
    proof.cite(
        "and strictly: WGA is equal at equal reliances alone, and the less reliance the larger WGA",
        source="elementary (mean value theorem)",
        conditions="`mu_c, mu_s, sigma_c, sigma_s > 0`, `r >= 0` and there is no bias",
    )
    fresh = SIGMA_S**2 + (1 - RHO**2) * MU_S**2 + RIDGE
    collapsed = TAU_N**2 * SIGMA_S**2 + TAU_A**2 * (1 - FIT**2) * MU_S**2 + RIDGE
    excess = proof.equal(
        "so the difference has the sign of what collapse alone leaves of the reliance, less what balance alone leaves",
        difference.subs({Symbol("v_0"): -reliance["0"], Symbol("v_1"): -reliance["1"]}),
        MU_S
        / MU_C
        * (
            RHO * (SIGMA_C**2 + RIDGE) / fresh
            - (FIT + (1 - TAU_A) * (RHO - FIT)) * (TAU_N**2 * SIGMA_C**2 + RIDGE) / collapsed
        ),
    )
    proof.result = {f"score_{key}": score.subs(r, value) for key, value in reliance.items()} | {"excess": excess}
    return proof


def under_class_collapse() -> Derivation:
    """tau_a = tau_n, no ridge: balance has the larger share, always; collapse acts through the balanced cells alone."""
    proof = Derivation("As for the larger share, `tau_a = tau_n = tau <= 1`, no ridge.")
    tau = symbols("tau", positive=True)
    uniform = {TAU_A: tau, TAU_N: tau, RIDGE: 0}
    reliance = {key: value.subs(uniform) for key, value in cells().items()}
    proof.control("At the training masses collapse does nothing (T5)", reliance["none"], reliance["1"])
    scale = MU_S * SIGMA_C**2 / MU_C
    first, second = (SIGMA_S**2 + (1 - x**2) * MU_S**2 for x in (RHO, FIT))
    left = proof.equal(
        "At other masses it does: the centres are not theirs, and collapse brings the training correlation back",
        reliance["0"] - reliance["01"],
        (1 - tau) * (RHO - FIT) * scale / second,
    )
    gained = proof.equal("Together they save", reliance["none"] - reliance["01"], scale * (RHO / first - FIT / second))
    excess = proof.equal(
        "Balance alone saves that less what is left. Both terms are positive, as the spread of the spurious "
        "coordinate in a class falls with `rho`",
        gained - left,
        scale * (RHO * (RHO**2 - FIT**2) * MU_S**2 / (first * second) + tau * (RHO - FIT) / second),
    )
    proof.control(
        "It is the difference of the shares of the reliance saved",
        larger_share().result["excess"].subs(uniform),
        excess,
    )
    proof.result = {"excess": excess, "left": left}
    return proof


def under_unequal_collapse() -> Derivation:
    """rho' = 0, no ridge: collapse wins iff S_a ((1 - tau_a)(1 - rho^2) - (tau_a/tau_n)^2) > tau_a."""
    proof = Derivation("As for the larger share, groups balanced, `rho' = 0`, no ridge.")
    excess = larger_share().result["excess"].subs({FIT: 0, RIDGE: 0})
    fresh, collapsed = 1 + (1 - RHO**2) * STRENGTH, 1 + FACTOR * STRENGTH
    at = {TAU_N: TAU_A / FACTOR**S.Half, MU_S: SIGMA_S * STRENGTH**S.Half}
    scale = RHO * MU_S * SIGMA_C**2 / (MU_C * SIGMA_S**2)
    margin = proof.equal(
        "With `kappa = (tau_a/tau_n)^2` and `S_a = mu_s^2/sigma_s^2` the excess is, in positive units,",
        (excess / scale).subs(at) * fresh * collapsed,
        TAU_A - STRENGTH * ((1 - TAU_A) * (1 - RHO**2) - FACTOR),
    )
    flip = proof.equal(
        "It changes sign at one `S_a`, if `(1 - tau_a)(1 - rho^2) > kappa`, and never else",
        solve(margin, STRENGTH)[0],
        TAU_A / ((1 - TAU_A) * (1 - RHO**2) - FACTOR),
    )
    proof.control(
        "Class collapse, `kappa = 1`: no such `S_a`, the margin is a sum of positive terms",
        margin.subs(FACTOR, 1),
        TAU_A + STRENGTH * (TAU_A * (1 - RHO**2) + RHO**2),
    )
    proof.control(
        "Attributes erased, `tau_a -> 0` at fixed `tau_n`: collapse wins, for there is nothing left to balance",
        limit(margin.subs(FACTOR, (TAU_A / TAU_N) ** 2), TAU_A, 0),
        -STRENGTH * (1 - RHO**2),
    )
    proof.control("Group collapse, `tau_a = 1`: balance wins", margin.subs(TAU_A, 1), 1 + FACTOR * STRENGTH)
    proof.result = {"margin": margin, "flip": flip}
    return proof


def under_ridge() -> Derivation:
    """rho' = 0, class collapse, a ridge: for small tau collapse wins iff sigma_s^2 + (1 - rho^2) mu_s^2 > sigma_c^2."""
    proof = Derivation("As for the larger share, groups balanced, `rho' = 0`, `tau_a = tau_n = tau`, ridge `lam > 0`.")
    tau, strength = symbols("tau lambda", positive=True)
    excess = larger_share().result["excess"].subs({FIT: 0, TAU_A: tau, TAU_N: tau, RIDGE: strength})
    core, spurious = SIGMA_C**2, SIGMA_S**2 + (1 - RHO**2) * MU_S**2
    scale = proof.say("In units of the reliance of the class-mean difference,", RHO * MU_S / MU_C)
    margin = proof.equal(
        "the excess is",
        excess / scale,
        (core + strength) / (spurious + strength)
        - (1 - tau) * (tau**2 * core + strength) / (tau**2 * (SIGMA_S**2 + MU_S**2) + strength),
    )
    proof.control(
        "Without collapse balance alone matters", margin.subs(tau, 1), (core + strength) / (spurious + strength)
    )
    full = proof.equal(
        "Under full collapse the sign is that of the core's variance in a class less the spurious coordinate's: where "
        "the latter is the wider, strong collapse has the larger share",
        limit(margin, tau, 0),
        (core - spurious) / (spurious + strength),
    )
    equal = proof.equal(
        "Where the two are equal, that limit is zero: the excess is `tau` to leading order, and balance has the larger "
        "share",
        limit(margin.subs(SIGMA_C, sqrt(spurious)) / tau, tau, 0),
        S.One,
    )
    proof.control("Under a large ridge balance wins", limit(margin, strength, oo), tau)
    proof.result = {"margin": margin, "full_collapse": full, "equal_variances": equal * tau}
    return proof
