"""Simulation: draw the features, fit the heads, read them out exactly.

Imports nothing of `llrsim.prediction`; agreement between the two is evidence because they share only the plan and the
readout.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from .._arguments import checked_seed, checked_whole, require_choice, require_type
from ..model.plan import Plan, checked_plan, plan, require_experiment
from ..outcome import Outcome
from .choice import Chosen, chosen
from .engine import Draws
from .memory import shortage_of
from .solvers import Fit, FitError, fit

if TYPE_CHECKING:
    from .._arguments import Seed
    from ..experiment import Experiment, FitOptions
    from ..experiment.schema import Simulator


__all__ = ["Fit", "FitError", "fit", "require_memory", "simulate", "simulate_plan", "warm_up"]


# The doors to the simulators: an experiment or a plan in, an `Outcome` out, from whichever simulator is chosen.


Pairing = Literal["common", "independent"]


def simulate(
    experiment: Experiment,
    replicates: int = 1,
    *,
    seed: Seed | None = None,
    pairing: Pairing = "common",
    jobs: int = 1,
) -> Outcome:
    """Draw, fit and read out every method of an experiment, `replicates` times, by its `sweep.simulator`.

    `seed` is a whole number in [0, 2^64), by default the experiment's, or a NumPy Generator or SeedSequence to draw one
    from; the one used stands in the outcome. With `pairing = "common"` the random numbers of a dense replicate do not
    depend on the law, so experiments that differ in sizes, proportions, collapse or weights are paired; "independent"
    mixes the law's hash into the key. `jobs` threads share the replicates; the numbers do not depend on it. Raises as
    `simulate_plan`.

    >>> import llrsim
    >>> outcome = llrsim.simulate(llrsim.load("quick"), replicates=4)
    >>> outcome["erm"].readout.group_accuracy.shape, outcome.simulator, outcome.paired
    ((4, 4), 'dense', True)
    """
    require_experiment(experiment)
    require_choice("pairing", pairing, get_args(Pairing))
    return simulate_plan(
        plan(experiment),
        name=experiment.name,
        replicates=replicates,
        seed=experiment.sweep.seed if seed is None else seed,
        law=experiment.cell_law_hash if pairing == "independent" else "",
        jobs=jobs,
        simulator=experiment.sweep.simulator,
    )


def simulate_plan(
    plan: Plan,
    *,
    name: str = "plan",
    replicates: int = 1,
    first: int = 0,
    seed: Seed = 0,
    law: str = "",
    axes: Mapping[str, Any] | None = None,
    jobs: int = 1,
    simulator: Simulator = "auto",
) -> Outcome:
    """Simulate the replicates first, ..., first + replicates - 1 of a plan.

    `law` joins the random key: "" pairs this plan with all others of the same seed that are dense too, a law's hash
    makes it independent of them. `simulator` is chosen as in `choice`; "auto" is the default because it is that of
    experiment files, so that a plan is simulated as the experiment it was made of. Plans that must be paired ask for
    "dense". Plans with a network are simulated by training it and counting on fresh test rows, whichever of "auto" and
    "dense" is asked for.

    Raises:
        MemoryError: the samples do not fit, with the numbers.
        ExperimentError: "lazy" is asked for a plan that only the dense simulator takes, or options that a file is
            refused for.
        TypeError, ValueError: another argument that is not as said, such as fewer than one replicate.
    """
    plan = checked_plan(plan)
    replicates = checked_whole("replicates", replicates, 1)
    first = checked_whole("first", first, 0, 2**63 - 1 - replicates)
    jobs = checked_whole("jobs", jobs, 1)
    require_type("law", law, str)
    drawn = checked_seed(seed)
    how = chosen(plan, simulator)
    # Before all else: a plan's tables alone are arrays of n and of d numbers.
    if (lacking := shortage_of(plan, how, min(jobs, replicates))) is not None:
        raise MemoryError(lacking)
    # Late, so that only what runs is loaded.
    if how == "lazy":
        from .lazy.engine import simulate_lazily as run
    elif how == "learned":
        from .network import simulate_learned as run
    else:
        from .dense import simulate_densely as run
    outcome = run(plan, Draws(replicates=replicates, first=first, seed=drawn, law=law, jobs=jobs))
    return replace(outcome, name=name, axes=axes or {}, paired=how != "lazy" and not law, seed=drawn)


def require_memory(experiment: Experiment, replicates: int, *, jobs: int = 1) -> None:
    """Raise the MemoryError, or ExperimentError, that `simulate` would begin with; nothing is compiled."""
    planned = plan(experiment)
    lacking = shortage_of(planned, chosen(planned, experiment.sweep.simulator), min(jobs, replicates))
    if lacking is not None:
        raise MemoryError(lacking)


def warm_up(heads: Iterable[FitOptions] | None = None, simulators: tuple[Chosen, ...] = ("dense",)) -> None:
    """Compile what these simulators take for these heads (default: for any head), or load it from the cache."""
    needed = None if heads is None else list(heads)
    if "dense" in simulators:
        from .dense import warm_up as compile_dense

        compile_dense(needed)
    if "lazy" in simulators:
        from .lazy.engine import warm_up as compile_lazy

        compile_lazy(needed)
    if "learned" in simulators:
        from .network import warm_up as compile_learned

        compile_learned(needed)
