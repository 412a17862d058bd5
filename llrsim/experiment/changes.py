"""Changed copies of an experiment: whole sections, or values at dotted paths.

Some keys are alternatives (`ALTERNATIVES`). Setting one removes the others of its section unless they are set in the
same call, so that a sweep over `heldout.minority_ratio` works whether the file gave counts, proportions or a ratio.
A new composition keeps the sample size: where counts made it, their sum becomes `n`. A new `n` does not rescale
counts: it must equal their sum, as in a file.
"""

import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from copy import copy
from typing import Any, TypeVar

from msgspec.structs import force_setattr

from . import checks
from .conversion import convert, plain
from .errors import ExperimentError, shown
from .paths import Path, keys_of, split, type_at
from .schema import Section
from .tables import from_tables, to_tables

S = TypeVar("S", bound=Section)

ALTERNATIVES = {
    "n": ("n_per_dim",),
    "n_per_dim": ("n",),
    "counts": ("n", "n_per_dim", "proportions", "minority_ratio", "class_prior"),
    "proportions": ("counts", "minority_ratio", "class_prior"),
    "minority_ratio": ("counts", "proportions"),
    "dim": ("spectrum",),
    "spectrum": ("dim",),
}


SECTIONS = ("features", "train", "heldout", "test", "network", "head")
"""Sections with values of their own, which may change while the others stay."""


def replace(experiment: S, sections: Mapping[str, Any]) -> S:
    """The experiment with whole sections replaced, by structs or by plain tables; None restores a section's default."""
    return from_tables(
        _tables(experiment) | {name: _section(value) for name, value in sections.items()}, type(experiment)
    )


def with_values(experiment: S, values: Mapping[str, Any]) -> S:
    """The experiment with the values at dotted paths replaced, and removed where None; methods by label.

    Paths are those of the file, `method.<label>.<key>` for a method and `sweep.grid.<key>` for an axis. Below
    `method.<label>.head.solver`, the method's effective solver is what changes.

    Raises:
        ExperimentError: unknown key or method, or a result that is no valid experiment.
    """
    if not isinstance(values, Mapping):
        raise ExperimentError(f"{shown(values)}: must be a table of values at dotted paths")
    if all(type(value) in (int, float, str) and _in_section(key) for key, value in values.items()):
        with suppress(ExperimentError):  # the long way tells what is wrong, whichever of the values it is
            return _with_numbers(experiment, values)
    root = type(experiment)
    tables = _tables(experiment)
    labels = tuple(method.get("name") or method["kind"] for method in tables["method"])
    if wrong := [key for key in values if not isinstance(key, str)]:
        raise ExperimentError(f"{shown(wrong[0])}: keys are dotted paths, such as train.n")
    paths = {split(key, labels): key for key in values}
    for path, key in paths.items():
        if inside := [paths[path[:end]] for end in range(1, len(path)) if path[:end] in paths]:
            raise ExperimentError(f"{key}: is inside {inside[0]}, which changes too; give one of them")
        type_at(root, path if path[:2] != ("sweep", "grid") else path[:2], key)
        if path[0] == "method" and len(path) == 2:
            raise ExperimentError(
                f"{key}: name one key of the method, such as {key}.balance, or replace all of `method`"
            )
        table = _table_at(tables, path[:-1], labels)
        if values[key] is None:
            table.pop(path[-1], None)
            continue
        _drop_alternatives(table, path, set(paths))
        table[path[-1]] = plain(_section(values[key]), key)
    return from_tables(tables, root)


def _with_numbers(experiment: Any, values: Mapping[str, Any]) -> Any:
    """`with_values` of single numbers and texts inside sections, some ten times as fast: cells of a grid are made so.

    Only the sections that change are read and converted anew; what they must satisfy together is checked in full.
    """
    root: type[Section] = type(experiment)
    paths = {split(key, ()): key for key in values}
    tables = {name: to_tables(getattr(experiment, name)) or {} for name in {path[0] for path in paths}}
    for path, key in paths.items():
        if len(path) < 2 or any(path[:end] in paths for end in range(1, len(path))):
            raise ExperimentError(f"{key}: is no single value")
        type_at(root, path, key)
        table = _table_at(tables, path[:-1], ())
        _drop_alternatives(table, path, set(paths))
        table[path[-1]] = plain(values[key], key)
    changed = copy(experiment)  # without another look at what stays as it is
    for name, table in tables.items():
        force_setattr(changed, name, convert(table, keys_of(root)[name], name))
    checks.check_features(changed.features)
    checks.check_samples(changed.features, changed.train, changed.heldout, changed.test)
    checks.check_head("head", changed.head)
    checks.check_methods(changed.method, changed.head, changed.heldout)
    checks.check_network(changed)
    return changed


def _in_section(key: Any) -> bool:
    return isinstance(key, str) and key.partition(".")[0] in SECTIONS


def parse_settings(settings: Iterable[str]) -> dict[str, Any]:
    """Values at dotted paths from `key=value` texts; a value is read as TOML, and as a string where it is none.

    >>> parse_settings(["train.n=900", "method.dfr.balance=subset"])
    {'train.n': 900, 'method.dfr.balance': 'subset'}
    """
    values = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        key, text = key.strip(), text.strip()
        if not (key and equals and text):
            raise ExperimentError(f"{setting!r}: must be key=value, for example train.n=900")
        values[key] = _value(text)
    return values


def _value(text: str) -> Any:
    try:
        document = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError, ValueError):
        return text
    return document["value"] if document.keys() == {"value"} else text


def _tables(experiment: Section) -> dict[str, Any]:
    tables = to_tables(experiment)
    tables["method"] = to_tables(experiment.method)  # type: ignore[attr-defined]
    return tables


def _section(value: Any) -> Any:
    """Structs, also inside tuples, as plain tables."""
    return to_tables(tuple(value) if isinstance(value, list) else value)


def _table_at(tables: dict[str, Any], path: Path, labels: tuple[str, ...]) -> dict[str, Any]:
    """The table at a path, made where it is absent or holds no table (a solver that was "exact")."""
    table = tables
    if path[:1] == ("method",) and len(path) > 1:
        table, path = tables["method"][labels.index(path[1])], path[2:]
        if path == ("head", "solver"):
            shared = tables.get("head", {}).get("solver")
            table.setdefault("head", {}).setdefault("solver", dict(shared) if isinstance(shared, dict) else {})
    for part in path:
        if not isinstance(table.get(part), dict):
            table[part] = {}
        table = table[part]
    return table


def _drop_alternatives(table: dict[str, Any], path: Path, given: set[Path]) -> None:
    section = path[:-1]
    if section not in (("train",), ("heldout",), ("features", "noise")):
        return
    for name in ALTERNATIVES.get(path[-1], ()):
        if (*section, name) in given or name not in table:
            continue
        dropped = table.pop(name)
        if name == "counts" and not given & {(*section, "n"), (*section, "n_per_dim")}:
            table["n"] = sum(dropped)
