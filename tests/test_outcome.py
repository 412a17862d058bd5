"""An outcome as records, rows, tables and text: one set of numbers, selected from."""

import json
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
from made_up_outcomes import EXPERIMENT, outcome
from scipy.stats import t, ttest_1samp

import llrsim
from llrsim.experiment import Descent, Method
from llrsim.model.head import read_out
from llrsim.model.losses import Status
from llrsim.outcome import MethodOutcome, half_width, half_width_of, plain
from llrsim.prediction import predict
from llrsim.simulation import simulate
from llrsim.statistics import interval_of_least
from llrsim.studies.evidence import ACCURACY, DIFFERENCE, estimate

REPLICATES = 5


@pytest.fixture(scope="module")
def several():
    return outcome(EXPERIMENT, "simulation", REPLICATES, 3)


@pytest.fixture(scope="module")
def single():
    return outcome(EXPERIMENT, "simulation", 1, 3)


@pytest.fixture(scope="module")
def predicted():
    return predict(EXPERIMENT)


def failed(status=Status.SEPARABLE, replicates=REPLICATES, only=None, **fields):
    """A made-up method of which all replicates failed, or those listed in `only`."""
    found = outcome(EXPERIMENT, "simulation", replicates, 3)
    method = found["llr"]
    lost = np.isin(np.arange(replicates), range(replicates) if only is None else only)
    heads = method.heads[np.arange(replicates)]
    for values in (heads.signal, heads.bias, heads.noise_norm, heads.noise_spread):
        values[lost] = np.nan
    codes = np.where(lost, int(status), method.status)
    certificate = np.where(lost, np.nan, method.certificate)
    changed = MethodOutcome(
        method.stage, method.test, heads, codes, certificate, method.iterations, method.limit, **fields
    )
    return type(found)(found.name, dict(found.methods) | {"llr": changed}, found.side)


def test_the_json_form_of_a_prediction(predicted):
    told = json.loads(json.dumps(predicted.to_dict(), allow_nan=False))
    assert told["name"] == "small"
    assert list(told["methods"]) == ["erm", "llr", "dfr"]
    llr, method = told["methods"]["llr"], predicted["llr"]
    assert llr["wga"] == method.readout.wga[0]
    assert llr["group_accuracy"] == method.readout.group_accuracy[0].tolist()
    assert llr["mass"] == method.stage.selection.mass.tolist()
    assert llr["head"]["signal"] == method.heads.signal[0].tolist()
    assert llr["head"]["bias"] == method.heads.bias[0]
    assert llr["head"]["noise_norm"] == method.heads.noise_norm[0]
    assert not {"replicates", "standard_error"} & set(llr)


def test_a_simulation_adds_replicates_and_standard_errors(several):
    told = json.loads(json.dumps(several.to_dict(), allow_nan=False))["methods"]["llr"]
    method = several["llr"]
    assert told["replicates"] == REPLICATES
    for values, mean, error in (
        (method.readout.wga, told["wga_per_run"], told["standard_error"]["wga_per_run"]),
        (method.readout.group_accuracy, told["group_accuracy"], told["standard_error"]["group_accuracy"]),
        (method.heads.signal, told["head"]["signal"], told["standard_error"]["head"]["signal"]),
        (method.heads.bias, told["head"]["bias"], told["standard_error"]["head"]["bias"]),
    ):
        assert mean == pytest.approx(values.mean(axis=0))
        assert error == pytest.approx(values.std(axis=0, ddof=1) / np.sqrt(REPLICATES))
    numbers = {name for name in method.summary() if name not in told["head"]}
    assert set(told["standard_error"]) == numbers | {"head"}


