"""From the flat rows of studies and sweeps to tables for people: a quantity and its interval in one cell."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..studies.measuring import columns as columns_of
from .markup import Content, element, joined

Row = Mapping[str, Any]

MINUS = "\N{MINUS SIGN}"
ORIGIN = ("part", "experiment", "rule", "llrsim", "table")
"""Columns that say where a row is from, which a table says once."""

MEANINGS = {
    "wga": "worst-group accuracy: the least of the groups' mean accuracies over the replicates",
    "wga_per_run": "mean over the replicates of each replicate's own least group accuracy",
    "direction": "worst-group accuracy at the best bias for the head's direction",
    "average": "accuracy on the whole test law",
    "predicted": "a closed-form prediction, which has no sampling error and so no interval",
    "replicates": "independent replicates with a head, on which the simulated numbers of a row rest",
}
"""What columns hold that several tables share."""

PAIRED = {
    "gain": "difference in worst-group accuracy to the method named under “against”, replicate by replicate",
    "gain_direction": "the part of the gain that remains at the best bias",
    "gain_bias": "the rest of the gain, which the bias brings",
}
"""What columns hold beside one that says `against` which method."""

SHARED = {
    "balance": "Shapley share, in the gain of LLR over ERM, of the held-out set's balance",
    "collapse": "Shapley share, in the gain of LLR over ERM, of features that have not collapsed",
    "gain": "the two shares together, the gain in worst-group accuracy",
    "difference": "balance less collapse",
    "dominance": "balance less twice collapse",
}
"""What columns hold where a gain is split into shares, which `dominance` tells."""


class Table(NamedTuple):
    """Names of the columns, and a list of cells for each row."""

    columns: list[str]
    rows: list[list[Content]]
    meanings: dict[str, str]


def table(rows: Sequence[Row]) -> Table:
    """A table of rows as `studies.measuring` makes them, `x` with `x_low`, `x_high` and `x_count` in one column."""
    keys = list(dict.fromkeys(key for row in rows for key in row if row[key] is not None and key not in ORIGIN))
    known = {key for row in rows for key in row}
    quantities = [key for key in keys if {f"{key}_se", f"{key}_count"} <= known]
    hidden = {f"{key}{end}" for key in quantities for end in ("_se", "_low", "_high", "_count")}
    shown: list[str] = []
    for key in keys:
        if key not in hidden and key not in shown:
            shown.append(key)
            shown += [other for other in (f"predicted_{key}",) if other in keys]
    cells: list[list[Content]] = [[_cell(row, key) for key in shown] for row in rows]
    names = [heading(key) for key in shown]
    if quantities:
        names.append("replicates")
        for row, line in zip(rows, cells, strict=True):
            line.append(_replicates(row[f"{key}_count"] for key in quantities if row.get(f"{key}_count") is not None))
    told = [*shown, *(["replicates"] if quantities else [])]
    known_words = MEANINGS | (PAIRED if "against" in shown else {}) | (SHARED if "dominance" in shown else {})
    meanings = {heading(key): known_words[key] for key in told if key in known_words}
    if any(key.startswith("predicted_") for key in shown):
        meanings["…, predicted"] = MEANINGS["predicted"]
    return Table(names, cells, meanings)


def swept(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows of `Results.rows` as rows for `table`: axes, method, accuracies; statuses that are not a success."""
    names = {key: key for key in ("wga", "wga_per_run")} | {"direction": "direction_wga", "average": "average_accuracy"}
    found = []
    for row in rows:
        told = {key: row[key] for key in list(row)[: list(row).index("method") + 1]}
        for name, key in names.items():
            told |= columns_of(name, row[key], row[f"{key}_se"], row["replicates"])
            told[f"predicted_{name}"] = row.get(f"predicted_{key}")
        told |= {end: row[end] for end in ("wga_low", "wga_high")}
        if row["status"] not in (None, "converged", "finished"):  # one that has heads and more to say is shown too
            told["status"] = row["status"]
        found.append(told)
    return found


def heading(key: str) -> str:
    """A column's name in words; dotted keys of the experiment file stay as they are.

    >>> heading("predicted_gain_bias"), heading("train.n_per_dim")
    ('gain bias, predicted', 'train.n_per_dim')
    """
    if "." in key:
        return key
    name = key.removeprefix("predicted_").replace("_", " ").replace("wga", "WGA").replace("nc1", "NC1")
    return f"{name}, predicted" if key.startswith("predicted_") else name


def number(value: float, places: int | None = None, *, sign: str = "") -> str:
    """A number with so many decimal places, or four digits.

    >>> number(0.56038, 3), number(-0.25), number(12345.678)
    ('0.560', '−0.25', '1.235e+04')
    """
    text = format(value, f"{sign}.4g" if places is None else f"{sign}.{places}f")
    return text.replace("-", MINUS, 1) if value < 0 else text


def measured(value: float, low: float, high: float, *, sign: str = "") -> tuple[str, str]:
    """A number and the ends of its interval in brackets, with two digits of its width; fewer where it is tiny.

    >>> measured(0.56038, 0.55943, 0.56133), measured(1.0, 1.0, 1.0)
    (('0.5604', '[0.5594, 0.5613]'), ('1', '[1, 1]'))
    """
    places = None
    if 0 < high - low < math.inf:
        finest = 4 - min(math.floor(math.log10(abs(value))), 0) if value else 5
        places = min(max(1 - math.floor(math.log10(high - low)), 0), finest)
    ends = f"[{number(low, places, sign=sign)}, {number(high, places, sign=sign)}]"
    return number(value, places, sign=sign), ends


def _cell(row: Row, key: str) -> Content:
    value, low, high = row.get(key), row.get(f"{key}_low"), row.get(f"{key}_high")
    if isinstance(value, float | int) and isinstance(low, float | int) and isinstance(high, float | int):
        middle, ends = measured(value, low, high)
        return joined(middle, element("span", ends, class_="interval"), between=" ")
    return plain(value)


def plain(value: Any) -> Content:
    """A value of an axis or a quantity without an interval, as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, list | tuple):
        return ", ".join(str(plain(item)) for item in value)
    return None if value is None else str(value)


def _replicates(counts: Iterable[int]) -> Content:
    found = sorted(set(counts))
    return " to ".join(str(count) for count in dict.fromkeys((found[0], found[-1]))) if found else None
