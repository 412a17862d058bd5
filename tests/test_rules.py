"""Weights that are made by a rule, in the dense engine: against literal weights and fits on the same rows."""

import naive_rules as naive
import numpy as np
import pytest
from scipy.optimize import minimize
from test_engine import redrawn, summary

import llrsim
from llrsim.model.methods import Rule
from llrsim.model.plan import plan
from llrsim.model.simplex import propose
from llrsim.simulation import simulate
from llrsim.simulation.engine import reweigh

SEED, REPLICATE, RIDGE = 3, 1, 0.05
EARLY = {"steps": 4, "step_size": 0.5}
AFR_DESCENT = {"steps": 30, "step_size": 0.3, "clip": 0.05}
METHODS = [
    {"kind": "erm"},
    {"kind": "erm", "name": "early", "head": {"solver": EARLY}},
    {"kind": "afr", "gamma": 3.0, "anchor": 0.2},
    {"kind": "afr", "name": "afr-descent", "anchor": 0.2, "head": {"solver": AFR_DESCENT}},
    {"kind": "afr", "name": "afr-0", "gamma": 0.0},
    {"kind": "cb-llr", "data": "fresh-train"},
    {"kind": "self", "k": 25},
    {"kind": "self", "name": "self-2", "k": 31, "by": "disagreement", "against": "early"},
    {"kind": "self", "name": "self-all", "k": 10**6},
    {"kind": "group-dro"},
    {"kind": "group-dro", "name": "dro-descent", "ascent": 0.4, "head": {"solver": {"steps": 25, "step_size": 0.3}}},
    {"kind": "llr", "angle_to": "erm"},
    {"kind": "logit-adjusted", "adjust": 0.7},
    {"kind": "logit-adjusted", "name": "vs", "stretch": 0.4, "unit": "group"},
    {"kind": "llr", "name": "matched", "control": {"kind": "mass-matched", "of": "afr"}},
    {"kind": "llr", "name": "sized", "control": {"kind": "size-matched", "of": "self"}},
    {"kind": "llr", "name": "as-dfr", "control": {"kind": "mass-matched", "of": "dfr"}, "data": "heldout"},
]
METHODS.insert(-1, {"kind": "dfr"})


@pytest.fixture(scope="module")
def experiment():
    return llrsim.load(
        {
            "features": {
                "core": {"mean": 1.0, "std": 0.8},
                "spurious": {"mean": 1.0, "std": 0.5},
                "noise": {"dim": 7, "std": [1.0, 0.8, 1.2, 1.0]},
            },
            "train": {"n": 240, "proportions": [0.55, 0.05, 0.1, 0.3]},
            "heldout": {"n": 120, "minority_ratio": 0.3, "class_prior": 0.3},
            "head": {"ridge": RIDGE},
            "method": METHODS,
        }
    )


@pytest.fixture(scope="module")
def outcome(experiment):
    found = simulate(experiment, REPLICATE + 1, seed=SEED)
    assert all(method.outcome.ok for method in found), [(m.label, m.outcome) for m in found]
    return found


@pytest.fixture(scope="module")
def rows(experiment):
    """(X, y, groups) by role."""
    return {
        sample.role: (*redrawn(experiment, sample.role, REPLICATE, SEED), np.repeat(np.arange(4), sample.counts))
        for sample in plan(experiment).samples
    }


@pytest.fixture(scope="module")
def erm(rows):
    X, y, _ = rows["train"]
    return naive.logistic(X, y, np.full(len(y), 1 / len(y)), ridge=RIDGE)


@pytest.fixture(scope="module")
def early(rows):
    X, y, _ = rows["train"]
    w = np.zeros(X.shape[1])
    for _ in range(EARLY["steps"]):
        w = w - EARLY["step_size"] * naive.gradient(X, y, np.full(len(y), 1 / len(y)), w, RIDGE)
    return w


def head_of(method):
    h = method.heads[REPLICATE]
    return np.concatenate([h.signal, [h.bias, h.noise_norm]])


def head(outcome, label):
    return head_of(outcome[label])


def same(outcome, label, w, rel=2e-6):
    np.testing.assert_allclose(head(outcome, label), summary(w, 2), rtol=rel, atol=rel)


def masses(weight, groups):
    return np.bincount(groups, weight, 4)


def test_afr_is_the_weighted_pulled_fit(outcome, rows, erm):
    X, y, groups = rows["fresh-train"]
    c = naive.confidence(3.0, y, X @ erm)
    same(outcome, "afr", naive.logistic(X, y, c, ridge=RIDGE, anchor=0.2, to=erm))
    np.testing.assert_allclose(outcome["afr"].masses[REPLICATE], masses(c, groups), rtol=1e-6)


