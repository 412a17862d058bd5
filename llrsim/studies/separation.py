"""The cells of E3: whether balance carries LLR's gain in each, by the rule `explain` goes by, and counts by kind.

A cell without a gain has nothing to be carried: it counts neither for the claim nor against it. Where uncollapsed
features *cost*, their share being negative, balance need not be large to exceed a multiple of it: such cells are told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..attribution.dominance import DOMINANCE, Interval, dominates, has_gain
from .judging import foremost, interval
from .measuring import of_part
from .verdict import Finding

State = Literal["dominates", "fails", "open", "no gain"]
Row = Mapping[str, Any]

JUDGED = ("gain", "balance", "collapse", "dominance")
"""Numbers of a row that are judged: the gain, both shares, and balance less `DOMINANCE` times the other."""

KINDS = ("class", "group", "minority")
_HOLDS: dict[State, bool | None] = {"dominates": True, "fails": False, "open": None, "no gain": None}


@dataclass(frozen=True)
class Case:
    """One split, or one cell over all its ridges.

    Attributes:
        kind: of collapse.
        head: name of the head.
        state: what balance does in it.
        costs: whether the share of uncollapsed features is negative (in a cell: at some ridge).
        finding: in words and numbers.
    """

    kind: str
    head: str
    state: State
    costs: bool
    finding: Finding


def simulated_cells(rows: Sequence[Row]) -> list[Case]:
    """The simulated cells, by kind of collapse and head; balance dominates in one if it does at every ridge."""
    simulated = of_part(rows, "simulated")
    comparisons = len(JUDGED) * len(simulated)
    cells: dict[tuple[str, str, float, float], list[Case]] = {}
    for row in sorted(simulated, key=lambda row: KINDS.index(row["kind"])):
        place = row["kind"], row["head"], row["heldout_ratio"], row["rows_per_dim"]
        case = _case(row, {name: interval(row, name, comparisons) for name in JUDGED})
        cells.setdefault(place, []).append(case)
    return [_over_ridges(*place, own) for place, own in cells.items()]


def predicted_splits(rows: Sequence[Row]) -> list[Case]:
    """The splits of the map that are predicted, each an exact number."""
    known = [row for row in of_part(rows, "map") if row["gain"] is not None]
    return [_case(row, {name: (row[name], row[name]) for name in JUDGED}) for row in known]


def counted(cases: Sequence[Case]) -> str:
    """How many of the cases with a gain are carried by balance, fail and are open, and how many have no gain.

    >>> found = Finding("a", 0.1, None, None, None)
    >>> counted([Case("class", "ridge", state, True, found) for state in ("dominates", "fails", "no gain")])
    'balance dominates in 1 of 2 (in 1 of them uncollapsed features cost), fails to in 1, 0 open; 1 without a gain'
    """
    states = [case.state for case in cases]
    costly = sum(case.costs for case in cases if case.state == "dominates")
    return (
        f"balance dominates in {states.count('dominates')} of {len(states) - states.count('no gain')} "
        f"(in {costly} of them uncollapsed features cost), fails to in {states.count('fails')}, "
        f"{states.count('open')} open; {states.count('no gain')} without a gain"
    )


def by_kind(cases: Sequence[Case]) -> list[tuple[str, list[Case]]]:
    """The cases of each kind of collapse that has some."""
    parts = [(kind, [case for case in cases if case.kind == kind]) for kind in KINDS]
    return [(kind, own) for kind, own in parts if own]


def _case(row: Row, ends: Mapping[str, Interval | None]) -> Case:
    """What balance does in the split of a row, by the intervals of what is judged."""
    gain, balance, collapse, excess = (ends[name] for name in JUDGED)
    state: State = "open"
    if gain is not None and balance is not None and excess is not None:
        found, carried = has_gain(gain), dominates(balance, excess)
        if found is False:
            state = "no gain"
        elif found and carried is not None:
            state = "dominates" if carried else "fails"
    name, own = ("gain", gain) if state == "no gain" else ("dominance", excess)
    low, high = own or (None, None)
    return Case(
        row["kind"],
        row["head"],
        state,
        collapse is not None and collapse[1] < 0,
        Finding(f"{row['ridge']} ridge", row[name], low, high, _HOLDS[state], row[name]),
    )


def _over_ridges(kind: str, head: str, ratio: float, size: float, cases: Sequence[Case]) -> Case:
    """A cell: it fails if it does at one ridge, else has no gain if there is none at one, else dominates at all."""
    states = {case.state for case in cases}
    order: tuple[State, ...] = ("fails", "no gain", "open", "dominates")
    state = next(one for one in order if one in states)
    costs = any(case.costs for case in cases)
    what = "no gain to split" if state == "no gain" else f"balance less {DOMINANCE:g} times collapse"
    aside = ", where uncollapsed features cost" if costs else ""
    text = f"{kind} collapse, {head}, ratio {ratio:g}, n/d {size:g}{aside}: {what}"
    return Case(kind, head, state, costs, foremost(text, [case.finding for case in cases if case.state == state]))
