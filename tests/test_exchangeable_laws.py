"""The squared loss without n and d: laws of heads against the dense simulator, and the limit at 10^9.

Laws are compared by Kolmogorov-Smirnov tests on entries of heads, their products within a head and those between heads,
all Holm-corrected; each error that the construction could have is a control that the same tests reject.
"""

import time

import numpy as np
import pytest
from exchangeable_cases import DESCENT, LABELS, RIDGE, law_of, mixture_of, summary, uneven
from scipy import stats

from llrsim._jit import single_blas_thread
from llrsim.experiment import Descent, FitOptions
from llrsim.model.draws import root_key
from llrsim.model.losses import Loss, Status
from llrsim.model.methods import Selection
from llrsim.model.plan import Plan, Sample, Stage
from llrsim.prediction.descent import descent_path
from llrsim.prediction.problem import ProportionalProblem
from llrsim.prediction.ridge import ridge_head
from llrsim.simulation import simulate_plan
from llrsim.simulation.lazy import exchangeable
from llrsim.simulation.lazy.exchangeable import ExchangeableRows, ExchangeableSample

PULLED = FitOptions(loss="squared", ridge=0.02)
FALSE_ALARM = 1e-5  # of each family of tests


def plan_of(samples, stages):
    """A plan from (role, law) and (sample, head, weight, anchor, start) tuples."""

    def selection(law, weight):
        own = np.arange(4)
        return Selection(own, own, law.rows, law.rows, weight, LABELS)

    drawn = tuple(Sample(role, mixture_of(law), law.rows) for role, law in samples)
    fitted = tuple(
        Stage(f"head{m}", "erm", s, selection(samples[s][1], weight), head, anchor, start)
        for m, (s, head, weight, anchor, start) in enumerate(stages)
    )
    return Plan(drawn, fitted, drawn[0].mixture)


def dense_runs(plan, count, seed):
    """(count, heads, 5) summaries: every stage's head, after those of its path."""
    outcome = simulate_plan(plan, replicates=count, seed=seed)
    heads = []
    for found in outcome.methods.values():
        assert found.kept.all()
        for at in [found.path.heads[:, s] for s in range(len(found.path.steps))] if found.path else []:
            heads.append(at)
        heads.append(found.heads)
    flat = [
        np.column_stack([head.signal, head.bias, np.log(head.noise_norm), np.log(head.noise_spread)]) for head in heads
    ]
    return np.stack(flat, axis=1)


def differing(first, second):
    """The least Holm-corrected p-value over all entries (runs, heads, 5), products within a head and between heads.

    Entries without spread, as the bias after one step without clipping is, have to be equal; rounding is no difference.
    """
    entries = [runs.reshape(len(runs), -1).round(9) for runs in (first, second)]
    fixed = (entries[1] == entries[1][0]).all(axis=0)
    assert (entries[0][:, fixed] == entries[1][0, fixed]).all()
    centre, scale = entries[1].mean(axis=0), np.where(fixed, np.inf, entries[1].std(axis=0))
    pairs = [(h + i, h + j) for h in range(0, len(fixed), 5) for i in range(5) for j in range(i)]
    pairs += [(i, i + 5) for i in range(len(fixed) - 5)]

    def features(runs):
        z = (runs - centre) / scale
        return [*z.T[~fixed], *(z[:, i] * z[:, j] for i, j in pairs if not (fixed[i] or fixed[j]))]

    tests = zip(*(features(runs) for runs in entries), strict=True)
    p = [stats.ks_2samp(a, b, method="asymp").pvalue for a, b in tests]
    return min(1.0, min(p) * len(p))


SIZES = {"n above d": ((16, 8, 6, 10), (3, 4)), "n below d": ((4, 3, 2, 3), (20, 10)), "d = 2": ((6, 4, 5, 5), (2, 0))}
COUNTS = [pytest.param(200, id="200"), pytest.param(3000, marks=pytest.mark.slow, id="3000")]


def one_fit(law, count):
    """Ridge, and descent, on samples of their own: (count, 4, 5)."""
    c, runs = uneven(law.rows), []
    for r in range(count):
        exact = ExchangeableSample(law, root_key(11), r).fit(RIDGE, c)
        found = ExchangeableSample(law, root_key(11), count + r).fit(DESCENT, c)
        runs.append([summary(head, law) for head in (exact.head, *found.path, found.head)])
    return np.array(runs)