def test_afr_descends_from_the_earlier_head_with_clipping(outcome, rows, erm):
    X, y, _ = rows["fresh-train"]
    c = naive.confidence(4.0, y, X @ erm)
    same(outcome, "afr-descent", naive.clipped_descent(X, y, c, erm, ridge=RIDGE, anchor=0.2, **AFR_DESCENT))


def test_afr_without_gamma_and_anchor_is_class_balanced_retraining(outcome):
    np.testing.assert_allclose(head(outcome, "afr-0"), head(outcome, "cb-llr"), rtol=1e-8)


@pytest.mark.parametrize(("label", "k"), [("self", 25), ("self-2", 31), ("self-all", 120)])
def test_self_balances_the_classes_of_the_rows_it_selects(outcome, rows, erm, early, label, k):
    X, y, groups = rows["heldout"]
    score = naive.divergence(X @ erm, X @ early) if label == "self-2" else naive.cross_entropy(y, X @ erm)
    c = naive.hardest(k, y, score)
    same(outcome, label, naive.logistic(X, y, c, ridge=RIDGE))
    np.testing.assert_allclose(outcome[label].masses[REPLICATE], masses(c, groups), rtol=1e-12)
    np.testing.assert_allclose(outcome[label].shares[REPLICATE], masses(1.0 * (c > 0) / k, groups), rtol=1e-12)


def test_group_dro_is_a_saddle_point(outcome, rows):
    """The head minimises at its masses, and the masses sit on the largest losses: together these are optimality."""
    X, y, groups = rows["heldout"]
    mass = outcome["group-dro"].masses[REPLICATE]
    w = naive.logistic(X, y, naive.matched(mass, groups), ridge=RIDGE)
    same(outcome, "group-dro", w)
    losses = np.array([naive.cross_entropy(y, X @ w)[groups == g].mean() for g in range(4)])
    assert losses @ mass == pytest.approx(losses.max(), abs=1e-7)
    assert outcome["group-dro"].certificate.max() <= 1e-9
    equal = naive.logistic(X, y, naive.matched(np.full(4, 0.25), groups), ridge=RIDGE)
    assert max(naive.cross_entropy(y, X @ equal)[groups == g].mean() for g in range(4)) > losses.max() + 1e-3


LOSSES = {"squared": lambda m: (1 - m) ** 2 / 2, "squared_hinge": lambda m: np.maximum(1 - m, 0.0) ** 2 / 2}


@pytest.mark.parametrize("loss", LOSSES)
def test_group_dro_of_other_losses_is_a_saddle_point(experiment, rows, loss):
    """The masses sit on the largest losses, and no step of the head lowers the objective at these masses."""
    only = experiment.replace(method=[{"kind": "group-dro", "head": {"loss": loss}}])
    found = simulate(only, REPLICATE + 1, seed=SEED)["group-dro"]
    assert found.outcome.label == "converged"
    X, y, groups = rows["heldout"]
    mass = found.masses[REPLICATE]
    c = naive.matched(mass, groups)
    free = np.append(np.ones(X.shape[1] - 1), 0.0)

    def objective(w):
        return c @ LOSSES[loss](y * (X @ w)) + 0.5 * RIDGE * free @ w**2

    w = minimize(objective, np.zeros(X.shape[1]), method="BFGS", options={"gtol": 1e-9}).x
    np.testing.assert_allclose(head_of(found), summary(w, 2), atol=1e-5)
    losses = np.array([LOSSES[loss](y * (X @ w))[groups == g].mean() for g in range(4)])
    assert losses @ mass == pytest.approx(losses.max(), abs=1e-6)


def test_group_dro_ascends_on_the_masses(outcome, rows):
    X, y, groups = rows["heldout"]
    w, q = naive.mirror(X, y, groups, steps=25, step_size=0.3, ascent=0.4, ridge=RIDGE)
    same(outcome, "dro-descent", w, rel=1e-9)
    np.testing.assert_allclose(outcome["dro-descent"].masses[REPLICATE], [q[g] for g in range(4)], rtol=1e-9)


def test_adjusting_logits_by_class_moves_the_bias_alone(outcome):
    plain, adjusted = head(outcome, "llr"), head(outcome, "logit-adjusted")
    moved = np.array([0, 0, -0.7 * np.log(0.3 / 0.7), 0])
    np.testing.assert_allclose(adjusted - plain, moved, atol=1e-7)


