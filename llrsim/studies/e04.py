"""E4, the control: does retraining on as many training rows gain anything over ERM at that size?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from . import evidence
from .evidence import Row, Verdict, below, concluded, measured_cells, of_part, settled_in_parts, tally, within

if TYPE_CHECKING:
    from ..sweep.results import Results

MARGIN = 0.01

_BY_CONSTRUCTION = "the same fit on as many training rows is ERM with fewer samples"


def table(results: Results, *, jobs: int = 1) -> list[Row]:
    """Rows `cell`: all methods; `retrained` with its gain over `size-matched`, which has its own over ERM."""
    pairs = {"retrained": "size-matched", "size-matched": "erm"}
    return list(measured_cells(results, _where, against=pairs))


def verdict(rows: Sequence[Mapping[str, Any]]) -> Verdict:
    """No gain, in each data set and at each collapse of training and of test features; a loss is none either."""
    cells = of_part(rows, "cell", method="retrained")
    findings = [
        below(
            f"{row['data_set']}, collapse {row['train_collapse']:g} of training and {row['test_collapse']:g} of test "
            "features: gain of retraining on training rows",
            row,
            "gain",
            MARGIN,
            comparisons=len(cells),
        )
        for row in cells
    ]
    words = {
        "confirmed": "retraining on training features gains nothing over ERM at the same n",
        "refuted": "retraining on training features gains everywhere",
        "complicated": "retraining on training features gains in some cells, where the shorter fit is the better one",
    }
    matched = of_part(rows, "cell", method="size-matched")
    extremes = sorted(findings, key=lambda finding: finding.estimate or 0.0)[:: max(1, len(findings) - 1)]
    return concluded(
        "e04",
        findings,
        words,
        outcome=settled_in_parts(findings) if findings else None,
        by_construction=(_BY_CONSTRUCTION,) if matched else (),
        told=[tally(findings), _losses(cells), *(finding.told for finding in extremes)],
    )


def figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Gains of both retrained heads by data set; a panel for each collapse of training and of test features."""
    cells = [row for row in of_part(rows, "cell") if row["method"] != "erm"]
    states = sorted({(row["train_collapse"], row["test_collapse"]) for row in cells})
    lines = len({test for _, test in states})
    drawn, axes = evidence.panels(
        "Does retraining on training features help the worst group?",
        len(states) // lines,
        lines,
        height=5.2,
        sharex=True,
        sharey=True,
    )
    entries = [
        ("retrained (1000 steps from zero, no penalty) over ERM at the same n", 0),
        ("ERM at that n over ERM", 1),
    ]
    for ax, (train, test) in zip(axes.T.ravel(), states, strict=True):
        for place, method in enumerate(("retrained", "size-matched")):
            own = [row for row in cells if (row["train_collapse"], row["test_collapse"]) == (train, test)]
            evidence.by_name(ax, of_part(own, "cell", method=method), "data_set", "gain", place=place)
        evidence.band(ax, MARGIN)
        ax.set_title(f"collapse {train:g} of training, {test:g} of test features")
    for ax in axes[:, 0]:
        ax.set_ylabel("gain in\nworst-group accuracy")
    evidence.legend(drawn, entries, cells, f"grey: within {MARGIN:g} of no gain", columns=1)
    return drawn


def _losses(cells: Sequence[Mapping[str, Any]]) -> str:
    """How many cells lose, and in how many there is no difference."""
    lost = [below("", row, "gain", -MARGIN, comparisons=len(cells)).holds is True for row in cells]
    same = [within("", row, "gain", MARGIN, comparisons=len(cells)).holds is True for row in cells]
    return f"a loss beyond {MARGIN:g} in {sum(lost)}, within {MARGIN:g} of no gain in {sum(same)}"


def _where(axes: Mapping[str, Any]) -> Row:
    collapse = {"train_collapse": axes["train.collapse.noise"], "test_collapse": axes["heldout.collapse.noise"]}
    return {"data_set": evidence.where(axes)["data_set"], **collapse}
