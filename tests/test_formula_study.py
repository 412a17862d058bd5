"""A formula judged over a grid: sizes, draws, the map, the smallest failing experiment, prediction instead."""

import json
import tomllib
from math import sqrt

import numpy as np
import pytest
from formula_cases import BALANCED, RETRAINED, t1, t1_off, t1_wga

import llrsim
from llrsim.agreement.formula import FormulaError, SimulatedDraws, Sizes, judge, method_of


def test_a_formula_that_fails_in_one_cell_is_refused_before_anything_is_simulated(monkeypatch):
    monkeypatch.setattr(SimulatedDraws, "__call__", lambda *_: pytest.fail("simulated"))
    swept = llrsim.load(BALANCED | {"sweep": {"grid": {"head.ridge": [0.0, 0.5, 1.0]}}})
    with pytest.raises(FormulaError, match=r"raised ValueError: .*cell: head.ridge = 0.5"):
        llrsim.check(swept, formula=lambda ridge: sqrt(0.4 - ridge), limit="population")


def test_the_method_is_the_only_one_that_retrains():
    experiment = llrsim.load(RETRAINED)
    assert method_of(experiment, None) == "dfr-s"
    assert method_of(experiment, "erm") == "erm"
    assert method_of(llrsim.load(BALANCED), None) == "erm"
    with pytest.raises(llrsim.ExperimentError, match="one of llr, dfr; say which by --method"):
        method_of(experiment.replace(method=[{"kind": "erm"}, {"kind": "llr"}, {"kind": "dfr"}]), None)
    with pytest.raises(llrsim.ExperimentError, match="did you mean"):
        method_of(experiment, "dfr-t")


def test_sizes_keep_the_shares_where_they_can():
    experiment = llrsim.load(BALANCED)
    for limit in ("population", "proportional"):
        sizes = Sizes.of(experiment, "erm", limit)
        assert not sizes.uneven(experiment, "erm")
        for sized in sizes.experiments:
            assert sized.train_proportions == experiment.train_proportions
        assert sum(sizes.weights) == pytest.approx(1.0)
    odd = experiment.with_values({"train.counts": [473, 29, 23, 475], "train.n": None, "train.proportions": None})
    sizes = Sizes.of(odd, "erm", "population")
    assert sizes.sizes == (30.0, 100.0, 300.0)
    assert [size for size, _ in sizes.uneven(odd, "erm")] == [30.0]


def test_draws_are_extrapolated_and_do_not_depend_on_when_one_looks():
    experiment = llrsim.load(BALANCED)
    sizes = Sizes.of(experiment, "erm", "population")
    draw = SimulatedDraws(sizes, "erm", seed=3)
    together = draw(0, 12)
    assert np.array_equal(np.concatenate([draw(0, 5), draw(5, 7)]), together)
    simulated = [
        llrsim.simulate(sized, 12, seed=3, pairing="independent")["erm"].readout.group_accuracy
        for sized in sizes.experiments
    ]
    expected = sum(weight * rows for weight, rows in zip(sizes.weights, simulated, strict=True))
    assert together == pytest.approx(expected, abs=1e-12)


def test_a_limit_is_not_claimed_at_finite_size_and_a_limit_is_bias_corrected():
    """At n/d = 10 the minority of least squares is .03 below T1: finite disagrees, population agrees."""
    small = llrsim.load(BALANCED).with_values({"train.n": 100, "train.proportions": [0.4, 0.1, 0.1, 0.4]})
    options = {"formula": t1_wga, "eps": 0.004, "seed": 2}
    assert llrsim.check(small, limit="finite", **options).verdict == "disagrees"
    assert llrsim.check(small, limit="population", **options).verdict == "agrees"
    assert llrsim.check(small, limit="proportional", **options, dims=(20, 40)).verdict == "disagrees"


def test_a_formula_for_infinite_n_is_judged_at_a_million_rows_by_the_lazy_simulator():
    """T1 at n/d = 10^5, as it is: d/n is far below eps. At n/d = 10 the same simulator tells the difference."""
    large = llrsim.load(BALANCED).with_values({"train.n": 1_000_000, "sweep.simulator": "lazy"})
    assert llrsim.check(large, formula=t1, limit="finite").verdict == "agrees"
    small = large.with_values({"train.n": 1000, "features.noise.dim": 100})
    assert llrsim.check(small, formula=t1, limit="finite").verdict == "disagrees"


def test_separable_samples_leave_it_undecided():
    separable = llrsim.load(BALANCED).with_values({"head.loss": "logistic", "features.noise.dim": 1000})
    found = llrsim.check(separable, formula=t1, limit="finite")
    assert found.verdict == "undecided"
    assert "64 of 64 simulations have no head" in repr(found)


