"""A derivation as LaTeX for an appendix: a paragraph, prose with its formulas, displays that stay on the page."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from sympy import Add, Basic, MatrixBase, Mul, Pow, fraction, latex, log
from sympy.printing.latex import greek_letters_set

from .derivation import Derivation, Step
from .envelopes import NOTATION

GREEK = greek_letters_set | {"Delta", "Phi", "Sigma"}
WORDS = {name: f"\\{name} " for name in [*GREEK, "log", "exp", "det", "sum", "sqrt"]} | {
    "E": r"\mathbb{E} ",
    "infinity": r"\infty ",
    "mbar": r"\bar{m}",
    "perp": r"\perp ",
    "dl": r"\partial l",
    "tr": r"\operatorname{tr}",
    "diag": r"\operatorname{diag}",
}
SIGNS = {"->": r"\to ", "<=": r"\leq ", ">=": r"\geq ", "+-": r"\pm ", "~": r"\sim ", "..": r"\cdot\,"}
# Words, signs of two characters, and the brackets of what is raised, lowered or under a root.
TOKEN = re.compile(r"[A-Za-z]+\d*|->|<=|>=|\+-|\.\.|(?<=[A-Za-z'])\.(?=[A-Za-z])|.", re.DOTALL)
SPECIAL = {c: f"\\{c}" for c in "_%&#${}"} | {"^": r"\textasciicircum{}", "~": r"\textasciitilde{}"}
WIDTH = 60  # of a line, in characters of 10 pt mathematics on an article's page


def mathematics(text: str) -> str:
    """Plain mathematics (`sum_g pi_g sigma_g^2`, `sqrt(c'A c)`, `e^{-p}`) as LaTeX."""
    # What is under a root, raised or lowered is bracketed; a power's sign belongs to it.
    text = re.sub(r"sqrt\(((?:[^()]|\([^()]*\))*)\)", r"sqrt{\1}", text)
    text = re.sub(r"([_^])(-?[A-Za-z0-9]+|[+*-])", r"\1{\2}", text)
    text = re.sub(r"\b1\{([^}]*)\}", r"1\\lbrace \1\\rbrace ", text)
    out = []
    for token in re.findall(r"\\[a-z]+ ?|" + TOKEN.pattern, text, re.DOTALL):
        letters, digits = re.fullmatch(r"([A-Za-z]*)(\d*)", token).groups() if token[0].isalpha() else ("", "")
        if token in WORDS or token in SIGNS:
            out.append(WORDS.get(token) or SIGNS[token])
        elif token == "." and out and out[-1][-1] not in "0123456789":
            out.append(r"\cdot ")
        elif len(letters) >= 3:
            out.append(rf"\mathrm{{{token}}}")
        elif digits and letters:
            out.append(f"{letters}_{{{digits}}}" if len(letters) == 1 else rf"\mathrm{{{token}}}")
        else:
            out.append(token)
    return "".join(out).strip()


def prose(sentence: str) -> str:
    """A sentence, with what is between backticks set as mathematics and nothing in the rest that TeX would take."""
    parts = sentence.split("`")
    for i, part in enumerate(parts):
        parts[i] = f"${mathematics(part)}$" if i % 2 else "".join(SPECIAL.get(c, c) for c in part)
    return "".join(parts)


def symbol(name: str) -> str | None:
    """How a symbol is written whose name is a word or a moment's, or None where SymPy knows."""
    moment, _, group = name.rpartition("_")
    if name == "q2":
        return "q^{2}"
    if name in NOTATION:
        return NOTATION[name].format("")
    if moment in NOTATION and group.isdigit():
        return NOTATION[moment].format(f"_{{{group}}}")
    side = re.fullmatch(r"([a-z]+)_(plus|minus)", name)
    if side is not None:
        return f"{WORDS.get(side[1], side[1])}_{{{'+' if side[2] == 'plus' else '-'}}}"
    word = re.fullmatch(r"([A-Za-z]{3,})(\d*)", name)
    if word is None or word[1] in GREEK or word[1] == "mbar":
        return None
    return rf"\mathrm{{{word[1]}}}" + (f"_{{{word[2]}}}" if word[2] else "")


@cache
def tex(expression: Any) -> str:
    """SymPy's LaTeX, with words upright and moments as expectations."""
    written = {s: symbol(s.name) for s in expression.free_symbols}
    return latex(expression, symbol_names={s: name for s, name in written.items() if name})


@cache
def width(formula: str) -> float:
    """About how many characters of a line a formula takes: a fraction the longer of its parts, raised parts less."""
    formula = re.sub(r"\\(left|right|[bB]ig[lr]?|mathrm|mathbb|operatorname\*?|begin|end)\b|\{matrix\}", "", formula)
    total, place = 0.0, 0

    def group(start: int) -> int:
        """Where the braces that open at `start` close."""
        depth = 0
        for end in range(start, len(formula)):
            depth += (formula[end] == "{") - (formula[end] == "}")
            if depth == 0:
                return end
        return len(formula)

    while place < len(formula):
        if formula.startswith(r"\frac{", place):
            middle = group(place + 5)
            end = group(middle + 1)
            total += max(width(formula[place + 6 : middle]), width(formula[middle + 2 : end]))
            place = end + 1
        elif formula[place] in "_^" and formula[place + 1 : place + 2] == "{":
            end = group(place + 1)
            total += 0.7 * width(formula[place + 2 : end])
            place = end + 1
        else:
            token = re.compile(r"\\[A-Za-z]+|\\.|.", re.DOTALL).match(formula, place)[0]
            total += 2.0 if token in "+-=" else 0.0 if token in "{} &\\," else 1.0
            place += len(token)
    return total


