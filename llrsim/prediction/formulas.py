"""Give closed forms of the population limit: least squares (T1, T5) and wrong annotations (T3)."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from ..model.mixture import Array
from .objective import PopulationObjective

# Population least squares in closed form (T1), and what it says about collapsed features (T5).
#
# A matter of within-class covariance: u = (within + between + ridge)^-1 Cov(s, y) under the masses. Prior theory:
# Welfert, Stromberg & Sankar (2405.05934), Stromberg et al. (2402.11039).


ROUNDING = 1e-14  # eigenvalues this small beside the largest are zeros


def least_squares(objective: PopulationObjective) -> Array:
    """(k + 1,) minimiser (u, b) of the squared-loss objective, whatever loss `objective` has (T1, general form).

        b = (E y - u.E m + anchor b0) / (1 + anchor),
        (E S + Cov(m) + ridge + anchor) u = Cov(m, y) + anchor u0,

    moments under the masses; with an anchor, Cov becomes E mm' - E m E m' / (1 + anchor) and likewise for y. Where the
    matrix is singular (no ridge, features without spread), u is the solution of least norm: the limit ridge -> 0.
    Elementary.

    >>> from llrsim.model.losses import Loss
    >>> from llrsim.model.mixture import GroupMixture
    >>> toy = GroupMixture.of(means=[[-1.0], [-1.0], [1.0], [1.0]], covariances=[[1.0]], noise_dim=9)
    >>> least_squares(PopulationObjective.of(toy, [0.1, 0.1, 0.4, 0.4], Loss.SQUARED)).round(6).tolist()
    [0.390244, 0.365854]
    """
    k = len(objective.centre) - 1
    labels, mass = objective.labels, objective.mass
    means = labels[:, None] * objective.margins[:, :k]
    anchor, start = objective.anchor, objective.centre
    mean, label = mass @ means, mass @ labels
    moment = mass @ (labels[:, None] * means)
    if anchor > 0:
        inner = (mass * means.T) @ means - np.outer(mean, mean) / (1.0 + anchor)
        moment = moment + anchor * start[:k] - mean * (label + anchor * start[k]) / (1.0 + anchor)
    else:
        # Centred first: where groups nearly coincide, the difference of large numbers would lose Cov(m).
        inner = (mass * (means - mean).T) @ (means - mean)
        moment = mass @ ((labels - label)[:, None] * (means - mean))
    matrix = inner + objective.within[:k, :k]
    matrix.flat[:: k + 1] += objective.penalty[:k] + anchor
    eigenvalues, vectors = np.linalg.eigh(matrix)
    inverse = np.divide(1.0, eigenvalues, out=np.zeros(k), where=eigenvalues > ROUNDING * eigenvalues[-1])
    signal = vectors @ (inverse * (vectors.T @ moment))
    return np.append(signal, (label - signal @ mean + anchor * start[k]) / (1.0 + anchor))


class Accuracies(NamedTuple):
    """Accuracy in the majority groups (a = y) and in the minority groups (a != y)."""

    majority: float
    minority: float


def orthogonal_least_squares(class_separation: float, attribute_separation: float, correlation: float) -> Accuracies:
    """Accuracies of least squares with one covariance S, balanced classes and m_g = y mu_y + a mu_a (T1).

        Phi( (c_y S_y +- c_a S_a) / sqrt(c_y^2 S_y + c_a^2 S_a) ),   c_y = 1 + (1 - rho^2) S_a,   c_a = rho

    with + for the majority; the head is S^-1 (c_y mu_y + c_a mu_a). Arguments are S_y = mu_y'S^-1 mu_y > 0, S_a =
    mu_a'S^-1 mu_a >= 0 and rho = E y a in [-1, 1], for mu_y'S^-1 mu_a = 0, the same minority share in both classes and
    no ridge. Source: the setting of Welfert, Stromberg & Sankar (2405.05934).

    >>> [round(accuracy, 6) for accuracy in orthogonal_least_squares(1.96, 1.44, 0.9)]
    [0.965557, 0.717614]
    """
    c_y, c_a = 1.0 + (1.0 - correlation**2) * attribute_separation, correlation
    spread = sqrt(c_y**2 * class_separation + c_a**2 * attribute_separation)
    core, spurious = c_y * class_separation / spread, c_a * attribute_separation / spread
    return Accuracies(float(ndtr(core + spurious)), float(ndtr(core - spurious)))


def fully_collapsed_accuracies(class_separation: float, attribute_separation: float, correlation: float) -> Accuracies:
    """Accuracies of least squares trained at tau = 0, where its head is the difference of the class means (T5).

        Phi( (S_y +- rho S_a) / sqrt(S_y + rho^2 S_a) )

    with + for the majority. Arguments and their ranges as in `orthogonal_least_squares`, with isotropic signal at
    test. Not the limit of small tau > 0, where the direction has not moved. Elementary.

    >>> [round(accuracy, 6) for accuracy in fully_collapsed_accuracies(1.96, 1.44, 0.9)]
    [0.967223, 0.646367]
    """
    spread = sqrt(class_separation + correlation**2 * attribute_separation)
    push = correlation * attribute_separation
    return Accuracies(float(ndtr((class_separation + push) / spread)), float(ndtr((class_separation - push) / spread)))


def spurious_weight_ratio(
    *,
    core: tuple[float, float],
    spurious: tuple[float, float],
    correlation: float,
    noise_collapse: float = 1.0,
    attribute_collapse: float = 1.0,
) -> float:
    """u_spurious / u_core of least squares on collapsed features, classes balanced, no ridge (T5).

        rho (mu_s / mu_c) sigma_c^2 / (sigma_s^2 + (tau_a / tau_n)^2 (1 - rho^2) mu_s^2)

    `core` and `spurious` are (mean mu, std sigma > 0) of the one coordinate each, rho = `correlation` in [-1, 1],
    tau_n = `noise_collapse` in (0, 1] and tau_a = `attribute_collapse` in [0, 1]. Only the ratio of the two factors
    matters: uniform collapse leaves the direction alone. Elementary.

    >>> round(spurious_weight_ratio(core=(1.0, 0.6), spurious=(1.5, 0.3), correlation=0.9), 6)
    0.93913
    """
    (core_mean, core_std), (spurious_mean, spurious_std) = core, spurious
    attribute_spread = (attribute_collapse / noise_collapse) ** 2 * (1.0 - correlation**2) * spurious_mean**2
    return correlation * (spurious_mean / core_mean) * core_std**2 / (spurious_std**2 + attribute_spread)


# Group balancing with wrong attribute annotations (T3), after Stromberg et al. (2402.11039).


def effective_correlation(correlation: float, annotation_noise: float) -> float:
    """The correlation rho_eff = E y a that is left after balancing the *noisy* groups (T3).

    Classes are balanced, the attribute agrees with the class with probability c = (1 + rho)/2, and annotations flip
    it with probability e = `annotation_noise` in [0, 1], independently of the features. Group masses that put 1/4 on
    every annotated group then put (1 + rho_eff)/2 on the true majority:

        rho_eff = c(1-e) / (c(1-e) + (1-c)e) + ce / (ce + (1-c)(1-e)) - 1.

    Put it into `orthogonal_least_squares`. Nothing is left at e = 0, everything at e = 1/2. `correlation` is rho in
    [-1, 1]. Source: the setting of Stromberg et al. (2402.11039). Raises ValueError where an annotated group is empty.

    >>> [round(effective_correlation(0.9, e), 6) for e in (0.0, 0.1, 0.5)]
    [0.0, 0.672757, 0.9]
    """
    c, e = (1.0 + correlation) / 2.0, annotation_noise
    said_majority, said_minority = c * (1 - e) + (1 - c) * e, c * e + (1 - c) * (1 - e)
    if said_majority == 0.0 or said_minority == 0.0:
        raise ValueError(f"correlation {correlation}, annotation_noise {annotation_noise}: an annotated group is empty")
    return c * (1 - e) / said_majority + c * e / said_minority - 1.0
