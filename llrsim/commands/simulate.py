"""`llrsim simulate`: draw, fit and read out one experiment."""

from __future__ import annotations

import argparse

from .options import (
    add_experiment,
    add_jobs,
    add_json,
    add_simulator,
    compile_for,
    emit,
    experiment_of,
    jobs_of,
    positive,
    seed,
    some_head,
)

SUMMARY = "simulate every method of an experiment"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """FILE, --set, --simulator, --replicates, --seed, --jobs and --json."""
    add_experiment(parser)
    add_simulator(parser)
    parser.add_argument("--replicates", metavar="N", type=positive, default=1, help="independent draws; default: 1")
    parser.add_argument("--seed", metavar="S", type=seed, help="root seed; default: the file's sweep.seed")
    add_jobs(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the simulated outcome."""
    experiment = experiment_of(args)
    from ..simulation import require_memory, simulate
    from ..sweep.run import simulator_of

    require_memory(experiment, args.replicates, jobs=jobs_of(args))
    compile_for(experiment, simulator_of(experiment))
    outcome = simulate(experiment, args.replicates, seed=args.seed, jobs=jobs_of(args))
    emit(outcome, as_json=args.json)
    return some_head(outcome)
