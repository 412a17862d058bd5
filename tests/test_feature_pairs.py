"""Every two features of a method at once, against literal twins: outputs that only one combination of them reaches."""

import itertools
import warnings

import naive_limit
import naive_path
import naive_rules
import numpy as np
import pytest
from feature_cases import FACTORS, NINE, REFUSED, output, tables, why_refused, why_unpredicted
from pairwise import cover, every_pair, pairs_of

import llrsim
from llrsim.experiment import EmptyGroupWarning, ExperimentError
from llrsim.model.plan import plan

SEED, REPLICATE = 11, 1
SCALE = 10  # of the samples and of d in predictions, where counts are shares

SIMULATED, UNSIMULATED = cover(FACTORS, lambda case: not why_refused(case))
# The weights of AFR and SELF depend on what is drawn: their limits have twins of their own.
LIMITS = FACTORS | {"kind": ("dfr", "cb-llr")}
PREDICTED, UNPREDICTED = cover(LIMITS, lambda case: not why_refused(case) and not why_unpredicted(case))


def name(case):
    """The features that are on, and what the others are."""
    return "-".join(f"{value}" if isinstance(value, str) else key for key, value in case.items() if value)


def compute(function, e, *arguments, **options):
    """`function(experiment)` of these tables, with no word on the empty groups that some of them have."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EmptyGroupWarning)
        return function(llrsim.load(e), *arguments, **options)


def summary(head):
    return np.concatenate([head.signal, [head.bias, head.noise_norm, head.noise_spread]])


def compare_readout(e, method, place, head):
    accuracy = method.readout.group_accuracy[place]
    np.testing.assert_allclose(accuracy, naive_path.accuracies(e, head), atol=1e-7)
    for quantity, value in naive_path.readout(e, head).items():
        assert getattr(method.readout, quantity)[place] == pytest.approx(value, rel=1e-5, abs=1e-6), quantity


def compare_simulation(e):
    """Every method of the tables, drawn, selected, weighed, fitted and read out on NumPy's own stream."""
    found = compute(llrsim.simulate, e, REPLICATE + 1, seed=SEED)
    twin = naive_path.simulate(e, SEED, REPLICATE)
    for label, made in twin.items():
        method, expected = found[label], naive_path.summary(e, made["w"])
        assert method.outcome.ok, method.outcome
        if method.stage.head.loss == "squared" and method.stage.head.solver == "exact":
            # One factor, and a refinement or two: a wrong factor converges too, only later.
            assert method.iterations[REPLICATE] <= 3 * method.stage.average
        np.testing.assert_allclose(summary(method.heads[REPLICATE]), expected, rtol=1e-6, atol=1e-7)
        compare_readout(e, method, REPLICATE, expected)
        for place, w in enumerate(made["path"]):
            head = method.path.heads[REPLICATE, place]
            np.testing.assert_allclose(summary(head), naive_path.summary(e, w), rtol=1e-6, atol=1e-7)
        mass = method.mass if method.masses is None else method.masses[REPLICATE]
        share = method.stage.selection.proportions if method.shares is None else method.shares[REPLICATE]
        np.testing.assert_allclose(mass, made["mass"], rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(share, made["share"], rtol=1e-12)
    for one, other in itertools.combinations(twin, 2):
        u, v = (twin[label]["w"][:-1] for label in (one, other))
        cosine = found.cosine(one, other)[REPLICATE]
        assert cosine == pytest.approx(u @ v / np.linalg.norm(u) / np.linalg.norm(v), abs=1e-7)


def compare_prediction(e):
    """Every method of the tables: its rows counted, T8 by a generic root finder, T14 on a plain circle."""
    found = compute(llrsim.predict, e)
    heads, masses, paths = naive_limit.predict(e)
    for label, expected in heads.items():
        assert found[label].outcome.ok, found[label].outcome
        if found[label].stage.head.solver == "exact":
            # The fixed point's equations: wrong steps may arrive too, only later.
            assert found[label].iterations[0] <= 100
        np.testing.assert_allclose(summary(found[label].heads[0]), expected, rtol=1e-6, atol=1e-7)
        compare_readout(e, found[label], 0, expected)
        np.testing.assert_allclose(found[label].mass, masses[label], atol=1e-12)
    for label, path in paths.items():
        for place, step in enumerate(found[label].path.steps):
            np.testing.assert_allclose(summary(found[label].path.heads[0, place]), path[step], rtol=1e-6, atol=1e-7)
        worst = [naive_path.accuracies(e, head).min() for head in path[1:]]
        best = found[label].to_dict()["early_stopping"]
        assert best["steps"] == 1 + np.argmax(worst)
        assert best["wga"] == pytest.approx(max(worst), abs=1e-7)


@pytest.mark.parametrize("case", SIMULATED, ids=name)
def test_a_simulated_method_is_its_literal_twin(case):
    compare_simulation(tables(case))


@pytest.mark.parametrize("case", PREDICTED, ids=name)
def test_a_predicted_method_is_its_literal_twin(case):
    compare_prediction(tables(case, SCALE))


def random_cases(seed, count, factors, allowed):
    random = np.random.default_rng(seed)
    drawn = (
        {factor: values[random.integers(len(values))] for factor, values in factors.items()} for _ in itertools.count()
    )
    return list(itertools.islice(filter(allowed, drawn), count))


@pytest.mark.parametrize("count", [40, pytest.param(1500, marks=pytest.mark.slow)])
def test_combinations_of_more_features_are_their_twins(count):
    for case in random_cases(1, count, FACTORS, lambda case: not why_refused(case)):
        compare_simulation(tables(case))
    for case in random_cases(2, count // 10, LIMITS, lambda case: not why_refused(case) and not why_unpredicted(case)):
        compare_prediction(tables(case, SCALE))


def between_features(pairs):
    """The pairs of a feature that is on with another."""
    return {(one, other) for (one, a), (other, b) in pairs if {one, other} <= set(NINE) and a and b}


def test_every_pair_is_simulated_or_refused():
    every = set(every_pair(FACTORS))
    simulated = {pair for case in SIMULATED for pair in pairs_of(case)}
    assert simulated | UNSIMULATED == every
    assert between_features(UNSIMULATED) == {("average", "control")}
    assert len(between_features(every)) == 36
    assert len(SIMULATED) <= 24


def test_every_pair_is_predicted_or_has_a_reason():
    predicted = {pair for case in PREDICTED for pair in pairs_of(case)}
    assert predicted | UNPREDICTED == set(every_pair(LIMITS))
    assert between_features(UNPREDICTED) == {("average", "control"), ("average", "early_stopping")}
    beyond = {pair for pair in UNPREDICTED - UNSIMULATED if ("balance", "subset") not in pair}
    assert beyond == {
        (("average", True), ("early_stopping", True)),
        (("early_stopping", True), ("loss", "logistic")),
    }


def without_features(pair):
    """The case with these two values and as few features beside them as there can be."""
    plain = {factor: values[-1] for factor, values in FACTORS.items()} | {"kind": "dfr"}
    return plain | ({"balance": "subset"} if ("average", True) in pair else {}) | dict(pair)


@pytest.mark.parametrize("pair", sorted(UNSIMULATED, key=str), ids=lambda pair: name(dict(pair)))
def test_what_cannot_stand_together_is_refused_by_name(pair):
    case = without_features(pair)
    with pytest.raises(ExperimentError, match="|".join(REFUSED[reason][1] for reason in why_refused(case))):
        llrsim.load(tables(case))


@pytest.mark.parametrize(
    "case", [*SIMULATED, *map(without_features, sorted(UNPREDICTED - UNSIMULATED, key=str))], ids=name
)
def test_what_has_no_prediction_says_so(case):
    label = compute(llrsim.predict, tables(case, SCALE))[output(case)].outcome.label
    assert (label == "no-prediction") == bool(why_unpredicted(case)), label


def control_of(other, **changes):
    """A control that is cut to the size of the held-out sample, with a group of which no row is left."""
    plain = {factor: values[-1] for factor, values in FACTORS.items()}
    e = tables(plain | changes, 10)
    e["train"]["counts"], e["heldout"]["counts"] = [300, 1, 90, 180], [30, 12, 10, 28]
    control = {"kind": "llr-on-train", "name": "control", "control": {"kind": "mass-matched", "of": "other"}}
    return e | {"method": [{"kind": other, "name": "other", "data": "train"}, control]}


@pytest.mark.parametrize("loss", ["logistic", "squared"])
@pytest.mark.parametrize("other", ["cb-llr", "dfr"])
def test_a_control_shares_out_the_mass_of_a_group_that_it_has_no_rows_of(other, loss):
    e = control_of(other, loss=loss)
    compare_simulation(e)
    compare_prediction(e)
    found = compute(llrsim.predict, e)
    assert found["other"].mass[1] > 0
    assert found["control"].mass[1] == 0


def test_a_fresh_training_sample_is_a_quarter_of_the_training_sample():
    plain = {factor: values[-1] for factor, values in FACTORS.items()}
    for kind, compare, scale in (("afr", compare_simulation, 1), ("cb-llr", compare_prediction, SCALE)):
        e = tables(plain | {"kind": kind, "collapse": "partial", "anchor": True}, scale)
        e["method"][1]["data"] = "fresh-train"
        compare(e)


def test_a_control_has_none_where_the_method_that_it_follows_has_none():
    plain = {factor: values[-1] for factor, values in FACTORS.items()}
    e = tables(plain | {"kind": "afr", "spectrum": True, "control": "mass-matched"}, SCALE)
    found = compute(llrsim.predict, e)
    assert [method.outcome.label for method in found] == ["converged", "no-prediction", "no-prediction"]
    alone = compute(plan, e).restricted([2])
    assert [stage.label for stage in alone.stages] == ["erm", "main", "control"]


def test_logits_are_adjusted_by_true_groups_under_annotation_noise():
    plain = {factor: values[-1] for factor, values in FACTORS.items()}
    e = tables(plain | {"annotation_noise": True, "loss": "logistic"})
    e["method"] = [{"kind": "logit-adjusted", "stretch": 0.4, "unit": "group"}]
    found = compute(llrsim.simulate, e, REPLICATE + 1, seed=SEED)["logit-adjusted"]
    X, y, groups = naive_path.drawn(e, "heldout", SEED, REPLICATE)
    share, c = np.bincount(groups) / len(y), np.full(len(y), 1 / len(y))
    scale, shift = (share / share.max()) ** 0.4, np.log((1 - share) / share)
    w = naive_rules.logistic(X, y, c, ridge=0.1, scale=scale[groups], shift=shift[groups])
    np.testing.assert_allclose(summary(found.heads[REPLICATE]), naive_path.summary(e, w), rtol=1e-5, atol=1e-6)