def test_the_error_of_the_least_mean_is_that_of_its_group(several):
    for method in several:
        accuracy = method.readout.group_accuracy
        worst = accuracy.mean(axis=0).argmin()
        mean, error = method.summary()["wga"]
        assert (mean, method.worst_group) == (accuracy.mean(axis=0)[worst], worst)
        assert method.wga == accuracy.mean(axis=0).min()
        assert error == pytest.approx(accuracy[:, worst].std(ddof=1) / np.sqrt(REPLICATES))
        half = t.ppf(1 - 0.025 / 4, REPLICATES - 1) * accuracy.std(axis=0, ddof=1) / np.sqrt(REPLICATES)
        ends = max((accuracy.mean(axis=0) - half).min(), 0.0), min((accuracy.mean(axis=0) + half).min(), 1.0)
        assert method.wga_interval == pytest.approx(ends, rel=1e-12)
        assert method.to_dict()["wga_interval"] == list(method.wga_interval)
        bias_part, _ = method.summary()["bias_part"]
        assert bias_part == pytest.approx(method.wga - method.readout.direction_wga.mean(), abs=1e-14)


def test_a_single_replicate_has_null_errors_and_no_interval(single):
    told = json.loads(json.dumps(single.to_dict(), allow_nan=False))["methods"]["dfr"]
    assert told["replicates"] == 1
    assert told["standard_error"].pop("head") == dict.fromkeys(told["head"])
    assert set(told["standard_error"].values()) == {None}
    assert single["dfr"].interval(single["dfr"].readout.wga) is None
    assert single.rows()[0]["wga_se"] is None
    assert "95 %" not in repr(single)


def test_the_interval_is_students():
    values = np.random.default_rng(0).normal(size=(4, 3))
    ends = ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert values.mean(axis=0) + half_width(values) == pytest.approx(ends.high, rel=1e-12)
    assert values.mean(axis=0) - half_width(values) == pytest.approx(ends.low, rel=1e-12)
    assert np.isinf(half_width(values[:1])).all()
    error = values.std(axis=0, ddof=1) / 2
    assert half_width_of(error, 3) == pytest.approx(half_width(values), rel=1e-12)
    assert half_width_of(error) == pytest.approx(1.959964 * error, rel=1e-6)


def test_intervals_of_accuracies_end_at_zero_and_one():
    """Of two replicates, whose t interval leaves [0, 1] on both sides; a gain's leaves [-1, 1]."""
    accuracies = np.array([0.2, 0.5])
    assert np.abs(ttest_1samp(accuracies, 0.35).confidence_interval(0.95)).min() > 1
    assert interval_of_least([0.35], [0.15], 2) == (0.0, 1.0)
    assert interval_of_least([0.35, 0.9], [0.15, 0.0], 2) == (0.0, 0.9)
    told = estimate("wga", accuracies, ACCURACY)
    assert (told["wga_low"], told["wga_high"]) == (0.0, 1.0)
    told = estimate("gain", accuracies - 0.35, DIFFERENCE)
    assert (told["gain_low"], told["gain_high"]) == (-1.0, 1.0)
    told = estimate("angle", accuracies)
    assert told["angle_low"] < 0
    assert told["angle_high"] > 1


def test_a_head_that_is_one_of_many_says_so_everywhere(several):
    """Whatever else a method has to say: the words of its printed line, its record and its row are the same."""
    method = several["dfr"]
    assert method.remark == ""
    assert method.row()["remark"] is None
    assert "remark" not in method.to_dict()
    status = method.status.copy()
    status[1:3] = Status.NOT_UNIQUE
    many = replace(method, status=status)
    assert many.remark.startswith(f"not unique in 2 of {len(status)} replicates: nothing is penalised")
    assert "head.ridge > 0" in many.remark
    assert many.remark == many.to_dict()["remark"] == many.row()["remark"]
    assert f"({many.remark})" in repr(replace(several, methods={"dfr": many}))
    status[0] = Status.SEPARABLE
    partly = replace(method, status=status)
    assert partly.message == Status.SEPARABLE.message_on(partly.stage.data)
    assert partly.remark == many.remark


def test_intervals_and_means_leave_failed_replicates_out():
    method = failed(only=[1, 3])["llr"]
    kept = method.readout.wga[[0, 2, 4]]
    half = t.ppf(0.975, 2) * kept.std(ddof=1) / np.sqrt(3)
    assert method.interval(method.readout.wga) == pytest.approx((kept.mean() - half, kept.mean() + half))
    assert method.wga_per_run == pytest.approx(kept.mean())
    assert method.wga == pytest.approx(method.readout.group_accuracy[[0, 2, 4]].mean(axis=0).min())
    assert method.to_dict()["replicates"] == 3
    assert method.to_dict()["status"] == "separable"
    assert "(2 of 5 replicates: separable)" in repr(failed(only=[1, 3]))


