"""Smooth fits where digits are scarce: tiny ridges, raw features, columns that depend on each other.

The objective of a head that is said to have converged is compared with minima from outside: clarabel's quadratic
program, Newton steps in fifty digits, and symmetries of the problem.
"""

import clarabel
import mpmath
import naive_solvers as naive
import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_breast_cancer

from llrsim import FitError, FitOptions
from llrsim._jit import kernel
from llrsim.experiment import load
from llrsim.model.losses import LOGISTIC, SQUARED, SQUARED_HINGE, Status
from llrsim.simulation import fit, simulate
from llrsim.simulation.solvers.certificate import excess_bound

EXCESS = 1e-8  # of the objective, that "converged" allows at most
CODES = {"squared": SQUARED, "logistic": LOGISTIC, "squared_hinge": SQUARED_HINGE}
LOSSES = list(CODES)


def gaussian(n, d, scale=1.0, seed=0):
    """Gaussian rows whose first column has the label added to it."""
    rng = np.random.default_rng(seed)
    y = np.where(rng.random(n) < 0.5, 1.0, -1.0)
    X = rng.standard_normal((n, d))
    X[:, 0] += y
    return scale * X, y


def objective(loss, X, y, ridge, weights, bias):
    w = np.append(weights, bias).astype(np.longdouble)
    design = np.column_stack([X, np.ones(len(y))]).astype(np.longdouble)
    penalty = np.append(np.full(X.shape[1], ridge), 0.0)
    return float(naive.objective(loss, design, y, 1.0 / len(y), penalty, 0.0, w))


def clarabel_squared_hinge(X, y, ridge):
    """Weights and bias of min sum_i s_i^2 / 2n + ridge |w|^2 / 2 subject to s_i >= 1 - y_i f_i and s_i >= 0.

    With s = ridge t, and in units of the ridge, the program keeps its digits at any ridge.
    """
    n, d = X.shape
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-11
    P = sparse.diags(np.concatenate([np.ones(d), [0.0], np.full(n, ridge / n)])).tocsc()
    design = sparse.csc_matrix(np.column_stack([X, np.ones(n)]) * y[:, None])
    A = sparse.bmat([[-design, -ridge * sparse.identity(n)], [None, -sparse.identity(n)]]).tocsc()
    b = np.append(-np.ones(n), np.zeros(n))
    x = np.array(
        clarabel.DefaultSolver(P, np.zeros(d + 1 + n), A, b, [clarabel.NonnegativeConeT(2 * n)], settings).solve().x
    )
    return x[:d], x[d]


def fifty_digits(loss, X, y, ridge):
    """Weights and bias by Newton steps in fifty digits, halved until the objective falls."""
    with mpmath.workdps(50):
        n, p = len(y), X.shape[1] + 1
        rows = [mpmath.matrix([mpmath.mpf(float(x)) for x in row] + [mpmath.mpf(1)]) for row in X]
        penalty = [mpmath.mpf(ridge)] * (p - 1) + [mpmath.mpf(0)]

        def parts(w):
            total, slopes, bends = sum(P * v * v for P, v in zip(penalty, w, strict=True)) / 2, [], []
            for row, label in zip(rows, y, strict=True):
                m = label * sum(a * b for a, b in zip(row, w, strict=True))
                if loss == "logistic":
                    e = mpmath.exp(-abs(m))
                    total += (max(-m, 0) + mpmath.log1p(e)) / n
                    slopes.append(-label / (1 + mpmath.exp(m)) / n)
                    bends.append(e / (1 + e) ** 2 / n)
                else:
                    total += max(1 - m, 0) ** 2 / 2 / n
                    slopes.append(-label * max(1 - m, 0) / n)
                    bends.append(mpmath.mpf(m < 1) / n)
            return total, slopes, bends

        w = mpmath.zeros(p, 1)
        for _ in range(200):
            total, slopes, bends = parts(w)
            grad = mpmath.matrix(
                [penalty[q] * w[q] + sum(s * r[q] for s, r in zip(slopes, rows, strict=True)) for q in range(p)]
            )
            hessian = mpmath.zeros(p, p)
            for row, bend in zip(rows, bends, strict=True):
                if bend > 0:
                    hessian += bend * row * row.T
            for q in range(p):
                hessian[q, q] += penalty[q]
            step = mpmath.lu_solve(hessian, -grad)
            decrement = -(grad.T * step)[0]
            if decrement < mpmath.mpf(10) ** -30 * total:
                break
            length = mpmath.mpf(1)
            while parts(w + length * step)[0] > total - length * decrement / 10:
                length /= 2
            w += length * step
        else:
            raise AssertionError("fifty digits: not converged")
        return np.array([float(v) for v in w[: p - 1]]), float(w[p - 1])


