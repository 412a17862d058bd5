"""`llrsim check`: does simulation approach prediction?"""

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
    tell,
)

NOTHING_JUDGED = 3
SUMMARY = "compare simulation with prediction at growing sizes; exit status 1: disagrees, 3: nothing to judge"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """FILE, --set, --simulator, --limit, --sizes, --cells, --replicates, --jobs and --json."""
    add_experiment(parser)
    add_simulator(parser)
    add_limit(parser)
    parser.add_argument(
        "--sizes",
        metavar="N,N,...",
        type=_sizes,
        help="noise dimensions d, or n/d with --limit population; default: 100,200,400 or 30,100,300",
    )
    parser.add_argument(
        "--cells", metavar="N", type=positive, default=4, help="cells of the grid, spread evenly; default: 4"
    )
    parser.add_argument("--replicates", metavar="N", type=positive, default=24, help="draws a size; default: 24")
    add_jobs(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the verdict and what it rests on."""
    experiment = experiment_of(args)
    from ..agreement import check
    from ..experiment import ExperimentError
    from ..sweep.compiling import simulator_of

    sizes = {{"proportional": "dims", "population": "ratios"}[args.limit]: args.sizes}
    try:
        compile_for(experiment, simulator_of(experiment))
        agreement = check(
            experiment,
            limit=args.limit,
            replicates=args.replicates,
            cells=args.cells,
            jobs=jobs_of(args),
            say=tell,
            **sizes,
        )
    except ValueError as error:  # sizes that no study can be made of
        raise ExperimentError(str(error)) from error
    emit(agreement, as_json=args.json)
    if not agreement.judged:
        return NOTHING_JUDGED
    return 0 if agreement.agrees else 1


def _sizes(text: str) -> tuple[int, ...]:
    """Whole numbers, separated by commas."""
    return tuple(positive(part) for part in text.split(","))
