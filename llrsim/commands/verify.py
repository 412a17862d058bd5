"""`llrsim verify`: is a results folder what its sweep computed?"""

from __future__ import annotations

import argparse
from pathlib import Path

from .options import add_json, emit, positive, seed, tell

SUMMARY = "look for damage in a results folder, and recompute some of its rows"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """DIR, --rows, --seed, --mend and --json."""
    parser.description = (
        f"{SUMMARY}. Exit status 0: nothing is wrong; 1: a row is damaged or comes out otherwise; 2: not readable."
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="folder of a sweep")
    parser.add_argument(
        "--rows", metavar="K", type=positive, default=20, help="rows to recompute, drawn at random; default: 20"
    )
    parser.add_argument("--seed", metavar="S", type=seed, default=0, help="of that draw; default: 0")
    parser.add_argument(
        "--mend",
        action="store_true",
        help="first remove damaged rows from the folder; its sweep, run again, recomputes them",
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print what was found; exit status 1 where something is wrong."""
    from ..sweep.folder import foreign_content
    from ..sweep.verify import remove_damaged, verify_results

    with foreign_content(args.folder):
        gone = remove_damaged(args.folder, say=tell) if args.mend else 0
        if gone:
            tell(f"{gone} rows are removed; run the same sweep again to compute them, then verify what it left")
        found = verify_results(args.folder, rows=0 if gone else args.rows, seed=args.seed, say=tell)
    emit(found, as_json=args.json)
    return 0 if found.fine else 1
