"""One rich experiment replayed literally: raw normals, the collapse map on points, plain loops for every fit.

What the other tests leave equal is unequal here: tau_n and tau_a, per group; collapse of held-out and test features;
a noise spectrum; class shares of training and held-out set. Only the raw normals and the shuffle come from llrsim.
"""

import numpy as np
import pytest
from scipy.special import ndtr

import llrsim
from llrsim.experiment.groups import apportion
from llrsim.model.draws import Role, fill_normal, key, root_key, shuffle
from llrsim.simulation import simulate

SEED, REPLICATE = 5, 1
LABELS = np.array([-1.0, -1.0, 1.0, 1.0])
MEANS = np.array([[-1.0, -1.5], [-1.0, 1.5], [1.0, -1.5], [1.0, 1.5]])
STDS = np.array([0.6, 0.3])
SIGMA = np.array([1.0, 0.8, 1.2, 0.9])
SPECTRUM = np.array([2.0, 2.0, 2.0, 0.5, 0.5])
TRAIN_COUNTS = np.array([60, 20, 8, 40])
HELDOUT_COUNTS = np.array([30, 14, 6, 10])
TRAIN_TAU = np.array([0.5, 0.4, 0.9, 0.7]), np.array([0.3, 0.6, 0.8, 0.2])  # noise, attribute
HELDOUT_TAU = np.array([0.9] * 4), np.array([0.6] * 4)
TEST_TAU = np.array([0.8] * 4), np.array([0.5, 0.5, 1.0, 0.4])
STEPS, STEP, MOMENTUM, RIDGE = 12, 0.4, 0.5, 0.05


def collapse_section(tau):
    return {"noise": tau[0].tolist(), "attribute": tau[1].tolist()}


@pytest.fixture(scope="module")
def outcome():
    descent = {"steps": STEPS, "step_size": STEP, "momentum": MOMENTUM, "path": [0, 5, STEPS]}
    experiment = llrsim.load(
        {
            "features": {
                "core": {"mean": 1.0, "std": 0.6},
                "spurious": {"mean": 1.5, "std": 0.3},
                "noise": {"std": SIGMA.tolist(), "spectrum": [[2.0, 3], [0.5, 2]]},
            },
            "train": {"counts": TRAIN_COUNTS.tolist(), "collapse": collapse_section(TRAIN_TAU)},
            "heldout": {"counts": HELDOUT_COUNTS.tolist(), "collapse": collapse_section(HELDOUT_TAU)},
            "test": {"proportions": [0.1, 0.2, 0.3, 0.4], "collapse": collapse_section(TEST_TAU)},
            "head": {"ridge": RIDGE, "solver": descent},
            "method": [
                {"kind": "erm"},
                {"kind": "llr", "name": "fresh", "data": "fresh-train"},
                {"kind": "cb-llr"},
                {"kind": "llr", "name": "continued", "from": "erm", "anchor": 0.2},
                {"kind": "dfr", "name": "dfr-3", "balance": "subset", "average": 3},
                {"kind": "llr", "name": "sgd", "head": {"solver": {"steps": 9, "step_size": 0.2, "batch": 7}}},
            ],
        }
    )
    return simulate(experiment, REPLICATE + 1, seed=SEED)


def centres():
    """Training class means under the training shares, whatever is collapsed."""
    out = np.empty_like(MEANS)
    for y in (-1, 1):
        inside = y == LABELS
        out[inside] = TRAIN_COUNTS[inside] @ MEANS[inside] / TRAIN_COUNTS[inside].sum()
    return out


def rows(role, counts, tau):
    """Collapsed features with a column of ones, and labels: group after group, from the raw normals."""
    X, y, state = [], [], np.empty(4, np.uint64)
    for g, n in enumerate(counts):
        raw = np.empty((n, 7))
        key(state, root_key(SEED), int(role), REPLICATE, g)
        fill_normal(state, raw)
        signal = MEANS[g] + STDS * raw[:, :2]
        noise = SIGMA[g] * np.sqrt(SPECTRUM) * raw[:, 2:]
        pulled = centres()[g] + tau[1][g] * (MEANS[g] - centres()[g]) + tau[0][g] * (signal - MEANS[g])
        X.append(np.column_stack([pulled, tau[0][g] * noise, np.ones(n)]))
        y += [LABELS[g]] * n
    return np.vstack(X), np.array(y)


def gradient(w, X, y, c, pull=0.0, to=0.0):
    free = np.append(np.ones(7), 0.0)
    return -(c * y / (1 + np.exp(y * (X @ w)))) @ X + RIDGE * free * w + pull * (w - to)


def descend(X, y, c, start=None, pull=0.0):
    """Heavy-ball descent; the weights after every step."""
    w = np.zeros(8) if start is None else start.copy()
    move, path = np.zeros(8), [w.copy()]
    for _ in range(STEPS):
        move = MOMENTUM * move - STEP * gradient(w, X, y, c, pull, 0.0 if start is None else start)
        w = w + move
        path.append(w.copy())
    return np.array(path)


def summary(w):
    return np.array([w[0], w[1], w[7], np.linalg.norm(w[2:7]), np.sqrt(SPECTRUM @ w[2:7] ** 2)])


