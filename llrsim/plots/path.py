"""Worst-group accuracy along gradient descent: when to stop, beside what an exact fit of the same rows gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from msgspec import structs

from ..experiment import Experiment
from ..experiment.schema import Descent, Solver
from ..model.plan import Stage, plan
from ..outcome import MethodOutcome, Outcome, plain
from ..prediction import predict_plan
from . import wga
from .style import BLACK, blank, look
from .table import Row, wga_table

STEPS = "steps"
DRAWN = 150
"""Steps along the predicted line, evenly spaced in their logarithm."""

_EXACT: dict[str, Any] = {"color": "0.35", "linestyle": "--", "linewidth": 1.2}
_START: dict[str, Any] = {"color": "0.35", "linestyle": ":", "linewidth": 1.4}


def wga_path(
    source: Experiment | Sequence[Row],
    simulation: Outcome | None = None,
    ax: Axes | None = None,
    *,
    methods: Sequence[str] | None = None,
) -> Axes:
    """Draw the worst-group accuracy of descents against their steps, on a logarithmic axis.

    A line is the prediction in the proportional limit, a star its best step, a dashed line the exact fit of the same
    objective (steps -> infinity), a dotted line the head that the descent starts from. Points with 95 % intervals are
    the simulation, at the steps of `head.solver.path`.

    Args:
        source: an experiment with methods that descend, or rows of `path_table`.
        simulation: what `simulate` returned of that experiment; rows hold theirs already.
        ax: where to draw; by default a new figure's only axes.
        methods: labels to draw; all that descend by default.

    Raises ValueError where nothing descends.

    >>> import llrsim
    >>> solver = {"steps": 1000, "step_size": 0.05}
    >>> quick = llrsim.load("quick").with_values({"head.loss": "squared", "method.llr.head.solver": solver})
    >>> ax = wga_path(quick)
    >>> ax.get_xscale(), ax.get_legend().get_texts()[1].get_text()
    ('log', 'llr: best after 1000 steps, 0.814; exact fit 0.814')
    """
    table = path_table(source, simulation) if isinstance(source, Experiment) else source
    rows = [row for row in table if methods is None or row["method"] in methods]
    if not rows:
        raise ValueError(f"no steps to draw with methods = {methods}: give head.solver = {{ steps, step_size }}")
    ax = blank().subplots() if ax is None else ax
    labels = list(dict.fromkeys(row["method"] for row in table))
    draw(rows, ax, labels=labels)
    ax.legend(handles=legend_entries(rows, labels=labels), loc="upper center", bbox_to_anchor=(0.5, -0.14))
    return ax


def path_table(experiment: Experiment, simulation: Outcome | None = None) -> list[Row]:
    """A row for each method that descends and step: STEPS, the columns of `wga_table`, and those of the whole descent.

    `best_steps` and `best_wga` are those of `early_stopping` in the prediction's `to_dict`; `exact_wga` is that of the
    exact fit and `start_wga` that of the method `start`, where there are these; None stands for what is not there.
    """
    resolved = plan(experiment)
    descents = {
        stage.label: (stage, _finer(stage.head.solver, None if simulation is None else simulation[stage.label]))
        for stage in resolved.stages
        if not isinstance(stage.head.solver, str)
    }
    stages = [
        _with_solver(stage, descents[stage.label][1]) if stage.label in descents else stage for stage in resolved.stages
    ]
    stages += [replace(_with_solver(stage, "exact"), label=_exactly(stage.label)) for stage, _ in descents.values()]
    predicted = predict_plan(replace(resolved, stages=tuple(stages)))
    rows: list[Row] = []
    for label, (stage, solver) in descents.items():
        start = None if stage.start is None else predicted[stages[stage.start].label]
        whole = _whole(predicted[label], predicted[_exactly(label)], start)
        simulated = None if simulation is None else simulation[label]
        cells = [({STEPS: step}, _at(simulated, step), _at(predicted[label], step)) for step in solver.path]
        rows += [{**row, **whole} for row in wga_table(cells)]
    return rows


def draw(rows: Sequence[Row], ax: Axes, *, labels: Sequence[str]) -> None:
    """The lines, points and marks of `rows`; colours follow the place of a method in `labels`."""
    wga.draw(rows, STEPS, ax, labels=labels)
    ax.set_xscale("log")
    ax.set_xlabel("steps of gradient descent")
    ax.set_ylabel(wga.WGA_LABEL)
    for row in _descents(rows):
        for column, how in (("exact_wga", _EXACT), ("start_wga", _START)):
            if row[column] is not None:
                ax.axhline(row[column], zorder=1.5, **how)
        if row["best_wga"] is not None:
            colour = look(labels.index(row["method"]))["color"]
            ax.plot(row["best_steps"], row["best_wga"], **_star(colour), zorder=3.0)


def legend_entries(rows: Sequence[Row], *, labels: Sequence[str]) -> list[Artist]:
    """Handles for each method and its best step, then for points, lines, and what is not drawn."""
    descents = {row["method"]: row for row in _descents(rows)}
    drawn = [label for label in labels if label in descents]
    told = wga.legend_entries(rows, labels=labels)
    entries: list[Artist] = []
    for place, label in enumerate(drawn):
        row = descents[label]
        entries.append(told[place])
        if row["best_wga"] is not None:
            exact = "" if row["exact_wga"] is None else f"; exact fit {row['exact_wga']:.3f}"
            best = f"{label}: best after {row['best_steps']} steps, {row['best_wga']:.3f}{exact}"
            entries.append(Line2D([], [], **_star(look(labels.index(label))["color"]), linestyle="none", label=best))
    entries += told[len(drawn) :]
    if any(row["exact_wga"] is not None for row in descents.values()):
        entries.append(Line2D([], [], **_EXACT, label="exact fit of the same objective: steps → ∞"))
    for label, row in descents.items():
        if row["start_wga"] is not None:
            entries.append(Line2D([], [], **_START, label=f"{row['start']}: the head that {label} starts from"))
    return entries


def _star(colour: str) -> dict[str, Any]:
    return {"marker": "*", "markersize": 13, "markerfacecolor": colour, "markeredgecolor": BLACK, "color": colour}


def _descents(rows: Sequence[Row]) -> list[Row]:
    """A row of each method."""
    return list({row["method"]: row for row in rows}.values())


def _finer(solver: Descent, simulated: MethodOutcome | None) -> Descent:
    """The same descent, recorded where its line is drawn and where it is simulated."""
    steps = np.round(np.geomspace(1, solver.steps, DRAWN)).astype(int)
    if simulated is not None:
        if simulated.path is None:
            raise ValueError(f"{simulated.label}: simulated without a path; give head.solver.path the steps to record")
        steps = np.append(steps, simulated.path.steps)
    steps = np.unique(steps)
    return structs.replace(solver, path=tuple(steps[steps > 0].tolist()))  # a logarithmic axis has no step 0


def _with_solver(stage: Stage, solver: Solver) -> Stage:
    return replace(stage, head=structs.replace(stage.head, solver=solver))


def _exactly(label: str) -> str:
    """A label that no method of a file can have."""
    return f"{label}, exact"


def _whole(descent: MethodOutcome, exact: MethodOutcome, start: MethodOutcome | None) -> dict[str, Any]:
    """What is true of all steps of a descent."""
    best = descent.details()["early_stopping"] if descent.details is not None else {"steps": None, "wga": None}
    return {
        "best_steps": best["steps"],
        "best_wga": best["wga"],
        "exact_wga": plain(exact.wga) if exact.outcome.ok else None,
        "start": None if start is None else start.label,
        "start_wga": None if start is None else plain(start.wga),
    }


def _at(method: MethodOutcome | None, step: int) -> Outcome | None:
    """One side after one step of the path; None where there is no such step, the status alone where there is no path.

    The status of a descent is that of its end, and so is which replicates are kept.
    """
    if method is None:
        return None
    if method.path is not None:
        (found,) = np.nonzero(method.path.steps == step)
        if not found.size:
            return None
        method = replace(method, heads=method.path.heads[:, found[0]], path=None)
    return Outcome(method.label, {method.label: method}, "simulation" if method.limit == "finite" else "prediction")
