"""Draws that choose are not those that judge: what is judged does not move with the draws that chose, nor back."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from made_up_outcomes import outcome

import llrsim
from llrsim.agreement.judging import judge
from llrsim.experiment import Grid
from llrsim.model.head import Head
from llrsim.studies import study
from llrsim.studies.evidence import of_part

REPLICATES = 41
TUNING = ("tuning_wga", "tuning_gain")


def changed(outcome, which):
    """The outcome with other heads in these replicates, so other that other groups are the worst."""
    methods = {}
    for place, method in enumerate(outcome):
        signal, bias = method.heads.signal.copy(), method.heads.bias.copy()
        signal[which] = [1.0, -1.0 - 0.1 * place]
        bias[which] -= 0.5
        methods[method.label] = replace(method, heads=Head.of(signal, bias, method.heads.noise_norm))
    return replace(outcome, methods=methods)


def e08_table(which=slice(0)):
    """The rows of AFR in the table of e08, on made-up heads, with some replicates changed."""
    experiment = llrsim.load("e08")
    grid = Grid(experiment)
    cells = [
        SimpleNamespace(axes=grid.cell(i), simulation=made, prediction=None)
        for i in range(0, len(grid), 5)
        for made in [changed(outcome(grid.experiment(i), "simulation", REPLICATES, i), which)]
    ]
    rows = study("e08").table(SimpleNamespace(experiment=experiment, outcomes=lambda: iter(cells)))
    return [row for label in ("afr", "afr-descent") for row in of_part(rows, "cell", method=label)]


def moved(before, after, name):
    """In how many rows a quantity has moved, in its mean or its error."""
    return sum(
        (old[name], old[f"{name}_se"]) != (new[name], new[f"{name}_se"]) for old, new in zip(before, after, strict=True)
    )


def test_afr_is_judged_by_other_replicates_than_those_that_tuned_it():
    """The first 21 of 41 replicates tune and the others judge; a quantity of all replicates is the control."""
    plain, first, second = e08_table(), e08_table(slice(21)), e08_table(slice(21, None))
    assert len(plain) >= 6
    assert [moved(plain, first, name) for name in (*TUNING, "gap")] == [len(plain), len(plain), 0]
    assert [moved(plain, second, name) for name in (*TUNING, "gap")] == [0, 0, len(plain)]
    assert moved(plain, first, "gain") == moved(plain, second, "gain") == len(plain)
    assert {row[f"{name}_count"] for row in plain for name in TUNING} == {21}
    assert {row["gap_count"] for row in plain} == {20}


def judged(rng, change=None):
    """A judgement of three sizes with 16 replicates; `change` acts on (accuracy, gap) of each size in place."""
    x = np.array([0.02, 0.01, 0.005])
    gaps = [0.02 * rng.normal(size=(16, 4)) for _ in x]
    accuracy = [0.8 + gap for gap in gaps]
    for of_size in zip(accuracy, gaps, strict=True):
        if change:
            change(*of_size)
    return judge(accuracy, gaps, [rng.normal(size=(16, 3)) for _ in x], x, 1, units=np.ones(3))


@pytest.mark.parametrize("seed", range(5))
def test_the_worst_group_is_chosen_by_other_replicates_than_those_that_judge_it(seed):
    """The first four of sixteen choose: what the rest say moves no choice, and what they say no p-value."""
    found = judged(np.random.default_rng(seed))
    group = found.worst_group

    def of_the_rest(accuracy, gap):
        for rows in (accuracy, gap):
            rows[4:, group] += 0.3
            rows[4:, (group + 1) % 4] -= 0.3

    def of_the_first(accuracy, gap):
        for rows in (accuracy, gap):
            rows[:4, group] -= 0.3

    def of_all(accuracy, gap):
        for rows in (accuracy, gap):
            rows[:, (group + 1) % 4] -= 0.3

    after = judged(np.random.default_rng(seed), of_the_rest)
    assert after.worst_group == group
    assert after.p_worst < 1e-6 < found.p_worst
    after = judged(np.random.default_rng(seed), of_the_first)
    assert (after.worst_group, after.p_worst, after.worst_z) == (group, found.p_worst, found.worst_z)
    assert after.gap[group] < found.gap[group] - 0.01
    assert judged(np.random.default_rng(seed), of_all).worst_group == (group + 1) % 4