def one_fit_densely(law, count):
    ways = ((RIDGE, 1), (DESCENT, 2))
    plans = [(plan_of([("train", law)], [(0, head, uneven(law.rows), 0.0, None)]), seed) for head, seed in ways]
    return np.concatenate([dense_runs(plan, count, seed) for plan, seed in plans], axis=1)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("size", SIZES)
def test_the_law_of_one_fit(size, count):
    """False alarm 1e-5 a size and count, at fixed seeds."""
    law = law_of(*SIZES[size])
    assert differing(one_fit(law, count), one_fit_densely(law, count)) > FALSE_ALARM


TRAIN, HELDOUT = law_of((7, 2, 3, 5), (3, 4), sigma=(0.5, 0.5, 0.7, 0.5)), law_of((5, 4, 3, 4), (3, 4))


def two_stages(count, *, late, exact=True):
    """A head of another sample that one here is pulled to, with a fit of its own before or after it: (count, 2, 5)."""
    pulled, runs = PULLED if exact else DESCENT, []
    for r in range(count):
        earlier = ExchangeableSample(TRAIN, root_key(5), r).fit(RIDGE, uneven(TRAIN.rows)).head
        sample, c = ExchangeableSample(HELDOUT, root_key(6), r), uneven(HELDOUT.rows)
        if late:
            own = sample.fit(RIDGE, c).head
        found = sample.fit(pulled, c, anchor=0.4, start=earlier).head
        if not late:
            own = sample.fit(RIDGE, c).head
        runs.append([summary(own, HELDOUT), summary(found, HELDOUT)])
    return np.array(runs)


def two_stages_densely(count, *, exact=True):
    c = uneven(HELDOUT.rows)
    stages = [(0, RIDGE, uneven(TRAIN.rows), 0.0, None), (1, RIDGE, c, 0.0, None)]
    plan = plan_of([("train", TRAIN), ("heldout", HELDOUT)], [*stages, (1, PULLED if exact else DESCENT, c, 0.4, 0)])
    return dense_runs(plan, count, 3)[:, [1, -1]]


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("exact", [True, False])
def test_the_law_of_a_head_pulled_to_one_of_another_sample(count, late, exact):
    """It enters before or after what a fit has revealed. False alarm 1e-5 each, at fixed seeds."""
    lazy = two_stages(count, late=late, exact=exact)
    assert differing(lazy, two_stages_densely(count, exact=exact)) > FALSE_ALARM


def test_two_heads_of_one_sample_keep_their_angle_on_another():
    law, sample = law_of((40, 30, 20, 10), (30, 20)), ExchangeableSample(TRAIN, root_key(5), 0)
    heads = [sample.fit(head, uneven(TRAIN.rows)).head for head in (RIDGE, PULLED)]
    there = ExchangeableSample(law, root_key(7), 0)
    still = FitOptions(loss="squared", solver=Descent(steps=1, step_size=1e-300))
    found = [there.fit(still, uneven(law.rows), anchor=1.0, start=head).head for head in heads]
    for head, here in zip(heads, found, strict=True):
        np.testing.assert_allclose(here.noise, head.noise, rtol=1e-12)
    size = len(found[0].coordinates)
    assert found[0].coordinates[3:] @ found[1].coordinates[3:size] == pytest.approx(
        heads[0].coordinates[3:] @ heads[1].coordinates[3 : len(heads[0].coordinates)], rel=1e-12
    )


# Controls: each error that the construction could have is seen


class OneDegreeTooFew(ExchangeableRows):
    """Lengths of one degree of freedom too few, on the left (new axes) or on the right (new directions)."""

    side, left = "right", False

    def _gaussians(self, count):
        self.left = True
        found = super()._gaussians(count)
        self.left = False
        return found

    def _chi(self, degrees):
        return super()._chi(degrees - (degrees > 1 and self.left == (self.side == "left")))


class OneDegreeTooFewOnTheLeft(OneDegreeTooFew):
    side = "left"


class FreeStart(ExchangeableRows):
    """A head of another sample whose direction is counted on the left and not on the right."""

    def enter(self, space, apart):
        found = super().enter(space, apart)
        self._unseen[space] += 1
        return found


