"""What a formula may ask for: the names of its parameters, or of a SymPy expression's symbols, and their values.

Every key of the experiment file is a name, with `_` for `.`: `features_core_std`, `head_ridge`, `method_afr_gamma`
(other characters of a label become `_` too). Beside them stand

| name | value |
|---|---|
| `rho`, `rho_train`, `rho_heldout` | E[y a] over the rows of the method's sample, of the named one (T1) |
| `S_y`, `S_a` | mu_y' S^-1 mu_y, mu_a' S^-1 mu_a of the uncollapsed features, where groups have one covariance S |
| `tau_n`, `tau_a` | collapse factors of the training features (T4), where each is one number |
| `d`, `sigma` | noise coordinates; their standard deviation, where it is one number |
| `n`, `n_train`, `n_heldout` | rows of the method's sample, of the training sample, of the held-out sample |
| `alpha`, `alpha_train`, `alpha_heldout` | the same over d |
| `ridge`, `loss` | of the method's head |
| `experiment`, `plan` | the `Experiment`, and the `Plan` that it resolves to |

Numbers of samples are realised ones, whatever the file says them by: `train_n`, `train_n_per_dim`, `train_counts`,
`train_proportions`, `train_minority_ratio`, `train_class_prior`, and so for `heldout`. Lists arrive as arrays.
"""

from __future__ import annotations

import inspect
import re
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..experiment import ExperimentError
from ..experiment.errors import shown, suggestion
from ..experiment.schema import Section, fields_of, section_in
from ..model.head import Head, group_accuracy
from ..model.mixture import Array, GroupMixture
from ..model.plan import features, plan, readout_law

if TYPE_CHECKING:
    from ..experiment import Experiment


Value = Callable[[], Any]
SAMPLES = ("train", "heldout")


class UndefinedName(LookupError):
    """A known name that has no value in this experiment; the message says why."""


def names_of(experiment: Experiment, label: str) -> dict[str, Value]:
    """What computes the value of every name, for a formula of the method `label`.

    A value that the experiment does not have raises UndefinedName.

    >>> import llrsim
    >>> names = names_of(llrsim.load("quick"), "llr")
    >>> [round(names[name](), 4) for name in ("heldout_minority_ratio", "features_core_std", "S_y", "alpha")]
    [0.2995, 0.6, 2.7778, 100.0]
    """
    names: dict[str, Value] = {}
    for field in fields_of(type(experiment)):
        if field.name not in ("name", "method", "sweep", "study"):
            names.update(_leaves(field.encode_name, getattr(experiment, field.name), field.type))
    for method in experiment.method:
        names.update(_leaves(f"method_{method.label}", method, type(method)))
    for name in SAMPLES:
        if getattr(experiment, name) is not None:
            names |= _sample(experiment, name, getattr(experiment, f"{name}_counts")())
    resolved = plan(experiment)
    stage = next(stage for stage in resolved.stages if stage.label == label)
    counts = tuple(resolved.samples[stage.sample].counts.tolist())
    own = _sample(experiment, "", counts)
    own |= {"d": lambda: experiment.noise_dim, "sigma": lambda: _single("sigma", experiment.features.noise.std)}
    own |= {"S_y": lambda: _separation(experiment, 0), "S_a": lambda: _separation(experiment, 1)}
    collapse = experiment.train.collapse
    own |= {"tau_n": lambda: _single("tau_n", collapse.noise), "tau_a": lambda: _single("tau_a", collapse.attribute)}
    own |= {"ridge": lambda: stage.head.ridge, "loss": lambda: stage.head.loss}
    own |= {"experiment": lambda: experiment, "plan": lambda: resolved}
    return {re.sub(r"\W", "_", name): value for name, value in (names | own).items()}


def _leaves(name: str, value: Any, kind: Any) -> Iterator[tuple[str, Value]]:
    """The keys below one of the file, each with its value or what raises for it."""
    section = type(value) if isinstance(value, Section) else section_in(kind)
    if section is None or (value is not None and not isinstance(value, Section)):
        yield name, lambda: _given(name, value)
        return
    for field in fields_of(section):
        inner = None if value is None else getattr(value, field.name)
        yield from _leaves(f"{name}_{field.encode_name}", inner, field.type)


def _given(name: str, value: Any) -> Any:
    if value is None:
        raise UndefinedName(f"{name} is not set in this experiment")
    return np.array(value) if isinstance(value, tuple) else value


def _sample(experiment: Experiment, name: str, counts: tuple[int, ...]) -> dict[str, Value]:
    """The realised numbers of a sample: by its keys in the file and by their short names; "" is the method's own."""
    rows = np.array(counts, dtype=float)
    labels, attributes = np.array(experiment.labels), np.array(experiment.attributes)
    n, d = int(rows.sum()), experiment.noise_dim

    def signs() -> np.ndarray:
        if not (np.abs(attributes) == 1).all():
            raise UndefinedName(
                f"rho and minority ratios need attributes of -1 and +1; these are {attributes.tolist()}"
            )
        return labels * attributes

    def per_dim() -> float:
        if d == 0:
            raise UndefinedName("n/d has no value; the experiment has no noise coordinates")
        return n / d

    def minority_ratio() -> float:
        majority = rows[signs() > 0].sum()
        if majority == 0:
            raise UndefinedName(f"{name}_minority_ratio has no value; there is no majority row")
        return float(rows[signs() < 0].sum() / majority)

    end = f"_{name}" if name else ""
    short: dict[str, Value] = {
        f"rho{end}": lambda: float(rows @ signs() / n),
        f"n{end}": lambda: n,
        f"alpha{end}": per_dim,
    }
    if not name:
        return short
    return short | {
        f"{name}_n": lambda: n,
        f"{name}_n_per_dim": per_dim,
        f"{name}_counts": lambda: np.array(counts),
        f"{name}_proportions": lambda: rows / n,
        f"{name}_minority_ratio": minority_ratio,
        f"{name}_class_prior": lambda: float(rows[labels > 0].sum() / n),
    }


def _single(name: str, value: Any) -> float:
    if isinstance(value, tuple):
        if len(set(value)) > 1:
            raise UndefinedName(f"{name} is one number a group here: {list(value)}")
        return float(value[0])
    return float(value)


def _separation(experiment: Experiment, effect: int) -> float:
    """Squared signal-to-noise ratio of the class (0) or of the attribute (1)."""
    law = features(experiment)
    if np.ptp(law.covariances, axis=0).any():
        raise UndefinedName("S_y and S_a need one signal covariance for all groups")
    direction = law.effects()[effect]
    return float(direction @ np.linalg.solve(law.covariances[0], direction))


# A user's formula: what it is given, what it may return, and what is said of one that does neither.


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
        try:
            values = np.reshape([complex(value) for value in values.flat], values.shape)
            values = values if values.imag.any() else values.real
        except OverflowError:
            raise _Unfit(f"{shown(result)}; accuracies lie in [0, 1]") from None
        except (TypeError, ValueError):
            pass
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