def test_a_failed_method_is_null_everywhere_and_says_why():
    found = failed()
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))["methods"]["llr"]
    assert told["status"] == "separable"
    assert told["message"] == Status.SEPARABLE.message_on("the held-out data")
    assert told["message"].startswith("the held-out data are linearly separable")
    assert "ridge = 0: set head.ridge > 0" in told["message"]
    assert told["replicates"] == 0
    assert [told[name] for name in ("wga", "wga_per_run", "wga_interval", "worst_group")] == [None] * 4
    assert told["group_accuracy"] == [None] * 4
    assert told["head"]["signal"] == [None, None]
    (row,) = found.select(method="llr")
    assert (row["wga"], row["wga_se"], row["accuracy(-,+)"]) == (None, None, None)
    assert row["mass(-,+)"] == found["llr"].mass[1]
    assert told["message"] in repr(found)


def test_a_diverged_method_tells_its_largest_stable_step():
    assert "largest stable step 0.125" in repr(failed(Status.DIVERGED, largest_stable_step=0.125))
    assert "(largest stable step" not in repr(failed(Status.DIVERGED))


def test_rows_records_and_text_tell_the_same_numbers(several):
    records = several.to_dict()["methods"]
    lines = repr(several).splitlines()
    columns = ("method", "wga", "95 % of wga", "wga_per_run", "± 95 %", "best bias", "average", "mass")
    assert re.split(r" {2,}", lines[1].strip()) == list(columns)
    for row, line in zip(several.rows(), lines[2:], strict=True):
        told, method = records[row["method"]], several[row["method"]]
        assert (row["wga"], row["wga_se"]) == (told["wga"], told["standard_error"]["wga"])
        assert row["accuracy(+,-)"] == told["group_accuracy"][2]
        assert row["signal2_se"] == told["standard_error"]["head"]["signal"][1]
        factor = t.ppf(0.975, REPLICATES - 1)
        assert [row["wga_low"], row["wga_high"]] == told["wga_interval"]
        numbers = [row["wga_per_run"], factor * row["wga_per_run_se"], row["direction_wga"], row["average_accuracy"]]
        interval = f"[{row['wga_low']:.4f}, {row['wga_high']:.4f}]"
        shown = [f"{row['wga']:.4f}", *interval.split(), *(f"{number:.4f}" for number in numbers)]
        assert line.split()[:8] == [method.label, *shown]


def test_predictions_print_one_worst_group_accuracy(predicted):
    lines = repr(predicted).splitlines()
    assert lines[0] == "small: prediction"
    assert lines[1].split() == ["method", "wga", "best", "bias", "average", "mass"]
    assert lines[2].split()[1] == f"{predicted['erm'].wga:.4f}"


def test_selecting_a_method(several):
    (row,) = several.select(method="dfr")
    assert row == several.rows()[2]
    assert several.select() == several.rows()
    with pytest.raises(KeyError, match="no method 'afr'; this outcome has erm, llr, dfr"):
        several.select(method="afr")


def test_axes_stand_in_rows_and_records(several):
    placed = type(several)(several.name, several.methods, several.side, axes={"head.ridge": 0.1})
    assert [row["head.ridge"] for row in placed.rows()] == [0.1] * 3
    assert placed.to_dict()["axes"] == {"head.ridge": 0.1}
    assert placed.select("dfr", **{"head.ridge": 0.1}) == [placed.rows()[2]]
    assert placed.select(**{"head.ridge": 0.2}) == []
    with pytest.raises(KeyError, match=r"'train\.n' is not an axis of this outcome; axes: head\.ridge"):
        placed.select(**{"train.n": 100})
    with pytest.raises(KeyError, match="axes: none"):
        several.select(**{"head.ridge": 0.1})


