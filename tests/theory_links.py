"""Derivations with what one of their links has shown taken away."""

from contextlib import contextmanager
from unittest.mock import patch

from mpmath import mpf, ncdf, npdf
from sympy import Matrix, MatrixBase, Symbol, lambdify

from theory.derivation import Derivation, NotEqual, Step, require_equal


def missing_like(shown):
    """A fresh symbol, or a matrix of them, that nothing is known of."""
    if isinstance(shown, MatrixBase):
        return Matrix(*shown.shape, lambda i, j: Symbol(f"missing_{i}_{j}"))
    return Symbol("missing")


def require_equal_somewhere(sentence, left, right):
    """Raise `NotEqual` if the sides differ at one point, long before their difference is brought to a normal form."""
    difference = Matrix([left - right])
    symbols = sorted(difference.free_symbols, key=str)
    values = [mpf(3) if symbol.is_integer else mpf(17 * i + 11) / (17 * i + 30) for i, symbol in enumerate(symbols)]
    try:
        entries = lambdify(symbols, list(difference), [{"Cdf": ncdf, "Density": npdf}, "mpmath"])(*values)
    except Exception:  # unspecified functions have no values
        return
    if any(abs(entry) > 1e-9 for entry in entries):
        raise NotEqual(sentence)


class Links:
    """Counts the own links of the derivation that is begun first, and takes away what link `missing` has shown.

    Controls are passed over, so that only other links and the result can notice; so are the checks of links up to
    the missing one, which have held before.
    """

    def __init__(self, missing=None):
        self.missing, self.first, self.shown = missing, None, []

    def equal(self, proof, sentence, left, right):
        if self.missing is not None and len(self.shown) > self.missing:
            require_equal_somewhere(sentence, left, right)
            require_equal(sentence, left, right)
        return proof.link(Step(sentence, left, right), right)

    def link(self, proof, step, shown):
        proof.steps.append(step)
        if proof is not self.first:
            return shown
        self.shown.append(step)
        return missing_like(shown) if len(self.shown) - 1 == self.missing else shown

    @contextmanager
    def watched(self):
        begin = Derivation.__init__

        def begun(proof, *arguments, **options):
            begin(proof, *arguments, **options)
            self.first = self.first or proof

        with (
            patch.object(Derivation, "__init__", begun),
            patch.object(Derivation, "link", lambda *arguments: self.link(*arguments)),
            patch.object(Derivation, "equal", lambda *arguments: self.equal(*arguments)),
            patch.object(Derivation, "control", lambda *_: None),
            patch.object(Derivation, "value", lambda *_: None),
        ):
            yield


def links_of(derive):
    """The steps that are links, and the derivation without its controls; nothing is checked."""
    links = Links()
    with links.watched():
        return links.shown, derive()


def is_idle(derive, link, result):
    """Whether the derivation comes to the same `result` without what `link` has shown."""
    with Links(link).watched():
        try:
            return dict(derive().result) == result
        except Exception:  # a step that does not hold, or one that cannot be made at all
            return False
