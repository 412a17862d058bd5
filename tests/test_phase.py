"""Phase diagrams: predictions along runs of cells, what is surveyed beside them, and the figure they end in."""

import csv
import os
import signal
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image
from sweep_cases import small

import llrsim
from llrsim.commands import main_sweep
from llrsim.experiment import ExperimentError
from llrsim.experiment.experiment import _tables
from llrsim.experiment.grid import Grid
from llrsim.experiment.tables import from_tables
from llrsim.model.losses import Loss
from llrsim.model.plan import plan
from llrsim.plots import phase
from llrsim.prediction import predict_plan
from llrsim.prediction.problem import ProportionalProblem
from llrsim.prediction.separability import threshold
from llrsim.sweep import StoreError, run_sweep, units
from llrsim.sweep import run as runner
from llrsim.sweep.results import FINEST, survey
from llrsim.sweep.store import Reader
from llrsim.sweep.units import Chain

RATIO, SIZE = "heldout.minority_ratio", "heldout.n_per_dim"
AXES = {SIZE: {"linear": [4.0, 12.0], "num": 4}, RATIO: {"log10": [-1.0, 0.0], "num": 6}}


def diagram(grid=AXES, **values):
    return small(features__noise__dim=40, train__n=400, sweep__grid=grid, **values)


def predictions(folder):
    with Reader(folder) as reader:
        return sorted(reader._rows("SELECT * FROM predictions", ()) + reader._rows("SELECT * FROM masses", ()), key=str)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return run_sweep(diagram(), out=tmp_path_factory.mktemp("whole"), jobs=1, predict_only=True)


@pytest.mark.parametrize("processes", [False, True])
def test_predictions_are_the_same_bytes_for_any_workers(whole, tmp_path, monkeypatch, processes):
    monkeypatch.setattr(runner, "MANY", 0 if processes else 10**9)
    again = run_sweep(diagram(), out=tmp_path, jobs=2, predict_only=True)
    assert predictions(again.folder) == predictions(whole.folder)
    assert again.rows() == whole.rows()


def test_predictions_of_a_run_are_those_of_each_cell_alone(whole):
    grid = Grid(diagram())
    for index, cell in enumerate(whole.outcomes()):
        alone = llrsim.predict(grid.experiment(index), shares="nominal")
        for method in alone:
            stored = cell.prediction[method.label]
            np.testing.assert_allclose(stored.heads.signal, method.heads.signal, rtol=1e-8, atol=1e-9)
            np.testing.assert_allclose(stored.readout.group_accuracy, method.readout.group_accuracy, rtol=1e-8)
            assert (stored.limit, stored.outcome) == ("proportional", method.outcome)


SWEEP = """
import sys
from test_phase import AXES, RATIO, diagram
from llrsim.sweep import run as runner, run_sweep
runner.MANY = 0
runner.LARGEST_BLOCK = 1
run_sweep(diagram(AXES | {RATIO: {"log10": [-1.0, 0.0], "num": 150}}), out=sys.argv[1], jobs=2, predict_only=True)
"""


