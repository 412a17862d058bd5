"""Predictions with the group shares that a file states: along an axis they have no steps, and every readout says so."""

import csv

import naive_proportional as naive
import numpy as np
import pytest
from sweep_cases import EVERY_METHOD, small

import llrsim
from llrsim.commands import main_sweep
from llrsim.model.plan import plan
from llrsim.sweep import run_sweep
from llrsim.sweep.store import Reader
from llrsim.sweep.verify import verify_results

RATIO = "heldout.minority_ratio"
RATIOS = [0.2, 0.21]


def curve(**values):
    """Least squares on few held-out rows: neighbouring ratios round to the same whole rows."""
    methods = [{"kind": "erm"}, {"kind": "llr"}]
    changed = {"head__loss": "squared", "heldout__n": 40, "train__n": 83, "sweep__grid": {RATIO: RATIOS}}
    return small(**changed).replace(method=methods, **values)


def twin(ratio):
    """The naive problem of llr, with shares of majority and minority by hand."""
    majority, minority = 0.5 / (1 + ratio), 0.5 * ratio / (1 + ratio)
    means = [[y * 1.0, a * 1.5] for y in (-1, 1) for a in (-1, 1)]
    return naive.Problem(
        loss="squared",
        ratio=3 / 40,
        shares=[majority, minority, minority, majority],
        weights=[1.0] * 4,
        labels=[-1, -1, 1, 1],
        means=means,
        covariances=[np.diag([0.36, 0.09])] * 4,
        noise_std=[1.0] * 4,
        ridge=0.1,
    )


def test_a_predicted_curve_has_the_shares_of_the_file(tmp_path):
    experiment = curve()
    counts = {experiment.with_values({RATIO: ratio}).heldout_counts() for ratio in RATIOS}
    assert len(counts) < len(RATIOS)
    for cell in run_sweep(experiment, out=tmp_path, jobs=1, predict_only=True).outcomes():
        head, reference = cell.prediction["llr"].heads, naive.solve(twin(cell.axes[RATIO]), nodes=9)
        np.testing.assert_allclose(head.signal[0], reference["u"], rtol=1e-7)
        np.testing.assert_allclose([head.bias[0], head.noise_spread[0]], [reference["b"], reference["q"]], atol=1e-7)


def test_every_method_is_predicted_as_in_the_same_file_with_many_more_rows():
    noisy = {"heldout": {"n": 41, "minority_ratio": 0.3, "annotation_noise": 0.13}, "sweep": {"replicates": 2}}
    fixed = [method for method in EVERY_METHOD if "path" not in str(method)]
    upsampled = {"kind": "dfr", "name": "upsampled", "balance": "upsample"}
    experiment = small(train__n=83, test__collapse__attribute=0.5).replace(method=[*fixed, upsampled], **noisy)
    times = 10**7
    larger = {"features.noise.dim": 3, "train.n": 83, "heldout.n": 41, "method.self.k": 9}
    brute = llrsim.predict(experiment.with_values({key: times * value for key, value in larger.items()}))
    found = llrsim.predict(experiment, shares="nominal")
    whole = llrsim.predict(experiment)
    for method in found:
        np.testing.assert_allclose(method.group_accuracy, brute[method.label].group_accuracy, atol=2e-7)
        average = brute[method.label].readout.average_accuracy
        np.testing.assert_allclose(method.readout.average_accuracy, average, atol=2e-7)
        assert method.stage.shares == "nominal"
        assert method.stage.rows == whole[method.label].stage.rows
    gaps = [abs(found[label].group_accuracy - whole[label].group_accuracy).max() for label in ("llr-on-train", "self")]
    assert min(gaps) > 1e-3


def test_counts_in_a_file_are_its_shares():
    experiment = small().replace(
        train={"counts": [56, 8, 8, 8]}, heldout={"counts": [17, 3, 3, 17]}, sweep={"replicates": 2}
    )
    for method in llrsim.predict(experiment, shares="nominal"):
        expected = llrsim.predict(experiment)[method.label]
        np.testing.assert_allclose(method.group_accuracy, expected.group_accuracy, atol=1e-12)


