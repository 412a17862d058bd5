"""How a fit or a prediction ended: a code that cannot be ignored and a message that says what to do next."""

from collections.abc import Iterable
from enum import IntEnum


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
        return self in (Status.CONVERGED, Status.FINISHED, Status.BIAS_NOT_UNIQUE, Status.NOT_UNIQUE)

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
