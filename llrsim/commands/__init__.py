"""The command line. One module a command, each with SUMMARY, `add_arguments(parser)` and `run(args) -> exit status`.

Modules import nothing heavy before they run, so that help appears at once. Exit statuses: 0 done; 1 some cells
failed or are missing, no method has a head, simulation and prediction disagree, stored rows are wrong, or a report
leaves folders out; 2 refused; 3 nothing could be judged; 128 + n stopped by signal n.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from .. import __version__
from . import check, explain, export, merge, predict, report, schema, simulate, status, sweep, verify
from .options import guarded, write_any_text

COMMANDS = {
    "sweep": sweep,
    "predict": predict,
    "simulate": simulate,
    "explain": explain,
    "check": check,
    "status": status,
    "export": export,
    "merge": merge,
    "report": report,
    "verify": verify,
    "schema": schema,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run `llrsim COMMAND ...`; returns the exit status."""
    write_any_text()
    parser = argparse.ArgumentParser(
        prog="llrsim", description="Theory and simulation of last-layer retraining: group balance, or neural collapse?"
    )
    parser.add_argument("--version", action="version", version=f"llrsim {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, module in COMMANDS.items():
        command = commands.add_parser(name, help=module.SUMMARY, description=module.SUMMARY)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    args = parser.parse_args(argv)
    return guarded(args.run, args)


def main_sweep(argv: Sequence[str] | None = None) -> int:
    """Run `python -m llrsim.sweep ...`, the same as `llrsim sweep ...`."""
    write_any_text()
    parser = argparse.ArgumentParser(prog="python -m llrsim.sweep", description=sweep.SUMMARY)
    sweep.add_arguments(parser)
    return guarded(sweep.run, parser.parse_args(argv))
