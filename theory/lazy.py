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
from .gaussian import Cdf, Density, X, in_numbers

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
    """Given U'Z and ZV, Z is UU'Z + ZVV' - UU'ZVV' + (I - UU') Z~ (I - VV') with Z~ a fresh copy of Z."""
    proof = Derivation(
        "Independent standard normal entries, U and V with orthonormal columns: two and one of three, or one of two on "
        "both sides. The rows' noise scales and the eigenvalues multiply rows and columns of Z, and are explicit."
    )
    z, *factors = (matrix_of(name, 2, 2) for name in "zABCD")
    a, b, c, d = factors
    first, second = (Matrix(list(product)).jacobian(list(z)) for product in (a * z * b, c * z * d))
    proof.equal("The covariance of AZB and CZD is AC' times B'D", first * second.T, kronecker_product(a * c.T, b.T * d))
    left, right = rotation(*TURN), rotation(*OTHER_TURN)
    asked, known = left[:, :2], right[:, :1]
    rest = off(asked), off(known)
    proof.equal(
        "What is left, (I - UU') Z (I - VV'), is uncorrelated with U'Z",
        covariance(rest, (asked.T, eye(3))),
        zeros(9, 6),
    )
    proof.equal(
        "and with ZV: being Gaussian, it is independent of all that is known",
        covariance(rest, (eye(3), known)),
        zeros(9, 3),
    )
    u, v = rotation(TURN[0])[:, 0], rotation(OTHER_TURN[0])[:, 0]
    mean = u * u.T * z + z * v * v.T - u * u.T * z * v * v.T
    proof.equal("The other part of Z is a function of what is known", z - mean, off(u) * z * off(v))
    reads = Matrix([*(u.T * z), (z * v)[0]]).jacobian(list(z))  # the other entry of Zv follows from these
    weights = (reads.T * (reads * reads.T).inv()).applyfunc(cancel)
    proof.equal("It is Z's conditional mean", weights * reads * Matrix(list(z)), Matrix(list(mean)))
    proof.equal(
        "The Schur complement is the covariance of (I - UU') Z~ (I - VV')",
        eye(4) - weights * reads,
        covariance((off(u), off(v)), (off(u), off(v))),
    )
    proof.equal(
        "The next direction may depend on all that is known; given that it is fixed, and the same again: projections "
        "combine",
        off(left[:, 1]) * off(left[:, 0]),
        off(asked),
    )
    proof.result = {f"mean_{i + 1}{j + 1}": mean[i, j] for i in range(2) for j in range(2)}
    return proof


def new_direction() -> Derivation:
    """Z'r = V(Y'r) + |r_perp| chi_(d - R) v_new; v_new is uniform off V, independent of chi, and may be any vector."""
    proof = Derivation(
        "V are the R right directions known and Y = ZV; every answer Z'u lies in their span. r_perp = (I - UU')r."
    )
    left, right = rotation(TURN[0]), rotation(OTHER_TURN[0])
    u, v, query = left[:, 0], right[:, 0], Matrix(symbols("r1 r2", real=True))
    first, along, beyond = symbols("x11 x21 x22", real=True)
    z = left * Matrix([[first, 0], [along, beyond]]) * right.T  # the answer to u is along v
    proof.equal(
        "Z'r = V(Y'r) + (I - VV') Z'r_perp, with all of r in Y'r",
        z.T * query,
        v * (z * v).dot(query) + off(v) * z.T * off(u) * query,
    )
    frame, query = rotation(*OTHER_TURN), Matrix(symbols("r1:4", real=True))
    proof.equal(
        "(I - VV') Z~'r_perp is |r_perp| times a standard normal vector projected off V, (I - VV')g",
        covariance((query.T, off(frame[:, 0])), (query.T, off(frame[:, 0]))),
        query.dot(query) * off(frame[:, 0]),
    )
    normals = Matrix(symbols("g1:4", real=True))
    for known in (1, 2):
        inside, others = off(frame[:, :known]) * normals, frame[:, known:].T * normals
        proof.equal(
            f"R = {known} of 3: its squared length is a sum of d - R squares", inside.dot(inside), others.dot(others)
        )
        proof.equal("of independent standard normals", (frame.T * frame)[known:, known:], eye(3 - known))
    one = 2 * integrate(exp(-(RATE + S.Half) * X**2), (X, 0, oo)) / sqrt(2 * pi)
    proof.equal("E exp(-s G^2), to the power m = d - R", one**2, laplace(RATE, 2))
    proof.equal(
        "that of the chi-square law",
        integrate(CHI_SQUARE * exp(-RATE * LENGTH), (LENGTH, 0, oo)) ** (2 / DEGREES),
        laplace(RATE, 2),
    )
    polar, azimuth = symbols("theta phi", real=True)
    point = LENGTH * Matrix([sin(polar) * cos(azimuth), sin(polar) * sin(azimuth), cos(polar)])
    proof.equal(
        "In polar coordinates (m = 3) the density is chi's times the uniform one on directions: they are independent",
        exp(-point.dot(point) / 2) / sqrt(2 * pi) ** 3 * det(point.jacobian([LENGTH, polar, azimuth])),
        CHI.subs(DEGREES, 3) * sin(polar) / (4 * pi),
    )
    mirror = eye(3) - 2 * frame[:, 2] * frame[:, 2].T
    proof.equal("A reflection that keeps V keeps what is known", mirror * frame[:, 0], frame[:, 0])
    proof.equal(
        "and the law of Z: v_new may be called any vector off V",
        covariance((eye(1), mirror), (eye(1), mirror)),
        eye(3),
    )
    proof.result = {"mean_length": integrate(CHI * LENGTH, (LENGTH, 0, oo))}
    return proof


