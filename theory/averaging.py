"""T8 for two heads at once: how the noise parts of heads on overlapping samples are correlated."""

from __future__ import annotations

from sympy import Matrix, S, solve, sqrt, symbols

from .derivation import Derivation
from .gaussian import expectation


def shared_rows() -> Derivation:
    """v_1'v_2 = delta sum_g pi_g f_g sigma_g^2 E[M'(a_1) M'(a_2)] / (lambda + nu)^2; |mean of K heads|."""
    proof = Derivation(
        "Two heads of one law, a share `f_g` of one's rows in the other; isotropic noise.",
        sizes="two groups, one row of each kind",
    )
    proof.cite(
        "The cavity: without noise coordinate `j` the margins are independent of that coordinate, and with it each "
        "moves by its own share alone, to leading order",
        source="Loureiro et al. 2022 (2201.13383)",
        conditions="the noise is Gaussian and isotropic and `n, d -> infinity` at fixed `d/n`; the remainder is not "
        "bounded here, and simulation checks what follows",
    )
    weight, ridge, nu, field, ratio = symbols("v_j lambda nu xi delta", real=True)
    found = proof.equal(
        "In coordinate `j` the slope is `lambda v_j + (1/n) sum_i y_i z_ij M'(a_i)`; `a_i` moves by `y_i z_ij v_j`, "
        "and `M'` by `M''` times that, `nu v_j` in all: `v_j` is minus the field `xi` that is left without it, over "
        "`lambda + nu`",
        solve(ridge * weight + nu * weight + field, weight)[0],
        -field / (ridge + nu),
    )
    noise, first, second = symbols("sigma M1 M2", real=True)
    x, y = normals = symbols("x y", real=True)
    rows = [(noise * x * first, noise * x * second), (noise * y * first, S.Zero)]  # one shared row, one of one head's
    sums = [sum(row[head] for row in rows) for head in (0, 1)]
    shared = proof.equal(
        "The field is `(1/n) sum_i y_i sigma_g x_ij M'(a_i)`: two heads' fields correlate by their shared rows alone",
        expectation(sums[0] * sums[1], normals),
        noise**2 * first * second,
    )
    shares, kept, products, squares, noises = (
        symbols(f"{name}1:3", positive=True) for name in ("pi", "f", "product_", "square_", "sigma")
    )
    correlation = sum(
        p * f * (shared / (first * second)).subs(noise, deviation) * product
        for p, f, deviation, product in zip(shares, kept, noises, products, strict=True)
    )
    overlap = proof.say(
        "Over `d` coordinates and `n` rows, `d/n^2` times a sum over `n f_g` rows of each group: `v_1'v_2` is",
        ratio * correlation * (found / field) ** 2,
    )
    itself = proof.equal(
        "A head with itself, `f_g = 1`: `q^2`",
        overlap.subs({**dict.fromkeys(kept, 1), **dict(zip(products, squares, strict=True))}),
        ratio * sum(p * s**2 * e for p, s, e in zip(shares, noises, squares, strict=True)) / (ridge + nu) ** 2,
    )
    proof.control("Rows drawn anew, `f_g = 0`: no overlap", overlap.subs(dict.fromkeys(kept, 0)), S.Zero)
    norm, cosine, count = symbols("q cosine K", positive=True)
    mean_square = proof.say(
        "The squared length of the mean of `K` heads, of `K` products with themselves and `K (K - 1)` with others",
        norm**2 * (count + count * (count - 1) * cosine) / count**2,
    )
    length = proof.equal("so that its length is", sqrt(mean_square), norm * sqrt((1 + (count - 1) * cosine) / count))
    for heads in (2, 3):
        gram = norm**2 * Matrix(heads, heads, lambda i, j: S.One if i == j else cosine)
        proof.control(f"The mean of {heads} heads", sum(gram) / heads**2, mean_square.subs(count, heads))
    proof.result = {"cosine": overlap / itself, "mean_norm": length}
    return proof
