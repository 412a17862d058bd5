"""A user's formula: what it is given, what it may return, how it is refused, and the study over a grid."""

import json
import tomllib
from math import sqrt

import numpy as np
import pytest
import sympy
from formula_cases import BALANCED, t1, t1_off, t1_wga

import llrsim
from llrsim.agreement.formula import Formula, FormulaError
from llrsim.agreement.formula.judging import judge
from llrsim.agreement.formula.names import UndefinedName, names_of
from llrsim.agreement.formula.sampling import SimulatedDraws, Sizes
from llrsim.agreement.formula.study import method_of

RETRAINED = {
    "features": {"core": {"mean": [1.0, 0.5], "std": 0.5}, "spurious": {"mean": 2.0, "std": 0.8}, "noise": {"dim": 40}},
    "train": {"n": 400, "proportions": [0.45, 0.05, 0.1, 0.4], "collapse": {"noise": 0.5, "attribute": [0.1] * 4}},
    "heldout": {"n": 120, "minority_ratio": 0.5, "class_prior": 0.25},
    "head": {"loss": "squared", "ridge": 0.1},
    "method": [{"kind": "erm"}, {"kind": "dfr", "name": "dfr-s", "balance": "subset", "head": {"ridge": 0.3}}],
}


def values(names, *asked):
    return [np.asarray(names[name]()).tolist() for name in asked]


def test_names_and_shorthands_have_the_values_of_their_definitions():
    names = names_of(llrsim.load(RETRAINED), "dfr-s")
    assert values(names, "features_core_mean", "features_core_std", "features_noise_dim", "head_loss") == [
        [1.0, 0.5], 0.5, 40, "squared",
    ]  # fmt: skip
    assert values(names, "train_collapse_noise", "tau_n", "tau_a", "sigma", "d") == [0.5, 0.5, 0.1, 1.0, 40]
    assert values(names, "n", "n_train", "n_heldout", "alpha", "alpha_train", "alpha_heldout") == [
        120, 400, 120, 3.0, 10.0, 3.0,
    ]  # fmt: skip
    assert values(names, "S_y", "S_a") == [pytest.approx((1.0 + 0.25) / 0.25), pytest.approx((2.0 / 0.8) ** 2)]
    assert values(names, "rho", "rho_train", "rho_heldout") == [
        pytest.approx(1 / 3), pytest.approx(0.7), pytest.approx(1 / 3),
    ]  # fmt: skip
    assert values(names, "ridge", "head_ridge", "loss", "method_dfr_s_balance") == [0.3, 0.1, "squared", "subset"]
    assert values(names, "heldout_counts", "heldout_minority_ratio", "heldout_class_prior", "heldout_n_per_dim") == [
        [60, 30, 10, 20], 0.5, 0.25, 3.0,
    ]  # fmt: skip
    assert values(names, "train_proportions", "train_minority_ratio") == [
        [0.45, 0.05, 0.1, 0.4], pytest.approx(0.15 / 0.85),
    ]  # fmt: skip
    assert names["experiment"]() == llrsim.load(RETRAINED)
    assert names["plan"]().stages[1].label == "dfr-s"


def test_names_follow_the_sample_of_the_method():
    names = names_of(llrsim.load(RETRAINED), "erm")
    assert values(names, "rho", "n", "alpha", "ridge") == [pytest.approx(0.7), 400, 10.0, 0.1]


@pytest.mark.parametrize(
    ("changed", "name", "message"),
    [
        ({}, "heldout_annotation_rate", None),
        ({}, "features_noise_spectrum", "is not set in this experiment"),
        ({}, "network_width", "is not set in this experiment"),
        ({"train.collapse.attribute": [0.1, 0.2, 0.1, 0.2]}, "tau_a", "one number a group"),
        ({"features.noise.std": [1.0, 2.0, 1.0, 2.0]}, "sigma", "one number a group"),
    ],
)
def test_names_without_a_value_say_why(changed, name, message):
    names = names_of(llrsim.load(RETRAINED).with_values(changed), "dfr-s")
    if message is None:
        assert name not in names
    else:
        with pytest.raises(UndefinedName, match=message):
            names[name]()


def claim(formula, experiment=BALANCED, label="erm"):
    return Formula.of(formula).claim(llrsim.load(experiment), label, "head.ridge = 0")


