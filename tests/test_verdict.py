"""What a split says: planted experiments and planted tables, and how often noise alone is called a cause."""

import numpy as np
import pytest
from attribution_cases import EVEN, IMBALANCED, experiment, split_of

from llrsim.attribution import explain
from llrsim.attribution.split import interval

BOTH = ("composition", "collapse")


def planted(table, switches, spread=0.002, replicates=20):
    """A table of means with independent noise in every cell and replicate."""
    table = np.asarray(table, dtype=float)
    noise = np.random.default_rng(0).normal(0, spread, (*table.shape, replicates))
    return split_of(table[..., None] + noise, switches)


@pytest.mark.parametrize("side", ["simulation", "prediction"])
class TestPlantedExperiments:
    def test_balance_alone(self, side):
        described = experiment(
            train={"collapse": {"noise": 1.0, "attribute": 1.0}, "n": 800},
            heldout={"n": 800, "proportions": EVEN},
        )
        split = explain(described, replicates=10, side=side)["llr"]
        assert split.switches == ("composition",)
        assert split.verdict == "balance"
        assert "Verdict: balance carries the gain" in split.sentence

    def test_collapse_alone(self, side):
        described = experiment(train={"n": 800}, heldout={"n": 800, "proportions": IMBALANCED})
        split = explain(described, replicates=10, side=side)["llr"]
        assert split.switches == ("collapse",)
        assert split.verdict == "collapse"
        assert "Verdict: uncollapsed held-out features carry the gain" in split.sentence

    def test_nothing_to_gain(self, side):
        described = experiment(
            dim=5, train={"n": 800, "proportions": EVEN, "collapse": {}}, heldout={"n": 801, "proportions": EVEN}
        )
        split = explain(described, replicates=10, side=side)["llr"]
        assert split.verdict == "no gain to split"


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ([[0.5, 0.6], [0.6, 0.7]], "both"),
        ([[0.5, 0.52], [0.7, 0.72]], "balance"),
        ([[0.5, 0.7], [0.52, 0.72]], "collapse"),
        ([[0.5, 0.4], [0.8, 0.7]], "balance"),  # uncollapsed features hurt, balance carries
        ([[0.5, 0.5], [0.5, 0.7]], "interaction larger than either"),
        ([[0.5, 0.5], [0.5, 0.502]], "no gain to split"),
        ([[0.7, 0.6], [0.6, 0.5]], "no gain to split"),
    ],
)
@pytest.mark.parametrize("exact", [False, True])
def test_planted_tables(table, expected, exact):
    split = split_of(np.asarray(table)[..., None], BOTH, "prediction") if exact else planted(table, BOTH)
    assert split.verdict == expected


@pytest.mark.parametrize(
    ("composition", "collapse", "size", "expected"),
    [
        (0.01, 0.02, 0.2, "neither"),
        (0.1, 0.1, 0.15, "both"),  # size is the largest part, but less than the two together
        (0.2, -0.15, 0.1, "balance"),  # and here more than the two together, but not the largest
    ],
)
def test_size_can_carry_the_gain(composition, collapse, size, expected):
    table = np.full((2, 2, 2), 0.5)
    table[1] += composition
    table[:, 1] += collapse
    table[:, :, 1] += size
    assert planted(table, ("composition", "collapse", "size")).verdict == expected


def test_a_gain_that_is_not_resolved_has_no_cause():
    """Composition is sure to bring .2, but size brings anything, so the gain may be none."""
    table = np.full((2, 2, 20), 0.3)
    table[1] += 0.2
    table[:, 1] += np.linspace(-1.0, 1.0, 20)
    split = split_of(table, ("composition", "size"))
    assert split.balance.interval == pytest.approx((0.2, 0.2))
    assert split.verdict == "undecided"


def test_composition_and_weighting_interact_with_collapse_as_one():
    """Collapse helps only where composition and weighting are both on: per switch diluted, as one block plain."""
    table = np.full((2, 2, 2), 0.5)
    table[1, 1, 1] = 0.8
    split = planted(table, ("composition", "weighting", "collapse"))
    assert split.balance_by_collapse.mean == pytest.approx(0.3, abs=0.005)
    assert split.largest_interaction[0] == ("composition", "weighting", "collapse")
    assert split.main_effects["collapse"].mean == pytest.approx(0.3 / 4, abs=0.005)


def test_a_wide_interval_leaves_it_undecided():
    assert planted([[0.5, 0.55], [0.55, 0.6]], BOTH, spread=0.3).verdict == "undecided"
    assert planted([[0.5, 0.57], [0.60, 0.67]], BOTH, spread=0.05, replicates=4).verdict == "undecided"


@pytest.mark.parametrize("larger", ["balance", "collapse"])
def test_an_undecided_factor_still_says_which_is_larger(larger):
    """.105 against .05: sure to be larger, but the factor's interval holds two; a clear factor is the control."""
    table = np.array([[0.5, 0.55], [0.605, 0.655]])
    turned = table if larger == "balance" else table.T
    split = planted(turned, BOTH, spread=0.02)
    first, second = (split.balance, split.collapse) if larger == "balance" else (split.collapse, split.balance)
    assert interval(first.values - second.values, False)[0] > 0
    low, high = interval(first.values - 2 * second.values, False)
    assert low < 0 < high
    other = {"balance": "collapse", "collapse": "balance"}[larger]
    assert split.verdict == f"{larger} more than {other}"
    assert "more than 2 times as much is undecided" in split.sentence
    assert planted(turned, BOTH).verdict == larger


def test_noise_alone_is_rarely_given_a_cause():
    """No gain, and noise wide enough that it is not resolved: a cause may be named only if the gain's interval lies
    above zero, 2.5 % of the tables; at most 24 of 400 has probability 1 - 7e-5 under Binomial(400, .025)."""
    rng = np.random.default_rng(7)
    named = [
        split_of(0.5 + rng.normal(0, 0.05, (2, 2, 20)), BOTH).verdict not in ("undecided", "no gain to split")
        for _ in range(400)
    ]
    assert sum(named) <= 24
