"""`llrsim status`: how far a sweep is, and what it ran on."""

from __future__ import annotations

import argparse
from pathlib import Path

from .options import add_json, emit

SUMMARY = "show how far a sweep is, and what it ran on"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """DIR and --json."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="folder of a sweep")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the state of the folder."""
    from ..sweep.folder import foreign_content
    from ..sweep.results import status_of

    with foreign_content(args.folder):
        emit(status_of(args.folder), as_json=args.json)
    return 0
