"""The sequential judge: intervals that hold at every look, its errors and its power, counted over seeded trials."""

import time

import numpy as np
import pytest
from formula_cases import BALANCED, LOGISTIC, t1, t1_off, t1_wga, t1_wga_off, t8, t8_off
from scipy import integrate, stats

import llrsim
from llrsim.agreement.claim import Claim, Formula
from llrsim.agreement.formula import FIRST_LOOK, Budget, SimulatedDraws, Sizes, judge
from llrsim.statistics import anytime_half_width as half_width
from llrsim.statistics import interval


def crossings(draws, level, scale=1.0, first=2):
    """Share of the rows (trials, T) of mean zero whose interval leaves zero out at any of its T looks."""
    counts = np.arange(1, draws.shape[1] + 1)
    means = draws.cumsum(axis=1) / counts
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.sqrt(np.maximum((draws**2).cumsum(axis=1) - counts * means**2, 0) / (counts - 1))
    widths = scale * np.array([half_width(count, level) for count in counts])
    out = np.abs(means[:, first - 1 :]) > widths[first - 1 :] * spread[:, first - 1 :]
    return out.any(axis=1).mean()


def test_the_interval_ends_where_the_bayes_factor_is_one_over_the_level(monkeypatch):
    """A literal integral of the mixture over the effect and the scale, for seven draws.

    The closed form holds for every variance g of the effect; so few draws need a wider one than the judge's.
    """
    level, rows = 0.3, np.array([0.3, -0.2, 1.4, 0.8, 0.1, 1.1, 0.6])
    odds = 2 * np.log(1 / level)
    g = odds + np.log(1 + odds)
    monkeypatch.setattr("llrsim.statistics.TUNED_FOR", 1)
    (end,), _ = interval(rows[:, None], level)

    def density(shift, scale):
        return np.exp(-(((rows - end - shift) / scale) ** 2).sum() / 2) / scale ** (len(rows) + 1)

    null, _ = integrate.quad(lambda scale: density(0.0, scale), 0, np.inf)
    mixed, _ = integrate.dblquad(
        lambda effect, scale: density(effect * scale, scale) * np.exp(-(effect**2) / (2 * g)) / np.sqrt(2 * np.pi * g),
        0, np.inf, -8 * np.sqrt(g), 8 * np.sqrt(g), epsabs=1e-7, epsrel=1e-6,
    )  # fmt: skip
    assert mixed / null == pytest.approx(1 / level, rel=1e-4)


@pytest.mark.parametrize("trials", [400, pytest.param(4000, marks=pytest.mark.slow)])
def test_looking_after_every_draw_costs_nothing(trials):
    """3000 looks at normal draws of mean zero, level .05: Binomial(trials, .05) exceeds its 1 - 1e-4 point by chance.

    The controls: intervals that are a third narrower, and Student's at every look, are crossed far more often.
    """
    draws = np.random.default_rng(5).normal(size=(trials, 3000))
    limit = stats.binom.isf(1e-4, trials, 0.05) / trials
    assert 0.005 < crossings(draws, 0.05) <= limit
    assert crossings(draws, 0.05, scale=2 / 3) > limit
    counts = np.arange(FIRST_LOOK, 3001)
    means = draws.cumsum(axis=1)[:, FIRST_LOOK - 1 :] / counts
    assert (np.abs(means) > 1.96 / np.sqrt(counts)).any(axis=1).mean() > 0.3


@pytest.mark.parametrize("trials", [400, pytest.param(4000, marks=pytest.mark.slow)])
def test_skewed_draws_are_covered_from_the_first_look_on(trials):
    """Accuracies of a saturated group are skewed to the left: ndtr(2 + Z/2), skewness -2.7; at a level of .05."""
    draws = stats.norm.cdf(2 + 0.5 * np.random.default_rng(6).normal(size=(trials, 3000)))
    draws -= stats.norm.cdf(2 / np.sqrt(1.25))
    assert crossings(draws, 0.05, first=FIRST_LOOK) <= stats.binom.isf(1e-4, trials, 0.05) / trials


def normal_draws(means, spread=0.02, seed=0):
    """A sampler of independent normal rows, the same for the same first and count whatever was asked before."""
    rows = np.asarray(means) + spread * np.random.default_rng(seed).normal(size=(20_000, len(means)))
    return lambda first, count: rows[first : first + count]


def judged(sampler, claimed, eps=0.002, level=1e-3, **budget):
    accuracy = np.atleast_1d(np.asarray(claimed, dtype=float))
    return judge(sampler, Claim(accuracy, np.ndim(claimed) == 1), eps=eps, level=level, budget=Budget(**budget))


def test_three_verdicts():
    draws = normal_draws([0.9, 0.7])
    assert judged(draws, [0.9, 0.7]).verdict == "agrees"
    assert judged(draws, [0.9, 0.71]).verdict == "disagrees"
    assert judged(draws, [0.895, 0.7]).verdict == "disagrees"
    assert judged(draws, [0.9, 0.702]).verdict == "undecided"
    assert judged(draws, [0.9, 0.7], draws=100)[3:5] == ("undecided", 100)


def test_the_level_is_split_over_the_groups():
    draws = normal_draws([0.9, 0.7, 0.8, 0.6])
    found = judged(draws, [0.9, 0.7, 0.8, 0.6], draws=500, level=0.04)
    low, high = interval(draws(0, 500), 0.01)
    assert found.low == pytest.approx(low - [0.9, 0.7, 0.8, 0.6], abs=1e-15)
    assert found.high == pytest.approx(high - [0.9, 0.7, 0.8, 0.6], abs=1e-15)


