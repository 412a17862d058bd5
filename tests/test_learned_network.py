"""The network of the learned simulator: its gradient, its training, and the counts on test rows."""

import threading

import naive_network as naive
import numpy as np
import pytest

from llrsim.experiment import Network
from llrsim.model.draws import root_key
from llrsim.simulation.network import (
    Kept,
    Raw,
    TwoLayer,
    best_wga,
    digest,
    group_shares,
    loss_and_gradient,
    trained,
    untrained,
)

RNG = np.random.default_rng(3)
INPUTS, LABELS = RNG.standard_normal((12, 3)), np.where(np.arange(12) % 3 == 0, 1.0, -1.0)
RIDGE = 0.3
TRAINING = {"steps": 60, "step_size": 0.3, "momentum": 0.8, "ridge": 0.01}


def network(inputs=3, width=5, replicate=0, seed=0):
    return untrained(Network(kind="random-relu", width=width), inputs, root=root_key(seed), replicate=replicate)


def generic():
    """A network with offsets and bias of its own, so that none of its parts is at zero."""
    return TwoLayer(*(weights + 0.1 * RNG.standard_normal(weights.shape) for weights in network()))


def zeros_like(made):
    return TwoLayer(*(np.zeros_like(weights) for weights in made))


def test_the_objective_is_the_literal_one():
    made = generic()
    value = loss_and_gradient(made, INPUTS, LABELS, RIDGE, zeros_like(made))
    assert value == pytest.approx(naive.objective(*made, INPUTS, LABELS, RIDGE), rel=1e-12)
    literal = [naive.features(made.hidden, made.offset, x) for x in INPUTS]
    np.testing.assert_allclose(made.features(INPUTS), literal, rtol=1e-12)


@pytest.mark.parametrize("part", TwoLayer._fields)
def test_the_gradient_is_that_of_finite_differences(part):
    made = generic()
    gradient, step = zeros_like(made), 1e-6
    loss_and_gradient(made, INPUTS, LABELS, RIDGE, gradient)
    weights, slopes = getattr(made, part), getattr(gradient, part)
    assert np.abs(slopes).max() > 1e-3
    for place in np.ndindex(weights.shape):
        kept, ends = weights[place], []
        for shift in (step, -step):
            weights[place] = kept + shift
            ends.append(naive.objective(*made, INPUTS, LABELS, RIDGE))
        weights[place] = kept
        assert slopes[place] == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-8)


def test_training_is_heavy_ball_on_the_gradient():
    """Two steps by hand, and the start is left as it was."""
    start = network()
    copy = TwoLayer(*(weights.copy() for weights in start))
    found = trained(start, INPUTS, LABELS, **TRAINING | {"steps": 2})
    by_hand, moves = TwoLayer(*(weights.copy() for weights in start)), zeros_like(start)
    for _ in range(2):
        gradient = zeros_like(start)
        loss_and_gradient(by_hand, INPUTS, LABELS, TRAINING["ridge"], gradient)
        moves = TwoLayer(*(0.8 * move - 0.3 * slope for move, slope in zip(moves, gradient, strict=True)))
        by_hand = TwoLayer(*(weights + move for weights, move in zip(by_hand, moves, strict=True)))
    for one, other, before, kept in zip(found, by_hand, start, copy, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-15)
        np.testing.assert_array_equal(before, kept)


def test_training_fits_and_says_where_it_diverged():
    start = network(width=20)
    after = trained(start, INPUTS, LABELS, **TRAINING | {"steps": 400})
    assert (LABELS * after.logit(after.features(INPUTS)) > 0).all()
    assert not (LABELS * start.logit(start.features(INPUTS)) > 0).all()
    assert trained(start, INPUTS, LABELS, **TRAINING | {"step_size": 1e9}) is None


def test_networks_are_keyed_by_root_and_replicate():
    one, again, other, elsewhere = network(), network(), network(replicate=1), network(seed=1)
    np.testing.assert_array_equal(one.hidden, again.hidden)
    assert not np.isin(one.hidden, other.hidden).any()
    assert not np.isin(one.hidden, elsewhere.hidden).any()
    wide = network(inputs=50, width=400)
    assert wide.hidden.std() == pytest.approx(np.sqrt(2 / 50), rel=0.03)  # 20000 numbers: five standard errors
    assert wide.output.std() == pytest.approx(np.sqrt(1 / 400), rel=0.2)
    raw = untrained(Network(kind="raw"), 3, root=root_key(0), replicate=0)
    assert isinstance(raw, Raw)
    assert raw.features(INPUTS) is INPUTS


@pytest.mark.parametrize("digits", [0, 1, 9])
def test_the_best_bias_is_found_with_and_without_ties(digits):
    labels = np.array([-1.0, -1.0, 1.0, 1.0])
    for _ in range(40):
        scores = np.round(RNG.standard_normal((4, 6)) + labels[:, None] * RNG.random(), digits)
        found = best_wga(scores, labels)
        assert found == pytest.approx(naive.best_wga(scores.tolist(), labels.tolist()), abs=1e-12)
        assert found >= group_shares(scores, labels).min() - 1e-12


def test_what_is_kept_is_made_once_and_forgotten_in_order():
    made, kept = [], Kept(most=2)

    def make(name):
        return lambda: made.append(name) or name

    assert [kept.of(name, make(name)) for name in "abacab"] == list("abacab")
    assert made == ["a", "b", "c", "b"]  # of a, b and then c, b was asked for longest ago
    with pytest.raises(ZeroDivisionError):
        kept.of("d", lambda: 1 / 0)
    assert kept.of("d", make("d")) == "d"


def test_threads_wait_for_what_another_makes():
    kept, entered, go, found = Kept(), threading.Event(), threading.Event(), []

    def slow():
        entered.set()
        go.wait(10)
        return "slow"

    first = threading.Thread(target=lambda: found.append(kept.of("key", slow)))
    first.start()
    entered.wait(10)
    second = threading.Thread(target=lambda: found.append(kept.of("key", lambda: "again")))
    second.start()
    go.set()
    for thread in (first, second):
        thread.join(10)
    assert found == ["slow", "slow"]


def test_digests_tell_arrays_apart():
    one = np.arange(6.0)
    assert digest(one) == digest(one.copy())
    assert len({digest(one), digest(one.reshape(2, 3)), digest(one[:5]), digest(one + 1), digest(one, one)}) == 5
