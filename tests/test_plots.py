"""Figures draw the numbers they are given and say what they are."""

from dataclasses import replace

import numpy as np
import pytest
from made_up_outcomes import EXPERIMENT, EXPLANATION, PRIOR, RATIO, curves, made_up_cells
from matplotlib.colors import to_rgba
from scipy.stats import t

from llrsim.attribution import SWITCHES, Explanation
from llrsim.experiment.schema import KINDS
from llrsim.model.losses import Status
from llrsim.plots import attribution_bars, style, wga_lines, wga_table
from llrsim.plots import style as words


@pytest.fixture(scope="module")
def cells():
    return made_up_cells()


def test_table_compares_like_with_like(cells):
    axes, simulated, predicted = cells[3]
    rows = [row for row in wga_table(cells) if row[RATIO] == axes[RATIO] and row[PRIOR] == axes[PRIOR]]
    assert [row["method"] for row in rows] == ["erm", "llr", "dfr"]
    for row in rows:
        accuracy = simulated[row["method"]].readout.group_accuracy
        half = t.ppf(1 - 0.025 / 4, 4) * accuracy.std(axis=0, ddof=1) / np.sqrt(5)
        assert row["simulated_wga"] == accuracy.mean(axis=0).min()
        assert row["interval_low"] == pytest.approx(max((accuracy.mean(axis=0) - half).min(), 0.0), rel=1e-12)
        assert row["interval_high"] == pytest.approx((accuracy.mean(axis=0) + half).min(), rel=1e-12)
        assert row["predicted_wga"] == predicted[row["method"]].readout.group_accuracy.min()
        assert (row["replicates"], row["limit"], row["noise_dim"]) == (5, "population", 40)
        assert (row["simulated_status"], row["without_head"], row["predicted_status"]) == ("converged", 0, "converged")
        assert row["fitted_rows"] == (1200 if row["method"] == "erm" else 400)


def test_lines_and_points_are_the_numbers(cells):
    ax = wga_lines(cells, RATIO, fixed={PRIOR: 0.5})
    rows = [row for row in wga_table(cells) if row[PRIOR] == 0.5]
    for label, (line, points, intervals) in zip(["erm", "llr", "dfr"], curves(ax), strict=True):
        own = [row for row in rows if row["method"] == label]
        assert line.tolist() == [[row[RATIO], row["predicted_wga"]] for row in own]
        assert points.tolist() == [[row[RATIO], row["simulated_wga"]] for row in own]
        ends = [[row["interval_low"], row["interval_high"]] for row in own]
        np.testing.assert_allclose(intervals, ends, rtol=1e-12)
    for container, colour in zip(ax.containers, style.COLOURS[:3], strict=True):
        assert to_rgba(container.lines[0].get_color()) == to_rgba(colour)
    assert ax.get_xscale() == "log"
    assert "minority : majority" in ax.get_xlabel()
    assert "worst-group accuracy" in ax.get_ylabel()


def test_rows_draw_as_the_cells_they_come_from(cells):
    first, second = (wga_lines(source, RATIO, fixed={PRIOR: 0.25}) for source in (cells, wga_table(cells)))
    for drawn, again in zip(curves(first), curves(second), strict=True):
        for one, other in zip(drawn, again, strict=True):
            np.testing.assert_array_equal(one, other)


def test_legend_names_methods_sizes_limit_and_replicates(cells):
    told = [text.get_text() for text in wga_lines(cells, RATIO, fixed={PRIOR: 0.5}).get_legend().get_texts()]
    assert told[0] == "erm: trained on the training set, n/d = 30"
    assert told[2] == "dfr: retrained, groups balanced, n/d = 10"
    assert told[3] == "points: simulation, mean with 95 % interval, 5 replicates"
    assert "population limit" in told[4]


def without_heads(outcome, label, lost):
    """An outcome in which these replicates of a method are separable."""
    method = outcome[label]
    status = method.status.copy()
    status[lost] = Status.SEPARABLE
    return replace(outcome, methods=dict(outcome.methods) | {label: replace(method, status=status)})


def told_by(cells):
    """The legend's lines after those of methods, points and lines."""
    return [text.get_text() for text in wga_lines(cells, RATIO, fixed={PRIOR: 0.5}).get_legend().get_texts()][5:]


def test_what_is_not_drawn_is_told(cells):
    """Three settings, of which one has no point for llr and dfr, and one has dfr's mean over fewer replicates."""
    assert told_by(cells) == []
    places = [place for place, (axes, *_) in enumerate(cells) if axes[PRIOR] == 0.5]
    changed = list(cells)
    axes, simulated, predicted = cells[places[0]]
    lost = without_heads(without_heads(simulated, "llr", range(5)), "dfr", range(5))
    changed[places[0]] = (axes, lost, without_heads(predicted, "erm", [0]))
    axes, simulated, predicted = cells[places[1]]
    changed[places[1]] = (axes, without_heads(simulated, "dfr", [1, 3]), predicted)
    assert told_by(changed) == [
        "erm: no line at 1 of 3 settings (separable)",
        "llr, dfr: no point at 1 of 3 settings (separable)",
        "dfr: 2 of 5 replicates left out of 1 point (separable)",
    ]
    assert told_by([(axes, simulated, None) for axes, simulated, _ in changed])[-1].startswith("dfr: 2 of 5")
    kept = dict(zip(("erm", "llr", "dfr"), curves(wga_lines(changed, RATIO, fixed={PRIOR: 0.5})), strict=True))
    assert [len(points) for _, points, _ in kept.values()] == [3, 2, 2]


