"""Margins of training and test rows: the law by group of the mixture, its table, and the panels."""

import numpy as np
import pytest

import llrsim
from llrsim.plots import margin_table, margins
from llrsim.plots.margins import BINS
from llrsim.prediction import margin_law

LOSSES = ("squared", "logistic", "hinge", "squared_hinge", "max_margin")


def small(loss="logistic", **changes):
    table = {
        "features": {"core": {"mean": 1.0, "std": 0.6}, "spurious": {"mean": 1.0, "std": 0.5}, "noise": {"dim": 100}},
        "train": {"n": 400, "proportions": [0.6, 0.05, 0.05, 0.3]},
        "heldout": {"n": 120, "minority_ratio": 0.25, "class_prior": 0.4},
        "head": {"loss": loss, "ridge": 0.05},
        "method": [
            {"kind": "erm", "head": {"loss": "squared"}},
            {"kind": "llr"},
            {"kind": "dfr", "balance": "subset"},
        ],
    }
    return llrsim.load(table).with_values(changes)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("method", ["llr", "dfr"])
@pytest.mark.parametrize("annotation_noise", [0.0, 0.2])
def test_the_law_is_that_of_the_prediction(loss, method, annotation_noise):
    """Accuracies are the outcome's; densities with their atoms have mass one, and end where the bounds say."""
    experiment = small(loss, **{"heldout.annotation_noise": annotation_noise})
    law, told = margin_law(experiment, method), llrsim.predict(experiment)[method]
    assert law.test_accuracy == pytest.approx(told.group_accuracy, abs=1e-8)
    assert law.training_accuracy == pytest.approx(told.to_dict()["training"]["group_accuracy"], abs=1e-8)
    edges = np.linspace(*law.bounds(), 20_001)
    middle, step = 0.5 * (edges[1:] + edges[:-1]), edges[1] - edges[0]
    training, test = law.training_density(middle), law.test_density(middle)
    assert training.sum(axis=1) * step + law.atom == pytest.approx(np.ones(4), abs=5e-3)
    assert test.sum(axis=1) * step == pytest.approx(np.ones(4), abs=5e-3)
    assert (test * (middle > 0)).sum(axis=1) * step == pytest.approx(law.test_accuracy, abs=5e-3)
    assert (law.kink is not None) == (loss in ("hinge", "max_margin")) == bool((law.atom > 0.01).all())


def test_bounds_follow_margins_that_a_fit_pushes_far():
    """Few rows and almost no ridge push training margins the furthest."""
    law = margin_law(small("logistic", **{"heldout.n": 24, "head.ridge": 1e-4}), "llr")
    grid = np.linspace(*law.bounds(), 20_001)
    assert law.training_density(grid).sum(axis=1) * (grid[1] - grid[0]) == pytest.approx(np.ones(4), abs=5e-3)


def test_groups_without_rows_have_test_margins_alone():
    with pytest.warns(llrsim.EmptyGroupWarning):
        law = margin_law(small("hinge", heldout={"counts": [40, 0, 10, 50]}), "llr")
    assert np.isnan(law.training_density([0.0, 1.0])).all(axis=1).tolist() == [False, True, False, False]
    assert np.isnan([law.atom, law.training_accuracy]).all(axis=0).tolist() == [False, True, False, False]
    assert (law.shares[1], np.isfinite(law.test_accuracy).all()) == (0.0, True)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"method.llr.head.solver": {"steps": 5, "step_size": 0.1}}, "step of a descent"),
        ({"method.llr.from": "erm", "method.llr.anchor": 0.1}, "pulled to an earlier one"),
        ({"heldout.collapse.noise": 0.0}, "no noise"),
        ({"test.collapse": {"noise": 0.0}}, "all the same"),
        ({"head.loss": "max_margin", "heldout.n": 2000}, "not-separable"),
    ],
)
def test_what_has_no_law_is_refused_by_name(changes, reason):
    with pytest.raises(ValueError, match=f"llr: .*{reason}"):
        margin_law(small(**changes), "llr")


def test_an_average_and_an_unknown_method_are_refused():
    with pytest.raises(ValueError, match="average"):
        margin_law(small(**{"method.dfr.average": 3}), "dfr")
    with pytest.raises(KeyError, match="erm, llr, dfr"):
        margin_law(small(), "lr")


