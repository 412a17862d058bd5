"""E13: its rule on made-up tables, its table from a small sweep, and the learned collapse that its file asks for."""

import numpy as np
import pytest

import llrsim
from llrsim.studies import e13
from llrsim.studies.evidence import columns

SHARP, BLUNT = (0.001, 30), (0.2, 3)
"""Standard error and replicates: enough to decide everything here, and nothing."""

BALANCE = {"composition": 0.2, "weighting": 0.15, "collapse": 0.01, "weighting_on_train": 0.1}
COLLAPSE = {"composition": 0.0, "weighting": 0.01, "collapse": 0.2, "weighting_on_train": 0.0}


def features(accuracy=1.0, before=-0.5, after=-2.0, heldout=-1.5):
    logs = {"log_untrained": before, "log_train": after, "log_heldout": heldout, "output_wga": 0.7}
    told = {key: value for name, mean in logs.items() for key, value in columns(name, mean, 0.01, 30).items()}
    return {"part": "features", "kind": "trained", "train_accuracy": accuracy} | told


def effect(ridge, precision, numbers, kind="trained"):
    """The gains of a 2 x 2 table of weights and features, and the shares and differences that follow from them."""
    weighting, collapse, on_train = (numbers[name] for name in ("weighting", "collapse", "weighting_on_train"))
    shares = {
        "share_weighting": (weighting + on_train) / 2,
        "share_features": collapse + (weighting - on_train) / 2,
    }
    told = numbers | shares
    told |= {
        "composition_over_collapse": numbers["composition"] - collapse,
        "weighting_over_collapse": weighting - collapse,
        "share_over_share": shares["share_weighting"] - shares["share_features"],
    }
    row = {"part": "effect", "kind": kind, "ridge": ridge}
    return row | {key: value for name, mean in told.items() for key, value in columns(name, mean, *precision).items()}


def rows(first, second, precision=SHARP, **learned):
    return [features(**learned), effect(0.01, precision, first), effect(0.0001, precision, second)]


@pytest.mark.parametrize(
    ("outcome", "table"),
    [
        ("confirmed", rows(BALANCE, BALANCE)),
        ("refuted", rows(COLLAPSE, COLLAPSE)),
        ("complicated", rows(BALANCE, COLLAPSE)),
        (
            "complicated",
            rows(BALANCE, BALANCE | {"weighting_on_train": -0.1}),
        ),  # weights hurt there
        ("undecided", rows(BALANCE, BALANCE, BLUNT)),
        ("undecided", rows(BALANCE, BALANCE, (None, 1))),
        ("undecided", rows(BALANCE, BALANCE | {"weighting": 0.01, "weighting_on_train": 0.015})),  # no larger, no less
        ("undecided", rows(BALANCE, BALANCE, accuracy=0.98)),
        ("undecided", rows(BALANCE, BALANCE, before=-1.2)),
        ("undecided", rows(COLLAPSE, COLLAPSE, heldout=-1.9)),
        ("undecided", rows(BALANCE, BALANCE, accuracy=None)),
    ],
)
def test_the_rule_on_made_up_tables(outcome, table):
    verdict = e13.verdict(table)
    assert (verdict.study, verdict.outcome) == ("e13", outcome)
    assert verdict.sentence.startswith(f"e13, {outcome}: ")
    assert len(verdict.findings) == 3 + e13.COMPARISONS


def test_controls_are_told_as_by_construction():
    control = effect(0.01, SHARP, BALANCE | {"collapse": 0.004}, kind="raw")
    (told,) = e13.verdict([*rows(BALANCE, BALANCE), control]).by_construction
    assert "+0.004 [+0.002, +0.006] at most" in told
    assert e13.verdict(rows(BALANCE, BALANCE)).by_construction == ()


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The preset with smaller samples and networks: its methods and grid, not its numbers."""
    values = {"train.n": 80, "heldout.n": 80, "features.noise.dim": 6, "network.width": 8, "network.steps": 20}
    changed = llrsim.load("e13").with_values(values | {"network.test_rows": 50, "sweep.replicates": 3})
    return llrsim.run_sweep(changed, out=tmp_path_factory.mktemp("e13"), jobs=2)


def test_the_table_is_of_differences_by_replicate(small):
    table = e13.table(small)
    cells = {
        (cell.axes["network.kind"], round(cell.axes["heldout.minority_ratio"], 2)): cell.simulation
        for cell in small.outcomes()
    }

    def wga(kind, ratio, label):
        method = cells[kind, ratio][label]
        return method.readout.group_accuracy[:, method.worst_group]

    (row,) = (row for row in table if row["part"] == "effect" and (row["kind"], row["ridge"]) == ("trained", 0.0001))
    llr, dfr = wga("trained", 0.05, "llr-light"), wga("trained", 0.05, "dfr-light")
    seen, weighted = wga("trained", 0.05, "llr-on-train-light"), wga("trained", 0.05, "dfr-on-train-light")
    assert row["composition"] == pytest.approx((wga("trained", 1.0, "llr-light") - llr).mean())
    assert row["weighting"] == pytest.approx((dfr - llr).mean())
    assert row["collapse"] == pytest.approx((llr - seen).mean())
    assert row["collapse_se"] == pytest.approx((llr - seen).std(ddof=1) / np.sqrt(3))
    assert row["weighting_on_train"] == pytest.approx((weighted - seen).mean())
    assert row["share_weighting"] + row["share_features"] == pytest.approx((dfr - seen).mean())
    assert row["share_features"] == pytest.approx((llr - seen + dfr - weighted).mean() / 2)
    assert row["share_over_share"] == pytest.approx(row["share_weighting"] - row["share_features"])
    assert len([row for row in table if row["part"] == "cell"]) == 9 * 9
    assert {row["kind"] for row in table if row["part"] == "features"} == {"raw", "random-relu", "trained"}


def test_training_rows_of_both_sides_have_one_size_and_composition(small):
    """What `collapse` compares differs in the rows' part in training and in nothing else."""
    training = next(small.outcomes()).simulation
    held_out, seen = (training[label].stage.selection.counts for label in ("llr", "llr-on-train"))
    np.testing.assert_array_equal(held_out, seen)
    np.testing.assert_array_equal(training["dfr"].mass, training["dfr-on-train"].mass)


def test_the_figure_draws_every_panel(small):
    drawn = e13.figure(e13.table(small))
    titles = [ax.get_title() for ax in drawn.axes]
    assert titles[0] == "raw, head ridge 0.01"
    assert titles[-1] == "trained, head ridge 0.0001"
    assert all(ax.lines for ax in drawn.axes)
    heights = {ax.get_ylim() for ax in drawn.axes[:3]}
    assert len(heights) == 1


def test_the_preset_collapses_by_itself():
    """Two networks of the file's own sizes: the conditions of its rule hold, and ERM leans on the attribute."""
    experiment = llrsim.load("e13").replace(method=[{"kind": "erm"}]).with_values({"network.test_rows": 400})
    outcome = llrsim.simulate(experiment, 2, seed=1)
    found = outcome.features
    assert (found.train_accuracy >= e13.ACCURACY).all()
    assert (found.nc1_untrained >= e13.DROP * found.nc1_train).all()
    majority, minority = outcome["erm"].group_accuracy[[0, 3]], outcome["erm"].group_accuracy[[1, 2]]
    assert minority.max() < majority.min() - 0.1
