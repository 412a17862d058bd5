"""Theory against code in the proportional limit: envelopes, the fixed point and what follows from it (T8, T9, T22)."""

from functools import cache
from math import asinh, exp, sinh, sqrt

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from test_theory_numbers import EXACT
from theory_cases import close, compiled, evaluate, head_symbols, symbols_of, two_groups

from llrsim.model.losses import Loss
from llrsim.prediction.envelope import Moments, clipped_moments, logistic_moments, logistic_prox, moments, scaled
from llrsim.prediction.equations import equations
from llrsim.prediction.fixed_point import fixed_point, norm_over_spread
from llrsim.prediction.scores import mean_norm, subset_overlap


@pytest.mark.parametrize("loss", list(Loss))
@pytest.mark.parametrize("seed", [0, 1])
def test_the_equations_and_their_jacobian(loss, seed):
    problem = two_groups(seed, loss, margins=[0.7, 1.6])
    x = 0.6 * np.random.default_rng(seed).normal(size=5)
    q, V = np.exp(x[3:])
    values = symbols_of(problem) | head_symbols(x[:2], x[2], q=q, V=V)
    for g in range(2):
        mean = problem.labels[g] * (problem.means[g] @ x[:2] + x[2])
        s = np.sqrt(x[:2] @ problem.covariances[g] @ x[:2] + (problem.noise_std[g] * q) ** 2)
        found = moments(problem, g, mean, s, problem.noise_std[g] ** 2 * V, 0.0, 1.0)
        values |= {f"{name}_{g + 1}": value for name, value in found._asdict().items()}
    expected = evaluate("proportional.jacobian", values)
    residual, jacobian = np.empty(5), np.empty((5, 5))
    equations(problem, problem.ridge, 0.0, 1.0, x, residual, jacobian)
    assert close(residual, [expected[f"residual_{i}"] for i in range(1, 6)])
    for i in range(5):
        assert close(jacobian[i], [expected[f"jacobian_{i + 1}{j}"] for j in range(1, 6)])


@pytest.mark.parametrize("seed", range(5))
def test_moments_in_closed_form(seed):
    problem, rng = two_groups(seed, margins=[0.7, 1.6]), np.random.default_rng(seed)
    mean, (s, t, soft) = rng.normal(), rng.uniform(0.3, 2.0, size=3)
    weight, kappa = problem.weights[0], problem.margins[0]
    slopes = evaluate("losses.piecewise_linear", {"t": t, "omega": weight, "h": soft})
    cases = [
        (Loss.HINGE, 0.0, "clipped", slopes["hinge"], 1.0),
        (Loss.HINGE, soft, "clipped", slopes["relaxed"], 1.0),
        (Loss.SQUARED_HINGE, 0.0, "open", slopes["squared_hinge"], 1.0),
        (Loss.MAX_MARGIN, 0.0, "open", slopes["hard"], kappa),
        (Loss.MAX_MARGIN, soft, "open", slopes["relaxed"], kappa),
    ]
    for loss, softness, kind, slope, kink in cases:
        found = moments(problem._replace(loss=int(loss)), 0, mean, s, t, softness, 1.0)
        values = {"mean": mean, "s": s, "slope": slope, "kink": kink, "floor": weight}
        expected = evaluate("losses.clipped_moments", values)
        assert close(found, [expected[f"{kind}_{name}"] for name in Moments._fields])
    found = moments(problem._replace(loss=int(Loss.SQUARED)), 0, mean, s, t, 0.0, 1.0)
    expected = evaluate("losses.squared_moments", {"mean": mean, "s": s, "t": t, "omega": weight})
    assert close(found, [float(expected[name]) for name in Moments._fields])