def bracketed(pieces: list[str], after: str = "") -> list[str]:
    """Brackets of one size around pieces that may come to stand on different lines."""
    return (
        [rf"\Bigl( {pieces[0]}", *pieces[1:-1], rf"{pieces[-1]} \Bigr){after}"]
        if len(pieces) > 1
        else [rf"\Bigl( {pieces[0]} \Bigr){after}"]
    )


def pieces(expression: Basic) -> list[str]:
    """The formula in parts that a line may end after: terms of sums, and of the sums in products and quotients."""
    whole = tex(expression)
    if width(whole) <= WIDTH:
        return [whole]
    if isinstance(expression, Add):
        found: list[str] = []
        for term in expression.as_ordered_terms():
            minus = term.could_extract_minus_sign()
            first, *rest = pieces(-term if minus else term)
            found += [f"- {first}" if minus else f"+ {first}" if found else first, *rest]
        return found
    above, below = fraction(expression)
    if below != 1:
        return [*factors(above), r"\Big/ " + factors(below, alone=False)[0], *factors(below, alone=False)[1:]]
    if isinstance(expression, Mul):
        return factors(expression)
    if isinstance(expression, Pow):
        return bracketed(pieces(expression.base), f"^{{{tex(expression.exp)}}}")
    if isinstance(expression, log):
        return [rf"\log {(inner := bracketed(pieces(expression.args[0])))[0]}", *inner[1:]]
    return [whole]


def factors(product: Basic, *, alone: bool = True) -> list[str]:
    """The pieces of a product, sums among its factors in brackets; `alone` leaves a single factor without them."""
    found: list[str] = []
    several = Mul.make_args(product)
    for factor in several:
        inner = pieces(factor)
        found += bracketed(inner) if isinstance(factor, Add) and (len(several) > 1 or not alone) else inner
    return found


def lines(parts: list[str]) -> list[str]:
    """The pieces on as few lines as hold them."""
    found = [parts[0]]
    for part in parts[1:]:
        if width(found[-1]) + width(part) <= WIDTH:
            found[-1] += f" {part}"
        else:
            found.append(part)
    return found


def display(left: Any, right: Any = None) -> str:
    """A displayed expression or equality, on one line if it fits; wide matrices by entries, symmetric ones once."""
    sides = [
        side.as_immutable() if isinstance(side, MatrixBase) else side for side in (left, right) if side is not None
    ]
    if len(sides) == 2 and tex(sides[0]) == tex(sides[1]):
        sides = sides[:1]
    whole = " = ".join(map(tex, sides))
    if width(whole) <= WIDTH:
        return f"\\[ {whole} \\]"
    if isinstance(left, MatrixBase):
        rows = []
        symmetric = all(side == side.T for side in sides)
        for i in range(left.rows):
            for j in range(i if symmetric else 0, left.cols):
                where = f"({i + 1})" if left.cols == 1 else f"({i + 1},{j + 1})"
                first, *rest = rows_of([side[i, j] for side in sides])
                rows += [rf"{where}\quad {first}", *rest]
    else:
        rows = rows_of(sides)
    return "\\begin{align*}\n& " + " \\\\\n& ".join(rows) + "\n\\end{align*}"


def rows_of(sides: list[Any]) -> list[str]:
    """The rows of one equality; of one whose left side is long and whose right is not, the right alone."""
    if len(sides) == 2 and tex(sides[0]) == tex(sides[1]):
        sides = sides[:1]
    whole = " = ".join(tex(side) for side in sides)
    if width(whole) <= WIDTH:
        return [whole]
    told = [lines(pieces(side)) for side in sides]
    if len(told) == 2 and 1 < len(told[0]) > len(told[1]):
        told = told[1:]  # what comes out says it; how it came out stands in the code
    rows: list[str] = []
    for first, *rest in told:
        rows += [f"{{}} = {first}" if rows else first, *(rf"\qquad {line}" for line in rest)]
    return rows


def step(one: Step) -> str:
    """A step as its sentence and display; a control is called one, and a cited step names its source and conditions."""
    if one.source:
        cited = f"{prose(one.sentence).rstrip('.')}, if {prose(one.conditions)}"
        return rf"\emph{{Cited.}} {cited} ({prose(one.source)})."
    sentence = (r"\emph{Control.} " if one.control else "") + prose(one.sentence)
    if one.left is None or one.left == one.right == 0:
        return sentence.rstrip(".") + "."
    return f"{sentence}\n{display(one.left, one.right)}"


def paragraph(title: str, proof: Derivation) -> str:
    """The whole derivation: title, assumptions, steps. It needs the package amsmath, and amssymb for expectations."""
    assumptions = proof.assumptions.rstrip(".")
    return "\n".join([f"\\paragraph{{{prose(title)}.}} {prose(assumptions)}.", *map(step, proof.steps)])
