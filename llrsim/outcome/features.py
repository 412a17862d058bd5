"""What became of the features that a network learned, replicate by replicate."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from ..mixture import Array
from .record import plain


@dataclass(frozen=True, eq=False)
class LearnedFeatures:
    """Collapse of a network's features and what its own output layer does, of R networks; nan where there is none.

    NC1 is exact, of the two classes (`neural_collapse.nc1_of_data`). Features that are not trained are the same before
    and after, and have no output layer.

    Attributes:
        nc1_untrained: (R,) of the training features before training.
        nc1_train: (R,) of the training features after it.
        nc1_heldout: (R,) of the held-out features, by the same trained network.
        train_accuracy: (R,) of the network's output on the training sample.
        output_accuracy: (R, G) of the network's output on fresh test rows of each group.
    """

    nc1_untrained: Array
    nc1_train: Array
    nc1_heldout: Array
    train_accuracy: Array
    output_accuracy: Array

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: lists by replicate."""
        return {field.name: plain(getattr(self, field.name)) for field in fields(self)}
