"""The rows of six small sweeps are those of the committed tables, on any machine (`golden/rows.py` has the exact test).

Tolerances: a prediction is a fixed point solved to a relative residual of 1e-10, so 1e-9; a fitted head is known to its
certificate of 1e-9 relative gradient, which leaves 1e-7 in accuracies and heads; an accuracy that is counted on fresh
rows may differ where rounding moves a row across the boundary, so two rows of the test set.
"""

import math

import pytest
from golden.rows import FILES, options, read

import llrsim
from llrsim.sweep.results import write_csv

PREDICTED, FITTED = 1e-9, 1e-7
COUNTED = 2 / 4000  # test rows of a group in e13


def tolerance(file, column):
    if "predicted_" in column:
        return PREDICTED
    return COUNTED if file == "e13" and ("accuracy" in column or "wga" in column) else FITTED


def mismatches(file, rows, golden):
    """Cells of two tables that are farther apart than the tolerance, or that differ as text."""
    assert [list(row) for row in rows] == [list(row) for row in golden]
    for number, (row, kept) in enumerate(zip(rows, golden, strict=True), 1):
        for column in row:
            try:
                value, expected = float(row[column]), float(kept[column])
            except ValueError:
                if row[column] != kept[column]:
                    yield number, column, row[column], kept[column]
                continue
            if not math.isclose(value, expected, rel_tol=(allowed := tolerance(file, column)), abs_tol=allowed):
                yield number, column, value, expected


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_rows_are_the_golden_ones(path, tmp_path):
    predict_only = "--predict-only" in options(path)
    results = llrsim.run_sweep(llrsim.load(path), out=tmp_path, predict_only=predict_only, jobs=1)
    write_csv(results.rows(), tmp_path / "rows.csv")
    assert list(mismatches(path.stem, read(tmp_path / "rows.csv"), read(path.with_suffix(".csv")))) == []


@pytest.mark.parametrize("column", ["accuracy(+,-)", "predicted_signal1", "status", "bias_se"])
def test_a_row_that_moved_is_noticed(column):
    golden = read(FILES[0].with_suffix(".csv"))
    moved = [dict(row) for row in golden]
    moved[1][column] = "not-separable" if column == "status" else str(float(moved[1][column]) + 1e-5)
    assert [(number, name) for number, name, *_ in mismatches("quick", moved, golden)] == [(2, column)]
