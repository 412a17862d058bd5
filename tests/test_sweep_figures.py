"""What a sweep leaves: a figure an axis, its origin in the metadata, its numbers beside it, the same bytes."""

import csv

import matplotlib
import matplotlib.figure
import numpy as np
import pytest
from made_up_outcomes import EXPERIMENT, EXPLANATION, PRIOR, PRIORS, RATIO, RATIOS, curves, made_up_cells, results_of
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image
from sweep_cases import small

from llrsim import __version__, explain
from llrsim.commands import main_sweep
from llrsim.plots import save, style, sweep_figures, wga_lines, wga_table
from llrsim.plots import wga as sweep
from llrsim.report import write_report
from llrsim.report.chapter import picture


@pytest.fixture(scope="module")
def cells():
    return made_up_cells()


def test_sweep_leaves_a_figure_for_each_axis_and_the_split(cells, tmp_path):
    written = sweep_figures(results_of(EXPERIMENT, cells), tmp_path / "figures", EXPLANATION, command="llrsim sweep f")
    names = ["wga_by_heldout_minority_ratio.png", "wga_by_heldout_class_prior.png", "attribution.png"]
    assert [path.name for path in written] == names
    for path in written:
        with Image.open(path) as image:
            assert image.info["Experiment"] == EXPERIMENT.hash
            assert image.info["Command"] == "llrsim sweep f"
            assert image.info["Software"] == f"llrsim {__version__}"
    assert rows_of(written[0]) == as_text(wga_table(cells))
    assert rows_of(written[2]) == as_text(EXPLANATION.rows())


def test_panels_show_every_value_of_the_second_axis(cells):
    first, last = sweep.layouts_of(EXPERIMENT)
    assert (first.x, first.panel, tuple(first.settings)) == (RATIO, PRIOR, (0.25, 0.5))
    assert (last.x, last.panel, tuple(last.settings)) == (PRIOR, RATIO, tuple(RATIOS))
    figure = sweep.wga_figure(wga_table(cells), first, title="small")
    assert [ax.get_title().rpartition(" = ")[2] for ax in figure.axes] == ["0.25", "0.5"]
    for ax, prior in zip(figure.axes, PRIORS, strict=True):
        alone = wga_lines(cells, RATIO, fixed={PRIOR: prior})
        for drawn, again in zip(curves(ax), curves(alone), strict=True):
            np.testing.assert_array_equal(drawn[0], again[0])
            np.testing.assert_array_equal(drawn[1], again[1])


def test_a_single_number_along_a_logarithmic_axis_is_in_view():
    """Over several panels: one point, in one of them, and at all else no head. Its marker is drawn, in its colour."""
    layout = sweep.Layout(PRIOR, RATIO, (0.1, 0.2, 0.3), {}, {})
    nothing = dict.fromkeys(("interval_low", "interval_high", "simulated_wga", "replicates", "predicted_wga"))
    some = {"simulated_wga": 0.7, "interval_low": 0.65, "interval_high": 0.75, "replicates": 3}
    of_one = {"method": "dfr", "kind": "dfr", "limit": "proportional", "shares": "realised", "noise_dim": 5}
    of_one |= {"fitted_rows": 50, "predicted_status": "separable"}
    rows = [
        {PRIOR: prior, RATIO: ratio} | of_one | nothing | {"simulated_status": "separable", "without_head": 3}
        for prior in (0.01, 0.05, 0.5)
        for ratio in layout.settings
    ]
    rows[-1] |= some | {"simulated_status": "converged", "without_head": 0}
    figure = sweep.wga_figure(rows, layout, title="one")
    for ax in figure.axes:
        low, high = ax.get_xlim()
        assert ax.get_xscale() == "log"
        assert 0 < low < 0.01 < 0.5 < high < 1
    canvas, ax = FigureCanvasAgg(figure), figure.axes[-1]
    canvas.draw()
    image = np.asarray(canvas.buffer_rgba())
    across, up = ax.transData.transform((0.5, 0.7)).astype(int)
    around = image[-up - 12 : -up + 12, across - 12 : across + 12, :3]
    assert (around.max(axis=-1) < 128).any()  # black, the first method's


