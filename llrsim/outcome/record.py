"""Numbers as strict JSON holds them."""

from __future__ import annotations

from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """Arrays as nested lists, numbers as Python's own, and None for what is not finite, which JSON cannot say.

    >>> plain(np.array([[1.0, np.nan]])), plain(np.int64(3)), plain(None)
    ([[1.0, None]], 3, None)
    """
    if value is None:
        return None
    array = np.asarray(value)
    if array.ndim:
        return [plain(entry) for entry in array]
    number = array.item()
    return number if not isinstance(number, float) or np.isfinite(number) else None