def drawn_margins(experiment, samples):
    """(S, n_g) margins of the training rows of each group, for fits of llr to S drawn samples."""
    resolved = llrsim.plan(experiment)
    stage = next(stage for stage in resolved.stages if stage.label == "llr")
    sample = resolved.samples[stage.sample]
    found = []
    for seed in range(samples):
        X, y, _ = sample.mixture.sample(counts=sample.counts, seed=seed)
        head = llrsim.fit(X, y, head=stage.head)
        found.append(y * (X @ head.weights + head.bias))
    return np.split(np.array(found), np.cumsum(sample.counts)[:-1], axis=1)


@pytest.mark.parametrize("loss", ["logistic", "max_margin"])
def test_fitted_rows_follow_the_law(loss):
    """Of 40 fits, z-scores of each group's mean margin and share at the kink, with 2/d allowed for finite size."""
    experiment = small(loss)
    law, fitted = margin_law(experiment, "llr"), drawn_margins(experiment, 40)
    grid = np.linspace(*law.bounds(), 20_001)
    means = law.training_density(grid) @ grid * (grid[1] - grid[0]) + law.atom * (law.kink or 0.0)
    z, control = [], []
    for g, margin in enumerate(fitted):
        seen = {"mean": margin.mean(axis=1), "share": (np.abs(margin - 1.0) < 1e-3).mean(axis=1)}
        told = {"mean": means[g], "share": law.atom[g]}
        error = {name: np.hypot(of.std(ddof=1) / np.sqrt(len(of)), 2 / 100) for name, of in seen.items()}
        z += [(of.mean() - told[name]) / error[name] for name, of in seen.items()]
        # The control: test margins, in place of those of the fitted rows, are seen.
        control.append((seen["mean"].mean() - law.test_mean[g]) / error["mean"])
    assert np.abs(z).max() < 4.5
    assert np.abs(control).min() > 4.5


def test_the_table_holds_densities_and_histograms():
    experiment = small("max_margin")
    law = margin_law(experiment, "llr")
    simulated = [np.array([1.0, 1.0 + 1e-6, 1.5, 2.0])] * 4
    rows = margin_table(experiment, "llr", simulated)
    assert len(rows) == 4 * (BINS + 1)
    for g, group in enumerate(law.group_names):
        own = [row for row in rows if row["group"] == group]
        middle = np.array([row["margin"] for row in own])
        edges = middle - 0.5 * own[0]["width"]
        assert np.abs(edges - law.kink).min() < 1e-9
        np.testing.assert_array_equal([row["training"] for row in own], law.training_density(middle)[g])
        np.testing.assert_array_equal([row["test"] for row in own], law.test_density(middle)[g])
        assert sum(row["simulated"] for row in own) * own[0]["width"] == pytest.approx(0.5)
        assert (own[0]["simulated_atom"], own[0]["simulated_rows"], own[0]["atom"]) == (0.5, 4, law.atom[g])
    assert {row["simulated"] for row in margin_table(experiment, "llr")} == {None}


def test_panels_draw_the_table():
    experiment = small("hinge")
    simulated = [np.full(5, 1.0)] * 4
    rows = margin_table(experiment, "llr", simulated)
    axes = margins(experiment, "llr", simulated)
    assert len(axes) == 4
    for ax, group in zip(axes, dict.fromkeys(row["group"] for row in rows), strict=True):
        own = [row for row in rows if row["group"] == group]
        _, below, above, test, atom, simulated_atom = ax.lines
        drawn = np.concatenate([below.get_xydata(), above.get_xydata()])
        np.testing.assert_array_equal(drawn, [[row["margin"], row["training"]] for row in own])
        assert below.get_xdata()[-1] < 1.0 < above.get_xdata()[0]
        np.testing.assert_array_equal(test.get_xydata(), [[row["margin"], row["test"]] for row in own])
        assert test.get_linestyle() == "--"
        assert atom.get_xydata().tolist() == [[1.0, own[0]["atom"]]]
        assert simulated_atom.get_xydata().tolist() == [[1.0, 1.0]]
        assert ax.get_ylim()[0] == 0.0
        assert ax.get_ylim()[1] > 1.0
        assert f"test {own[0]['test_accuracy']:.3f}" in ax.get_title()
    told = [text.get_text() for text in axes[0].figure.legends[0].get_texts()]
    assert len(told) == 5
    assert axes[0].get_ylabel().startswith("density")
    assert axes[2].get_xlabel().startswith("margin")


def test_given_axes_are_drawn_on_from_rows():
    rows = margin_table(small(), "erm")
    given = margins(small(), "llr")
    assert margins(rows, "erm", axes=given) is given
