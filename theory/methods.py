"""T19: what weights, adjusted logits and worst-case masses do to an objective."""

from __future__ import annotations

from sympy import Function, Matrix, Rational, S, diff, exp, log, solve, symbols

from .class_collapse import collapse_and_bias
from .derivation import Derivation
from .earlier_head import score_weighted

COUNTS = symbols("n1:5", positive=True)  # of two groups of class -1 and two of class +1
CLASSES = (0, 0, 1, 1)


def effective_masses(units):
    """p_g of rows whose weight depends on their unit alone, all units having the same mass; `units` of the groups."""
    weights = symbols(f"w1:{len(set(units)) + 1}", positive=True)
    each = [n * weights[unit] for n, unit in zip(COUNTS, units, strict=True)]
    of_unit = [sum(p for p, u in zip(each, units, strict=True) if u == unit) for unit in range(len(weights))]
    found = solve([of_unit[0] - other for other in of_unit[1:]] + [sum(each) - 1], weights, dict=True)[0]
    return [p.subs(found) for p in each]


def masses() -> Derivation:
    """p_g: n_g/n for ERM and LLR, n_g/(C n_y) for CB-LLR, 1/(number of groups) for DFR; subsets and repeats alike."""
    proof = Derivation(
        "Four groups with rows, two a class; equal weights inside a unit, equal masses of the units.",
        sizes="four groups, two a class",
    )
    total = sum(COUNTS)
    of_class = [sum(n for n, c in zip(COUNTS, CLASSES, strict=True) if c == own) for own in CLASSES]
    for name, units, printed in (
        ("nothing", (0, 0, 0, 0), [n / total for n in COUNTS]),
        ("class", CLASSES, [n / (2 * size) for n, size in zip(COUNTS, of_class, strict=True)]),
        ("group", (0, 1, 2, 3), [Rational(1, 4)] * 4),
    ):
        found = proof.equal(
            f"Units: {name}. The weights solve linear equations", Matrix(effective_masses(units)), Matrix(printed)
        )
        proof.control("and the masses sum to one", sum(found), S.One)
        proof.result |= {f"{name}_{g + 1}": p for g, p in enumerate(found)}
    kept, units = symbols("k U", positive=True)
    size, rows = symbols("n_u n_g", positive=True)
    # k is the size of the smallest unit for a subset and of the largest one for repeats.
    proof.control(
        "Units cut or repeated to `k` rows each, of which `n_g/n_u` are the group's: the same mass as by "
        "weights `1/(U n_u)`",
        (kept * rows / size) / (units * kept),
        rows / (units * size),
    )
    return proof


def class_balance() -> Derivation:
    """CB-LLR is LLR iff the classes are equally large; AFR at gamma = 0 has CB-LLR's weights."""
    proof = Derivation(
        "Two classes with shares `P` and `1 - P`, as for the masses; then T5's classes of one `Sigma_W`."
    )
    share, inner = symbols("P pi", positive=True)
    plain = proof.say("A group with the share `pi` of class +1 has, in LLR, the mass", share * inner)
    balanced = proof.equal(
        "and in CB-LLR half the class",
        masses().result["class_3"].subs({COUNTS[2]: plain, COUNTS[3]: share - plain}),
        inner / 2,
    )
    factor = proof.equal("Its rows weigh more, in proportion, by", balanced / plain, 1 / (2 * share))
    equal = solve(factor - 1, share)
    proof.control("which is one at `P = 1/2` and nowhere else: CB-LLR is LLR", Matrix(equal), Matrix([S.Half]))
    gamma, class_share = symbols("gamma share", positive=True)
    uniform = proof.equal(
        "AFR's weights at `gamma = 0` are free of the score",
        score_weighted().result["afr_weight"].subs(gamma, 0),
        1 / class_share,
    )
    weight = proof.equal(
        "with mean one, those of CB-LLR; its anchor, which is AFR's own, is all that is left of AFR",
        uniform.subs(class_share, share) / 2,
        factor,
    )
    separation = symbols("D", positive=True)
    relative = collapse_and_bias().result["relative_bias"].subs({symbols("tau", positive=True): 1})
    # With the origin midway between the class means E m = (2P - 1) Delta/2.
    threshold = proof.equal(
        "One `Sigma_W` for both classes: the masses turn nothing, and move the threshold, off the middle of "
        "the class means, in units of the head's scale, by",
        relative.subs(symbols("mbar", real=True), (2 * share - 1) * separation / 2),
        (2 * share - 1) / (2 * share * (1 - share)),
    )
    proof.control("which CB-LLR takes back", threshold.subs(share, S.Half), S.Zero)
    proof.result = {"factor": weight, "threshold": threshold, "balanced": balanced}
    return proof


