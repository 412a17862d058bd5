"""T4: the collapse map keeps Gaussian groups Gaussian, and class means where they are."""

from __future__ import annotations

from sympy import symbols

from .derivation import Derivation
from .gaussian import expectation


def collapsed_groups() -> Derivation:
    """x' = c + tau_a (m - c) + tau_n (x - m): mean c + tau_a (m - c), covariance tau_n^2 S; c is the class mean."""
    proof = Derivation(
        "A class of two groups with shares `P` and `1 - P`, centre `c = P m1 + (1 - P) m2`; `x = m + s G + t H` with "
        "`G`, `H` independent standard normals stands for any covariance.",
        sizes="two groups a class, one coordinate",
    )
    tau_n, tau_a = symbols("tau_n tau_a", nonnegative=True)
    share, first, second, mean, centre = symbols("P m1 m2 m c", real=True)
    s, t, *normals = symbols("s t G H", real=True)
    spread = s * normals[0] + t * normals[1]
    moved = proof.say(
        "A point goes to, the noise about its group's mean apart from the mean itself,",
        centre + tau_a * (mean - centre) + tau_n * spread,
    )
    kept = proof.equal("Its mean", expectation(moved, normals), centre + tau_a * (mean - centre))
    covariance = proof.equal("and covariance", expectation((moved - kept) ** 2, normals), tau_n**2 * (s**2 + t**2))
    class_mean = share * first + (1 - share) * second
    proof.control(
        "The class mean stays, for one `tau_a` a class",
        (share * kept.subs(mean, first) + (1 - share) * kept.subs(mean, second)).subs(centre, class_mean),
        class_mean,
    )
    proof.result = {"mean": kept, "covariance": covariance, "centre": class_mean}
    return proof
