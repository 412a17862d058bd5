"""Gaussian calculus: Phi and phi as symbols, expectations of polynomials, and Stein's lemma on a general function."""

from __future__ import annotations

from sympy import Function, Integral, Poly, S, diff, exp, factorial2, oo, pi, sqrt, symbols

from .derivation import Step, require_equal
from .readout import normal_cdf

X = symbols("x", real=True)  # the value of a standard normal


class Cdf(Function):
    """Phi, kept as a symbol so that expressions in Phi and phi are polynomials."""

    def _latex(self, printer, exp=None):
        """As Phi."""
        return rf"\Phi\left({printer.doprint(self.args[0])}\right)" + (f"^{{{exp}}}" if exp else "")

    @classmethod
    def eval(cls, x):
        """Phi(-oo) = 0, Phi(oo) = 1."""
        return {-oo: S.Zero, oo: S.One}.get(x)

    def fdiff(self, argindex=1):
        """Phi' = phi."""
        return Density(self.args[0])


class Density(Function):
    """phi, likewise."""

    def _latex(self, printer, exp=None):
        """As phi."""
        return rf"\varphi\left({printer.doprint(self.args[0])}\right)" + (f"^{{{exp}}}" if exp else "")

    @classmethod
    def eval(cls, x):
        """phi(+-oo) = 0."""
        return S.Zero if x in (-oo, oo) else None

    def fdiff(self, argindex=1):
        """phi' = -x phi."""
        return -self.args[0] * Density(self.args[0])


def in_numbers(expression):
    """The expression with Phi and phi written out."""
    return expression.replace(Cdf, normal_cdf).replace(Density, lambda x: exp(-(x**2) / 2) / sqrt(2 * pi))


def expectation(polynomial, normals):
    """E of a polynomial in independent standard normals: E G^(2k) = (2k - 1)!!, odd powers vanish."""
    total = S.Zero
    for powers, coefficient in Poly(polynomial, *normals).terms():
        if not any(power % 2 for power in powers):
            for power in powers:
                coefficient *= factorial2(power - 1)
            total += coefficient
    return total


class Mean(Function):
    """E of a function of the standard normal `X`, as it is printed."""

    def _latex(self, printer):
        """The expectation in brackets."""
        return rf"\mathbb{{E}}\left[{printer.doprint(self.args[0])}\right]"


def by_parts(proof, sentence, left, right, boundary):
    """Record E left = E right and return `right`: phi times their difference is the derivative of phi times `boundary`.

    The boundary term must vanish at +-oo under phi, which every polynomially bounded function does.
    """
    require_equal(sentence, left - right, diff(boundary, X) - X * boundary)
    return proof.link(Step(sentence, Mean(left), Mean(right)), right)


def integrated(proof, sentence, integrand, primitive, ends):
    """Record and return the integral of a function of `X`, or a column of them: `primitive`(start, end) at `ends`.

    It is checked as a primitive, by its derivative in the end.
    """
    require_equal(sentence, diff(primitive(-oo, X), X), integrand)
    value = primitive(*ends)
    whole = (
        integrand.applyfunc(lambda f: Integral(f, (X, *ends)))
        if integrand.is_Matrix
        else Integral(integrand, (X, *ends))
    )
    return proof.link(Step(sentence, whole, value), value)


def truncated_powers(low, high):
    """(E 1{low < G < high} G^k for k = 0, 1, 2); ends may be infinite."""

    def primitive(end):
        at = Density(end)
        return Cdf(end), -at, Cdf(end) - (S.Zero if end in (-oo, oo) else end * at)

    return tuple(upper - lower for upper, lower in zip(primitive(high), primitive(low), strict=True))


def truncated_expectation(polynomial, low, high):
    """E 1{low < G < high} h(G) for a polynomial h in `X` of degree at most two."""
    terms = Poly(polynomial, X).all_coeffs()[::-1]
    return sum(c * power for c, power in zip(terms, truncated_powers(low, high), strict=False))
