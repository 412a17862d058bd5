"""An experiment as the text of a file; written by hand, because the standard library only reads TOML."""

import json
import re
from typing import Any

from .schema import Section
from .tables import to_tables

_SECTIONS = ("features", "train", "heldout", "test", "head")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")


def to_toml(experiment: Section) -> str:
    """The text of a file that loads to an equal experiment; keys at their default are left out."""
    tables = to_tables(experiment)
    blocks = []
    if "name" in tables:
        blocks.append(f"name = {_text(tables['name'])}\n")
    blocks += [_block(f"[{name}]", tables[name]) for name in _SECTIONS if name in tables]
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
