"""`llrsim bench`, also `python -m llrsim.bench`: how fast is it here, against references in the same process?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..bench.record import Record

SUMMARY = "measure speed as ratios to NumPy, SciPy, scikit-learn and what the machine can do"

WIDTH = 150
"""Characters of a line where the output is no terminal's."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--quick, --json and --against."""
    parser.description = f"{SUMMARY}. Takes about three minutes, and longer the first time, when kernels are compiled."
    parser.add_argument("--quick", action="store_true", help="the same rows with fewer timings, in less than a minute")
    parser.add_argument("--json", metavar="FILE", type=file, help="also write the record here, for a later --against")
    parser.add_argument(
        "--against",
        metavar="OLD.json",
        type=record,
        help="also show how each ratio changed since that record, those by more than 10 %% marked",
    )


def file(text: str) -> Path:
    """A path that is not a folder's: to be told of it after minutes would be late."""
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{text}: is a folder; must be a file to write")
    return path


def record(text: str) -> Record:
    """The record in a file."""
    from ..bench.record import read_record

    try:
        return read_record(Path(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def run(args: argparse.Namespace) -> int:
    """Measure, show, write and compare."""
    from rich.console import Console

    from ..bench import comparing, telling
    from ..bench.measuring import FULL, QUICK, measure, table

    with Console(stderr=True).status("measuring ...") as status:
        found = measure(
            table(), QUICK if args.quick else FULL, say=lambda name: status.update(f"measuring: {name} ...")
        )
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:  # a file has room for whole lines
        console.width = WIDTH
    console.print(telling.shown(found))
    if args.json:
        found.write(args.json)
    if args.against:
        told = comparing.changes(args.against, found)
        console.print(telling.changes_shown(told, comparing.other_surroundings(args.against, found)))
    return 0