def test_a_method_without_any_prediction_is_told_once(cells):
    none = [Status.NO_PREDICTION]
    changed = [
        (axes, simulated, replace(predicted, methods={m.label: replace(m, status=np.array(none)) for m in predicted}))
        for axes, simulated, predicted in cells
    ]
    told = [text.get_text() for text in wga_lines(changed, RATIO, fixed={PRIOR: 0.5}).get_legend().get_texts()]
    assert sum("no prediction" in line for line in told) == 3
    assert not any("no line" in line for line in told)


def test_a_method_keeps_its_colour_when_others_are_left_out(cells):
    ax = wga_lines(cells, RATIO, methods=["dfr"], fixed={PRIOR: 0.5})
    assert len(ax.containers) == 1
    assert to_rgba(ax.lines[0].get_color()) == to_rgba(style.COLOURS[2])
    assert to_rgba(ax.get_legend().legend_handles[0].get_color()) == to_rgba(style.COLOURS[2])


def test_given_axes_are_drawn_on_and_returned(cells):
    ax = style.blank().subplots()
    assert wga_lines(cells, RATIO, ax, fixed={PRIOR: 0.5}) is ax
    assert attribution_bars(EXPLANATION, style.blank().subplots()).containers


def test_other_axes_must_be_fixed(cells):
    with pytest.raises(ValueError, match=r"give `fixed` a value of heldout\.class_prior"):
        wga_lines(cells, RATIO)
    with pytest.raises(ValueError, match=r"'head\.ridge' is not an axis; swept here: heldout\.minority_ratio"):
        wga_lines(cells, "head.ridge")
    with pytest.raises(ValueError, match="nothing to draw"):
        wga_lines(cells, RATIO, methods=["afr"])


def test_without_simulation_only_lines(cells):
    ax = wga_lines([(axes, None, predicted) for axes, _, predicted in cells], RATIO, fixed={PRIOR: 0.5})
    assert not ax.containers
    assert all(np.isfinite(line.get_ydata()).all() for line in ax.lines)
    assert not any("simulation" in text.get_text() for text in ax.get_legend().get_texts())


def test_without_prediction_only_points(cells):
    ax = wga_lines([(axes, simulated, None) for axes, simulated, _ in cells], RATIO, fixed={PRIOR: 0.5})
    assert all(np.isnan(line[:, 1]).all() and np.isfinite(points).all() for line, points, _ in curves(ax))
    assert ax.get_legend().get_texts()[0].get_text().endswith("(no prediction)")


def test_one_replicate_has_no_interval():
    cells = made_up_cells(replicates=1)
    ax = wga_lines(cells, RATIO, fixed={PRIOR: 0.5})
    assert all(np.ptp(ends, axis=1).max() == 0 for *_, ends in curves(ax))
    assert "points: simulation, without interval, 1 replicate" in [t.get_text() for t in ax.get_legend().get_texts()]


def test_names_on_an_axis_are_not_joined_by_lines():
    experiment = EXPERIMENT.with_values({"sweep.grid": {"head.loss": ["logistic", "squared"]}})
    ax = wga_lines(made_up_cells(experiment), "head.loss")
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["logistic", "squared"]
    assert {line.get_linestyle() for line in ax.lines} == {"None"}


@pytest.mark.parametrize(
    ("values", "logarithmic"),
    [
        ([0.05, 0.2, 0.8], True),
        ([30, 100, 300], True),
        ([1, 2, 3], False),
        ([0.0, 0.25, 0.5, 1.0], False),
        ([1.0, 10.0], False),
        (["a", "b", "c"], False),
    ],
)
def test_log_spacing(values, logarithmic):
    assert style.is_log_spaced(values) is logarithmic


def test_every_kind_of_method_and_every_switch_has_words():
    assert set(words.METHODS) == set(KINDS)
    assert set(words.SWITCHES) == {*SWITCHES, "averaging"}


def test_bars_are_shapley_values_with_their_intervals():
    ax = attribution_bars(EXPLANATION)
    simulated, predicted = EXPLANATION
    bars, errors = ax.containers
    effects = list(simulated.effects.values())
    assert list(simulated.effects) == ["weighting", "collapse"]
    assert [bar.get_height() for bar in bars] == [effect.mean for effect in effects]
    ends = np.array([segment[:, 1] for segment in errors.lines[2][0].get_segments()])
    np.testing.assert_allclose(ends, [effect.interval for effect in effects], rtol=1e-12)
    diamonds = {line.get_markerfacecolor(): line.get_ydata() for line in ax.lines if line.get_marker() == "d"}
    assert diamonds.keys() == {style.BLACK}  # bars and predictions are of one quantity
    assert list(diamonds[style.BLACK]) == [effect.mean for effect in predicted.effects.values()]
    (tick,) = ax.get_xticklabels()
    assert tick.get_text() == f"dfr\ngain {simulated.gain.mean:+.3f}\nverdict: {simulated.verdict}"


def test_bars_are_predictions_where_nothing_was_simulated():
    ax = attribution_bars(Explanation("small", EXPLANATION.attributions[1:]))
    assert [bar.get_height() for bar in ax.containers[0]] == [
        e.mean for e in EXPLANATION.of("dfr", "prediction").effects.values()
    ]
    told = [text.get_text() for text in ax.get_legend().get_texts()]
    assert not any("simulation" in text for text in told)
    assert "shares = realised" in told[-1]
