"""`llrsim merge`: one results folder from the shards of a sweep."""

from __future__ import annotations

import argparse
from pathlib import Path

from .options import add_json, emit

SUMMARY = "join the results folders of a sweep's shards"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """OUT, the folders and --json."""
    parser.description = (
        f"{SUMMARY}, into one that holds the rows that a single run would have stored. Folders of other experiments, "
        "seeds or versions are refused, and so are damaged rows and rows of one key with different numbers. "
        "Exit status 0: the sweep is complete; 1: some of it is in none of the folders; 2: refused."
    )
    parser.add_argument("out", metavar="OUT", type=Path, help="the merged folder: new, or begun by the same merge")
    parser.add_argument("folders", metavar="IN", type=Path, nargs="+", help="folders of `llrsim sweep --shard K/N`")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Merge, and say what came of it."""
    from ..sweep.folder import foreign_content
    from ..sweep.verify import merge_results

    with foreign_content(args.out):
        merged = merge_results(args.out, args.folders)
    emit(merged, as_json=args.json)
    return 1 if merged.missing else 0