@pytest.mark.parametrize("loss", list(Loss))
def test_derivatives_of_the_moments(loss):
    """Eighth-order differences in mean, s and t, which leave rounding over h and a term of order h^8."""
    problem, h = two_groups(3, loss, margins=[0.7, 1.6]), 1e-2
    at = {"mean": 0.4, "s": 1.3, "t": 0.8}
    here = moments(problem, 0, *at.values(), 0.0, 1.0)._asdict()
    expected = evaluate("envelopes.gaussian_derivatives", here | at)
    eighth = np.array([1 / 280, -4 / 105, 1 / 5, -4 / 5, 0, 4 / 5, -1 / 5, 4 / 105, -1 / 280]) / h
    for name in at:
        around = [moments(problem, 0, *(at | {name: at[name] + h * i}).values(), 0.0, 1.0) for i in range(-4, 5)]
        for moment in ("slope", "curvature", "square"):
            found = eighth @ [getattr(one, moment) for one in around]
            assert found == pytest.approx(expected[f"{moment}_in_{name}"], abs=1e-10)


@pytest.mark.parametrize(("a", "t"), [(0.3, 0.7), (-2.0, 5.0), (1.5, 0.02)])
def test_the_envelope_at_a_prox(a, t):
    """A margin without spread: the moments are those of one argument. The rule's own step leaves 3e-12 of the mass."""
    problem = two_groups(3)
    weight, P = problem.weights[0], logistic_prox(a, t * problem.weights[0])
    found = moments(problem, 0, a, 1e-9, t, 0.0, 2.0)
    bend = 0.25 / np.cosh(P / 2) ** 2
    expected = evaluate("envelopes.slope_and_curvature", {"c": bend, "t": t, "omega": weight})
    assert found.slope == pytest.approx(-expected["slope_over_loss_slope"] / (1 + exp(P)), rel=EXACT)
    assert found.curvature == pytest.approx(expected["curvature"], rel=EXACT)


def test_an_infinite_floor_is_the_limit_of_a_low_one():
    low, none = (clipped_moments(0.3, 1.1, 0.8, 1.0, floor) for floor in (1e3, np.inf))
    assert close(low, none)


@pytest.mark.parametrize(("mean", "s", "t"), [(0.3, 1.2, 0.7), (-2.0, 0.4, 5.0), (1.5, 3.0, 0.02)])
def test_moments_of_the_logistic_envelope(mean, s, t):
    """Adaptive quadrature of the derived M' and M'' over the prox itself, on which the argument depends explicitly."""
    weight = 1.7
    names, function = compiled("losses.logistic")
    low, high = (logistic_prox(mean + side * s, t * weight) for side in (-12.0, 12.0))

    def integrands(y):
        p = sinh(y)
        at = {"P": p, "t": t, "omega": weight}
        a, slope, curvature = function(*(at[name] for name in names))
        x = (a - mean) / s
        density = exp(-x * x / 2) / sqrt(2 * np.pi) / (s * (1 - t * curvature)) * sqrt(1 + p * p)
        factors = slope, curvature, curvature * x, curvature * (x * x - 1), slope**2
        return density * np.array([*factors, slope * curvature, slope * curvature * x, slope**2 * curvature])

    node, mass = np.polynomial.legendre.leggauss(40)
    edges = np.linspace(asinh(low), asinh(high), 21)
    half, middle = np.diff(edges)[0] / 2, (edges[1:] + edges[:-1]) / 2
    expected = sum(half * w * integrands(m + half * x) for m in middle for x, w in zip(node, mass, strict=True))
    one = logistic_moments(mean, s, t * weight, 1.0)
    powers = np.array([1, 1, 1, 1, 2, 2, 2, 3])  # of the weight, which M' and M'' have as a factor
    assert np.array(one) * weight**powers == pytest.approx(expected, abs=EXACT)


def test_vector_scaling_is_the_logistic_loss_in_other_units():
    problem = two_groups(3, scales=[0.6, 1.8], shifts=[0.5, -0.4])
    mean, s, t, g = 0.4, 1.1, 0.9, 1
    scale, shift, weight = problem.scales[g], problem.shifts[g], problem.weights[g]
    one = logistic_moments(scale * mean - shift, scale * s, scale**2 * t * weight, 1.0)
    powers = np.array([1, 2, 2, 2, 2, 3, 3, 4])  # of Delta: one for each M', two for each M''
    weights = np.array([1, 1, 1, 1, 2, 2, 2, 3])
    expected = np.array(one) * scale**powers * weight**weights
    assert close(moments(problem, g, mean, s, t, 0.0, 1.0), expected)
    assert close(scaled(one, scale * weight, scale), expected)


