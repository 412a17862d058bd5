"""How a fit or a prediction ended: a code that cannot be ignored and a message that says what to do next."""

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
    IMPRECISE = 9
    NOT_UNIQUE = 10

    @property
    def label(self) -> str:
        """The name used in tables and records, e.g. `not-converged`."""
        return self.name.lower().replace("_", "-")

    @property
    def ok(self) -> bool:
        """Whether a head came out: solved to its certificate, or descended the steps it was given."""
        return self in (Status.CONVERGED, Status.FINISHED, Status.NOT_UNIQUE)

    @property
    def message(self) -> str:
        """What happened and what to change."""
        return _MESSAGES[self]


_MESSAGES = {
    Status.CONVERGED: "solved to the certificate's tolerance",
    Status.FINISHED: "descended the requested number of steps",
    Status.NOT_CONVERGED: "the solver stopped before its tolerance; raise `ridge` or report the experiment",
    Status.SEPARABLE: (
        "nothing is penalised and the data are linearly separable, or fewer than the coordinates, so the minimum is "
        "not attained or not unique; set head.ridge > 0, use head.loss = 'max_margin', or descend a number of steps"
    ),
    Status.NOT_SEPARABLE: "the data are not linearly separable, so there is no hard margin; use another head.loss",
    Status.ONE_CLASS: "only one class has rows, so the unpenalised bias diverges; give the other class rows",
    Status.DIVERGED: (
        "descent diverged; take a smaller head.solver.step_size, where the loss is smooth below the largest stable step"
    ),
    Status.EMPTY: "no rows to fit on",
    Status.NO_PREDICTION: "no closed-form prediction exists for this method in this limit; simulate it",
    Status.IMPRECISE: (
        "double precision cannot resolve the minimum: head.ridge is too small beside the features' scale, or they lie "
        "too far from zero; raise head.ridge, or centre and rescale the features"
    ),
    Status.NOT_UNIQUE: (
        "nothing is penalised and columns depend on each other to seven digits, so many heads attain the minimum; this "
        "is the one of least norm; set head.ridge > 0 for a unique one"
    ),
}

# Plain integers for kernels.
CONVERGED, FINISHED, NOT_CONVERGED, SEPARABLE, NOT_SEPARABLE, ONE_CLASS, DIVERGED, EMPTY, NO_PREDICTION = (
    int(status) for status in list(Status)[:9]
)
IMPRECISE, NOT_UNIQUE = int(Status.IMPRECISE), int(Status.NOT_UNIQUE)
