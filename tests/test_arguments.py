"""What public functions refuse, by name, before a kernel reads it: sizes, types, values, options and seeds."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from engine_cases import experiment

import llrsim
from llrsim import Experiment, ExperimentError, FitError, FitOptions, GroupMixture, fit, load, simulate
from llrsim._arguments import checked_seed
from llrsim.experiment import Axis, Descent, Network, Sweep
from llrsim.model.losses import Status
from llrsim.model.methods import Adjustment, Reweighting, Rule
from llrsim.model.plan import plan
from llrsim.prediction import predict_plan
from llrsim.simulation import simulate_plan
from llrsim.simulation.lazy import LazyGaussian
from llrsim.sweep.verify import verify_results

RNG = np.random.default_rng(5)
X, Y = RNG.normal(size=(20, 3)), np.where(np.arange(20) < 8, 1.0, -1.0)
RIDGE = FitOptions(loss="squared", ridge=0.1)
FITTED = FitOptions()
STEPS = FitOptions(loss="squared", ridge=0.1, solver=Descent(steps=7, step_size=0.05))
TOY = GroupMixture.of(means=[[-1.0], [-1.0], [1.0], [1.0]], covariances=[[0.36]], noise_dim=3)

NETWORK = Network(kind="random-relu", width=3)


def with_entry(array, value):
    changed = array.astype(type(value))
    changed.flat[4] = value
    return changed


WRONG_ARRAYS = {
    "nan": ((with_entry(X, np.nan), Y), ValueError, r"features\[1, 1\] = nan: must be finite"),
    "inf": ((with_entry(X, np.inf), Y), ValueError, r"features\[1, 1\] = inf: must be finite"),
    "large": ((with_entry(X, 1e31), Y), ValueError, r"features\[1, 1\] = 1e\+31: must be finite and within ±1e\+30"),
    "complex": ((X + 0j, Y), TypeError, "features: entries of type complex128; expected real numbers"),
    "text": ((X.astype(str), Y), TypeError, "features: entries of type <U"),
    "objects": ((np.array([[None]] * 20), Y), TypeError, "features: entries of type ndarray of other objects"),
    "long": (([[10**400]] * 20, Y), ValueError, r"features: numbers must lie within ±1e\+30"),
    "masked": ((np.ma.masked_greater(X, 1.0), Y), ValueError, "features: some entries are masked"),
    "ragged": (([[1.0], [1.0, 2.0]], [1, -1]), ValueError, "features: no array of numbers"),
    "a column": ((X[:, 0], Y), ValueError, r"features: shape \(20,\); expected \(n, p\)"),
    "no columns": ((X[:, :0], Y), ValueError, r"features: shape \(20, 0\); expected at least one column"),
    "fewer labels": ((X, Y[:19]), ValueError, r"labels: shape \(19,\); expected \(20,\)"),
    "complex labels": ((X, Y + 0j), TypeError, "labels: entries of type complex128"),
    "nan label": ((X, with_entry(Y, np.nan)), ValueError, r"labels\[4\] = nan"),
    "label of 0": ((X, with_entry(Y, 0.0)), ValueError, r"labels\[4\] = 0\.0: must be -1 or 1"),
    "infinite weight": ((X, Y, with_entry(np.ones(20), np.inf)), ValueError, r"sample_weight\[4\] = inf"),
    "nan weight": ((X, Y, with_entry(np.ones(20), np.nan)), ValueError, r"sample_weight\[4\] = nan"),
    "negative weight": ((X, Y, with_entry(np.ones(20), -1.0)), ValueError, r"sample_weight\[4\] = -1\.0: must be"),
    "no weight": ((X, Y, np.zeros(20)), ValueError, "sample_weight: all zero"),
    "fewer weights": ((X, Y, np.ones(19)), ValueError, r"sample_weight: shape \(19,\); expected \(20,\)"),
}


@pytest.mark.parametrize(("arrays", "error", "message"), WRONG_ARRAYS.values(), ids=WRONG_ARRAYS)
def test_a_wrong_array_is_named(arrays, error, message):
    with pytest.raises(error, match=message):
        fit(*arrays, head=RIDGE)


def test_rows_of_one_class_blame_the_labels():
    for loss in ("logistic", "hinge", "max_margin"):
        with pytest.raises(FitError, match="one-class: labels: the data have rows of one class only"):
            fit(X, np.ones(20), head=FitOptions(loss=loss))
        assert fit(X, np.ones(20), head=FitOptions(loss=loss), raising=False).status is Status.ONE_CLASS
    with pytest.raises(FitError, match="empty: features: the data have no rows to fit on"):
        fit(np.empty((0, 3)), [], head=RIDGE)
    found = fit(X, np.ones(20), head=RIDGE)  # the squared loss has a minimum there: no weights, every margin 1
    np.testing.assert_allclose([*found.weights, found.bias], [0, 0, 0, 1], atol=1e-8)


WRONG_STARTS = {
    "of two columns": (fit(X[:, :2], Y, head=RIDGE), ValueError, r"start: weights: shape \(2,\); expected \(3,\)"),
    "of four": ((np.ones(4), 0.0), ValueError, r"start: weights: shape \(4,\); expected \(3,\)"),
    "a column": ((np.ones((3, 1)), 0.0), ValueError, r"start: weights: shape \(3, 1\)"),
    "not finite": (([1.0, np.nan, 0.0], 0.0), ValueError, r"start: weights\[1\] = nan"),
    "complex": ((np.ones(3) * 1j, 0.0), TypeError, "start: weights: entries of type complex128"),
    "two biases": ((np.ones(3), [0.0, 1.0]), ValueError, r"start: bias: shape \(2,\); expected \(\)"),
    "no bias": ((np.ones(3), None), TypeError, "start: bias: entries of type NoneType"),
    "no pair": (np.ones(4), TypeError, r"start: array\(.*; expected a Fit or \(weights, bias\)"),
}


@pytest.mark.parametrize(("start", "error", "message"), WRONG_STARTS.values(), ids=WRONG_STARTS)
@pytest.mark.parametrize("head", [STEPS, RIDGE], ids=["descent", "exact"])
def test_a_start_that_does_not_fit_the_columns_is_named(start, error, message, head):
    with pytest.raises(error, match=message):
        fit(X, Y, head=head, start=start)


def test_a_start_is_a_fit_or_weights_and_bias():
    """Against descent written out."""
    weights, bias = np.array([0.3, -0.2, 0.5]), 0.7
    w, b = weights.copy(), bias
    for _ in range(7):
        pull = (X @ w + b - Y) / len(Y)
        w, b = w - 0.05 * (X.T @ pull + 0.1 * w), b - 0.05 * pull.sum()
    begun = fit(X, Y, head=STEPS)
    for start in ((weights, bias), [list(weights), np.float32(bias)], replace(begun, weights=weights, bias=bias)):
        found = fit(X, Y, head=STEPS, start=start)
        np.testing.assert_allclose([*found.weights, found.bias], [*w, b], rtol=1e-7)


def test_layout_and_type_of_arrays_change_no_digit():
    head = FitOptions(loss="logistic", ridge=0.1)
    whole = np.round(X * 64)
    expected = fit(whole / 64, Y, np.ones(20), head=head)
    wide, twice = np.zeros((40, 6)), np.zeros(40)
    wide[::2, ::2], twice[::2] = whole / 64, Y
    for features, labels in (
        (np.asfortranarray(whole / 64), Y[::-1][::-1]),
        (wide[::2, ::2], twice[::2]),
        ((whole / 64).astype(np.float32), Y.astype(np.int8)),
        ((whole / 64).astype(">f8"), Y.astype(">i4")),
        ((whole / 64).astype(object), [int(label) for label in Y]),
    ):
        found = fit(features, labels, np.ones(40)[::2], head=head)
        np.testing.assert_array_equal(found.weights, expected.weights)
        assert found.bias == expected.bias


def descent(**changes):
    return {"loss": "squared", "solver": {"steps": 10, "step_size": 0.1} | changes}


WRONG_OPTIONS = [
    descent(steps=-5), descent(steps=0), descent(steps=10.5), descent(steps="10"), descent(steps=True),
    descent(step_size=-0.1), descent(step_size=0), descent(step_size=float("nan")), descent(step_size=1e300),
    descent(momentum=1.5), descent(momentum=-0.5), descent(momentum=1.0), descent(nesterov=True), descent(nesterov=1),
    descent(clip=-1), descent(clip=0), descent(batch=2.5), descent(batch=0), descent(path=(5, 20)),
    descent(path=(5, 2)),
    descent(path=(-1, 2)), descent(path=5), descent(path=(1.5, 2)),
    {"solver": "lbfgs"}, {"solver": None, "loss": "log"}, {"loss": "log"}, {"loss": 5}, {"ridge": -1},
    {"ridge": float("inf")}, {"ridge": "0.1"}, {"ridge": True}, {"ridge": 1e31}, {"ridge": 1j},
    {"loss": "max_margin", "solver": {"steps": 5, "step_size": 0.1}},
]  # fmt: skip


def refusal(call):
    with pytest.raises(ExperimentError) as caught:
        call()
    return str(caught.value)


@pytest.mark.parametrize("table", WRONG_OPTIONS, ids=str)
def test_options_built_in_python_are_refused_in_the_words_of_a_file(table):
    options = {key: value for key, value in table.items() if value is not None}
    if isinstance(options.get("solver"), dict):
        options["solver"] = Descent(**options["solver"])
    head = FitOptions(**options)
    base = load("quick")
    words = refusal(lambda: load(copy.deepcopy(SMALL) | {"head": {k: v for k, v in table.items() if v is not None}}))
    assert words.startswith("head.")
    assert refusal(lambda: fit(X, Y, head=head)) == words
    assert (
        refusal(lambda: Experiment(features=base.features, train=base.train, heldout=base.heldout, head=head)) == words
    )
    resolved = plan(base)
    wrong = replace(resolved, stages=(replace(resolved.stages[0], head=head), *resolved.stages[1:]))
    for run in (predict_plan, simulate_plan):
        assert refusal(lambda run=run: run(wrong)) == words.replace("head.", "plan.stages[0].head.")


def test_none_is_no_option():
    for head, key in (
        (FitOptions(ridge=None), "ridge"),
        (FitOptions(solver=None), "solver"),
        (FitOptions(solver=Descent(steps=None, step_size=0.1)), "solver.steps"),
    ):
        with pytest.raises(ExperimentError, match=rf"head\.{key} = None: a NoneType is not accepted"):
            fit(X, Y, head=head)


SMALL = {
    "features": {"core": {"mean": 1.0, "std": 0.6}, "noise": {"dim": 2}},
    "train": {"n": 40, "proportions": [0.25] * 4},
    "heldout": {"n": 40, "minority_ratio": 0.5},
}


@pytest.mark.parametrize(
    ("sweep", "table"),
    [
        (Sweep(seed=1.5), {"seed": 1.5}),
        (Sweep(seed="1"), {"seed": "1"}),
        (Sweep(seed=-1), {"seed": -1}),
        (Sweep(seed=2**60), {"seed": 2**60}),
        (Sweep(replicates=2.5), {"replicates": 2.5}),
        (Sweep(simulator="fast"), {"simulator": "fast"}),
        (Sweep(grid=(Axis(key="train.n", values=(40.5,)),)), {"grid": {"train.n": [40.5]}}),
        (Sweep(grid=(Axis(key="train.n", values=()),)), {"grid": {"train.n": []}}),
        (Sweep(grid=(Axis(key="head.ridge", log10=(0.0, 1.0), num=2.5),)),
         {"grid": {"head.ridge": {"log10": [0.0, 1.0], "num": 2.5}}}),
        (5, 5),
    ],
)  # fmt: skip
def test_a_sweep_built_in_python_is_refused_in_the_words_of_a_file(sweep, table):
    words = refusal(lambda: load(SMALL | {"sweep": table}))
    made = load(SMALL)
    assert (
        refusal(lambda: Experiment(features=made.features, train=made.train, heldout=made.heldout, sweep=sweep))
        == words
    )


def test_a_sweep_built_in_python_is_the_files():
    axes = (Axis(key="train.n", values=(np.int64(40), 50)), Axis(key="head.ridge", log10=(-1, 0), num=2))
    made = load(SMALL)
    built = Experiment(
        name=made.name, features=made.features, train=made.train, heldout=made.heldout,
        sweep=Sweep(replicates=np.int64(3), grid=axes),
    )  # fmt: skip
    grid = {"train.n": [40, 50], "head.ridge": {"log10": [-1, 0], "num": 2}}
    assert built == load(SMALL | {"sweep": {"replicates": 3, "grid": grid}})


def broken(first=FITTED, network=None, **changes):
    """The plan of SMALL with changes to its second stage, and the options of the first."""
    resolved = plan(load(SMALL))
    stages = [replace(stage) for stage in resolved.stages]
    stages[:2] = replace(stages[0], head=first), replace(stages[1], **changes)
    return replace(resolved, stages=tuple(stages), network=network)


def ruled(rule, *numbers, **changes):
    return broken(reweighting=Reweighting(rule, *numbers), **changes)


def adjusted(scales=(1.0,) * 4, **changes):
    return broken(adjustment=Adjustment(np.array(scales), np.zeros(4)), **changes)


def chosen(**changes):
    return broken(selection=replace(plan(load(SMALL)).stages[1].selection, **changes))


WRONG_PLANS = {
    "sample": (lambda: broken(sample=7), r"plan\.stages\[1\]\.sample = 7: must be at most 1"),
    "later start": (lambda: broken(start=1), r"plan\.stages\[1\]\.start = 1: must be at most 0"),
    "negative start": (lambda: broken(start=-1), r"plan\.stages\[1\]\.start = -1: must be at least 0"),
    "average": (lambda: broken(average=0), r"plan\.stages\[1\]\.average = 0: must be at least 1"),
    "anchor": (lambda: broken(anchor=0.1), r"plan\.stages\[1\]\.anchor = 0\.1: needs `start`"),
    "group": (lambda: chosen(group=np.array([0, 1, 2, 9])), r"selection\.group: 9; expected groups from 0 to 3"),
    "sections": (lambda: chosen(used=np.array([1, 1])), r"selection\.used: shape \(2,\); expected \(4,\)"),
    "rows": (lambda: chosen(available=np.full(4, 99)), r"selection\.available: 396 rows; the sample has 40"),
    "none": (
        lambda: chosen(available=np.array([0, 9, 9, 9]), used=np.full(4, 9)),
        r"selection\.used: rows of a section that has none",
    ),
    "weight": (lambda: chosen(weight=np.full(4, np.nan)), r"selection\.weight\[0\] = nan"),
    "counts": (
        lambda: replace(plan(load(SMALL)), samples=(replace(plan(load(SMALL)).samples[0], counts=[9, 9, 9]),) * 2),
        r"samples\[0\]\.counts: shape \(3,\); expected \(4,\)",
    ),
    "law": (lambda: replace(plan(load(SMALL)), test=TOY), r"samples\[0\]\.mixture: expected the labels, dimensions"),
    "label": (lambda: broken(label=5), r"stages\[1\]\.label: int; expected str"),
    "blank label": (lambda: broken(label=" "), r"stages\[1\]\.label = ' ': must be text that is not blank"),
    "one label": (lambda: broken(label="erm"), r"stages\[1\]\.label = 'erm': two stages share it"),
    "kind": (lambda: broken(kind=None), r"stages\[1\]\.kind: NoneType; expected str"),
    "data": (lambda: broken(data=7), r"stages\[1\]\.data: int; expected str"),
    "shares": (lambda: broken(shares="stated"), r"stages\[1\]\.shares: 'stated'; expected one of realised, nominal"),
    "rule": (lambda: ruled(99), r"stages\[1\]\.reweighting\.rule: int; expected Rule"),
    "strength": (lambda: ruled(Rule.CONFIDENCE, -1.0, 0), r"reweighting\.strength = -1\.0: must be at least 0"),
    "rows chosen": (lambda: ruled(Rule.LOSS, -5, 0), r"reweighting\.strength = -5\.0: must be a whole number"),
    "no rows": (lambda: ruled(Rule.DISAGREEMENT, 0, 0, 0), r"reweighting\.strength = 0\.0: must be a whole number"),
    "parts of rows": (lambda: ruled(Rule.LOSS, 2.5, 0), r"reweighting\.strength = 2\.5: must be a whole number"),
    "no scorer": (lambda: ruled(Rule.CONFIDENCE, 1.0), r"reweighting\.first: missing; the rule CONFIDENCE needs"),
    "no masses": (lambda: ruled(Rule.MASS), r"reweighting\.first: missing; the rule MASS needs an earlier stage"),
    "no second": (lambda: ruled(Rule.DISAGREEMENT, 5, 0), r"reweighting\.second: missing; the rule DISAGREEMENT needs"),
    "same second": (lambda: ruled(Rule.DISAGREEMENT, 5, 0, 0), r"second = 0: must be another stage than `first`"),
    "odd second": (lambda: ruled(Rule.LOSS, 5, 0, 0), r"reweighting\.second = 0: must be None with the rule LOSS"),
    "odd first": (lambda: ruled(Rule.WORST, 0, 0), r"reweighting\.first = 0: must be None with the rule WORST"),
    "later scorer": (lambda: ruled(Rule.LOSS, 5, 1), r"reweighting\.first = 1: must be at most 0"),
    "other rows": (lambda: ruled(Rule.MASS, 0, 0), r"reweighting\.first = 0: must be a stage on the same sample"),
    "averaged rule": (lambda: ruled(Rule.WORST, average=2), r"average = 2: must be 1 beside a reweighting"),
    "adjusted rule": (
        lambda: adjusted(reweighting=Reweighting(Rule.WORST)),
        r"adjustment = .*: must be None beside a reweighting",
    ),
    "scale": (lambda: adjusted([1.0, 1.0, 0.0, 1.0]), r"adjustment\.scales\[2\] = 0\.0: must be above 0"),
    "rule on a network": (lambda: ruled(Rule.WORST, network=NETWORK), r"stages\[1\]\.reweighting: beside \[network\]"),
    "adjustment on a network": (lambda: adjusted(network=NETWORK), r"stages\[1\]\.adjustment: beside \[network\]"),
    "path on a network": (
        lambda: broken(network=NETWORK, head=FitOptions(solver=Descent(steps=3, step_size=0.1, path=(1,)))),
        r"stages\[1\]\.head\.solver\.path = \[1\]: heads on a network's features",
    ),
    "network": (lambda: broken(network=Network(kind="raw", width=0)), r"^plan\.network\.width = 0: must be from 1"),
}


@pytest.mark.parametrize(("make", "message"), WRONG_PLANS.values(), ids=WRONG_PLANS)
@pytest.mark.parametrize("run", [simulate_plan, predict_plan])
def test_parts_of_a_plan_that_do_not_go_together_are_named(make, message, run):
    with pytest.raises((TypeError, ValueError), match=message):
        run(make())


STEP = {"steps": 3, "step_size": 0.1}
PULL = {"from": "erm", "anchor": 0.1}
SAME_RULES = [
    ({"kind": "group-dro", "head": {"loss": "hinge"}}, lambda head: ruled(Rule.WORST, head=head)),
    ({"kind": "group-dro", "head": {"ridge": 0.0}}, lambda head: ruled(Rule.WORST, head=head)),
    ({"kind": "group-dro", "ascent": 0.1}, lambda head: ruled(Rule.WORST, 0.1, head=head)),
    ({"kind": "group-dro", "head": {"solver": STEP}}, lambda head: ruled(Rule.WORST, head=head)),
    ({"kind": "group-dro", "head": {"solver": STEP | {"batch": 5}}, "ascent": 0.1},
     lambda head: ruled(Rule.WORST, 0.1, head=head)),
    ({"kind": "logit-adjusted", "head": {"loss": "squared"}}, lambda head: adjusted(head=head)),
    ({"kind": "llr", "head": {"loss": "max_margin"}} | PULL, lambda head: broken(head=head, anchor=0.1, start=0)),
]  # fmt: skip


@pytest.mark.parametrize(("table", "make"), SAME_RULES, ids=[str(table) for table, _ in SAME_RULES])
def test_a_stage_is_refused_in_the_words_of_a_method(table, make):
    words = refusal(lambda: load(SMALL | {"method": [{"kind": "erm"}, table | {"name": "m"}]}))
    head = table.get("head", {})
    given = FitOptions(**head | ({"solver": Descent(**head["solver"])} if "solver" in head else {}))
    expected = words.replace("method.m", "plan.stages[1]").replace("].ascent", "].reweighting.strength")
    assert refusal(lambda: predict_plan(make(given))) == expected


def test_scores_are_read_from_a_logistic_head_in_plans_too():
    scored = {"kind": "afr", "name": "m", "from": "erm"}
    words = refusal(lambda: load(SMALL | {"head": {"loss": "squared"}, "method": [{"kind": "erm"}, scored]}))
    made = ruled(Rule.CONFIDENCE, 4.0, 0, first=FitOptions(loss="squared"))
    assert refusal(lambda: predict_plan(made)) == words.replace(
        "method.m.from = 'erm'", "plan.stages[1].reweighting.first = 0"
    )


def test_a_hard_margin_has_no_anchor():
    with pytest.raises(ExperimentError, match=r"anchor = 0\.1: max_margin has no penalty to anchor"):
        fit(X, Y, head=FitOptions(loss="max_margin"), start=(np.zeros(3), 0.0), anchor=0.1)


WRONG_MIXTURES = [
    ({"means": [[0.0]] * 3}, r"means: shape \(3, 1\); expected \(4, k\)"),
    ({"means": [[np.nan]] * 4}, r"means\[0, 0\] = nan"),
    ({"covariances": [[1.0, 0.0], [0.0, 1.0]]}, r"covariances: shape \(2, 2\); expected \(4, 1, 1\)"),
    ({"covariances": [[-1.0]]}, "covariances: smallest eigenvalue -1"),
    ({"noise_std": [1.0, 1.0]}, r"noise_std: shape \(2,\)"),
    ({"noise_std": -1.0}, "noise_std: -1; expected at least 0"),
    ({"noise_dim": -1}, "noise_dim = -1: must be at least 0"),
    ({"attributes": [1.0]}, r"attributes: shape \(1,\); expected \(4,\)"),
    ({"labels": [0, 1, -1, 1]}, "labels: .*expected -1 or"),
    ({"proportions": [0.5, 0.5, 0.5, -0.5]}, "proportions: -0.5; expected at least 0"),
    ({"spectrum": [1.0, 2.0], "multiplicities": [1.5, 1.5]}, "multiplicities: 1.5; expected whole numbers"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG_MIXTURES, ids=[str(changes) for changes, _ in WRONG_MIXTURES])
def test_a_wrong_mixture_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        GroupMixture.of(**{"means": [[-1.0]] * 2 + [[1.0]] * 2, "covariances": [[0.36]], "noise_dim": 3} | changes)


SPREAD = GroupMixture.of(means=np.zeros((4, 2)), covariances=np.eye(2), noise_dim=3)
WRONG_PARTS = [
    ({"covariances": -SPREAD.covariances}, "covariances: smallest eigenvalue -1"),
    ({"covariances": np.eye(2) + np.triu(np.full((4, 2, 2), 0.5), 1)}, "covariances: not symmetric"),
    ({"multiplicities": [0]}, "multiplicities: 0; expected runs of at least one"),
    ({"multiplicities": [10**12 + 1]}, "multiplicities: their sum = 1000000000001: must be at most 1000000000000"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG_PARTS, ids=[str(changes) for changes, _ in WRONG_PARTS])
def test_a_mixture_of_wrong_parts_is_named(changes, message):
    parts = {name: getattr(SPREAD, name) for name in SPREAD.__dataclass_fields__}
    for make in (lambda: GroupMixture(**parts | changes), lambda: replace(SPREAD, **changes)):
        with pytest.raises(ValueError, match=message):
            make()


PARTS = {"signal": [1.0, 1.0], "bias": 0.0, "noise_norm": 1.0, "noise_spread": 1.0}
WRONG_HEADS = [
    ({"signal": 1.0}, ValueError, "signal: a number; expected"),
    ({"signal": [1.0, 1j]}, TypeError, "signal: entries of type complex128"),
    ({"bias": "0"}, TypeError, "bias: entries of type <U1"),
    ({"bias": [0.0, 0.0]}, ValueError, r"bias: shape \(2,\); expected \(\), the leading axes of signal"),
    ({"noise_norm": -1.0}, ValueError, r"noise_norm: -1\.0; expected at least 0"),
    ({"signal": np.ones((2, 1)), "bias": [0.0] * 2, "noise_norm": [1.0] * 2, "noise_spread": [np.nan, -2.0]},
     ValueError, r"noise_spread: -2\.0; expected at least 0"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "error", "message"), WRONG_HEADS, ids=[str(found[0]) for found in WRONG_HEADS])
def test_a_wrong_head_is_named(changes, error, message):
    for make in (llrsim.Head, llrsim.Head.of):
        with pytest.raises(error, match=message):
            make(**PARTS | changes)


def test_a_head_of_lists_is_that_of_arrays():
    law = replace(SPREAD, means=np.array([[-1.0, 0.0], [-2.0, 1.0], [1.0, 0.0], [0.5, 2.0]]))
    arrays = llrsim.Head(np.ones(2), np.array(0.0), np.array(1.0), np.array(1.0))
    for same in (llrsim.Head(**PARTS), llrsim.Head.of(**PARTS)):
        np.testing.assert_array_equal(
            llrsim.read_out(same, law).group_accuracy, llrsim.read_out(arrays, law).group_accuracy
        )


def test_wrong_counts_of_a_sample_are_named():
    with pytest.raises(TypeError, match=r"n = 8\.5: must be a whole number"):
        TOY.sample(8.5)
    with pytest.raises(ValueError, match="n = -8: must be at least 0"):
        TOY.sample(-8)
    with pytest.raises(ValueError, match=r"counts: 2\.7; expected whole numbers"):
        TOY.sample(counts=[1, 2.7, 3, 4])
    with pytest.raises(ValueError, match=r"counts: shape \(3,\)"):
        TOY.sample(counts=[1, 2, 3])


SEEDED = {
    "fit": lambda seed: fit(X, Y, head=RIDGE, seed=seed),
    "simulate": lambda seed: simulate(experiment(), seed=seed),
    "simulate_plan": lambda seed: simulate_plan(plan(experiment()), seed=seed),
    "sample": lambda seed: TOY.sample(8, seed=seed),
    "explain": lambda seed: llrsim.explain(experiment(), side="simulation", replicates=2, seed=seed),
    "explain by prediction": lambda seed: llrsim.explain(experiment(), side="prediction", seed=seed),
    "verify": lambda seed: verify_results(Path("none"), seed=seed),
    "check": lambda seed: llrsim.check(experiment(), seed=seed),
    "check of a formula": lambda seed: llrsim.check(experiment(), formula=lambda: 0.5, method="llr", seed=seed),
    "LazyGaussian": lambda seed: LazyGaussian((5, 5), seed=seed),
}
NO_SEEDS = [True, np.True_, 1.0, np.float64(1), "1", b"1", [1], (1,), np.array([1, 2]), 1j, -1, np.int64(-1), 2**64,
            np.random.RandomState(1), np.random.PCG64(1), object()]  # fmt: skip


@pytest.mark.parametrize("seed", NO_SEEDS, ids=lambda seed: f"{type(seed).__name__}-{seed}"[:20])
@pytest.mark.parametrize("call", SEEDED.values(), ids=SEEDED)
def test_what_is_no_seed_is_refused(call, seed):
    with pytest.raises((TypeError, ValueError), match=r"seed = .*: must be a whole number in \[0, 2\^64\)"):
        call(seed)


def test_a_generator_advances_and_the_seed_used_stands_in_the_outcome():
    e = experiment()
    generator, twin = np.random.default_rng(3), np.random.default_rng(3)
    drawn = [int(twin.integers(2**64, dtype=np.uint64)) for _ in range(2)]
    outcomes = [simulate(e, 2, seed=generator) for _ in range(2)]
    assert [outcome.seed for outcome in outcomes] == drawn
    assert [outcome.to_dict()["seed"] for outcome in outcomes] == drawn
    wga = [outcome["llr"].readout.wga for outcome in outcomes]
    assert (wga[0] != wga[1]).all()
    assert (simulate(e, 2, seed=np.random.default_rng(4))["llr"].readout.wga != wga[0]).all()
    np.testing.assert_array_equal(simulate(e, 2, seed=drawn[0])["llr"].readout.wga, wga[0])
    sequence = np.random.SeedSequence(3)
    assert fit(X, Y, head=RIDGE, seed=sequence).seed == checked_seed(np.random.SeedSequence(3))
    assert checked_seed(sequence) != checked_seed(sequence.spawn(1)[0])
    assert llrsim.explain(e, side="simulation", replicates=2, seed=np.uint64(5)).seed == 5
    assert simulate(e).seed == e.sweep.seed
    assert llrsim.predict(e).seed is None


@pytest.mark.parametrize("seed", [0, 7, 2**64 - 1])
def test_the_streams_of_whole_numbers_are_those_of_their_text(seed):
    """Their first normals, by NumPy's own SFC64 for the same key."""
    from hashlib import sha256

    root = int.from_bytes(sha256(f"llrsim stream 1:{seed}:".encode()).digest()[:8], "little")
    state = np.random.SFC64()
    words = np.array([root, 0, (6 << 32) | 0, 1], np.uint64)  # SAMPLE of replicate 0, group 0
    state.state = state.state | {"state": {"state": words}, "has_uint32": 0}
    state.random_raw(12)
    expected = np.random.Generator(state).standard_normal(4)
    for same in (seed, np.uint64(seed)):
        features, _, _ = TOY.sample(counts=[1, 0, 0, 0], seed=same)
        np.testing.assert_allclose(features[0], expected * [0.6, 1, 1, 1] + [-1, 0, 0, 0], rtol=1e-12)
