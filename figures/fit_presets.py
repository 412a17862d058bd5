"""Fit and write the data-set presets: `python -m figures.fit_presets [FOLDER]` (default: llrsim/presets).

Each data set has one free parameter, the standard deviation of the core feature, and one target, the worst-group
accuracy that ERM reaches on it in AFR's tables (Qiu et al. 2023): 72.6, 47.2 and 57.4 per cent. The parameter is the
root of `predict(experiment)["erm"].wga - target` in the population limit. Nothing about retraining enters, so what
the presets say of LLR, CB-LLR or DFR is a consequence, not an input; average accuracies are not fitted either.

Everything else is common to the three: core mean 1, spurious feature 0.6 +- 0.6, 200 noise coordinates of standard
deviation 0.25, class collapse 0.5 of the training features, logistic loss with ridge 0.01.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import brentq

from llrsim.experiment import Experiment, load
from llrsim.experiment.groups import apportion
from llrsim.prediction import predict

TRAIN_ROWS = 4800  # of the dense presets
FEWEST = 10  # rows a group has at least in the dense presets


@dataclass(frozen=True)
class DataSet:
    """Group counts, groups (-,-), (-,+), (+,-), (+,+) ordered so that a = y is the majority, and ERM's WGA."""

    name: str
    title: str
    groups: str
    train: tuple[int, ...]
    heldout: tuple[int, ...]
    erm_wga: float
    remark: str


DATA_SETS = (
    DataSet(
        name="waterbirds",
        title="Waterbirds",
        groups="land bird on land, on water; water bird on land, on water",
        train=(3498, 184, 56, 1057),
        heldout=(234, 233, 66, 67),
        erm_wga=0.726,
        remark="Half of the validation set, which balances the backgrounds within each class.",
    ),
    DataSet(
        name="celeba",
        title="CelebA",
        groups="dark-haired man, woman; blond man, woman (a = + is female)",
        train=(66874, 71629, 1387, 22880),
        heldout=(4138, 4267, 91, 1437),
        erm_wga=0.472,
        remark="Half of the validation set.",
    ),
    DataSet(
        name="civilcomments",
        title="CivilComments",
        groups="non-toxic without, with an identity; toxic without, with an identity",
        train=(148186, 90337, 12731, 17784),
        heldout=tuple(apportion(22590, np.array([148186, 90337, 12731, 17784]) / 269038).tolist()),
        erm_wga=0.574,
        remark="Half of the validation set in size (WILDS: 45180 rows); its proportions are taken to be train's.",
    ),
)


def dense_counts(data: DataSet) -> tuple[list[int], list[int]]:
    """Training and held-out counts at 4800 training rows and the true ratio of sizes, no group below 10.

    Where a proportional count is below 10 it is raised to 10 and the other groups share what is left.
    """
    total = sum(data.train)
    heldout_rows = round(TRAIN_ROWS * sum(data.heldout) / total)
    return _floored(TRAIN_ROWS, data.train), _floored(heldout_rows, data.heldout)


def _floored(rows: int, counts: tuple[int, ...]) -> list[int]:
    share = np.array(counts) / sum(counts)
    out = apportion(rows, share)
    low = out < FEWEST
    out[low] = FEWEST
    out[~low] = apportion(rows - FEWEST * int(low.sum()), share[~low] / share[~low].sum())
    return out.tolist()


def describe(data: DataSet, core_std: float, train: list[int], heldout: list[int]) -> dict[str, Any]:
    """The experiment file's tables."""
    return {
        "features": {
            "core": {"mean": 1.0, "std": core_std},
            "spurious": {"mean": 0.6, "std": 0.6},
            "noise": {"dim": 200, "std": 0.25},
        },
        "train": {"counts": train, "collapse": {"noise": 0.5, "attribute": 0.5}},
        "heldout": {"counts": heldout},
        "head": {"loss": "logistic", "ridge": 0.01},
        "method": [{"kind": kind} for kind in ("erm", "llr", "llr-on-train", "cb-llr", "dfr")],
    }


def fit_core_std(data: DataSet) -> float:
    """The core standard deviation at which predicted ERM has the data set's WGA, to six digits.

    Fitted at the full counts, so that the dense preset's rounding of proportions plays no part.
    """

    def excess(core_std: float) -> float:
        tables = describe(data, core_std, list(data.train), list(data.heldout))
        return predict(load(tables), "population")["erm"].wga - data.erm_wga

    return round(float(brentq(excess, 0.1, 4.0, xtol=1e-12)), 6)


def write(data: DataSet, folder: Path) -> list[Experiment]:
    """Write the dense preset and its full-count variant; returns both."""
    core_std = fit_core_std(data)
    dense = dense_counts(data)
    raised = dense[1] != apportion(sum(dense[1]), np.array(data.heldout) / sum(data.heldout)).tolist()
    sizes = "4800 training rows and the true ratio of held-out to training rows"
    variants = [
        (data.name, *dense, f"{sizes}{'; groups below 10 rows are raised to 10' if raised else ''}."),
        (f"{data.name}-full", list(data.train), list(data.heldout), "The full counts, for predictions."),
    ]
    experiments = []
    for name, train, heldout, size in variants:
        lines = [
            f"{name}: a Gaussian model with the group counts of {data.title}.",
            f"Groups: {data.groups}.",
            f"Held-out: {data.remark}",
            size,
            f"core.std is fitted so that predicted ERM has worst-group accuracy {data.erm_wga} (population limit);",
            "no retraining result was used. Written by `python -m figures.fit_presets`.",
        ]
        experiment = load(describe(data, core_std, train, heldout) | {"name": name})
        text = "".join(f"# {line}\n" for line in lines) + experiment.to_toml()
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
        experiments.append(experiment)
    return experiments


def main() -> None:
    """Write all presets of data sets, and print what was fitted."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "llrsim" / "presets"
    for data in DATA_SETS:
        for experiment in write(data, folder):
            wga = predict(experiment, "population")["erm"].wga
            core = experiment.features.core
            std = core.std if core is not None else None
            print(f"{experiment.name:<20} core.std = {std}, predicted ERM WGA = {wga:.4f} (target {data.erm_wga})")


if __name__ == "__main__":
    main()
