"""Convert between plain nested tables, as in a file, and typed frozen sections."""

import json
import math
import re
from typing import Any, TypeVar, get_args

import msgspec

from .._arguments import LARGEST
from .errors import ExperimentError, shown
from .schema import (
    Axis,
    Balance,
    Data,
    Matching,
    Method,
    NetworkKind,
    Path,
    Section,
    Selector,
    Simulator,
    Sweep,
    Unit,
    fields_of,
    keys_of,
    section_in,
    split,
    type_at,
    unknown_key,
)

# From untrusted plain data to typed values, with errors that name the key.


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


# Axes of a sweep: from and to their form in a file, their values, and what they must satisfy.


FORMS = "a list, { linear = [first, last], num = n } or { log10 = [first, last], num = n }"
LONGEST = 10**5  # values of one axis; the product of axes has no limit


def axis_from_table(key: str, form: Any, root: type[Section], labels: tuple[str, ...]) -> Axis:
    """The axis that a file writes as `"key" = form`, its values of the type the key has."""
    if isinstance(form, list):
        return Axis(key=key, values=axis_values(Axis(key=key, values=tuple(form)), root, labels))
    if isinstance(form, dict) and set(form) in ({"linear", "num"}, {"log10", "num"}):
        return convert({"key": key, **form}, Axis, f'sweep axis "{key}"')
    raise ExperimentError(f'sweep axis "{key}" = {shown(form)}: accepted: {FORMS}')


def typed_axis(axis: Axis, root: type[Section], labels: tuple[str, ...]) -> Axis:
    """Return an axis that Python built as a file's is read, its values of the type the key has."""
    where = f'sweep axis "{axis.key}"'
    if not isinstance(axis.key, str):
        raise ExperimentError(f"{where}: the key must be a dotted path, such as train.n")
    if axis.values is None:
        return convert(plain(axis, where), Axis, where)
    spaced = any(form is not None for form in (axis.linear, axis.log10, axis.num))
    if spaced or not isinstance(axis.values, list | tuple):
        raise ExperimentError(f"{where}: accepted: {FORMS}")
    given = Axis(key=axis.key, values=tuple(plain(axis.values, where)))
    return Axis(key=axis.key, values=axis_values(given, root, labels))


def spacing_to_table(axis: Axis) -> dict[str, Any]:
    """The form of an evenly spaced axis as a file writes it."""
    ends = {"linear": axis.linear, "log10": axis.log10}
    return {name: list(pair) for name, pair in ends.items() if pair is not None} | {"num": axis.num}


def axis_values(axis: Axis, root: type[Section], labels: tuple[str, ...]) -> tuple[Any, ...]:
    """The values of an axis, of the type its key has; spaced values of a whole-number key are rounded.

    Raises:
        ExperimentError: unknown key, a key that no cell may change, a wrong type, or no values.
    """
    path = split(axis.key, labels)
    kind = type_at(root, path, axis.key)
    _check_sweepable(axis, path)
    values = axis.values if axis.values is not None else _spaced(axis, whole=int in (kind, *get_args(kind)))
    if not values:
        raise ExperimentError(f'sweep axis "{axis.key}" = []: is empty; accepted: {FORMS}')
    typed = tuple(convert(value, kind, f'sweep axis "{axis.key}"[{index}]') for index, value in enumerate(values))
    return typed


def _check_sweepable(axis: Axis, path: Path) -> None:
    if (
        path[0] in ("name", "sweep", "study")
        or path == ("method",)
        or (path[0] == "method" and path[2:] in ((), ("name",)))
    ):
        raise ExperimentError(
            f'sweep axis "{axis.key}": a cell cannot change it; accepted: keys of features, train, heldout, test, '
            "head and method.<label>, except a method's name"
        )


def _spaced(axis: Axis, *, whole: bool) -> tuple[float, ...] | tuple[int, ...]:
    ends = axis.linear if axis.linear is not None else axis.log10
    if ends is None or (axis.linear is not None and axis.log10 is not None):
        raise ExperimentError(f'sweep axis "{axis.key}": accepted: {FORMS}')
    if axis.num is None or not 1 <= axis.num <= LONGEST:
        raise ExperimentError(f'sweep axis "{axis.key}": num = {shown(axis.num)}: must be from 1 to {LONGEST}')
    first, last = ends
    steps = max(axis.num - 1, 1)
    points = [first + (last - first) * step / steps for step in range(axis.num - 1)] + [last if axis.num > 1 else first]
    if axis.log10 is not None:
        if max(map(abs, points)) > 300:
            raise ExperimentError(f'sweep axis "{axis.key}": log10 = {shown(list(ends))}: must lie in [-300, 300]')
        points = [10.0**point for point in points]
    if not all(map(math.isfinite, points)):
        raise ExperimentError(f'sweep axis "{axis.key}" = {shown(list(ends))}: must be finite')
    return tuple(map(round, points)) if whole else tuple(points)


# Between the frozen structs and plain nested tables, as in a file, and to the text of a file.
#
# The text is written by hand, because the standard library only reads TOML.


S = TypeVar("S", bound=Section)

_SECTIONS = ("features", "train", "heldout", "test", "network", "head")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")


def from_tables(tables: Any, root: type[S]) -> S:
    """The experiment that plain tables describe.

    Raises:
        ExperimentError: naming the key, its value and what is accepted.
    """
    if not isinstance(tables, dict):
        raise ExperimentError(f"experiment = {shown(tables)}: must be a table of sections")
    tables = plain(tables)
    _check_keys(tables, root, "")
    _expand_spectrum(tables)
    if isinstance(tables.get("sweep"), dict):
        tables["sweep"] = _with_axes(tables["sweep"], root, _labels(tables, root))
    return convert(tables, root)


