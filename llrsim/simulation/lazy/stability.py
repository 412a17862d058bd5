"""The largest stable step of descent on a lazy sample: a Hessian's top eigenvalue in the directions that it reveals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.linalg import eigh, norm

from ...mixture import Array
from .exchangeable_rows import padded

TOLERANCE = 1e-6
"""Of the eigenvalue: the residual that ends its iteration, as for dense samples."""

QUERIES = 500
"""Hessian products at most; twenty are common."""


def top_eigenvalue(gradient: Callable[[Array], Array]) -> float:
    """The largest eigenvalue of a positive semidefinite Hessian, given the gradient of its quadratic.

    `gradient(w)` (M,) at w, of at most M entries and zero beyond, is in all coordinates known by then: each may reveal
    some. Lanczos' method with full orthogonalisation, started from the gradient at zero and all coordinates it has.
    """
    offset = gradient(np.zeros(0))
    size = len(offset)
    direction = offset / (norm(offset) or 1.0) + (1.0 + (0.6180339887498949 * np.arange(size)) % 1.0) / size
    direction /= norm(direction)
    directions: list[Array] = []
    images: list[Array] = []
    top = 0.0
    for _ in range(QUERIES):
        image = gradient(direction)
        image -= padded(offset, len(image))
        directions.append(direction)
        images.append(image)
        basis, products = (np.array([padded(v, len(image)) for v in vectors]) for vectors in (directions, images))
        values, vectors = eigh(basis @ products.T)
        top = float(values[-1])
        residual = vectors[:, -1] @ products - top * (vectors[:, -1] @ basis)
        if not norm(residual) > TOLERANCE * top:
            break
        for _ in range(2):  # the rounding of one projection is not small beside a small rest
            residual -= (basis @ residual) @ basis
        direction = residual / norm(residual)
    return top
