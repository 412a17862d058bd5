"""Experiments from files, presets and tables."""

import os
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from .errors import ExperimentError, shown, suggestion
from .experiment import Experiment
from .tables import from_tables


def load(source: "str | os.PathLike[str] | Mapping[str, Any] | Experiment") -> Experiment:
    """The experiment from a TOML file, the name of a preset, or tables as in a file; an Experiment stays as it is.

    A text is a preset where one has that name, else a path. A file without `name` is called after the file.

    Raises:
        ExperimentError: nothing there, unreadable, not TOML, or not a valid experiment; the message names the key, its
            value and what is accepted.


    >>> load("quick").group_count
    4
    """
    if isinstance(source, Experiment):
        return source
    if isinstance(source, Mapping):
        experiment = from_tables(dict(source), Experiment)
    elif isinstance(source, str | os.PathLike):
        experiment = _from_file(os.fspath(source))
    else:
        raise ExperimentError(f"{shown(source)}: give a path, the name of a preset, a dict or an Experiment")
    return experiment


def preset_names() -> tuple[str, ...]:
    """The presets that come with llrsim."""
    folder = files("llrsim") / "presets"
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")))


def schema_json() -> str:
    """The JSON Schema of experiment files, for editors and other readers."""
    schema = msgspec.json.schema(Experiment)
    spaced: dict[str, Any] = {
        "type": "object",
        "properties": {"num": {"type": "integer", "minimum": 1}},
        "required": ["num"],
    }
    for spacing in ("linear", "log10"):
        spaced["properties"][spacing] = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
    axes = {"type": "object", "additionalProperties": {"anyOf": [{"type": "array"}, spaced]}}
    definitions = schema["$defs"]
    definitions["Sweep"]["properties"]["grid"] = axes
    definitions["Sweep"]["properties"]["zip"] = {"type": "array", "items": axes}
    del definitions["Axis"]
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode()


def _from_file(source: str) -> Experiment:
    presets = preset_names()
    if source in presets:
        text = (files("llrsim") / "presets" / f"{source}.toml").read_text(encoding="utf-8")
    else:
        text = _file_text(source, presets)
    try:
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise ExperimentError(f"{source}: not valid TOML: {reason}") from None
    try:
        return from_tables({"name": Path(source).stem} | tables, Experiment)
    except ExperimentError as error:
        raise ExperimentError(f"{source}: {error}") from None


def _file_text(source: str, presets: tuple[str, ...]) -> str:
    try:
        return Path(source).read_text(encoding="utf-8-sig")  # some editors begin a file with a byte order mark
    except FileNotFoundError:
        raise ExperimentError(
            f"{source}: no such file or preset{suggestion(source, presets)}; presets: {', '.join(presets)}"
        ) from None
    except UnicodeDecodeError as error:
        raise ExperimentError(f"{source}: not UTF-8 text (byte {error.start}); experiment files are TOML") from None
    except (OSError, ValueError) as error:
        raise ExperimentError(f"{source}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
