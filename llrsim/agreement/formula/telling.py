"""A judged formula in words: a table of the cells, a map of where it fails, and the smallest failing experiment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .result import FormulaAgreement, FormulaCell

MARKS = {"agrees": "+", "disagrees": "x", "undecided": "?"}
NOT_JUDGED = "."
UNITS = {"proportional": "d", "population": "n/d"}


def told(agreement: FormulaAgreement) -> str:
    """What a terminal shows; the failing experiment comes last, so that it can be cut off and saved."""
    lines = [_title(agreement), ""]
    for cell in agreement.cells:
        lines += _cell(agreement, cell)
    if len(agreement.cells) > 1:
        lines += ["", *_map(agreement)]
    count = sum(cell.verdict == "agrees" for cell in agreement.cells)
    lines += ["", f"{agreement.formula}: {_verdict(agreement)} ({count} of {_judged(agreement)} agree)"]
    failing = agreement.failing
    if failing is not None:
        lines += ["", "# The smallest failing experiment, ready to rerun:", failing.to_toml().rstrip()]
    return "\n".join(lines)


def _title(agreement: FormulaAgreement) -> str:
    title = f"{agreement.name}: {agreement.formula} for {agreement.method} against "
    if agreement.against == "predict":
        return f"{title}llrsim's prediction, {agreement.limit} limit; eps = {agreement.eps:g}"
    where = "at its own size" if agreement.limit == "finite" else f"{agreement.limit} limit"
    return f"{title}simulation, {where}; eps = {agreement.eps:g}, false alarm {agreement.false_alarm:g}"


def _cell(agreement: FormulaAgreement, cell: FormulaCell) -> list[str]:
    found = cell.judgement
    draws = f" after {found.draws} draws" if found.draws else ""
    sizes = ", ".join(f"{size:.3g}" for size in cell.sizes if np.isfinite(size))
    if sizes:
        draws += f" at {UNITS[agreement.limit]} = {sizes}"
    reason = f": {found.reason}" if found.reason else ""
    lines = [f"{_axes(cell.axes)}: {cell.verdict}{draws}{reason}"]
    simulated = agreement.against == "simulation"
    lines.append(f"  {'group':<8}{'formula':>9}{'found':>9}{'difference':>12}" + ("   interval" if simulated else ""))
    for g, name in enumerate(agreement.group_names if cell.claim.of_groups else ("worst",)):
        line = f"  {name:<8}{cell.claim.accuracy[g]:9.4f}{found.found[g]:9.4f}{cell.gap[g]:+12.4f}"
        lines.append(line + (f"   [{found.low[g]:+.4f}, {found.high[g]:+.4f}]" if simulated else ""))
    return lines


def _map(agreement: FormulaAgreement) -> list[str]:
    """A row for every point of the axes but the last, and a column for every value of the last."""
    grid = agreement.grid
    columns = grid.shape[-1]
    marks = {cell.index: MARKS[cell.verdict] for cell in agreement.cells}
    rows = sorted({index // columns for index in marks})
    last = list(grid.cell(0))[-1]
    ends = [_value(grid.cell(index)[last]) for index in (0, columns - 1)]
    heading = f"map ({', '.join(f'{mark} {verdict}' for verdict, mark in MARKS.items())}, {NOT_JUDGED} not judged)"
    lines = [f"{heading}; from left to right {last} = {ends[0]} ... {ends[1]}"]
    # Axes of one zip move together, so a row's name is what all of its cells share.
    for row in rows:
        first, final = grid.cell(row * columns), grid.cell(row * columns + columns - 1)
        shared = {key: value for key, value in first.items() if key != last and final[key] == value}
        line = "".join(marks.get(row * columns + column, NOT_JUDGED) for column in range(columns))
        lines.append(f"  {line}  {_axes(shared) if shared else ''}".rstrip())
    return lines


def _verdict(agreement: FormulaAgreement) -> str:
    """The verdict of all cells that were judged, which "everywhere" would hide where they are not the whole grid."""
    whole = len(agreement.cells) == agreement.grid.size
    return "agrees everywhere" if agreement.verdict == "agrees" and whole else agreement.verdict


def _judged(agreement: FormulaAgreement) -> str:
    judged, cells = len(agreement.cells), agreement.grid.size
    return f"{judged} cells" if judged == cells else f"the {judged} of {cells} cells judged"


def _axes(axes: dict[str, Any]) -> str:
    return ", ".join(f"{key} = {_value(value)}" for key, value in axes.items()) or "as given"


def _value(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
