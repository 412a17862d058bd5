"""Simulate what the figures draw, and write the records: `python -m figures.records [NAME ...]`.

A record is a CSV in `data/` whose every row names the experiment by hash and the llrsim that made it. Both take
about two minutes on two cores; the numbers do not depend on the number of cores.
"""

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import llrsim
from llrsim.experiment.grid import Grid
from llrsim.files import write_rows
from llrsim.plots import wga_table

from .reading import DATA

DIM = 40
REPLICATES = {5: 400, 10: 400, 20: 400, 40: 400, 80: 400, 160: 400, 320: 300, 1000: 200}
"""n/d and how often it is simulated: the gap falls as d/n and its error as 1/sqrt(n), so no size is cheap."""

CONVERGENCE: dict[str, Any] = {
    "name": "convergence",
    "features": {
        "core": {"mean": 1.0, "std": 0.6},
        "spurious": {"mean": 1.5, "std": 0.3},
        "noise": {"dim": DIM},
    },
    "train": {
        "n": 1200,
        "proportions": [0.7295, 0.0384, 0.0117, 0.2204],
        "collapse": {"noise": 0.5, "attribute": 0.5},
    },
    # Unequal classes, because with equal ones cb-llr is llr.
    "heldout": {"n": 1200, "minority_ratio": 0.3, "class_prior": 0.25},
    "method": [{"kind": kind} for kind in ("erm", "llr", "cb-llr", "dfr")],
    "sweep": {
        "zip": [{"train.n": [DIM * ratio for ratio in REPLICATES], "heldout.n": [DIM * ratio for ratio in REPLICATES]}]
    },
}
"""Both samples grow together, so that every method is fitted to the same n."""


def convergence(jobs: int) -> Iterator[dict[str, Any]]:
    """One row for each size, method and group; sizes have independent random numbers."""
    experiment = llrsim.load(CONVERGENCE)
    grid = Grid(experiment)
    for index, (ratio, replicates) in enumerate(REPLICATES.items()):
        cell = grid.experiment(index)
        simulated = llrsim.simulate(cell, replicates=replicates, pairing="independent", jobs=jobs)
        predicted = llrsim.predict(cell, "population")
        for method in simulated:
            errors = method.standard_error(method.readout.group_accuracy)
            for g, group in enumerate(method.test.group_names):
                yield {
                    "n_per_dim": ratio,
                    "method": method.label,
                    "kind": method.stage.kind,
                    "group": group,
                    "simulated": float(method.group_accuracy[g]),
                    "standard_error": float(errors[g]),
                    "predicted": float(predicted[method.label].group_accuracy[g]),
                    "replicates": int(method.kept.sum()),
                    "noise_dim": DIM,
                    "experiment": experiment.hash,
                    "llrsim": llrsim.__version__,
                }


def quick(jobs: int) -> Iterator[dict[str, Any]]:
    """The table of the figures that `python -m llrsim.sweep` leaves, for the preset as it stands."""
    experiment = llrsim.load("quick")
    with tempfile.TemporaryDirectory() as folder:
        for row in wga_table(llrsim.run_sweep(experiment, out=folder, jobs=jobs)):
            yield {**row, "experiment": experiment.hash, "llrsim": llrsim.__version__}


RECORDS: dict[str, Callable[[int], Iterator[dict[str, Any]]]] = {"convergence": convergence, "quick": quick}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m figures.records", description="Simulate what the figures draw.")
    parser.add_argument("name", nargs="*", metavar="NAME", help=f"any of {', '.join(RECORDS)}; by default all")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="threads")
    given = parser.parse_args()
    if unknown := [name for name in given.name if name not in RECORDS]:
        parser.error(f"unknown record {', '.join(unknown)}; there are {', '.join(RECORDS)}")
    for name in given.name or RECORDS:
        path = DATA / f"{name}.csv"
        write_rows(list(RECORDS[name](given.jobs)), path)
        print(path)


if __name__ == "__main__":
    main()