def image() -> Derivation:
    """Z v_new = chi u_new + (I - UU')g with u_new in U; without the chi for a direction that enters by itself."""
    proof = Derivation(
        "U and V as before, u_new = r_perp/|r_perp| asked after them and v_new along what its answer adds to V."
    )
    left, right = rotation(*TURN), rotation(*OTHER_TURN)
    chi, *others = symbols("chi x11 x21 x31 x32 x33", real=True)
    triangular = Matrix([[others[0], 0, 0], [others[1], chi, 0], others[2:]])
    new_left, new_right, entering = left[:, 1], right[:, 1], right[:, 2]
    asked, z = left[:, :2], left * triangular * right.T
    proof.equal(
        "Z'u_new = known + chi v_new", (z.T * new_left).applyfunc(cancel), others[1] * right[:, 0] + chi * new_right
    )
    proof.equal(
        "U'Z v_new, the part of the image in U, is known: chi along u_new and nothing along the earlier ones",
        (asked * asked.T).applyfunc(cancel) * (z * new_right).applyfunc(cancel),
        chi * new_left,
    )
    rest = off(asked), new_right
    proof.equal("The rest is (I - UU') Z~ v_new: (I - UU')g with a fresh g", covariance(rest, rest), off(asked))
    proof.equal(
        "A direction that enters by itself is orthogonal to all answers: its image has no part in U",
        (asked * asked.T).applyfunc(cancel) * (z * entering).applyfunc(cancel),
        0 * new_left,
    )
    proof.equal("R = d: I - VV' = 0 and Z'r = V(Y'r): nothing is new", off(right), 0 * right)
    proof.equal("L = n: I - UU' = 0, and the image of a direction that enters is zero", off(left), 0 * left)
    proof.result = {"mean_square": chi**2 + cancel(off(asked).trace())}
    return proof


def single_precision() -> Derivation:
    """E G^2 of a standard normal rounded to p binary digits is 1 - .0464 4^(1 - p), at p = 24 1 - .743 2^-50."""
    proof = Derivation("G is rounded to the nearer of two neighbouring numbers of p digits; to leading order in 2^-p.")
    middle, place, width = symbols("x t h", positive=True)
    density = Density(middle) + diff(Density(middle), middle) * place
    change = S.Zero
    for end, low, high in ((-width / 2, -width / 2, 0), (width / 2, 0, width / 2)):
        rounded, exact = middle + end, middle + place
        change += integrate(((rounded**2 - exact**2) * density).expand(), (place, low, high))
    leading = change.expand().coeff(width, 3)
    proof.equal("To lower order in h there is no change", change.expand().coeff(width, 2), S.Zero)
    proof.equal(
        "Between neighbours h apart about x, E G^2 changes by h^3/12 (2 - x^2) phi(x)",
        leading,
        (2 - middle**2) * Density(middle) / 12,
    )
    primitive = Cdf(X) + X * Density(X)
    proof.equal("of which the integral is Phi + x phi", diff(primitive, X), (2 - X**2) * Density(X))
    total = S.Zero
    for power in range(-40, 6):  # what is left out is below 4^-40
        low, high = (in_numbers(primitive.subs(X, S(2) ** end)) for end in (power, power + 1))
        total += 2 * S(4) ** power * (high - low) / 12
    proof.value("h is 2^(e + 1 - p) between 2^e and 2^(e + 1): in units of 4^(1 - p)", total, "-.0464365")
    proof.value("p = 24, in units of 2^-50", total * 2**4, "-.7430")
    proof.say("The law stays symmetric: odd moments are zero")
    proof.result = {"change": total * 4 ** (1 - Symbol("p"))}
    return proof
