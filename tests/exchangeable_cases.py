"""Laws, heads and summaries that the tests of exchangeable rows share."""

import numpy as np

from llrsim.experiment import Descent, FitOptions
from llrsim.model.mixture import GroupMixture
from llrsim.simulation.lazy.noise import SectionLaw

LABELS = np.array([-1.0, -1.0, 1.0, 1.0])
MEANS = np.array([[-1.0, -1.5], [-1.0, 1.5], [1.0, -1.5], [1.0, 1.5]])
FACTOR = np.array([[0.6, 0.0], [0.2, 0.3]])
RIDGE = FitOptions(loss="squared", ridge=0.05)
DESCENT = FitOptions(
    loss="squared", ridge=0.05, solver=Descent(steps=10, step_size=0.1, momentum=0.5, clip=1.0, path=(1, 3))
)
NESTEROV = FitOptions(
    loss="squared", ridge=0.05, solver=Descent(steps=10, step_size=0.1, momentum=0.5, nesterov=True, path=(1, 3))
)


def law_of(rows, dims, *, values=(1.5, 0.4), sigma=(1.0, 0.6, 1.3, 0.8)):
    return SectionLaw(
        rows=np.asarray(rows),
        labels=LABELS,
        means=MEANS,
        factors=np.stack([FACTOR * scale for scale in (1.0, 1.5, 0.5, 1.0)]),
        noise_scale=np.asarray(sigma, dtype=float),
        eigenvalues=np.asarray(values, dtype=float),
        multiplicities=np.asarray(dims, dtype=np.int64),
    )


def mixture_of(law):
    return GroupMixture.of(
        means=law.means,
        covariances=law.factors @ law.factors.transpose(0, 2, 1),
        noise_dim=int(law.multiplicities.sum()),
        noise_std=law.noise_scale,
        spectrum=np.repeat(law.eigenvalues, law.multiplicities),
        labels=law.labels,
    )


def uneven(rows):
    """Weights that favour the small sections, of total one."""
    weight = 1.0 / np.maximum(np.asarray(rows, dtype=float), 1.0) ** 0.7
    return weight / (weight @ rows)


def summary(head, law):
    """u, b, log |v| and log q of a head, dense or lazy."""
    norm = np.log(np.linalg.norm(head.noise))
    return np.array([*head.signal, head.bias, norm, 0.5 * np.log(law.eigenvalues @ head.noise**2)])