def test_a_larger_difference_takes_fewer_draws():
    draws = normal_draws([0.9, 0.7])
    taken = [judged(draws, [0.9, 0.7 + gap]).draws for gap in (0.005, 0.01, 0.1)]
    assert taken[0] > taken[1] > taken[2]


def test_the_worst_of_groups_that_tie_is_not_the_mean_of_minima():
    """Four tied groups: the mean of minima is 1.03 spreads lower. WGA is the least of means, and that is judged."""
    draws = normal_draws([0.7] * 4)
    assert judged(draws, 0.7).verdict == "agrees"
    assert judged(draws, 0.7 - 1.03 * 0.02).verdict == "disagrees"


def test_the_worst_group_may_change_between_looks():
    """Two groups nearer to each other than eps: either of the two is right within eps."""
    assert judged(normal_draws([0.7, 0.7005, 0.9]), 0.7).verdict == "agrees"


def test_what_does_not_vary_is_decided_at_the_first_look():
    assert judged(normal_draws([0.9, 0.7], spread=0.0), [0.9, 0.7])[3:5] == ("agrees", FIRST_LOOK)
    assert judged(normal_draws([0.9, 0.7], spread=0.0), [0.9, 0.6])[3:5] == ("disagrees", FIRST_LOOK)


def test_simulations_without_a_head_leave_it_undecided_and_say_so():
    def draw(first, count):
        rows = np.full((count, 2), 0.9)
        rows[3] = np.nan
        return rows

    found = judged(draw, [0.5, 0.5])
    assert found.verdict == "undecided"
    assert found.reason == f"1 of {FIRST_LOOK} simulations have no head"


def test_seconds_are_kept():
    draws = normal_draws([0.9, 0.702])

    def slow(first, count):
        time.sleep(0.001 * count)
        return draws(first, count)

    began = time.monotonic()
    found = judged(slow, [0.9, 0.7], seconds=0.3)
    assert time.monotonic() - began < 2
    assert FIRST_LOOK < found.draws < 600
    assert found.verdict == "undecided"


@pytest.mark.parametrize("trials", [100, pytest.param(2000, marks=pytest.mark.slow)])
def test_wrong_verdicts_of_the_judge_are_rarer_than_its_level(trials):
    """At the null's edge "disagrees" is wrong, just beyond it "agrees" is: level .1, each within its binomial limit."""
    limit = stats.binom.isf(1e-4, trials, 0.1)
    for gap, wrong in ((0.002, "disagrees"), (0.00201, "agrees")):
        verdicts = [
            judged(normal_draws([0.9, 0.7], seed=s), [0.9, 0.7 - gap], level=0.1).verdict for s in range(trials)
        ]
        assert verdicts.count(wrong) <= limit


class Pool:
    """Trials out of one pool of simulations: at every size, draws with replacement, independent between trials."""

    def __init__(self, described, limit, size):
        experiment = llrsim.load(described)
        self.sizes = Sizes.of(experiment, "erm", limit)
        alone = [Sizes((sized,), (np.nan,), np.ones(1)) for sized in self.sizes.experiments]
        self.rows = [SimulatedDraws(one, "erm", seed=11, jobs=2)(0, size) for one in alone]

    def claim(self, formula):
        return self.sizes.claim(Formula.of(formula), "erm", "as given")

    def trial(self, seed):
        random = np.random.default_rng(seed)

        def draw(first, count):
            picked = (rows[random.integers(len(rows), size=count)] for rows in self.rows)
            return sum(a * rows for a, rows in zip(self.sizes.weights, picked, strict=True))

        return draw

    def verdicts(self, formula, trials, eps=0.001):
        claim = self.claim(formula)
        return [judge(self.trial(seed), claim, eps=eps, level=1e-3, budget=Budget()) for seed in range(trials)]


POWER = [
    pytest.param(BALANCED, "population", t1, t1_off, id="T1"),
    pytest.param(BALANCED, "population", t1_wga, t1_wga_off, id="T1-wga"),
    pytest.param(LOGISTIC, "proportional", t8, t8_off, id="T8"),
]


@pytest.mark.parametrize(("described", "limit", "right", "wrong"), POWER)
def test_two_per_cent_off_is_seen(described, limit, right, wrong):
    """At eps = .001 and the default budget, 20 trials out of 500 simulations a size: all see it."""
    pool = Pool(described, limit, 500)
    assert [found.verdict for found in pool.verdicts(wrong, 20)] == ["disagrees"] * 20
    # 500 simulations tell their own mean to .001 or so: the right formula is judged at an eps that covers that.
    assert "disagrees" not in [found.verdict for found in pool.verdicts(right, 5, eps=0.005)]


@pytest.mark.slow
@pytest.mark.parametrize(("described", "limit", "right", "wrong"), POWER)
def test_power_and_false_alarm(described, limit, right, wrong):
    """200 trials out of 20 000 simulations a size, whose mean is off by .0003 at most, eps = .001, default budget."""
    pool = Pool(described, limit, 20_000)
    assert [found.verdict for found in pool.verdicts(wrong, 200)].count("disagrees") >= 190
    assert [found.verdict for found in pool.verdicts(right, 200)].count("disagrees") <= 2


@pytest.mark.slow
def test_power_in_trials_of_their_own():
    """T1 again, 200 trials each with simulations of its own."""
    found = [
        llrsim.check(llrsim.load(BALANCED), formula=t1_off, limit="population", eps=0.001, seed=seed).verdict
        for seed in range(200)
    ]
    assert found.count("disagrees") >= 190
