"""The numbers of a WGA figure as flat rows: what is drawn, what is written beside it, what a record holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from .._arguments import shown
from ..outcome import MethodOutcome, Outcome, plain

if TYPE_CHECKING:
    from collections.abc import Callable

Row: TypeAlias = Mapping[str, Any]
Cell: TypeAlias = tuple[Mapping[str, Any], Outcome | None, Outcome | None]
"""Values of the axes, the simulation's outcome and the prediction's; None for a side that is missing."""


class HasOutcomes(Protocol):
    """What `llrsim.open_results` returns, as far as figures need it."""

    def outcomes(self) -> Iterable[Cell]:
        """The cells, in grid order."""


Source: TypeAlias = HasOutcomes | Iterable[Cell] | Iterable[Row]

COLUMNS = (
    "method",
    "kind",
    "simulated_wga",
    "interval_low",
    "interval_high",
    "replicates",
    "without_head",
    "simulated_status",
    "predicted_wga",
    "predicted_status",
    "limit",
    "shares",
    "fitted_rows",
    "noise_dim",
)
"""Columns of a row beside the axes."""


def wga_table(source: Source, keep: Callable[[Mapping[str, Any]], bool] | None = None) -> list[Row]:
    """One row for each cell and method: the axes, then COLUMNS. Rows given as `source` come back as they are.

    `simulated_wga` is the least of the groups' mean accuracies with its interval (`interval_of_least`), over the
    `replicates` that have a head; None stands for what is not there. A status says why a side has no head, or why
    some replicates, `without_head` in number, have none. `keep` chooses cells by their axes, before anything is read
    out.

    Raises TypeError for another source.

    >>> import llrsim
    >>> experiment = llrsim.load("quick")
    >>> rows = wga_table([({"head.ridge": 0.01}, None, llrsim.predict(experiment))])
    >>> rows[0]["method"], rows[0]["limit"], rows[0]["simulated_wga"]
    ('erm', 'proportional', None)
    """
    cells = source.outcomes() if hasattr(source, "outcomes") else source
    rows: list[Row] = []
    try:
        given = iter(cells)
    except TypeError:
        raise _no_source(source) from None
    for cell in given:
        if not isinstance(cell, Mapping) and not _is_cell(cell):
            raise _no_source(source)
        axes = cell if isinstance(cell, Mapping) else cell[0]
        if keep is not None and not keep(axes):
            continue
        if isinstance(cell, Mapping):
            rows.append(cell)
        else:
            rows += _cell_rows(*cell)
    return rows


def _is_cell(cell: Any) -> bool:
    """Whether a value is axes with the outcomes of both sides."""
    whole = isinstance(cell, tuple) and len(cell) == 3 and isinstance(cell[0], Mapping)
    return whole and all(side is None or isinstance(side, Outcome) for side in cell[1:])


def _no_source(source: Any) -> TypeError:
    accepted = "results of a sweep, (axes, simulation, prediction) cells or rows of wga_table"
    return TypeError(f"source: {shown(source)}; expected {accepted}")


def axis_keys(row: Row) -> list[str]:
    """The swept keys of a row: dotted paths, which no other column is."""
    return [key for key in row if "." in key]


def _cell_rows(axes: Mapping[str, Any], simulation: Outcome | None, prediction: Outcome | None) -> Iterable[Row]:
    present = [side for side in (simulation, prediction) if side is not None]
    for method in present[0]:
        simulated = simulation[method.label] if simulation is not None else None
        predicted = prediction[method.label] if prediction is not None else None
        yield {
            **axes,
            "method": method.label,
            "kind": method.stage.kind,
            **_simulated(simulated),
            "predicted_wga": None if predicted is None else plain(predicted.wga),
            "predicted_status": None if predicted is None else predicted.outcome.label,
            "limit": None if predicted is None else predicted.limit,
            "shares": None if predicted is None else predicted.stage.shares,
            "fitted_rows": int(method.stage.selection.counts.sum()),
            "noise_dim": method.test.noise_dim,
        }


def _simulated(method: MethodOutcome | None) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(COLUMNS[2:8])
    if method is None:
        return row
    row |= {"without_head": int((~method.kept).sum()), "simulated_status": method.outcome.label}
    if not method.kept.any():
        return row
    low, high = method.wga_interval or (None, None)
    return row | {
        "simulated_wga": method.wga,
        "interval_low": low,
        "interval_high": high,
        "replicates": int(method.kept.sum()),
    }
