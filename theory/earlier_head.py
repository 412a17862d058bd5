"""T20: weights that depend on an earlier head's score. Slices of equal score are groups, and T8 gives the equations."""

from __future__ import annotations

from sympy import Matrix, S, diag, diff, exp, eye, sqrt, symbols

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


def slices() -> Derivation:
    """The signal given the score is Gaussian: mean m + slope x, covariance S - slope slope'."""
    proof = Derivation(
        "Gaussian group; the earlier head is independent of the sample, so that `v_0.z/|v_0|` is one more Gaussian "
        "coordinate of the signal, of variance `sigma^2` and weight `c`: `v` is `c v_0/|v_0|` and a rest of length "
        "`q`.",
        sizes="two signal coordinates",
    )
    image = proof.say("The signal's covariance with the score is", LIFTED * FIRST_HEAD)
    variance = proof.equal(
        "The score's variance: `t_0^2 = u_0'S u_0 + sigma^2 q_0^2`",
        FIRST_HEAD.dot(image),
        (FIRST.T * COVARIANCE * FIRST)[0] + NOISE**2 * Q0**2,
    )
    slope = proof.say("With the standardised score `x` it is the slope", image / sqrt(variance))
    regression = eye(3) - slope * FIRST_HEAD.T / sqrt(variance)
    left = proof.equal(
        "What is left of the signal, `s - m` less slope times `x`, has the covariance of a Schur complement",
        regression * LIFTED * regression.T,
        LIFTED - slope * slope.T,
    )
    proof.control("and is uncorrelated with the score, so independent of it", left * FIRST_HEAD, FIRST_HEAD * 0)
    proof.result = {f"slope_{i + 1}": entry for i, entry in enumerate(slope)}
    proof.result |= {f"left_{i + 1}{j + 1}": left[i, j] for i in range(3) for j in range(3)}
    return proof


def score_weighted() -> Derivation:
    """T8 on the slices: the equations of u, c, b, nu, V and q in D1 = E M', D2 = E M'' and D0."""
    proof = Derivation(
        "Slices of equal score as groups of T8, with means `m + d x` and covariances `S - d d'` for the slope `d`; any "
        "weights `omega(x)`.",
        sizes="two signal coordinates",
    )
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

    direction = LIFTED * FIRST_HEAD / SPREAD
    mean = proof.say("The mean of a slice", MEAN.col_join(Matrix([0])) + direction * X)
    covariance = proof.say("and its covariance", LIFTED - direction * direction.T)
    overlap = (FIRST.T * COVARIANCE * U)[0] + NOISE**2 * Q0 * ALONG
    margin = proof.equal(
        "The margin's mean in a slice, with the overlap `k_0 = u_0'S u + sigma^2 q_0 c`",
        LABEL * (HEAD.dot(mean) + BIAS),
        LABEL * (U.dot(MEAN) + BIAS + overlap / SPREAD * X),
    )
    shared = diff(margin, X) * SPREAD / LABEL
    proof.control(
        "and its variance `s^2 = u'S u + sigma^2 (c^2 + q^2) - (k_0/t_0)^2`",
        (HEAD.T * covariance * HEAD)[0] + NOISE**2 * Q**2,
        (U.T * COVARIANCE * U)[0] + NOISE**2 * (ALONG**2 + Q**2) - (shared / SPREAD) ** 2,
    )
    zeroth = proof.say(
        "`D_0`, the regression of `(s, z)` on the score, is", LABEL * with_x / SPREAD - shared / SPREAD**2 * second
    )
    parts = proof.equal(
        "A group's part of the equation of `u` is `D_1 y m + S (D_2 u + D_0 u_0)`, and of that of `c` "
        "`sigma^2 (D_2 c + D_0 q_0)`",
        (slope * LABEL * mean + moment * covariance * HEAD).applyfunc(average),
        (first * LABEL * MEAN + COVARIANCE * (second * U + zeroth * FIRST)).col_join(
            Matrix([NOISE**2 * (second * ALONG + zeroth * Q0)])
        ),
    )
    proof.control("`M''` enters `nu` by its mean", average(NOISE**2 * moment), NOISE**2 * second)
    proof.control(
        "Weights free of `x`: `E M' x = y (k_0/t_0) E M''` by Stein's lemma, so `D_0 = 0`, and without an anchor "
        "`c = 0` solves its equation, `(sum_g pi_g sigma_g^2 D_2 + lambda) c = 0`: T8 again",
        zeroth.subs(with_x, LABEL * shared / SPREAD * second).subs(LABEL, S.NegativeOne),
        S.Zero,
    )
    gamma, share = symbols("gamma share", positive=True)
    score = symbols("f0", real=True)
    weight = proof.say(
        "AFR's weight falls with the probability of the right class, over the class's share",
        exp(-gamma / (1 + exp(-LABEL * score))) / share,
    )
    proof.control("At `gamma = 0` it is inverse to the share, as in CB-LLR", weight.subs(gamma, 0), 1 / share)
    proof.control(
        "and falls with the margin at the rate",
        diff(weight.subs(LABEL, 1), score).subs(score, 0),
        -gamma / 4 * exp(-gamma / 2) / share,
    )
    proof.result = {f"part_{i + 1}": entry for i, entry in enumerate(parts)}
    proof.result |= {"afr_weight": weight, "overlap": shared}
    return proof
