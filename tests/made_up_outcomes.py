"""Made-up outcomes and splits to draw, and what is drawn, read back."""

from types import SimpleNamespace

import numpy as np
from matplotlib.collections import LineCollection

from llrsim.attribution import Attribution, CellAccuracies, Explanation
from llrsim.experiment import load
from llrsim.experiment.grid import Grid
from llrsim.model.head import Head
from llrsim.model.losses import Status
from llrsim.model.plan import plan
from llrsim.outcome import MethodOutcome, Outcome

RATIO, PRIOR = "heldout.minority_ratio", "heldout.class_prior"
RATIOS, PRIORS = [0.05, 0.2, 0.8], [0.25, 0.5]
EXPERIMENT = load(
    {
        "name": "small",
        "features": {"core": {"mean": 1.0, "std": 0.6}, "spurious": {"mean": 1.5, "std": 0.3}, "noise": {"dim": 40}},
        "train": {"n": 1200, "proportions": [0.7295, 0.0384, 0.0117, 0.2204]},
        "heldout": {"n": 400, "minority_ratio": 0.25},
        "method": [{"kind": "erm"}, {"kind": "llr"}, {"kind": "dfr"}],
        "sweep": {"grid": {RATIO: RATIOS, PRIOR: PRIORS}},
    }
)


def outcome(experiment, side, replicates, seed):
    """An outcome with made-up heads."""
    resolved = plan(experiment)
    rng = np.random.default_rng(seed)
    methods = {
        stage.label: MethodOutcome(
            stage=stage,
            test=resolved.test,
            heads=Head.of(rng.normal(1.0, 0.2, (replicates, 2)), rng.normal(0.0, 0.2, replicates), np.ones(replicates)),
            status=np.full(replicates, Status.CONVERGED),
            certificate=np.zeros(replicates),
            iterations=np.ones(replicates, dtype=np.int64),
            limit="finite" if side == "simulation" else "population",
        )
        for stage in resolved.stages
    }
    return Outcome(experiment.name, methods, side)


def made_up_cells(experiment=EXPERIMENT, replicates=5):
    grid = Grid(experiment)
    return [
        (
            grid.cell(index),
            outcome(grid.experiment(index), "simulation", replicates, index) if replicates else None,
            outcome(grid.experiment(index), "prediction", 1, 100 + index),
        )
        for index in range(len(grid))
    ]


def results_of(experiment, cells):
    """What `sweep_figures` needs of the results of a sweep."""
    return SimpleNamespace(experiment=experiment, outcomes=lambda: iter(cells))


def split(side, replicates, seed=0):
    rng = np.random.default_rng(seed)
    accuracy = rng.uniform(0.3, 0.9, (2, 2, replicates, 4)) + np.arange(2)[:, None, None, None] * 0.2
    return Attribution(
        label="dfr",
        baseline="erm",
        side=side,
        limit="finite" if side == "simulation" else "population",
        switches=("weighting", "collapse"),
        cells=CellAccuracies(accuracy.min(axis=-1) + 0.01, accuracy),
    )


EXPLANATION = Explanation("small", (split("simulation", 6), split("prediction", 1, seed=1)))


def curves(ax):
    """Of each method in turn: x and y of the line, x and y of the points, and the ends of the intervals."""
    for container, line in zip(ax.containers, [one for one in ax.lines if one.get_linestyle() != "None"], strict=True):
        points, _, (bars,) = container.lines
        assert isinstance(bars, LineCollection)
        yield line.get_xydata(), points.get_xydata(), np.array([segment[:, 1] for segment in bars.get_segments()])
