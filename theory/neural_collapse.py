"""T6: NC1 (Papyan, Han & Donoho 2020), CDNV (Galanti, Gyorgy & Hutter 2022) and VCI (Xu & Liu 2023) in closed form."""

from __future__ import annotations

from sympy import Matrix, diag, eye, symbols

from .derivation import Derivation
from .least_squares import GROUPS, RHO, balanced_masses

M = Matrix(symbols("m1 m2 m3", real=True))
WITHIN = symbols("w1 w2 w3", positive=True)


def moments() -> Derivation:
    """Sigma_W = tau_n^2 S + tau_a^2 (1 - rho^2) mu_a mu_a' and Sigma_B = m m', m = mu_y + rho mu_a."""
    proof = Derivation("Two balanced classes, E a = 0, m_g = y mu_y + a mu_a, common S over all coordinates.")
    tau_n, tau_a = symbols("tau_n tau_a", nonnegative=True)
    mu_y, mu_a = Matrix(symbols("y1 y2", real=True)), Matrix(symbols("a1 a2", real=True))
    s11, s12, s22 = symbols("s11 s12 s22", real=True)
    covariance, half = Matrix([[s11, s12], [s12, s22]]), mu_y + RHO * mu_a
    within, means = Matrix.zeros(2, 2), {-1: Matrix.zeros(2, 1), 1: Matrix.zeros(2, 1)}
    for p, (y, a) in zip(balanced_masses(), GROUPS, strict=True):
        mean = y * half + tau_a * (y * mu_y + a * mu_a - y * half)
        means[y] += 2 * p * mean
        within += p * (tau_n**2 * covariance + (mean - y * half) * (mean - y * half).T)
    proof.equal("Collapse keeps the class mean at y m", means[1], half)
    centre = (means[1] + means[-1]) / 2
    between = sum(((mean - centre) * (mean - centre).T for mean in means.values()), Matrix.zeros(2, 2)) / 2
    proof.equal("Between classes", between, half * half.T)
    expected = tau_n**2 * covariance + tau_a**2 * (1 - RHO**2) * mu_a * mu_a.T
    proof.equal("Within classes", within.applyfunc(lambda x: x.expand()), expected.applyfunc(lambda x: x.expand()))
    proof.result = {"within_11": expected[0, 0], "within_12": expected[0, 1], "within_22": expected[1, 1]}
    return proof


def nc1_and_cdnv() -> Derivation:
    """NC1 = m'Sigma_W m / (2 |m|^4), CDNV = tr Sigma_W / (4 |m|^2); class collapse multiplies both by tau^2."""
    proof = Derivation("Two classes of equal weight with means +-m; any within-class covariances, Sigma_W their mean.")
    tau, between, length2 = symbols("tau", positive=True), M * M.T, M.dot(M)
    inverse = between / length2**2
    proof.equal("mm'/|m|^4 is the pseudo-inverse of Sigma_B = mm': B B+ B = B", between * inverse * between, between)
    proof.equal("B+ B B+ = B+", inverse * between * inverse, inverse)
    proof.equal("B B+ is symmetric, as is B+ B", between * inverse, (between * inverse).T)
    within = Matrix(3, 3, lambda i, j: symbols(f"c{min(i, j)}{max(i, j)}", real=True))
    nc1 = (M.T * within * M)[0] / (2 * length2**2)
    proof.equal("NC1 = tr(Sigma_W Sigma_B^+) / 2", (within * inverse).trace() / 2, nc1)
    lower = Matrix(3, 3, lambda i, j: symbols(f"l{min(i, j)}{max(i, j)}", real=True))
    upper = 2 * within - lower
    distance2 = (M - (-M)).dot(M - (-M))
    cdnv = within.trace() / (4 * length2)
    proof.equal(
        "CDNV = (tr Cov_+ + tr Cov_-) / (2 |mu_+ - mu_-|^2)", (upper.trace() + lower.trace()) / (2 * distance2), cdnv
    )
    collapsed = {entry: tau**2 * entry for entry in within.free_symbols}
    proof.equal("Class collapse scales Sigma_W by tau^2, so NC1 by tau^2", nc1.subs(collapsed), tau**2 * nc1)
    proof.equal("and CDNV by tau^2", cdnv.subs(collapsed), tau**2 * cdnv)
    proof.result = {"nc1": nc1, "cdnv": cdnv}
    return proof


def vci() -> Derivation:
    """VCI = 1 / (1 + m'Sigma_W^-1 m); tau^2 / (tau^2 + m'Sigma_W^-1 m) under class collapse."""
    proof = Derivation("Two classes of equal weight with means +-m; Sigma_W > 0, in its eigenbasis.")
    tau = symbols("tau", positive=True)
    within, between = diag(*WITHIN), M * M.T
    separation = (M.T * within.inv() * M)[0]
    inverse = within.inv() - within.inv() * between * within.inv() / (1 + separation)
    proof.equal("Sherman-Morrison inverts Sigma_T = Sigma_W + mm'", (within + between) * inverse, eye(3))
    index = 1 - (inverse * between).trace()
    proof.equal("VCI = 1 - tr(Sigma_T^-1 Sigma_B) / 1, the rank of Sigma_B being one", index, 1 / (1 + separation))
    collapsed = (1 / (1 + separation)).subs({w: tau**2 * w for w in WITHIN}, simultaneous=True)
    proof.equal("Class collapse scales Sigma_W by tau^2", collapsed, tau**2 / (tau**2 + separation))
    proof.result = {"vci": tau**2 / (tau**2 + separation)}
    return proof
