"""Name the losses and the statuses of fits, as codes that kernels switch on."""

from collections.abc import Iterable
from enum import IntEnum
from math import exp, factorial, inf, log, log1p

import numpy as np

from .._jit import contracted, kernel, private

# How a fit or a prediction ended: a code that cannot be ignored and a message that says what to do next.


class Status(IntEnum):
    """Named outcomes; `ok` ones carry a head, the others explain why there is none."""

    CONVERGED = 0
    FINISHED = 1
    NOT_CONVERGED = 2
    SEPARABLE = 3
    NOT_SEPARABLE = 4
    ONE_CLASS = 5
    DIVERGED = 6
    EMPTY = 7
    NO_PREDICTION = 8
    BIAS_NOT_UNIQUE = 9
    IMPRECISE = 10
    NOT_UNIQUE = 11

    @property
    def label(self) -> str:
        """The name used in tables and records, e.g. `not-converged`."""
        return self.name.lower().replace("_", "-")

    @property
    def ok(self) -> bool:
        """Whether a head came out: solved to its certificate, or descended the steps it was given."""
        return self.plain or self in (Status.BIAS_NOT_UNIQUE, Status.NOT_UNIQUE)

    @property
    def plain(self) -> bool:
        """Whether a head came out and nothing more is to be said of it.

        >>> [status.label for status in Status if status.ok and not status.plain]
        ['bias-not-unique', 'not-unique']
        """
        return self in (Status.CONVERGED, Status.FINISHED)

    @classmethod
    def of_label(cls, label: str) -> "Status":
        """Return the status of this name, as tables and records have it; KeyError for another.

        >>> Status.of_label("bias-not-unique").ok, Status.of_label("separable").ok
        (True, False)
        """
        return cls[label.upper().replace("-", "_")]

    @classmethod
    def of_all(cls, codes: Iterable[int]) -> "Status":
        """Return one status for at least one replicate: the first without a head, else the one that says most.

        >>> Status.of_all([0, 9, 0]).label, Status.of_all([9, 2]).label
        ('bias-not-unique', 'not-converged')
        """
        found = [cls(int(code)) for code in codes]
        return next((status for status in found if not status.ok), max(found))

    @property
    def message(self) -> str:
        """What happened and what to change."""
        return self.message_on("the data")

    def message_on(self, data: str) -> str:
        """Return what happened and what to change, given the name of the data that the head is fitted on.

        >>> Status.EMPTY.message_on("the held-out data")
        'the held-out data have no rows to fit on: set a larger n'
        """
        return _MESSAGES[self].format(data=data)


_MESSAGES = {
    Status.CONVERGED: "solved to the certificate's tolerance",
    Status.FINISHED: "descended the requested number of steps",
    Status.NOT_CONVERGED: "the solver stopped before its tolerance: set a larger head.ridge, or report the experiment",
    Status.SEPARABLE: (
        "{data} are linearly separable, or have fewer rows than coordinates, and ridge = 0: set head.ridge > 0, "
        "head.loss = 'max_margin', or head.solver.steps for a descent of so many steps"
    ),
    Status.NOT_SEPARABLE: (
        "{data} are not linearly separable, so that there is no hard margin: set head.loss = 'hinge' or another loss"
    ),
    Status.ONE_CLASS: (
        "{data} have rows of one class only, so that the bias grows without end: give the other class rows"
    ),
    Status.DIVERGED: (
        "the descent diverged: set a smaller head.solver.step_size, below the largest stable step of a smooth loss"
    ),
    Status.EMPTY: "{data} have no rows to fit on: set a larger n",
    Status.NO_PREDICTION: "no closed-form prediction exists for this method in this limit: simulate it",
    Status.BIAS_NOT_UNIQUE: (
        "solved, but every bias of an interval is as good and the one nearest to 0 is taken: set a smaller head.ridge, "
        "so that margins reach 1"
    ),
    Status.IMPRECISE: (
        "double precision cannot resolve the minimum: head.ridge is too small beside the features' scale, or they lie "
        "too far from zero: set a larger head.ridge, or centre and rescale the features"
    ),
    Status.NOT_UNIQUE: (
        "nothing is penalised and columns depend on each other to seven digits, so many heads attain the minimum, and "
        "this is the one of least norm: set head.ridge > 0 for a unique one"
    ),
}

# Plain integers for kernels.
(
    CONVERGED,
    FINISHED,
    NOT_CONVERGED,
    SEPARABLE,
    NOT_SEPARABLE,
    ONE_CLASS,
    DIVERGED,
    EMPTY,
    NO_PREDICTION,
    BIAS_NOT_UNIQUE,
    IMPRECISE,
    NOT_UNIQUE,
) = (int(status) for status in Status)


# Losses of the margin m = y f, as codes that kernels switch on.
#
# | code          | loss                | slope              | curvature            |
# |---------------|---------------------|--------------------|----------------------|
# | SQUARED       | (1 - m)^2 / 2       | m - 1              | 1                    |
# | LOGISTIC      | log(1 + e^-m)       | -1 / (1 + e^m)     | s(m) (1 - s(m))      |
# | HINGE         | (1 - m)_+           | -1{m < 1}          | 0                    |
# | SQUARED_HINGE | (1 - m)_+^2 / 2     | -(1 - m)_+         | 1{m < 1}             |
# | MAX_MARGIN    | 0 if m >= 1 else inf | not differentiable | not differentiable  |
#
# Losses reach kernels as integers, with static calls, because closures and function arguments are compiled anew in
# every process.


