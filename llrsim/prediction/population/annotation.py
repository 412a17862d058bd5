"""Group balancing with wrong attribute annotations (T3), after Stromberg et al. (2402.11039)."""

from __future__ import annotations


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
