"""The dense engine: its numbers against a plain NumPy replay, and identities that any right engine satisfies."""

import sys

import numpy as np
import pytest
from engine_cases import TRAIN, experiment
from scipy.optimize import minimize

import llrsim
from llrsim.model.draws import Role, draw, root_key
from llrsim.model.plan import plan
from llrsim.simulation import fit, simulate, simulate_plan


def redrawn(e, role, replicate, seed):
    """The design (ones last) and labels that the engine draws, by the same draw kernel."""
    sample = next(s for s in plan(e).samples if s.role == role)
    n, p = int(sample.counts.sum()), e.signal_dim + e.noise_dim + 1
    X, y = np.empty((n, p)), np.empty(n)
    code = int(Role[role.upper().replace("-", "_")])
    draw(np.empty(4, np.uint64), root_key(seed), code, replicate, sample.mixture.kernel_law(), sample.counts, X, y)
    return X, y


def logistic_fit(X, y, c, ridge, pull=0.0, to=0.0):
    """Weighted logistic ridge with a free bias, by SciPy."""
    free = np.append(np.ones(X.shape[1] - 1), 0.0)

    def objective(w):
        m = y * (X @ w)
        grad = -(c * y / (1 + np.exp(m))) @ X + ridge * free * w + pull * (w - to)
        return c @ np.logaddexp(0, -m) + 0.5 * ridge * free @ w**2 + 0.5 * pull * ((w - to) ** 2).sum(), grad

    return minimize(objective, np.zeros(X.shape[1]), jac=True, method="BFGS", options={"gtol": 1e-10}).x


def summary(w, k):
    return np.concatenate([w[:k], [w[-1], np.linalg.norm(w[k:-1])]])


def stored(outcome, r):
    return np.concatenate([outcome.heads.signal[r], [outcome.heads.bias[r], outcome.heads.noise_norm[r]]])


def test_the_engine_is_a_plain_replay():
    """ERM, CB-LLR by weights and the anchored head of replicate 6, refitted by SciPy on the redrawn rows."""
    e = experiment()
    out = simulate(e, 3, seed=9)
    X, y = redrawn(e, "train", 2, 9)
    erm = logistic_fit(X, y, np.full(len(y), 1 / len(y)), 0.05)
    np.testing.assert_allclose(stored(out["erm"], 2), summary(erm, 2), atol=1e-6)
    X, y = redrawn(e, "heldout", 2, 9)
    plain = np.full(len(y), 1 / len(y))
    balanced = np.where(y > 0, 0.5 / (y > 0).sum(), 0.5 / (y < 0).sum())
    np.testing.assert_allclose(stored(out["cb-llr"], 2), summary(logistic_fit(X, y, balanced, 0.05), 2), atol=1e-6)
    pulled = logistic_fit(X, y, plain, 0.05, pull=0.3, to=erm)
    np.testing.assert_allclose(stored(out["llr-pulled"], 2), summary(pulled, 2), atol=1e-6)
    cosine = out.cosine("erm", "cb-llr")[2]
    v = logistic_fit(X, y, balanced, 0.05)
    assert cosine == pytest.approx(erm[:-1] @ v[:-1] / np.linalg.norm(erm[:-1]) / np.linalg.norm(v[:-1]), abs=1e-6)


def test_any_split_of_the_replicates_gives_the_same_rows():
    p = plan(experiment())
    whole = simulate_plan(p, replicates=5, seed=1)
    parts = [simulate_plan(p, replicates=2, seed=1), simulate_plan(p, replicates=3, first=2, seed=1, jobs=2)]
    for label in whole.methods:
        joined = np.concatenate([part[label].heads.signal for part in parts])
        assert (whole[label].heads.signal == joined).all()
        assert (whole[label].readout.wga == np.concatenate([part[label].readout.wga for part in parts])).all()


