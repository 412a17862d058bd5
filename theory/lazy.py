"""T17: the law of a Gaussian matrix given its products with some vectors, and of the next product."""

from __future__ import annotations

from sympy import (
    Matrix,
    S,
    Symbol,
    cancel,
    cos,
    det,
    diff,
    exp,
    eye,
    gamma,
    integrate,
    kronecker_product,
    oo,
    pi,
    sin,
    sqrt,
    symbols,
    zeros,
)

from .derivation import Derivation
from .gaussian import Density, X, in_numbers, integrated, truncated_expectation

TURN, OTHER_TURN = symbols("a b", real=True), symbols("h k", real=True)
DEGREES, LENGTH, RATE = symbols("m r s", positive=True)
CHI = 2 ** (1 - DEGREES / 2) * LENGTH ** (DEGREES - 1) * exp(-(LENGTH**2) / 2) / gamma(DEGREES / 2)
CHI_SQUARE = (CHI / (2 * LENGTH)).subs(LENGTH, sqrt(LENGTH))


def laplace(rate, degrees):
    """E exp(-rate L^2) of a chi variable L."""
    return (1 + 2 * rate) ** (-degrees / 2)


def rotation(*turn):
    """An orthonormal frame, rational in its coordinates (Cayley): any in the plane, any first or last axis in space."""
    skew = Matrix([[0, -turn[0]], [turn[0], 0]])
    if len(turn) == 2:
        skew = Matrix([[0, 0, turn[1]], [0, 0, -turn[0]], [-turn[1], turn[0], 0]])
    one = eye(skew.rows)
    return ((one - skew).inv() * (one + skew)).applyfunc(cancel)


def matrix_of(name, rows, columns):
    """A matrix of symbols."""
    return Matrix(rows, columns, lambda i, j: Symbol(f"{name}{i + 1}{j + 1}", real=True))


def off(directions):
    """The projection off orthonormal columns."""
    return (eye(directions.rows) - directions * directions.T).applyfunc(cancel)


def covariance(first, second):
    """Of AZB and CZD, given (A, B) and (C, D), entries row by row: AC' and B'D, entry by entry."""
    (a, b), (c, d) = first, second
    return kronecker_product((a * c.T).applyfunc(cancel), (b.T * d).applyfunc(cancel))


def conditioning() -> Derivation:
    """Given U'Z and ZV, Z is UU'Z + ZVV' - UU'ZVV' + (I - UU') Z~ (I - VV') with Z~ a fresh copy."""
    proof = Derivation(
        "Independent standard normal entries, `U` and `V` with orthonormal columns: two and one of three, or one of "
        "two on both sides. The rows' noise scales and the eigenvalues multiply rows and columns of `Z`, and are "
        "explicit.",
        sizes="n = d = 2, controls at 3",
    )
    z, a, b, c, d = (matrix_of(name, 2, 2) for name in "zABCD")
    first, second = (Matrix(list(product)).jacobian(list(z)) for product in (a * z * b, c * z * d))
    products = proof.equal(
        "The covariance of `A Z B` and `C Z D` is `A C'` times `B'D`, entry by entry",
        first * second.T,
        kronecker_product(a * c.T, b.T * d),
    )
    u, v = rotation(TURN[0])[:, 0], rotation(OTHER_TURN[0])[:, 0]
    reads = Matrix([*(u.T * z), (z * v)[0]]).jacobian(list(z))  # the other entry of Zv follows from these
    weights = (reads.T * (reads * reads.T).inv()).applyfunc(cancel)
    mean = proof.equal(
        "The conditional mean of `Z` given `U'Z` and `Z V` is `U U'Z + Z V V' - U U'Z V V'`",
        weights * reads * Matrix(list(z)),
        Matrix(list(u * u.T * z + z * v * v.T - u * u.T * z * v * v.T)),
    )
    proof.control("The rest is `(I - U U') Z (I - V V')`", Matrix(list(z)) - mean, Matrix(list(off(u) * z * off(v))))
    names = zip((*a, *b, *c, *d), (*off(u), *off(v)) * 2, strict=True)
    spread = proof.equal(
        "The Schur complement is the covariance of that rest, whatever is known",
        eye(4) - weights * reads,
        products.subs(dict(names)),
    )
    fresh = matrix_of("x", 2, 2)
    rest = proof.equal(
        "It is a projection, so its product with a fresh `Z` has it as covariance: the rest is made anew from it",
        spread * Matrix(list(fresh)),
        Matrix(list(off(u) * fresh * off(v))),
    )
    left, right = rotation(*TURN), rotation(*OTHER_TURN)
    asked, known = left[:, :2], right[:, :1]
    both = off(asked), off(known)
    proof.control(
        "In three dimensions the rest is uncorrelated with `U'Z`", covariance(both, (asked.T, eye(3))), zeros(9, 6)
    )
    proof.control("and with `Z V`", covariance(both, (eye(3), known)), zeros(9, 3))
    proof.control(
        "Two directions, one after the other: projections combine",
        off(left[:, 1]) * off(left[:, 0]),
        off(asked),
    )
    proof.cite(
        "The next direction may depend on all that is known; given that, it is fixed, and the law of the rest is as "
        "for any other, by induction over the queries",
        source="Lu 2021 (2101.07464), Bolthausen 2014",
        conditions="a direction is a function of earlier answers and of randomness that is independent of `Z`",
    )
    entries = [(i, j) for i in range(2) for j in range(2)]
    proof.result = {f"mean_{i + 1}{j + 1}": mean[2 * i + j] for i, j in entries}
    proof.result |= {f"rest_{i + 1}{j + 1}": rest[2 * i + j] for i, j in entries}
    return proof


