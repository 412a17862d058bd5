"""Exact hinge and max-margin fits on a lazy sample: against dense fits of the same rows, once these are all revealed.

A sample whose directions are exhausted is an ordinary one: its rows are written out and fitted by the interior point.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import stats

from llrsim.experiment import FitOptions
from llrsim.model.draws import root_key
from llrsim.model.losses import Status
from llrsim.simulation import fit as dense_fit
from llrsim.simulation.lazy.fits import bounds, minimise, row_length, unbalanced
from llrsim.simulation.lazy.noise import (
    HEAD,
    LEFT,
    MIXING,
    MULTIPLIER,
    RIGHT,
    ROOT,
    SCALE,
    SLOPES,
    SPACE,
    LazyHead,
    SectionLaw,
)
from llrsim.simulation.lazy.query import look_once
from llrsim.simulation.lazy.rows import drive
from llrsim.simulation.lazy.sample import LazySample
from llrsim.simulation.solvers import Fit, recipe

MEANS = np.array([[-1.0, -1.5], [-1.0, 1.5], [1.0, -1.5], [1.0, 1.5]])
FACTOR = np.array([[0.6, 0.0], [0.2, 0.3]])
HINGE, PULLED = FitOptions(loss="hinge", ridge=0.05), FitOptions(loss="hinge", ridge=0.01)
HARD = FitOptions(loss="max_margin")
EXACT, SOLVE = 1e-12, 1e-9
ROWS = (12, 5, 4, 9)
TOGETHER = ROWS[0] + ROWS[1]
WEIGHTS = {
    "equal": np.full(sum(ROWS), 1.0),
    "unequal": np.linspace(0.1, 3.0, sum(ROWS)),
    "some zero": np.where(np.arange(sum(ROWS)) % 4 == 1, 0.0, np.linspace(3.0, 0.5, sum(ROWS))),
}


def law_of(rows=ROWS, dims=(8, 4), *, values=(1.5, 0.4), means=MEANS):
    return SectionLaw(
        rows=np.asarray(rows),
        labels=np.array([-1.0, -1.0, 1.0, 1.0]),
        means=means,
        factors=np.stack([FACTOR * scale for scale in (1.0, 1.5, 0.5, 1.0)]),
        noise_scale=np.array([1.0, 0.6, 1.3, 0.8]),
        eigenvalues=np.asarray(values, dtype=float),
        multiplicities=np.asarray(dims, dtype=np.int64),
    )


def exhausted(law, seed=0, **how):
    """A sample of which fits with other weights have revealed every direction."""
    sample = LazySample(law, root_key(seed), 0, **how)
    n, random = int(law.rows.sum()), np.random.default_rng(seed)
    while sample.directions < law.multiplicities.sum():
        weight = random.exponential(size=n)
        sample.fit(FitOptions(loss="logistic", ridge=0.1), weight / weight.sum())
    return sample


def spaces_of(sample):
    """(R,) eigenspace of each direction."""
    return sample._state.known[SPACE : SPACE + sample.directions]


def written_out(sample, law):
    """Features (n, k + R) and labels (n,) of the rows, noise in the order in which it was revealed."""
    k, R = law.means.shape[1], sample.directions
    sample.score(LazyHead(np.zeros(k), 0.0, np.zeros(len(law.eigenvalues))))  # finishes the last left direction
    state = sample._state
    L = state.known[LEFT]
    assert state.known[RIGHT] == R
    np.testing.assert_allclose(state.left[:L] @ state.left[:L].T, np.eye(L), atol=EXACT)
    images = state.fresh[:R] + state.matrices[MIXING, :R, :L] @ state.left[:L]
    noise = state.rows[SCALE] * state.spaces[ROOT, spaces_of(sample)][:, None] * images
    y = state.signal[k]
    return (y * np.concatenate([state.signal[:k], noise])).T, y


def weights_of(head):
    """(k + R,) weights in the columns of `written_out`."""
    return np.delete(head.coordinates, len(head.signal))


def objective(X, y, c, w, b, *, ridge, anchor=0.0, start=None):
    hinge = np.maximum(0.0, 1.0 - y * (X @ w + b))
    pull = 0.0 if start is None else 0.5 * anchor * (np.sum((w - start[0]) ** 2) + (b - start[1]) ** 2)
    return c @ hinge + 0.5 * ridge * (w @ w) + pull


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("values", [(1.5, 0.4), (1.0, 0.0)], ids=["two eigenvalues", "one and none"])
def test_hinge_is_the_dense_fit_of_the_same_rows(weights, values):
    law, c = law_of(values=values, dims=(8, 4 if values[1] else 0)), WEIGHTS[weights] / WEIGHTS[weights].sum()
    sample = exhausted(law)
    X, y = written_out(sample, law)
    found, expected = sample.fit(HINGE, c), dense_fit(X, y, c, head=HINGE)
    assert found.status is Status.CONVERGED
    assert found.certificate <= SOLVE
    np.testing.assert_allclose(weights_of(found.head), expected.weights, atol=1e-6)
    own = objective(X, y, c, weights_of(found.head), found.head.bias, ridge=0.05)
    assert own == pytest.approx(objective(X, y, c, expected.weights, expected.bias, ridge=0.05), rel=2 * SOLVE)
    np.testing.assert_allclose(sample.score(found.head), X @ weights_of(found.head) + found.head.bias, atol=1e-10)


@pytest.mark.parametrize("dims", [(10, 6), (20, 14)], ids=["exhausted", "not exhausted"])
@pytest.mark.parametrize("weights", WEIGHTS)
def test_max_margin_is_the_dense_fit_of_the_same_rows(weights, dims):
    law, c = law_of((8, 3, 3, 6), dims, means=2 * MEANS), WEIGHTS[weights][:20] / WEIGHTS[weights][:20].sum()
    sample = exhausted(law) if sum(dims) < 20 else LazySample(law, root_key(0), 0)
    found = sample.fit(HARD, c)
    X, y = written_out(sample, law)
    expected = dense_fit(X, y, c, head=HARD)
    assert found.status is expected.status is Status.CONVERGED
    assert found.certificate <= SOLVE
    own = weights_of(found.head)
    assert own @ own == pytest.approx(expected.weights @ expected.weights, rel=2 * SOLVE)
    # A head within a relative gap of 1e-9 is within sqrt(2e-9) of the best.
    np.testing.assert_allclose(own, expected.weights, atol=1e-4 * np.linalg.norm(own))
    assert (y * (X @ own + found.head.bias))[c > 0].min() >= 1.0 - EXACT


@pytest.mark.parametrize("origin", ["this sample", "elsewhere"])
def test_anchor_pulls_to_its_start(origin):
    law, anchor = law_of(), 0.2
    c = WEIGHTS["unequal"] / WEIGHTS["unequal"].sum()
    sample = LazySample(law, root_key(3), 0)
    start = LazyHead(np.array([0.3, -0.4]), 0.7, np.array([0.8, 0.5]))
    if origin == "this sample":
        start = sample.fit(FitOptions(loss="squared", ridge=0.3), c).head
    found = sample.fit(PULLED, c, anchor=anchor, start=start)
    X, y = written_out(sample, law)
    coordinates = sample._coordinates(start)
    weights = np.zeros(X.shape[1])
    weights[: len(coordinates) - 1] = np.delete(coordinates, 2)
    np.testing.assert_allclose(np.bincount(spaces_of(sample), weights[2:] ** 2, 2) ** 0.5, start.noise, rtol=1e-9)
    dense_start = Fit(weights, start.bias, 0.0, 0, Status.CONVERGED, np.zeros((0, 0)))
    expected = dense_fit(X, y, c, head=PULLED, anchor=anchor, start=dense_start)
    assert found.status is Status.CONVERGED
    np.testing.assert_allclose(weights_of(found.head), expected.weights[: len(found.head.coordinates) - 1], atol=1e-5)
    values = [
        objective(X, y, c, w, b, ridge=0.01, anchor=anchor, start=(weights, start.bias))
        for w, b in ((weights_of(found.head), found.head.bias), (expected.weights, expected.bias))
    ]
    assert values[0] == pytest.approx(values[1], rel=2 * SOLVE)


@pytest.mark.parametrize("head", [HINGE, HARD], ids=["hinge", "max margin"])
@pytest.mark.parametrize(("rows", "d"), [((120, 30, 30, 120), 150), ((60, 15, 15, 60), 300)], ids=["n=2d", "d=2n"])
def test_certificates_hold_from_scratch(rows, d, head):
    """In all known directions, with multipliers that stay feasible; the arrays grow while these fits go on."""
    law, n = law_of(rows, (d,), values=(1.0,)), sum(rows)
    sample = LazySample(law, root_key(1), 0)
    c = np.full(n, 1 / n)
    found = sample.fit(head, c)
    assert found.status is Status.CONVERGED
    assert found.directions < 0.9 * min(n, d)
    alpha = -c * sample._state.rows[SLOPES]
    X, y = written_out(sample, law)
    w, b = weights_of(found.head), found.head.bias
    assert alpha.min() >= 0
    positive, negative = alpha[y > 0].sum(), alpha[y < 0].sum()
    assert positive == pytest.approx(negative, rel=1e-10)
    alpha *= np.where(y > 0, min(1.0, negative / positive), min(1.0, positive / negative))
    pull = X.T @ (alpha * y)
    if head is HINGE:
        assert (alpha <= c).all()
        primal, dual = objective(X, y, c, w, b, ridge=0.05), alpha.sum() - pull @ pull / 0.1
    else:
        assert (y * (X @ w + b)).min() >= 1 - EXACT
        primal, dual = w @ w / 2, alpha.sum() - pull @ pull / 2
    gap = (primal - dual) / primal
    assert gap <= SOLVE
    # The multipliers were asked of the noise last, so nothing of their answer is outside of the known directions; the
    # classes' differ by rounding.
    assert gap - EXACT <= found.certificate <= gap + EXACT


@pytest.mark.parametrize("shift", [-0.03, -1e-3, 1e-3, 0.03])
@pytest.mark.parametrize("weights", ["unequal", "some zero"])
def test_the_lower_bound_holds_where_the_classes_are_unequal(weights, shift):
    """Where the bias is off, one class is scaled down: what that costs, against the literal dual."""
    law, c, softness, ridge = law_of(), WEIGHTS[weights] / WEIGHTS[weights].sum(), 0.2, 0.05
    sample = exhausted(law)
    X, y = written_out(sample, law)
    sample.fit(HINGE, c)
    state = sample._state
    state.vectors[HEAD, 2] += shift
    size = drive(look_once, recipe(HINGE), state, softness)
    length, _ = row_length(state)
    cost, dual = unbalanced(state, size, length), bounds(True, state, size)[1]
    alpha = -c * state.rows[SLOPES]
    positive, negative = alpha[y > 0].sum(), alpha[y < 0].sum()
    assert abs(positive - negative) > 1e-4
    alpha *= np.where(y > 0, min(1.0, negative / positive), min(1.0, positive / negative))
    pull = X.T @ (alpha * y)
    literal = alpha.sum() - pull @ pull / (2 * ridge)
    rho = abs(positive - negative)
    assert dual - cost <= literal <= dual - cost + rho * length * (2 * size + rho * length) / ridge


def test_separable_or_not_as_the_dense_solver_says():
    """Around capacity: both kinds occur, and each sample gets the dense verdict."""
    law, verdicts = law_of((20, 10, 8, 16), (12, 6), means=0.3 * MEANS), []
    c = np.full(54, 1 / 54)
    for seed in range(30):
        sample = exhausted(law, seed)
        X, y = written_out(sample, law)
        found, expected = sample.fit(HARD, c), dense_fit(X, y, c, head=HARD, raising=False)
        assert found.status is expected.status
        verdicts.append(found.status)
    assert set(verdicts) == {Status.CONVERGED, Status.NOT_SEPARABLE}


@pytest.mark.parametrize("head", [HINGE, HARD], ids=["hinge", "max margin"])
def test_nothing_to_fit_is_named(head):
    law = law_of()
    sample = LazySample(law, root_key(0), 0)
    assert sample.fit(head, np.zeros(4)).status is Status.EMPTY
    one = np.array([1.0, 1.0, 0.0, 0.0]) / TOGETHER
    assert sample.fit(head, one).status is Status.ONE_CLASS
    start = LazyHead(np.zeros(2), 0.5, np.zeros(2))
    if head is HINGE:
        assert sample.fit(head, one, anchor=0.5, start=start).status is Status.CONVERGED


def test_hinge_without_a_penalty_is_refused():
    with pytest.raises(ValueError, match=r"head\.ridge: 0.*dense"):
        LazySample(law_of(), root_key(0), 0).fit(FitOptions(loss="hinge", ridge=0.0), np.full(4, 1 / 30))


@pytest.mark.parametrize("head", [HINGE, HARD], ids=["hinge", "max margin"])
def test_threads_change_nothing(head):
    law = law_of((8000, 4000, 3000, 5000), (10, 5), means=4 * MEANS)
    weight = np.full(4, 1 / 20000)
    alone = LazySample(law, root_key(0), 0).fit(head, weight)
    with ThreadPoolExecutor(2) as pool:
        shared = LazySample(law, root_key(0), 0, pool=pool).fit(head, weight)
    assert alone.status is shared.status
    np.testing.assert_array_equal(alone.head.coordinates, shared.head.coordinates)


# The law, and what a fit that stops at the first softness would have


def summary(u, b, q):
    return np.array([*u, b, np.log(q)])


def dense_heads(law, head, runs):
    heads, d = [], int(law.multiplicities.sum())
    for seed in range(runs):
        random = np.random.default_rng([7, seed])
        y, section = np.repeat(law.labels, law.rows), np.repeat(np.arange(4), law.rows)
        signal = law.means[section] + np.einsum("nij,nj->ni", law.factors[section], random.standard_normal((len(y), 2)))
        noise = law.noise_scale[section, None] * random.standard_normal((len(y), d))
        found = dense_fit(np.hstack([signal, noise]), y, head=head)
        heads.append(summary(found.weights[:2], found.bias, np.linalg.norm(found.weights[2:])))
    return np.array(heads)


def lazy_heads(law, head, runs, softness=None):
    heads, weight = [], np.full(4, 1 / law.rows.sum())
    for replicate in range(runs):
        sample = LazySample(law, root_key(11), replicate)
        found = sample.fit(head, weight).head if softness is None else softened(sample, head, weight, softness)
        heads.append(summary(found.signal, found.bias, found.noise[0]))
    return np.array(heads)


def softened(sample, head, weight, softness):
    """The head of the first smooth problem of `multipliers`: the hinge with a rounded corner."""
    sample.fit(head, weight)
    state = sample._state
    state.rows[MULTIPLIER] = 0.0
    progress = np.array([0.0, 0.0, np.nan, np.nan, np.nan])
    status, _ = drive(minimise, recipe(head), state, softness, progress)
    assert Status(status) is Status.CONVERGED
    return sample._head(state.vectors[HEAD])


def least_p(first, second):
    """Holm's first step over the entries: the least p-value times their number."""
    return first.shape[1] * min(stats.ks_2samp(a, b).pvalue for a, b in zip(first.T, second.T, strict=True))


@pytest.mark.parametrize("runs", [300, pytest.param(2000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("head", [HINGE, HARD], ids=["hinge", "max margin"])
@pytest.mark.parametrize(("rows", "d"), [((16, 5, 4, 15), 20), ((8, 3, 2, 7), 40)], ids=["40x20", "20x40"])
def test_heads_have_the_dense_law(rows, d, head, runs):
    law = law_of(rows, (d,), values=(1.0,), means=2 * MEANS)
    assert least_p(lazy_heads(law, head, runs), dense_heads(law, head, runs)) > 1e-4


def test_a_rounded_corner_is_seen():
    law = law_of((16, 5, 4, 15), (20,), values=(1.0,), means=2 * MEANS)
    assert least_p(lazy_heads(law, HINGE, 300, softness=1.0), dense_heads(law, HINGE, 300)) < 1e-6
