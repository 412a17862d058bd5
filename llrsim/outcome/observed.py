"""The empirical readout: accuracies counted on fresh test rows, where the test law gives none in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..head import Readout, worst_class_accuracy
from ..mixture import Array, GroupMixture
from .interval import binomial_interval


@dataclass(frozen=True, eq=False)
class Observed:
    """What R heads do on test rows that no fit has seen, drawn anew for every replicate.

    Attributes:
        group_accuracy: (R, G) shares of the rows of each group that are classified rightly.
        direction_wga: (R,) worst-group accuracy at the bias that is best on these very rows.
        rows: test rows of each group.
    """

    group_accuracy: Array
    direction_wga: Array
    rows: int

    @property
    def interval(self) -> tuple[Array, Array]:
        """(R, G) ends of the 95 % intervals of each head's own group accuracies, given the head."""
        return binomial_interval(self.group_accuracy, self.rows)

    def readout(self, test: GroupMixture) -> Readout:
        """What `read_out` gives, as far as counts tell it: weights have no meaning on the inputs, so these are nan."""
        accuracy = self.group_accuracy
        wga = accuracy.min(axis=-1)
        unknown = np.full(wga.shape, np.nan)
        return Readout(
            group_accuracy=accuracy,
            wga=wga,
            worst_group=accuracy.argmin(axis=-1),
            worst_class_accuracy=worst_class_accuracy(accuracy, test),
            average_accuracy=(accuracy * test.proportions).sum(axis=-1),
            spurious_reliance=unknown,
            direction_wga=self.direction_wga,
            bias_part=wga - self.direction_wga,
            class_cosine=unknown,
            attribute_cosine=unknown,
        )
