"""Hinge and hard margin: against clarabel, scikit-learn and linear programming, and their own optimality conditions."""

from fractions import Fraction

import clarabel
import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import linprog
from sizes import sized
from sklearn.svm import SVC

from llrsim.model.losses import Loss, Status
from llrsim.simulation.solvers import INTERIOR_POINT, Recipe
from llrsim.simulation.solvers.interior_point import interior_point

TOL = 1e-9


def solve(loss, X, y, c, penalty, centre=None, tol=TOL):
    w = np.full(X.shape[1], np.nan)  # not a start, so what it holds must not matter
    centre = np.zeros(X.shape[1]) if centre is None else centre
    how = Recipe(INTERIOR_POINT, int(loss), iterations=100, tolerance=tol)
    single = np.empty((0, 0), np.float32)  # not read
    no_path = np.empty(4, np.uint64), np.empty(0, np.int64), np.empty((0, X.shape[1]))
    status, gap, iterations = interior_point(how, X, y, c, 0 * c, penalty, centre, w, single, *no_path)
    return Status(status), gap, w, iterations


def problem(seed, n, p, shift=1.0, lam=0.01, decades=0):
    """Two Gaussian classes `shift` apart either side of zero; weights over `decades` decades; the bias is free."""
    rng = np.random.default_rng(seed)
    y = np.where(rng.random(n) < 0.5, 1.0, -1.0)
    y[:2] = 1.0, -1.0
    X = rng.standard_normal((n, p))
    X[:, 0] += shift * y
    X[:, -1] = 1.0
    c = 10.0 ** (decades * rng.random(n))
    return X, y, c / c.sum(), np.append(np.full(p - 1, lam), 0.0)


def hinge_objective(X, y, c, penalty, centre, w):
    return c @ np.maximum(0.0, 1.0 - y * (X @ w)) + 0.5 * penalty @ (w - centre) ** 2


def clarabel_head(loss, X, y, c, penalty, centre):
    """Head and objective of the same quadratic program from an outside interior point."""
    n, p = X.shape
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-11
    rows = sparse.csc_matrix(-X * y[:, None])
    if loss == Loss.HINGE:
        eye = sparse.identity(n)
        P = sparse.block_diag([sparse.diags(penalty), sparse.csc_matrix((n, n))]).tocsc()
        q = np.append(-penalty * centre, c)
        A = sparse.bmat([[rows, -eye], [None, -eye]]).tocsc()
        b = np.append(-np.ones(n), np.zeros(n))
    else:
        P, q, A, b = sparse.diags(penalty).tocsc(), -penalty * centre, rows, -np.ones(n)
    found = clarabel.DefaultSolver(P, q, A, b, [clarabel.NonnegativeConeT(b.size)], settings).solve()
    return np.array(found.x)[:p], found.obj_val + 0.5 * penalty @ centre**2


SIZES = sized([(60, 6), (120, 30), (25, 60)], [(20, 4), (24, 8), (8, 16)])


@pytest.mark.parametrize(("n", "p"), SIZES)
@pytest.mark.parametrize("decades", [0, 4])
@pytest.mark.parametrize("lam", [1e-6, 1e-3, 1.0])
@pytest.mark.parametrize("anchored", [False, True])
def test_hinge_reaches_the_objective_of_clarabel(n, p, decades, lam, anchored):
    X, y, c, penalty = problem(n + p, n, p, lam=lam, decades=decades)
    centre = np.zeros(p)
    if anchored:
        centre = np.random.default_rng(1).standard_normal(p)
        penalty += 0.1
    status, gap, w, _ = solve(Loss.HINGE, X, y, c, penalty, centre)
    reference, value = clarabel_head(Loss.HINGE, X, y, c, penalty, centre)
    assert status == Status.CONVERGED
    assert gap <= TOL
    assert abs(hinge_objective(X, y, c, penalty, centre, w) - value) <= 2 * TOL * value + 1e-11
    # The penalty makes F strongly convex: a gap g leaves at most sqrt(2 g / P_j) in coordinate j.
    penalised = penalty > 0
    room = np.sqrt(4 * TOL * value / penalty[penalised])
    assert (np.abs(w - reference)[penalised] <= room).all()


