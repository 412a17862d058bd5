"""What the values of an experiment must satisfy beyond their types.

Every failure is an ExperimentError that names the key, its value and what is accepted.
"""

from typing import TYPE_CHECKING

from .features import check_features
from .fits import check_head, check_methods, check_sweep
from .requirements import require
from .samples import check_samples

if TYPE_CHECKING:
    from ..experiment import Experiment


def check(experiment: "Experiment") -> None:
    """Raise ExperimentError unless the experiment is valid."""
    require(bool(experiment.name.strip()), "name", experiment.name, "text that is not blank")
    check_features(experiment.features)
    check_samples(experiment.features, experiment.train, experiment.heldout, experiment.test)
    check_head("head", experiment.head)
    check_methods(experiment)
    check_sweep(experiment)