def drawn_fit(problem, rows, dim, rng):
    """The least objective and |w|^2 tr(Hessian of the loss in w) / d of a logistic head on one sample."""
    groups = np.repeat(np.arange(2), rows)
    roots = np.linalg.cholesky(problem.covariances)
    signal = problem.means[groups] + np.einsum("nij,nj->ni", roots[groups], rng.normal(size=(len(groups), 2)))
    X = np.hstack([signal, problem.noise_std[groups, None] * rng.normal(size=(len(groups), dim))])
    y, weight = problem.labels[groups], problem.weights[groups]
    solver = LogisticRegression(C=1 / (len(y) * problem.ridge), tol=1e-8, max_iter=1000).fit(X, y, weight)
    f, norm2 = solver.decision_function(X), float((solver.coef_**2).sum())
    value = np.mean(weight * np.logaddexp(0.0, -y * f)) + problem.ridge * norm2 / 2
    bend = 0.25 / np.cosh(f / 2) ** 2
    return value, norm2 * np.mean(weight * bend * (X**2).sum(axis=1)) / dim


@cache
def drawn_fits():
    """A problem with its solution, and the mean of `drawn_fit` over six samples of 400 rows."""
    dim, counts = 200, np.array([160, 240])
    problem = two_groups(8, spectrum=np.ones(120), anchor=0.0, shares=counts / counts.sum())
    problem = problem._replace(ratio=dim / counts.sum(), weights=np.array([1.5, 2 / 3]))
    rng = np.random.default_rng(0)
    return problem, fixed_point(problem), np.mean([drawn_fit(problem, counts, dim, rng) for _ in range(6)], axis=0)


def margins(problem, head, g):
    """Arguments a, proxes P and parameter t of a group's envelope on Gauss-Hermite nodes, and the nodes' masses."""
    x, mass = np.polynomial.hermite_e.hermegauss(80)
    mean = problem.labels[g] * (problem.means[g] @ head.signal + head.bias)
    sigma = problem.noise_std[g]
    a = mean + x * np.sqrt(head.signal @ problem.covariances[g] @ head.signal + (sigma * head.noise_spread) ** 2)
    t = sigma**2 * head.envelope
    return a, np.array([logistic_prox(at, t * problem.weights[g]) for at in a]), t, mass / mass.sum()


def test_the_value_of_the_saddle_function_is_the_least_objective():
    problem, head, (drawn, _) = drawn_fits()
    values, strength = {}, 0.0
    for g in range(2):
        a, P, t, mass = margins(problem, head, g)
        values[f"envelope_{g + 1}"] = mass @ (problem.weights[g] * np.logaddexp(0.0, -P) + (P - a) ** 2 / (2 * t))
        strength += problem.shares[g] * problem.noise_std[g] ** 2 * (mass @ ((P - a) / t) ** 2)
    beta = np.sqrt(strength)
    # Half of the coordinates in each of two eigenspaces of the same eigenvalue.
    w = {
        f"{name}{j}": value
        for j in (1, 2)
        for name, value in (("w", head.noise_spread / np.sqrt(2)), ("e", 1.0), ("s", 0.5))
    }
    values |= symbols_of(problem) | head_symbols(head.signal, head.bias, beta=beta, tau=beta * head.envelope) | w
    found = evaluate("proportional.gordon", values)["saddle"]
    assert drawn == pytest.approx(found, rel=0.01)
    assert drawn != pytest.approx(found * 1.05, rel=0.01)