@pytest.mark.parametrize(("n", "p"), SIZES)
@pytest.mark.parametrize("anchored", [False, True])
def test_max_margin_matches_clarabel_and_its_optimality_conditions(n, p, anchored):
    X, y, c, penalty = problem(n, n, p, shift=6.0, decades=4)
    centre = np.random.default_rng(2).standard_normal(p) if anchored else np.zeros(p)
    status, gap, w, _ = solve(Loss.MAX_MARGIN, X, y, c, penalty, centre, tol=1e-11)
    reference, _ = clarabel_head(Loss.MAX_MARGIN, X, y, c, penalty / penalty.max(), centre)
    assert status == Status.CONVERGED
    assert gap <= 1e-11
    np.testing.assert_allclose(w, reference, atol=2e-5)
    margins = y * (X @ w)
    assert margins.min() == pytest.approx(1.0, abs=1e-9)
    # Stationarity: w - w0 is a nonnegative combination of the support vectors' rows.
    support = margins < 1 + 1e-4
    assert 2 <= support.sum() <= p + 1
    rows = (X * y[:, None])[support]
    target = np.append((w - centre)[:-1], 0.0)
    alpha, *_ = np.linalg.lstsq(rows.T, target, rcond=None)
    np.testing.assert_allclose(rows.T @ alpha, target, atol=1e-4)
    assert alpha.min() > -1e-4


