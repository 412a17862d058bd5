"""The data sets that some studies sweep over, known by the counts of their training groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NAMES: dict[tuple[int, ...], str] = {
    (3502, 184, 56, 1058): "Waterbirds",
    (2644, 1612, 227, 317): "CivilComments",
    (1972, 2112, 41, 675): "CelebA",
    (2351, 53, 2007, 389): "MultiNLI",
}
"""At 4800 rows, in the order in which balancing classes comes ever less near to balancing groups."""


def where(axes: Mapping[str, Any]) -> dict[str, Any]:
    """Name of a cell's data set, and whether its held-out set is a second training set (`iid`) or its `own`."""
    train = tuple(axes["train.counts"])
    heldout = "iid" if tuple(axes["heldout.counts"]) == train else "own"
    return {"data_set": NAMES.get(train, "other"), "heldout": heldout}
