"""`llrsim explain`: what explains the gain, balance or uncollapsed held-out features?"""

from __future__ import annotations

import argparse

from .options import (
    add_experiment,
    add_jobs,
    add_json,
    add_limit,
    add_simulator,
    compile_for,
    emit,
    experiment_of,
    jobs_of,
    positive,
)

SUMMARY = "split the worst-group gain of retraining into balance, collapse, sample size and solver"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """FILE, --set, --simulator, --method, --side, --limit, --replicates, --jobs and --json."""
    add_experiment(parser)
    add_simulator(parser)
    parser.add_argument(
        "--method", metavar="LABEL", action="append", help="method to explain; may be repeated; default: all"
    )
    parser.add_argument("--side", choices=("both", "simulation", "prediction"), default="both")
    add_limit(parser)
    parser.add_argument("--replicates", metavar="N", type=positive, default=20, help="draws; default: 20")
    add_jobs(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the table and the sentence of every method's attribution."""
    experiment = experiment_of(args)
    from ..attribution import explain
    from ..sweep.run import simulator_of

    if args.side != "prediction":
        # Without being asked to, a factorial is lazy only where memory does not hold the dense one.
        compile_for(experiment, simulator_of(experiment) if experiment.sweep.simulator == "lazy" else "dense")
    found = explain(
        experiment,
        methods=args.method,
        replicates=args.replicates,
        side=args.side,
        limit=args.limit,
        jobs=jobs_of(args),
    )
    emit(found, as_json=args.json)
    return 0