def test_max_margin_has_no_scale_of_ridge_and_no_weights():
    X, y, c, penalty = problem(3, 50, 8, shift=6.0, decades=3)
    _, _, w, _ = solve(Loss.MAX_MARGIN, X, y, c, penalty, tol=1e-12)
    for other_c, other in ((np.full(50, 0.02), penalty), (c, 1e-5 * penalty), (c, 0.0 * penalty)):
        status, _, v, _ = solve(Loss.MAX_MARGIN, X, y, other_c, other, tol=1e-12)
        assert status == Status.CONVERGED
        np.testing.assert_allclose(v, w, atol=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_hinge_matches_support_vector_machine_of_scikit_learn(seed):
    n, p, lam = sized(150, 50), sized(8, 4), 0.02
    X, y, c, penalty = problem(seed, n, p, lam=lam, decades=1)
    _, _, w, _ = solve(Loss.HINGE, X, y, c, penalty)
    machine = SVC(kernel="linear", C=1 / (n * lam), tol=1e-8).fit(X[:, :-1], y, sample_weight=n * c)
    np.testing.assert_allclose(w[:-1], machine.coef_[0], atol=1e-5)
    assert w[-1] == pytest.approx(machine.intercept_[0], abs=1e-5)


def test_weights_are_repeated_rows_and_rows_of_weight_zero_do_not_count():
    X, y, _, penalty = problem(5, 40, 5)
    repeats = np.arange(40) % 3
    weighted = solve(Loss.HINGE, X, y, repeats / repeats.sum(), penalty, tol=1e-12)[2]
    X_all, y_all = np.repeat(X, repeats, axis=0), np.repeat(y, repeats)
    repeated = solve(Loss.HINGE, X_all, y_all, np.full(len(y_all), 1 / len(y_all)), penalty, tol=1e-12)[2]
    np.testing.assert_allclose(weighted, repeated, atol=1e-5)


def test_gap_bounds_the_distance_to_the_optimum():
    """At a loose tolerance the reported gap must cover what is really missing, and not be a formality."""
    X, y, c, penalty = problem(9, 80, 10, decades=2)
    best = hinge_objective(X, y, c, penalty, 0.0, solve(Loss.HINGE, X, y, c, penalty, tol=1e-11)[2])
    for tol in (1e-1, 1e-2, 1e-3):
        _, gap, w, _ = solve(Loss.HINGE, X, y, c, penalty, tol=tol)
        value = hinge_objective(X, y, c, penalty, 0.0, w)
        assert 0.0 < value - best <= gap * (1 + value)
        assert gap <= tol


def separable(X, y):
    """Linear program: the largest t with y x.w >= t, |w| <= 1, is positive."""
    n, p = X.shape
    A = np.column_stack([-X * y[:, None], np.ones(n)])
    bounds = [(-1, 1)] * p + [(None, 1)]
    found = linprog(np.append(np.zeros(p), -1.0), A_ub=A, b_ub=np.zeros(n), bounds=bounds, method="highs")
    return -found.fun > 1e-9


def check_separability(seed):
    rng = np.random.default_rng(seed)
    p = int(rng.integers(2, 20))
    n = int(rng.integers(p, 4 * p) + 2)
    X, y, c, penalty = problem(seed, n, p, shift=rng.choice([0.0, 1.0, 2.0]), decades=rng.choice([0, 4]))
    if rng.random() < 0.3:  # a repeated point, with both labels in most draws
        X[rng.integers(0, n, 3)] = X[0]
    centre = rng.standard_normal(p) if rng.random() < 0.5 else np.zeros(p)
    expected = separable(X, y)
    status = solve(Loss.MAX_MARGIN, X, y, c, penalty, centre)[0]
    assert status == (Status.CONVERGED if expected else Status.NOT_SEPARABLE), seed
    return expected


def test_not_separable_is_told_from_separable_as_by_linear_programming():
    separable_ones = [check_separability(seed) for seed in range(sized(60, 12))]
    assert 0.15 < np.mean(separable_ones) < 0.85


def test_steps_that_would_run_in_a_cycle_converge():
    assert check_separability(965)


@pytest.mark.slow
def test_not_separable_at_length():
    for seed in range(3000):
        check_separability(seed)


def test_points_of_both_labels_at_one_place_are_not_separable_even_with_more_columns_than_rows():
    X, y, c, penalty = problem(4, 12, 40)
    X[1] = X[0]
    assert solve(Loss.MAX_MARGIN, X, y, c, penalty)[0] == Status.NOT_SEPARABLE


@pytest.mark.parametrize("unit", [1e-9, 1e-4, 1.0, 1e6])
@pytest.mark.parametrize("offset", [0.0, 1.0, 1e5])
@pytest.mark.parametrize("repeats", [1, 50])
def test_two_points_have_the_margin_of_their_distance_at_any_scale_and_offset(unit, offset, repeats):
    """Half their distance is `unit` = 1 / |w|; the offset is in units of it, so that 1e5 leaves eleven digits."""
    y = np.repeat([1.0, -1.0], repeats)
    X = np.column_stack([unit * (offset + 0.6 * y), unit * (offset + 0.8 * y), np.ones(2 * repeats)])
    status, _, w, _ = solve(Loss.MAX_MARGIN, X, y, np.full(y.size, 1 / y.size), np.array([1.0, 1.0, 0.0]))
    assert status == Status.CONVERGED
    np.testing.assert_allclose(w[:2] * unit, [0.6, 0.8], rtol=1e-6)
    assert w[2] == pytest.approx(-1.4 * offset, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("gap", [1e-3, 1e-5, 1e-7])
def test_a_gap_that_is_thin_beside_the_rows_separates_them(gap):
    """No alpha >= 0 has a pull below the margin times its sum, so what pulls less is a ray only if it is zero."""
    rng = np.random.default_rng(2)
    y = np.repeat([1.0, -1.0], 20)
    X = np.column_stack([gap * y, rng.standard_normal(40), np.ones(40)])
    status, _, w, _ = solve(Loss.MAX_MARGIN, X, y, np.full(40, 1 / 40), np.array([1.0, 1.0, 0.0]))
    assert status == Status.CONVERGED
    assert (y * (X @ w)).min() >= 1 - 1e-9
    assert w[0] <= (1 + 1e-9) / gap  # the first coordinate alone needs as much


@pytest.mark.parametrize("gap", [1e-2, 1e-4, 1e-5, 1e-7])
@pytest.mark.parametrize("repeats", [1, 7])
def test_rows_that_pull_in_the_gap_alone_are_separated(gap, repeats):
    """Corners of a thin box: equal multipliers pull by the gap, and the nearest point without a pull is zero."""
    y = np.tile([1.0, 1.0, -1.0, -1.0], repeats)
    X = np.column_stack([gap * y, np.tile([1.0, -1.0], 2 * repeats), np.ones(y.size)])
    status, _, w, _ = solve(Loss.MAX_MARGIN, X, y, np.full(y.size, 1 / y.size), np.array([1.0, 1.0, 0.0]))
    assert status == Status.CONVERGED
    np.testing.assert_allclose(w * [gap, 1.0, 1.0], [1.0, 0.0, 0.0], atol=1e-6)


@pytest.mark.parametrize(("loss", "shift"), [(Loss.HINGE, 1.0), (Loss.MAX_MARGIN, 6.0)])
@pytest.mark.parametrize(("unit", "offset"), [(1e-5, 0.0), (1.0, 1e6), (1e-4, 1e4), (1e5, -30.0)])
def test_units_and_origin_of_the_features_do_not_matter(loss, shift, unit, offset):
    """x -> unit (x + offset) with ridge -> unit^2 ridge: the head that clarabel finds where both are absent.

    An offset of 1e6 leaves a margin ten digits, so that no head has a least margin of 1 to 1e-11.
    """
    X, y, c, penalty = problem(11, *sized((60, 6), (24, 4)), shift=shift, lam=0.05)
    expected, _ = clarabel_head(loss, X, y, c, penalty, 0 * penalty)
    moved = X.copy()
    moved[:, :-1] = unit * (X[:, :-1] + offset)
    thin = loss == Loss.MAX_MARGIN and offset == 1e6
    assert not thin or solve(loss, moved, y, c, penalty, tol=1e-11)[0] == Status.IMPRECISE
    status, _, w, _ = solve(loss, moved, y, c, penalty * unit**2, tol=TOL if thin else 1e-11)
    assert status == Status.CONVERGED
    back = np.append(w[:-1] * unit, w[-1] + offset * unit * w[:-1].sum())
    np.testing.assert_allclose(back, expected, atol=1e-4)


@pytest.mark.parametrize("length", [1e2, 1e5])
def test_a_row_that_is_long_beside_the_others_hides_no_margin(length):
    """A long row far on its side of the boundary supports nothing: without it clarabel finds the same head."""
    rng = np.random.default_rng(5)
    for _ in range(10):
        X, y = np.column_stack([rng.standard_normal((24, 40)), np.ones(24)]), rng.choice([-1.0, 1.0], 24)
        c, penalty = np.full(24, 1 / 24), np.append(np.ones(40), 0.0)
        others = np.arange(24) != 3
        expected, _ = clarabel_head(Loss.MAX_MARGIN, X[others], y[others], c[others], penalty, 0 * penalty)
        X[3, :-1] *= length * np.sign(y[3] * X[3, :-1] @ expected[:-1])
        assert y[3] * (X[3] @ expected) > 1.0
        status, _, w, _ = solve(Loss.MAX_MARGIN, X, y, c, penalty)
        assert status == Status.CONVERGED
        np.testing.assert_allclose(w, expected, atol=1e-5)


def test_hinge_without_penalty():
    X, y, c, _ = problem(6, 60, 4, shift=1.0)
    none = np.zeros(4)
    status, gap, w, _ = solve(Loss.HINGE, X, y, c, none)
    _, value = clarabel_head(Loss.HINGE, X, y, c, none, none)
    assert status == Status.CONVERGED
    assert gap <= TOL
    assert hinge_objective(X, y, c, none, none, w) == pytest.approx(value, abs=1e-8)
    X, y, c, _ = problem(6, 60, 4, shift=6.0)
    assert solve(Loss.HINGE, X, y, c, none)[0] == Status.SEPARABLE


@pytest.mark.parametrize("loss", [Loss.HINGE, Loss.MAX_MARGIN])
def test_named_outcomes(loss):
    X, y, c, penalty = problem(7, 30, 4, shift=6.0)
    assert solve(loss, X, y, np.zeros(30), penalty)[0] == Status.EMPTY
    one_label = np.where(y > 0, c, 0.0)
    assert solve(loss, X, y, one_label, penalty)[0] == Status.ONE_CLASS
    assert solve(loss, X, y, one_label, np.full(4, 0.1))[0] == Status.CONVERGED
    broken = X.copy()
    broken[3, 1] = np.nan
    assert solve(loss, broken, y, c, penalty)[0] == Status.NOT_CONVERGED
    status, _, _, iterations = solve(loss, X, y, c, penalty, tol=-1.0)
    assert status == Status.NOT_CONVERGED
    assert iterations <= 100


def test_the_scale_of_a_feature_does_not_matter():
    X, y, c, penalty = problem(8, 80, 6)
    unit = np.array([1e-3, 1.0, 1e3, 10.0, 0.1, 1.0])
    w = solve(Loss.HINGE, X, y, c, penalty)[2]
    scaled = solve(Loss.HINGE, X * unit, y, c, penalty * unit**2)[2]
    np.testing.assert_allclose(scaled * unit, w, atol=1e-4)


def test_iterations_stay_few_for_weights_over_four_decades():
    counts = []
    for seed in range(sized(30, 4)):
        X, y, c, penalty = problem(seed, *sized((200, 20), (50, 5)), lam=1e-4, decades=4)
        status, _, _, iterations = solve(Loss.HINGE, X, y, c, penalty)
        assert status == Status.CONVERGED
        counts.append(iterations)
    assert np.median(counts) <= 20
    assert max(counts) <= 40


def exact_margins(X, y, w):
    """Margins of the rows as given, as rationals."""
    head = [Fraction(float(value)) for value in w]
    return [
        Fraction(int(label)) * sum(Fraction(float(x)) * v for x, v in zip(row, head, strict=True))
        for row, label in zip(X, y, strict=True)
    ]


def far_rows(n, p, offset):
    """Rows of more columns than rows about `offset`, on a grid fine and coarse enough to shift without rounding."""
    X, y, _, penalty = problem(n, n, p + 1, lam=1.0)
    X[:, :-1] = np.round(X[:, :-1] * 2**18) / 2**18 + offset
    return X, y, np.full(n, 1 / n), penalty


@pytest.mark.parametrize("offset", [0.0, 1e4, 1e5, 1e6, 1e7])
@pytest.mark.parametrize("ridge", [1e-9, 1e-6, 1e-3])
def test_hinge_far_from_zero_has_the_minimum_of_the_rows_as_given_or_says_it_has_not(offset, ridge):
    """At ridges so small all rows have a margin of 1, and the minimum is the ridge times that of the hard margin."""
    near, y, c, penalty = far_rows(20, 30, 0.0)
    _, least = clarabel_head(Loss.MAX_MARGIN, near, y, c, penalty, 0 * penalty)
    X, *_ = far_rows(20, 30, offset)
    assert np.array_equal(X[:, :-1] - offset, near[:, :-1])
    status, gap, w, _ = solve(Loss.HINGE, X, y, c, ridge * penalty)
    loss = sum(max(Fraction(0), 1 - m) for m in exact_margins(X, y, w)) / 20
    value = float(loss + Fraction(ridge) * sum(Fraction(float(v)) ** 2 for v in w[:-1]) / 2)
    excess = value - ridge * least
    assert abs(excess / (value + 1e-12) - gap) <= 2 * TOL  # 1e-12: what stands in for a minimum of zero
    assert status == (Status.CONVERGED if gap <= TOL else Status.IMPRECISE)
    assert status == Status.IMPRECISE or excess <= 1e-8 * value
    assert status == Status.CONVERGED or offset >= 1e5
    assert status == Status.IMPRECISE or (offset, ridge) != (1e7, 1e-6)


@pytest.mark.parametrize("offset", [0.0, 1e4, 1e6, 1e8, 1e10])
def test_max_margin_far_from_zero_separates_the_rows_as_given_or_says_it_does_not(offset):
    X, y, c, penalty = far_rows(24, 40, offset)
    status, gap, w, _ = solve(Loss.MAX_MARGIN, X, y, c, penalty)
    lack = float(1 - min(exact_margins(X, y, w)))
    assert status == (Status.IMPRECISE if offset >= 1e8 else Status.CONVERGED)
    assert lack <= 0.5 * gap  # the objective is scaled by the square of the margin
    assert gap <= TOL or status == Status.IMPRECISE
