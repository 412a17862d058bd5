"""What users type stays: commands, options, keys of the file and names of `llrsim`, as listed in public_names.txt.

Names are added to that file, never taken out. `python tests/test_public_names.py` prints those of this checkout.
"""

import argparse
import json
from pathlib import Path

import pytest

import llrsim
from llrsim.commands import COMMANDS
from llrsim.experiment import schema_json

LISTED = Path(__file__).with_name("public_names.txt").read_text(encoding="utf-8").splitlines()


def options():
    for name, command in COMMANDS.items():
        parser = argparse.ArgumentParser(prog=name)
        command.add_arguments(parser)
        yield f"llrsim {name}"
        for action in parser._actions:
            for option in action.option_strings or [action.metavar or action.dest]:
                yield f"llrsim {name} {option}"


def keys(schema, path=""):
    """Dotted paths of all keys of a JSON Schema; `[]` stands for the tables of a list."""
    definitions = schema["$defs"]

    def walk(node, path):
        if "$ref" in node:
            node = definitions[node["$ref"].removeprefix("#/$defs/")]
        for branch in node.get("anyOf", ()):
            yield from walk(branch, path)
        if isinstance(node.get("items"), dict):
            yield from walk(node["items"], f"{path}[]")
        for key, value in node.get("properties", {}).items():
            yield f"{path}.{key}".lstrip(".")
            yield from walk(value, f"{path}.{key}")

    return walk(schema, path)


def names():
    """Every public name of this checkout, a line each."""
    exported = (f"llrsim.{name}" for name in llrsim.__all__)
    return sorted({*options(), *(f"[file] {key}" for key in keys(json.loads(schema_json()))), *exported})


def test_every_name_is_still_there():
    assert set(LISTED) - set(names()) == set()


@pytest.mark.parametrize(
    "name",
    ["llrsim sweep --jobs", "[file] method[].gamma", "[file] head.ridge", "llrsim.fit"],
)
def test_the_list_holds_what_it_should(name):
    assert name in LISTED


if __name__ == "__main__":
    print("\n".join(names()))  # noqa: T201
