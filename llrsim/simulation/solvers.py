"""Which solver fits which head, and how the engine reaches it: by address.

numba copies every function that a kernel calls into the kernel and optimises the copy, so an engine that called the
solvers outright would take longer to compile than all of them, whichever a plan needs. Instead all solvers have one
signature, and kernels receive them as first-class functions of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from numba import float32, float64, int64, typeof, types, uint64
from numba.core.dispatcher import Dispatcher

from ..losses import Loss
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
    """A loss and its solver as numbers: five integers, four floats.

    `solver` indexes SOLVERS. Descent reads `steps`, `batch` (0: full batch), `step_size`, `momentum` and `clip` (0:
    none); the exact solvers stop at `tolerance` or after `iterations`.
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
        *5 * (_VECTOR,),
        types.Array(float32, 2, "C"),
        types.Array(uint64, 1, "C"),
        types.Array(int64, 1, "C"),
        _MATRIX,
    )
)
_compiling = Lock()


class _ByAddress:
    """A compiled solver as kernels take it for a first-class function, by numba's wrapper address protocol.

    They would take the dispatcher itself too, but convert it anew in every call, for milliseconds.
    """

    _numba_type_ = _SOLVER

    def __init__(self, solver: Dispatcher) -> None:
        self._address = types.CompileResultWAP(solver.get_compile_result(_SOLVER.signature)).__wrapper_address__()

    def __wrapper_address__(self) -> int:
        return self._address


_by_address = cache(_ByAddress)


def call_with_solvers(kernel: Any, solvers: tuple[Any, ...], *arguments: Any) -> None:
    """Run `kernel(*solvers, *arguments)` with the solvers as first-class functions.

    Called plainly, numba would take each solver for a type of its own and compile a kernel with all of them inside.
    """
    if isinstance(kernel, Dispatcher):  # else numba is switched off
        with _compiling:
            solvers = tuple(map(_by_address, solvers))
            if not kernel.signatures:
                kernel.compile((_SOLVER,) * len(SOLVERS) + tuple(map(typeof, arguments)))
                kernel.disable_compile()
    kernel(*solvers, *arguments)
