"""Whether a row computed anew is the stored one: bit for bit, or within what its certificate leaves open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .checksums import as_read
from .format import FIELDS

_NUMBERS = ("wga", "direction_wga", "average_accuracy", "largest_stable_step", "cosine")
_BLOBS = ("head", "path", "composition")

LEAST, MOST, FACTOR = 1e-9, 1e-6, 1e3
"""Numbers may differ by FACTOR times the sum of two certificates, relative to the largest; limited on both sides.

This is the tolerance between machines and between builds of BLAS: exact fits are known to their certificates times the
conditioning of the fit, for which FACTOR allows; descents to rounding. It is far from used up: between OpenBLAS's
kernels for Nehalem and Haswell, dense rows and predictions of small sweeps were the same to the bit, and lazy rows
within 6e-14.
"""


def difference(stored: Sequence[Any], computed: Sequence[Any], *, exact: bool) -> str | None:
    """The first of FIELDS in which two rows of them differ, with both values; None where the rows agree.

    Unless `exact`, numbers agree within a tolerance; iterations and certificates are not compared.
    """
    first, second = (dict(zip(FIELDS, as_read(row), strict=True)) for row in (stored, computed))
    if exact:
        names = [name for name in FIELDS if first[name] != second[name]]
    else:
        tolerance = min(MOST, LEAST + FACTOR * sum(one["certificate"] or 0.0 for one in (first, second)))
        names = [name for name in _NUMBERS + _BLOBS if not _near(first[name], second[name], tolerance)]
        if first["status"] != second["status"]:
            names.insert(0, "status")
    if not names:
        return None
    before, after = (_shown(one[names[0]]) for one in (first, second))
    return f"{names[0]} is stored as {before}, and comes out as {after}"


def _near(first: Any, second: Any, tolerance: float) -> bool:
    if first is None or second is None:
        return first is second
    a, b = (np.frombuffer(one) if isinstance(one, bytes) else np.array(one) for one in (first, second))
    if a.shape != b.shape:
        return False
    scale = max(1.0, float(np.nanmax(np.abs(a), initial=0.0)))
    return np.allclose(a, b, rtol=0.0, atol=tolerance * scale, equal_nan=True)


def _shown(value: Any) -> str:
    return str(np.frombuffer(value).tolist() if isinstance(value, bytes) and len(value) % 8 == 0 else value)
