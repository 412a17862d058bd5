"""How a derivation is written down: assumptions, then steps, each of which is derived, checked or cited.

Derived: a link of the chain, that the end cannot be reached without (`tests/test_theory_chain.py` takes each away).
Checked: an equality at a special case, at numbers, or at the sizes that a derivation names where its statement is for
any. Cited: somebody's theorem, or an argument in words, with its source and its conditions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from sympy import Basic, Expr, MatrixBase, N, S, cancel, simplify, together

DIGITS = 50

Kind = Literal["derived", "checked", "cited"]


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
        source: of a step that is cited, with `conditions` under which it holds; else empty.
    """

    sentence: str
    left: Basic | MatrixBase | None = None
    right: Basic | MatrixBase | None = None
    control: bool = False
    source: str = ""
    conditions: str = ""


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
    check an end at a special case or at numbers, and return nothing; `cite` records what is not shown here.

    Attributes:
        assumptions: what the result needs.
        sizes: the numbers of groups, coordinates or rows at which all is shown, where the statement is for any: the
            links are checked there, not derived.
        steps: the steps, in order.
        result: final expressions by name, for evaluation in numbers; their symbols carry the names of the theory.
    """

    assumptions: str
    sizes: str = ""
    steps: list[Step] = field(default_factory=list)
    result: dict[str, Expr] = field(default_factory=dict)

    def link(self, step: Step, shown: Any) -> Any:
        """Record a step and hand on what it has shown."""
        self.steps.append(step)
        return shown

    def kind(self, step: Step) -> Kind:
        """Return how a step is known."""
        if step.source:
            return "cited"
        return "checked" if step.control or self.sizes else "derived"

    def summary(self) -> str:
        """Return the numbers of steps of each kind, the sizes and the sources, as the ledger has them."""
        kinds = [self.kind(step) for step in self.steps]
        sizes = f" at {self.sizes}" if self.sizes else ""
        sources = "; ".join(step.source for step in self.steps if step.source)
        parts = {"derived": "", "checked": sizes, "cited": f": {sources}"}
        return ", ".join(f"{kinds.count(kind)} {kind}{more}" for kind, more in parts.items() if kind in kinds)

    def cite(self, sentence: str, *, source: str, conditions: str) -> None:
        """Record what others have shown, or an argument in words, and the conditions it needs."""
        self.steps.append(Step(sentence, source=source, conditions=conditions))

    def say(self, sentence: str, expression: Any) -> Any:
        """Record a definition and return it."""
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