def test_further_axes_stay_at_their_middle_value_and_zips_are_one_axis():
    grid = {RATIO: RATIOS, "head.ridge": {"log10": [-3, 0], "num": 9}}
    together = [{"train.n": [400, 800, 1600], "heldout.n": [200, 400, 800]}]
    experiment = EXPERIMENT.replace(sweep={"grid": grid, "zip": together})
    layouts = sweep.layouts_of(experiment)
    assert [(one.x, one.panel, dict(one.fixed)) for one in layouts] == [
        (RATIO, "head.ridge", {"train.n": 800}),
        ("head.ridge", "train.n", {RATIO: 0.2}),
        ("train.n", RATIO, {"head.ridge": pytest.approx(10**-1.5)}),
    ]
    assert layouts[2].companions == {"train.n": ["heldout.n"]}
    rows = wga_table(made_up_cells(experiment), layouts[2].shows)
    figure = sweep.wga_figure(rows, layouts[2], title="small")
    assert figure.axes[-1].get_xlabel().endswith("train.n\nwith heldout.n")
    shown = list(layouts[0].settings)
    assert len(shown) == sweep.MOST_PANELS
    assert (shown[0], shown[-1]) == (1e-3, 1.0)


def test_the_last_panel_of_each_column_has_the_axis_label():
    """Five panels in two rows: the third stands above the empty place."""
    experiment = EXPERIMENT.replace(sweep={"grid": {RATIO: RATIOS, PRIOR: [0.1, 0.2, 0.3, 0.4, 0.5]}})
    layout = sweep.layouts_of(experiment)[0]
    figure = sweep.wga_figure(wga_table(made_up_cells(experiment), layout.shows), layout, title="small")
    labelled = [bool(ax.get_xlabel()) for ax in figure.axes]
    assert labelled == [False, False, True, True, True]
    assert [ax.xaxis.get_tick_params()["labelbottom"] for ax in figure.axes] == labelled


def test_the_split_names_the_values_it_is_taken_at():
    figure = sweep.attribution_figure(EXPLANATION, EXPERIMENT)
    (ax,) = figure.axes
    assert ax.get_title().splitlines()[1] == "at the file's own values: heldout.minority_ratio = 0.25"
    swept = EXPERIMENT.replace(sweep={"grid": {RATIO: RATIOS, "method.dfr.average": [1, 2], "head.ridge": [0.1, 1.0]}})
    told = sweep.attribution_figure(EXPLANATION, swept).axes[0].get_title().splitlines()[1]
    assert told.endswith("heldout.minority_ratio = 0.25, method.dfr.average = 1, head.ridge = 0.01")
    unswept = EXPERIMENT.replace(sweep={})
    assert len(sweep.attribution_figure(EXPLANATION, unswept).axes[0].get_title().splitlines()) == 1


@pytest.mark.parametrize("attribute", [[0.25, 1.0], [0.5, 1.0]])
def test_factors_that_move_together_with_equal_values_are_class_collapse(attribute):
    together = [{"train.collapse.noise": [0.25, 1.0], "train.collapse.attribute": attribute}]
    experiment = EXPERIMENT.replace(sweep={"grid": {RATIO: RATIOS}, "zip": together})
    layout = sweep.layouts_of(experiment)[0]
    figure = sweep.wga_figure(wga_table(made_up_cells(experiment), layout.shows), layout, title="small")
    name = "class collapse tau" if attribute[0] == 0.25 else "noise left in the training features"
    assert [ax.get_title() for ax in figure.axes] == [f"{name} = 0.25", f"{name} = 1"]


def test_a_sweep_without_axes_has_no_wga_figure(tmp_path):
    experiment = EXPERIMENT.replace(sweep={})
    assert sweep_figures(results_of(experiment, made_up_cells(experiment)), tmp_path) == []


@pytest.mark.parametrize("suffix", [".png", ".pdf"])
def test_the_same_figure_has_the_same_bytes(suffix, cells, tmp_path, monkeypatch):
    rows = wga_table(cells)
    origin = {"experiment": EXPERIMENT, "command": "x", "table": rows}
    first = save(wga_lines(rows, RATIO, fixed={PRIOR: 0.5}).figure, tmp_path / f"first{suffix}", **origin)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    second = save(wga_lines(rows, RATIO, fixed={PRIOR: 0.5}).figure, tmp_path / f"second{suffix}", **origin)
    assert first.read_bytes() == second.read_bytes()
    assert rows_of(first) == rows_of(second) == as_text(rows)


def test_pdf_says_where_it_comes_from_and_embeds_its_fonts(cells, tmp_path):
    ax = wga_lines(cells, RATIO, fixed={PRIOR: 0.5})
    path = save(ax.figure, tmp_path / "one.pdf", experiment="0123456789abcdef", command="python -m figures", table=[])
    content = path.read_bytes()
    assert b"llrsim experiment 0123456789abcdef" in content
    assert b"python -m figures" in content
    assert b"llrsim " + __version__.encode() in content
    assert b"/FontFile2" in content  # TrueType, where Type 3 has no font file
    assert b"/Type3" not in content
    assert b"CreationDate" not in content


