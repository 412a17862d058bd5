"""T8: the law of a fit's own margins, the proxes P of Gaussian arguments a = mean + s G, and what a fit sees of it."""

from __future__ import annotations

from sympy import Rational, S, diff, exp, log, oo, solve, symbols

from .derivation import Derivation
from .envelopes import MEAN, SPREAD, WEIGHT, T
from .gaussian import Cdf, Density, X, in_numbers, truncated_expectation

M = symbols("m", real=True)
LOADED = T * WEIGHT
KAPPA = symbols("kappa", positive=True)


def argument(loss):
    """a(m) = m + t om l'(m), the argument whose prox is m."""
    return M + LOADED * diff(loss, M)


def below(a):
    """P(a row's argument is below a)."""
    return Cdf((a - MEAN) / SPREAD)


def smooth_losses() -> Derivation:
    """Density phi((a(m) - mean)/s) a'(m)/s with a(m) = m + t om l'(m), for losses without a kink in l'."""
    proof = Derivation("`l` convex and differentiable, so that `a(m)` grows; `a = mean + s G` (T8).")
    scale, shift = symbols("scale shift", real=True)
    losses = {
        "logistic": log(1 + exp(shift - scale * M)),
        "squared": (1 - M) ** 2 / 2,
        "squared_hinge": (1 - M) ** 2 / 2,
    }
    slopes = {
        "logistic": -scale * LOADED / (1 + exp(scale * M - shift)),
        "squared": LOADED * (M - 1),
        "squared_hinge": LOADED * (M - 1),
    }
    for name, loss in losses.items():
        at = proof.equal(f"{name}: the argument of a margin", argument(loss), M + slopes[name])
        mass = proof.say("`P <= m` where `a <= a(m)`, as the prox grows with its argument: its distribution", below(at))
        stretch = proof.equal("`a(m)` has the slope `1 + t om l''`", diff(at, M), 1 + LOADED * diff(loss, M, 2))
        density = proof.equal(
            "and the density is the derivative", diff(mass, M), Density((at - MEAN) / SPREAD) * stretch / SPREAD
        )
        proof.result[name] = in_numbers(density)
    flat = proof.equal("Above its kink the squared hinge is flat, and `P = a`", argument(S.Zero), M)
    proof.result["untouched"] = in_numbers(diff(below(flat), M))
    return proof


def kinks() -> Derivation:
    """A kink at kappa holds the share of rows whose argument it draws: an atom of the margins' law."""
    proof = Derivation(
        "Hinge, kink at 1, and hard margin, kink at `kappa`; arguments between two have the kink as their prox."
    )
    hinge = argument(1 - M)
    lowest = proof.equal(
        "Hinge: below the kink the argument of `m` is `m - t om`, at the kink", hinge.subs(M, 1), 1 - LOADED
    )
    highest = proof.equal("and above it `m`", argument(S.Zero).subs(M, 1), S.One)
    atom = proof.equal(
        "The arguments between have their prox at the kink",
        below(highest) - below(lowest),
        below(1) - below(1 - LOADED),
    )
    proof.control("With the densities on both sides that is all rows", below(lowest) + atom + 1 - below(highest), S.One)
    density = proof.equal(
        "Below the kink the density is that of `a` at `m - t om`",
        diff(below(hinge), M),
        Density((hinge - MEAN) / SPREAD) / SPREAD,
    )
    hard = proof.say("A hard margin draws every argument below it: no row is below `kappa`", below(KAPPA))
    proof.control("and the others stay where they are", hard + (1 - below(KAPPA)), S.One)
    proof.result = {"hinge_atom": in_numbers(atom), "hinge_density": in_numbers(density), "hard_atom": in_numbers(hard)}
    return proof


def averages() -> Derivation:
    """Training accuracy Phi((mean - t om l'(0))/s), E l(P) and E l''(P) in Phi and phi."""
    proof = Derivation("As for the law; three losses have closed forms, the logistic one is integrated by quadrature.")
    scale, shift = symbols("scale shift", real=True)
    logistic = log(1 + exp(shift - scale * M))
    for name, loss in {"logistic": logistic, "squared": (1 - M) ** 2 / 2, "hinge": 1 - M}.items():
        zero = proof.say(f"{name}: a row is right if its argument is above that of zero", argument(loss).subs(M, 0))
        right = proof.equal(
            "so the training accuracy is", 1 - below(zero), 1 - below(LOADED * diff(loss, M).subs(M, 0))
        )
        proof.result[f"{name}_accuracy"] = in_numbers(right)
    a = symbols("a", real=True)
    miss = {}
    for name, loss in {"hinge": 1 - M, "squared": (1 - M) ** 2 / 2}.items():
        prox = solve(argument(loss) - a, M)[0]
        miss[name] = proof.equal(
            f"{name}: by how much a fitted margin misses 1, below it",
            1 - prox,
            {"hinge": 1 - LOADED - a, "squared": (1 - a) / (1 + LOADED)}[name],
        )
    gap, top = (1 - LOADED - MEAN) / SPREAD, (1 - MEAN) / SPREAD
    for name, sentence, value, end, printed in (
        (
            "hinge",
            "The hinge's mean loss: a truncated first moment",
            miss["hinge"],
            gap,
            SPREAD * (gap * Cdf(gap) + Density(gap)),
        ),
        (
            "squared",
            "The squared loss's: its second moment about 1, shrunk",
            miss["squared"] ** 2 / 2,
            oo,
            ((1 - MEAN) ** 2 + SPREAD**2) / (2 * (1 + LOADED) ** 2),
        ),
        (
            "squared_hinge",
            "and the squared hinge's: half a truncated second moment",
            miss["squared"] ** 2 / 2,
            top,
            Rational(1, 2)
            * (((1 - MEAN) ** 2 + SPREAD**2) * Cdf(top) + (1 - MEAN) * SPREAD * Density(top))
            / (1 + LOADED) ** 2,
        ),
    ):
        proof.result[f"{name}_loss"] = proof.equal(
            sentence, truncated_expectation(value.subs(a, MEAN + SPREAD * X), -oo, end), printed
        )
    proof.result["squared_hinge_curvature"] = truncated_expectation(diff((1 - M) ** 2 / 2, M, 2), -oo, top)
    proof.result = {name: in_numbers(value) for name, value in proof.result.items()}
    return proof