def new_direction() -> Derivation:
    """Z'r = V(Y'r) + |r_perp| chi_(d - R) v_new; v_new is uniform off V, independent of chi, and may be any vector."""
    proof = Derivation(
        "`V` are the `R` right directions known and `Y = Z V`; every answer `Z'u` lies in their span. "
        "`r_perp = (I - U U') r`, `m = d - R`.",
        sizes="n = d = 2, controls at 3",
    )
    left, right = rotation(TURN[0]), rotation(OTHER_TURN[0])
    u, v, query = left[:, 0], right[:, 0], Matrix(symbols("r1 r2", real=True))
    first, along, beyond = symbols("x11 x21 x22", real=True)
    z = left * Matrix([[first, 0], [along, beyond]]) * right.T  # the answer to u is along v
    answer = proof.equal(
        "`Z'r = V (Y'r) + (I - V V') Z'r_perp`, with all of `r` in `Y'r`",
        z.T * query,
        v * (z * v).dot(query) + off(v) * z.T * off(u) * query,
    )
    frame, asked = rotation(*OTHER_TURN), Matrix(symbols("r1:4", real=True))
    proof.control(
        "The rest has the covariance of `|r_perp|` times a standard normal vector projected off `V`",
        covariance((asked.T, off(frame[:, 0])), (asked.T, off(frame[:, 0]))),
        asked.dot(asked) * off(frame[:, 0]),
    )
    normals = Matrix(symbols("g1:4", real=True))
    for known in (1, 2):
        inside, others = off(frame[:, :known]) * normals, frame[:, known:].T * normals
        proof.control(
            f"`R = {known}` of `3`: its squared length is a sum of `d - R` squares of independent normals",
            inside.dot(inside),
            others.dot(others),
        )
    one = proof.equal(
        "For one square, `E exp(-s G^2)`, squared,",
        (2 * integrate(exp(-(RATE + S.Half) * X**2), (X, 0, oo)) / sqrt(2 * pi)) ** 2,
        laplace(RATE, 2),
    )
    density = proof.say("A square of the `chi_m` law has the density", CHI_SQUARE)
    transform = proof.equal(
        "and the same transform as `m` squares: to the power `2/m`",
        integrate(density * exp(-RATE * LENGTH), (LENGTH, 0, oo)) ** (2 / DEGREES),
        one,
    )
    mean_length = proof.equal(
        "The length is of mean, for the total mass is the transform at zero,",
        integrate(density * sqrt(LENGTH), (LENGTH, 0, oo)) / transform.subs(RATE, 0),
        sqrt(2) * gamma((DEGREES + 1) / 2) / gamma(DEGREES / 2),
    )
    polar, azimuth = symbols("theta phi", real=True)
    point = LENGTH * Matrix([sin(polar) * cos(azimuth), sin(polar) * sin(azimuth), cos(polar)])
    proof.control(
        "In polar coordinates (`m = 3`) the normal density is that of `chi_m` times the uniform one on directions: "
        "they are independent",
        exp(-point.dot(point) / 2) / sqrt(2 * pi) ** 3 * det(point.jacobian([LENGTH, polar, azimuth])),
        CHI.subs(DEGREES, 3) * sin(polar) / (4 * pi),
    )
    proof.cite(
        "In any dimension `v_new` is uniform off `V` and independent of the length",
        source="elementary (rotations)",
        conditions="what is projected is standard normal, which T17's conditional law makes it, adaptivity included",
    )
    mirror = eye(3) - 2 * frame[:, 2] * frame[:, 2].T
    proof.control("A reflection that keeps `V` keeps what is known", mirror * frame[:, 0], frame[:, 0])
    proof.control(
        "and the law of `Z`: `v_new` may be called any vector off `V`",
        covariance((eye(1), mirror), (eye(1), mirror)),
        eye(3),
    )
    proof.result = {"mean_length": mean_length} | {f"answer_{i + 1}": entry for i, entry in enumerate(answer)}
    return proof


