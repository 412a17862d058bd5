"""Effective masses, and what balancing does to rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llrsim.experiment.groups import apportion
from llrsim.model.methods import select

LABELS = np.array([-1.0, -1.0, 1.0, 1.0])
WATERBIRDS = np.array([467, 466, 133, 133])
counts = st.lists(st.integers(0, 400), min_size=4, max_size=4).filter(lambda n: sum(n) > 0).map(np.array)


def test_masses_of_waterbirds_heldout():
    """The percentages that the class-balanced and raw validation sets of Waterbirds have."""
    raw = select(WATERBIRDS, LABELS)
    assert (100 * raw.mass).round(2).tolist() == [38.95, 38.87, 11.09, 11.09]
    balanced = select(WATERBIRDS, LABELS, balances="class")
    np.testing.assert_allclose(balanced.mass, [467 / 933 / 2, 466 / 933 / 2, 0.25, 0.25], rtol=1e-14)
    assert select(WATERBIRDS, LABELS, balances="group").mass.tolist() == [0.25] * 4


def test_masses_of_celeba_heldout():
    balanced = select(np.array([8535, 8276, 2874, 182]), LABELS, balances="class")
    assert (100 * balanced.mass).round(1).tolist() == [25.4, 24.6, 47.0, 3.0]


@given(counts, st.sampled_from(["none", "class", "group"]), st.sampled_from(["weights", "subset", "upsample"]))
def test_every_selection_weighs_one_and_balances_its_units(n, balances, balance):
    chosen = select(n, LABELS, balances=balances, balance=balance if balances != "none" else "weights")
    assert chosen.mass.sum() == pytest.approx(1.0, abs=1e-12)
    assert (chosen.mass[n == 0] == 0).all()
    unit = {"none": np.zeros(4), "class": LABELS, "group": np.arange(4)}[balances]
    masses = [chosen.mass[unit == u].sum() for u in np.unique(unit) if n[unit == u].sum() > 0]
    np.testing.assert_allclose(masses, 1 / len(masses), atol=1e-12)
    rows = [n[unit == u].sum() for u in np.unique(unit) if n[unit == u].sum() > 0]
    used = chosen.counts.sum()
    if balances != "none" and balance == "subset":
        assert used == min(rows) * len(rows)
        assert (chosen.counts <= n).all()
    elif balances != "none" and balance == "upsample":
        assert used == max(rows) * len(rows)
    else:
        assert (chosen.counts == n).all()
    np.testing.assert_allclose((chosen.sample_weight * chosen.proportions).sum(), 1.0, atol=1e-12)


def test_equal_mass_by_weights_subset_and_upsample():
    masses = [select(WATERBIRDS, LABELS, balances="group", balance=b).mass for b in ("weights", "subset", "upsample")]
    np.testing.assert_allclose(masses[1:], [masses[0]] * 2, atol=1e-15)


def test_balanced_classes_make_class_balancing_inert():
    n = np.array([90, 10, 20, 80])
    plain, balanced = select(n, LABELS), select(n, LABELS, balances="class")
    np.testing.assert_allclose(plain.weight, balanced.weight, rtol=1e-15)


def test_an_empty_group_gives_its_share_to_the_others():
    assert select(np.array([10, 0, 5, 5]), LABELS, balances="group").mass.tolist() == pytest.approx(
        [1 / 3, 0, 1 / 3, 1 / 3]
    )
    assert select(np.array([10, 0, 5, 5]), LABELS, balances="group", balance="subset").counts.tolist() == [5, 0, 5, 5]
    assert select(np.array([10, 10, 0, 0]), LABELS, balances="class").mass.tolist() == [0.5, 0.5, 0, 0]
    assert select(np.array([0, 0, 0, 0]), LABELS, balances="group").mass.tolist() == [0] * 4


def test_size_matching_keeps_proportions():
    chosen = select(np.array([700, 40, 60, 200]), LABELS, size=100)
    assert chosen.counts.tolist() == [70, 4, 6, 20]
    assert chosen.available.tolist() == [700, 40, 60, 200]


def test_annotation_noise_balances_what_is_annotated():
    """A tenth of each group is taken for its partner: the annotated groups are equal, the true masses are not."""
    chosen = select(np.array([90, 10, 10, 90]), LABELS, balances="group", annotation_noise=0.1)
    annotated = np.bincount(chosen.annotated, chosen.used * chosen.weight)
    np.testing.assert_allclose(annotated, 0.25, atol=1e-15)
    expected = 0.25 * np.array([81 / 82 + 9 / 18, 1 / 82 + 9 / 18, 1 / 82 + 9 / 18, 81 / 82 + 9 / 18])
    np.testing.assert_allclose(chosen.mass, expected, atol=1e-15)


@given(st.integers(0, 10_000), st.lists(st.floats(0.01, 1), min_size=1, max_size=6))
def test_apportion_is_a_largest_remainder(total, shares):
    proportions = np.array(shares) / sum(shares)
    rows = apportion(total, proportions)
    assert rows.sum() == total
    assert (np.abs(rows - total * proportions) < 1 + 1e-6).all()


def test_rows_repeated_once_more_are_a_section_of_their_own():
    """A group of 30 rows repeated to 100: ten rows four times and twenty three times, so that fits see two weights."""
    chosen = select(np.array([100, 30, 50, 60]), LABELS, balances="group", balance="upsample")
    assert chosen.group.tolist() == [0, 1, 1, 2, 3, 3]
    assert chosen.available.tolist() == [100, 10, 20, 50, 40, 20]
    assert chosen.used.tolist() == [100, 40, 60, 100, 80, 20]
    assert chosen.mass.tolist() == pytest.approx([0.25] * 4)
