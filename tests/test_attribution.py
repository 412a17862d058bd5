"""The split of the gain: endpoints and cells of the factorial, effects, known values of T21."""

import json
from dataclasses import replace

import numpy as np
import pytest
from attribution_cases import EXACT, IMBALANCED, experiment
from scipy.stats import ttest_1samp

import llrsim
from llrsim.attribution import build, explain, shapley
from llrsim.experiment import EmptyGroupWarning, ExperimentError
from llrsim.model.plan import Plan, plan
from llrsim.simulation import simulate_plan
from llrsim.statistics import extrapolate, freedom, hotelling, intercept_weights

SOLVE = 1e-8  # the accuracy that follows from heads solved to 1e-9 or better


def in_one_role(resolved):
    """The plan with all samples drawn as a factorial's are."""
    return Plan(tuple(replace(s, role="factorial") for s in resolved.samples), resolved.stages, resolved.test)


def in_population(described):
    """The splits in the population limit, where sizes do not matter."""
    return explain(described, side="prediction", limit="population")


ENDPOINTS = {
    "weights": {"kind": "dfr"},
    "subset": {"kind": "dfr", "balance": "subset"},
    "classes": {"kind": "cb-llr"},
    "size": {"kind": "llr-on-train"},
    "solver": {"kind": "llr", "head": {"loss": "squared", "ridge": 0.1}},
    "anchored": {"kind": "dfr", "from": "erm", "anchor": 0.3},
    "descended": {"kind": "llr", "from": "erm", "head": {"solver": {"steps": 5, "step_size": 0.2, "path": [2]}}},
    "averaged": {"kind": "dfr", "balance": "subset", "average": 3},
}


