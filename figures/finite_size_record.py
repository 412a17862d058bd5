"""The record of the finite-size figure: lazy simulations against both limits, at d from 100 to a million."""

from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np

import llrsim
from llrsim._jit import single_blas_thread

N_PER_DIM = 2
FINITE_SIZE: dict[str, Any] = {
    "name": "finite-size",
    "features": {
        "core": {"mean": 1.0, "std": 0.6},
        "spurious": {"mean": 1.0, "std": 0.5},
        "noise": {"dim": 100},
    },
    # Counts are whole at every size; no two groups tie, so that the worst one is the same at all.
    "train": {"n": 200, "proportions": [0.31, 0.2, 0.19, 0.3]},
    "head": {"ridge": 0.03},
    "method": [{"kind": "erm"}],
    "sweep": {"simulator": "lazy"},
}


class Study(NamedTuple):
    """One loss, one limit, and how the rows grow with d towards it."""

    loss: str
    limit: Literal["proportional", "population"]
    rows: Callable[[int], int]
    replicates: dict[int, int]  # at each d


STUDIES = (
    Study(
        "squared",
        "proportional",
        lambda d: N_PER_DIM * d,
        dict.fromkeys((100, 200, 500, 1000), 4000) | dict.fromkeys((2000, 5000, 10**4, 10**5, 10**6), 500),
    ),
    Study(
        "logistic",
        "proportional",
        lambda d: N_PER_DIM * d,
        {100: 12000, 200: 12000, 500: 8000, 1000: 4000, 2000: 500, 5000: 200, 10**4: 100, 10**5: 20, 10**6: 12},
    ),
    # The error of this limit is of order d/n at any d, so rows grow faster than d; as d^2, both errors go as 1/d.
    Study(
        "squared",
        "population",
        lambda d: d * d,
        dict.fromkeys((100, 200, 500, 1000, 2000, 5000, 10**4, 10**5, 10**6), 1000),
    ),
)
"""The mean gap falls as 1/d and its error as 1/sqrt(d): only small sizes, many times, can tell it from noise."""


def finite_size(jobs: int) -> Iterator[dict[str, Any]]:
    """One row for each study and size: the gap in the group that the limit predicts to be worst."""
    experiment = llrsim.load(FINITE_SIZE)
    for study in STUDIES:
        for d, replicates in study.replicates.items():
            n = study.rows(d)
            cell = experiment.with_values({"features.noise.dim": d, "train.n": n, "head.loss": study.loss})
            (predicted,) = llrsim.predict(cell, study.limit)
            with single_blas_thread():
                (method,) = llrsim.simulate(cell, replicates=replicates, pairing="independent", jobs=jobs)
            worst = int(np.argmin(predicted.group_accuracy))
            gaps = method.readout.group_accuracy[method.kept, worst] - predicted.group_accuracy[worst]
            yield {
                "loss": study.loss,
                "limit": study.limit,
                "n": n,
                "noise_dim": d,
                "group": method.test.group_names[worst],
                "predicted": float(predicted.group_accuracy[worst]),
                "mean_gap": float(gaps.mean()),
                "standard_error": float(gaps.std(ddof=1) / np.sqrt(len(gaps))),
                "root_mean_square": float(np.sqrt((gaps**2).mean())),
                "replicates": len(gaps),
                "largest_certificate": float(method.certificate.max()),
                "experiment": experiment.hash,
                "llrsim": llrsim.__version__,
            }
