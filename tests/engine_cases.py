"""The experiment that the engine's tests run: every method, unequal noise, collapsed training features."""

import llrsim

TRAIN = [0.7295, 0.0384, 0.0117, 0.2204]
ALL_METHODS = [
    {"kind": "erm"},
    {"kind": "llr"},
    {"kind": "llr-on-train"},
    {"kind": "cb-llr"},
    {"kind": "dfr"},
    {"kind": "dfr", "name": "dfr-subset", "balance": "subset"},
    {"kind": "dfr", "name": "dfr-upsample", "balance": "upsample"},
    {"kind": "dfr", "name": "dfr-5", "balance": "subset", "average": 5},
    {"kind": "llr", "name": "llr-pulled", "anchor": 0.3, "from": "erm"},
]


def experiment(**changes):
    described = {
        "features": {
            "core": {"mean": 1.0, "std": 0.6},
            "spurious": {"mean": 1.5, "std": 0.3},
            "noise": {"dim": 12, "std": [1.0, 0.8, 1.2, 1.0]},
        },
        "train": {"n": 300, "proportions": TRAIN, "collapse": {"noise": 0.5, "attribute": 0.5}},
        "heldout": {"n": 120, "minority_ratio": 0.3},
        "head": {"ridge": 0.05},
        "method": ALL_METHODS,
    }
    return llrsim.load(described | changes)
