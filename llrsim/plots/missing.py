"""What a figure of WGA cannot show: settings without a head on one side, and replicates left out of a mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .table import Row


def missing(rows: Sequence[Row]) -> list[str]:
    """A line for each thing that is not drawn, with the methods it is true of and the status that says why.

    >>> row = {"method": "llr", "simulated_wga": None, "simulated_status": "separable", "without_head": 20}
    >>> row |= {"replicates": None, "predicted_wga": 0.8, "predicted_status": "converged"}
    >>> missing([row, row | {"simulated_wga": 0.7, "replicates": 19, "without_head": 1}])
    ['llr: no point at 1 of 2 settings (separable)', 'llr: 1 of 20 replicates left out of 1 point (separable)']
    """
    labels: dict[str, list[str]] = {}
    for label in dict.fromkeys(row["method"] for row in rows):
        for line in _of_method([row for row in rows if row["method"] == label]):
            labels.setdefault(line, []).append(label)
    return [f"{', '.join(methods)}: {line}" for line, methods in labels.items()]


def _of_method(rows: Sequence[Row]) -> Iterator[str]:
    """A method that is predicted nowhere has no line at all, which the legend says beside its name."""
    for side, drawn in (("simulated", "no point"), ("predicted", "no line")):
        asked = [row for row in rows if row[f"{side}_status"] is not None]
        without = [row for row in asked if row[f"{side}_wga"] is None]
        reasons = _reasons(without, side)
        if without and (side == "simulated" or len(without) < len(asked) or reasons != "no-prediction"):
            yield f"{drawn} at {len(without)} of {len(asked)} settings ({reasons})"
    partly = [row for row in rows if row["replicates"] and row["without_head"]]
    if partly:
        lost = sum(row["without_head"] for row in partly)
        drawn_from = lost + sum(row["replicates"] for row in partly)
        points = f"{len(partly)} point{'s' * (len(partly) > 1)}"
        yield f"{lost} of {drawn_from} replicates left out of {points} ({_reasons(partly, 'simulated')})"


def _reasons(rows: Sequence[Row], side: str) -> str:
    return ", ".join(dict.fromkeys(row[f"{side}_status"] for row in rows))
