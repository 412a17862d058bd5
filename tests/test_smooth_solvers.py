"""The exact solvers for smooth losses: passes, truncated Newton, ridge.

No outside library has this objective in full (weights, a penalty for each coordinate, a centre), so each defining
property has its test: the certificate recomputed literally, a second unlike solver, scikit-learn where the problems
coincide, identities in the data, and every named status.
"""

import naive_solvers as naive
import numpy as np
import pytest
from sizes import sized
from sklearn.linear_model import LogisticRegression

from llrsim._jit import kernel
from llrsim.model.losses import (
    CONVERGED,
    EMPTY,
    LOGISTIC,
    NOT_CONVERGED,
    NOT_UNIQUE,
    ONE_CLASS,
    SEPARABLE,
    SQUARED,
    SQUARED_HINGE,
)
from llrsim.simulation.solvers import NEWTON, RIDGE, Recipe
from llrsim.simulation.solvers.newton import _newton_step, minimise
from llrsim.simulation.solvers.passes import curvature_product, gradient
from llrsim.simulation.solvers.ridge import ridge

CODES = {"squared": SQUARED, "logistic": LOGISTIC, "squared_hinge": SQUARED_HINGE}
TOL = 1e-9


def problem(n, p, lam=1e-2, anchor=0.0, seed=0, signal=1.0):
    """A design with bias, noisy labels, unequal weights with zeros among them, and a centre."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    X[:, -1] = 1.0
    y = np.where(signal * X[:, 0] + rng.standard_normal(n) > 0.3, 1.0, -1.0)
    c = rng.exponential(size=n) * (rng.random(n) > 0.1)
    penalty = np.full(p, lam)
    penalty[-1] = 0.0
    penalty += anchor
    centre = rng.standard_normal(p) if anchor else np.zeros(p)
    return X, y, c / c.sum(), penalty, centre


def fit(loss, X, y, c, penalty, centre, start=None, iterations=200):
    w = np.zeros(X.shape[1]) if start is None else start.copy()
    solver, code = (ridge, RIDGE) if loss == "squared" else (minimise, NEWTON)
    how = Recipe(code, CODES[loss], iterations=iterations, tolerance=TOL)
    single = np.empty(X.shape, np.float32)
    no_path = np.empty(4, np.uint64), np.empty(0, np.int64), np.empty((0, X.shape[1]))
    return (w, *solver(how, X, y, c, 0 * c, penalty, centre, w, single, *no_path))


MIDDLE = sized((203, 17), (43, 5))
SHAPES = sized([(40, 3), MIDDLE, (60, 60), (50, 170), (7, 30)], [(20, 3), (23, 6), (9, 9), (9, 18)])


@pytest.mark.parametrize("loss", CODES)
@pytest.mark.parametrize("n", [1, 4, 6, 43])
def test_gradient_pass_is_literal_and_matches_finite_differences(loss, n):
    X, y, c, penalty, centre = problem(n, 5, anchor=0.3)
    w = np.random.default_rng(1).standard_normal(5)
    margins, grad = np.empty(n), np.empty(5)
    gradient(CODES[loss], X, y, c, 0 * c, penalty, centre, w, margins, np.empty(len(y)), grad)
    np.testing.assert_allclose(margins, y * (X @ w), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(grad, naive.gradient(loss, X, y, c, penalty, centre, w), rtol=1e-12, atol=1e-14)
    h = 1e-5
    for j, step in enumerate(h * np.eye(5)):
        ahead = naive.objective(loss, X, y, c, penalty, centre, w + step)
        behind = naive.objective(loss, X, y, c, penalty, centre, w - step)
        assert grad[j] == pytest.approx((ahead - behind) / (2 * h), abs=1e-8)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("count", [0, 1, 3, 8, 9])
def test_curvature_product_over_listed_rows(dtype, count):
    rng = np.random.default_rng(count)
    X, weights, v, penalty = (rng.random(shape).astype(dtype) for shape in ((11, 6), count, 6, 6))
    rows, out = rng.permutation(11)[:count], np.empty(6, dtype)
    curvature_product(X, rows, weights, v, penalty, out)
    np.testing.assert_allclose(out, X[rows].T @ (weights * (X[rows] @ v)) + penalty * v, rtol=20 * np.finfo(dtype).eps)


@pytest.mark.parametrize("loss", CODES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("lam", [1.0, 1e-2, 1e-5])
@pytest.mark.parametrize("anchor", [0.0, 0.05])
def test_certificate_recomputed(loss, shape, lam, anchor):
    data = problem(*shape, lam, anchor)
    w, status, relative, _ = fit(loss, *data)
    assert status == CONVERGED
    recomputed = naive.relative_gradient(loss, *data, w)
    assert recomputed <= 1.01 * TOL
    # Beside the gradient it bounds the excess of the objective, which tells at the smallest ridge alone.
    assert relative == pytest.approx(recomputed, rel=1e-2, abs=1e-12 if lam > 1e-5 else TOL)
    assert relative >= 0.99 * recomputed - 1e-12


@pytest.mark.parametrize("loss", CODES)
@pytest.mark.parametrize("shape", [(40, 3), MIDDLE, sized((30, 40), (9, 12))])
def test_agrees_with_an_unlike_solver(loss, shape):
    data = problem(*shape, lam=0.05, anchor=0.02)
    expected = naive.ridge(*data) if loss == "squared" else naive.fit(loss, *data)
    np.testing.assert_allclose(fit(loss, *data)[0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("lam", [1e-2, 1e-4])
def test_agrees_with_scikit_learn(lam):
    n, p = sized((300, 21), (60, 5))
    X, y, c, penalty, centre = problem(n, p, lam)
    model = LogisticRegression(C=1 / (n * lam), tol=1e-10, max_iter=10_000)
    model.fit(X[:, :-1], y, sample_weight=n * c)
    w, *_ = fit("logistic", X, y, c, penalty, centre)
    np.testing.assert_allclose(w, [*model.coef_[0], model.intercept_[0]], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("loss", CODES)
@pytest.mark.parametrize("shape", [sized((60, 9), (30, 4)), sized((12, 40), (8, 14))])
def test_integer_weights_are_repeated_rows(loss, shape):
    X, y, _, penalty, centre = problem(*shape, anchor=0.1)
    times = np.random.default_rng(3).integers(0, 4, len(y))
    weighted, *_ = fit(loss, X, y, times / times.sum(), penalty, centre)
    X, y = np.repeat(X, times, axis=0), np.repeat(y, times)
    repeated, *_ = fit(loss, X, y, np.full(len(y), 1 / len(y)), penalty, centre)
    np.testing.assert_allclose(weighted, repeated, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("loss", CODES)
@pytest.mark.parametrize("shape", [sized((60, 9), (30, 4)), sized((30, 50), (9, 14))])
def test_row_order_label_flip_and_start_do_not_matter(loss, shape):
    X, y, c, penalty, centre = problem(*shape, anchor=0.1)
    w, *_ = fit(loss, X, y, c, penalty, centre)
    order = np.random.default_rng(4).permutation(len(y))
    permuted, *_ = fit(loss, X[order], y[order], c[order], penalty, centre)
    flipped, *_ = fit(loss, X, -y, c, penalty, -centre)
    far, *_ = fit(loss, X, y, c, penalty, centre, start=100.0 * np.ones(shape[1]))
    for other in (permuted, -flipped, far):
        np.testing.assert_allclose(other, w, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge"])
def test_start_at_the_minimum_takes_no_iteration(loss):
    data = problem(60, 9)
    w, *_ = fit(loss, *data)
    again, status, _, iterations = fit(loss, *data, start=w)
    assert (status, iterations) == (CONVERGED, 0)
    np.testing.assert_array_equal(again, w)


@pytest.mark.parametrize("loss", CODES)
def test_scale_of_columns_does_not_matter(loss):
    """Column scales from 1e-4 to 1e4, with the penalty scaled along, describe the same problem."""
    X, y, c, penalty, centre = problem(80, 9)
    scale = np.append(np.logspace(-4, 4, 8), 1.0)
    w, *_ = fit(loss, X, y, c, penalty, centre)
    stretched, status, *_ = fit(loss, X * scale, y, c, penalty * scale**2, centre)
    assert status == CONVERGED
    logits = X @ w
    np.testing.assert_allclose(X @ (scale * stretched), logits, atol=2e-4 * np.abs(logits).max())


@pytest.mark.parametrize("loss", CODES)
def test_hardly_penalised_wide_problem(loss):
    data = problem(*sized((100, 1500), (10, 60)), lam=1e-6)
    w, status, *_ = fit(loss, *data)
    assert status == CONVERGED
    assert naive.relative_gradient(loss, *data, w) <= 1.01 * TOL


@pytest.mark.parametrize("loss", CODES)
def test_collapsed_features_with_very_unequal_weights(loss):
    """Noise a hundred times smaller than the signal, weights over eight orders: what collapse and AFR produce."""
    X, y, c, penalty, centre = problem(*sized((400, 60), (60, 8)), lam=1e-4)
    X[:, 0] += 2 * y
    X[:, 1:-1] *= 0.01
    c = c * np.exp(-18 * np.random.default_rng(5).random(len(y)))
    data = X, y, c / c.sum(), penalty, centre
    w, status, *_ = fit(loss, *data)
    assert status == CONVERGED
    assert naive.relative_gradient(loss, *data, w) <= 1.01 * TOL


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge"])
def test_unpenalised_and_not_separable(loss):
    X, y, c, _, centre = problem(sized(200, 100), 8)
    data = X, y, c, np.zeros(8), centre
    w, status, *_ = fit(loss, *data)
    assert status == CONVERGED
    np.testing.assert_allclose(w, naive.fit(loss, *data), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge"])
@pytest.mark.parametrize("shape", [(20, 30), (40, 3)])
def test_separable_without_penalty_is_a_named_outcome_with_its_proof(loss, shape):
    X, y, c, _, centre = problem(*shape)
    X[:, 0] = y * (0.01 + np.abs(X[:, 0]))
    y[0], c[0] = -y[0], 0.0  # a row without weight need not be separated
    w, status, *_ = fit(loss, X, y, c, np.zeros(shape[1]), centre)
    assert status == SEPARABLE
    assert (y * (X @ w))[c > 0].min() > 0


def test_one_penalised_coordinate_is_not_called_separable():
    """Penalising the core feature alone leaves a minimum, separable or not."""
    X, y, c, _, centre = problem(40, 3)
    X[:, 0] = y * (0.5 + np.abs(X[:, 0]))
    penalty = np.array([0.1, 0.1, 0.0])
    assert fit("logistic", X, y, c, penalty, centre)[1] == CONVERGED


@pytest.mark.parametrize("loss", CODES)
def test_one_class(loss):
    X, y, c, penalty, centre = problem(40, 5)
    y[c > 0] = 1.0
    w, status, *_ = fit(loss, X, y, c, penalty, centre)
    assert status == (ONE_CLASS if loss == "logistic" else CONVERGED)
    anchored = penalty + 0.1
    w, status, *_ = fit(loss, X, y, c, anchored, centre)
    assert status == CONVERGED
    assert naive.relative_gradient(loss, X, y, c, anchored, centre, w) <= 1.01 * TOL


@pytest.mark.parametrize("loss", CODES)
def test_no_weight_is_empty(loss):
    X, y, c, penalty, centre = problem(10, 4)
    assert fit(loss, X, y, 0 * c, penalty, centre)[1] == EMPTY
    assert fit(loss, X[:0], y[:0], c[:0], penalty, centre)[1] == EMPTY


@pytest.mark.parametrize("loss", CODES)
@pytest.mark.parametrize("shape", [(40, 5), (6, 20)])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # from inf - inf, when run without compilation
def test_bad_numbers_end_unconverged(loss, shape, bad):
    X, y, c, penalty, centre = problem(*shape)
    X[3, 2] = bad
    assert fit(loss, X, y, c, penalty, centre)[1] == NOT_CONVERGED


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge"])
def test_running_out_of_iterations_is_said(loss):
    _, status, relative, iterations = fit(loss, *problem(60, 9, lam=1e-4), iterations=1)
    assert (status, iterations) == (NOT_CONVERGED, 1)
    assert relative > TOL


def test_ridge_with_several_free_columns_primal_and_dual():
    for n, p in sized(((60, 20), (20, 60)), ((20, 7), (7, 20))):
        X, y, c, penalty, centre = problem(n, p, anchor=0.2)
        penalty[[0, 3, p - 1]] = 0.0
        c = c + 0.01
        w, status, *_ = fit("squared", X, y, c, penalty, centre)
        assert status == CONVERGED
        np.testing.assert_allclose(w, naive.ridge(X, y, c, penalty, centre), rtol=1e-8, atol=1e-9)


def test_ridge_underdetermined_without_penalty_is_named():
    X, y, c, _, centre = problem(20, 30)
    assert fit("squared", X, y, c, np.zeros(30), centre)[1] == SEPARABLE


def test_ridge_takes_dependent_columns():
    """Columns that are mixtures of others, without penalty: minimisers form a subspace, and that is said."""
    X, y, c, _, _ = problem(50, 5)
    wide = np.hstack([X @ np.random.default_rng(6).standard_normal((5, 5)), X])
    w, status, *_ = fit("squared", wide, y, c, np.zeros(10), np.zeros(10))
    assert status == NOT_UNIQUE
    np.testing.assert_allclose(wide @ w, X @ naive.ridge(X, y, c, np.zeros(5), np.zeros(5)), atol=1e-8)


@pytest.mark.parametrize("lam", [1e-2, 1e-4])
def test_newton_steps_are_few(lam):
    """Six are seen; a first-order method takes hundreds."""
    _, status, _, iterations = fit("logistic", *problem(*MIDDLE, lam))
    assert status == CONVERGED
    assert iterations <= 7


@kernel
def newton_step(loss, design, square, y, c, penalty, pulls, grad, forcing, thinning, step, image):
    """The private kernel, opened to Python."""
    _newton_step(loss, design, square, y, c, penalty, pulls, grad, forcing, thinning, step, image)


def test_newton_step_solves_for_the_hessian_and_gives_its_image():
    X, y, c, penalty, centre = problem(60, 9)
    w, design = np.zeros(9), X.astype(np.float32)
    grad, square = naive.gradient("logistic", X, y, c, penalty, centre, w), c @ X**2
    step, image = np.empty(9), np.empty(60)
    pulls = np.full(60, -0.5)  # the slopes at w = 0
    newton_step(LOGISTIC, design, square, y, c, penalty, pulls, grad, 1e-5, 0.0, step, image)
    np.testing.assert_allclose(naive.hessian("logistic", X, y, c, penalty, w) @ step, -grad, atol=1e-4)
    np.testing.assert_allclose(image, y * (X @ step), atol=1e-4)
