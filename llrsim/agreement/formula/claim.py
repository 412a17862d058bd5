"""A user's formula: what it is given, what it may return, and what is said of one that does neither."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...experiment import ExperimentError
from ...experiment.errors import suggestion
from ...head import Head, group_accuracy
from ...mixture import Array, GroupMixture
from ...planning import readout_law
from .names import UndefinedName, names_of

if TYPE_CHECKING:
    from ...experiment import Experiment

ROUNDING = 1e-9
"""How far outside of [0, 1] an accuracy may lie by rounding."""


HEAD = {"u", "b", "q"}
"""Keys of a dict that is a head: signal weights (k,), bias, and q = sqrt(v' diag(e) v) of its noise part."""


class FormulaError(ExperimentError):
    """A formula that cannot be judged; the message names the formula, what it did and the cell."""


class Claim(NamedTuple):
    """What a formula says of one experiment.

    Attributes:
        accuracy: (G,) of every group, or (1,) of the worst.
        of_groups: which of the two.
    """

    accuracy: Array
    of_groups: bool


@dataclass(frozen=True)
class Formula:
    """A Python function or a SymPy expression, ready to be called by name.

    Attributes:
        name: what it is called in messages.
        asks: names that it must be given.
        takes: names that it is given where they exist: parameters with a default of their own.
        evaluate: its value from keyword arguments.
        source: the file of its code, in which a line is told when it raises; None for an expression.
    """

    name: str
    asks: tuple[str, ...]
    takes: tuple[str, ...]
    evaluate: Callable[..., Any]
    source: str | None = None

    @classmethod
    def of(cls, given: Any, name: str | None = None) -> Formula:
        """The formula that a function, an expression, or a list or dict of expressions is.

        Raises:
            FormulaError: it is none of these, or takes parameters that have no name.
        """
        if isinstance(given, cls):
            return given
        symbols = _symbols(given)
        if symbols is not None:
            return cls(name or "the expression", tuple(sorted(symbols)), (), _evaluating(given))
        if not callable(given):
            raise FormulaError(
                f"formula {name or ''}: a {type(given).__name__}; expected a function or a SymPy expression"
            )
        called = str(name or getattr(given, "__name__", type(given).__name__))
        parameters = inspect.signature(given).parameters.values()
        nameless = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        if nameless:
            raise FormulaError(
                f"formula {called}: parameter {nameless[0]!r} takes no single name; parameters are given by name"
            )
        asks = tuple(p.name for p in parameters if p.default is p.empty)
        takes = tuple(p.name for p in parameters if p.default is not p.empty)
        code = getattr(inspect.unwrap(given), "__code__", None)
        return cls(called, asks, takes, given, code.co_filename if code else None)

    def claim(self, experiment: Experiment, label: str, cell: str) -> Claim:
        """What it says of the method `label` in this experiment; `cell` is named where it fails.

        Raises:
            FormulaError: unknown names, an exception of the formula, or a result that is no accuracy.
        """
        arguments = self._arguments(experiment, label, cell)
        try:
            with np.errstate(all="ignore"):  # what becomes NaN is told below
                result = self.evaluate(**arguments)
        except (Exception, SystemExit) as error:
            raise self._failed(f"{self._place(error)} raised {type(error).__name__}: {error}", cell) from error
        try:
            return _claim(result, readout_law(experiment))
        except _Unfit as unfit:
            raise self._failed(f"returned {unfit}", cell) from None

    def _arguments(self, experiment: Experiment, label: str, cell: str) -> dict[str, Any]:
        names = names_of(experiment, label)
        unknown = [name for name in self.asks if name not in names]
        if unknown:
            told = suggestion(unknown[0], names) or "; names are the keys of the file with _ for ., or rho, S_y, d, ..."
            raise self._failed(f"asks for {unknown[0]!r}, which is no name of the experiment{told}", cell)
        try:
            given = {name: names[name]() for name in self.asks}
        except UndefinedName as missing:
            raise self._failed(f"asks for what there is not: {missing}", cell) from None
        for name in self.takes:
            with suppress(KeyError, UndefinedName):
                given[name] = names[name]()
        return given

    def _place(self, error: BaseException) -> str:
        """The innermost line of the formula's own file that the error came through."""
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == self.source]
        return f"({self.source}, line {lines[-1]})" if lines else ""

    def _failed(self, what: str, cell: str) -> FormulaError:
        return FormulaError(" ".join(f"formula {self.name} {what} (cell: {cell})".split()))


