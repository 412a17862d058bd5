"""T7: a head that was fitted on collapsed features, read out on features that collapse otherwise or not at all."""

from __future__ import annotations

from sympy import Matrix, expand, limit, sqrt, symbols

from .collapse import collapsed_groups
from .derivation import Derivation
from .readout import accuracy, normal_cdf


def readout_on_another_law() -> Derivation:
    """acc_g of T0 with the means and covariances of T4 for the test law, at the head of the training law."""
    proof = Derivation(
        "Training and test features differ by T4 alone, about the same class centres `c`; `tau_a`, `tau_n` "
        "are the test law's. The head is a function of training rows, which the test row is independent of.",
        sizes="two signal coordinates",
    )
    u, mean, centre = (Matrix(symbols(f"{name}1 {name}2", real=True)) for name in "umc")
    l11, l22 = symbols("l11 l22", positive=True)
    root = Matrix([[l11, 0], [symbols("l21", real=True), l22]])
    label, bias, q = symbols("y b q", real=True)
    noise, tau_n = symbols("sigma tau_n", positive=True)
    tau_a = symbols("tau_a", nonnegative=True)
    law = collapsed_groups().result
    m, c, s, t = symbols("m c s t", real=True)
    collapse_a, collapse_n = symbols("tau_a tau_n", nonnegative=True)
    moved = Matrix([law["mean"].subs({m: mean[i], c: centre[i], collapse_a: tau_a}) for i in range(2)])
    at_test = proof.equal(
        "Given the head, the test row's logit is Gaussian, with the mean of the collapsed centre, without the bias,",
        u.dot(moved),
        u.dot(centre) + tau_a * u.dot(mean - centre),
    )
    along = root.T * u  # of independent normals, as s G + t H in T4
    variance = proof.equal(
        "and the variance of the signal `tau_n^2 u'S u`, as T4's for one coordinate, along `u`;",
        law["covariance"].subs({s: along[0], t: along[1], collapse_n: tau_n}),
        expand(tau_n**2 * (u.T * root * root.T * u)[0]),
    )
    of_t0 = {symbols("mu", real=True): at_test, symbols("s2", real=True): variance, noise: tau_n * noise}
    spread = sqrt((u.T * root * root.T * u)[0] + noise**2 * q**2)
    told = proof.equal(
        "with noise `tau_n sigma`, T0 gives the accuracy, of which the head's own collapse is no part",
        accuracy().result["accuracy"].subs(of_t0, simultaneous=True),
        normal_cdf(label * (at_test + bias) / (tau_n * spread)),
    )
    own = (at_test.subs(tau_a, tau_n) + bias) / tau_n
    proof.control(
        "On its own law a head seems better and better as that collapses, `tau_a = tau_n`: the score grows as `1/tau`",
        limit(own * tau_n, tau_n, 0),
        u.dot(centre) + bias,
    )
    proof.result = {"accuracy": told}
    return proof
