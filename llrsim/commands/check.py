"""`llrsim check`: does simulation approach prediction, or a formula of one's own?"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from .formula_file import formula_place, read_formula
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
    tell,
)

if TYPE_CHECKING:
    from ..experiment import Experiment

NOTHING_JUDGED = 3
STATUS = {"agrees": 0, "disagrees": 1, "undecided": NOTHING_JUDGED}
SUMMARY = (
    "compare simulation with prediction, or with a formula of your own, at growing sizes; "
    "exit status 1: disagrees, 3: nothing to judge, or undecided"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """FILE, --set, --simulator, --limit, --sizes, --cells, --replicates, --jobs, --json, and those of a formula."""
    add_experiment(parser)
    add_simulator(parser)
    parser.add_argument(
        "--limit",
        choices=("proportional", "population", "finite"),
        default="proportional",
        help="what is claimed: n and d grow at the file's own n/d (default), n grows at fixed d, or with --formula "
        "finite: nothing grows",
    )
    parser.add_argument(
        "--sizes",
        metavar="N,N,...",
        type=_sizes,
        help="noise dimensions d, or n/d with --limit population; default: 100,200,400 or 30,100,300",
    )
    parser.add_argument(
        "--cells",
        metavar="N",
        type=positive,
        help="cells of the grid, spread evenly; default: 4, or all with --formula",
    )
    parser.add_argument("--replicates", metavar="N", type=positive, help="draws a size; default: 24")
    formula = parser.add_argument_group(
        "a formula of your own", "exit status 0: agrees in all cells, 1: disagrees in some, 3: undecided"
    )
    formula.add_argument(
        "--formula",
        metavar="FILE.py:NAME",
        type=formula_place,
        help="a Python function, or a SymPy expression, of the experiment's numbers by name (heldout_minority_ratio, "
        "rho, S_y, alpha, ...), for WGA, group accuracies or a Head; FILE.py is run as any program of yours",
    )
    formula.add_argument("--method", metavar="LABEL", help="whose; default: the only method that retrains")
    formula.add_argument("--eps", metavar="E", type=float, help="largest difference that is none; default: 0.002")
    formula.add_argument(
        "--budget",
        metavar="N|Ns",
        type=_budget,
        help="draws a cell, or seconds in all, as 60s, after a first 64 draws a cell; default: 10000; a formula that "
        "has not returned by then, or without seconds after 300, is refused",
    )
    formula.add_argument(
        "--against",
        choices=("simulation", "predict"),
        help="simulate (default), or compare with llrsim's own prediction, in milliseconds",
    )
    add_jobs(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the verdict and what it rests on."""
    from ..experiment import ExperimentError

    experiment = experiment_of(args)
    _refuse_mixtures(args)
    from ..sweep.run import simulator_of

    options: dict[str, Any] = {
        "limit": args.limit,
        "jobs": jobs_of(args),
        "say": tell,
        "prepare": lambda: compile_for(experiment, simulator_of(experiment)),
    }
    if args.cells is not None:
        options["cells"] = args.cells
    if args.sizes is not None:
        options["ratios" if args.limit == "population" else "dims"] = args.sizes
    try:
        return _formula(args, experiment, options) if args.formula else _prediction(args, experiment, options)
    except ExperimentError:
        raise
    except ValueError as error:  # sizes or budgets that no study can be made of
        raise ExperimentError(str(error)) from error


def _prediction(args: argparse.Namespace, experiment: Experiment, options: dict[str, Any]) -> int:
    from ..agreement import check

    agreement = check(experiment, replicates=args.replicates or 24, **options)
    emit(agreement, as_json=args.json)
    return STATUS.get(agreement.verdict, NOTHING_JUDGED)


def _formula(args: argparse.Namespace, experiment: Experiment, options: dict[str, Any]) -> int:
    from ..agreement import check
    from ..agreement.formula import LEAST_SECONDS, MOST_SECONDS

    path, name = args.formula
    budget = args.budget or {}
    formula = read_formula(path, name, max(budget.get("seconds", MOST_SECONDS), LEAST_SECONDS))
    options |= budget
    options |= {key: getattr(args, key) for key in ("method", "eps", "against") if getattr(args, key) is not None}
    found = check(experiment, formula=formula, name=name, **options)
    emit(found, as_json=args.json)
    return STATUS[found.verdict]


def _refuse_mixtures(args: argparse.Namespace) -> None:
    """ExperimentError for an option of the one judge given to the other."""
    from ..experiment import ExperimentError

    if args.formula:
        if args.replicates is not None:
            raise ExperimentError("--replicates: a formula is judged until it is decided; --budget bounds that")
        return
    for option in ("method", "eps", "budget", "against"):
        if getattr(args, option) is not None:
            raise ExperimentError(f"--{option}: only with --formula FILE.py:NAME")
    if args.limit == "finite":
        raise ExperimentError("--limit finite: only with --formula FILE.py:NAME; predictions are limits")


def _sizes(text: str) -> tuple[int, ...]:
    """Whole numbers, separated by commas."""
    return tuple(positive(part) for part in text.split(","))


def _budget(text: str) -> dict[str, float]:
    """Draws, or seconds followed by an s."""
    if not text.endswith("s"):
        return {"budget": positive(text)}
    try:
        return {"seconds": float(text.removesuffix("s"))}
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: must be a number of draws, or of seconds as 60s") from None
