"""`llrsim sweep`, also `python -m llrsim.sweep`: run a grid, command it, look at it."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._io import escaped
from .options import add_experiment, add_jobs, add_json, add_simulator, experiment_of, jobs_of, tell

if TYPE_CHECKING:
    from ..experiment import Experiment
    from ..sweep.finish import Before
    from ..sweep.results import Results
    from ..sweep.units import Shard

CENTURY = 3.156e9  # seconds

SUMMARY = "simulate and predict a grid of experiments into a folder; the same command again resumes it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """FILE, --set, --simulator, --jobs, --out, --dry-run, --predict-only, --shard, --dask and --json."""
    add_experiment(parser, default="quick")
    add_simulator(parser)
    add_jobs(parser)
    parser.add_argument("--out", metavar="DIR", type=Path, help="results folder; default: results/<name>-<hash>")
    parser.add_argument("--dry-run", action="store_true", help="count cells and estimate the time; store nothing")
    parser.add_argument("--predict-only", action="store_true", help="leave the simulation out")
    parser.add_argument(
        "--shard",
        metavar="K/N",
        type=shard,
        help="compute the share K of N alone, into a folder of its own; shares need not know of each other, and "
        "`llrsim merge` joins them",
    )
    parser.add_argument(
        "--dask",
        metavar="ADDRESS",
        type=dask_address,
        help="let dask's workers compute: local for as many processes as --jobs, or a running scheduler's address, "
        "for example tcp://10.0.0.1:8786, which must be one that you trust",
    )
    add_json(parser)


def dask_address(text: str) -> str:
    """Where dask's workers are."""
    from ..sweep.workers import checked_address

    try:
        return checked_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def shard(text: str) -> Shard:
    """The share that K/N names."""
    from ..sweep.units import Shard

    try:
        return Shard.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def run(args: argparse.Namespace) -> int:
    """Run the sweep and show what came of it."""
    experiment = experiment_of(args)
    if args.dry_run:
        return _dry_run(experiment, args)
    from ..sweep.finish import held_before
    from ..sweep.results import open_results
    from ..sweep.run import SweepFailed, default_folder, run_sweep
    from ..sweep.stop import Interrupted, WorkerDied

    folder = args.out or default_folder(experiment, args.shard)
    command = _command(args, folder)
    before = held_before(folder)
    failed = ""
    try:
        results = run_sweep(
            experiment,
            out=folder,
            jobs=jobs_of(args),
            predict_only=args.predict_only,
            progress=True,
            command=command,
            shard=args.shard,
            dask=args.dask,
        )
    except WorkerDied:
        sys.stderr.write(f"to resume:\n  {command}\n")
        raise
    except KeyboardInterrupt as stopped:
        sys.stderr.write(f"stopped; what was computed is kept. To go on:\n  {command}\n")
        return stopped.exit_status if isinstance(stopped, Interrupted) else 130
    except SweepFailed as error:
        failed = str(error)
        results = open_results(folder)
    if args.shard:
        _show_shard(results, args)
    else:
        _show(results, args, command, before, complete=not failed)
    if failed:
        sys.stderr.write(f"llrsim: error: {failed}\n")
    return 1 if failed else 0


def _show(results: Results, args: argparse.Namespace, command: str, before: Before | None, *, complete: bool) -> None:
    from ..sweep import finish

    rows = results.rows()
    table = finish.write_table(results, rows)  # first: figures may fail
    if not args.json:
        from rich.console import Console

        console = Console()
        console.print(finish.terminal_table(results, rows))
        console.print(f"{finish.columns_text(rows)}\n", highlight=False, soft_wrap=True)
    studied = results.experiment.study is not None
    # A study has a question of its own, which its verdict answers.
    explanation = None if studied else finish.explain_base(results, jobs=jobs_of(args), predict_only=args.predict_only)
    files = [table, *finish.write_figures(results, explanation, command)]
    if args.predict_only:
        files += finish.write_phase_diagram(results, rows, command, jobs=jobs_of(args))
    verdict = None
    if studied and complete and not args.predict_only:
        from ..studies.concluding import conclude

        verdict, drawn = conclude(results, command=command, jobs=jobs_of(args))
        files += drawn
    replaced = finish.replaced_text(before, results)
    if args.json:
        told: dict[str, Any] = {
            "name": results.experiment.name,
            "folder": str(results.folder),
            "cells": results.grid.size,
            "replaced": replaced or None,
            "files": [str(path) for path in files],
            "rows": rows,
            "explanation": explanation and explanation.to_dict(),
            "verdict": verdict and verdict.to_dict(),
        }
        sys.stdout.write(json.dumps(told, allow_nan=False) + "\n")
        return
    if explanation is not None:
        console.print(f"{finish.attribution_text(results, explanation)}\n", highlight=False, markup=False)
    if verdict is not None:
        console.print(f"{verdict.sentence}\n", highlight=False, markup=False)
    for path in files:
        console.print(f"wrote {path}", highlight=False, markup=False, soft_wrap=True)
    if replaced:
        console.print(replaced, highlight=False, markup=False, soft_wrap=True)


def _show_shard(results: Results, args: argparse.Namespace) -> None:
    """What a share is goes into tables and figures only with the others."""
    told = {"name": results.experiment.name, "folder": str(results.folder), "shard": str(args.shard)}
    text = f"shard {args.shard} is in {results.folder}; with all of them: llrsim merge OUT {results.folder} ..."
    sys.stdout.write(f"{json.dumps(told) if args.json else text}\n")


def _dry_run(experiment: Experiment, args: argparse.Namespace) -> int:
    from ..sweep.run import dry_run

    size = dry_run(experiment, jobs=jobs_of(args), predict_only=args.predict_only, shard=args.shard, say=tell)
    if args.json:
        sys.stdout.write(json.dumps(size.to_dict()) + "\n")
        return 0
    seconds = round(size.seconds)
    time = timedelta(seconds=seconds) if seconds < CENTURY else f"{seconds / CENTURY:.2g} centuries"
    sys.stdout.write(
        f"{experiment.name}: {size.cells} cells x {size.replicates} replicates x {len(size.methods)} methods "
        f"({', '.join(size.methods)}) = {size.rows} rows\n"
        f"{f'shard {size.shard} of them: ' if size.shard else ''}about {time} with {size.jobs} workers\n"
    )
    return 0


def _command(args: argparse.Namespace, folder: Path) -> str:
    """The command that goes on with this sweep."""
    words = ["python", "-m", "llrsim.sweep", args.file]
    for setting in args.settings:
        words += ["--set", setting]
    words += ["--out", str(folder)]
    if args.jobs:
        words += ["--jobs", str(args.jobs)]
    if args.predict_only:
        words.append("--predict-only")
    if args.shard:
        words += ["--shard", str(args.shard)]
    if args.dask:
        words += ["--dask", args.dask]
    return escaped(shlex.join(words))