def test_a_simulation_and_a_descents_path_are_strict_json():
    steps = Descent(steps=20, step_size=0.1, path=(5, 20))
    small = EXPERIMENT.replace(method=[Method(kind="llr", head={"solver": steps})])
    told = json.loads(json.dumps(simulate(small, 2).to_dict(), allow_nan=False))["methods"]["llr"]
    assert told["path"]["steps"] == [5, 20]
    assert told["path"]["wga"][1] == pytest.approx(told["wga"])
    assert told["path"]["wga_per_run"][1] == pytest.approx(told["wga_per_run"])


@pytest.mark.parametrize("replicates", [1, 3])
def test_paths_are_printed(replicates):
    recorded = tuple(range(1, 14)) if replicates == 1 else (5, 20)
    steps = Descent(steps=20, step_size=0.1, path=recorded)
    methods = [Method(kind="erm"), Method(kind="llr", head={"solver": steps})]
    found = simulate(EXPERIMENT.replace(method=methods), replicates)
    *_, title, told, accuracies = repr(found).splitlines()
    along = read_out(found["llr"].path.heads, found["llr"].test).group_accuracy.mean(axis=0).min(axis=-1)
    if replicates == 1:
        assert title == "  llr along its descent (10 of 13 recorded steps)"
        shown = [int(step) for step in told.split()[1:]]
        assert (len(shown), shown[0], shown[-1]) == (10, 1, 13)
        assert accuracies.split() == ["wga", *(f"{along[step - 1]:.4f}" for step in shown)]
    else:
        assert title == "  llr along its descent"
        assert told.split() == ["step", "5", "20"]
        assert accuracies.split() == ["wga", *(f"{value:.4f}" for value in along)]
        assert float(accuracies.split()[-1]) == round(found["llr"].wga, 4)
    assert "erm along" not in repr(found)


def test_plain_numbers():
    assert plain(np.array([1.0, np.nan, np.inf])) == [1.0, None, None]
    assert json.dumps(plain(np.int64(1))) == "1"


@pytest.mark.parametrize(("name", "library"), [("to_pandas", "pandas"), ("to_xarray", "xarray")])
def test_a_missing_table_library_names_the_extra(several, name, library, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=rf"{name} needs {library}: pip install 'llrsim\[table\]'"):
        getattr(several, name)()


def test_a_data_frame_has_a_row_a_method(several):
    pytest.importorskip("pandas")
    frame = several.to_pandas()
    assert frame["method"].tolist() == ["erm", "llr", "dfr"]
    assert frame["wga"].tolist() == [method.wga for method in several]


def test_a_data_set_runs_along_the_methods(several):
    pytest.importorskip("xarray")
    placed = type(several)(several.name, several.methods, several.side, axes={"head.ridge": 0.1})
    data = placed.to_xarray()
    assert dict(data.sizes) == {"method_name": 3}
    assert float(data["wga"].sel(method_name="llr")) == several["llr"].wga
    assert data.attrs == {"name": "small", "head.ridge": 0.1}


@pytest.mark.parametrize("limit", ["proportional", "population"])
def test_a_prediction_of_heads_on_a_network_says_that_the_network_is_why(limit):
    """And names longer than the column are told apart from what follows."""
    told = predict(llrsim.load("e13"), limit)
    longest = max(told, key=lambda method: len(method.label))
    assert len(longest.label) >= 16
    assert f"  {longest.label}  no-prediction: there is no closed-form prediction of features that a network" in repr(
        told
    )
    assert all("network" in method["message"] for method in told.to_dict()["methods"].values())
    starts = {line.index("no-prediction") for line in repr(told).splitlines()[2:]}
    assert len(starts) == 1


def test_long_names_widen_the_table():
    named = EXPERIMENT.replace(method=[{"kind": "erm", "name": "a-method-with-a-long-name"}], sweep={})
    _, header, line, *_ = repr(predict(named)).splitlines()
    assert line.startswith("  a-method-with-a-long-name   ")
    assert line.index(" 0.") + len(" 0.1234") == header.index("wga") + len("wga")
