"""Results of a finished sweep: rows, selections and tables, and what the end of a sweep says of them."""

import json
import re
import sqlite3
import sys
import tomllib
import types
import warnings
from pathlib import Path

import numpy as np
import pytest
from sweep_cases import small

import llrsim
from llrsim._io import data_frame
from llrsim.sweep import finish, open_results, run_sweep
from llrsim.sweep.finish import _predicted, _simulated
from llrsim.sweep.format import CHECKED, FILE, checksum
from llrsim.sweep.results import WRITERS


def rewritten(folder, values):
    """Rows with other values, sealed as if they had been simulated."""
    with sqlite3.connect(folder / FILE) as connection:
        connection.create_function("checksum", -1, lambda *told: checksum(told))
        connection.execute(f"UPDATE rows SET {values}")
        connection.execute(f"UPDATE rows SET checksum = checksum({', '.join(CHECKED['rows'])})")
    connection.close()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return run_sweep(small(), out=tmp_path_factory.mktemp("sweep"), jobs=1)


def test_rows_have_one_set_of_columns_and_consistent_numbers(finished):
    rows = finished.rows()
    assert len(rows) == 8
    assert len({tuple(row) for row in rows}) == 1
    for row in rows:
        accuracies = [value for key, value in row.items() if key.startswith("accuracy(") and not key.endswith("_se")]
        assert row["wga"] == min(accuracies)
        assert row["wga_per_run"] <= row["wga"]
        assert row["wga_per_run"] <= row["direction_wga"] + 1e-12
        assert row["wga_low"] < row["wga"] < row["wga_high"]
        assert row["limit"] == "proportional"


def test_rows_are_the_readout_of_the_outcomes(finished):
    """Rows come from stored numbers, outcomes from the stored heads: two ways to the same figures."""
    cells = {tuple(cell.axes.values()): cell for cell in finished.outcomes()}
    for row in finished.rows():
        cell = cells[row["heldout.minority_ratio"], row["train.n"]]
        simulated, predicted = cell.simulation[row["method"]], cell.prediction[row["method"]]
        errors = simulated.standard_error(simulated.readout.group_accuracy)
        expected = {
            "wga": simulated.wga,
            "wga_se": errors[simulated.group_accuracy.argmin()],
            "wga_low": simulated.wga_interval[0],
            "wga_high": simulated.wga_interval[1],
            "wga_per_run": simulated.wga_per_run,
            "wga_per_run_se": simulated.standard_error(simulated.readout.wga),
            "direction_wga_se": simulated.standard_error(simulated.readout.direction_wga),
            "signal2": simulated.heads.signal[:, 1].mean(),
            "bias": simulated.heads.bias.mean(),
            "noise_norm_se": simulated.standard_error(simulated.heads.noise_norm),
            "accuracy(+,-)": simulated.group_accuracy[2],
            "mass(+,-)": simulated.mass[2],
            "predicted_wga": predicted.wga,
            "predicted_accuracy(-,+)": predicted.group_accuracy[1],
            "predicted_bias": predicted.heads.bias[0],
        }
        assert {name: row[name] for name in expected} == pytest.approx(expected, rel=1e-12)
        assert (row["status"], row["replicates"]) == (simulated.outcome.label, 6)


def test_rows_without_a_head_are_left_out_of_the_means(tmp_path):
    run_sweep(small(sweep__grid={"train.n": [80]}), out=tmp_path, jobs=1)
    before = {row["method"]: row for row in open_results(tmp_path).rows()}
    rewritten(tmp_path, "status = 6, wga = NULL WHERE replicate = 2")
    (erm, dfr) = open_results(tmp_path).rows()
    assert (erm["status"], erm["replicates"]) == ("diverged", 5)
    kept = np.delete(next(open_results(tmp_path).outcomes()).simulation["dfr"].readout.wga, 2)
    assert dfr["wga_per_run"] == pytest.approx(kept.mean(), rel=1e-12)
    assert dfr["wga_per_run"] != before["dfr"]["wga_per_run"]


def test_what_simulated_a_row_is_stored_and_restored(tmp_path):
    results = run_sweep(small(), out=tmp_path, jobs=1)
    assert {cell.simulation.simulator for cell in results.outcomes()} == {"dense"}
    rewritten(tmp_path, "simulator = 'other'")
    assert {cell.simulation.simulator for cell in results.outcomes()} == {"other"}
    assert {row["simulator"] for row in results.rows()} == {"other"}


def columns_of(table):
    return {column.header: list(column.cells) for column in table.columns}


def test_the_terminal_table_sets_like_beside_like(finished):
    rows = finished.rows()
    columns = columns_of(finish._every_row(finished, rows))
    told = [f"{row['wga']:.4f} [{row['wga_low']:.3f}, {row['wga_high']:.3f}]" for row in rows]
    assert columns["simulated, 95 %"] == told
    assert columns["predicted"] == [f"{row['predicted_wga']:.4f}" for row in rows]
    assert columns["per run"] == [f"{row['wga_per_run']:.4f}" for row in rows]
    table = finish._by_method(finished, rows)
    columns, dfr = columns_of(table), [row for row in rows if row["method"] == "dfr"]
    gap = max(abs(row["wga"] - row["predicted_wga"]) for row in dfr)
    assert columns["largest gap to prediction"][1] == f"{gap:.4f}"
    assert columns["simulated"][1] == f"{np.mean([row['wga'] for row in dfr]):.4f}"
    assert columns["predicted"][1] == f"{np.mean([row['predicted_wga'] for row in dfr]):.4f}"
    assert columns["per run"][1] == f"{np.mean([row['wga_per_run'] for row in dfr]):.4f}"
    assert table.title == "small: worst-group accuracy, means over 4 cells"


