"""Between the frozen structs and plain nested tables, as in a file, and to the text of a file.

The text is written by hand, because the standard library only reads TOML.
"""

import json
import re
from typing import Any, TypeVar

from . import axes
from .conversion import convert, method_key, plain
from .errors import ExperimentError, shown
from .paths import fields_of, keys_of, section_in, unknown_key
from .schema import Axis, Method, Section, Sweep

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
        return [axes.typed_axis(axis, root, labels) for axis in group]

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
        return [axes.axis_from_table(key, form, root, labels) for key, form in table.items()]

    return sweep | {"grid": read(grid), "zip": [read(table) for table in zipped]}


def _axis_to_table(axis: Axis) -> Any:
    return to_tables(axis.values) if axis.values is not None else axes.spacing_to_table(axis)


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
