"""`llrsim predict`: the closed-form outcome of one experiment."""

from __future__ import annotations

import argparse

from .options import add_experiment, add_json, add_limit, emit, experiment_of, some_head, tell

SUMMARY = "predict every method of an experiment in closed form"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """FILE, --set, --limit and --json."""
    add_experiment(parser)
    add_limit(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the prediction."""
    experiment = experiment_of(args)
    from ..prediction import predict
    from ..sweep.run import compiling

    with compiling(tell):
        outcome = predict(experiment, args.limit)
    emit(outcome, as_json=args.json)
    return some_head(outcome)
