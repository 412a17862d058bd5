"""One query of a lazy sample: the gradient of the objective at a head, and the directions that it reveals."""

from ..._jit import kernel
from .reveal import absorb, aim, penalise, query, room_left
from .revealed import HEAD
from .sweeps import LOOK, MOVE, PROJECT, open_spaces

ROOM = -1
"""Instead of a status: the arrays are full; with larger ones the same call goes on."""

DONE, RECORDED, REFERENCE, CEILING, SOFTNESS, LOW_BIAS, HIGH_BIAS = range(7)
"""Places of a driver's progress: steps done, heads recorded, |grad F(0)|, a descent's limit, the softness of a round of
`multipliers` and the ends of the interval of optimal biases; nan: not known yet."""


@kernel
def look(sweep, loss, softness, state):
    """Margins, slopes and gradient at the state's HEAD; returns the gradient's length, or ROOM."""
    aim(state, state.vectors[HEAD])
    sweep(LOOK, loss, softness, 0.0, state)
    return ask(sweep, state, 0.0)


@kernel
def look_once(sweep, how, state, softness):
    """`look` as a driver of its own."""
    return look(sweep, how.loss, softness, state)


@kernel
def ask(sweep, state, moved):
    """The gradient at HEAD, of which a sweep has just left the residual's inner products; its length, or ROOM.

    That sweep looked ahead by the length `moved` of its image, by which the margins move in the same pass as it asks.
    Nothing is asked of the unknown part of the noise once all directions are revealed, or where no residual is left.
    """
    length, dropped = query(state), 0.0
    if open_spaces(state) > 0 and length > 0.0:
        if not room_left(state):
            return float(ROOM)
        sweep(PROJECT, 0, 0.0, moved, state)
        dropped = absorb(state, length)
    elif moved != 0.0:
        sweep(MOVE, 0, 0.0, moved, state)
    return penalise(state, dropped)