def adjusted_logits() -> Derivation:
    """With iota_y = tau log((1 - pi_y)/pi_y) the margins y f - iota_y are y (f - iota_+): a shift of every logit."""
    proof = Derivation("Two classes with shares `pi` and `1 - pi`; loss `log(1 + exp(iota_y - y f))`; free bias.")
    share, strength = symbols("pi tau", positive=True)
    logit, bias, rest = symbols("f b r", real=True)
    shifts = {1: strength * log((1 - share) / share), -1: strength * log(share / (1 - share))}
    odds = symbols("o", positive=True)  # (1 - pi)/pi
    opposite = proof.equal(
        "The classes' shifts are opposite",
        shifts[-1].subs(share, 1 / (1 + odds)),
        -strength * log(odds),
    )
    shift = proof.say("so that `y iota_y` is `iota_+` for both", -opposite)
    losses = {}
    for y in (1, -1):
        losses[y] = proof.equal(
            f"Class {y:+d}: the loss is the plain one at f - iota_+",
            log(1 + exp(y * shift - y * logit)),
            log(1 + exp(-y * (logit - shift))),
        )
    proof.control(
        "As `f = r + b`, a bias that is free takes the shift up, and nothing else moves: the gradient in `b` "
        "of both classes is the plain one at `b - iota_+`",
        Matrix([diff(loss.subs(logit, rest + bias), bias) for loss in losses.values()]),
        Matrix([-y / (1 + exp(y * (rest + (bias - shift)))) for y in losses]),
    )
    back = (1 - share) / share
    proof.result = {"shift_+": shift.subs(odds, back), "shift_-": opposite.subs(odds, back)}
    proof.result |= {f"loss_{y:+d}": loss.subs(odds, back) for y, loss in losses.items()}
    return proof


def worst_masses() -> Derivation:
    """D(p) = min_w p L_1 + (1 - p) L_2 + penalty is concave with slope L_1 - L_2; its maximum is a saddle point."""
    proof = Derivation("Two groups, convex losses, along any direction of `w`; the whole objective is strictly convex.")
    w, mass, other = symbols("w p q", real=True)
    first, second, penalty = (Function(name)(w) for name in ("L1", "L2", "R"))
    value = mass * first + (1 - mass) * second + penalty
    slope = proof.say("At the minimiser `w_p` this vanishes", diff(value, w))
    rate = proof.equal(
        "so that `w_p` moves with `p` at the rate",
        -diff(slope, mass) / diff(slope, w),
        -diff(first - second, w) / diff(value, w, 2),
    )
    gradient = proof.equal(
        "`D(p) = F(w_p, p)` has the slope `L_1 - L_2`, as `F` has none in `w` (Danskin)",
        (diff(value, mass) + slope * rate).subs(diff(penalty, w), -diff(mass * first + (1 - mass) * second, w)),
        first - second,
    )
    bend = proof.equal(
        "and a second derivative of at most zero: it is concave",
        diff(gradient, w) * rate,
        -(diff(first - second, w) ** 2) / diff(value, w, 2),
    )
    gain = proof.equal(
        "Moving mass from `p` to `q` at a fixed `w` changes the objective by `q - p` times that slope: at a "
        "maximum inside, where it is zero, no masses are worse for `w_p`, and at an end the mass is on the "
        "larger loss. So `(w_p, p)` is a saddle point, and `w_p` minimises the worst loss",
        value.subs(mass, other) - value,
        (other - mass) * gradient,
    )
    losses = symbols("loss_1 loss_2", real=True)
    told = {first: losses[0], second: losses[1]}
    proof.result = {"slope": gradient.subs(told), "gain": gain.subs(told)}
    a, b, c = symbols("slope_1 slope_2 bend", real=True)
    proof.result["bend"] = bend.subs(diff(value, w, 2), c).subs({diff(first, w): a, diff(second, w): b}).doit()
    return proof
