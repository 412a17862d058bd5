"""`llrsim schema`: the JSON Schema of experiment files."""

from __future__ import annotations

import argparse
import sys

SUMMARY = "print the JSON Schema of experiment files"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(args: argparse.Namespace) -> int:
    """Print the schema."""
    from ..experiment import schema_json

    sys.stdout.write(f"{schema_json()}\n")
    return 0
