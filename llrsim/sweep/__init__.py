"""Sweeps: a grid of experiments simulated and predicted, stored in a folder, resumed, looked at.

The names below are loaded on first use, so that the command line's help stays instant.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOME = {
    "ClusterError": ".remote",
    "Grid": "..experiment.grid",
    "Interrupted": ".interruption",
    "Results": ".results",
    "Shard": ".shards",
    "StoreError": ".folder",
    "SweepFailed": ".runner",
    "merge_results": ".merging",
    "open_results": ".results",
    "Verification": ".verifying",
    "run_sweep": ".runner",
    "WorkerDied": ".interruption",
    "verify_results": ".verifying",
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
    from .interruption import Interrupted, WorkerDied
    from .merging import merge_results
    from .remote import ClusterError
    from .results import Results, open_results
    from .runner import SweepFailed, run_sweep
    from .shards import Shard
    from .verifying import Verification, verify_results


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'llrsim.sweep' has no attribute {name!r}; it offers {', '.join(__all__)}")
    return getattr(import_module(_HOME[name], __name__), name)
