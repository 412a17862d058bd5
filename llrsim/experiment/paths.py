"""Dotted paths into a description: which keys exist, and of what type their values are."""

from functools import cache
from typing import Any, get_args, get_origin

import msgspec

from .errors import ExperimentError, suggestion
from .schema import Method, Section

Path = tuple[str, ...]


@cache
def fields_of(section: type[Section]) -> tuple[msgspec.structs.FieldInfo, ...]:
    """The fields of a table; msgspec works them out anew on every call, which would be most of a cell's cost."""
    return msgspec.structs.fields(section)


@cache
def keys_of(section: type[Section]) -> dict[str, Any]:
    """The keys of a table and the types of their values."""
    return {field.encode_name: field.type for field in fields_of(section)}


@cache
def section_in(kind: Any) -> type[Section] | None:
    """The table that a value of this type may be, or None where it is never one."""
    options = (kind,) if isinstance(kind, type) else get_args(kind) if get_origin(kind) is not tuple else ()
    return next((option for option in options if isinstance(option, type) and issubclass(option, Section)), None)


def split(key: str, labels: tuple[str, ...]) -> Path:
    """The parts of a dotted key; the label of a method, and a key of `sweep.grid`, are one part, dots and all.

    >>> split("method.dfr-0.5.average", ("erm", "dfr-0.5"))
    ('method', 'dfr-0.5', 'average')
    """
    first, _, rest = key.partition(".")
    if first == "method" and rest:
        label = max((label for label in labels if f"{rest}.".startswith(f"{label}.")), key=len, default="")
        if not label:
            wrong = rest.partition(".")[0]
            raise ExperimentError(
                f"{key}: no method is called {wrong!r}{suggestion(wrong, labels, 'method.')}; "
                f"methods: {', '.join(labels)}"
            )
        inner = rest[len(label) + 1 :]
        return (first, label, *inner.split(".")) if inner else (first, label)
    if key.startswith("sweep.grid."):
        return ("sweep", "grid", key.removeprefix("sweep.grid."))
    return tuple(key.split("."))


def type_at(root: type[Section], path: Path, key: str) -> Any:
    """The type of the value at a path below `root`; ExperimentError, with a suggestion, where there is no such key."""
    if path[0] == "method" and len(path) > 1:
        return type_at(Method, path[2:], key) if len(path) > 2 else Method
    known = keys_of(root)
    if path[0] not in known:
        raise unknown_key(key, path[0], known)
    if len(path) == 1:
        return known[path[0]]
    inner = section_in(known[path[0]])
    if inner is None:
        raise ExperimentError(f"{key}: {path[0]} is not a table and has no key {path[1]!r}")
    return type_at(inner, path[1:], key)


def unknown_key(key: str, wrong: str, known: dict[str, Any]) -> ExperimentError:
    """The error for a key that does not exist; `wrong` is the part of the dotted `key` that is at fault."""
    prefix = key[: key.rfind(wrong)] if wrong else ""
    return ExperimentError(
        f"{key}: unknown key{suggestion(wrong, known, prefix)}; accepted in "
        f"{prefix.rstrip('.') or 'the file'}: {', '.join(known)}"
    )
