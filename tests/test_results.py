"""Results of a finished sweep: rows, selections and tables, and what the end of a sweep says of them."""

import sqlite3
import sys

import numpy as np
import pytest
from sweep_cases import small

import llrsim
from llrsim.outcome import half_width_of
from llrsim.sweep import finish, open_results, run_sweep
from llrsim.sweep.checksums import checksum
from llrsim.sweep.format import CHECKED, FILE


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
        assert row["wga_of_means"] == min(accuracies)
        assert row["wga"] <= row["wga_of_means"]
        assert row["wga"] <= row["direction_wga"] + 1e-12
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
            "wga_of_means": simulated.wga_of_means,
            "wga_of_means_se": errors[simulated.group_accuracy.argmin()],
            "direction_wga_se": simulated.standard_error(simulated.readout.direction_wga),
            "signal2": simulated.heads.signal[:, 1].mean(),
            "bias": simulated.heads.bias.mean(),
            "noise_norm_se": simulated.standard_error(simulated.heads.noise_norm),
            "accuracy(+,-)": simulated.group_accuracy[2],
            "mass(+,-)": simulated.mass[2],
            "predicted_wga_of_means": predicted.wga_of_means,
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
    assert dfr["wga"] == pytest.approx(kept.mean(), rel=1e-12)
    assert dfr["wga"] != before["dfr"]["wga"]


def test_what_simulated_a_row_is_stored_and_restored(tmp_path):
    results = run_sweep(small(), out=tmp_path, jobs=1)
    assert {cell.simulation.simulator for cell in results.outcomes()} == {"dense"}
    rewritten(tmp_path, "simulator = 'other'")
    assert {cell.simulation.simulator for cell in results.outcomes()} == {"other"}
    assert {row["simulator"] for row in results.rows()} == {"other"}


def test_the_terminal_table_sets_like_beside_like(finished):
    rows = finished.rows()
    for table in (finish._every_row(finished, rows), finish._by_method(finished, rows)):
        columns = {column.header: list(column.cells) for column in table.columns}
        if "± 95 %" in columns:
            assert columns["simulated"] == [f"{row['wga_of_means']:.4f}" for row in rows]
            assert columns["± 95 %"] == [
                f"{half_width_of(row['wga_of_means_se'], row['replicates'] - 1):.4f}" for row in rows
            ]
            assert columns["predicted"] == [f"{row['predicted_wga_of_means']:.4f}" for row in rows]
            assert columns["mean worst"] == [f"{row['wga']:.4f}" for row in rows]
        else:
            dfr = [row for row in rows if row["method"] == "dfr"]
            gap = max(abs(row["wga_of_means"] - row["predicted_wga_of_means"]) for row in dfr)
            assert columns["largest gap to prediction"][1] == f"{gap:.4f}"
            assert columns["simulated"][1] == f"{np.mean([row['wga_of_means'] for row in dfr]):.4f}"
            assert columns["mean worst"][1] == f"{np.mean([row['wga'] for row in dfr]):.4f}"


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


def test_to_pandas_and_to_xarray(finished):
    pytest.importorskip("pandas")
    pytest.importorskip("xarray")
    frame = finished.to_pandas()
    data = finished.to_xarray()
    row = frame[(frame["method"] == "dfr") & (frame["train.n"] == 120)].iloc[1]
    picked = data.sel({"method": "dfr", "train.n": 120, "heldout.minority_ratio": 1.0})
    assert float(picked["wga"]) == row["wga"]


@pytest.mark.parametrize("module", ["pandas", "xarray"])
def test_missing_table_libraries_name_the_extra(finished, monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"pip install 'llrsim\[table\]'"):
        getattr(finished, f"to_{module}")()
