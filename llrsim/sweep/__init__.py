"""Sweeps: a grid of experiments simulated and predicted, stored in a folder, resumed, looked at.

The names below are loaded on first use, so that the command line's help stays instant.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOME = {
    "ClusterError": ".workers",
    "Grid": "..experiment.grid",
    "Interrupted": ".stop",
    "Results": ".results",
    "Shard": ".units",
    "StoreError": ".folder",
    "SweepFailed": ".run",
    "merge_results": ".verify",
    "open_results": ".results",
    "Verification": ".verify",
    "run_sweep": ".run",
    "WorkerDied": ".stop",
    "verify_results": ".verify",
}

__all__ = [
    "ClusterError",
    "Grid",
    "Interrupted",
    "Results",
    "Shard",
    "StoreError",
    "SweepFailed",
    "Verification",
    "WorkerDied",
    "merge_results",
    "open_results",
    "run_sweep",
    "verify_results",
]

if TYPE_CHECKING:
    from ..experiment.grid import Grid
    from .folder import StoreError
    from .results import Results, open_results
    from .run import SweepFailed, run_sweep
    from .stop import Interrupted, WorkerDied
    from .units import Shard
    from .verify import Verification, merge_results, verify_results
    from .workers import ClusterError


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'llrsim.sweep' has no attribute {name!r}; it offers {', '.join(__all__)}")
    return getattr(import_module(_HOME[name], __name__), name)
