"""T20: weights that depend on an earlier head's score. Slices of equal score are groups, and T8 gives the equations."""

from __future__ import annotations

from sympy import Matrix, S, diag, diff, exp, sqrt, symbols

from .derivation import Derivation
from .gaussian import X

U = Matrix(symbols("u1 u2", real=True))
FIRST = Matrix(symbols("u01 u02", real=True))
MEAN = Matrix(symbols("m1 m2", real=True))
ALONG, BIAS, LABEL = symbols("c b y", real=True)
Q, Q0, NOISE = symbols("q q0 sigma", positive=True)
COVARIANCE = Matrix([symbols("s11 s12", real=True), symbols("s12 s22", real=True)])
LIFTED = diag(COVARIANCE, NOISE**2)  # of (s, v0.z / |v0|)
HEAD, FIRST_HEAD = U.col_join(Matrix([ALONG])), FIRST.col_join(Matrix([Q0]))
SPREAD = symbols("t0", positive=True)  # of the score
IMAGE = LIFTED * FIRST_HEAD  # covariance of the signal with the score


def slices() -> Derivation:
    """The signal given the score is Gaussian: mean m + slope x, covariance S - slope slope'."""
    proof = Derivation("Gaussian group; the earlier head is independent of the sample, so v0.z/|v0| ~ N(0, sigma^2).")
    variance = (FIRST.T * COVARIANCE * FIRST)[0] + NOISE**2 * Q0**2
    proof.equal("The score's variance: t0^2 = u0'S u0 + sigma^2 q0^2", FIRST_HEAD.dot(IMAGE), variance)
    slope = IMAGE / SPREAD
    proof.say("x is the standardised score, and the signal's covariance with it", slope)
    left = LIFTED - slope * slope.T
    proof.equal(
        "What is left of the signal, s - m - slope x, is uncorrelated with the score, so independent of it",
        (left * FIRST_HEAD).subs(SPREAD, sqrt(variance)),
        FIRST_HEAD * 0,
    )
    coefficients = Matrix([[1, 0, 0], [0, 1, 0], [0, 0, 1]]) - slope * FIRST_HEAD.T / SPREAD
    proof.equal(
        "and its covariance is that of a Schur complement",
        (coefficients * LIFTED * coefficients.T).subs(SPREAD, sqrt(variance)),
        left.subs(SPREAD, sqrt(variance)),
    )
    proof.say("The noise coordinate along v0 has weight c, v = c v0/|v0| + rest; |rest| = q is what T8 calls q")
    at = {SPREAD: sqrt(variance)}
    proof.result = {f"slope_{i + 1}": entry.subs(at) for i, entry in enumerate(slope)}
    proof.result |= {f"left_{i + 1}{j + 1}": left[i, j].subs(at) for i in range(3) for j in range(3)}
    return proof


def score_weighted() -> Derivation:
    """T8 on the slices: the equations of u, c, b, nu, V and q in D1 = E M', D2 = E M'' and D0."""
    proof = Derivation("Slices as groups of T8 with means m + slope x and covariances S - slope slope'; any om(x).")
    slope, moment = symbols("M1 M2", real=True)  # M', M'' of a slice, functions of x
    first, second, with_x = symbols("D1 D2 X1", real=True)  # E M', E M'', E M' x

    def average(expression):
        """E over x; M' is affine in x at most, M'' constant."""
        terms = expression.expand()
        in_slope = terms.coeff(slope, 1)
        return (
            terms.coeff(moment, 1) * second
            + in_slope.coeff(X, 0) * first
            + in_slope.coeff(X, 1) * with_x
            + terms.coeff(slope, 0).coeff(moment, 0)
        )

    direction = IMAGE / SPREAD
    mean = MEAN.col_join(Matrix([0])) + direction * X
    covariance = LIFTED - direction * direction.T
    overlap = (FIRST.T * COVARIANCE * U)[0] + NOISE**2 * Q0 * ALONG  # k0
    margin = LABEL * (HEAD.dot(mean) + BIAS)
    proof.equal(
        "The margin's mean in a slice",
        margin,
        LABEL * (U.dot(MEAN) + BIAS + overlap / SPREAD * X),
    )
    proof.equal(
        "and variance s^2 = u'S u + sigma^2 (c^2 + q^2) - (k0/t0)^2",
        (HEAD.T * covariance * HEAD)[0] + NOISE**2 * Q**2,
        (U.T * COVARIANCE * U)[0] + NOISE**2 * (ALONG**2 + Q**2) - (overlap / SPREAD) ** 2,
    )
    group = slope * LABEL * mean + moment * covariance * HEAD
    averaged = group.applyfunc(average)
    zeroth = LABEL * with_x / SPREAD - overlap / SPREAD**2 * second
    proof.say("D0, the regression of (s, z) on the score", zeroth)
    proof.equal(
        "A group's part of u's equation: D1 y m + S (D2 u + D0 u0)",
        averaged[:2, :],
        first * LABEL * MEAN + COVARIANCE * (second * U + zeroth * FIRST),
    )
    proof.equal("and of c's: sigma^2 (D2 c + D0 q0)", averaged[2], NOISE**2 * (second * ALONG + zeroth * Q0))
    proof.equal("M'' enters nu by its mean", average(NOISE**2 * moment), NOISE**2 * second)
    free = zeroth.subs(with_x, LABEL * overlap / SPREAD * second).subs(LABEL, S.NegativeOne)
    proof.equal("Weights free of x: E M' x = y (k0/t0) E M'' by Stein's lemma, so D0 = 0", free, S.Zero)
    proof.say("and without an anchor c = 0 solves its equation (sum pi sigma^2 D2 + lambda) c = 0: T8 again")
    gamma, share = symbols("gamma share", positive=True)
    score = symbols("f0", real=True)
    weight = exp(-gamma / (1 + exp(-LABEL * score))) / share
    proof.equal("AFR at gamma = 0: weights inverse to the class share, as in CB-LLR", weight.subs(gamma, 0), 1 / share)
    proof.equal(
        "Its weight falls with the margin",
        diff(weight.subs(LABEL, 1), score).subs(score, 0),
        -gamma / 4 * exp(-gamma / 2) / share,
    )
    proof.result = {f"part_{i + 1}": entry for i, entry in enumerate(averaged)}
    proof.result |= {"afr_weight": weight, "overlap": overlap}
    return proof