def test_a_killed_diagram_leaves_no_process_and_goes_on_to_the_same_bytes(tmp_path):
    experiment = diagram(AXES | {RATIO: {"log10": [-1.0, 0.0], "num": 150}})
    killed = subprocess.Popen(
        [sys.executable, "-c", SWEEP, str(tmp_path / "killed")],
        cwd=os.path.dirname(__file__),
        stdout=subprocess.PIPE,
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not _has_predictions(tmp_path / "killed"):
        time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    # The workers hold its standard output too: the end of it is the end of them all.
    killed.communicate(timeout=30)
    before = predictions(tmp_path / "killed")
    resumed = run_sweep(experiment, out=tmp_path / "killed", jobs=1, predict_only=True)
    through = run_sweep(experiment, out=tmp_path / "whole", jobs=1, predict_only=True)
    assert 0 < len(before) <= len(predictions(resumed.folder))
    assert predictions(resumed.folder) == predictions(through.folder)


def _has_predictions(folder):
    try:
        return bool(predictions(folder))
    except StoreError:
        return False


def test_what_is_missing_of_a_run_is_predicted_as_in_the_whole_run(whole, tmp_path):
    again = run_sweep(diagram(), out=tmp_path, jobs=1, predict_only=True)
    with sqlite3.connect(tmp_path / "sweep.sqlite") as connection:
        connection.execute("DELETE FROM predictions WHERE law IN (SELECT law FROM cells WHERE cell % 3 = 0)")
    connection.close()
    assert len(predictions(tmp_path)) < len(predictions(whole.folder))
    run_sweep(diagram(), out=tmp_path, jobs=1, predict_only=True)
    assert predictions(again.folder) == predictions(whole.folder)


@pytest.mark.parametrize("lengths", [(), (5,), (3, 7), (4, 300), (2, 3, 256)])
def test_runs_cover_every_cell_once_and_end_with_the_last_axis(lengths):
    keys = ("heldout.n", "train.n", "features.noise.dim")
    grid = Grid(small(sweep__grid={key: list(range(40, 40 + n)) for key, n in zip(keys, lengths, strict=False)}))
    runs = list(units.runs(grid))
    assert [cell for run in runs for cell in run] == list(range(grid.size))
    last = lengths[-1] if lengths else 1
    assert all(run[0] // last == run[-1] // last and len(run) <= units.RUN for run in runs)
    chunks = [run for chunk, _ in units.grid_keys(grid) for run in chunk]
    assert chunks == runs


def test_a_method_that_an_axis_leaves_alone_is_solved_once(monkeypatch):
    solved = []
    monkeypatch.setattr(
        "llrsim.prediction.predict_plan",
        lambda resolved, **how: solved.append([s.label for s in resolved.stages]) or predict_plan(resolved, **how),
    )
    methods = [{"kind": "erm"}, {"kind": "llr"}, {"kind": "llr", "name": "pulled", "from": "erm", "anchor": 0.1}]
    grid = Grid(diagram({RATIO: [0.2, 0.5], "train.collapse.noise": [0.5, 0.6]}, method=methods))
    chain = Chain()
    for cell in (0, 2, 2, 3):
        found = chain.predict(plan(grid.experiment(cell)))
        for method, cold in zip(found, predict_plan(plan(grid.experiment(cell))), strict=True):
            np.testing.assert_allclose(method.heads.signal, cold.heads.signal, rtol=1e-8)
            np.testing.assert_allclose(method.readout.wga, cold.readout.wga, rtol=1e-8)
    # Another ratio changes what is retrained, and what is pulled needs its start; another collapse changes ERM too.
    every = ["erm", "llr", "pulled"]
    assert [labels for labels in solved if labels] == [every, every, ["erm", "pulled"]]


def test_single_values_change_an_experiment_as_whole_tables_do():
    base = diagram()
    changes = [
        {RATIO: 0.3, "train.collapse.noise": 0.25}, {"heldout.n": 50}, {"heldout.class_prior": 0.3},
        {"train.n_per_dim": 3}, {"features.noise.std": 0.5, "head.loss": "hinge"}, {"test.collapse.noise": 0.5},
    ]  # fmt: skip
    for values in changes:
        whole = base.with_values(
            {key: np.array(value) if key != "head.loss" else value for key, value in values.items()}
        )
        assert base.with_values(values) == whole
        assert from_tables(_tables(whole), type(whole)) == whole
    for values in ({RATIO: -1.0}, {"heldout.n": 2}, {"head.loss": "hunge"}, {"heldout.minorty_ratio": 0.1}):
        with pytest.raises(ExperimentError) as told:
            base.with_values(values)
        assert next(iter(values)) in str(told.value)


def test_the_survey_is_the_attribution_and_the_threshold_of_its_cells():
    experiment = diagram({SIZE: [4.0, 12.0], RATIO: [0.1, 1.0]})
    grid = Grid(experiment)
    rows = survey(grid, jobs=1)
    assert [row[RATIO] for row in rows] == [0.1, 1.0, 0.1, 1.0]
    for cell, row in enumerate(rows):
        split = llrsim.explain(grid.experiment(cell), side="prediction").of("dfr")
        assert row["balance_share"] == pytest.approx(split.balance.mean, abs=1e-9)
        assert row["collapse_share"] == pytest.approx(split.collapse.mean, abs=1e-9)
        sample = plan(grid.experiment(cell)).samples[1]
        problem = ProportionalProblem.of(sample.mixture, Loss.LOGISTIC, counts=sample.counts)
        assert row["heldout_separable_below"] == pytest.approx(threshold(problem).threshold, rel=1e-9)
        assert row["heldout_rows_per_dim"] == sample.counts.sum() / 40


def test_a_fine_grid_is_surveyed_at_thinned_values_with_its_ends():
    ratios = {"log10": [-1.0, 0.0], "num": 120}
    rows = survey(Grid(diagram({SIZE: [4.0, 12.0], RATIO: ratios}, method=[{"kind": "llr"}])), jobs=1)
    values = sorted({row[RATIO] for row in rows})
    assert len(values) == FINEST
    assert (values[0], values[-1]) == (0.1, 1.0)
    assert rows[0]["method"] is None
    assert "balance_share" not in rows[0]


def made_up(keys=(RATIO, SIZE), *, difference, above=1.0, collapse=0.5, gain=lambda place, y: 0.1):
    """Rows of two methods on a 6 x 5 grid; `difference` of the shares, `gain` over ERM and n/d over its threshold."""
    rows = []
    for y in (2.0, 4.0, 6.0, 8.0, 10.0):
        for place, x in enumerate(np.geomspace(0.1, 1.0, 6)):
            at = {keys[0]: float(x), keys[1]: y}
            for label in ("erm", "llr"):
                share = None if label == "erm" else difference(place, y) + collapse
                wga = 0.4 + 0.04 * y + (gain(place, y) if label == "llr" else 0.0)
                rows.append(
                    at
                    | {"method": label, "predicted_wga": wga, "predicted_status": "converged"}
                    | {"limit": "proportional", "shares": "nominal"}
                    | {"heldout_rows_per_dim": y, "heldout_separable_below": above * y if above != 1.0 else 5.0}
                    | {"train_rows_per_dim": None, "train_separable_below": None}
                    | {"balance_share": share, "collapse_share": None if share is None else collapse}
                )
    return rows


EXPERIMENT = diagram({SIZE: [2.0, 4.0, 6.0, 8.0, 10.0], RATIO: {"log10": [-1.0, 0.0], "num": 6}}, method=[
    {"kind": "erm"}, {"kind": "llr"}])  # fmt: skip


def told(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_the_figure_has_a_panel_a_method_one_colour_scale_and_axes_in_words():
    figure = phase.phase_figure(made_up(difference=lambda place, y: place - 2.5), EXPERIMENT)
    erm, llr, bar = figure.axes
    assert (erm.get_xscale(), erm.get_yscale()) == ("log", "linear")
    assert llr.get_xlabel().startswith("minority : majority in the held-out set")
    meshes = [ax.collections[0] for ax in (erm, llr)]
    assert [mesh.get_clim() for mesh in meshes] == [pytest.approx((0.48, 0.9))] * 2
    assert meshes[1].get_array()[0, 0] == pytest.approx(0.58)
    assert meshes[1].get_array()[4, 5] == pytest.approx(0.9)
    assert bar.get_ylabel() == "worst-group accuracy"
    assert figure.get_suptitle().startswith("small: ")
    assert "proportional limit" in figure.get_suptitle()
    assert "head.ridge = 0.1" in " ".join(told(figure)[-1].split())
    assert RATIO not in told(figure)[-1]


def test_lines_stand_where_shares_are_equal_and_where_rows_become_separable():
    figure = phase.phase_figure(made_up(difference=lambda place, y: place - 2.5), EXPERIMENT)
    separability, shares = (contour.get_paths()[0].vertices for contour in figure.axes[1].collections[1:])
    ratios = np.geomspace(0.1, 1.0, 6)
    np.testing.assert_allclose(shares[:, 0], (ratios[2] + ratios[3]) / 2)
    np.testing.assert_allclose(separability[:, 1], 5.0, atol=0.15)
    assert "llr: the share of balance is the larger at 15 of 30 settings surveyed, collapse at 15" in told(figure)
    assert [text.get_text() for text in figure.axes[1].texts] == ["balance", "collapse"]
    assert len(figure.axes[0].collections) == 2


@pytest.mark.parametrize(("sign", "which"), [(1.0, "balance"), (-1.0, "collapse")])
def test_what_has_no_line_is_told(sign, which):
    rows = made_up(difference=lambda place, y: sign, above=2.0 if sign > 0 else 0.5)
    figure = phase.phase_figure(rows, EXPERIMENT)
    assert [len(ax.collections) for ax in figure.axes[:2]] == [1, 1]
    assert f"llr: no line of equal shares; {which} is larger everywhere" in told(figure)
    side = "everywhere" if sign > 0 else "nowhere"
    assert f"no line for the held-out rows: they are linearly separable {side} here" in told(figure)


def test_without_a_split_the_line_is_where_nothing_is_gained():
    rows = made_up(difference=lambda place, y: place - 2.5, collapse=0.0, gain=lambda place, y: 0.01 * (place - 2.5))
    figure = phase.phase_figure(rows, EXPERIMENT)
    (line,) = (contour.get_paths()[0].vertices for contour in figure.axes[1].collections[2:])
    ratios = np.geomspace(0.1, 1.0, 6)
    np.testing.assert_allclose(line[:, 0], (ratios[2] + ratios[3]) / 2)
    assert "llr: gains over ERM at 15 of 30 settings, loses at 15" in told(figure)
    assert "no gain over ERM in worst-group accuracy" in told(figure)
    assert not [text for text in told(figure) if "share" in text or "collapse at" in text]
    assert [text.get_text() for text in figure.axes[1].texts] == ["gain", "loss"]
    assert "shares = nominal" in figure.get_suptitle()


@pytest.mark.parametrize(
    ("gain", "words"),
    [(0.1, "gains over ERM at 30 of 30 settings, loses at 0"), (0.0, "as accurate as ERM everywhere here")],
)
def test_a_gain_of_one_sign_is_told_without_a_line(gain, words):
    figure = phase.phase_figure(
        made_up(difference=lambda place, y: 0.5, collapse=0.0, gain=lambda place, y: gain), EXPERIMENT
    )
    assert f"llr: {words}" in told(figure)
    assert len(figure.axes[1].collections) == 2


def test_a_diagram_where_nothing_is_collapsed_names_no_share_of_collapse(tmp_path, capsys):
    grid = {SIZE: {"linear": [2.0, 6.0], "num": 4}, RATIO: {"log10": [-1.5, 0.0], "num": 6}}
    experiment = diagram(grid, method=[{"kind": "erm"}, {"kind": "llr"}]).with_values({"train.collapse.noise": 1.0})
    rows = run_sweep(experiment, out=tmp_path, jobs=1, predict_only=True).rows()
    figure = phase.phase_figure(phase.phase_table(rows, survey(Grid(experiment), jobs=1), (RATIO, SIZE)), experiment)
    wga = {(row[RATIO], row[SIZE], row["method"]): row["predicted_wga"] for row in rows}
    gains = [value - wga[*key[:2], "erm"] for key, value in wga.items() if key[2] == "llr"]
    more, less = sum(gain > 0 for gain in gains), sum(gain < 0 for gain in gains)
    assert min(more, less) > 0
    assert f"llr: gains over ERM at {more} of 24 settings, loses at {less}" in told(figure)
    assert not [text for text in told(figure) if "equal shares" in text]


def test_cells_without_a_head_are_blank_and_named():
    rows = made_up(difference=lambda place, y: 1.0)
    rows[1] |= {"predicted_wga": None, "predicted_status": "separable"}
    figure = phase.phase_figure(rows, EXPERIMENT)
    assert figure.axes[1].collections[0].get_array().mask.sum() == 1
    assert "no head (separable)" in told(figure)


def test_axes_of_words_or_of_one_value_make_no_diagram():
    assert phase.axes_of(diagram()) == (RATIO, SIZE)
    assert phase.axes_of(diagram({"head.loss": ["logistic", "hinge"], RATIO: [0.1, 1.0]})) is None
    assert phase.axes_of(diagram({RATIO: [0.1, 1.0]})) is None
    assert phase.axes_of(diagram({SIZE: [4.0], RATIO: [0.1, 1.0]})) is None


def test_one_command_makes_the_diagram(tmp_path, capsys):
    file = tmp_path / "diagram.toml"
    file.write_text(diagram().to_toml())
    assert main_sweep([str(file), "--predict-only", "--jobs", "1", "--out", str(tmp_path / "out")]) == 0
    assert f"wrote {tmp_path / 'out' / 'phase.png'}" in capsys.readouterr().out
    with Image.open(tmp_path / "out" / "phase.png") as image:
        assert image.info["Experiment"] == diagram().hash
        assert "--predict-only" in image.info["Command"]
    with (tmp_path / "out" / "phase.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 4 * 6 * 2
    assert {row["limit"] for row in rows} == {"proportional"}
    assert all((row["balance_share"] != "") == (row["method"] == "dfr") for row in rows)


@pytest.mark.parametrize("methods", [4, 5, 7])
def test_panels_that_are_left_over_stay_empty(methods):
    both = made_up(difference=lambda place, y: place - 2.5)
    more = [row | {"method": f"llr{number}"} for number in range(methods - 2) for row in both if row["method"] == "llr"]
    experiment = EXPERIMENT.replace(
        method=[{"kind": "erm"}, {"kind": "llr"}, *({"kind": "llr", "name": f"llr{n}"} for n in range(methods - 2))]
    )
    figure = phase.phase_figure(both + more, experiment)
    figure.draw_without_rendering()
    assert len(figure.axes) == methods + 1
