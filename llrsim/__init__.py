"""llrsim: theory and simulation of last-layer retraining. Group balance, or neural collapse?

The public names are loaded on first use (PEP 562), so that `import llrsim` and the command line's help stay instant.

>>> import llrsim
>>> experiment = llrsim.load("quick")
>>> llrsim.predict(experiment)["dfr"].wga > llrsim.predict(experiment)["erm"].wga
True
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "EmptyGroupWarning": ".experiment",
    "Experiment": ".experiment",
    "ExperimentError": ".experiment",
    "FitOptions": ".experiment",
    "Grid": ".experiment",
    "preset_names": ".experiment",
    "load": ".experiment",
    "GroupMixture": ".model.mixture",
    "Head": ".model.head",
    "Readout": ".model.head",
    "read_out": ".model.head",
    "Status": ".model.losses",
    "MethodOutcome": ".outcome",
    "Outcome": ".outcome",
    "Plan": ".model.plan",
    "plan": ".model.plan",
    "Fit": ".simulation",
    "FitError": ".simulation",
    "fit": ".simulation",
    "simulate": ".simulation",
    "simulate_plan": ".simulation",
    "predict": ".prediction",
    "predict_plan": ".prediction",
    "explain": ".attribution",
    "check": ".agreement",
    "open_results": ".sweep",
    "run_sweep": ".sweep",
}

_MODULES = {
    "agreement": ".agreement",
    "attribution": ".attribution",
    "collapse": ".model.collapse",
    "duality": ".model.duality",
    "neural_collapse": ".model.neural_collapse",
    "plots": ".plots",
}

__all__ = ["__version__", *_HOME, *_MODULES]

if TYPE_CHECKING:
    from .agreement import check
    from .attribution import explain
    from .experiment import EmptyGroupWarning, Experiment, ExperimentError, FitOptions, Grid, load, preset_names
    from .model.head import Head, Readout, read_out
    from .model.losses import Status
    from .model.mixture import GroupMixture
    from .model.plan import Plan, plan
    from .outcome import MethodOutcome, Outcome
    from .prediction import predict, predict_plan
    from .simulation import Fit, FitError, fit, simulate, simulate_plan
    from .sweep import open_results, run_sweep


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(_MODULES[name], __name__)
    if name not in _HOME:
        raise AttributeError(f"module 'llrsim' has no attribute {name!r}; it offers {', '.join(__all__)}")
    return getattr(import_module(_HOME[name], __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
