"""What a network must satisfy beyond its types, and what the rest of an experiment must satisfy beside one."""

import math
from typing import TYPE_CHECKING

from ...kinds import KINDS
from ..conversion import convert, plain
from ..errors import ExperimentError, require
from ..schema import Collapse, Descent, Network

if TYPE_CHECKING:
    from ..experiment import Experiment

WIDEST = 10**5
MOST_TEST_ROWS = 10**7

RULES = ("control", "angle_to", *(key for kind in KINDS.values() for key in kind.own))
"""Keys of methods that only Gaussian features know."""


def check_network(experiment: "Experiment") -> None:
    """Raise ExperimentError unless the network, where there is one, can be trained and heads fitted on its features."""
    network = experiment.network
    if network is None:
        return
    _check_alone(network)
    simulator = experiment.sweep.simulator
    require(simulator != "lazy", "sweep.simulator", simulator, "auto or dense beside [network], which needs all inputs")
    sections = {"train": experiment.train, "heldout": experiment.heldout, "test": experiment.test}
    for name, section in sections.items():
        if section is not None and section.collapse is not None:
            _check_untouched(f"{name}.collapse", section.collapse)
    for method in experiment.method:
        ruled = [key for key in RULES if getattr(method, key) is not None]
        if ruled or method.kind == "group-dro":
            raise ExperimentError(
                f"method.{method.label}.{ruled[0] if ruled else 'kind'}: beside [network] heads are fitted with fixed "
                "weights on the loss as it is; accepted kinds: erm, llr, llr-on-train, cb-llr, dfr"
            )
        solver = experiment.head_of(method).solver
        if isinstance(solver, Descent) and solver.path:
            raise ExperimentError(
                f"method.{method.label}.head.solver.path = {list(solver.path)}: heads on a network's features are "
                "tested at the end only; leave path out, or compare methods of several steps"
            )


def checked_network(key: str, network: Network) -> Network:
    """Return a network that Python built as a file's is read; ExperimentError for one that cannot be trained."""
    typed: Network = convert(plain(network, key), Network, key)
    _check_alone(typed)
    return typed


def _check_alone(network: Network) -> None:
    require(1 <= network.width <= WIDEST, "network.width", network.width, f"from 1 to {WIDEST} hidden units")
    accepted = f"from 1 to {MOST_TEST_ROWS} rows of each group"
    require(1 <= network.test_rows <= MOST_TEST_ROWS, "network.test_rows", network.test_rows, accepted)
    for key in ("steps", "step_size"):
        if network.kind == "trained" and getattr(network, key) is None:
            raise ExperimentError(f"network.{key}: missing; a trained network needs steps and step_size")
    require(network.steps is None or network.steps >= 1, "network.steps", network.steps, "at least 1")
    step_size = network.step_size
    require(step_size is None or 0 < step_size < math.inf, "network.step_size", step_size, "above 0")
    require(0 <= network.momentum < 1, "network.momentum", network.momentum, "in [0, 1)")
    require(0 <= network.ridge < math.inf, "network.ridge", network.ridge, "at least 0")


def _check_untouched(key: str, collapse: Collapse) -> None:
    for name in ("noise", "attribute"):
        value = getattr(collapse, name)
        values = value if isinstance(value, tuple) else (value,)
        require(
            all(factor == 1.0 for factor in values),
            f"{key}.{name}",
            value,
            "1 beside [network]: its inputs are untouched, and its features collapse by themselves",
        )
