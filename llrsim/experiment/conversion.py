"""From untrusted plain data to typed values, with errors that name the key."""

import math
import re
from typing import Any, TypeVar, get_args

import msgspec

from ..arguments import LARGEST, shown
from .errors import ExperimentError
from .paths import fields_of
from .schema import Balance, Data, Matching, NetworkKind, Section, Selector, Simulator, Unit

T = TypeVar("T")

DEEPEST = 12  # levels of nesting; a valid file has at most 6
LARGEST_INTEGER = 2**53  # beyond it floats, and so hashes and JSON readers, no longer tell integers apart

_MESSAGE = re.compile(r"(?s)(?P<problem>.*?)(?: - at `\$?(?P<path>[^`]*)`)?\Z")
_WORDS = {"int": "a whole number", "float": "a number", "array": "a list", "object": "a table", "str": "a string"}
_CHOICES = {
    "balance": get_args(Balance),
    "data": get_args(Data),
    "network.kind": get_args(NetworkKind),
    "simulator": get_args(Simulator),
    "by": get_args(Selector),
    "unit": get_args(Unit),
    "control.kind": get_args(Matching),
}
_SOLVERS = ("exact", "a table { steps = .., step_size = .. }")


def plain(value: Any, key: str = "", depth: int = 0) -> Any:
    """A fresh copy in dicts, lists, strings, bools and numbers up to 1e30; NumPy arrays and numbers become Python's.

    A key whose value is None is left out.

    Raises:
        ExperimentError: NaN, numbers beyond 1e30, integers beyond 2^53, text or keys that are not printable, nesting
            beyond 12 levels, or any other type.
    """
    where = key or "experiment"
    if depth > DEEPEST:
        raise ExperimentError(f"{where}: nested more than {DEEPEST} levels deep")
    if isinstance(value, dict):
        if wrong := [name for name in value if not (isinstance(name, str) and name.isprintable())]:
            raise ExperimentError(f"{where}: the key {shown(wrong[0])} is not printable text")
        return {
            name: plain(item, f"{key}.{name}".lstrip("."), depth + 1)
            for name, item in value.items()
            if item is not None
        }
    if isinstance(value, list | tuple):
        return [plain(item, f"{key}[{index}]", depth + 1) for index, item in enumerate(value)]
    if isinstance(value, Section):
        table = {field.encode_name: getattr(value, field.name) for field in fields_of(type(value))}
        for field in fields_of(type(value)):
            if table[field.encode_name] is None and field.default is not None:
                raise _not_accepted(f"{key}.{field.encode_name}".lstrip("."), None)
        return plain(table, key, depth)
    if isinstance(value, str):
        if not value.isprintable():
            raise ExperimentError(f"{where} = {shown(value)}: must be printable text on one line")
        return value
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        if abs(value) > LARGEST_INTEGER:
            raise ExperimentError(f"{where} = {shown(value)}: whole numbers must lie within ±2^53")
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ExperimentError(f"{where} = {value}: must be a finite number")
        if abs(value) > LARGEST:
            raise ExperimentError(f"{where} = {value}: numbers must lie within ±{LARGEST:g}")
        return float(value)
    if hasattr(value, "tolist"):
        return plain(value.tolist(), key, depth + 1)
    raise _not_accepted(where, value)


def _not_accepted(where: str, value: Any) -> ExperimentError:
    return ExperimentError(
        f"{where} = {shown(value)}: a {type(value).__name__} is not accepted; give a number, a string, a list or a "
        "table"
    )


def convert(value: Any, kind: type[T] | Any, key: str = "") -> T:
    """The plain value as a `kind`; errors name the dotted key, which starts with `key`."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        if isinstance(error.__cause__, ExperimentError):
            raise error.__cause__ from None
        raise ExperimentError(_translated(str(error), value, key)) from None


def _translated(message: str, value: Any, key: str) -> str:
    match = _MESSAGE.match(message)
    assert match is not None, "every part of the pattern is optional"
    problem, path = match["problem"], match["path"] or ""
    named, found = _follow(path, value, key)
    *_, before, last = ["", *re.split(r"[.\[]", named)]
    if missing := re.fullmatch(r"Object missing required field `(.*)`", problem):
        return f"{named}.{missing[1]}: missing".lstrip(".")
    if expected := re.match(r"Expected `([^`]*)`( of length \d+)?", problem):
        if named == "method":
            return f"{named} = {shown(found)}: must be a list of tables, [[method]]"
        words = [_WORDS.get(word, word) for word in expected[1].split(" | ") if word != "null"]
        return f"{named} = {shown(found)}: must be {' or '.join(words)}{expected[2] or ''}"
    if problem.startswith("Invalid enum value"):
        accepted = _CHOICES.get(f"{before}.{last}") or _CHOICES.get(last, _SOLVERS)
        return f"{named} = {shown(found)}: accepted: {', '.join(accepted)}"
    return f"{named} = {shown(found)}: {problem}"


def _follow(path: str, value: Any, key: str) -> tuple[str, Any]:
    """The dotted key, methods by label, and the value at a msgspec path such as `.method[0].average`."""
    named = key
    for name, index in re.findall(r"\.([^.\[]+)|\[(\d+)\]", path):
        if name:
            named = f"{named}.{name}".lstrip(".")
            value = value.get(name) if isinstance(value, dict) else None
            continue
        value = value[int(index)] if isinstance(value, list | tuple) and int(index) < len(value) else None
        named = method_key(value, int(index)) if named == "method" else f"{named}[{index}]"
    return named, value


def method_key(table: Any, index: int) -> str:
    """How errors name a method: by its label, or by its place in the file where it has none yet."""
    label = (table.get("name") or table.get("kind")) if isinstance(table, dict) else None
    return f"method.{label}" if isinstance(label, str) else f"method[{index}]"
