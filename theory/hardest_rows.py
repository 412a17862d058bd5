"""T20: SELF, whose weights are an indicator of an earlier head's hardest rows."""

from __future__ import annotations

from sympy import Matrix, S, diff, exp, log, solve, symbols

from .derivation import Derivation
from .earlier_head import COVARIANCE, FIRST, FIRST_HEAD, NOISE, Q0, slices
from .gaussian import Cdf, in_numbers

THRESHOLD = symbols("t", real=True)
SHARES = symbols("pi1:5", positive=True)  # of two groups of class -1 and two of class +1
MEANS = symbols("middle1:5", real=True)  # E f0
SPREADS = symbols("spread1:5", positive=True)  # t0
LABELS = (-1, -1, 1, 1)


def hardest_rows() -> Derivation:
    """Rows of y f0 <= t, sum_g pi_g Phi((t - y_g E f0)/t0) = k/n; weight 1/(2 x the class's share among them)."""
    proof = Derivation(
        "Two groups a class; `n -> infinity`; the earlier head is independent of the sample (T20).",
        sizes="two groups a class, two signal coordinates",
    )
    margin, z = symbols("m z", real=True)
    proof.control(
        "The cross-entropy falls with the margin: the largest are those of the lowest ones",
        diff(log(1 + exp(-margin)), margin),
        -1 / (1 + exp(margin)),
    )
    chosen = []
    for y, share, middle, spread in zip(LABELS, SHARES, MEANS, SPREADS, strict=True):
        end = proof.equal(
            "The margin `y E f0 + t0 z`, `z` standard normal, is at most `t` up to",
            solve(y * middle + spread * z - THRESHOLD, z)[0],
            (THRESHOLD - y * middle) / spread,
        )
        chosen.append(share * Cdf(end))
    law = slices().result
    slope = Matrix([law[f"slope_{i}"] for i in (1, 2, 3)])
    spread2 = proof.equal(
        "The score's slopes on the signal give its variance `t0^2`, the same for the margin as `y^2 = 1`",
        slope.dot(FIRST_HEAD) ** 2,
        (FIRST.T * COVARIANCE * FIRST)[0] + NOISE**2 * Q0**2,
    )
    total = proof.say("The `k` rows are a share `k/n` of all, which fixes `t`: `k/n` is", sum(chosen))
    of_class = {y: sum(c for c, label in zip(chosen, LABELS, strict=True) if label == y) for y in (-1, 1)}
    weights = symbols("w_minus w_plus", positive=True)
    masses = [w * of_class[y] for w, y in zip(weights, (-1, 1), strict=True)]
    found = solve([masses[0] - masses[1], sum(masses) - 1], weights, dict=True)[0]
    weight = proof.equal(
        "Classes of equal mass and weights of mean one: of a row that is chosen, the weight is",
        Matrix([found[w] for w in weights]),
        Matrix([1 / (2 * of_class[y]) for y in (-1, 1)]),
    )
    mass = proof.equal(
        "so that a group's mass is its share of the chosen rows of its class, halved",
        Matrix([c * weight[int(y > 0)] for c, y in zip(chosen, LABELS, strict=True)]),
        Matrix([c / of_class[y] / 2 for c, y in zip(chosen, LABELS, strict=True)]),
    )
    score = symbols("f0", real=True)
    cuts = [solve(y * score - THRESHOLD, score)[0] for y in (-1, 1)]
    jumps = proof.equal(
        "In scores the weight jumps at `-t` and `t`, the slices' cuts", Matrix(cuts), Matrix([-THRESHOLD, THRESHOLD])
    )
    proof.control("Rows in all cover both classes evenly", sum(mass), S.One)
    proof.result = {"share": total, "weight_-1": weight[0], "weight_1": weight[1]}
    proof.result |= {f"mass_{g + 1}": p for g, p in enumerate(mass)} | {"low": jumps[0], "high": jumps[1]}
    proof.result = {name: in_numbers(value) for name, value in proof.result.items()} | {"spread2": spread2}
    return proof
