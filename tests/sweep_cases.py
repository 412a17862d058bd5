"""A small sweep that the tests of the store, the runner and the command line share."""

from llrsim.experiment import Experiment, load


def small(**values) -> Experiment:
    """Two methods on a 2 x 2 grid with a few replicates; keyword `sweep__replicates=3` sets `sweep.replicates`."""
    experiment = load(
        {
            "name": "small",
            "features": {
                "core": {"mean": 1.0, "std": 0.6},
                "spurious": {"mean": 1.5, "std": 0.3},
                "noise": {"dim": 3},
            },
            "train": {"n": 80, "proportions": [0.7, 0.1, 0.1, 0.1], "collapse": {"noise": 0.5}},
            "heldout": {"n": 40, "minority_ratio": 1.0},
            "head": {"ridge": 0.1},
            "method": [{"kind": "erm"}, {"kind": "dfr"}],
            "sweep": {
                "replicates": 6,
                "grid": {"heldout.minority_ratio": [0.25, 1.0], "train.n": [80, 120]},
            },
        }
    )
    return experiment.with_values({key.replace("__", "."): value for key, value in values.items()})
