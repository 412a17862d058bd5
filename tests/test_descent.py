"""Descents against their literal twins, the stability limit against eigenvalues."""

import naive_descent as naive
import numpy as np
import pytest
from sizes import sized

from llrsim.model.descent import stability
from llrsim.model.draws import shuffle
from llrsim.model.losses import Loss, Status
from llrsim.simulation.solvers import DESCENT, Recipe
from llrsim.simulation.solvers.descent import descend, largest_stable_step

# The streams' 64-bit numbers wrap around, of which NumPy warns when they are not compiled.
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")

LOSSES = ["squared", "logistic", "hinge", "squared_hinge"]
SMOOTH = ["squared", "logistic", "squared_hinge"]
STREAM = np.array([1, 2, 3, 4], dtype=np.uint64)


def problem(seed=0, n=37, p=6):
    rng = np.random.default_rng(seed)
    y = np.where(rng.random(n) < 0.4, 1.0, -1.0)
    X = rng.standard_normal((n, p)) + 0.5 * y[:, None]
    X[:, -1] = 1.0
    c = rng.random(n)
    penalty = np.append(np.full(p - 1, 0.05), 0.0)
    return X, y, c / c.sum(), penalty, rng.standard_normal(p), rng.standard_normal(p)


def run(loss, parts, *, steps, step_size, momentum=0.0, nesterov=False, clip=0.0, path=(), batch=0, stream=STREAM):
    """(status, relative gradient, steps done, final head, path of heads) of the kernel."""
    X, y, c, *penalty, start = parts
    w = start.copy()
    path = np.array(path, dtype=np.int64)
    path_w = np.full((path.size, w.size), 7.0)
    rates = {"step_size": step_size, "momentum": momentum, "clip": clip, "nesterov": float(nesterov)}
    how = Recipe(DESCENT, int(Loss[loss.upper()]), steps, batch, **rates)
    status, relative, done = descend(
        how, X, y, c, 0 * c, *penalty, w, np.empty((0, 0), np.float32), stream.copy(), path, path_w
    )
    return Status(status), relative, done, w, path_w


def batches_drawn(n, batch, steps):
    """The row indices of each step: every epoch shuffles the order the last one left."""
    stream, order, drawn = STREAM.copy(), np.arange(n), []
    while len(drawn) < steps:
        shuffle(stream, order)
        drawn += [order[k : k + batch].copy() for k in range(0, n, batch)]
    return drawn[:steps]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("momentum", "clip"), [(0.0, 0.0), (0.9, 0.0), (0.0, 0.3), (0.5, 0.3)])
def test_descent_follows_its_twin_step_by_step(loss, momentum, clip):
    parts = problem()
    path = [0, 1, 2, 17, 40]
    status, relative, done, w, path_w = run(
        loss, parts, steps=40, step_size=0.1, momentum=momentum, clip=clip, path=path
    )
    heads = naive.descend(loss, *parts, steps=40, step_size=0.1, momentum=momentum, clip=clip)
    assert (status, done) == (Status.FINISHED, 40)
    np.testing.assert_allclose(path_w, heads[path], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(w, heads[-1], rtol=1e-10, atol=1e-12)
    size, unit = (np.linalg.norm(naive.gradient(loss, *parts[:-1], v)) for v in (heads[-1], np.zeros(6)))
    assert relative == pytest.approx(size / unit, rel=1e-9)


@pytest.mark.parametrize("loss", LOSSES)
def test_nesterovs_momentum_follows_its_twin(loss):
    parts, path = problem(), [0, 1, 2, 17, 40]
    points = run(loss, parts, steps=40, step_size=0.1, momentum=0.8, nesterov=True, path=path)[4]
    expected = naive.nesterov(loss, *parts, steps=40, step_size=0.1, momentum=0.8)[path]
    np.testing.assert_allclose(points, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("batch", [1, 5, 36, 37, 100])
def test_minibatches_follow_their_twin(loss, batch):
    parts = problem()
    path = [0, 3, 50]
    status, _, done, w, path_w = run(
        loss, parts, steps=50, step_size=0.02, momentum=0.6, clip=2.0, path=path, batch=batch
    )
    heads = naive.descend(
        loss, *parts, steps=50, step_size=0.02, momentum=0.6, clip=2.0, batches=batches_drawn(37, batch, 50)
    )
    assert (status, done) == (Status.FINISHED, 50)
    np.testing.assert_allclose(path_w, heads[path], rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(w, heads[-1], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("loss", LOSSES)
def test_one_batch_of_all_rows_is_full_batch_descent(loss):
    parts = problem()
    whole = run(loss, parts, steps=30, step_size=0.1, momentum=0.5)[3]
    batched = run(loss, parts, steps=30, step_size=0.1, momentum=0.5, batch=37)[3]
    np.testing.assert_allclose(batched, whole, rtol=1e-10, atol=1e-12)


def test_batch_gradients_average_to_the_gradient_over_an_epoch():
    """Steps too small to move w between batches add up to the full gradient, when batches divide the rows."""
    parts = problem(n=40)
    tiny = 1e-9
    w = run("logistic", parts, steps=8, step_size=tiny, batch=5)[3]
    moved = (parts[-1] - w) / (8 * tiny)
    np.testing.assert_allclose(moved, naive.gradient("logistic", *parts), rtol=1e-5)


def test_epochs_differ_and_streams_reproduce():
    parts = problem()
    a, b = (run("logistic", parts, steps=20, step_size=0.1, batch=4)[3] for _ in range(2))
    other = run("logistic", parts, steps=20, step_size=0.1, batch=4, stream=STREAM + np.uint64(1))[3]
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - other).max() > 1e-3
    first, second = np.split(np.concatenate(batches_drawn(37, 37, 2)), 2)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.5, False), (0.9, False), (0.5, True), (0.9, True)])
