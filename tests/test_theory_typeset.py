"""Derivations in LaTeX: what prose and formulas become, how long ones break, and that faults are seen."""

import pytest
from sympy import Matrix, S, Symbol, symbols
from theory_latex import faults

from theory.derivation import Derivation, Step
from theory.typeset import WIDTH, display, mathematics, paragraph, pieces, prose, step, width

A, B = symbols("a b", positive=True)
LONG = sum(Symbol(f"x{i}") ** 2 / (1 + Symbol(f"y{i}")) for i in range(30))


@pytest.mark.parametrize(
    ("plain", "written"),
    [
        ("sum_g pi_g sigma_g^2 E M'^2", r"\sum _{g} \pi _{g} \sigma _{g}^{2} \mathbb{E}  M'^{2}"),
        ("u.m + b -> -1.5", r"u\cdot m + b \to  -1.5"),
        ("sqrt(c'A (c + 1)) >= e^{-p}", r"\sqrt {c'A (c + 1)} \geq  e^{-p}"),
        ("(R^-1 + A)^-1 e_1 ~ u_new", r"(R^{-1} + A)^{-1} e_{1} \sim  u_{\mathrm{new}}"),
        ("E 1{a < G} G^k", r"\mathbb{E}  1\lbrace a < G\rbrace  G^{k}"),
        ("mean + s G", r"\mathrm{mean} + s G"),
        ("NC1 = tr(Sigma_W)", r"\mathrm{NC1} = \operatorname{tr}(\Sigma _{W})"),
    ],
)
def test_plain_mathematics_becomes_latex(plain, written):
    assert mathematics(plain) == written


def test_prose_is_escaped_outside_formulas():
    assert prose("50 % of w_0 & {x}, but `w_0^2`") == r"50 \% of w\_0 \& \{x\}, but $w_{0}^{2}$"


def test_a_fraction_is_as_wide_as_its_longer_part():
    assert width(r"\frac{a + b + c}{d}") == width("a + b + c") == 7
    assert width(r"\left(x^{10}\right)") == pytest.approx(3 + 0.7 * 2)


def test_short_displays_stand_on_one_line_and_equal_sides_once():
    assert display(A, B) == r"\[ a = b \]"
    assert display(A, A) == r"\[ a \]"
    assert display(A) == r"\[ a \]"


@pytest.mark.parametrize("formula", [LONG, LONG**2, A * LONG, A / LONG, Matrix([LONG, A]), -LONG / (1 + LONG)])
def test_long_displays_break_into_rows_that_fit(formula):
    text = display(formula, B * formula)
    assert text.count(r"\\") > 3
    assert not faults(text)


def test_nothing_is_lost_where_lines_break():
    together = " ".join(pieces(A * LONG))
    for i in range(30):
        assert f"x_{{{i}}}" in together
        assert f"y_{{{i}}}" in together
    assert together.count(r"\Bigl(") == together.count(r"\Bigr)") == 1
    assert all(width(piece) <= WIDTH for piece in pieces(A * LONG))


def test_a_paragraph_has_title_assumptions_steps_and_controls():
    proof = Derivation("Given `a > 0`.")
    double = proof.equal("Twice it", A + A, 2 * A)
    proof.control("At one", double.subs(A, 1), 2 + 0 * A)
    proof.cite("No more", source="T0", conditions="`a > 0`")
    assert paragraph("T0: twice", proof).splitlines() == [
        r"\paragraph{T0: twice.} Given $a > 0$.",
        "Twice it",
        r"\[ 2 a \]",
        r"\emph{Control.} At one",
        r"\[ 2 \]",
        r"\emph{Cited.} No more, if $a > 0$ (T0).",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("\u03c3", "ASCII"),
        ("{a", "braces"),
        (r"\begin{align*} a", "environments"),
        (r"\[ \left( a \]", "environments"),
        ("w_0", "prose"),
        ("a = b", "prose"),
        (r"\alpha", "prose"),
        (r"\[ " + "a + " * 60 + r"b \]", "wide"),
        (r"$\nosuchcommand$", "set"),
    ],
)
def test_faults_are_found(text, fault):
    assert any(fault in found for found in faults(text))
    assert not faults(r"Fine, with $w_0$: \[ \left(a\right) \]")


def test_of_a_long_side_and_a_short_one_the_short_one_is_printed():
    assert display(LONG, A) == "\\begin{align*}\n& a\n\\end{align*}"
    assert display(A, LONG).count("&") > 2


def test_a_step_that_says_zero_is_zero_has_no_display():
    assert step(Step("Nothing is left", S.Zero, S.Zero)) == "Nothing is left."
    assert "\\[" in step(Step("Something is left", S.One, S.One))
