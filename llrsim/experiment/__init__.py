"""The experiment description: schema, reading, checks, identity and changes by dotted path."""

from .errors import EmptyGroupWarning, ExperimentError
from .experiment import Experiment
from .reading import load, preset_names, schema_json
from .schema import (
    Axis,
    Collapse,
    Coordinates,
    Descent,
    Features,
    Head,
    HeadChanges,
    Heldout,
    Method,
    Noise,
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
    "Head",
    "HeadChanges",
    "Heldout",
    "Method",
    "Noise",
    "Sweep",
    "Test",
    "Train",
    "load",
    "preset_names",
    "schema_json",
]