@pytest.mark.parametrize("scale", [1.0, 16.0])
@pytest.mark.parametrize("ridge", [1e-6, 1e-9, 1e-10])
def test_squared_hinge_at_a_tiny_ridge_has_the_head_of_a_quadratic_program(ridge, scale):
    X, y = gaussian(120, 202, scale)
    weights, bias = clarabel_squared_hinge(X, y, ridge)
    found = fit(X, y, head=FitOptions(loss="squared_hinge", ridge=ridge))
    least = objective("squared_hinge", X, y, ridge, weights, bias)
    assert objective("squared_hinge", X, y, ridge, found.weights, found.bias) <= (1 + EXCESS) * least
    assert np.linalg.norm(found.weights - weights) <= 1e-5 * np.linalg.norm(weights)


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge"])
@pytest.mark.parametrize(("n", "d"), [(8, 11), (11, 6)])
def test_tiny_ridges_have_the_minimum_of_fifty_digits(loss, n, d):
    X, y = gaussian(n, d, seed=3)
    for ridge in (1e-8, 1e-12):
        least = objective(loss, X, y, ridge, *fifty_digits(loss, X, y, ridge))
        found = fit(X, y, head=FitOptions(loss=loss, ridge=ridge))
        assert objective(loss, X, y, ridge, found.weights, found.bias) == pytest.approx(least, rel=EXCESS), ridge


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("scale", [1.0, 16.0])
def test_no_ridge_is_too_small_to_be_named(loss, scale):
    """Ridges down to where no digit is left: each ends in the minimum, or by a name."""
    X, y = gaussian(40, 60, scale, seed=1)
    # Where data are separable, weights of the squared losses converge as the ridge goes to zero.
    limit, heads, named = None, 0, 0
    for ridge in 10.0 ** np.arange(-8, -25, -2):
        found = fit(X, y, head=FitOptions(loss=loss, ridge=float(ridge)), raising=False)
        if found.status is Status.IMPRECISE:
            named += 1
            continue
        assert found.status is Status.CONVERGED
        heads += 1
        if loss != "logistic":
            limit = found.weights if limit is None else limit
            assert np.linalg.norm(found.weights - limit) <= 1e-4 * np.linalg.norm(limit), ridge
        assert found.certificate <= 1e-9
    assert heads >= 2
    assert named > 0 or loss == "logistic"


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge"])
def test_simulated_cell_at_a_tiny_ridge(loss):
    """Worst-group accuracy has a limit as the ridge goes to zero, and cells there have it or raise."""
    cell = {
        "features": {"core": {"mean": 1.0, "std": 0.6}, "spurious": {"mean": 1.0, "std": 0.4}, "noise": {"dim": 60}},
        "train": {"n": 36, "proportions": [0.4, 0.1, 0.1, 0.4]},
        "method": [{"kind": "erm"}],
    }

    def directions(ridge):
        method = simulate(load({**cell, "head": {"loss": loss, "ridge": ridge}}), 3)["erm"]
        assert (method.status == Status.CONVERGED).all()
        return np.column_stack([method.heads.signal, method.heads.noise_norm]) / method.heads.weight_norm[:, None]

    # The squared hinge's head is off by O(ridge), the logistic loss's direction by O(1 / log(1 / ridge)).
    near, nearer = directions(1e-8), directions(1e-11)
    np.testing.assert_allclose(nearer, near, atol=1e-5 if loss == "squared_hinge" else 0.05)


@kernel
def bound(loss, X, c, penalty, spread, pulls, grad):
    """The private kernel, opened to Python."""
    return excess_bound(loss, X[:, -1], c, penalty, spread, pulls, grad)


