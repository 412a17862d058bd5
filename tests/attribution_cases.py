"""Experiments on T21's law, and planted tables of cells."""

import numpy as np

import llrsim
from llrsim.attribution import Attribution, CellAccuracies

EXACT = 1e-12

IMBALANCED, MILD, EVEN = [0.475, 0.025, 0.025, 0.475], [0.325, 0.175, 0.175, 0.325], [0.25] * 4


def experiment(*, dim=20, train=None, heldout=None, head=None, methods=("erm", "llr"), core=1.4, spurious=1.2):
    """T21's law: S = I, sigma = 1, S_y = 1.96, S_a = 1.44, imbalanced training features collapsed by a quarter."""
    train = {"n": 400, "proportions": IMBALANCED, "collapse": {"noise": 0.25, "attribute": 0.25}} | (train or {})
    heldout = {"n": 200, "proportions": MILD} | (heldout or {})
    return llrsim.load(
        {
            "features": {
                "core": {"mean": core, "std": 1.0},
                "spurious": {"mean": spurious, "std": 1.0},
                "noise": {"dim": dim},
            },
            "train": {key: value for key, value in train.items() if value is not None},
            "heldout": {key: value for key, value in heldout.items() if value is not None},
            "head": {"ridge": 0.01} | (head or {}),
            "method": [{"kind": method} if isinstance(method, str) else method for method in methods],
        }
    )


def split_of(wga, switches, side="simulation"):
    """An attribution of a planted table `wga` (2,) * m + (R,), all of it direction."""
    table = np.asarray(wga, dtype=float)
    return Attribution("llr", "erm", side, "finite", switches, CellAccuracies(table, table[..., None]))
