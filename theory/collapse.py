"""T4: the collapse map keeps Gaussian groups Gaussian, and class means where they are."""

from __future__ import annotations

from sympy import symbols

from .derivation import Derivation


def collapsed_groups() -> Derivation:
    """x' = c + tau_a (m - c) + tau_n (x - m): mean c + tau_a (m - c), covariance tau_n^2 S; c is the class mean."""
    proof = Derivation(
        "A class of two groups with shares P and 1 - P, centre c = P m1 + (1 - P) m2; x = m + s G + t H."
    )
    tau_n, tau_a = symbols("tau_n tau_a", nonnegative=True)
    share, first, second, mean, centre = symbols("P m1 m2 m c", real=True)
    s, t, g, h = symbols("s t G H", real=True)  # the spread s G + t H stands for any covariance
    moved = centre + tau_a * (mean - centre) + tau_n * (mean + s * g + t * h - mean)
    expected = centre + tau_a * (mean - centre)
    proof.equal("E G = E H = 0: the mean", moved.subs({g: 0, h: 0}), expected)
    # Second moments of independent standard normals: E G^2 = E H^2 = 1, E G H = 0.
    square = ((moved - expected) ** 2).expand()
    variance = square.coeff(g, 2).coeff(h, 0) + square.coeff(h, 2).coeff(g, 0)
    proof.equal("The covariance", variance, tau_n**2 * (s**2 + t**2))
    class_mean = share * first + (1 - share) * second
    kept = share * expected.subs(mean, first) + (1 - share) * expected.subs(mean, second)
    proof.equal("The class mean stays for one tau_a a class", kept.subs(centre, class_mean), class_mean)
    proof.result = {"mean": expected, "covariance": tau_n**2 * (s**2 + t**2), "centre": class_mean}
    return proof
