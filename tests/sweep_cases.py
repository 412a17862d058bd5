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


EVERY_METHOD = [
    {"kind": "erm"},
    {"kind": "llr", "head": {"solver": {"steps": 6, "step_size": 0.2, "path": [2, 4]}}},
    {"kind": "llr-on-train"},
    {"kind": "cb-llr"},
    {"kind": "dfr", "balance": "subset", "average": 3},
    {"kind": "afr"},
    {"kind": "llr", "name": "mass-matched", "control": {"kind": "mass-matched", "of": "afr"}, "angle_to": "afr"},
    {"kind": "dfr", "name": "one-subset", "balance": "subset"},
    {"kind": "llr", "name": "size-matched", "control": {"kind": "size-matched", "of": "one-subset"}},
    {"kind": "self", "k": 9},
    {"kind": "group-dro"},
    {"kind": "logit-adjusted"},
]
"""Every kind of method and of control, averaged subsets and a path of descent."""

DENSE_ALONE = ("mass-matched", "self", "group-dro", "logit-adjusted")
"""Those of them that the lazy simulator does not take, by name or kind."""


def every(simulator: str = "dense", **values) -> Experiment:
    """Every method on a grid whose inner axis changes one method alone, so that cells share the rows of the others."""
    lazy = [method for method in EVERY_METHOD if method.get("name", method["kind"]) not in DENSE_ALONE]
    methods = EVERY_METHOD if simulator == "dense" else lazy
    grid = {"train.n": [80, 120], "method.cb-llr.head.ridge": [0.1, 0.2, 0.4]}
    experiment = small().replace(method=methods, sweep={"replicates": 6, "grid": grid, "simulator": simulator})
    return experiment.with_values({key.replace("__", "."): value for key, value in values.items()})