LOST = {"status": "separable", "wga": None, "wga_per_run": None}


def lost(rows, *places):
    """The rows with these simulations, or predictions, without a head in one replicate or in all."""
    changed = [dict(row) for row in rows]
    for place, loss in places:
        changed[place] |= loss
    return changed


@pytest.mark.parametrize(
    "loss", [LOST, {"status": "separable"}, {"predicted_status": "separable", "predicted_wga": None}]
)
def test_means_are_over_the_cells_that_all_methods_have(finished, loss):
    """Else a method that is separable where accuracy is low looks better than one that is not."""
    rows = finished.rows()
    whole = columns_of(finish._by_method(finished, rows))
    table = finish._by_method(finished, lost(rows, (3, loss)))  # dfr in the second cell
    assert table.title.endswith("means over the 3 of 4 cells in which every method has a number")
    columns = columns_of(table)
    for place, label in enumerate(("erm", "dfr")):
        mine = [row for row in rows if row["method"] == label]
        kept = [row["wga"] for number, row in enumerate(mine) if number != 1]
        assert columns["simulated"][place] == f"{np.mean(kept):.4f}" != whole["simulated"][place]
        assert (columns["least"][place], columns["largest"][place]) == (f"{min(kept):.4f}", f"{max(kept):.4f}")
        assert columns["predicted"][place] != whole["predicted"][place]
        assert columns["per run"][place] != whole["per run"][place]


def test_without_common_cells_there_are_no_means(finished):
    rows = finished.rows()
    table = finish._by_method(finished, lost(rows, (0, LOST), (2, LOST), (5, LOST), (7, LOST)))
    assert table.title == f"small: worst-group accuracy, {finish.NO_MEANS}"
    assert {cell for name, cells in columns_of(table).items() if name != "method" for cell in cells} == {""}


def test_a_method_without_any_number_leaves_the_others_their_cells(finished):
    rows = finished.rows()
    nothing = {"predicted_status": "no-prediction", "predicted_wga": None}
    table = finish._by_method(finished, lost(rows, *((place, nothing) for place in range(1, 8, 2))))
    assert table.title.endswith("means over 4 cells")
    assert columns_of(table)["predicted"][1] == ""
    assert columns_of(table)["simulated"] == columns_of(finish._by_method(finished, rows))["simulated"]


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("train.n", "train.n = 80"),
        ("train.n_per_dim", "train.n = 80"),
        ("heldout.minority_ratio", "heldout.minority_ratio = 1.0"),
        ("method.dfr.head.ridge", "head.ridge = 0.1"),
        ("head.solver.steps", "head.solver = 'exact'"),
        ("heldout.class_prior", "heldout.class_prior = the default"),
    ],
)
def test_the_file_s_own_value_of_a_swept_key_is_told(key, told):
    assert finish._base_setting(small(), key) == told


def test_select(finished):
    assert len(finished.select(method="dfr")) == 4
    assert len(finished.select(method="dfr", minority_ratio=1)) == 2
    (row,) = finished.select("erm", **{"train.n": 120, "heldout.minority_ratio": 0.25})
    assert row["train.n"] == 120
    with pytest.raises(
        KeyError, match=r"'ridge' is not an axis of this sweep; axes: heldout\.minority_ratio, train\.n"
    ):
        finished.select(ridge=1)
    with pytest.raises(llrsim.ExperimentError, match="no such method"):
        finished.select("llr")