def typed_sweep(sweep: Any, root: type[Section], labels: tuple[str, ...]) -> Sweep:
    """Return a sweep that Python built as a file's is read: types converted, axes with values of their keys' types."""
    if not isinstance(sweep, Sweep):
        table = plain(sweep, "sweep")
        return convert(_with_axes(table, root, labels) if isinstance(table, dict) else table, Sweep, "sweep")
    table = plain({name: getattr(sweep, name) for name in ("replicates", "seed", "simulator")}, "sweep")

    def typed(key: str, group: Any) -> list[Axis]:
        if not isinstance(group, list | tuple) or not all(isinstance(axis, Axis) for axis in group):
            raise ExperimentError(f"{key} = {shown(group)}: must be a list of axes, Axis(key=.., values=..)")
        return [typed_axis(axis, root, labels) for axis in group]

    if not isinstance(sweep.zip, list | tuple):
        raise ExperimentError(f"sweep.zip = {shown(sweep.zip)}: must be a list of lists of axes")
    zipped = [typed(f"sweep.zip[{place}]", group) for place, group in enumerate(sweep.zip)]
    return convert(table | {"grid": typed("sweep.grid", sweep.grid), "zip": zipped}, Sweep, "sweep")


def to_tables(section: Any) -> Any:
    """Plain tables that `from_tables` reads back to an equal section; values at their default are left out."""
    if isinstance(section, Section):
        table = {}
        for field in fields_of(type(section)):
            value = getattr(section, field.name)
            if value is not None and value != field.default:
                table[field.encode_name] = to_tables(value)
        return table
    if isinstance(section, tuple):
        if section and isinstance(section[0], Axis):
            return {axis.key: _axis_to_table(axis) for axis in section}
        return [to_tables(item) for item in section]
    return section


def to_toml(experiment: Section) -> str:
    """The text of a file that loads to an equal experiment; keys at their default are left out."""
    tables = to_tables(experiment)
    blocks = []
    if "name" in tables:
        blocks.append(f"name = {_text(tables['name'])}\n")
    blocks += [_block(f"[{name}]", tables[name]) for name in ("study", *_SECTIONS) if name in tables]
    for method in tables.get("method", ()):
        if method.get("name") == method["kind"]:
            del method["name"]
        blocks.append(_block("[[method]]", method))
    sweep = tables.get("sweep", {})
    grid, zipped = sweep.pop("grid", {}), sweep.pop("zip", [])
    if sweep:
        blocks.append(_block("[sweep]", sweep))
    if grid:
        blocks.append(_block("[sweep.grid]", grid))
    blocks += [_block("[[sweep.zip]]", table) for table in zipped]
    return "\n".join(blocks)


def _check_keys(table: dict[str, Any], section: type[Section], prefix: str) -> None:
    known = keys_of(section)
    for key, value in table.items():
        if key not in known:
            raise unknown_key(f"{prefix}{key}", key, known)
        inner = section_in(known[key])
        if isinstance(value, dict) and inner is not None:
            _check_keys(value, inner, f"{prefix}{key}.")
    methods = table.get("method") if not prefix else None
    for index, method in enumerate(methods if isinstance(methods, list) else ()):
        if isinstance(method, dict):
            _check_keys(method, Method, f"{method_key(method, index)}.")


def _expand_spectrum(tables: dict[str, Any]) -> None:
    features = tables.get("features")
    noise = features.get("noise") if isinstance(features, dict) else None
    spectrum = noise.get("spectrum") if isinstance(noise, dict) else None
    if isinstance(noise, dict) and isinstance(spectrum, list):
        noise["spectrum"] = [entry if isinstance(entry, list) else [entry, 1] for entry in spectrum]


def _labels(tables: dict[str, Any], root: type[Section]) -> tuple[str, ...]:
    """The labels of the methods, before they are converted; the default methods where none are given."""
    if "method" not in tables:
        default = next(field.default for field in fields_of(root) if field.name == "method")
        return tuple(method.label for method in default)
    methods = tables["method"] if isinstance(tables["method"], list) else []
    return tuple(method_key(method, index).removeprefix("method.") for index, method in enumerate(methods))


def _with_axes(sweep: dict[str, Any], root: type[Section], labels: tuple[str, ...]) -> dict[str, Any]:
    grid, zipped = sweep.get("grid", {}), sweep.get("zip", [])
    if not isinstance(grid, dict):
        raise ExperimentError(f"sweep.grid = {shown(grid)}: must be a table of axes")
    if not isinstance(zipped, list) or not all(isinstance(table, dict) for table in zipped):
        raise ExperimentError(f"sweep.zip = {shown(zipped)}: must be a list of tables of axes, [[sweep.zip]]")

    def read(table: dict[str, Any]) -> list[Axis]:
        return [axis_from_table(key, form, root, labels) for key, form in table.items()]

    return sweep | {"grid": read(grid), "zip": [read(table) for table in zipped]}


def _axis_to_table(axis: Axis) -> Any:
    return to_tables(axis.values) if axis.values is not None else spacing_to_table(axis)


def _block(header: str, table: dict[str, Any]) -> str:
    return "".join(f"{line}\n" for line in (header, *(f"{_key(key)} = {_text(item)}" for key, item in table.items())))


def _key(key: str) -> str:
    return key if _BARE_KEY.match(key) else _text(key)


def _text(value: Any) -> str:
    if isinstance(value, str):
        # A TOML basic string has JSON's escapes, except for JSON's surrogate pairs: those characters stay as they are.
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_text(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_text, value)) + "]"
    return repr(value)  # whole numbers and finite floats: Python's shortest form is TOML's