def test_seeds_and_threads_repeat_a_verdict():
    experiment = llrsim.load(BALANCED)
    options = {"formula": t1_off, "limit": "population", "eps": 0.001, "seed": 4}
    first, again = llrsim.check(experiment, **options), llrsim.check(experiment, **options, jobs=2)
    assert first.to_dict() == again.to_dict()


SWEPT = BALANCED | {"sweep": {"grid": {"train.n": [1000, 400], "head.ridge": [0.0, 1.0, 3.0]}}}


def test_the_level_is_split_over_the_cells(monkeypatch):
    levels = []

    def recorded(draw, claim, *, level, **options):
        levels.append(level)
        return judge(draw, claim, level=level, **options)

    monkeypatch.setattr("llrsim.agreement.formula.judge", recorded)
    llrsim.check(llrsim.load(SWEPT), formula=t1, limit="population", cells=3, budget=64, false_alarm=0.03)
    assert levels == [pytest.approx(0.01)] * 3


def test_the_map_and_the_smallest_failing_experiment():
    """T1 without ridge: it disagrees wherever there is one, and 400 rows are the smaller sample."""
    found = llrsim.check(llrsim.load(SWEPT), formula=t1, limit="population", against="predict", cells=6)
    assert [cell.verdict for cell in found.cells] == ["agrees", "disagrees", "disagrees"] * 2
    assert found.verdict == "disagrees"
    assert "  +xx  train.n = 1000\n  +xx  train.n = 400\n" in str(found)
    failing = llrsim.load(tomllib.loads(found.failing.to_toml()))
    assert failing.train.n == 400
    assert failing.head.ridge == 3.0
    assert not failing.sweep.grid
    again = llrsim.check(failing, formula=t1, limit="population", against="predict")
    assert (again.verdict, again.cells[0].gap) == ("disagrees", pytest.approx(found.cells[5].gap))
    partly = llrsim.check(llrsim.load(SWEPT), formula=t1, limit="population", against="predict", cells=2)
    assert "  +..  train.n = 1000\n  ..x  train.n = 400\n" in str(partly)


def test_the_failing_experiment_keeps_the_methods_that_are_needed():
    methods = [{"kind": "erm"}, {"kind": "llr"}, {"kind": "afr", "from": "erm"}]
    experiment = llrsim.load(RETRAINED | {"head": {"loss": "logistic"}, "method": methods})
    found = llrsim.check(experiment, formula=lambda: 0.1, method="afr", against="predict")
    assert found.failing.method_labels == ("erm", "afr")


def test_against_prediction_is_exact_and_simulates_nothing(monkeypatch):
    monkeypatch.setattr(SimulatedDraws, "__call__", lambda *_: pytest.fail("simulated"))
    experiment = llrsim.load(BALANCED)
    found = llrsim.check(experiment, formula=t1, limit="population", against="predict", eps=1e-9)
    assert found.agrees
    assert not llrsim.check(experiment, formula=t1_off, limit="population", against="predict").agrees
    assert not llrsim.check(experiment, formula=t1, against="predict", eps=0.001).agrees, (
        "n/d = 100 is not the population"
    )
    off = llrsim.check(experiment, formula=t1_off, limit="population", against="predict").cells[0]
    assert off.judgement.low == pytest.approx(np.array(t1(0.9, 1.96, 1.44)) - t1_off(0.9, 1.96, 1.44))
    hard = experiment.with_values({"head.loss": "max_margin"})
    undecided = llrsim.check(hard, formula=t1, limit="population", against="predict")
    assert undecided.verdict == "undecided"
    assert "no prediction" in str(undecided)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"eps": 0.0}, "eps: 0.0; expected between 0 and 1"),
        ({"budget": 10}, "budget: 10; expected at least"),
        ({"seconds": 0.0}, "seconds"),
        ({"false_alarm": 1.0}, "false_alarm"),
        ({"against": "theory"}, "against: 'theory'; expected one of simulation, predict"),
        ({"limit": "infinite"}, "limit: 'infinite'; expected one of"),
        ({"limit": "finite", "against": "predict"}, "limit: finite"),
        ({"limit": "finite", "dims": (10, 20)}, "nothing grows"),
        ({"limit": "population", "dims": (10, 20)}, "ratios"),
    ],
)
def test_options_out_of_range_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        llrsim.check(llrsim.load(BALANCED), formula=t1, **options)


def test_the_result_is_json():
    found = llrsim.check(llrsim.load(BALANCED), formula=t1_off, limit="population", eps=0.001)
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert (told["verdict"], told["formula"], told["method"]) == ("disagrees", "t1_off", "erm")
    (cell,) = told["cells"]
    assert set(cell["accuracies"]) == {"(-,-)", "(-,+)", "(+,-)", "(+,+)"}
    assert cell["accuracies"]["(-,+)"]["claimed"] == pytest.approx(0.721493, abs=1e-6)
    assert tomllib.loads(told["failing"])["name"] == "balanced"