def test_pairing_shares_gaussians_across_laws_and_independence_does_not():
    """LLR in two experiments that differ only in the training collapse uses the very same held-out rows."""
    a, b = experiment(), experiment(train={"n": 300, "proportions": TRAIN})
    common = [simulate(e, 3)["llr"].heads.signal for e in (a, b)]
    assert (common[0] == common[1]).all()
    independent = [simulate(e, 3, pairing="independent")["llr"].heads.signal for e in (a, b)]
    assert (independent[0] != independent[1]).any()


def test_balanced_classes_make_cb_llr_llr():
    out = simulate(experiment(heldout={"n": 120, "minority_ratio": 0.3, "class_prior": 0.5}), 3)
    assert (out["llr"].heads.signal == out["cb-llr"].heads.signal).all()


def test_uniform_upsampling_is_weighting():
    """Upsampling repeats rows; where the largest group is a multiple of every other it is the weighted fit."""
    e = experiment(heldout={"counts": [48, 12, 6, 24]})
    out = simulate(e, 3)
    np.testing.assert_allclose(out["dfr-upsample"].heads.signal, out["dfr"].heads.signal, rtol=1e-6)
    np.testing.assert_allclose(out["dfr-upsample"].heads.bias, out["dfr"].heads.bias, rtol=1e-5, atol=1e-7)


def test_a_whole_subset_is_no_subset():
    out = simulate(experiment(heldout={"counts": [20, 20, 20, 20]}), 3)
    np.testing.assert_array_equal(out["dfr-subset"].heads.signal, out["dfr"].heads.signal)
    np.testing.assert_allclose(out["dfr-5"].heads.signal, out["dfr"].heads.signal, rtol=1e-6)


def test_permuting_groups_permutes_accuracies():
    """The same features described with the groups in another order: equal in law, so within 4.5 standard errors."""
    mean = np.array([[-1, -1.5], [-1, 1.5], [1, -1.5], [1, 1.5]])
    order = [2, 0, 3, 1]

    def described(index):
        labels, attributes = np.array([-1, -1, 1, 1])[index], np.array([-1, 1, -1, 1])[index]
        return llrsim.load(
            {
                "features": {
                    "labels": labels.tolist(),
                    "attributes": attributes.tolist(),
                    "means": mean[index].tolist(),
                    "covariances": [[[0.36, 0], [0, 0.09]]] * 4,
                    "noise": {"dim": 8},
                },
                "train": {"counts": np.array([200, 30, 20, 80])[index].tolist()},
                "method": [{"kind": "erm"}],
            }
        )

    straight = simulate(described([0, 1, 2, 3]), 200, seed=1)["erm"]
    permuted = simulate(described(order), 200, seed=2)["erm"]
    gap = straight.group_accuracy[order] - permuted.group_accuracy
    error = np.hypot(
        straight.standard_error(straight.readout.group_accuracy)[order],
        permuted.standard_error(permuted.readout.group_accuracy),
    )
    assert np.abs(gap / error).max() < 4.5
    wrong = straight.group_accuracy - permuted.group_accuracy
    assert np.abs(wrong / error).max() > 4.5


def test_flipping_labels_flips_the_head():
    e = experiment()
    X, y = redrawn(e, "train", 0, 3)
    straight = fit(X[:, :-1], y, head=e.head)
    flipped = fit(X[:, :-1], -y, head=e.head)
    np.testing.assert_allclose(flipped.weights, -straight.weights, atol=1e-8)
    assert flipped.bias == pytest.approx(-straight.bias, abs=1e-8)