def test_results_tell_what_they_are(finished):
    text = repr(finished)
    assert "4 cells of small" in text
    assert "train.n: 80, 120" in text


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Predictions along an axis of texts, an axis with lists among its numbers, and keys that move together."""
    collapse = [0.5, [0.5, 0.25, 0.5, 1.0]]
    experiment = small(sweep__grid={"head.loss": ["squared", "logistic"], "train.collapse.noise": collapse})
    together = {"train.counts": [[60, 6, 6, 8], [50, 10, 10, 10]], "heldout.minority_ratio": [0.25, 1.0]}
    tables = {"n": None, "proportions": None, "counts": [60, 6, 6, 8]}
    experiment = experiment.with_values({f"train.{key}": value for key, value in tables.items()})
    experiment = experiment.with_values({"sweep.zip": [together]})
    return run_sweep(experiment, out=tmp_path_factory.mktemp("mixed"), jobs=1, predict_only=True)


@pytest.mark.parametrize("source", ["finished", "mixed"])
def test_the_data_set_selects_along_every_dimension(source, request):
    """By position and by name, alone and all together, against the rows; `method` is a keyword of `sel`."""
    pytest.importorskip("xarray")
    results = request.getfixturevalue(source)
    data, rows = results.to_xarray(), results.rows()
    assert not {"method", "drop", "tolerance", "indexers"} & set(data.sizes)

    def label(value):
        return json.dumps(value) if isinstance(value, tuple | list) or (value == 0.5 and source == "mixed") else value

    numbers = {key for key, value in rows[0].items() if isinstance(value, float) and key not in data.coords}
    assert {"predicted_bias", "mass(-,+)"} <= numbers
    for row in rows:
        at = {key: label(row[key]) for key in data.sizes if key != "method_name"}
        picked = data.sel(at).sel(method_name=row["method"])
        for key in numbers:
            assert picked[key].dims == ()
            assert float(picked[key]) == row[key]
    for key in data.sizes:
        first = data[key].values[0].item() if data[key].dtype != object else data[key].values[0]
        assert data.sel({key: first}).sizes == {name: size for name, size in data.sizes.items() if name != key}
    if source == "mixed":
        assert data["heldout.minority_ratio"].dims == ("train.counts",)
        assert data["heldout.minority_ratio"].values.tolist() == [0.25, 1.0]


@pytest.mark.parametrize("source", ["finished", "mixed"])
def test_columns_with_none_are_floats(source, request):
    pytest.importorskip("xarray")
    results = request.getfixturevalue(source)
    rows, frame, data = results.rows(), results.to_pandas(), results.to_xarray()
    lacking = {key for row in rows for key, value in row.items() if value is None}
    assert {"cosine", "share(-,+)"} <= lacking
    assert source == "finished" or {"wga", "simulator", "paired"} <= lacking
    for key in lacking:
        assert frame[key].dtype == data[key].dtype == np.float64
        assert np.isnan(frame[key]).sum() == np.isnan(data[key].values).sum() == sum(row[key] is None for row in rows)


def test_yes_and_no_with_none_are_floats(finished):
    pytest.importorskip("pandas")
    rows = [{"paired": True, "limit": "population"}, {"paired": None, "limit": None}, {"paired": False, "limit": None}]
    frame = data_frame(rows, "to_pandas")
    np.testing.assert_array_equal(frame["paired"], [1.0, np.nan, 0.0])
    assert frame["limit"].tolist()[0] == "population"


@pytest.mark.parametrize("source", ["finished", "mixed"])
def test_netcdf_reads_back_as_the_data_set(source, request, tmp_path):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5py")
    results = request.getfixturevalue(source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        WRITERS["netcdf"](results, tmp_path / "results.nc")
        with xarray.open_dataset(tmp_path / "results.nc", engine="h5netcdf") as held:
            read = held.load()
    written = results.to_xarray()
    xarray.testing.assert_equal(read.drop_vars("paired"), written.drop_vars("paired"))
    assert read.attrs["experiment"] == results.experiment.to_json()


@pytest.mark.parametrize(
    ("form", "missing"),
    [("netcdf", "h5py"), ("netcdf", "h5netcdf"), ("netcdf", "xarray"), ("parquet", "pyarrow"), ("parquet", "pandas")],
)
def test_an_export_names_the_package_that_is_missing(finished, monkeypatch, tmp_path, form, missing):
    for name in ("h5netcdf", "h5py", "xarray", "pandas", "pyarrow"):  # the others are there, or stand in for it
        monkeypatch.setitem(sys.modules, name, None if name == missing else types.ModuleType(name))
    with pytest.raises(ImportError, match=rf"needs {missing}: pip install 'llrsim\[table\]'"):
        WRITERS[form](finished, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_the_extra_installs_what_exports_import():
    """The packages of `[table]` are those that the message of a missing one may name."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.split(r"[<>=~! ]", entry)[0] for entry in project["optional-dependencies"]["table"]}
    assert names == {"pandas", "pyarrow", "xarray", "h5netcdf", "h5py"}


@pytest.mark.parametrize("module", ["pandas", "xarray"])
def test_missing_table_libraries_name_the_extra(finished, monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"pip install 'llrsim\[table\]'"):
        getattr(finished, f"to_{module}")()


def test_a_number_in_the_terminal_says_what_it_rests_on():
    """As the CSV has them: the number of the replicates with a head beside their count, and a status that says more."""
    row = {"wga": 0.7, "wga_low": 0.61, "wga_high": 0.79, "replicates": 2, "status": "converged"}
    assert _simulated(row) == "0.7000 [0.610, 0.790]"
    assert _simulated(row | {"status": "separable"}) == "0.7000 [0.610, 0.790]\n2 with a head; separable"
    assert _simulated(row | {"status": "not-unique"}) == "0.7000 [0.610, 0.790]\nnot-unique"
    assert _simulated(row | {"wga": None, "status": "separable"}) == "separable"
    assert _predicted({"predicted_wga": 0.7, "predicted_status": "bias-not-unique"}) == "0.7000\nbias-not-unique"
    assert _predicted({"predicted_wga": 0.7, "predicted_status": "finished"}) == "0.7000"
    assert _predicted({"predicted_wga": None, "predicted_status": None}) == ""
