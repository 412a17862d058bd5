"""Which solver fits which head, and how the engine reaches it: by address.

An engine that called the solvers outright would take longer to compile than all of them, whichever a plan needs.
Instead all have one signature, and kernels receive them as first-class functions of it (`address`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from numba import float32, float64, int64, typeof, types, uint64

from ..losses import Loss
from .address import call_by_address
from .descent import descend
from .interior_point import interior_point
from .ridge import ridge
from .smooth import minimise

if TYPE_CHECKING:
    from ..experiment.schema import FitOptions

TOLERANCE = 1e-9  # of the relative gradient, or the relative duality gap
ITERATIONS = 500

SOLVERS = (ridge, minimise, interior_point, descend)
RIDGE, NEWTON, INTERIOR_POINT, DESCENT = range(len(SOLVERS))
_EXACT = {
    Loss.SQUARED: RIDGE,
    Loss.LOGISTIC: NEWTON,
    Loss.SQUARED_HINGE: NEWTON,
    Loss.HINGE: INTERIOR_POINT,
    Loss.MAX_MARGIN: INTERIOR_POINT,
}


class Recipe(NamedTuple):
    """A loss and its solver as numbers: five integers, five floats.

    `solver` indexes SOLVERS. Descent reads `steps`, `batch` (0: full batch), `step_size`, `momentum`, `clip` (0: none)
    and `nesterov` (0 or 1); the exact solvers stop at `tolerance` or after `iterations`.
    """

    solver: int
    loss: int
    steps: int = 0
    batch: int = 0
    iterations: int = ITERATIONS
    step_size: float = 0.0
    momentum: float = 0.0
    clip: float = 0.0
    tolerance: float = TOLERANCE
    nesterov: float = 0.0


def recipe(head: FitOptions) -> Recipe:
    """The kernel form of the fitting options."""
    loss = Loss[head.loss.upper()]
    solver = head.solver
    if isinstance(solver, str):
        return Recipe(_EXACT[loss], int(loss))
    return Recipe(
        DESCENT,
        int(loss),
        steps=solver.steps,
        batch=solver.batch or 0,
        step_size=float(solver.step_size),
        momentum=float(solver.momentum),
        nesterov=float(solver.nesterov),
        clip=float(solver.clip or 0.0),
    )


def only(needed: Iterable[int]) -> tuple[Any, ...]:
    """SOLVERS, where one that is needed stands in for those that are not, so that these are never compiled."""
    wanted = set(needed)
    return tuple(SOLVERS[code if code in wanted else min(wanted)] for code in range(len(SOLVERS)))


_VECTOR, _MATRIX = types.Array(float64, 1, "C"), types.Array(float64, 2, "C")
_SOLVER = types.FunctionType(
    types.Tuple((int64, float64, int64))(
        typeof(Recipe(0, 0)),
        _MATRIX,
        *6 * (_VECTOR,),
        types.Array(float32, 2, "C"),
        types.Array(uint64, 1, "C"),
        types.Array(int64, 1, "C"),
        _MATRIX,
    )
)


# That of `robust.fit_worst_case`: a solver, the ascent's step size and the rows' units more than the others.
_WORST_CASE = types.FunctionType(
    types.Tuple((int64, float64, int64))(
        _SOLVER,
        typeof(Recipe(0, 0)),
        float64,
        _MATRIX,
        *2 * (_VECTOR,),
        types.Array(int64, 1, "C"),
        *4 * (_VECTOR,),
        types.Array(float32, 2, "C"),
        types.Array(uint64, 1, "C"),
        types.Array(int64, 1, "C"),
        _MATRIX,
    )
)


def call_with_solvers(kernel: Any, solvers: tuple[Any, ...], worst_case: Any, *arguments: Any) -> None:
    """Run `kernel(*solvers, worst_case, *arguments)` with the solvers as first-class functions."""
    call_by_address(kernel, (*[_SOLVER] * len(solvers), _WORST_CASE), (*solvers, worst_case), *arguments)