def test_divergence_just_above_the_largest_stable_step_and_not_below(momentum, nesterov):
    parts = problem()
    X, _, c, penalty, _, _ = parts
    limit = largest_stable_step(int(Loss.SQUARED), X, c, penalty, stability(momentum, nesterov))
    steps = sized(20_000, 3_000)
    rule = {"momentum": momentum, "nesterov": nesterov}
    above = run("squared", parts, steps=steps, step_size=1.01 * limit, path=[0, steps], **rule)
    assert above[0] == Status.DIVERGED
    assert above[2] < steps
    np.testing.assert_array_equal(above[4][0], parts[-1])
    assert np.isnan(above[4][1]).all()
    below = run("squared", parts, steps=steps, step_size=0.99 * limit, **rule)
    assert below[0] == Status.FINISHED
    assert below[1] < 1e-9


@pytest.mark.parametrize("loss", SMOOTH)
@pytest.mark.parametrize(("n", "p"), [(37, 6), (10, 30), sized((400, 50), (60, 8))])
def test_largest_stable_step_is_set_by_the_top_eigenvalue(loss, n, p):
    X, _, c, penalty, _, _ = problem(n=n, p=p)
    bound = 0.25 if loss == "logistic" else 1.0
    top = np.linalg.eigvalsh(bound * (X.T * c) @ X + np.diag(penalty))[-1]
    found = largest_stable_step(int(Loss[loss.upper()]), X, c, penalty, stability(0.3, False))
    assert found == pytest.approx(2.6 / top, rel=1e-6)


def test_hinge_has_no_largest_stable_step():
    X, _, c, penalty, _, _ = problem()
    assert np.isnan(largest_stable_step(int(Loss.HINGE), X, c, penalty, 2.0))


@pytest.mark.parametrize("batch", [0, 4])
def test_bad_data_end_in_a_named_outcome(batch):
    X, y, c, penalty, centre, w = problem()
    broken = X.copy()
    broken[5, 2] = np.nan
    status, _, _, _, path_w = run(
        "logistic", (broken, y, c, penalty, centre, w), steps=30, step_size=0.1, batch=batch, path=[30]
    )
    assert status == Status.DIVERGED
    assert np.isnan(path_w).all()
    assert run("logistic", (X, y, 0 * c, penalty, centre, w), steps=3, step_size=0.1, batch=batch)[0] == Status.EMPTY
    assert run("squared", problem(), steps=500, step_size=50.0, batch=batch)[0] == Status.DIVERGED


@pytest.mark.parametrize("batch", [0, 4])
def test_no_steps_leave_the_start(batch):
    parts = problem()
    status, _, done, w, path_w = run("logistic", parts, steps=0, step_size=0.1, batch=batch, path=[0])
    assert (status, done) == (Status.FINISHED, 0)
    np.testing.assert_array_equal(w, parts[-1])
    np.testing.assert_array_equal(path_w[0], parts[-1])