def test_the_vector_scaling_loss_takes_margins_by_group(outcome, rows):
    X, y, groups = rows["heldout"]
    share = np.bincount(groups) / len(y)
    scale, shift = (share / share.max()) ** 0.4, np.log((1 - share) / share)
    c = np.full(len(y), 1 / len(y))
    same(outcome, "vs", naive.logistic(X, y, c, ridge=RIDGE, scale=scale[groups], shift=shift[groups]))


def test_a_mass_matched_control_has_the_masses_and_nothing_else(outcome, rows, erm):
    X, y, groups = rows["fresh-train"]
    mass = masses(naive.confidence(3.0, y, X @ erm), groups)
    same(outcome, "matched", naive.logistic(X, y, naive.matched(mass, groups), ridge=RIDGE))
    np.testing.assert_allclose(outcome["matched"].masses, outcome["afr"].masses, rtol=1e-12)
    np.testing.assert_allclose(head(outcome, "as-dfr"), head(outcome, "dfr"), rtol=1e-8)


def test_a_size_matched_control_has_the_rows(experiment, outcome):
    stage = next(stage for stage in plan(experiment).stages if stage.label == "sized")
    assert stage.rows == stage.selection.counts.sum() == 25
    np.testing.assert_allclose(stage.selection.counts / 25, experiment.heldout_proportions, atol=1 / 25)


def test_the_angle_is_that_of_the_whole_weights(outcome, rows, erm):
    X, y, _ = rows["heldout"]
    w = naive.logistic(X, y, np.full(len(y), 1 / len(y)), ridge=RIDGE)
    cosine = w[:-1] @ erm[:-1] / np.linalg.norm(w[:-1]) / np.linalg.norm(erm[:-1])
    assert outcome["llr"].cosine[REPLICATE] == pytest.approx(cosine, abs=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 3.0, 60.0, 1e9])
def test_weights_are_the_literal_ones_and_stay_numbers(gamma):
    rng = np.random.default_rng(2)
    y, f = np.where(rng.random(50) < 0.3, 1.0, -1.0), 3.0 * rng.standard_normal(50)
    weight = np.empty(50)
    reweigh(int(Rule.CONFIDENCE), gamma, y, f, f, weight)
    if gamma < 1e3:
        np.testing.assert_allclose(weight, naive.confidence(gamma, y, f), rtol=1e-12)
    else:
        assert np.flatnonzero(weight).tolist() == [int(np.argmin(y * f))]
    assert weight.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("k", [1, 2, 17, 49, 50, 60])
def test_so_many_rows_are_selected(k):
    rng = np.random.default_rng(k)
    y, f, g = np.where(rng.random(50) < 0.3, 1.0, -1.0), *rng.standard_normal((2, 50))
    for rule, score in ((Rule.LOSS, -y * f), (Rule.DISAGREEMENT, naive.divergence(f, g))):
        weight = np.empty(50)
        reweigh(int(rule), float(k), y, f, g, weight)
        np.testing.assert_allclose(weight, naive.hardest(k, y, score), rtol=1e-12)


def test_what_has_no_earlier_head_has_none_either():
    """A rule whose scoring head is missing says why, as a start does."""
    base = {
        "features": {"core": {"mean": 1.0, "std": 0.1}, "noise": {"dim": 3}},
        "train": {"n": 40, "proportions": [0.25] * 4},
        "heldout": {"n": 20, "minority_ratio": 1.0},
        "head": {"ridge": 0.01},
        "method": [{"kind": "erm", "head": {"ridge": 0.0}}, {"kind": "self", "k": 8}, {"kind": "llr"}],
    }
    found = simulate(llrsim.load(base), 2)
    assert {m.label: m.outcome.label for m in found} == {"erm": "separable", "self": "separable", "llr": "converged"}


@pytest.mark.parametrize("seed", range(40))
def test_steps_on_the_simplex_are_the_best_of_all_faces(seed):
    rng = np.random.default_rng(seed)
    U = int(rng.integers(2, 6))
    masses = rng.exponential(size=U) * (rng.random(U) > 0.3 * (np.arange(U) > 0))
    masses /= masses.sum()
    factor = rng.standard_normal((U, U))
    bend, rise = factor @ factor.T + 0.05 * np.eye(U), rng.standard_normal(U) * 10.0 ** rng.integers(-2, 3)
    step, best = propose(masses, rise, bend), naive.face_by_face(masses, rise, bend)
    np.testing.assert_allclose(step, best, atol=1e-9)
