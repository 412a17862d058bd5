"""The largest worst-group accuracy that is within reach of a linear head, whatever it is fitted by."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

from ..model.head import Head, read_out
from ..model.mixture import Array, GroupMixture

ANGLES = 3600


def best_attainable(law: GroupMixture) -> float:
    """The largest worst-group accuracy that any linear head has on a law with two signal coordinates.

    Its noise weights are zero, for noise only widens a logit. At a direction of the signal weights the best bias is
    known in closed form (`Readout.direction_wga`); directions are scanned, then the best one is refined.

    >>> means = [[-1, -1], [-1, 1], [1, -1], [1, 1]]
    >>> round(best_attainable(GroupMixture.of(means=means, covariances=[[0.64, 0], [0, 0.25]], noise_dim=9)), 6)
    0.89435
    """
    if law.signal_dim != 2:
        raise ValueError(f"law: {law.signal_dim} signal coordinates; expected 2")

    def wga(angle: Any) -> Array:
        zero = np.zeros(np.shape(angle))
        return read_out(Head.of(np.stack([np.cos(angle), np.sin(angle)], axis=-1), zero, zero), law).direction_wga

    step = 2 * np.pi / ANGLES
    scanned = step * np.arange(ANGLES)
    peak = float(scanned[wga(scanned).argmax()])
    refined = minimize_scalar(lambda angle: -wga(angle), bounds=(peak - step, peak + step), method="bounded")
    return max(float(wga(peak)), -float(refined.fun))
