"""T0: the accuracy of a head on a Gaussian group, and the bias that is best for two groups."""

from __future__ import annotations

from sympy import Matrix, diff, erf, exp, integrate, oo, pi, solve, sqrt, symbols

from .derivation import Derivation


def normal_cdf(x):
    """Phi(x) = (1 + erf(x / sqrt 2)) / 2."""
    return (1 + erf(x / sqrt(2))) / 2


def accuracy() -> Derivation:
    """acc_g = Phi(y (u.m + b) / sqrt(u'Su + sigma^2 q^2)), q^2 = sum e_j v_j^2."""
    proof = Derivation(
        "One Gaussian group: `s ~ N(m, S)`, `z ~ N(0, sigma^2 diag(e))`, independent; label `y = +-1`.",
        sizes="two signal and two noise coordinates",
    )
    u = Matrix(symbols("u1 u2", real=True))
    m = Matrix(symbols("m1 m2", real=True))
    v1, v2, bias, label = symbols("v1 v2 b y", real=True)
    e1, e2, sigma = symbols("e1 e2 sigma", positive=True)
    l11, l22 = symbols("l11 l22", positive=True)
    root = Matrix([[l11, 0], [symbols("l21", real=True), l22]])
    white = Matrix(symbols("x1:5", real=True))
    logit = proof.say(
        "Write `s = m + L x` and `z = sigma diag(sqrt(e)) x` with `x` standard normal and `L L' = S`; the logit is",
        (u.T * (m + root * white[:2, :]))[0] + bias + sigma * (v1 * sqrt(e1) * white[2] + v2 * sqrt(e2) * white[3]),
    )
    slopes = Matrix([diff(logit, x) for x in white])
    mean = proof.equal(
        "It is linear in `x`, so Gaussian, with mean",
        logit - (slopes.T * white)[0],
        (u.T * m)[0] + bias,
    )
    covariance = root * root.T
    variance = proof.equal(
        "Its variance is the sum of its squared slopes",
        (slopes.T * slopes)[0],
        (u.T * covariance * u)[0] + sigma**2 * (v1**2 * e1 + v2**2 * e2),
    )
    x, score = symbols("x t", real=True)
    correct = proof.equal(
        "Right answers, `y f > 0` with `y f` of mean `t` in units of its deviation, are a Gaussian tail beyond `-t`",
        integrate(exp(-(x**2) / 2) / sqrt(2 * pi), (x, -score, oo)).rewrite(erf),
        normal_cdf(score),
    )
    mu, spread2, q = symbols("mu s2 q", real=True)
    # u.m, u'Su and sum e_j v_j^2 may be any numbers; from here on each goes by its name.
    named_mean = mean - (u.T * m)[0] + mu
    named_variance = variance.subs(v1, 0).subs(v2, q / sqrt(e2)) - (u.T * covariance * u)[0] + spread2
    proof.result["accuracy"] = proof.equal(
        "With `mu = u.m`, `s_2 = u'S u` and `q^2 = sum_j e_j v_j^2`, and as `y^2 = 1`, the accuracy is",
        correct.subs(score, label * named_mean / sqrt(named_variance)),
        normal_cdf(label * (mu + bias) / sqrt(spread2 + sigma**2 * q**2)),
    )
    return proof


def best_bias() -> Derivation:
    """The bias that maximises the worse of two groups, one a class: where their scores cross."""
    proof = Derivation("Two groups, labels `+` and `-`; logit means `A`, `B` without bias; deviations `s, t > 0`.")
    upper, lower, bias = symbols("A B b", real=True)
    s, t, h = symbols("s t h", positive=True)
    rising = proof.say("The score of the positive group rises with the bias", (upper + bias) / s)
    falling = proof.say("that of the negative group falls", -(lower + bias) / t)
    crossing = proof.equal(
        "They cross at the bias", solve(rising - falling, bias)[0], -(t * upper + s * lower) / (s + t)
    )
    score = proof.equal("where both scores are", rising.subs(bias, crossing), (upper - lower) / (s + t))
    worse = proof.equal(
        "`h` below it the positive group has the lower score, `h` above it the negative one, lower than there: the "
        "crossing is the maximin, of the scores and, as `Phi` increases, of the accuracies",
        Matrix([rising.subs(bias, crossing - h), falling.subs(bias, crossing + h)]),
        Matrix([score - h / s, score - h / t]),
    )
    proof.result = {"bias": crossing, "score": worse[0].subs(h, 0)}
    proof.control(
        "With equal deviations the best bias centres the two means", crossing.subs(t, s), -(upper + lower) / 2
    )
    return proof
