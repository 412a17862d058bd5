"""`llrsim report`: results as one page of HTML."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .options import add_jobs, jobs_of, tell

SUMMARY = "write results as one page of HTML: questions, verdicts, figures, tables, how to run them again"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """RESULTS, --out and --jobs."""
    parser.add_argument(
        "folder", metavar="RESULTS", type=Path, help="folder of a sweep, or one that holds such folders"
    )
    parser.add_argument("--out", metavar="FILE", type=Path, help="the page; default: RESULTS/report.html")
    add_jobs(parser)


def run(args: argparse.Namespace) -> int:
    """Write the page; 1 where some folders could not be read and are left out."""
    from ..report import write_report

    written = write_report(args.folder, args.out, jobs=jobs_of(args), say=tell)
    for reason in written.left_out:
        sys.stderr.write(f"llrsim: warning: left out: {reason}\n")
    sys.stdout.write(f"wrote {written.path}\n")
    return 1 if written.left_out else 0
