"""A power law with its slope and the error of the slope, fitted to points whose errors are known."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import curve_fit

from llrsim.model.mixture import Array
from llrsim.outcome import half_width_of


class PowerLaw(NamedTuple):
    """y = factor * x^slope."""

    factor: float
    slope: float
    error: float  # standard error of the slope

    def at(self, x: Array) -> Array:
        """Its values."""
        return self.factor * x**self.slope

    @property
    def told(self) -> str:
        """The slope with its 95 % interval."""
        return f"slope {self.slope:.2f} ± {half_width_of(self.error):.2f}"


def power_law(x: ArrayLike, y: ArrayLike, error: ArrayLike, *, slope: float = -1.0) -> PowerLaw:
    """The power law through points (S,) by weighted least squares, from a guess of its slope and a first point above 0.

    Fitted to the values themselves, not to their logarithms, so that one that is lost in noise counts as what it is,
    whatever its sign.
    """
    places, values = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    # Relative to the first point: the factor and the slope would else be all but one parameter where x is large.
    along = np.log(places / places[0])
    (log_factor, fitted), covariance = curve_fit(
        lambda at, log_factor, slope: np.exp(log_factor + slope * at),
        along,
        values,
        p0=(np.log(values[0]), slope),
        sigma=error,
        absolute_sigma=True,
    )
    return PowerLaw(
        float(np.exp(log_factor - fitted * np.log(places[0]))), float(fitted), float(np.sqrt(covariance[1, 1]))
    )
