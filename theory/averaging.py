"""T8 for two heads at once: how the noise parts of heads on overlapping samples are correlated."""

from __future__ import annotations

from sympy import Matrix, S, solve, sqrt, symbols

from .derivation import Derivation
from .gaussian import expectation


def shared_rows() -> Derivation:
    """v_1'v_2 = delta sum_g pi_g f_g sigma_g^2 E[M'(a_1) M'(a_2)] / (lambda + nu)^2; |mean of K heads|."""
    proof = Derivation(
        "Two heads of one law, a share f_g of one's rows in the other; isotropic noise. A cavity argument: without "
        "noise coordinate j the margins are independent of that coordinate, and its effect on them is small."
    )
    weight, ridge, nu, field, ratio = symbols("v_j lambda nu xi delta", real=True)
    found = solve(ridge * weight + nu * weight + field, weight)[0]
    proof.equal(
        "In coordinate j the slope is lambda v_j + (1/n) sum y_i z_ij M'(a_i); a_i moves by y_i z_ij v_j, and M' by "
        "M'' times that, nu v_j in all: v_j is minus the field that is left without it over lambda + nu",
        found,
        -field / (ridge + nu),
    )
    noise, first, second = symbols("sigma M1 M2", real=True)
    x, y = normals = symbols("x y", real=True)
    rows = [(noise * x * first, noise * x * second), (noise * y * first, S.Zero)]  # one shared row, one of one head's
    sums = [sum(row[head] for row in rows) for head in (0, 1)]
    proof.equal(
        "The field is (1/n) sum y_i sigma_g x_ij M'(a_i): two heads' fields correlate by their shared rows alone",
        expectation(sums[0] * sums[1], normals),
        noise**2 * first * second,
    )
    proof.say("Over d coordinates and n rows, d/n^2 times a sum over n f rows: delta sum_g pi_g f_g sigma_g^2 E M' M'")
    p1, p2, f1, f2, e1, e2 = symbols("pi1 pi2 f1 f2 product_1 product_2", positive=True)
    n1, n2, s1, s2 = symbols("sigma1 sigma2 square_1 square_2", positive=True)
    overlap = ratio * (p1 * f1 * n1**2 * e1 + p2 * f2 * n2**2 * e2) / (ridge + nu) ** 2
    itself = overlap.subs({f1: 1, f2: 1, e1: s1, e2: s2})
    proof.equal(
        "A head with itself, f = 1: q^2 of T8", itself, ratio * (p1 * n1**2 * s1 + p2 * n2**2 * s2) / (ridge + nu) ** 2
    )
    proof.equal("Rows drawn anew, f = 0: no overlap", overlap.subs({f1: 0, f2: 0}), S.Zero)
    norm, cosine = symbols("q cosine", positive=True)
    for heads in (2, 3):
        gram = norm**2 * Matrix(heads, heads, lambda i, j: S.One if i == j else cosine)
        proof.equal(
            f"The squared length of the mean of {heads} heads",
            sum(gram) / heads**2,
            norm**2 * (1 + (heads - 1) * cosine) / heads,
        )
    count = symbols("K", positive=True)
    proof.result = {"cosine": overlap / itself, "mean_norm": norm * sqrt((1 + (count - 1) * cosine) / count)}
    return proof