def image() -> Derivation:
    """Z v_new = chi u_new + (I - UU')g with u_new in U; without the chi for a direction that enters by itself."""
    proof = Derivation(
        "`U` and `V` as before, `u_new = r_perp/|r_perp|` asked after them and `v_new` along what its answer adds to "
        "`V`.",
        sizes="n = d = 3",
    )
    left, right = rotation(*TURN), rotation(*OTHER_TURN)
    chi, *others = symbols("chi x11 x21 x31 x32 x33", real=True)
    triangular = Matrix([[others[0], 0, 0], [others[1], chi, 0], others[2:]])
    new_left, new_right, entering = left[:, 1], right[:, 1], right[:, 2]
    asked, z = left[:, :2], left * triangular * right.T
    proof.control(
        "`Z'u_new` is what is known and `chi v_new`",
        (z.T * new_left).applyfunc(cancel),
        others[1] * right[:, 0] + chi * new_right,
    )
    known = proof.equal(
        "`U U'Z v_new`, the part of the image in `U`, is known: `chi` along `u_new` and nothing along the earlier ones",
        (asked * asked.T).applyfunc(cancel) * (z * new_right).applyfunc(cancel),
        chi * new_left,
    )
    rest = off(asked), new_right
    spread = proof.equal(
        "The rest is `(I - U U') g` with a fresh `g`: of covariance `I - U U'`", covariance(rest, rest), off(asked)
    )
    square = proof.equal(
        "so that the squared length of the image has the mean `chi^2 + n - L`, here with `n = 3` and `L = 2`",
        known.dot(known) + spread.trace(),
        chi**2 + 1,
    )
    proof.control(
        "A direction that enters by itself is orthogonal to all answers: its image has no part in `U`",
        (asked * asked.T).applyfunc(cancel) * (z * entering).applyfunc(cancel),
        0 * new_left,
    )
    proof.control("`R = d`: `I - V V' = 0`, `Z'r = V (Y'r)` and nothing is new", off(right), 0 * right)
    proof.control("`L = n`: `I - U U' = 0`, and a direction that enters has the image zero", off(left), 0 * left)
    proof.result = {"mean_square": square}
    return proof


def single_precision() -> Derivation:
    """E G^2 of a standard normal rounded to p binary digits is 1 - .0464 4^(1 - p), at p = 24 1 - .743 2^-50."""
    proof = Derivation(
        "`G` is rounded to the nearer of two neighbouring numbers of `p` digits; to leading order in `2^{-p}`."
    )
    middle, place, width = symbols("x t h", positive=True)
    density = proof.say("Near `x` the density is", Density(middle) + diff(Density(middle), middle) * place)
    change = S.Zero
    for end, low, high in ((-width / 2, -width / 2, 0), (width / 2, 0, width / 2)):
        rounded, exact = middle + end, middle + place
        change += integrate(((rounded**2 - exact**2) * density).expand(), (place, low, high))
    proof.control("To lower order in `h` rounding does not change `E G^2`", change.expand().coeff(width, 2), S.Zero)
    leading = proof.equal(
        "Between neighbours `h` apart about `x`, `E G^2` changes by `h^3` times",
        change.expand().coeff(width, 3),
        (2 - middle**2) * Density(middle) / 12,
    )
    start, end = symbols("a b", positive=True)
    between = integrated(
        proof,
        "and in all of an interval where `h` is constant by `h^2` times",
        leading.subs(middle, X),
        lambda low, high: truncated_expectation((2 - X**2) / 12, low, high),
        (start, end),
    )
    total = S.Zero
    for power in range(-40, 6):  # what is left out is below 4^-40
        total += 2 * S(4) ** power * in_numbers(between.subs({start: S(2) ** power, end: S(2) ** (power + 1)}))
    proof.value("`h` is `2^{e+1-p}` between `2^e` and `2^{e+1}`: in units of `4^{1-p}`", total, "-.0464365")
    proof.value("`p = 24`, in units of `2^{-50}`", total * 2**4, "-.7430")
    proof.cite(
        "The law stays symmetric: odd moments are zero",
        source="elementary (symmetry)",
        conditions="`G` and `-G` are rounded alike",
    )
    proof.result = {"change": total * 4 ** (1 - Symbol("p"))}
    return proof
