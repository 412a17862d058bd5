"""Simulate what the figures draw, and write the records: `python -m figures.records [NAME ...]`.

A record is a CSV in `data/` whose every row names the experiment by hash and the llrsim that made it. All take
about twenty minutes on two cores, `finite_size` half of that, and as long again for the studies, `e01` and on; the
numbers do not depend on the number of cores, but for the times in `cost`, to be measured on a machine that does nothing
else.
"""

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import llrsim
from llrsim._io import write_rows
from llrsim.experiment.grid import Grid
from llrsim.experiment.schema import STUDIES
from llrsim.plots import margin_table, path_table, wga_table
from llrsim.plots.phase import axes_of, phase_table
from llrsim.studies.concluding import record
from llrsim.sweep.results import survey

from .cost_record import cost
from .finite_size_record import finite_size
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

DESCENT = {"steps": 10_000, "step_size": 0.1, "path": [*(2**power for power in range(14)), 10_000]}
EARLY_STOPPING_REPLICATES = 300
EARLY_STOPPING: dict[str, Any] = {
    "name": "early-stopping",
    "features": {
        "core": {"mean": 1.0, "std": 0.6},
        "spurious": {"mean": 1.0, "std": 0.5},
        "noise": {"dim": 200},
    },
    "train": {
        "n": 8000,
        "proportions": [0.7295, 0.0384, 0.0117, 0.2204],
        "collapse": {"noise": 0.5, "attribute": 0.5},
    },
    # Unequal classes, because the worst of two groups that tie is lower than either in a simulation.
    "heldout": {"n": 250, "minority_ratio": 0.2, "class_prior": 0.4},
    "head": {"loss": "squared", "ridge": 0.001},
    "method": [
        {"kind": "erm"},
        {"name": "from-erm", "kind": "llr", "from": "erm", "head": {"solver": DESCENT}},
        {"name": "from-zero", "kind": "llr", "head": {"solver": DESCENT}},
    ],
}

MARGINS_REPLICATES = 200
MARGINS: dict[str, Any] = {
    "name": "margins",
    "features": {
        "core": {"mean": 1.0, "std": 0.6},
        "spurious": {"mean": 1.0, "std": 0.5},
        "noise": {"dim": 200},
    },
    "train": {"n": 4000, "proportions": [0.45, 0.05, 0.05, 0.45]},
    "heldout": {"n": 300, "minority_ratio": 0.2},
    "head": {"ridge": 0.1},
    "method": [{"name": loss, "kind": "llr", "head": {"loss": loss}} for loss in ("logistic", "hinge")],
}
"""Equal classes: the groups of one class are the mirror image of the other's."""


PHASE_POINTS = 25
"""On each axis of the phase diagram, of which the preset has 60: a record to keep beside the code is smaller."""


def phase_experiment() -> llrsim.Experiment:
    """The preset `phase` on a coarser grid."""
    tau = {"linear": [0.05, 1.0], "num": PHASE_POINTS}
    return llrsim.load("phase").replace(
        sweep={
            "grid": {"heldout.minority_ratio": {"log10": [-1.5, 0.0], "num": PHASE_POINTS}},
            "zip": [{"train.collapse.noise": tau, "train.collapse.attribute": tau}],
        }
    )


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


def early_stopping(jobs: int) -> Iterator[dict[str, Any]]:
    """One row for each descent and step, drawn or simulated."""
    experiment = llrsim.load(EARLY_STOPPING)
    simulated = llrsim.simulate(experiment, replicates=EARLY_STOPPING_REPLICATES, jobs=jobs)
    for row in path_table(experiment, simulated):
        yield {**row, "experiment": experiment.hash, "llrsim": llrsim.__version__}


def margins(jobs: int) -> Iterator[dict[str, Any]]:
    """One row for each loss, group and bin of margins; the heads are fitted one by one, whatever `jobs`."""
    experiment = llrsim.load(MARGINS)
    resolved = llrsim.plan(experiment)
    for stage in resolved.stages:
        sample = resolved.samples[stage.sample]
        fitted: list[np.ndarray] = []
        for seed in range(MARGINS_REPLICATES):
            X, y, _ = sample.mixture.sample(counts=sample.counts, seed=seed)
            head = llrsim.fit(X, y, head=stage.head)
            fitted.append(y * (X @ head.weights + head.bias))
        by_group = np.split(np.array(fitted), np.cumsum(sample.counts)[:-1], axis=1)
        for row in margin_table(experiment, stage.label, [of_group.ravel() for of_group in by_group]):
            yield {
                **row,
                "replicates": MARGINS_REPLICATES,
                "experiment": experiment.hash,
                "llrsim": llrsim.__version__,
            }


def phase(jobs: int) -> Iterator[dict[str, Any]]:
    """One row for each cell and method: predictions, shares of balance and collapse, separability thresholds."""
    experiment = phase_experiment()
    keys = axes_of(experiment)
    assert keys is not None
    with tempfile.TemporaryDirectory() as folder:
        results = llrsim.run_sweep(experiment, out=folder, jobs=jobs, predict_only=True)
        rows = results.rows()
        for row in phase_table(rows, survey(results.grid, jobs=jobs, shares=rows[0]["shares"]), keys):
            yield {**row, "experiment": experiment.hash, "llrsim": llrsim.__version__}


def studied(name: str, jobs: int) -> Iterator[dict[str, Any]]:
    """The table that the sweep of a study leaves, for its preset as it stands."""
    with tempfile.TemporaryDirectory() as folder:
        yield from record(llrsim.run_sweep(llrsim.load(name), out=folder, jobs=jobs), jobs=jobs)


STUDIED = tuple(name for name in llrsim.preset_names() if name in STUDIES)
"""The studies that have a preset, each with a record of its name."""

RECORDS: dict[str, Callable[[int], Iterator[dict[str, Any]]]] = {
    "convergence": convergence,
    "quick": quick,
    "early_stopping": early_stopping,
    "margins": margins,
    "phase": phase,
    "finite_size": finite_size,
    "cost": cost,
    **{name: partial(studied, name) for name in STUDIED},
}


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