def test_a_spectrum_grows_with_the_rows():
    experiment = small().replace(
        features={"core": {"mean": 1.0, "std": 0.6}, "noise": {"spectrum": [[2.0, 3], [0.5, 7]]}},
        train={"n": 40, "proportions": [0.25] * 4},
        sweep={"replicates": 2},
    )
    for method in llrsim.predict(experiment, shares="nominal"):
        expected = llrsim.predict(experiment)[method.label]
        np.testing.assert_allclose(method.group_accuracy, expected.group_accuracy, atol=1e-10)


def test_a_group_with_a_share_is_predicted_though_no_whole_row_is_of_it(recwarn):
    experiment = small(heldout__minority_ratio=0.02, heldout__n=20)
    assert min(experiment.heldout_counts()) == 0
    assert llrsim.predict(experiment, shares="nominal")["dfr"].stage.selection.counts.min() == 0
    assert not recwarn
    assert plan(experiment, "nominal").stages[1].selection.mass.tolist() == pytest.approx([0.25] * 4)


def test_shares_of_another_name_are_refused():
    with pytest.raises(ValueError, match="shares: 'exact'; expected one of realised, nominal"):
        llrsim.predict(small(), shares="exact")


def test_a_row_and_a_caption_say_whose_the_shares_are_and_beside_a_simulation_they_are_realised(tmp_path, capsys):
    file = tmp_path / "curve.toml"
    file.write_text(curve(sweep={"replicates": 2, "grid": {RATIO: RATIOS}}).to_toml())
    out = tmp_path / "out"
    runs = ((["--predict-only"], "nominal", 4), ([], "realised", 6), (["--predict-only"], "realised", 6))
    for options, shares, stored in runs:
        assert main_sweep([str(file), "--jobs", "1", "--out", str(out), *options]) == 0
        assert f"shares = {shares}" in capsys.readouterr().out
        for name in ("results.csv", "wga_by_heldout_minority_ratio.csv"):
            with (out / name).open() as lines:
                assert {row["shares"] for row in csv.DictReader(lines)} == {shares}
        for cell in llrsim.open_results(out).outcomes():
            expected = llrsim.predict(llrsim.load(file).with_values(cell.axes), shares=shares)
            for method in cell.prediction:
                assert method.stage.shares == shares
                alone, again = expected[method.label].readout, method.readout
                np.testing.assert_allclose(again.group_accuracy, alone.group_accuracy, rtol=1e-8)
                np.testing.assert_allclose(again.average_accuracy, alone.average_accuracy, rtol=1e-8)
        with Reader(out) as reader:
            assert reader.count("predictions") == stored


def test_nominal_predictions_come_out_again(tmp_path):
    run_sweep(curve(), out=tmp_path, jobs=1, predict_only=True)
    found = verify_results(tmp_path)
    assert found.fine, str(found)
    assert found.predicted == 4


def test_a_folder_of_simulations_is_given_no_nominal_predictions(tmp_path):
    experiment = curve(sweep={"replicates": 2, "grid": {RATIO: RATIOS}})
    run_sweep(experiment, out=tmp_path, jobs=1)
    results = run_sweep(experiment, out=tmp_path, jobs=1, predict_only=True)
    with Reader(tmp_path) as reader:
        assert (reader.count("predictions"), reader.count("cells")) == (2, 2)
    assert {row["shares"] for row in results.rows()} == {"realised"}


@pytest.mark.parametrize("shares", ["realised", "nominal"])
def test_a_prediction_says_which_shares_it_has(shares):
    found = llrsim.predict(curve().with_values({RATIO: 0.21}), shares=shares)
    assert {row["shares"] for row in found.rows()} == {shares}
    assert {method["shares"] for method in found.to_dict()["methods"].values()} == {shares}
    assert ("(shares = nominal)" in repr(found)) == (shares == "nominal")
