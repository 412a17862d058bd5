"""The kinds of methods: what each balances and the data it is fitted on; and the studies. The lists of their names."""

from dataclasses import dataclass, field
from typing import Literal

Target = Literal["none", "class", "group"]
Balance = Literal["weights", "subset", "upsample"]
Data = Literal["heldout", "train", "fresh-train"]
Unit = Literal["class", "group"]
Selector = Literal["loss", "disagreement"]
Matching = Literal["mass-matched", "size-matched"]


@dataclass(frozen=True)
class Kind:
    """What makes a method.

    Attributes:
        balances: what its fixed weights balance.
        data: the data it defaults to.
        size_matched: whether its sample is cut to the held-out size.
        own: its keys in a file that no other kind has, with their defaults; None where there is none.
        scored: whether its weights depend on the scores of an earlier head, by default that of the first ERM method.
    """

    balances: Target
    data: Data
    size_matched: bool = False
    own: dict[str, float | str | None] = field(default_factory=dict)
    scored: bool = False


KINDS: dict[str, Kind] = {
    "erm": Kind(balances="none", data="train"),
    "llr": Kind(balances="none", data="heldout"),
    "llr-on-train": Kind(balances="none", data="train", size_matched=True),
    "cb-llr": Kind(balances="class", data="heldout"),
    "dfr": Kind(balances="group", data="heldout"),
    "afr": Kind(balances="none", data="fresh-train", own={"gamma": 4.0}, scored=True),
    "self": Kind(balances="none", data="heldout", own={"k": None, "by": "loss", "against": None}, scored=True),
    "group-dro": Kind(balances="none", data="heldout", own={"ascent": None}),
    "logit-adjusted": Kind(balances="none", data="heldout", own={"adjust": 1.0, "stretch": 0.0, "unit": "class"}),
}

STUDIES = tuple(f"e{number:02}" for number in range(1, 15))
"""The studies: questions with a rule that decides them, one module of `llrsim.studies` each."""
