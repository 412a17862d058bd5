"""How a derivation is written down: assumptions, then a chain of steps, each an expression or a checked equality."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sympy import Basic, Expr, MatrixBase, N, S, cancel, simplify, together

DIGITS = 50


class NotEqual(AssertionError):
    """Two sides of a step differ: the derivation is wrong."""


@dataclass(frozen=True)
class Step:
    """One step: a sentence and, where there is one, what it says as an expression or an equality of two.

    Attributes:
        sentence: prose, with what is to be set as mathematics between backticks (`theory.typeset`).
        left: what is defined, or the left side of an equality.
        right: the right side of an equality.
        control: whether the step checks what has been derived, and nothing is built on it.
    """

    sentence: str
    left: Basic | MatrixBase | None = None
    right: Basic | MatrixBase | None = None
    control: bool = False


def require_equal(sentence: str, left: Any, right: Any) -> None:
    """Raise `NotEqual` unless the two sides agree as expressions, entry by entry for matrices."""
    difference = left - right
    for entry in difference if isinstance(difference, MatrixBase) else [difference]:
        rest = cancel(together(entry))
        # Rational functions have a normal form; only what has none is left to the heuristics of simplify.
        if rest != 0 and (rest.is_rational_function() or simplify(rest) != 0):
            raise NotEqual(f"{sentence}: the two sides differ by {rest}")


@dataclass
class Derivation:
    """The steps so far and the named expressions a derivation ends in.

    The steps of `say` and `equal` are links of a chain: each returns what it has shown, later links and `result` are
    built from what earlier ones returned, and without any of them the end cannot be reached. `control` and `value`
    check an end at a special case or at numbers, and return nothing.

    Attributes:
        assumptions: what the result needs.
        steps: the steps, in order.
        result: final expressions by name, for evaluation in numbers; their symbols carry the names of the theory.
    """

    assumptions: str
    steps: list[Step] = field(default_factory=list)
    result: dict[str, Expr] = field(default_factory=dict)

    def link(self, step: Step, shown: Any) -> Any:
        """Record a step and hand on what it has shown."""
        self.steps.append(step)
        return shown

    def say(self, sentence: str, expression: Any = None) -> Any:
        """Record a definition and return it, or a remark that nothing is built on."""
        if expression is None:
            self.steps.append(Step(sentence))
            return None
        return self.link(Step(sentence, expression), expression)

    def equal(self, sentence: str, left: Any, right: Any) -> Any:
        """Record that the two sides agree, and return the right one; raise `NotEqual` if they do not."""
        require_equal(sentence, left, right)
        return self.link(Step(sentence, left, right), right)

    def control(self, sentence: str, left: Any, right: Any) -> None:
        """Check what has been derived at a special case or against a known property of it."""
        require_equal(sentence, left, right)
        self.steps.append(Step(sentence, left, right, control=True))

    def value(self, sentence: str, expression: Expr, expected: str) -> None:
        """Check a value: the expression to 50 digits, rounded as `expected` is; raise `NotEqual` if that differs."""
        found = N(expression, DIGITS)
        half_unit = S(10) ** -len(expected.partition(".")[2]) / 2
        if abs(found - S(expected)) > half_unit:
            raise NotEqual(f"{sentence}: {found}, not {expected}")
        self.steps.append(Step(sentence, expression, S(expected), control=True))
