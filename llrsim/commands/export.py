"""`llrsim export`: results as a file for other programs."""

from __future__ import annotations

import argparse
from pathlib import Path

SUMMARY = "write the results of a sweep as CSV, Parquet or NetCDF"
FORMATS = ("csv", "parquet", "netcdf")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """DIR and where each format goes."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="folder of a sweep")
    where = parser.add_argument_group("formats, at least one")
    for name in FORMATS:
        extra = "" if name == "csv" else "; needs pip install 'llrsim[table]'"
        where.add_argument(f"--{name}", metavar="PATH", type=Path, help=f"write {name} to PATH{extra}")


def run(args: argparse.Namespace) -> int:
    """Write every file asked for."""
    from ..sweep.folder import StoreError, foreign_content
    from ..sweep.results import WRITERS, open_results

    asked = {name: path for name in FORMATS if (path := getattr(args, name)) is not None}
    if not asked:
        raise StoreError("export: give at least one of --csv, --parquet and --netcdf, with a path")
    with foreign_content(args.folder):
        results = open_results(args.folder)
        for name, path in asked.items():
            WRITERS[name](results, path)
    return 0
