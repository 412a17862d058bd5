"""The kinds of methods: what each balances and the data it is fitted on. The one list of their names."""

from dataclasses import dataclass
from typing import Literal

Target = Literal["none", "class", "group"]
Balance = Literal["weights", "subset", "upsample"]
Data = Literal["heldout", "train", "fresh-train"]


@dataclass(frozen=True)
class Kind:
    """What makes a method: what it balances, the data it defaults to, and whether it is cut to the held-out size."""

    balances: Target
    data: Data
    size_matched: bool = False


KINDS: dict[str, Kind] = {
    "erm": Kind(balances="none", data="train"),
    "llr": Kind(balances="none", data="heldout"),
    "llr-on-train": Kind(balances="none", data="train", size_matched=True),
    "cb-llr": Kind(balances="class", data="heldout"),
    "dfr": Kind(balances="group", data="heldout"),
}