class TestFactorial:
    @pytest.mark.parametrize("method", ENDPOINTS.values(), ids=ENDPOINTS)
    def test_first_cell_is_erm_and_last_is_the_method(self, method):
        described = experiment(methods=("erm", method), heldout={"proportions": [0.4, 0.3, 0.1, 0.2]})
        split = explain(described, replicates=3, side="simulation")[method["kind"]]
        resolved = plan(described)
        drawn_alike = simulate_plan(in_one_role(resolved), replicates=3)
        m = len(split.switches)
        first = split.cells.group_accuracy[(0,) * m]
        np.testing.assert_allclose(first, drawn_alike["erm"].readout.group_accuracy, atol=SOLVE)
        if "from" in method:  # the head it starts from is fitted to its own training sample
            samples = (resolved.samples[0], replace(resolved.samples[1], role="factorial"))
            drawn_alike = simulate_plan(Plan(samples, resolved.stages, resolved.test), replicates=3)
        last = split.averaged.group_accuracy if split.averaged else split.cells.group_accuracy[(1,) * m]
        np.testing.assert_allclose(last, drawn_alike[method["kind"]].readout.group_accuracy, atol=SOLVE)

    def test_wrong_annotations_keep_their_rows_weights(self):
        described = experiment(methods=("erm", "dfr"), heldout={"annotation_noise": 0.2})
        split = explain(described, replicates=2, side="simulation")["dfr"]
        alone = simulate_plan(in_one_role(plan(described)), replicates=2)["dfr"]
        last = split.cells.group_accuracy[(1,) * 4]
        np.testing.assert_allclose(last, alone.readout.group_accuracy, atol=SOLVE)

    def test_whole_repeats_are_weighting(self):
        repeated = {"kind": "dfr", "balance": "upsample"}
        described = experiment(
            methods=("erm", repeated), heldout={"n": None, "proportions": None, "counts": [80, 40, 20, 10]}
        )
        split = explain(described, replicates=2, side="simulation")["dfr"]
        assert split.switches == ("composition", "weighting", "collapse", "size")
        alone = simulate_plan(in_one_role(plan(described)), replicates=2)["dfr"]
        last = split.cells.group_accuracy[(1,) * 4]
        np.testing.assert_allclose(last, alone.readout.group_accuracy, atol=SOLVE)

    def test_a_subset_sets_composition_and_size(self):
        described = experiment(methods=("erm", {"kind": "dfr", "balance": "subset"}), heldout={"n": 400})
        resolved = plan(described)
        cells, (factorial,) = build(resolved, resolved.stages[0], list(resolved.stages[1:]))
        assert factorial.switches == ("composition", "collapse", "size")
        stage = {stage.label: stage for stage in cells.stages}
        assert stage[factorial.cells[0, 0, 1]].selection.counts.tolist() == [133, 7, 7, 133]
        assert stage[factorial.cells[1, 0, 0]].selection.counts.tolist() == [100] * 4
        assert stage[factorial.cells[1, 1, 1]].selection.counts.tolist() == [70] * 4

    def test_collapse_is_one_map_of_the_training_law(self):
        resolved = plan(experiment())
        cells, (factorial,) = build(resolved, resolved.stages[0], list(resolved.stages[1:]))
        for bits in np.ndindex(factorial.cells.shape):
            stage = next(stage for stage in cells.stages if stage.label == factorial.cells[bits])
            law = cells.samples[stage.sample].mixture
            own = resolved.samples[bits[factorial.switches.index("collapse")]].mixture
            np.testing.assert_array_equal(law.means, own.means)
            np.testing.assert_array_equal(law.noise_std, own.noise_std)
            np.testing.assert_allclose(law.proportions, stage.selection.proportions, atol=EXACT)

    def test_methods_share_cells(self):
        resolved = plan(experiment(methods=("erm", "llr", "dfr", "llr-on-train")))
        cells, factorials = build(resolved, resolved.stages[0], list(resolved.stages[1:]))
        assert [f.cells.size for f in factorials] == [8, 16, 2]
        assert len(cells.stages) == 16  # the other methods' cells are those of dfr without weighting
        assert len(cells.samples) == 8
        assert {sample.role for sample in cells.samples} == {"factorial"}

    def test_weighting_multiplies_the_shares_a_cell_has(self):
        resolved = plan(experiment(methods=("erm", "dfr")))
        cells, (factorial,) = build(resolved, resolved.stages[0], list(resolved.stages[1:]))
        stage = {stage.label: stage for stage in cells.stages}
        weight = np.array([0.25 / 0.325, 0.25 / 0.175, 0.25 / 0.175, 0.25 / 0.325])
        expected = np.array(IMBALANCED) * weight / (np.array(IMBALANCED) @ weight)
        np.testing.assert_allclose(stage[factorial.cells[0, 1, 0, 0]].selection.mass, expected, atol=EXACT)

    @pytest.mark.filterwarnings("ignore::llrsim.experiment.EmptyGroupWarning")
    def test_mass_of_a_group_without_rows_falls_on_the_others(self):
        counts = {"n": None, "counts": [190, 20, 0, 190], "proportions": None}
        described = experiment(methods=("erm", "dfr"), train=counts)
        with pytest.warns(EmptyGroupWarning):
            split = explain(described, replicates=2, side="simulation")["dfr"]
        assert any("(+,-)" in note for note in split.notes)
        assert split.replicates == 2
        cells, (factorial,) = build(plan(described), plan(described).stages[0], [plan(described).stages[1]])
        stage = next(stage for stage in cells.stages if stage.label == factorial.cells[0, 1, 0, 0])
        weight = np.array([0.25 / 0.325, 0.25 / 0.175, 0, 0.25 / 0.325])
        expected = weight * counts["counts"]
        np.testing.assert_allclose(stage.selection.mass, expected / expected.sum(), atol=EXACT)