class Loss(IntEnum):
    """Code of a loss; `Loss[name.upper()]` reads the name used in experiment files."""

    SQUARED = 0
    LOGISTIC = 1
    HINGE = 2
    SQUARED_HINGE = 3
    MAX_MARGIN = 4

    @property
    def label(self) -> str:
        """The name used in experiment files, e.g. `squared_hinge`."""
        return self.name.lower()

    @property
    def smooth(self) -> bool:
        """Whether the slope is continuous, so that gradient methods and Newton apply."""
        return self in (Loss.SQUARED, Loss.LOGISTIC, Loss.SQUARED_HINGE)


# Plain integers for kernels: numba freezes module-level ints at compile time.
SQUARED, LOGISTIC, HINGE, SQUARED_HINGE, MAX_MARGIN = (int(loss) for loss in Loss)


# e^x = 2^k e^r with k = round(x / log 2). Adding _ROUND to a double below 2^51 in size leaves it rounded to an integer
# in its low bits. log 2 comes in two parts: k times the first, of 32 bits, is exact.
_ROUND = 1.5 * 2.0**52
_PER_LOG_2, _LOG_2_HIGH, _LOG_2_LOW = 1.0 / log(2.0), float.fromhex("0x1.62e42feep-1"), 1.90821492927058770002e-10
_C2, _C3, _C4, _C5, _C6, _C7, _C8, _C9, _C10, _C11, _C12, _C13 = (1.0 / factorial(k) for k in range(2, 14))
_U52, _ONE_EXPONENT = np.int64(52), np.int64(1023 << 52)


@contracted
def exponential(x):
    """e^x for -708 <= x <= 709, to a unit in the last place or two; nan for nan.

    Arithmetic without a call or a branch, so that loops over it vectorise, which those over the C library's do not; and
    the series in pairs (Estrin), which do not wait for each other.
    """
    shifted = x * _PER_LOG_2 + _ROUND
    k = shifted - _ROUND
    r = (x - k * _LOG_2_HIGH) - k * _LOG_2_LOW
    square = r * r
    fourth = square * square
    low = (_C2 + r * _C3) + square * (_C4 + r * _C5)
    middle, high = (_C6 + r * _C7) + square * (_C8 + r * _C9), (_C10 + r * _C11) + square * (_C12 + r * _C13)
    series = low + fourth * (middle + fourth * high)
    # The bits of the double 2^k.
    power = (np.float64(shifted).view(np.int64) << _U52) + _ONE_EXPONENT
    return (1.0 + (r + square * series)) * np.int64(power).view(np.float64)


@kernel
def value(loss, m):
    """Loss at margin m; MAX_MARGIN is 0 where m >= 1 and inf elsewhere.

    >>> round(value(LOGISTIC, 0.0), 6), value(HINGE, 0.25), value(SQUARED, 3.0)
    (0.693147, 0.75, 2.0)
    """
    if loss == LOGISTIC:
        return max(-m, 0.0) + log1p(exp(-abs(m)))
    if loss == SQUARED:
        return 0.5 * (1.0 - m) * (1.0 - m)
    if m >= 1.0:
        return 0.0
    if loss == HINGE:
        return 1.0 - m
    if loss == SQUARED_HINGE:
        return 0.5 * (1.0 - m) * (1.0 - m)
    return inf


@private
def rough_value(loss, m):
    """Loss at margin m less at most log 2, by arithmetic alone: for the logistic loss max(0, -m)."""
    return max(-m, 0.0) if loss == LOGISTIC else value(loss, m)


@kernel
def slope(loss, m):
    """Derivative of the loss in m; for HINGE the subgradient -1{m < 1}, for MAX_MARGIN nan.

    >>> slope(LOGISTIC, 0.0), slope(SQUARED_HINGE, 0.5), slope(HINGE, 1.0)
    (-0.5, -0.5, 0.0)
    """
    if loss == LOGISTIC:
        # No branch on the sign of m, which no processor can foresee. The bounds keep e^m finite, and -1 exact.
        return -1.0 / (1.0 + exponential(max(min(m, 700.0), -700.0)))
    if loss == SQUARED:
        return m - 1.0
    if loss == HINGE:
        return -1.0 if m < 1.0 else 0.0
    if loss == SQUARED_HINGE:
        return min(m - 1.0, 0.0)
    return float("nan")


@private
def slopes(loss, margins, first, last, out):
    """Write the slopes at margins[first:last] to the same places of `out`, vectorised."""
    for i in range(first, last):
        out[i] = slope(loss, margins[i])


@private
def curvature_from_slope(loss, s):
    """Second derivative of a smooth loss where its slope is s: what `curvature` gives, up to rounding beside 1."""
    if loss == LOGISTIC:
        return -s * (1.0 + s)
    if loss == SQUARED:
        return 1.0
    return 1.0 if s < 0.0 else 0.0


@kernel
def curvature(loss, m):
    """Second derivative of the loss in m (almost everywhere); 0 for HINGE, nan for MAX_MARGIN.

    >>> curvature(LOGISTIC, 0.0), curvature(SQUARED_HINGE, 2.0)
    (0.25, 0.0)
    """
    if loss == LOGISTIC:
        e = exp(-abs(m))
        return e / ((1.0 + e) * (1.0 + e))
    if loss == SQUARED:
        return 1.0
    if loss == SQUARED_HINGE:
        return 1.0 if m < 1.0 else 0.0
    if loss == HINGE:
        return 0.0
    return float("nan")


@kernel
def top_curvature(loss):
    """Largest second derivative of the loss over all margins; 0 for HINGE, nan for MAX_MARGIN.

    >>> top_curvature(LOGISTIC), top_curvature(SQUARED), top_curvature(HINGE)
    (0.25, 1.0, 0.0)
    """
    return curvature(loss, 0.0)  # every smooth loss attains it at margin zero