def test_other_formats_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"written as \.png or \.pdf"):
        save(style.blank(), tmp_path / "one.svg", experiment="0", command="x", table=[])


def test_no_pyplot_state_and_no_show(cells, tmp_path, monkeypatch):
    import matplotlib.pyplot as plt

    def refuse(*_, **__):
        raise AssertionError("show was called")

    monkeypatch.setattr(plt, "show", refuse)
    monkeypatch.setattr(matplotlib.figure.Figure, "show", refuse)
    before = dict(matplotlib.rcParams)
    sweep_figures(results_of(EXPERIMENT, cells), tmp_path, EXPLANATION)
    assert plt.get_fignums() == []
    assert dict(matplotlib.rcParams) == before


def test_without_a_gain_to_split_there_is_no_picture_of_one(cells, tmp_path):
    alike = small(heldout__n=80).replace(
        train={"n": 80, "proportions": [0.25] * 4}, method=[{"kind": "erm"}, {"kind": "llr"}], sweep={"replicates": 2}
    )
    written = sweep_figures(results_of(EXPERIMENT, cells), tmp_path, explain(alike, side="prediction"))
    assert [path.name for path in written if "attribution" in path.name] == []


HERS = {"text.usetex": True, "font.size": 30.0, "savefig.dpi": 33, "axes.facecolor": "red", "lines.linewidth": 9.0}


def test_settings_of_the_user_reach_no_figure(cells, tmp_path):
    plain = sweep_figures(results_of(EXPERIMENT, cells), tmp_path / "plain", EXPLANATION)
    with matplotlib.rc_context(HERS):
        changed = sweep_figures(results_of(EXPERIMENT, cells), tmp_path / "changed", EXPLANATION)
        page = picture(lambda: sweep.wga_figure(wga_table(cells), sweep.layouts_of(EXPERIMENT)[0], title="x"), "a")
        assert matplotlib.rcParams["font.size"] == 30.0
    assert [path.read_bytes() for path in changed] == [path.read_bytes() for path in plain]
    assert page == picture(lambda: sweep.wga_figure(wga_table(cells), sweep.layouts_of(EXPERIMENT)[0], title="x"), "a")


@pytest.mark.parametrize("part", ["wga_figure", "attribution_figure"])
def test_a_figure_that_fails_leaves_the_others_and_a_warning(cells, tmp_path, monkeypatch, part):
    def fail(*_, **__):
        raise RuntimeError("latex was not found")

    monkeypatch.setattr(sweep, part, fail)
    (tmp_path / "attribution.png").write_bytes(b"of an earlier run")
    with pytest.warns(UserWarning, match=r"\.png: the figure could not be drawn: RuntimeError: latex was not found"):
        written = sweep_figures(results_of(EXPERIMENT, cells), tmp_path, EXPLANATION)
    left = {"wga_figure": ["attribution.png"], "attribution_figure": 2 * ["wga"]}[part]
    assert [path.name[: len(name)] for path, name in zip(written, left, strict=True)] == left
    assert sorted(path.name for path in tmp_path.glob("*.png")) == sorted(path.name for path in written)


@pytest.mark.filterwarnings("default:.*could not be drawn")
def test_where_every_figure_fails_the_tables_and_the_verdict_stay(tmp_path, monkeypatch, capsys):
    def fail(*_, **__):
        raise RuntimeError("latex was not found")

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", fail)
    file, out = tmp_path / "one.toml", tmp_path / "out"
    file.write_text(small(sweep__grid={RATIO: [0.25, 1.0], "head.ridge": [0.1, 1.0]}).to_toml())
    assert main_sweep([str(file), "--predict-only", "--jobs", "1", "--out", str(out)]) == 0
    told = capsys.readouterr()
    assert "dfr" in told.out
    assert "Attribution (" in told.out
    assert told.err.count("the figure could not be drawn: RuntimeError") == 4
    assert {path.name for path in out.glob("*.csv")} == {
        "results.csv", "wga_by_heldout_minority_ratio.csv", "wga_by_head_ridge.csv", "attribution.csv", "phase.csv"
    }  # fmt: skip
    page = write_report(out).path.read_text(encoding="utf-8")
    assert "This figure could not be drawn (RuntimeError: latex was not found)" in page
    assert page.count("<table") >= 1


def rows_of(image):
    """The rows of the CSV beside an image, as text."""
    with image.with_suffix(".csv").open(newline="") as file:
        return list(csv.DictReader(file))


def as_text(rows):
    return [{key: "" if value is None else str(value) for key, value in row.items()} for row in rows]
