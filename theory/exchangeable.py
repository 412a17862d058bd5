"""T18: rows of which only inner products are seen, in coordinates on axes in the order in which they appear."""

from __future__ import annotations

from sympy import Matrix, S, diff, eye, powsimp, sqrt, symbols

from .derivation import Derivation
from .gaussian import expectation
from .lazy import LENGTH, RATE, TURN, laplace, rotation


def axes() -> Derivation:
    """A standard normal n-vector: N(0, 1) on each of L known axes, chi_(n - L) along a new one; Gram matrices agree."""
    proof = Derivation(
        "`n` rows of one section and one weight, squared loss: residuals are combinations of `1` and the columns of "
        "`X`, and only inner products of vectors of length `n` are seen. The first axis is `1/sqrt(n)`. Two columns, "
        "any `n`; `W` any matrix with `I + W > 0`.",
        sizes="two columns, controls in three dimensions",
    )
    frame, normals = rotation(*TURN), symbols("g1:4", real=True)
    along = frame.T * Matrix(normals)
    identity = proof.equal(
        "The coordinates of a standard normal vector on orthonormal axes are independent standard normals",
        Matrix(3, 3, lambda i, j: expectation(along[i] * along[j], normals)),
        eye(3),
    )
    proof.cite(
        "So what is off `L` axes has length `chi_{n-L}` and a uniform direction, which may be called an axis",
        source="T17, Bartlett 1933",
        conditions="vectors of length `n` are seen by their inner products alone",
    )
    rows, gap, b, c = symbols("n gap b c", positive=True)
    weights = Matrix([[gap - 1 + b**2 / (1 + c), b], [b, c]])  # all with I + W > 0
    x, y = symbols("x y", real=True)
    row, tilt = Matrix([x, y]), b * x / (1 + c)
    squares = proof.equal(
        "`E exp(-tr(W A)/2)` of the Gram matrix `A` of one row `(x, y)`: the exponent with its square completed in `y`",
        (row.T * (identity[:2, :2] + weights) * row)[0],
        (1 + c) * (y + tilt) ** 2 + gap * x**2,
    )
    one_row = proof.equal(
        "so that it is `det(I + W)^{-1/2}`, squared",
        1 / (diff(squares, y, 2) / 2 * squares.subs({y: -tilt, x: 1}).subs(x, 1)),
        1 / (eye(2) + weights).det(),
    )
    columns = Matrix([[x, y], [0, LENGTH]])  # chi_n, N(0, 1) and chi_(n - 1)
    triangle = proof.equal(
        "On two axes, with `x = chi_n`, `y` the normal above and `r = chi_{n-1}`: `tr(W A) + y^2` likewise",
        (weights * columns.T * columns).trace() + y**2,
        (1 + c) * (y + tilt) ** 2 + (gap - 1) * x**2 + c * LENGTH**2,
    )
    above = diff(triangle, y, 2) / 2
    first, second = diff(triangle.subs(y, -tilt), x, 2) / 2, diff(triangle, LENGTH, 2) / 2
    law = proof.equal(
        "so that `E exp(-tr(W A)/2)` is that of `n` independent rows: the two Gram matrices have one law. Squared,",
        powsimp((laplace(first / 2, rows) * laplace(second / 2, rows - 1)) ** 2 / above),
        powsimp(one_row.simplify() ** rows),
    )
    proof.control("`L = n`: no length is left", laplace(RATE, 0), S.One)
    proof.result = {"laplace": sqrt(law)}
    return proof