@pytest.mark.parametrize(
    ("loss", "code"), [("squared", SQUARED), ("logistic", LOGISTIC), ("squared_hinge", SQUARED_HINGE)]
)
@pytest.mark.parametrize("ridge", [1.0, 1e-2, 1e-4])
def test_certificate_bounds_the_excess_at_any_head(loss, code, ridge):
    """Around the minimum in all directions, the bias's alone among them: never below the excess."""
    rng = np.random.default_rng(7)
    X = np.column_stack([rng.standard_normal((40, 6)) + 0.5, np.ones(40)])
    y = np.where(X[:, 0] + rng.standard_normal(40) > 0.5, 1.0, -1.0)
    c, penalty = rng.exponential(size=40), np.append(np.full(6, ridge), 0.0)
    c /= c.sum()
    best = (
        naive.ridge(X, y, c, penalty, np.zeros(7))
        if loss == "squared"
        else naive.fit(loss, X, y, c, penalty, np.zeros(7))
    )
    least = naive.objective(loss, X, y, c, penalty, 0.0, best)
    spread = float(np.sum(c[:, None] * X[:, :-1] ** 2) / ridge)
    ratios = []
    for direction in [*np.eye(7), *rng.standard_normal((20, 7))]:
        for size in (1e-3, 1e-2, 0.3):
            w = best + size * direction
            _, slope, _ = naive.LOSSES[loss]
            pulls = slope(y * (X @ w))
            gap = bound(code, X, c, penalty, spread, pulls, naive.gradient(loss, X, y, c, penalty, 0.0, w))
            excess = naive.objective(loss, X, y, c, penalty, 0.0, w) - least
            assert gap >= excess * (1 - 1e-6)
            ratios.append(gap / excess)
    assert min(ratios) < 50 / ridge


@pytest.mark.parametrize("loss", LOSSES)
def test_raw_features_take_few_steps_and_have_the_minimum(loss):
    """Breast cancer: nearly dependent columns of scales 1e-3 to 1e3; the reference is Newton on standardised ones."""
    X, target = load_breast_cancer(return_X_y=True)
    y = np.where(target > 0, 1.0, -1.0)
    for ridge in (1.0, 1e-3, 1e-6):
        least = objective(loss, X, y, ridge, *naive.standardised_newton(loss, X, y, ridge))
        found = fit(X, y, head=FitOptions(loss=loss, ridge=ridge))
        assert objective(loss, X, y, ridge, found.weights, found.bias) <= (1 + EXCESS) * least
        assert found.iterations < 200


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("ridge", [1e-3, 0.0])
def test_an_offset_of_all_features_changes_the_bias_alone(loss, ridge):
    """Features are multiples of 2^-20, so that adding 2^20 rounds nothing: the same problem, exactly."""
    X, y = gaussian(200, 5, seed=2)
    X, offset = np.round(X * 2**20) / 2**20, 2.0**20
    near = fit(X, y, head=FitOptions(loss=loss, ridge=ridge))
    far = fit(X + offset, y, head=FitOptions(loss=loss, ridge=ridge))
    assert far.status is Status.CONVERGED
    np.testing.assert_allclose(far.weights, near.weights, rtol=0, atol=3e-9)
    assert far.bias == pytest.approx(near.bias - offset * near.weights.sum(), abs=5e-3)


def test_an_offset_beyond_double_precision_is_named():
    X, y = gaussian(100, 3)
    with pytest.raises(FitError, match=r"imprecise.*centre and rescale"):
        fit(X + 1e10, y, head=FitOptions(loss="logistic", ridge=1e-3))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("offset", [0.0, 50.0])
def test_dependent_columns_without_ridge_give_the_least_norm_and_say_so(loss, offset):
    """Columns that are mixtures of four, and a constant one: of the heads that act as the fit on the four."""
    X, y = gaussian(120, 4, seed=4)
    mixing = np.random.default_rng(6).standard_normal((4, 7))
    wide = np.column_stack([X @ mixing + offset, np.ones(120)])
    alone = fit(X, y, head=FitOptions(loss=loss, ridge=0.0))
    found = fit(wide, y, head=FitOptions(loss=loss, ridge=0.0))
    assert (alone.status, found.status) == (Status.CONVERGED, Status.NOT_UNIQUE)
    assert "least norm" in found.status.message
    expected = np.append(np.linalg.pinv(mixing) @ alone.weights, 0.0)
    np.testing.assert_allclose(found.weights, expected, atol=1e-6)
    assert found.bias == pytest.approx(alone.bias - offset * expected.sum(), abs=1e-4)


def test_nearly_dependent_columns_are_not_called_dependent():
    """A copy that is off by 1e-4 has a coefficient of its own, hard to see in single precision."""
    X, y = gaussian(150, 2, seed=5)
    apart = np.random.default_rng(8).standard_normal(150)
    wide = np.column_stack([X, X[:, 0] + 1e-4 * apart])
    alone = fit(np.column_stack([X, apart]), y, head=FitOptions(loss="logistic", ridge=0.0))
    found = fit(wide, y, head=FitOptions(loss="logistic", ridge=0.0))
    assert found.status is Status.CONVERGED
    assert found.weights[2] * 1e-4 == pytest.approx(alone.weights[2], rel=1e-5)