class OrthogonalStart(ExchangeableRows):
    """A head of another sample that is orthogonal to all that is known."""

    def enter(self, space, apart):
        found = super().enter(space, apart)
        return np.append(np.zeros(len(found) - 1), 1.0)


@pytest.mark.parametrize("wrong", [OneDegreeTooFew, OneDegreeTooFewOnTheLeft])
def test_a_wrong_degree_of_freedom_is_seen(wrong, monkeypatch):
    monkeypatch.setattr(exchangeable, "ExchangeableRows", wrong)
    law = law_of((4, 3, 4, 3), (2, 3))
    assert differing(one_fit(law, 200), one_fit_densely(law, 200)) < FALSE_ALARM


@pytest.mark.parametrize(("wrong", "late"), [(FreeStart, False), (OrthogonalStart, True)])
def test_a_wrongly_entered_head_is_seen(wrong, late, monkeypatch):
    monkeypatch.setattr(exchangeable, "ExchangeableRows", wrong)
    assert differing(two_stages(200, late=late), two_stages_densely(200)) < FALSE_ALARM


# The limit, at n = d = 10^9

BILLION = 10**9


def vast(ratio):
    """A law of 10^9 noise coordinates in two eigenspaces and n = ratio d rows; its proportional problem by ridge."""
    law = law_of(np.array([4, 3, 1, 2]) * int(ratio * BILLION) // 10, np.array([3, 7]) * BILLION // 10)
    small = mixture_of(law._replace(multiplicities=np.array([3, 7])))
    counts = law.rows / BILLION * 10

    def problem(ridge):
        mass = uneven(law.rows) * law.rows
        return ProportionalProblem.of(small, Loss.SQUARED, counts=counts, mass=mass, ridge=ridge)

    return law, problem


@pytest.mark.parametrize("ratio", [1.0, 0.5, 3.0])
def test_a_ridge_head_of_a_billion_rows_is_that_of_the_limit(ratio):
    """To 1.5e-4, six times the spread of a run; the control is another ridge by one percent."""
    law, problem = vast(ratio)
    found = ExchangeableSample(law, root_key(0), 0).fit(RIDGE, uneven(law.rows))
    assert found.status == Status.CONVERGED
    own = np.array([*found.head.signal, found.head.bias, *np.exp(summary(found.head, law)[3:])])
    for ridge, near in ((RIDGE.ridge, True), (1.01 * RIDGE.ridge, False)):
        limit = ridge_head(problem(ridge))
        gap = abs(own - [*limit.signal, limit.bias, limit.noise_norm, limit.noise_spread]).max()
        assert (gap < 1.5e-4) == near


@pytest.mark.parametrize("ratio", [1.0, 0.5])
def test_a_descent_over_a_billion_rows_is_that_of_the_limit(ratio):
    law, problem = vast(ratio)
    steps = (1, 3, 10, 30)
    head = FitOptions(loss="squared", ridge=0.05, solver=Descent(steps=30, step_size=0.1, momentum=0.5, path=steps))
    found = ExchangeableSample(law, root_key(0), 0).fit(head, uneven(law.rows))
    limit = descent_path(problem(0.05), steps, 0.1, momentum=0.5).heads
    for s, along in enumerate(found.path):
        own = np.array([*along.signal, along.bias, *np.exp(summary(along, law)[3:])])
        exact = [*limit.signal[s], limit.bias[s], limit.noise_norm[s], limit.noise_spread[s]]
        np.testing.assert_allclose(own, exact, atol=1.5e-4)


@pytest.mark.slow
def test_a_ridge_head_of_a_billion_rows_takes_milliseconds():
    """At n = d = 10^9 and ridge 0.01, the sample's construction included: at most 50 ms on one thread."""
    law = law_of(np.array([7, 1, 1, 1]) * BILLION // 10, (BILLION,), values=(1.0,), sigma=(1.0,) * 4)
    head, times = FitOptions(loss="squared", ridge=0.01), []
    with single_blas_thread():
        for r in range(20):
            begin = time.process_time()
            found = ExchangeableSample(law, root_key(0), r).fit(head, np.full(4, 1 / BILLION))
            times.append(time.process_time() - begin)
            assert found.status == Status.CONVERGED
    assert min(times) < 0.05
