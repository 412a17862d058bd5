"""What LaTeX for a page must be: balanced, plain ASCII, escaped prose, lines that fit, formulas that can be set."""

import re
from functools import cache

from matplotlib.mathtext import MathTextParser

from theory.typeset import WIDTH, width

FORMULA = re.compile(r"\\begin\{align\*\}(.*?)\\end\{align\*\}|\\\[(.*?)\\\]|\$([^$]*)\$", re.DOTALL)
PARSER = MathTextParser("path")
# Rows may hold one term that nothing breaks; a page has some room beyond the line that rows are packed to.
ROOM = 1.5
LONG = 80  # formulas beyond, of the same printer, would take the small TeX most of its time


def braces_close(text):
    depth = 0
    for mark in re.findall(r"(?<!\\)[{}]", text):
        depth += 1 if mark == "{" else -1
        if depth < 0:
            return False
    return depth == 0


def environments_close(text):
    """Also \\left and \\right, \\Bigl and \\Bigr, of which each formula must have as many."""
    opened = []
    for kind, name in re.findall(r"\\(begin|end)\{([a-z*]+)\}", text):
        if kind == "begin":
            opened.append(name)
        elif not opened or opened.pop() != name:
            return False
    formulas = ["".join(parts) for parts in FORMULA.findall(text)]
    pairs = ((r"\\left\b", r"\\right\b"), (r"\\Bigl\b", r"\\Bigr\b"))
    return not opened and all(len(re.findall(a, f)) == len(re.findall(b, f)) for f in formulas for a, b in pairs)


def rows(text):
    """The rows of displays."""
    for aligned, display, _ in FORMULA.findall(text):
        # A matrix has rows of its own, which are not lines of the page.
        whole = re.sub(r"\\begin\{matrix\}.*?\\end\{matrix\}", "", aligned or display, flags=re.DOTALL)
        yield from whole.split(r"\\")


@cache
def can_be_set(formula):
    """Whether matplotlib's small TeX can set it, which has neither matrices nor every command."""
    known = formula.replace(r"\lbrace", r"\{").replace(r"\rbrace", r"\}").replace(r"\limits", "")
    try:
        PARSER.parse(f"${known}$")
    except ValueError:
        return False
    return True


def faults(text):
    """What is wrong with a paragraph of LaTeX."""
    found = []
    if not text.isascii():
        found.append("characters beyond ASCII")
    if not braces_close(text):
        found.append("braces")
    if not environments_close(text):
        found.append("environments")
    prose = re.sub(r"\\(paragraph|emph)\{|\\_", "", FORMULA.sub("", text))
    found += [f"unescaped in prose: {mark}" for mark in re.findall(r"[\\_^~%&#$`<>=|]", prose)]
    found += [f"too wide: {row}" for row in rows(text) if width(row) > ROOM * WIDTH]
    for _, display, inline in FORMULA.findall(text):
        formula = inline or display
        if formula and r"\begin" not in formula and len(formula) < LONG and not can_be_set(formula):
            found.append(f"cannot be set: {formula}")
    return found
