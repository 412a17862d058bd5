"""T0: the accuracy of a head on a Gaussian group, and the bias that is best for two groups."""

from __future__ import annotations

from sympy import Matrix, Rational, diff, erf, exp, integrate, oo, pi, sqrt, symbols

from .derivation import Derivation


def normal_cdf(x):
    """Phi(x) = (1 + erf(x / sqrt 2)) / 2."""
    return (1 + erf(x / sqrt(2))) / 2


def accuracy() -> Derivation:
    """acc_g = Phi(y (u.m + b) / sqrt(u'Su + sigma^2 q^2)), q^2 = sum e_j v_j^2."""
    proof = Derivation("One Gaussian group: s ~ N(m, S), z ~ N(0, sigma^2 diag e), independent; label y = +-1.")
    u = Matrix(symbols("u1 u2", real=True))
    m = Matrix(symbols("m1 m2", real=True))
    v1, v2, bias, label = symbols("v1 v2 b y", real=True)
    e1, e2, sigma = symbols("e1 e2 sigma", positive=True)
    l11, l22 = symbols("l11 l22", positive=True)
    root = Matrix([[l11, 0], [symbols("l21", real=True), l22]])
    white = Matrix(symbols("x1:5", real=True))
    logit = (u.T * (m + root * white[:2, :]))[0] + bias + sigma * (v1 * sqrt(e1) * white[2] + v2 * sqrt(e2) * white[3])
    proof.say("Write s = m + Lx and z = sigma diag(sqrt e) x with x standard normal and LL' = S; the logit is", logit)
    slopes = Matrix([diff(logit, x) for x in white])
    mean = logit.subs(dict.fromkeys(white, 0))
    proof.equal("It is linear in x, so Gaussian, with mean", mean, (u.T * m)[0] + bias)
    covariance, spread = root * root.T, v1**2 * e1 + v2**2 * e2
    proof.equal(
        "Its variance is the sum of its squared slopes",
        (slopes.T * slopes)[0],
        (u.T * covariance * u)[0] + sigma**2 * spread,
    )
    x, score = symbols("x t", real=True)
    tail = integrate(exp(-(x**2) / 2) / sqrt(2 * pi), (x, -score, oo))
    proof.equal(
        "P(y f > 0) is a Gaussian tail beyond minus the score, since y^2 = 1", tail.rewrite(erf), normal_cdf(score)
    )
    mu, variance, q = symbols("mu s2 q", real=True)
    proof.result["accuracy"] = normal_cdf(label * (mu + bias) / sqrt(variance + sigma**2 * q**2))
    proof.say("With mu = u.m, s2 = u'Su and q^2 = sum e_j v_j^2 the accuracy is", proof.result["accuracy"])
    return proof


def best_bias() -> Derivation:
    """The bias that maximises the worse of two groups, one a class: where their scores cross."""
    proof = Derivation("Two groups, labels + and -; logit means A, B without bias; deviations s, t > 0.")
    upper, lower, bias = symbols("A B b", real=True)
    s, t, h = symbols("s t h", positive=True)
    rising, falling = (upper + bias) / s, -(lower + bias) / t
    proof.say("The score of the positive group rises with the bias", rising)
    proof.say("that of the negative group falls", falling)
    crossing = -(t * upper + s * lower) / (s + t)
    proof.equal("They cross at the bias given by", rising.subs(bias, crossing), falling.subs(bias, crossing))
    score = (upper - lower) / (s + t)
    proof.equal("where both equal", rising.subs(bias, crossing), score)
    proof.equal("A bias lower by h > 0 costs the positive group h/s", rising.subs(bias, crossing - h), score - h / s)
    proof.equal("and one higher by h costs the negative group h/t", falling.subs(bias, crossing + h), score - h / t)
    proof.say("so the crossing is the maximin. Phi is increasing, so the same bias maximises the lesser accuracy.")
    proof.result = {"bias": crossing, "score": score}
    proof.equal(
        "With equal deviations the best bias centres the two means",
        crossing.subs(t, s),
        -Rational(1, 2) * (upper + lower),
    )
    return proof