class TestSplit:
    def test_effects_sum_to_the_gain_in_every_replicate(self):
        methods = ("erm", {"kind": "dfr", "balance": "subset", "average": 2, "head": {"ridge": 0.1}})
        split = explain(experiment(methods=methods), replicates=5, side="simulation")["dfr"]
        assert list(split.effects) == ["composition", "collapse", "size", "solver", "averaging"]
        last, first = split.averaged.group_accuracy, split.cells.group_accuracy[0, 0, 0, 0]
        gain = last[:, last.mean(axis=0).argmin()] - first[:, first.mean(axis=0).argmin()]
        np.testing.assert_allclose(sum(effect.values for effect in split.effects.values()), gain, atol=EXACT)
        np.testing.assert_allclose(split.gain.values, gain, atol=EXACT)
        direction = split.averaged.direction_wga - split.cells.direction_wga[0, 0, 0, 0]
        np.testing.assert_allclose(split.gain.direction, direction, atol=EXACT)
        of_means = last.mean(axis=0).min() - first.mean(axis=0).min()
        assert split.gain.mean == pytest.approx(of_means, abs=EXACT)
        per_run = last.min(axis=1) - first.min(axis=1)
        assert split.gain.mean != pytest.approx(per_run.mean(), abs=1e-6)  # the minority groups tie
        ends = ttest_1samp(gain, 0.0).confidence_interval(0.95)
        assert split.gain.interval == pytest.approx((ends.low, ends.high), rel=1e-9)
        total = split.balance + split.collapse + split.rest
        np.testing.assert_allclose(total.values, gain, atol=EXACT)
        assert total.direction_part + total.bias_part == pytest.approx(gain.mean(), abs=EXACT)

    def test_prediction_gain_is_that_of_predict(self):
        """At group counts that no other size has the shares of."""
        pulled = {"kind": "llr", "name": "pulled", "from": "erm", "anchor": 1}
        counts = {"n": None, "proportions": None, "counts": [13, 8, 5, 11]}
        described = experiment(methods=("erm", "llr", "dfr", pulled), heldout=counts)
        predicted = llrsim.predict(described)
        for split in explain(described, side="prediction"):
            assert split.gain.mean == pytest.approx(predicted[split.label].wga - predicted["erm"].wga, abs=1e-9)
            assert "size" in split.switches
        predicted = llrsim.predict(described, "population")
        explained = in_population(described)
        assert explained.weightings is None
        for split in explained:
            assert split.limit == "population"
            assert split.gain.mean == pytest.approx(predicted[split.label].wga - predicted["erm"].wga, abs=1e-9)
            assert split.left_out["size"].startswith("population limit")

    def test_identical_to_erm_is_an_empty_split(self):
        again = {"kind": "erm", "name": "again"}
        for split in explain(experiment(methods=("erm", again)), replicates=2):
            assert split.switches == ()
            assert split.effects == {}
            assert set(split.left_out) == set(llrsim.attribution.SWITCHES)
            np.testing.assert_array_equal(split.gain.values, 0)
            assert split.verdict == "no gain to split"
            assert "coincides with erm" in split.sentence

    def test_class_balanced_heldout_leaves_weighting_out(self):
        for split in explain(experiment(methods=("erm", "cb-llr")), replicates=2):
            assert "weighting" in split.left_out
            assert "weighting" not in split.effects

    def test_recording_the_path_is_no_other_solver(self):
        descent = {"steps": 3, "step_size": 0.1}
        recorded = {"kind": "llr", "head": {"solver": descent | {"path": [1]}}}
        described = experiment(methods=("erm", recorded), head={"solver": descent})
        assert "solver" in explain(described, side="prediction")["llr"].left_out

    def test_rounding_to_whole_rows_is_no_composition(self):
        described = experiment(methods=("erm", "llr-on-train"), train={"n": 403}, heldout={"n": 101})
        simulated, predicted = explain(described, replicates=2)
        assert simulated.switches == predicted.switches == ("size",)
        split = in_population(described)["llr-on-train"]
        assert split.switches == ()
        assert "rounding" in split.notes[0]

    def test_class_collapse_moves_only_the_threshold_of_least_squares(self):
        """T5: CelebA's training counts, with the values printed there."""
        counts = [66874, 71629, 1387, 22880]
        described = experiment(
            train={"n": None, "proportions": None, "counts": counts},
            heldout={"n": None, "proportions": None, "counts": counts},
            head={"loss": "squared", "ridge": 0.0},
        )
        split = in_population(described)["llr"]
        np.testing.assert_allclose(split.cells.worst_accuracy, [[0.8516], [0.5513]], atol=5e-5)
        assert split.collapse.direction_part == pytest.approx(0.0, abs=1e-9)
        assert split.collapse.bias_part == pytest.approx(0.5513 - 0.8516, abs=1e-4)

    def test_replicates_without_a_head_are_left_out_and_told(self):
        separable = experiment(core=6.0, head={"ridge": 0.0})
        split = explain(separable, replicates=3, side="simulation")["llr"]
        assert (split.replicates, split.failed) == (0, 3)
        assert "separable" in split.sentence
        assert split.verdict == "undecided"
        json.dumps(split.to_dict(), allow_nan=False)
        assert split.rows() == []

    def test_records_are_plain(self):
        explained = explain(experiment(methods=("erm", "dfr")), replicates=2)
        told = json.loads(json.dumps(explained.to_dict(), allow_nan=False))
        first, second = told["attributions"]
        assert (first["side"], second["side"]) == ("simulation", "prediction")
        assert (len(first["cells"]), len(second["cells"])) == (16, 16)
        assert first["gain"]["mean"] == pytest.approx(sum(e["mean"] for e in first["shapley"].values()))
        rows = explained.rows()
        assert [row["effect"] for row in rows if row["side"] == "prediction"][-2:] == ["balance", "gain"]
        assert explained.of("dfr", "prediction").side == "prediction"
        assert explained["dfr"].side == "simulation"
        assert [row["limit"] for row in (rows[0], rows[-1])] == ["finite", "proportional"]
        assert explained["dfr"].sentence in str(explained)
        assert "largest interaction" in str(explained)

    def test_what_cannot_be_explained_is_said(self):
        with pytest.raises(ExperimentError, match="none"):
            explain(experiment(methods=("llr",)))
        with pytest.raises(ExperimentError, match="beside 'erm'"):
            explain(experiment(methods=("erm",)))
        with pytest.raises(ExperimentError, match="dffr"):
            explain(experiment(methods=("erm", "dfr")), methods=["dffr"])
        with pytest.raises(ValueError, match="side"):
            explain(experiment(), side="theory")
        with pytest.raises(ValueError, match="limit"):
            explain(experiment(), side="simulation", limit="finite")
        with pytest.raises(KeyError, match="llr"):
            explain(experiment(), side="prediction")["dfr"]