class _Unfit(ValueError):
    """A result that is no accuracy."""


def _claim(result: Any, law: GroupMixture) -> Claim:
    names, groups = law.group_names, law.group_count
    expected = f"a number, {groups} group accuracies, a dict by group name or of u, b and q, or a Head"
    if isinstance(result, Head):
        result = _accuracies(result.signal, result.bias, result.noise_spread, law)
    elif isinstance(result, Mapping) and set(result) == HEAD:
        result = _accuracies(result["u"], result["b"], result["q"], law)
    elif isinstance(result, Mapping):
        if set(result) != set(names):
            raise _Unfit(f"a dict of {', '.join(map(str, result))}; expected the groups {', '.join(names)}, or u, b, q")
        result = [result[name] for name in names]
    try:
        values = np.asarray(result)
    except ValueError:
        values = np.asarray(None)
    if values.dtype.kind == "O":  # fractions, or SymPy's numbers
        with suppress(TypeError, ValueError):
            values = np.reshape([complex(value) for value in values.flat], values.shape)
            values = values if values.imag.any() else values.real
    if values.dtype.kind not in "biufc":
        raise _Unfit(f"a {type(result).__name__}; expected {expected}")
    if values.shape not in ((), (groups,)):
        raise _Unfit(f"an array of shape {values.shape}; expected {expected}")
    if values.dtype.kind == "c":
        raise _Unfit(f"complex numbers: {_shown(values)}")
    if np.isnan(values).any():
        raise _Unfit("NaN" if values.shape == () else f"NaN among {_shown(values)}")
    if values.min() < -ROUNDING or values.max() > 1 + ROUNDING:
        raise _Unfit(f"{_shown(values)}; accuracies lie in [0, 1]")
    return Claim(np.atleast_1d(np.clip(values.astype(float), 0.0, 1.0)), values.shape == (groups,))


def _accuracies(signal: Any, bias: Any, spread: Any, law: GroupMixture) -> Array:
    """(G,) those of one head, from what a user may write for its numbers."""
    try:
        head = Head.of(signal, bias, spread)
    except TypeError as error:
        raise _Unfit(f"a head that is not made of real numbers: {error}") from None
    except ValueError as error:
        raise _Unfit(f"a head with {error}") from None
    if head.signal.shape != (law.signal_dim,) or head.bias.shape or head.noise_spread.shape:
        raise _Unfit(f"a head with signal of shape {head.signal.shape}; expected one head, ({law.signal_dim},)")
    if not head.noise_spread >= 0.0:
        raise _Unfit(f"a head with q = {head.noise_spread}; expected q >= 0")
    accuracy: Array = group_accuracy(head, law)
    return accuracy


def _shown(values: np.ndarray) -> str:
    return np.array2string(values, precision=6, separator=", ")


def _symbols(given: Any) -> set[str] | None:
    """Names of the free symbols of an expression, or of several in a list or dict; None where it is none."""
    parts = (
        list(given.values()) if isinstance(given, Mapping) else given if isinstance(given, list | tuple) else [given]
    )
    if not parts or not all(hasattr(part, "free_symbols") and hasattr(part, "evalf") for part in parts):
        return None
    return {symbol.name for part in parts for symbol in part.free_symbols}


def _evaluating(given: Any) -> Callable[..., Any]:
    """What evaluates an expression, or each of several, at numbers for its symbols."""

    def number(part: Any, values: dict[str, Any]) -> complex | float:
        for name, value in values.items():
            if not isinstance(value, int | float):
                raise TypeError(f"{name} is no number, and a symbol stands for one")
        found = complex(part.evalf(subs={symbol: values[symbol.name] for symbol in part.free_symbols}))
        return found if found.imag else found.real

    def evaluate(**values: Any) -> Any:
        if isinstance(given, Mapping):
            return {name: number(part, values) for name, part in given.items()}
        if isinstance(given, list | tuple):
            return [number(part, values) for part in given]
        return number(given, values)

    return evaluate