@pytest.mark.parametrize("balance", ["weights", "subset", "upsample"])
def test_the_largest_stable_step_is_that_of_the_rows_used(balance):
    """Of the weighted second moments of exactly the rows a fit uses, repeated ones counted, by NumPy's eigenvalues."""
    loud = {"loss": "squared", "ridge": 0.01, "solver": {"steps": 200, "step_size": 50.0}}
    counts = [40, 13, 7, 30]
    e = experiment(heldout={"counts": counts}, method=[{"kind": "dfr", "balance": balance, "head": loud}])
    stable = simulate(e, 1, seed=4)["dfr"].largest_stable_step
    X, _ = redrawn(e, "heldout", 0, 4)
    first = np.concatenate([[0], np.cumsum(counts)])
    used = {"weights": counts, "subset": [7] * 4, "upsample": [40] * 4}[balance]
    rows = np.concatenate([first[g] + np.arange(used[g]) % counts[g] for g in range(4)])
    c = np.concatenate([np.full(n, 0.25 / n) for n in used])
    moments = (X[rows] * c[:, None]).T @ X[rows] + 0.01 * np.diag([1.0] * 14 + [0.0])
    assert stable == pytest.approx(2 / np.linalg.eigvalsh(moments)[-1], rel=1e-5)


@pytest.mark.parametrize("loss", ["squared", "logistic", "hinge", "squared_hinge"])
def test_rotating_the_noise_block_rotates_the_head(loss):
    e = experiment()
    X, y = redrawn(e, "train", 0, 3)
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(12, 12)))[0]
    turned = X[:, :-1].copy()
    turned[:, 2:] = turned[:, 2:] @ rotation
    head = llrsim.load(e).head_of("erm").__class__(loss=loss, ridge=0.05)
    a, b = fit(X[:, :-1], y, head=head), fit(turned, y, head=head)
    np.testing.assert_allclose(b.weights[:2], a.weights[:2], atol=1e-6)
    np.testing.assert_allclose(b.weights[2:], a.weights[2:] @ rotation, atol=1e-6)


@pytest.mark.parametrize("loss", ["squared", "logistic", "hinge", "squared_hinge"])
def test_integer_weights_are_repeated_rows(loss):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 5)), rng.choice([-1.0, 1.0], 60)
    times = rng.integers(0, 4, 60)
    head = experiment().head.__class__(loss=loss, ridge=0.1)
    weighted, repeated = fit(X, y, times, head=head), fit(np.repeat(X, times, axis=0), np.repeat(y, times), head=head)
    np.testing.assert_allclose(weighted.weights, repeated.weights, atol=1e-7)
    assert weighted.bias == pytest.approx(repeated.bias, abs=1e-6)


def test_descent_records_its_path():
    head = {"solver": {"steps": 30, "step_size": 0.3, "path": [0, 10, 30]}}
    e = experiment(
        method=[
            {"kind": "erm", "head": head},
            {"kind": "erm", "name": "ten", "head": {"solver": {"steps": 10, "step_size": 0.3}}},
        ]
    )
    out = simulate(e, 2)
    path = out["erm"].path
    assert path.steps.tolist() == [0, 10, 30]
    assert (path.heads.signal[:, 0] == 0).all()
    assert (path.heads.signal[:, 1] == out["ten"].heads.signal).all()
    assert (path.heads.noise_norm[:, 2] == out["erm"].heads.noise_norm).all()


def test_minibatches_do_not_depend_on_the_split_of_replicates():
    head = {"solver": {"steps": 40, "step_size": 0.1, "batch": 16}}
    p = plan(experiment(method=[{"kind": "erm", "head": head}]))
    whole, last = simulate_plan(p, replicates=3), simulate_plan(p, replicates=1, first=2)
    assert (whole["erm"].heads.signal[2] == last["erm"].heads.signal[0]).all()
    assert (whole["erm"].heads.signal[0] != whole["erm"].heads.signal[1]).all()


def test_the_interpreter_stays_out_of_the_loop():
    """A thousand replicates enter the interpreter no more often than a hundred do."""

    def entries(replicates):
        count = 0

        def tally(frame, event, argument):
            nonlocal count
            count += event in ("call", "c_call")

        p = plan(experiment())
        simulate_plan(p, replicates=1)
        sys.setprofile(tally)
        try:
            simulate_plan(p, replicates=replicates)
        finally:
            sys.setprofile(None)
        return count

    few, many = entries(100), entries(1000)
    assert many < 1.05 * few + 50
    assert many < 2000
