"""T14: which step sizes are stable, from the modes of one step of descent in an eigendirection."""

from __future__ import annotations

from sympy import Matrix, S, solve, symbols

from .derivation import Derivation

STEP = symbols("x", positive=True)  # eta z
MOMENTUM = symbols("mu", nonnegative=True)
ROOT = symbols("r")


def polynomial(trace, determinant):
    """The characteristic polynomial of a step."""
    return ROOT**2 - trace * ROOT + determinant


def stable_steps() -> Derivation:
    """eta z < 2 (1 + mu) for heavy ball; < 2 (1 + mu)/(1 + 2 mu) for Nesterov's momentum; < 2 without."""
    proof = Derivation(
        "`F = z theta^2 / 2`, `mu` in [0, 1); state (theta, step before), Nesterov's theta looking ahead."
    )
    first, second = symbols("r1 r2")
    proof.control(
        "Real roots are in (-1, 1) together if the polynomial is positive at both ends and their product is "
        "less than one, and complex ones have the product `|r|^2`. At the ends it is",
        Matrix([((ROOT - first) * (ROOT - second)).subs(ROOT, end) for end in (1, -1)]),
        Matrix([(1 - first) * (1 - second), (1 + first) * (1 + second)]),
    )
    moves = {
        "heavy_ball": Matrix([[1 - STEP, MOMENTUM], [-STEP, MOMENTUM]]),
        "nesterov": Matrix([[1 - STEP - MOMENTUM * STEP, MOMENTUM**2], [-STEP, MOMENTUM]]),
    }
    products = {"heavy_ball": MOMENTUM, "nesterov": MOMENTUM * (1 - STEP)}
    ends = {"heavy_ball": 2 * (1 + MOMENTUM), "nesterov": 2 * (1 + MOMENTUM) / (1 + 2 * MOMENTUM)}
    for name, move in moves.items():
        product = proof.equal(f"{name}: the product of the roots", move.det(), products[name])
        mode = polynomial(move.trace(), product)
        proof.control("At one the polynomial is `eta z`, which is positive", mode.subs(ROOT, 1), STEP)
        limit = solve(mode.subs(ROOT, -1), STEP)[0]
        stable = proof.equal("at minus one it falls to zero at", limit, ends[name])
        proof.control(
            "where a root is minus one and the other one minus the product, inside the circle",
            mode.subs(STEP, stable),
            (ROOT + 1) * (ROOT + product.subs(STEP, stable)),
        )
        proof.result[name] = stable
    proof.control("Without momentum both are 2", proof.result["nesterov"].subs(MOMENTUM, 0), S(2))
    proof.control(
        "Nesterov's looks ahead, and is stable for less",
        proof.result["heavy_ball"] / proof.result["nesterov"],
        1 + 2 * MOMENTUM,
    )
    return proof