def test_solutions_are_stationary_points_of_the_saddle_function():
    problem = two_groups(7)
    head = fixed_point(problem)
    values = symbols_of(problem) | head_symbols(head.signal, head.bias)
    for g in range(2):
        mean = problem.labels[g] * (problem.means[g] @ head.signal + head.bias)
        s = np.sqrt(
            head.signal @ problem.covariances[g] @ head.signal + (problem.noise_std[g] * head.noise_spread) ** 2
        )
        found = moments(problem, g, mean, s, problem.noise_std[g] ** 2 * head.envelope, 0.0, 1.0)
        values |= {f"{name}_{g + 1}": value for name, value in found._asdict().items()}
    expected = evaluate("proportional.stationarity", values)
    assert [expected[f"head_{i}"] for i in (1, 2, 3)] == pytest.approx([0.0] * 3, abs=EXACT)
    assert head.envelope == pytest.approx(expected["V"], rel=EXACT)
    assert head.noise_spread**2 == pytest.approx(expected["q2"], rel=EXACT)
    assert (head.noise_norm / head.noise_spread) ** 2 == pytest.approx(expected["norm_over_spread_2"], rel=EXACT)
    assert norm_over_spread(problem, head.envelope) ** 2 == pytest.approx(expected["norm_over_spread_2"], rel=EXACT)


def test_relative_flatness():
    """At the margins of rows left out, in place of those of fitted ones, it would be off by more than the tolerance."""
    problem, head, (_, drawn) = drawn_fits()
    limit, left_out = 0.0, 0.0
    for g in range(2):
        a, P, _, mass = margins(problem, head, g)
        values = {"omega": problem.weights[g], "pi1": problem.shares[g], "sigma": problem.noise_std[g]}
        values |= {"norm2": head.signal @ head.signal + head.noise_norm**2}
        limit += mass @ evaluate("flatness.relative_flatness", values | {"P": P})["summand"]
        left_out += mass @ evaluate("flatness.relative_flatness", values | {"P": a})["summand"]
    assert drawn == pytest.approx(limit, rel=0.04)
    assert abs(left_out / limit - 1) > 0.08


@pytest.mark.parametrize("heads", [1, 2, 20])
def test_the_norm_of_a_mean_of_heads(heads):
    values = dict.fromkeys(compiled("averaging.shared_rows")[0], 1.0) | {"q": 0.7, "cosine": 0.4, "K": heads}
    assert mean_norm(0.7, 0.4, heads) == pytest.approx(
        evaluate("averaging.shared_rows", values)["mean_norm"], rel=EXACT
    )


def test_the_overlap_of_two_heads():
    """One eigenvalue: E M'(a_1) M'(a_2) / E M'^2 at the overlap that the code finds, by a sum over two normals."""
    problem, head, _ = drawn_fits()
    shared = np.array([0.7, 0.4])
    cosine = subset_overlap(problem, head, shared)
    x, mass = np.polynomial.hermite_e.hermegauss(60)
    mass /= mass.sum()
    values = {"lambda": problem.ridge, "nu": 0.3, "delta": problem.ratio, "q": 1.0, "cosine": 0.5, "K": 2}
    for g in range(2):
        mean = problem.labels[g] * (problem.means[g] @ head.signal + head.bias)
        signal, noise = (
            head.signal @ problem.covariances[g] @ head.signal,
            (problem.noise_std[g] * head.noise_spread) ** 2,
        )
        t = problem.noise_std[g] ** 2 * head.envelope
        a = mean + np.sqrt(signal + cosine * noise) * x[:, None] + np.sqrt((1 - cosine) * noise) * x
        slope = np.array([[logistic_prox(at, t * problem.weights[g]) - at for at in row] for row in a]) / t
        n = g + 1
        values |= {f"product_{n}": mass @ (slope @ mass) ** 2, f"square_{n}": mass @ slope**2 @ mass}
        values |= {f"f{n}": shared[g], f"pi{n}": problem.shares[g], f"sigma{n}": problem.noise_std[g]}
    assert cosine == pytest.approx(evaluate("averaging.shared_rows", values)["cosine"], abs=EXACT)
