"""The experiment description: schema, reading, checks, identity and changes by dotted path."""

from .checks import (
    check_adjusted_loss,
    check_adversary,
    check_anchor,
    check_on_network,
    check_scorer,
    checked_head,
    checked_network,
)
from .errors import EmptyGroupWarning, ExperimentError
from .experiment import Experiment
from .grid import Grid
from .reading import load, preset_names, schema_json
from .schema import (
    Axis,
    Collapse,
    Coordinates,
    Descent,
    Features,
    FitChanges,
    FitOptions,
    Heldout,
    Method,
    Network,
    Noise,
    Study,
    Sweep,
    Test,
    Train,
)

__all__ = [
    "Axis",
    "Collapse",
    "Coordinates",
    "Descent",
    "EmptyGroupWarning",
    "Experiment",
    "ExperimentError",
    "Features",
    "FitChanges",
    "FitOptions",
    "Grid",
    "Heldout",
    "Method",
    "Network",
    "Noise",
    "Study",
    "Sweep",
    "Test",
    "Train",
    "check_adjusted_loss",
    "check_adversary",
    "check_anchor",
    "check_on_network",
    "check_scorer",
    "checked_head",
    "checked_network",
    "load",
    "preset_names",
    "schema_json",
]
