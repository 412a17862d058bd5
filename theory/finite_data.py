"""T6: what the metrics of collapse tend to on data, whose class means are estimated from the same rows."""

from __future__ import annotations

from sympy import Matrix, S, limit, oo, symbols

from .derivation import Derivation
from .gaussian import expectation
from .neural_collapse import WITHIN, M, nc1_and_cdnv, vci

RATIO, NOISE, ROWS = symbols("delta sigma n", positive=True)


def inverse_covariance() -> Derivation:
    """The inverse of a sample's within-class covariance is that of the law over 1 - delta, along any direction."""
    proof = Derivation(
        "`n` standard normal rows in `p` columns, two class means taken out, `n -> oo` at `p/n = delta < 1`.",
        sizes="three columns",
    )
    w11, w12, w13, w22, w23, w33 = symbols("w11 w12 w13 w22 w23 w33", real=True)
    whole = Matrix([[w11, w12, w13], [w12, w22, w23], [w13, w23, w33]])
    cross, rest = whole[1:, 0], whole[1:, 1:]
    schur = proof.equal(
        "One over an entry of the inverse on the diagonal is the Schur complement of all other columns",
        1 / whole.inv()[0, 0],
        w11 - (cross.T * rest.inv() * cross)[0],
    )
    a1, a2, b1, b2, c1, c2, c3 = symbols("a1 a2 b1 b2 c1 c2 c3", real=True)
    column, others = Matrix([c1, c2, c3]), Matrix([[a1, b1], [a2, b2], [0, 0]])
    products = Matrix.hstack(column, others)
    gram = products.T * products
    left = proof.equal(
        "With axes that put the other columns first, it is what the column has off them, squared",
        schur.subs({whole[i, j]: gram[i, j] for i in range(3) for j in range(i, 3)}),
        c3**2,
    )
    columns = symbols("p", positive=True)
    kept = proof.equal(
        "`E G^2 = 1` for each of the `n - 2 - (p - 1)` axes that are left: the mean over `n`",
        expectation(left, [c3]) * (ROWS - 2 - (columns - 1)) / ROWS,
        (ROWS - columns - 1) / ROWS,
    )
    limit_kept = proof.equal("tends to `1 - delta`", limit(kept.subs(columns, RATIO * ROWS), ROWS, oo), 1 - RATIO)
    proof.result = {"inverse": 1 / limit_kept}
    return proof


def data_limit() -> Derivation:
    """NC1, CDNV and VCI of n rows in d noise coordinates, d/n -> delta: |m|^2 gains delta sigma^2, VCI a factor."""
    proof = Derivation(
        "Two classes of `n/2` rows with means `+-m`, one noise scale `sigma`, signal coordinates fixed.",
        sizes="three coordinates",
    )
    first, second = normals = symbols("x y", real=True)
    error2 = proof.equal(
        "Half the difference of the means of `n/2` rows each has an error of variance `sigma^2/n` a coordinate",
        expectation(((first - second) * NOISE / 2) ** 2, normals) / (ROWS / 2),
        NOISE**2 / ROWS,
    )
    added = proof.equal("over the `d = delta n` noise coordinates in all", RATIO * ROWS * error2, RATIO * NOISE**2)
    mean = (first + second) / 2
    proof.control(
        "Rows about their mean are independent of it, as they are uncorrelated with it",
        expectation((first - mean) * mean, normals),
        S.Zero,
    )
    along_error = proof.equal(
        "so along the error `Sigma_W` has `sigma^2`, up to the two means taken out: it gives the error's "
        "square times that",
        added * limit(NOISE**2 * (ROWS - 2) / ROWS, ROWS, oo),
        RATIO * NOISE**4,
    )
    law, length2 = nc1_and_cdnv().result, M.dot(M)
    along, trace, norm2 = symbols("along trace length2", positive=True)  # m'Sigma_W m, tr Sigma_W, |m|^2
    within = Matrix(3, 3, lambda i, j: symbols(f"c{min(i, j)}{max(i, j)}", real=True))
    nc1 = proof.equal(
        "In `NC1 = m'Sigma_W m / (2 |m|^4)` both gain, and signal and error have no product",
        law["nc1"] * (length2 / (norm2 + added)) ** 2 * (along + along_error) / (M.T * within * M)[0],
        (along + RATIO * NOISE**4) / (2 * (norm2 + RATIO * NOISE**2) ** 2),
    )
    cdnv = proof.equal(
        "and in `CDNV = tr(Sigma_W) / (4 |m|^2)` the length",
        law["cdnv"] * length2 / (norm2 + added) * trace / within.trace(),
        trace / (4 * (norm2 + RATIO * NOISE**2)),
    )
    grown = inverse_covariance().result["inverse"]
    separation = symbols("A", positive=True)  # m'Sigma_W^-1 m
    index = vci().result["vci"].subs(symbols("tau", positive=True), 1)
    of_separation = proof.equal(
        "VCI is `1/(1 + m'Sigma_W^-1 m)`", index, 1 / (1 + sum(m**2 / w for m, w in zip(M, WITHIN, strict=True)))
    )
    inside = proof.say(
        "of which the data make, the error adding `delta` to it,", grown * (separation + added / NOISE**2)
    )
    # Any mean and covariance with that separation will do.
    found = proof.equal(
        "so that it is smaller by `1 - delta`, and nothing is left of it at `delta = 1`",
        of_separation.subs(dict(zip(M, (w**S.Half * (inside / 3) ** S.Half for w in WITHIN), strict=True))),
        (1 - RATIO) / (1 + separation),
    )
    proof.result = {"nc1": nc1, "cdnv": cdnv, "vci": found}
    return proof
