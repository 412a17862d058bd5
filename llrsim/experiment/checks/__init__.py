"""What the values of an experiment must satisfy beyond their types.

Every failure is an ExperimentError that names the key, its value and what is accepted. Later checks rely on what the
earlier ones have found: name, features, samples, head, methods, network, sweep, study.
"""

from .features import check_features
from .fits import check_anchor, check_head, check_methods, check_name, check_sweep, checked_head
from .network import check_network, checked_network
from .samples import check_samples
from .study import check_study

__all__ = [
    "check_anchor",
    "check_features",
    "check_head",
    "check_methods",
    "check_name",
    "check_network",
    "check_samples",
    "check_study",
    "check_sweep",
    "checked_head",
    "checked_network",
]
