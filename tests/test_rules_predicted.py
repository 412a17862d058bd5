"""Weights that are made by a rule, in the proportional limit: identities, optimality, and simulation at moderate d."""

import naive_rules as naive
import numpy as np
import pytest
from scipy.special import ndtr

import llrsim
from llrsim.model.head import Head
from llrsim.model.losses import Loss
from llrsim.model.mixture import GroupMixture
from llrsim.model.plan import plan
from llrsim.prediction.problem import ProportionalProblem
from llrsim.prediction.scores import hardest_weight, lowest_margins, score_law, weighted_by_score
from llrsim.prediction.stage import _solved
from llrsim.prediction.training import training

COUNTS = np.array([200.0, 40.0, 32.0, 128.0])
FIRST = Head.of([1.2, 1.5], -0.3, 1.1)

METHODS = [
    {"kind": "erm"},
    {"kind": "afr", "anchor": 0.1},
    {"kind": "afr", "name": "afr-0", "gamma": 0.0},
    {"kind": "cb-llr", "data": "fresh-train"},
    {"kind": "self", "k": 300},
    {"kind": "self", "name": "self-all", "k": 10**6},
    {"kind": "cb-llr", "name": "cb-heldout"},
    {"kind": "group-dro"},
    {"kind": "llr"},
    {"kind": "logit-adjusted"},
    {"kind": "logit-adjusted", "name": "vs", "stretch": 0.3, "unit": "group"},
    {"kind": "llr", "name": "matched", "control": {"kind": "mass-matched", "of": "self"}},
    {"kind": "self", "name": "two-heads", "k": 99, "by": "disagreement", "against": "llr"},
]


@pytest.fixture(scope="module")
def experiment():
    return llrsim.load(
        {
            "features": {
                "core": {"mean": 1.0, "std": 0.8},
                "spurious": {"mean": 1.0, "std": 0.5},
                "noise": {"dim": 200, "std": [1.0, 0.9, 1.1, 1.0]},
            },
            "train": {"n": 4000, "proportions": [0.5, 0.05, 0.06, 0.39]},
            "heldout": {"n": 1500, "minority_ratio": 0.2, "class_prior": 0.3},
            "head": {"ridge": 0.02},
            "method": METHODS,
        }
    )


@pytest.fixture(scope="module")
def predicted(experiment):
    return llrsim.predict(experiment)


def problem():
    means = [[-1.0, -1.5], [-1.0, 1.5], [1.0, -1.5], [1.0, 1.5]]
    law = GroupMixture.of(means=means, covariances=np.diag([0.36, 0.09]), noise_dim=200, noise_std=[1.0, 1.2, 0.8, 1.0])
    return ProportionalProblem.of(law, Loss.LOGISTIC, counts=COUNTS, ridge=0.02)


def heads(outcome, label):
    h = outcome[label].heads[0]
    return np.concatenate([h.signal, [h.bias, h.noise_norm]])


@pytest.mark.parametrize(
    ("label", "twin"), [("afr-0", "cb-llr"), ("self-all", "cb-heldout"), ("logit-adjusted", "llr")]
)
def test_rules_that_change_nothing(predicted, label, twin):
    """But for the bias of adjusted logits, which moves by log-odds of the classes."""
    expected = heads(predicted, twin)
    expected[2] -= np.log(0.3 / 0.7) if label == "logit-adjusted" else 0.0
    np.testing.assert_allclose(heads(predicted, label), expected, atol=1e-8)


def test_two_scores_have_no_prediction(predicted):
    assert predicted["two-heads"].outcome.label == "no-prediction"


def test_the_worst_masses_sit_on_the_largest_losses(experiment, predicted):
    """With the head of those masses, that is the saddle point; the losses are of an own solution at these masses."""
    resolved, mass = plan(experiment), predicted["group-dro"].masses[0]
    stage = next(stage for stage in resolved.stages if stage.label == "group-dro")
    sample = resolved.samples[stage.sample]
    weighted = ProportionalProblem.of(sample.mixture, Loss.LOGISTIC, counts=sample.counts, mass=mass, ridge=0.02)
    found = _solved(weighted, None)
    losses = training(weighted, found).loss
    assert losses @ mass == pytest.approx(losses.max(), abs=1e-8)
    np.testing.assert_allclose(heads(predicted, "group-dro")[:2], found.signal, atol=1e-7)
    assert mass.min() > 0.05
    assert np.ptp(losses) < 1e-7 < np.ptp(training(problem(), _solved(problem(), None)).loss)


