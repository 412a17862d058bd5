"""Is a results folder what its sweep computed? Damage is looked for in all of it, and some rows are computed anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Literal

from ..arguments import checked_seed
from ..experiment.grid import Grid
from ..experiment.identity import cell_law_hash
from ..planning import Plan, plan
from .comparing import FACTOR, LEAST, MOST, difference
from .compiling import compile_kernels, heads_of, simulators_of
from .damage import damage_in, place_in
from .format import FIELDS, encode, read_axes
from .provenance import environment
from .reader import Reader

if TYPE_CHECKING:
    from ..experiment import Experiment

ROWS = 20

_BUILD = ("internal_api", "version", "architecture")  # of a BLAS

Recomputed = Literal["rows", "predictions"]


@dataclass(frozen=True)
class Verification:
    """What a look at a results folder found.

    Attributes:
        rows: looked at for damage; `whole` of them are what was written.
        simulated, predicted: computed anew.
        exact: simulated rows had to come out bit for bit, as all were computed on a machine like this one.
        damage, differences: what is wrong, a line each.
    """

    folder: Path
    rows: int
    whole: int
    simulated: int
    predicted: int
    exact: bool
    damage: tuple[str, ...]
    differences: tuple[str, ...]

    @property
    def fine(self) -> bool:
        """Nothing is wrong."""
        return not self.damage and not self.differences

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        told = vars(self) | {"folder": str(self.folder), "fine": self.fine}
        return told | {"damage": list(self.damage), "differences": list(self.differences)}

    def __str__(self) -> str:
        near = f"within {FACTOR:.0f} times their certificates, {LEAST:g} to {MOST:g}"
        how = "bit for bit" if self.exact else f"{near}, as they are from another machine or other libraries"
        lines = [f"{self.folder}: {self.rows} rows read, {len(self.damage)} findings of damage"]
        lines += [f"  {line}" for line in self.damage]
        if self.damage:
            lines.append(f"the other {self.whole} rows are what was written")
            if any(line.startswith("sweep:") for line in self.damage):
                lines.append(
                    f"the stored experiment: `llrsim sweep FILE --out {self.folder}`, with the experiment's own FILE, "
                    "writes it again and keeps the rows"
                )
            if not all(line.startswith("sweep:") for line in self.damage):
                lines.append("`llrsim verify --mend` takes out what a sweep can compute anew")
        else:
            lines.append(
                f"computed anew: {self.simulated} simulated rows ({how}), {self.predicted} predictions ({near}); "
                f"{len(self.differences)} differ"
            )
        return "\n".join(lines + [f"  {line}" for line in self.differences])


def verify_results(
    folder: Path, *, rows: int = ROWS, seed: int = 0, say: Callable[[str], None] = lambda _: None
) -> Verification:
    """Look for damage in the whole folder and, where there is none, compute `rows` of its rows anew.

    These are drawn at random by `seed`, half of them predictions where there are enough. Simulated rows must come out
    bit for bit if every run into the folder was on this kind of processor with these numerical libraries. Predictions
    are searched from elsewhere than in the sweep, so that they agree within their certificates only. `say` is told
    where kernels have to be compiled first.

    Raises StoreError where the folder cannot be read to its end.
    """
    with Reader(folder, checked=False) as reader:
        damage = damage_in(reader)
        exact = not damage.found and _same_machine(reader)
        wrong: list[str] = []
        counts: dict[Recomputed, int] = {"rows": 0, "predictions": 0}
        if not damage.found and rows:
            grid = Grid(reader.experiment)
            compile_kernels(heads_of(grid), say, simulators=simulators_of(grid) if reader.has_simulations() else ())
            counts = _shares(reader, rows)
            random = Random(checked_seed(seed))
            for table, count in counts.items():
                for row in _drawn(reader, table, count, random):
                    wrong += _wrong(reader, table, row, exact=exact and table == "rows")
    return Verification(
        folder=folder,
        rows=damage.rows,
        whole=damage.whole,
        simulated=counts["rows"],
        predicted=counts["predictions"],
        exact=exact,
        damage=damage.found,
        differences=tuple(wrong),
    )


def _same_machine(reader: Reader) -> bool:
    here = _rounding(environment())
    return all(_rounding(run["environment"]) == here for run in reader.runs())


def _rounding(machine: dict[str, Any]) -> tuple[Any, ...]:
    """What the last digits of a row depend on; a process lists its BLAS builds in the order it happened to load them.

    How many threads they have by themselves does not matter: whoever computes rows holds them to one.
    """
    builds = sorted([str(pool.get(key)) for key in _BUILD] for pool in machine["blas"])
    return (*(machine.get(name) for name in ("numpy", "scipy", "numba", "cpu")), builds)


def _shares(reader: Reader, rows: int) -> dict[Recomputed, int]:
    """How many rows of each table are computed anew."""
    simulated, predicted = reader.count("rows"), reader.count("predictions")
    few = min(predicted, max(rows // 2, rows - simulated))
    return {"rows": min(simulated, rows - few), "predictions": few}


def _drawn(reader: Reader, table: Recomputed, count: int, random: Random) -> Iterator[tuple[Any, ...]]:
    for at in sorted(random.sample(range(reader.count(table)), count)):
        yield from reader.sealed(table, "LIMIT 1 OFFSET ?", (at,))


def _wrong(reader: Reader, table: Recomputed, row: tuple[Any, ...], *, exact: bool) -> Iterator[str]:
    """Where and how a row differs from what comes out now; nothing where it does not."""
    *values, _ = row
    where = place_in(reader, table, values)
    known = reader.place(values[0], values[1])
    if known is None:
        yield f"{where}: no cell has such rows"
        return
    key, label = known
    axes, shares = read_axes(key)
    experiment = _cell(reader.experiment, axes)
    if (cell_law_hash(experiment, nominal=shares == "nominal"), experiment.method_hash(label)) != (
        values[0],
        values[1],
    ):
        yield f"{where}: the cell is another one now"
        return
    fields = values[-len(FIELDS) :]
    resolved = plan(experiment, shares)
    alone = resolved.restricted({[stage.label for stage in resolved.stages].index(label)})
    computed = _predicted(alone, label) if table == "predictions" else _simulated(alone, label, experiment, values)
    if told := difference(fields, computed, exact=exact):
        yield f"{where}: {told}"


def _cell(experiment: Experiment, axes: dict[str, Any]) -> Experiment:
    """The experiment of a stored cell, which may be of a grid that was asked for earlier."""
    from ..experiment import Sweep

    sweep = Sweep(seed=experiment.sweep.seed, simulator=experiment.sweep.simulator)
    return experiment.replace(sweep=sweep).with_values(axes)


def _simulated(alone: Plan, label: str, experiment: Experiment, values: list[Any]) -> tuple[Any, ...]:
    from ..simulation import simulate_plan

    replicate, simulator = values[4:6]
    outcome = simulate_plan(
        alone,
        seed=experiment.sweep.seed,
        first=replicate,
        simulator="auto" if simulator == "learned" else simulator,
    )
    return next(encode(outcome[label]))


def _predicted(alone: Plan, label: str) -> tuple[Any, ...]:
    from ..prediction import predict_plan

    return next(encode(predict_plan(alone)[label]))