def test_a_number_groups_a_dict_and_a_head_are_claims():
    groups = t1(0.9, 1.96, 1.44)
    names = ["(-,-)", "(-,+)", "(+,-)", "(+,+)"]
    assert claim(t1).accuracy == pytest.approx(groups)
    assert claim(t1).of_groups
    assert claim(t1_wga).accuracy == pytest.approx([min(groups)])
    assert not claim(t1_wga).of_groups
    shuffled = lambda rho, S_y, S_a: dict(reversed(list(zip(names, t1(rho, S_y, S_a), strict=True))))  # noqa: E731
    shuffled_back = claim(shuffled).accuracy
    assert shuffled_back == pytest.approx(groups)

    def head(rho, S_a, features_core_mean, features_spurious_mean):
        signal = [(1 + (1 - rho**2) * S_a) * features_core_mean, rho * features_spurious_mean]
        return llrsim.Head.of(signal, 0.0, 0.0)

    assert claim(head).accuracy == pytest.approx(groups)


def test_parameters_with_a_default_keep_it_where_there_is_no_such_name():
    assert claim(t1_wga).accuracy == claim(lambda rho, S_y, S_a, factor=1.0: min(t1(rho, S_y, S_a, factor))).accuracy
    assert claim(lambda rho=0.5: rho).accuracy == pytest.approx([0.9])
    assert claim(lambda heldout_minority_ratio=0.25: heldout_minority_ratio).accuracy == [0.25]


def test_sympy_expressions_are_formulas():
    rho, S_y, S_a = sympy.symbols("rho S_y S_a")
    c_y = 1 + (1 - rho**2) * S_a
    scale = sympy.sqrt(c_y**2 * S_y + rho**2 * S_a)
    majority, minority = (
        (1 + sympy.erf((c_y * S_y + sign * rho * S_a) / scale / sympy.sqrt(2))) / 2 for sign in (1, -1)
    )
    assert claim(minority).accuracy == pytest.approx([0.717614], abs=1e-6)
    assert claim([majority, minority, minority, majority]).accuracy == pytest.approx(t1(0.9, 1.96, 1.44), abs=1e-12)
    by_name = {"(+,+)": majority, "(-,-)": majority, "(-,+)": minority, "(+,-)": minority}
    assert claim(by_name).accuracy == pytest.approx(t1(0.9, 1.96, 1.44), abs=1e-12)
    with pytest.raises(FormulaError, match="returned complex numbers"):
        claim(sympy.sqrt(-S_y))
    with pytest.raises(FormulaError, match="train_proportions is no number"):
        claim(sympy.Symbol("train_proportions"))


def divides(rho):
    below = rho - rho
    return 1 / below


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        (divides, r"formula divides .*test_formula.py, line \d+\) raised ZeroDivisionError: .*division by zero"),
        (lambda: float("nan"), "returned NaN"),
        (lambda: np.log(np.array([-1.0, 1, 1, 1])), "returned NaN among"),
        (lambda: [0.5, 0.5], r"returned an array of shape \(2,\); expected a number, 4 group accuracies"),
        (lambda: [[0.5] * 4], r"shape \(1, 4\)"),
        (lambda: [[0.5], [0.5, 0.5]], "returned a list"),
        (lambda: 0.5 + 0.1j, "returned complex numbers"),
        (lambda: [0.5, 1.2, 0.5, 0.5], r"returned \[0.5, 1.2, 0.5, 0.5\]; accuracies lie in \[0, 1\]"),
        (lambda: -0.1, "accuracies lie in"),
        (lambda: None, "returned a NoneType; expected a number"),
        (lambda: "0.5", "returned a str"),
        (lambda: {"minority": 0.5}, r"returned a dict of minority; expected the groups \(-,-\), \(-,\+\)"),
        (lambda: llrsim.Head.of([1.0, 2.0, 3.0], 0.0, 1.0), r"a Head with signal of shape \(3,\); .* \(2,\)"),
        (lambda roh: 0.5, "asks for 'roh', which is no name of the experiment; did you mean rho"),
        (lambda head_rigde: 0.5, "did you mean head_ridge"),
        (lambda heldout_n: 0.5, "heldout_n is not set"),
        (lambda *rho: 0.5, "parameter 'rho' takes no single name"),
        (0.7, "a float; expected a function or a SymPy expression"),
    ],
)
def test_bad_formulas_are_told_what_they_did_and_where(formula, message):
    with pytest.raises(FormulaError, match=message) as refused:
        claim(formula)
    if "parameter" not in message and "float" not in message:
        assert "(cell: head.ridge = 0)" in str(refused.value)
    assert "\n" not in str(refused.value)


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

    monkeypatch.setattr("llrsim.agreement.formula.study.judge", recorded)
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
        ({"against": "theory"}, "against: theory"),
        ({"limit": "infinite"}, "limit: infinite"),
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