def test_a_control_has_the_predicted_masses(predicted):
    np.testing.assert_allclose(predicted["matched"].masses, predicted["self"].masses, atol=1e-12)


@pytest.mark.parametrize("share", [0.05, 0.4, 0.97])
def test_the_hardest_rows_are_a_share_of_the_law(share):
    """The margin below which they lie, by sampling; their classes balanced, by the normal law of the scores."""
    described = problem()
    margin = lowest_margins(described, FIRST, share)
    rng = np.random.default_rng(1)
    group = rng.choice(4, size=400_000, p=described.shares)
    deviations = np.sqrt([0.36 * 1.2**2 + 0.09 * 1.5**2 + (1.1 * s) ** 2 for s in (1.0, 1.2, 0.8, 1.0)])
    means = described.means @ FIRST.signal - 0.3
    scores = described.labels[group] * (means[group] + deviations[group] * rng.standard_normal(len(group)))
    assert (scores <= margin).mean() == pytest.approx(share, abs=5e-3)
    sliced = weighted_by_score(
        described, FIRST, hardest_weight(margin, described, FIRST), cuts=np.sort([margin, -margin])
    )
    assert sliced.mass[:2].sum() == pytest.approx(0.5, abs=1e-9)
    middle, spread = score_law(described, FIRST)
    chosen = described.shares * ndtr((margin - described.labels * middle) / spread)
    np.testing.assert_allclose(sliced.mass[2:], 0.5 * chosen[2:] / chosen[2:].sum(), atol=1e-9)


REPLICATES = 40


@pytest.fixture(scope="module")
def simulated(experiment):
    return llrsim.simulate(experiment, REPLICATES, seed=11)


@pytest.mark.parametrize("label", ["afr", "self", "group-dro", "vs", "matched"])
def test_simulation_is_near(predicted, simulated, label):
    """Group accuracies and masses at d = 200: within 4.5 standard errors and .004 of what is left of order 1/d."""
    for name, values in (("group_accuracy", lambda m: m.readout.group_accuracy), ("masses", lambda m: m.masses)):
        if name == "masses" and label == "vs":
            continue
        found, error = (
            simulated[label].mean(values(simulated[label])),
            simulated[label].standard_error(values(simulated[label])),
        )
        gap = np.abs(found - values(predicted[label])[0])
        assert (gap <= 4.5 * error + 0.004).all(), (name, gap, error)


@pytest.mark.parametrize(("label", "wrong"), [("afr", {"gamma": 4.8}), ("self", {"k": 330}), ("vs", {"stretch": 0.6})])
def test_a_rule_with_another_number_is_seen(experiment, simulated, label, wrong):
    """The control: the same comparison rejects a prediction whose rule has another number."""
    other = llrsim.predict(experiment.with_values({f"method.{label}.{key}": v for key, v in wrong.items()}))
    values = simulated[label].readout.group_accuracy
    gap = np.abs(simulated[label].mean(values) - other[label].readout.group_accuracy[0])
    assert (gap > 4.5 * simulated[label].standard_error(values) + 0.004).any()


def test_naive_weights_have_the_predicted_masses(experiment, predicted):
    """AFR's masses by sampling scores from the law of the predicted ERM head, with the literal weights."""
    resolved = plan(experiment)
    sample = resolved.samples[next(stage for stage in resolved.stages if stage.label == "afr").sample]
    erm, law, rng = predicted["erm"].heads[0], sample.mixture, np.random.default_rng(4)
    group = np.repeat(np.arange(4), sample.counts * 1000)
    u = erm.signal
    deviation = np.sqrt(np.einsum("i,gij,j->g", u, law.covariances, u) + (law.noise_std * erm.noise_norm) ** 2)
    f = (law.means @ u + erm.bias)[group] + deviation[group] * rng.standard_normal(len(group))
    y = law.labels[group]
    p = np.where(y > 0, naive.probability(f), naive.probability(-f))
    weight = np.exp(-4.0 * p) / np.where(y > 0, (y > 0).sum(), (y < 0).sum())
    np.testing.assert_allclose(predicted["afr"].masses[0], np.bincount(group, weight) / weight.sum(), rtol=0.01)