def stored(heads, index):
    return np.array(
        [*heads.signal[index], heads.bias[index], heads.noise_norm[index], heads.noise_spread[index]],
    )


def erm():
    X, y = rows(Role.TRAIN, TRAIN_COUNTS, TRAIN_TAU)
    return descend(X, y, np.full(len(y), 1 / len(y)))


def test_erm_and_its_path(outcome):
    path = erm()
    np.testing.assert_allclose(stored(outcome["erm"].heads, REPLICATE), summary(path[-1]), atol=1e-12)
    for place, step in enumerate((0, 5, STEPS)):
        found = stored(outcome["erm"].path.heads, (REPLICATE, place))
        np.testing.assert_allclose(found, summary(path[step]), atol=1e-12)


def test_fresh_training_rows_are_a_quarter_and_independent(outcome):
    counts = apportion(TRAIN_COUNTS.sum() // 4, TRAIN_COUNTS / TRAIN_COUNTS.sum())
    X, y = rows(Role.FRESH_TRAIN, counts, TRAIN_TAU)
    w = descend(X, y, np.full(len(y), 1 / len(y)))[-1]
    np.testing.assert_allclose(stored(outcome["fresh"].heads, REPLICATE), summary(w), atol=1e-12)
    assert outcome["fresh"].stage.selection.counts.sum() == 32


def test_class_balance_on_collapsed_heldout_rows(outcome):
    X, y = rows(Role.HELDOUT, HELDOUT_COUNTS, HELDOUT_TAU)
    c = np.where(y > 0, 0.5 / (y > 0).sum(), 0.5 / (y < 0).sum())
    np.testing.assert_allclose(stored(outcome["cb-llr"].heads, REPLICATE), summary(descend(X, y, c)[-1]), atol=1e-12)


def test_a_start_with_an_anchor(outcome):
    X, y = rows(Role.HELDOUT, HELDOUT_COUNTS, HELDOUT_TAU)
    w = descend(X, y, np.full(len(y), 1 / len(y)), start=erm()[-1], pull=0.2)[-1]
    np.testing.assert_allclose(stored(outcome["continued"].heads, REPLICATE), summary(w), atol=1e-12)


def test_an_average_of_three_random_subsets_and_its_path(outcome):
    X, y = rows(Role.HELDOUT, HELDOUT_COUNTS, HELDOUT_TAU)
    first = np.concatenate([[0], np.cumsum(HELDOUT_COUNTS)])
    state, paths = np.empty(4, np.uint64), []
    for draw in range(3):
        key(state, root_key(SEED), int(Role.SUBSET), REPLICATE, draw)
        chosen = []
        for g, n in enumerate(HELDOUT_COUNTS):
            order = np.arange(n)
            shuffle(state, order)
            chosen += list(first[g] + order[: HELDOUT_COUNTS.min()])
        paths.append(descend(X[chosen], y[chosen], np.full(len(chosen), 1 / len(chosen))))
    path = np.mean(paths, axis=0)
    assert not np.allclose(paths[0], paths[1])
    np.testing.assert_allclose(stored(outcome["dfr-3"].heads, REPLICATE), summary(path[-1]), atol=1e-12)
    for place, step in enumerate((0, 5, STEPS)):
        found = stored(outcome["dfr-3"].path.heads, (REPLICATE, place))
        np.testing.assert_allclose(found, summary(path[step]), atol=1e-12)


def test_minibatches_are_ordered_by_the_replicates_own_stream(outcome):
    X, y = rows(Role.HELDOUT, HELDOUT_COUNTS, HELDOUT_TAU)
    n = len(y)
    state, order, w = np.empty(4, np.uint64), np.arange(n), np.zeros(8)
    key(state, root_key(SEED), int(Role.ORDER), REPLICATE, 0)
    done = 0
    while done < 9:
        shuffle(state, order)
        for start in range(0, n, 7):
            if done == 9:
                break
            batch = order[start : start + 7]
            c = np.full(len(batch), 1 / len(batch))
            w = w - 0.2 * gradient(w, X[batch], y[batch], c)
            done += 1
    np.testing.assert_allclose(stored(outcome["sgd"].heads, REPLICATE), summary(w), atol=1e-12)


def test_the_readout_is_on_collapsed_test_features(outcome):
    w = erm()[-1]
    means = centres() + TEST_TAU[1][:, None] * (MEANS - centres())
    spread = TEST_TAU[0] ** 2 * (STDS**2 @ w[:2] ** 2 + SIGMA**2 * (SPECTRUM @ w[2:7] ** 2))
    accuracy = ndtr(LABELS * (means @ w[:2] + w[7]) / np.sqrt(spread))
    readout = outcome["erm"].readout
    np.testing.assert_allclose(readout.group_accuracy[REPLICATE], accuracy, atol=1e-12)
    assert readout.average_accuracy[REPLICATE] == pytest.approx(np.array([0.1, 0.2, 0.3, 0.4]) @ accuracy, abs=1e-12)
    assert readout.worst_group[REPLICATE] == accuracy.argmin()