PRINTED = {
    0.5: ((0.649, 0.624, 0.716, 0.773), (0.109, 0.016)),
    5.0: ((0.659, 0.697, 0.739, 0.848), (0.116, 0.074)),
    100.0: ((0.674, 0.750, 0.760, 0.894), (0.115, 0.105)),
}
"""T21: alpha to WGA of (composition, collapse) cells off-off, off-on, on-off, on-on, and Shapley values."""


def known(alpha, dim):
    n = round(alpha * dim)
    return experiment(dim=dim, train={"n": n}, heldout={"n": n}, head={"ridge": 0.02 / alpha})


class TestKnownValues:
    @pytest.mark.parametrize("alpha", PRINTED)
    def test_shapley_arithmetic(self, alpha):
        table, values = PRINTED[alpha]
        # Each entry is rounded by at most 5e-4: half of four entries, and the printed value's own rounding.
        np.testing.assert_allclose(shapley(np.reshape(table, (2, 2))), values, atol=1.5e-3)

    @pytest.mark.parametrize("alpha", PRINTED)
    def test_prediction_has_them(self, alpha):
        split = explain(known(alpha, 80), side="prediction")["llr"]
        printed, values = np.reshape(PRINTED[alpha][0], (2, 2)), PRINTED[alpha][1]
        np.testing.assert_allclose(split.cells.worst_accuracy[..., 0], printed, atol=5.1e-4)
        np.testing.assert_allclose([split.balance.mean, split.collapse.mean], values, atol=5.1e-4)

    @pytest.mark.parametrize(("alpha", "dims"), [(0.5, (160, 240)), (5.0, (40, 80)), (100.0, (10, 20))])
    def test_simulation_approaches_them(self, alpha, dims):
        """Extrapolated in 1/d from two sizes, the four cells jointly: false alarm 1e-4 each; values 5 % off fail.

        Sizes are multiples of 40 rows, where the groups' shares are those printed for. The rounding of the printed
        values, at most 5e-4, is below a third of the standard errors.
        """
        table, replicates = np.array(PRINTED[alpha][0]), 60
        rows = []
        for seed, dim in enumerate(dims):
            split = explain(known(alpha, dim), replicates=replicates, side="simulation", seed=seed, jobs=2)["llr"]
            assert split.switches == ("composition", "collapse")
            # The two minority groups tie, so their mean estimates the least limit without the bias of a minimum.
            rows.append(split.cells.group_accuracy[..., 1:3].mean(axis=-1).reshape(4, replicates).T)

        def p_value(expected):
            differences = [sized - expected for sized in rows]
            weights = intercept_weights(1 / np.array(dims), 1)
            return hotelling(*extrapolate(differences, weights), freedom(differences, weights).min())

        assert p_value(table) > 1e-4
        assert p_value(1.05 * table) < 1e-6
        assert p_value(0.95 * table) < 1e-6

    def test_population_limit_is_near_many_rows_a_dimension(self):
        split = in_population(known(100.0, 50))["llr"]
        printed, values = np.reshape(PRINTED[100.0][0], (2, 2)), PRINTED[100.0][1]
        np.testing.assert_allclose(split.cells.worst_accuracy[..., 0], printed, atol=0.01)  # O(1/alpha)
        np.testing.assert_allclose([split.balance.mean, split.collapse.mean], values, atol=0.01)
        assert split.verdict == "both"
