"""How a derivation is written down: assumptions, then steps, each an expression or a checked equality."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sympy import Basic, Expr, MatrixBase, N, S, cancel, latex, simplify, together

DIGITS = 50


class NotEqual(AssertionError):
    """Two sides of a step differ: the derivation is wrong."""


@dataclass(frozen=True)
class Step:
    """One step: a sentence and, where there is one, what it says as an expression or an equality of two."""

    sentence: str
    left: Basic | MatrixBase | None = None
    right: Basic | MatrixBase | None = None

    def latex(self) -> str:
        """The step as a sentence and a displayed formula."""
        if self.left is None:
            return self.sentence
        formula = latex(self.left) if self.right is None else f"{latex(self.left)} = {latex(self.right)}"
        return f"{self.sentence}\n\\[ {formula} \\]"


@dataclass
class Derivation:
    """The steps so far and the named expressions a derivation ends in.

    Attributes:
        assumptions: what the result needs.
        steps: the steps, in order.
        result: final expressions by name, for evaluation in numbers; their symbols carry the names of the theory.
    """

    assumptions: str
    steps: list[Step] = field(default_factory=list)
    result: dict[str, Expr] = field(default_factory=dict)

    def say(self, sentence: str, expression: Any = None) -> Any:
        """Record a step that defines something, and return it for the next steps to build on."""
        self.steps.append(Step(sentence, expression))
        return expression

    def equal(self, sentence: str, left: Any, right: Any) -> Any:
        """Record that the two sides agree as expressions, entry by entry for matrices; raise `NotEqual` if not.

        Returns the right side, what the step has shown, for the next steps to build on.
        """
        difference = left - right
        for entry in difference if isinstance(difference, MatrixBase) else [difference]:
            rest = cancel(together(entry))
            # Rational functions have a normal form; only what has none is left to the heuristics of simplify.
            if rest != 0 and (rest.is_rational_function() or simplify(rest) != 0):
                raise NotEqual(f"{sentence}: the two sides differ by {rest}")
        self.steps.append(Step(sentence, left, right))
        return right

    def value(self, sentence: str, expression: Expr, expected: str) -> None:
        """Record a value: the expression to 50 digits, rounded as `expected` is; raise `NotEqual` if that differs."""
        found = N(expression, DIGITS)
        half_unit = S(10) ** -len(expected.partition(".")[2]) / 2
        if abs(found - S(expected)) > half_unit:
            raise NotEqual(f"{sentence}: {found}, not {expected}")
        self.steps.append(Step(sentence, expression, S(expected)))
